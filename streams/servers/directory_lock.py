"""One installation runs on a data directory at a time."""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from streams.servers.errors import DirectoryTaken


@contextmanager
def directory_lock(data_dir: Path) -> Iterator[None]:
    """Hold the lock of `data_dir`; DirectoryTaken, which says who has it, when it is held already.

    The kernel lets go of it when the holder ends, however it ends.
    """
    path = data_dir / "run" / "lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DirectoryTaken(_who(path)) from None
        file.truncate(0)
        since = datetime.now(UTC).isoformat(timespec="seconds")
        json.dump({"pid": os.getpid(), "since": since}, file)
        file.flush()
        yield


def _who(path: Path) -> str:
    directory = path.parent.parent
    try:
        holder = json.loads(path.read_text())
        who = f"process {holder['pid']} since {holder['since']}"
    except (ValueError, KeyError):
        who = "another process"
    return f"{directory} is in use by {who}; stop that one or choose another --data-dir"
