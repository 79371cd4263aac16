"""`huitou deadletters`: lists, shows and puts back what could not be taken.

What a letter holds goes to the terminal of who asked, never to a log.
"""

import asyncio
import json
import sys
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec
import orjson
import typer
from aiokafka.errors import KafkaError
from cryptography.exceptions import InvalidTag
from rich.table import Table
from rich.text import Text

from models.effects import DeadLetter
from sinks.keys import KeyStore, WrongMasterKey
from streams.answers import answers
from streams.dead_letters import (
    Closed,
    Found,
    LetterTrouble,
    Opener,
    Wanted,
    letters,
    no_broker,
    retried_letters,
)
from streams.dead_letters_retry import Retried, Returner, retry
from streams.logging import hush_clients
from streams.secrets import Secrets, key_store_path, load_secrets, open_key_store
from streams.settings import Settings

SHOWN_AT_MOST = 50
FAILED = 1
_OUT = answers()
_T = TypeVar("_T")


def list_letters(settings: Settings, wanted: Wanted, *, as_json: bool) -> None:
    """Tell of the letters meant, newest first; the terminal gets the first SHOWN_AT_MOST."""
    found = _asked(settings, _collect(settings, wanted))
    found.sort(key=lambda one: one.letter.at_ms, reverse=True)
    if as_json:
        typer.echo(json.dumps([_told(one) for one in found], indent=1))
        return
    _OUT.print(_table(found[:SHOWN_AT_MOST]))
    waiting = sum(1 for one in found if not one.retried_at_ms)
    hidden = len(found) - min(len(found), SHOWN_AT_MOST)
    _OUT.print(
        f"{len(found)} letters, {waiting} not put back"
        + (f"; {hidden} older ones not shown" if hidden else "")
    )


def show_letter(settings: Settings, name: str, *, as_json: bool) -> None:
    """Tell all of one letter, opened by the installation's keys; ends with 1 where they can't."""
    meant = _asked(settings, _collect(settings, Wanted(frozenset([name])), keep=True))
    if not meant:
        raise LetterTrouble(f"there is no letter {name}; `huitou deadletters list` names them")
    [found] = meant
    with _keys(settings) as (secrets, store):
        try:
            said, why = legible(Opener(store, secrets).open(found.letter)), ""
        except Closed as closed:
            said, why = "", str(closed)
    if as_json:
        typer.echo(json.dumps({**_told(found), "raw": None if why else said, "closed": why}))
    else:
        for key, value in _told(found).items():
            _OUT.print(Text(f"{key:>14}  {printable(str(value))}"))
        typer.echo("")
        typer.echo(said or why)
    if why:
        sys.exit(FAILED)


def retry_letters(settings: Settings, wanted: Wanted, *, as_json: bool) -> None:
    """Put back the letters meant; ends with 1 when one of them can't be."""
    with _keys(settings) as (secrets, store):
        returner = Returner(settings, secrets, store)
        done = _asked(settings, retry(settings, wanted, returner))
    for name in sorted(wanted.names - done.names):
        done.unfit[name] = "there is no such letter"
    if as_json:
        told = {"put_back": done.put_back, "before": done.before, "unfit": done.unfit}
        typer.echo(json.dumps(told, indent=1))
    else:
        _say(done)
    if done.unfit:
        sys.exit(FAILED)


def legible(raw: bytes) -> str:
    r"""Write a letter's body so that a terminal shows it and obeys nothing in it.

    >>> legible(b'{"a":1}'), legible(b"x\x1b[2J")
    ('{\n  "a": 1\n}', 'x\\x1b[2J')
    """
    try:
        text = orjson.dumps(orjson.loads(raw), option=orjson.OPT_INDENT_2).decode()
    except orjson.JSONDecodeError:
        text = raw.decode("utf-8", "backslashreplace")
    return printable(text)


def printable(text: str) -> str:
    """Replace what a terminal would take for a command."""
    return "".join(
        one if one.isprintable() or one == "\n" else one.encode("unicode_escape").decode()
        for one in text
    )


async def _collect(settings: Settings, wanted: Wanted, *, keep: bool = False) -> list[Found]:
    """Gather letters; their bodies only where they are asked for, for there may be many."""
    retried = await retried_letters(settings)
    return [
        one if keep else Found(one.name, _without_body(one.letter), one.retried_at_ms)
        async for one in letters(settings, wanted, retried)
    ]


def _without_body(letter: DeadLetter) -> DeadLetter:
    return msgspec.structs.replace(letter, sealed_raw="")


def _asked(settings: Settings, asking: Coroutine[Any, Any, _T]) -> _T:
    hush_clients()
    try:
        return asyncio.run(asking)
    except KafkaError as error:
        raise no_broker(settings, error) from None


@contextmanager
def _keys(settings: Settings) -> Iterator[tuple[Secrets, KeyStore]]:
    """Open the installation's keys; never make them, as roles do."""
    path = key_store_path(settings)
    if not path.exists():
        raise LetterTrouble(f"no keys at {path}: letters are sealed; run it where the keys are")
    secrets = load_secrets(settings)
    try:
        store = open_key_store(settings, secrets.master_key)
    except (WrongMasterKey, InvalidTag) as error:
        raise LetterTrouble(str(error)) from None
    try:
        yield secrets, store
    finally:
        store.close()


def _told(found: Found) -> dict[str, Any]:
    letter = found.letter
    return {
        "name": found.name,
        "source": letter.source,
        "reason": letter.reason,
        "at_ms": letter.at_ms,
        "path": letter.path,
        "expected": letter.expected,
        "partition": letter.partition,
        "offset": letter.offset,
        "retried_at_ms": found.retried_at_ms,
    }


def _table(found: list[Found]) -> Table:
    table = Table(box=None, header_style="bold")
    for title in ("letter", "at", "source", "reason", "put back"):
        table.add_column(title, overflow="fold")
    for one in found:
        cells = (
            one.name,
            _when(one.letter.at_ms),
            one.letter.source,
            one.letter.reason,
            _when(one.retried_at_ms) if one.retried_at_ms else "",
        )
        table.add_row(*(Text(printable(cell)) for cell in cells))
    return table


def _when(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _say(done: Retried) -> None:
    for name, why in done.unfit.items():
        _OUT.print(Text(f"{name}  {printable(why)}"))
    _OUT.print(
        f"{len(done.put_back)} put back, {len(done.before)} were before, {len(done.unfit)} can't be"
    )
