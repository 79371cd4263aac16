"""What the operator sees."""

import errno
import io

from rich.console import Console

from streams.servers.screen import LiveScreen, PlainScreen
from streams.servers.supervisor import Report, UnitReport


def report(progress: float | None) -> Report:
    kafka = UnitReport("kafka", "kafka", 1, 1.0, 9492, "ready", 0, None)
    replay = UnitReport("replay", "replay", 2, 1.0, None, "restarting", 3, progress)
    return Report(1, 1.0, (kafka, replay))


def test_plain_lines_tell_each_tenth_once() -> None:
    out = io.StringIO()
    screen = PlainScreen(Console(file=out, width=40))
    for done in (0.0, 0.01, 0.1, 0.19, 0.35, 0.2, 1.0):
        screen.work("loading", done)
    told = [line.split("s  ", 1)[1] for line in out.getvalue().splitlines()]
    assert told == ["loading: 0%", "loading: 10%", "loading: 30%", "loading: 100%"]


def test_plain_lines_tell_the_replays_progress_and_print_brackets_as_they_are() -> None:
    out = io.StringIO()
    screen = PlainScreen(Console(file=out, width=40))
    screen.show(report(None))
    screen.show(report(0.5))
    screen.say("[red] " + "long " * 30)
    assert "replay: 50%\n" in out.getvalue()
    assert out.getvalue().count("\n") == 2
    assert "[red] long" in out.getvalue()


class FullDisk(io.StringIO):
    def flush(self) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_line_that_a_full_disk_refuses_ends_nothing_and_the_next_is_told() -> None:
    console = Console(file=FullDisk(), width=40)
    screen = PlainScreen(console)
    screen.say("lost")
    console.file = later = io.StringIO()
    screen.say("told")
    assert later.getvalue().endswith("told\n")


def test_the_table_shows_every_process_and_what_is_worked_on() -> None:
    out = io.StringIO()
    screen = LiveScreen(Console(file=out, width=100, force_terminal=True))
    with screen.drawn():
        screen.say("kafka is ready")
        screen.show(report(0.25))
        screen.work("loading Apache Kafka", 0.5)
    for text in ("kafka is ready", ":9492", "restarting", "3 restarts", "25.0%", "loading Apache"):
        assert text in out.getvalue()
