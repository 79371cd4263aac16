"""Rehearsals: a playbook played under a simulated clock, without servers."""
