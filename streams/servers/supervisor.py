"""Run an installation: servers and roles in order, alive as long as wanted, gone afterwards."""

import json
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType

import psutil

from streams.servers.child import LOG_KEPT_BYTES, is_alive
from streams.servers.status import write_whole
from streams.servers.unit import Part, Unit, await_end

TICK_S = 0.1
PUBLISH_S = 1.0
GRACE_S = 15.0
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopRequested(BaseException):
    """Raised into whatever keeps the main thread busy when it is time to stop."""


@dataclass(frozen=True)
class UnitReport:
    """One process as told to the operator."""

    role: str
    name: str
    pid: int | None
    born_at: float | None
    port: int | None
    state: str
    restarts: int
    progress: float | None


@dataclass(frozen=True)
class Report:
    """The installation as told to the operator; lies in `data_dir`/run/supervisor.json."""

    pid: int
    born_at: float
    units: tuple[UnitReport, ...]

    @staticmethod
    def path(data_dir: Path) -> Path:
        """Where it lies."""
        return data_dir / "run" / "supervisor.json"

    @classmethod
    def read(cls, data_dir: Path) -> "Report | None":
        """Read the last report; None when nothing ever ran here."""
        try:
            found = json.loads(cls.path(data_dir).read_text())
            units = tuple(UnitReport(**unit) for unit in found["units"])
            return cls(found["pid"], found["born_at"], units)
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None

    def is_current(self) -> bool:
        """Whether the supervisor that wrote it still runs."""
        return is_alive(self.pid, self.born_at)


class Supervisor:
    """The main thread's work while an installation runs.

    A stage starts when all of the one before are ready. `say` is told what happens, in words;
    `show` gets a report about once a second. Made and run in the main thread: children are leashed
    to it.
    """

    def __init__(
        self,
        data_dir: Path,
        stages: Sequence[Sequence[Part]],
        say: Callable[[str], None],
        show: Callable[[Report], None] = lambda _: None,
    ) -> None:
        self.data_dir = data_dir
        self._stages = [[Unit(part, say) for part in stage] for stage in stages]
        self._say = say
        self._show = show
        self._signals = 0
        self._woken = threading.Event()
        self._born_at = psutil.Process().create_time()
        self._published = ""
        self._publish_at = 0.0
        self._disk_refuses = False

    @property
    def units(self) -> list[Unit]:
        """All units, in the order of their start."""
        return [unit for stage in self._stages for unit in stage]

    @property
    def told_to_stop(self) -> bool:
        """Whether a signal has come."""
        return self._signals > 0

    @property
    def is_up(self) -> bool:
        """Whether everything has been ready."""
        return all(unit.is_settled for unit in self.units)

    def unit(self, name: str) -> Unit:
        """Find a unit by its name; KeyError when there is none."""
        return {unit.part.name: unit for unit in self.units}[name]

    def check_stop(self) -> None:
        """Raise StopRequested when a signal has come: for long work in the main thread."""
        if self.told_to_stop:
            raise StopRequested

    @contextmanager
    def running(self) -> Iterator[None]:
        """Listen to signals inside; everything is stopped at the end, whatever happened."""
        before = {number: signal.signal(number, self._on_signal) for number in STOP_SIGNALS}
        try:
            yield
        except StopRequested:
            pass
        finally:
            try:
                self._stop()
            finally:
                for number, handler in before.items():
                    signal.signal(number, handler)

    def run(self, until: Callable[[], bool] = lambda: False) -> None:
        """Keep everything running until a signal comes or `until` says so.

        NotStarted when a part that is needed keeps dying before it was ever ready.
        """
        while not self.told_to_stop and not until():
            self._tick(time.monotonic())
            self._woken.wait(TICK_S)

    def _tick(self, now: float) -> None:
        for stage in self._stages:
            for unit in stage:
                unit.tick(now)
                self._publish(now)
                if self.told_to_stop:
                    return
            if not all(unit.is_settled for unit in stage):
                break

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._signals += 1
        self._woken.set()

    def _stop(self) -> None:
        asked = self._signals
        self._say("stopping")
        roles = [unit for unit in reversed(self.units) if not unit.part.is_server]
        for unit in roles:
            unit.ask_to_end()
        await_end(roles, GRACE_S, lambda: self._signals > asked)
        for unit in reversed(self.units):
            if unit.part.is_server:
                unit.ask_to_end()
                await_end([unit], GRACE_S, lambda: self._signals > asked)
        self._publish(float("inf"))
        self._say("stopped")

    def _publish(self, now: float) -> None:
        report = self._report()
        states = ",".join(f"{unit.pid}{unit.state}{unit.restarts}" for unit in report.units)
        if states == self._published and now < self._publish_at:
            return
        self._published = states
        self._publish_at = now + PUBLISH_S
        try:
            self._write(report)
        except OSError as error:
            if not self._disk_refuses:
                self._say(
                    f"the disk refuses files ({error.strerror}); all goes on as far as it can"
                )
            self._disk_refuses = True
        else:
            self._disk_refuses = False
        self._show(report)

    def _write(self, report: Report) -> None:
        write_whole(Report.path(self.data_dir), json.dumps(asdict(report)).encode())
        for unit in self.units:
            if unit.child:
                keep_short(unit.child.log_path)

    def _report(self) -> Report:
        return Report(os.getpid(), self._born_at, tuple(_told(unit) for unit in self.units))


def _told(unit: Unit) -> UnitReport:
    identity = unit.child.identity if unit.child else None
    return UnitReport(
        unit.part.role,
        unit.part.name,
        identity.pid if identity else None,
        identity.born_at if identity else None,
        unit.part.port,
        unit.state.value,
        unit.restarts,
        unit.progress,
    )


def keep_short(log: Path) -> None:
    """Move a log that has grown long aside, under the feet of the process that appends to it."""
    if log.exists() and log.stat().st_size > LOG_KEPT_BYTES:
        shutil.copyfile(log, log.with_suffix(".log.1"))
        os.truncate(log, 0)
