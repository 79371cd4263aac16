"""What an operator sees of a replay: a bar on a terminal, a line at each tenth elsewhere."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import structlog
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from streams.replay.history import History
from streams.replay.mapped_file import MappedFile
from streams.replay.progress import ReplayProgress

SHOWN_BAD_ROWS = 5

_log = structlog.get_logger(__name__)


class Screen:
    """Lines in the log; values of rows, which may be personal, are never among them."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._began = time.monotonic()
        self._tenth = -1
        self._first: ReplayProgress | None = None

    def show(self, progress: ReplayProgress) -> None:
        """Show how far it is."""
        self._first = self._first or progress
        tenth = int(progress.progress * 10)
        if tenth > self._tenth:
            self._tenth = tenth
            self.say(f"{progress.progress:.0%}: the log's time is {_spoken(progress.until_ms)}")

    def end(self, progress: ReplayProgress) -> None:
        """Say what was replayed."""
        if self._first is None:
            self.say(f"{progress.source} is in the log already: {progress.events} events")
            return
        seconds = time.monotonic() - self._began
        self.say(
            f"{progress.source}: {progress.events} events up to {_spoken(progress.until_ms)}, "
            f"{progress.rejected} dead letters, in {seconds:.0f} s"
        )
        if isinstance(self._history, MappedFile):
            for reason, rows in self._history.ignored.most_common():
                self.say(f"{rows} rows ignored: {reason}")
            if self._history.repeated:
                self.say(f"{self._history.repeated} repeated rows dropped")

    def say(self, text: str) -> None:
        """Tell what happened."""
        _log.info("replay", said=text, source=self._history.name)


class Terminal(Screen):
    """A bar for somebody who watches."""

    def __init__(self, history: History, console: Console) -> None:
        super().__init__(history)
        self._console = console
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[until]}"),
            TimeRemainingColumn(),
            console=console,
        )
        self._task = self._bar.add_task(history.name.partition(":")[0], total=1.0, until="")

    @contextmanager
    def drawn(self) -> Iterator["Terminal"]:
        """Keep the bar inside."""
        self._show_bad_rows()
        with self._bar:
            yield self

    def show(self, progress: ReplayProgress) -> None:
        """Move the bar."""
        self._first = self._first or progress
        until = _spoken(progress.until_ms)
        self._bar.update(self._task, completed=progress.progress, until=until)

    def say(self, text: str) -> None:
        """Print a line above the bar."""
        self._console.print(text, markup=False, soft_wrap=True)

    def _show_bad_rows(self) -> None:
        """Quote the first bad rows: who gives the file may see what is in it."""
        if not isinstance(self._history, MappedFile):
            return
        for row in self._history.bad_rows[:SHOWN_BAD_ROWS]:
            self.say(f"{row.path}: expected {row.expected}, got {row.got!r}")


@contextmanager
def shown(history: History, console: Console) -> Iterator[Screen]:
    """Make the screen that fits where the output goes."""
    if console.is_terminal:
        with Terminal(history, console).drawn() as terminal:
            yield terminal
    else:
        yield Screen(history)


def _spoken(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(sep=" ", timespec="minutes")
