"""What a team would pick instead, each set up as its own documentation advises."""
