"""An answer that goes to a file or a pipe keeps its names whole."""

import pytest
from rich.table import Table

from streams.answers import answers

NAMES = [f"a_rather_long_name_{number}" for number in range(6)]


def table() -> Table:
    made = Table(box=None)
    for name in NAMES:
        made.add_column(name)
    made.add_row(*NAMES)
    return made


def test_what_is_not_seen_on_a_terminal_is_not_broken(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    answers().print(table())
    head, row = capsys.readouterr().out.splitlines()
    assert head.split() == row.split() == NAMES


def test_a_width_that_is_asked_for_is_kept(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    answers().print(table())
    assert max(len(line) for line in capsys.readouterr().out.splitlines()) <= 60
