"""One process of ours: started on a leash, known by a pid file, adopted or ended."""

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from streams.servers.leash import leashed

SAME_BIRTH_S = 2.0
LOG_TAIL_LINES = 25
LOG_TAIL_BYTES = 32_000
JAVA_FRAME = "\tat "
LOG_KEPT_BYTES = 20_000_000


@dataclass(frozen=True)
class PidFile:
    """What is remembered of a running process: enough to know it again."""

    pid: int
    born_at: float
    port: int | None
    owner_pid: int

    @staticmethod
    def path(data_dir: Path, name: str) -> Path:
        """Where the pid file of `name` lies."""
        return data_dir / "run" / f"{name}.pid"

    @classmethod
    def read(cls, data_dir: Path, name: str) -> "PidFile | None":
        """Read the pid file of `name`; None when there is none or it is unreadable."""
        try:
            return cls(**json.loads(cls.path(data_dir, name).read_text()))
        except (FileNotFoundError, ValueError, TypeError):
            return None

    def write(self, data_dir: Path, name: str) -> None:
        """Write it whole or not at all."""
        path = self.path(data_dir, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(".pid.new")
        draft.write_text(json.dumps(self.__dict__))
        draft.replace(path)

    def is_alive(self) -> bool:
        """Whether the very process still runs: pids are reused, birth times are not."""
        return is_alive(self.pid, self.born_at)


def is_alive(pid: int, born_at: float | None = None) -> bool:
    """Whether `pid` runs, not as a zombie, and (if given) was born at `born_at` seconds."""
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        return born_at is None or abs(process.create_time() - born_at) < SAME_BIRTH_S
    except psutil.Error:
        return False


class Child:
    """A running process of ours; `start` or `adopt` makes one."""

    def __init__(
        self,
        data_dir: Path,
        name: str,
        identity: PidFile,
        popen: "subprocess.Popen[bytes] | None" = None,
        log_begins: int = 0,
    ) -> None:
        self.data_dir = data_dir
        self.name = name
        self.identity = identity
        self.log_path = log_path(data_dir, name)
        self._popen = popen
        self._log_begins = log_begins

    @classmethod
    def start(
        cls,
        data_dir: Path,
        name: str,
        command: list[str],
        port: int | None = None,
        environment: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> "Child":
        """Start `command` on a leash, its output appended to the log of `name`.

        Call it from the main thread: the leash is tied to the calling thread's life.
        """
        log = log_path(data_dir, name)
        log.parent.mkdir(parents=True, exist_ok=True)
        _cut(log)
        with log.open("ab") as output:
            log_begins = output.tell()
            popen = subprocess.Popen(  # noqa: S603
                leashed(command),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(environment or {})},
                cwd=cwd,
                start_new_session=True,
            )
        born_at = psutil.Process(popen.pid).create_time()
        identity = PidFile(popen.pid, born_at, port, os.getpid())
        try:
            identity.write(data_dir, name)
        except OSError:
            # Nobody would find it again.
            popen.kill()
            popen.wait()
            raise
        return cls(data_dir, name, identity, popen, log_begins)

    @classmethod
    def adopt(cls, data_dir: Path, name: str) -> "Child | None":
        """Find the living process the pid file of `name` tells of, or None."""
        identity = PidFile.read(data_dir, name)
        if identity is None or not identity.is_alive():
            return None
        return cls(data_dir, name, identity)

    @property
    def pid(self) -> int:
        """Process id."""
        return self.identity.pid

    @property
    def is_adopted(self) -> bool:
        """Whether another process started it."""
        return self._popen is None

    @property
    def exit_code(self) -> int | None:
        """Exit code, negative for a signal; None while it runs or when it was adopted."""
        return self._popen.poll() if self._popen else None

    def is_alive(self) -> bool:
        """Whether it runs."""
        if self._popen is not None:
            return self._popen.poll() is None
        return self.identity.is_alive()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal; nothing happens when it is gone already."""
        if self.is_alive():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def wait(self, timeout_s: float) -> bool:
        """Whether it ended within `timeout_s`."""
        deadline = time.monotonic() + timeout_s
        while self.is_alive():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        return True

    def stop(self, grace_s: float = 15.0) -> None:
        """End it: SIGTERM, `grace_s` of patience, SIGKILL. Its pid file goes too.

        An adopted process whose own starter still lives is left running.
        """
        if self.is_adopted and is_alive(self.identity.owner_pid):
            return
        self.signal(signal.SIGTERM)
        if not self.wait(grace_s):
            self.signal(signal.SIGKILL)
            self.wait(5.0)
        self.forget()

    def forget(self) -> None:
        """Remove the pid file of a process that has ended."""
        PidFile.path(self.data_dir, self.name).unlink(missing_ok=True)

    def last_words(self, lines: int = LOG_TAIL_LINES) -> str:
        """Quote the end of what it has logged since its start."""
        return last_lines(self.log_path, lines, self._log_begins)


def log_path(data_dir: Path, name: str) -> Path:
    """Where the output of `name` goes."""
    return data_dir / "logs" / f"{name}.log"


def last_lines(log: Path, lines: int = LOG_TAIL_LINES, begins: int = 0) -> str:
    """Quote the last lines of a log from byte `begins`, indented, without Java's stack frames."""
    if not log.exists():
        return f"    ({log} does not exist)"
    text = log.read_bytes()[begins:][-LOG_TAIL_BYTES:].decode("utf-8", "replace").splitlines()
    telling = [line for line in text if not line.startswith(JAVA_FRAME)][-lines:]
    return "\n".join(f"    {line}" for line in telling) or f"    ({log} is empty)"


def _cut(log: Path) -> None:
    if log.exists() and log.stat().st_size > LOG_KEPT_BYTES:
        log.replace(log.with_suffix(".log.1"))
