"""What the models are compared with: nothing here is used by the product."""
