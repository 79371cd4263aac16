"""Tests of how a playbook is applied."""
