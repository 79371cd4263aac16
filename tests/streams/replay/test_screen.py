import io
from pathlib import Path

import msgspec
import pytest
from rich.console import Console
from structlog.testing import capture_logs

from streams.replay.mapped_file import MappedFile
from streams.replay.mapping import Mapping
from streams.replay.progress import ReplayProgress
from streams.replay.screen import SHOWN_BAD_ROWS, Screen, shown

UNTIL_MS = 1_500_062_400_000


@pytest.fixture
def history(tmp_path: Path) -> MappedFile:
    columns = {"order": "no", "time": "at", "line_total": "paid"}
    rules = [{"column": "no", "starts_with": "T", "because": "test orders"}]
    mapping = msgspec.convert(
        {"name": "shop", "columns": columns, "currency": "EUR", "ignore": rules}, Mapping
    )
    bad = [f"{number},soon {number},secret" for number in range(10)]
    rows = ["no,at,paid", "1,2020-01-01,5", "T2,2020-01-01,5", *bad]
    file = tmp_path / "shop.csv"
    file.write_text("\n".join(rows), encoding="utf-8")
    return MappedFile(file, mapping, not_after_ms=2_000_000_000_000)


def progress(share: float, *, rejected: int = 0) -> ReplayProgress:
    return ReplayProgress(
        source="shop:1", progress=share, events=7, until_ms=UNTIL_MS, rejected=rejected
    )


def on_terminal(history: MappedFile) -> tuple[Console, io.StringIO]:
    text = io.StringIO()
    return Console(file=text, force_terminal=True, width=300, highlight=False), text


def test_without_a_terminal_each_tenth_is_a_line_of_the_log(history: MappedFile) -> None:
    with capture_logs() as lines, shown(history, Console(file=io.StringIO())) as screen:
        for hundredth in range(0, 101, 3):
            screen.show(progress(hundredth / 100))
    assert len(lines) == 10
    assert lines[0]["said"] == "0%: the log's time is 2017-07-14 20:00+00:00"


def test_values_of_rows_never_reach_the_log(history: MappedFile) -> None:
    with capture_logs() as lines, shown(history, Console(file=io.StringIO())) as screen:
        screen.show(progress(1.0, rejected=10))
        screen.end(progress(1.0, rejected=10))
    assert "soon" not in str(lines)
    assert "10 dead letters" in str(lines)


def test_a_terminal_shows_the_first_bad_rows_with_their_values(history: MappedFile) -> None:
    console, text = on_terminal(history)
    with shown(history, console) as screen:
        screen.show(progress(0.5))
    assert "shop.csv:4:at: expected a time (iso), got 'soon 0'" in text.getvalue()
    assert text.getvalue().count("expected a time") == SHOWN_BAD_ROWS
    assert "50%" in text.getvalue()


def test_the_end_says_what_was_replayed_and_what_was_left_out(history: MappedFile) -> None:
    console, text = on_terminal(history)
    with shown(history, console) as screen:
        screen.show(progress(1.0, rejected=10))
        screen.end(progress(1.0, rejected=10))
    assert "shop:1: 7 events up to 2017-07-14 20:00+00:00, 10 dead letters" in text.getvalue()
    assert "1 rows ignored: test orders" in text.getvalue()


def test_a_replay_that_wrote_nothing_says_that_all_is_there(history: MappedFile) -> None:
    with capture_logs() as lines:
        Screen(history).end(progress(1.0))
    assert [line["said"] for line in lines] == ["shop:1 is in the log already: 7 events"]
