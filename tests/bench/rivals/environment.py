"""The rivals' own environment, `.bench` beside `.venv`; `make bench-setup` makes it."""

from tests.bench.rig import PROJECT

PYTHON = PROJECT / ".bench" / "bin" / "python"


def absent() -> str:
    """Why no rival from it can run; empty when they can."""
    return "" if PYTHON.exists() else "not installed: run `make bench-setup`"
