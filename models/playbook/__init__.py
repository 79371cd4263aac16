"""The playbook's language: what a shop does to bring customers back, written without code.

One YAML file (`starter.yaml` is one) is read by `check.py`, which tells every mistake at once, into
the structs of `playbook.py`; `rulebook.py` compiles them for the fold.
"""
