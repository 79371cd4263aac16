"""How a playbook is applied to one customer: moments, guards, steps and what is remembered."""
