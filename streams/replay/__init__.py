"""Histories: where they are read from and how they enter the log with their own clock."""
