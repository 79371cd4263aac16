"""The count of an engine that leaves none at the broker: a file it replaces now and then."""

from pathlib import Path

PROGRESS_EVERY_S = 0.1


def write_progress(path: Path, events: int) -> None:
    """Say how many events are done, whole or not at all."""
    draft = path.with_suffix(".new")
    draft.write_text(str(events))
    draft.replace(path)


def read_progress(path: Path) -> int:
    """How many events are done; 0 before anything was said."""
    try:
        return int(path.read_text())
    except FileNotFoundError:
        return 0
