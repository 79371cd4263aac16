"""What the embedded servers have in common: adopt or refuse, prepare, start, wait, stop."""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

from streams.servers.child import Child
from streams.servers.errors import NotStarted, PortTaken
from streams.servers.ports import require_free

Progress = Callable[[str, float], None]
"""Called with what is being done and how much of it is done (0..1)."""


def silent(_what: str, _done: float) -> None:
    """Progress nobody watches."""


class Server(ABC):
    """A server that this machine runs for itself, on loopback, with its files in one directory."""

    role: ClassVar[str]
    port_variable: ClassVar[str]
    start_limit_s: ClassVar[float] = 120.0
    environment: ClassVar[dict[str, str]] = {}

    def __init__(self, data_dir: Path, port: int) -> None:
        self.data_dir = data_dir.resolve()
        self.port = port

    @abstractmethod
    def command(self) -> list[str]:
        """Build the command to execute."""

    @abstractmethod
    def answers(self) -> bool:
        """Whether a server of this kind answers a real request on the port now."""

    def prepare(self, progress: Progress = silent) -> None:
        """Make the files the server needs; may take long the first time."""
        self.directory.mkdir(parents=True, exist_ok=True)

    @property
    def directory(self) -> Path:
        """Where this server keeps everything."""
        return self.data_dir / self.role

    def adopt(self) -> Child | None:
        """Find the living server of this data directory, or None.

        PortTaken when it runs on another port than the one wanted.
        """
        child = Child.adopt(self.data_dir, self.role)
        if child is not None and child.identity.port != self.port:
            raise PortTaken(
                f"{self.role} of {self.data_dir} already runs on port {child.identity.port} "
                f"(pid {child.pid}); stop it or set {self.port_variable}={child.identity.port}"
            )
        return child

    def launch(self, progress: Progress = silent) -> Child:
        """Adopt the living server of this data directory or start one; it may not answer yet."""
        child = self.adopt()
        if child is not None:
            return child
        self.require_ports()
        self.prepare(progress)
        return Child.start(
            self.data_dir, self.role, self.command(), self.port, self.environment, self.directory
        )

    def require_ports(self) -> None:
        """Raise PortTaken when somebody else listens where we must."""
        require_free(self.port, self.port_variable)

    def await_answer(self, child: Child) -> None:
        """Wait until it answers; NotStarted with its last log lines when it does not."""
        deadline = time.monotonic() + self.start_limit_s
        while not self.answers():
            if not child.is_alive():
                raise self._failure(child, f"ended with code {child.exit_code} while starting")
            if time.monotonic() > deadline:
                raise self._failure(child, f"did not answer in {self.start_limit_s} s")
            time.sleep(0.05)

    def _failure(self, child: Child, what: str) -> NotStarted:
        words = child.last_words()
        return NotStarted(f"{self.role} {what}; the end of {child.log_path}:\n{words}")

    @contextmanager
    def running(self, progress: Progress = silent) -> Iterator[Child]:
        """Start it, wait for it, and stop it at the end."""
        child = self.launch(progress)
        try:
            self.await_answer(child)
            yield child
        finally:
            child.stop()
