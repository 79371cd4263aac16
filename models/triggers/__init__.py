"""How a playbook's rules come to act on a customer."""
