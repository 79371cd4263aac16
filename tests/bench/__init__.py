"""Speed, measured against its rivals: `python -m tests.bench NAME`."""
