"""`huitou rehearse`: a playbook played under a simulated clock, before anyone gets anything."""

import json
import sys
import time
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from streams.answers import answers

WRONG_USE = 2
FAILED = 1
_PROGRESS_S = 2.0
_Scenario = Annotated[
    Path | None, typer.Argument(help="What happens when: a YAML file.", show_default=False)
]
_Playbook = Annotated[
    Path | None,
    typer.Option("--playbook", help="Its first file.", show_default="what a new installation does"),
]


def rehearse(  # noqa: PLR0913  (one option for each thing that can be chosen)
    scenario: _Scenario = None,
    *,
    playbook: _Playbook = None,
    packs: Annotated[
        bool, typer.Option("--packs", help="Every ready pack, in every language.")
    ] = False,
    log: Annotated[
        str,
        typer.Option(
            help="A history instead: a FILE as replay reads, demo, or live (the own log)."
        ),
    ] = "",
    mapping: Annotated[
        str, typer.Option("--map", help="How the file's columns become events: a FILE or a name.")
    ] = "",
    days: Annotated[int | None, typer.Option(help="So many days of the demo.", min=1)] = None,
    diff: Annotated[
        Path | None, typer.Option("--diff", help="Another playbook to compare with.")
    ] = None,
    examples: Annotated[
        int, typer.Option(help="Differences shown one by one, of --diff.", min=0)
    ] = 20,
    data_dir: Annotated[
        Path | None,
        typer.Option("--data-dir", help="Where everything is kept, of live.", show_default="data"),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON and nothing else on stdout.")
    ] = False,
) -> None:
    """Play a playbook under a simulated clock, before anyone gets anything."""
    asked = [bool(scenario), packs, bool(log)]
    if sum(asked) != 1:
        _refuse("name a SCENARIO, or give --packs or --log SOURCE, one of the three")
    if packs:
        sys.exit(_packs(as_json=as_json))
    books = [_book(one, as_json=as_json) for one in ((playbook, diff) if diff else (playbook,))]
    if scenario is not None:
        sys.exit(_scenario(scenario, books, examples, as_json=as_json))
    sys.exit(_log(log, mapping, days, books, examples, data_dir, as_json=as_json))


def _book(file: Path | None, *, as_json: bool) -> Any:
    book = import_module("streams.rehearse.book")
    try:
        return book.read_book(file)
    except book.BadPlaybook as error:
        _tell_problems(str(error), error.problems, as_json=as_json)
        sys.exit(FAILED if error.usable else WRONG_USE)


def _scenario(file: Path, books: list[Any], examples: int, *, as_json: bool) -> int:
    reading = import_module("streams.rehearse.scenario")
    playing = import_module("streams.rehearse.playing")
    try:
        raw = file.read_bytes()
    except OSError as error:
        _refuse(f"{file}: {error.strerror or error}")
    try:
        scenario = reading.read_scenario(
            str(file), raw, time_zone=books[0].time_zone, currency=books[0].currency
        )
    except reading.BadScenario as error:
        _tell_problems(str(error), error.problems, as_json=as_json)
        return WRONG_USE
    found = playing.play_all(scenario, books, examples_max=examples)
    _show("scenario", found, as_json=as_json)
    for line in found.get("differences", ()):
        typer.echo(line, err=True)
    return FAILED if found.get("differences") else 0


def _log(
    source: str,
    mapping: str,
    days: int | None,
    books: list[Any],
    examples: int,
    data_dir: Path | None,
    *,
    as_json: bool,
) -> int:
    past = import_module("streams.rehearse.past")
    histories = import_module("streams.replay.history")
    try:
        history = past.find(source, mapping, days, data_dir)
        played = past.Past(history, books, currency=books[0].currency, examples_max=examples)
        found = played.play(_Progress(history))
    except histories.BadHistory as error:
        _refuse(str(error))
    shown = found[0]
    if played.comparison is not None:
        shown = {"playbooks": found, "comparison": played.comparison.as_dict()}
    _show("log", shown, as_json=as_json)
    return 0


def _packs(*, as_json: bool) -> int:
    found = import_module("streams.rehearse.packs").play_packs()
    _show("packs", found, as_json=as_json)
    return 0 if found["passed"] == found["scenarios"] else FAILED


class _Progress:
    """Says on stderr now and then how far it is."""

    def __init__(self, history: Any) -> None:
        self._history = history
        self._said_at = time.monotonic()

    def __call__(self, at_ms: int, events: int) -> None:
        """Say it, unless it was said a moment ago."""
        if time.monotonic() - self._said_at < _PROGRESS_S:
            return
        self._said_at = time.monotonic()
        day = datetime.fromtimestamp(at_ms / 1000, UTC).date()
        typer.echo(f"{self._share(at_ms)}{day}, {events:,} events", err=True)

    def _share(self, at_ms: int) -> str:
        """How much of a history is done; the own log knows its end only when it is reached."""
        first_ms = getattr(self._history, "first_ms", None)
        last_ms = getattr(self._history, "last_ms", 0)
        if first_ms is None or last_ms <= first_ms:
            return ""
        return f"{min((at_ms - first_ms) / (last_ms - first_ms), 1):.0%}: "


def _show(what: str, found: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(found, indent=1, ensure_ascii=False))
        return
    screen = import_module("streams.rehearse.screen")
    console = answers()
    for one in getattr(screen, f"show_{what}")(found):
        console.print(one)


def _tell_problems(said: str, problems: tuple[Any, ...], *, as_json: bool) -> None:
    if as_json:
        told = {"ok": False, "said": said, "problems": [one.told() for one in problems]}
        typer.echo(json.dumps(told, indent=1, ensure_ascii=False))
    typer.echo(said, err=True)


def _refuse(said: str) -> NoReturn:
    typer.echo(said, err=True)
    sys.exit(WRONG_USE)
