"""What the operator sees while an installation starts and runs."""

import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from streams.servers.supervisor import Report

STEP = 0.1
MARKS = {"ready": ("●", "green"), "done": ("✓", "green"), "restarting": ("↻", "red")}


class Screen(ABC):
    """Where progress is shown; called from the main thread and from loading threads."""

    @abstractmethod
    def say(self, text: str) -> None:
        """Tell what happened."""

    @abstractmethod
    def work(self, what: str, done: float) -> None:
        """Tell how much of a long work is done (0..1)."""

    @abstractmethod
    def show(self, report: Report) -> None:
        """Show how the processes are."""

    @contextmanager
    def drawn(self) -> Iterator[None]:
        """Keep the screen inside."""
        yield


class PlainScreen(Screen):
    """Lines, for logs and scripts."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._began = time.monotonic()
        self._steps: dict[str, int] = {}

    def say(self, text: str) -> None:
        """Print a line with the seconds since the start."""
        seconds = time.monotonic() - self._began
        # A file on a full disk takes no line, and what it would tell of must go on.
        with suppress(OSError):
            self._console.print(f"{seconds:8.1f}s  {text}", markup=False, soft_wrap=True)

    def work(self, what: str, done: float) -> None:
        """Print a line at each tenth."""
        step = int(done / STEP)
        if self._steps.get(what, -1) < step:
            self._steps[what] = step
            self.say(f"{what}: {step * STEP:.0%}")

    def show(self, report: Report) -> None:
        """Print the tenths of a replay; other changes are said anyway."""
        for unit in report.units:
            if unit.role == "replay" and unit.progress is not None:
                self.work(unit.name, unit.progress)


class LiveScreen(Screen):
    """Lines above a table that redraws itself, for a terminal."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._work: tuple[str, float] | None = None
        self._report: Report | None = None
        self._live = Live(console=console, get_renderable=self._render, refresh_per_second=5)

    def say(self, text: str) -> None:
        """Print above the table."""
        self._work = None
        self._console.print(text, markup=False, soft_wrap=True)

    def work(self, what: str, done: float) -> None:
        """Show a bar until it is done."""
        self._work = (what, done) if done < 1 else None

    def show(self, report: Report) -> None:
        """Redraw the table."""
        self._report = report

    @contextmanager
    def drawn(self) -> Iterator[None]:
        """Draw inside."""
        with self._live:
            yield

    def _render(self) -> RenderableType:
        parts: list[RenderableType] = [_table(self._report)] if self._report else []
        if self._work:
            what, done = self._work
            parts += [Text(what), ProgressBar(total=1.0, completed=done, width=50)]
        return Group(*parts)


def _table(report: Report) -> Table:
    table = Table.grid(padding=(0, 2))
    for unit in report.units:
        mark, colour = MARKS.get(unit.state, ("○", "yellow"))
        port = f":{unit.port}" if unit.port else ""
        restarts = f"{unit.restarts} restarts" if unit.restarts else ""
        table.add_row(
            Text(mark, style=colour), unit.name, port, unit.state, restarts, _bar(unit.progress)
        )
    return table


def _bar(progress: float | None) -> RenderableType:
    if progress is None:
        return ""
    bar = Table.grid(padding=(0, 1))
    bar.add_row(ProgressBar(total=1.0, completed=progress, width=40), f"{progress:.1%}")
    return bar
