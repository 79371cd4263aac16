"""What a role says about itself, in `data_dir`/run/ROLE.json."""

import os
import tempfile
import time
from pathlib import Path

import msgspec
import structlog

log = structlog.get_logger(__name__)
INSTANCE_VARIABLE = "HUITOU_INSTANCE"
STARTING = "starting"
READY = "ready"
DONE = "done"


class Status(msgspec.Struct, frozen=True):
    """One role's word; `progress` 0..1 where there is an end, `at` in Unix seconds."""

    role: str
    pid: int
    parent_pid: int
    state: str
    at: float
    progress: float | None = None

    def is_by(self, pid: int) -> bool:
        """Whether the process `pid` wrote it, or a child of it (where a leash stays between)."""
        return pid in (self.pid, self.parent_pid)


class StatusFile:
    """The status file of a role; the second of several workers writes worker-2.json.

    The supervisor numbers the processes of a role by the variable HUITOU_INSTANCE.
    """

    def __init__(self, data_dir: Path, role: str, number: int | None = None) -> None:
        if number is None:
            number = instance_number()
        self.role = role
        self.path = data_dir / "run" / f"{instance_name(role, number)}.json"

    def write(self, *, state: str, progress: float | None = None) -> None:
        """Replace the file whole: a reader sees the old word or the new one.

        A word that the disk refuses is logged, and the role goes on.
        """
        status = Status(self.role, os.getpid(), os.getppid(), state, time.time(), progress)
        try:
            write_whole(self.path, msgspec.json.encode(status))
        except OSError as error:
            log.warning("status not written", state=state, reason=error.strerror)

    def read(self) -> Status | None:
        """Read the last word; None when there is none."""
        try:
            return msgspec.json.decode(self.path.read_bytes(), type=Status)
        except (FileNotFoundError, msgspec.DecodeError):
            return None


def instance_number() -> int:
    """Which of several processes of a role this one is, from 1."""
    return int(os.environ.get(INSTANCE_VARIABLE, "1"))


def instance_name(role: str, number: int) -> str:
    """Name one of several processes of a role.

    >>> instance_name("worker", 1), instance_name("worker", 2)
    ('worker', 'worker-2')
    """
    return role if number == 1 else f"{role}-{number}"


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that no reader sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(draft).replace(path)
    except OSError:
        Path(draft).unlink()
        raise
