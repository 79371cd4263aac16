"""One process that is kept running: started, waited for, started again when it dies."""

import json
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum

from streams.exit import REFUSED
from streams.servers.child import Child, is_alive
from streams.servers.errors import NotStarted, ServerError

BACK_OFF_FIRST_S = 1.0
BACK_OFF_MOST_S = 30.0
HEALTHY_AFTER_S = 60.0
SHORT = 200
LINES_LOOKED_AT = 3


class State(StrEnum):
    """Where a process is in its life."""

    WAITING = "waiting"
    STARTING = "starting"
    READY = "ready"
    RESTARTING = "restarting"
    DONE = "done"
    STOPPED = "stopped"


@dataclass(frozen=True)
class Part:
    """What must be known to run one process.

    `ends`: its success is to exit with 0. `attempts_most`: so many deaths in a row before it was
    ever ready end everything; `deaths_most`: so many in a row at any time; 0 means never.
    `ready_within_s`: it is ended and started again when it takes longer; 0 means no limit.
    """

    role: str
    name: str
    start: Callable[[], Child]
    is_ready: Callable[[Child], bool]
    port: int | None = None
    progress: Callable[[Child], float | None] | None = None
    is_server: bool = False
    ends: bool = False
    attempts_most: int = 0
    deaths_most: int = 0
    ready_within_s: float = 0.0


class Unit:
    """A part and the process that plays it now."""

    def __init__(self, part: Part, say: Callable[[str], None]) -> None:
        self.part = part
        self.state = State.WAITING
        self.child: Child | None = None
        self.restarts = 0
        self._say = say
        self._failures = 0
        self._was_ready = False
        self._not_before = 0.0
        self._since = 0.0

    @property
    def is_settled(self) -> bool:
        """Whether what comes after it may start."""
        return self.state in (State.READY, State.DONE) or self._was_ready

    @property
    def progress(self) -> float | None:
        """How much of its work is done, where there is an end."""
        if self.part.progress is None or self.child is None:
            return 1.0 if self.part.progress and self.state is State.DONE else None
        return self.part.progress(self.child)

    def tick(self, now: float) -> None:
        """Do what is due; NotStarted when it dies more often than its part allows."""
        if self.state is State.DONE:
            return
        if self.child is None:
            if now >= self._not_before:
                self._start(now)
        elif not self.child.is_alive():
            self._ended(now)
        elif self.state is State.STARTING:
            self._await(now)
        elif now - self._since > HEALTHY_AFTER_S:
            self._failures = 0

    def _start(self, now: float) -> None:
        try:
            self.child = self.part.start()
        except (ServerError, OSError) as error:
            self._failed(now, str(error))
            return
        self.state = State.STARTING
        self._since = now

    def _await(self, now: float) -> None:
        assert self.child is not None  # noqa: S101
        if self.part.is_ready(self.child):
            self._say(f"{self.part.name} is ready ({now - self._since:.1f} s)")
            self.state = State.READY
            self._was_ready = True
            self._since = now
        elif 0 < self.part.ready_within_s < now - self._since:
            self._say(f"{self.part.name} is not ready in {self.part.ready_within_s:.0f} s")
            self.child.signal(signal.SIGKILL)

    def _ended(self, now: float) -> None:
        assert self.child is not None  # noqa: S101
        child, self.child = self.child, None
        child.forget()
        if self.part.ends and child.exit_code == 0:
            self.state = State.DONE
            self._say(f"{self.part.name} is done")
            return
        if child.exit_code == REFUSED:
            raise NotStarted(f"{self.part.name} refuses to run: {_reason(child)}")
        manner = _manner(child.exit_code)
        told = f"{manner}; the end of {child.log_path}:\n{child.last_words()}"
        killed = child.exit_code is not None and child.exit_code < 0
        # Who is killed has no last word: what stands there is about something else.
        shortly = manner if killed else f"{manner}: {_last_said(child)[:SHORT]}"
        self._failed(now, told, shortly)

    def _failed(self, now: float, why: str, shortly: str = "") -> None:
        self._failures += 1
        self.restarts += 1
        if not self._was_ready and 0 < self.part.attempts_most <= self._failures:
            raise NotStarted(f"{self.part.name} does not start: {why}")
        if 0 < self.part.deaths_most <= self._failures:
            raise NotStarted(f"{self.part.name} died {self._failures} times in a row: {why}")
        pause = min(BACK_OFF_MOST_S, BACK_OFF_FIRST_S * 2 ** (self._failures - 1))
        self._not_before = now + pause
        self.state = State.RESTARTING
        self._say(f"{self.part.name} {shortly or why}; it starts again in {pause:.0f} s")

    def ask_to_end(self) -> None:
        """Send SIGTERM."""
        if self.child and not self._is_anothers():
            self.child.signal(signal.SIGTERM)

    def has_ended(self) -> bool:
        """Whether nothing of it runs; an adopted server whose own starter lives is let be."""
        return self.child is None or self._is_anothers() or not self.child.is_alive()

    def end(self) -> None:
        """Kill what still runs and forget it."""
        if self.child and not self._is_anothers():
            self.child.signal(signal.SIGKILL)
            self.child.wait(5.0)
            self.child.forget()
        self.child = None
        if self.state is not State.DONE:
            self.state = State.STOPPED

    def _is_anothers(self) -> bool:
        return (
            self.child is not None
            and self.child.is_adopted
            and is_alive(self.child.identity.owner_pid)
        )


def await_end(units: list[Unit], grace_s: float, hurried: Callable[[], bool]) -> None:
    """Wait until the units have ended, `grace_s` at most and not when hurried; then kill."""
    deadline = time.monotonic() + grace_s
    while not all(unit.has_ended() for unit in units):
        if time.monotonic() > deadline or hurried():
            break
        time.sleep(0.02)
    for unit in units:
        unit.end()


def _reason(child: Child) -> str:
    """Read the reason in a role's last log record; all of it where that is no JSON."""
    return _in_last_record(child, "reason")


def _last_said(child: Child) -> str:
    return _in_last_record(child, "event")


def _in_last_record(child: Child, field: str) -> str:
    """Read a field of the last record; a line torn by a full disk is passed over."""
    lines = [line.strip() for line in child.last_words(LINES_LOOKED_AT).splitlines()]
    for line in reversed(lines):
        if not line.startswith("{"):
            break
        with suppress(ValueError, KeyError, TypeError):
            return str(json.loads(line)[field])
    return lines[-1]


def _manner(exit_code: int | None) -> str:
    if exit_code is None:
        return "gone"
    if exit_code < 0:
        return f"killed by {signal.Signals(-exit_code).name}"
    return f"ended with code {exit_code}"
