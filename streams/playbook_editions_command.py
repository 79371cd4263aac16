"""`huitou playbook apply`, `history`, `show`, `diff`, `rollback`: editions, by command."""

import asyncio
import difflib
import getpass
import json
import posixpath
import sys
from collections.abc import Coroutine, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import typer
from rich.table import Table

from models.playbook.check import Checked
from models.playbook.difference import Change, differences
from models.playbook.edition import Edition
from streams.answers import answers
from streams.logging import hush_clients
from streams.playbook_command import FAILED, UNUSABLE, read_checked, tell_checked
from streams.playbook_editions import (
    Adoption,
    Editions,
    PlaybookTrouble,
    apply_files,
    read_editions,
    roll_back,
)
from streams.settings import Settings

_OUT = answers(soft_wrap=True)
_T = TypeVar("_T")
_SIGNS = {"added": ("+", "green"), "removed": ("-", "red"), "renamed": (">", "cyan")}


def apply_file(
    settings: Settings, file: Path, *, note: str, based_on: int | None, as_json: bool
) -> None:
    """Check a playbook and make it the next edition; with mistakes, tell them and exit with 1."""
    currency = settings.currency
    checked, files = read_checked(file, as_json=as_json, events_currency=currency)
    if checked.errors:
        tell_checked(file, checked, as_json=as_json)
        if not as_json:
            typer.echo("nothing was applied", err=True)
        sys.exit(FAILED if checked.usable else UNUSABLE)
    applying = apply_files(settings, file.name, files, by=whoever(), note=note, based_on=based_on)
    edition = _asked(applying)
    if as_json:
        typer.echo(json.dumps(_applied(edition, checked), indent=1, ensure_ascii=False))
        return
    tell_checked(file, checked, as_json=False)
    _OUT.print(
        f"edition {edition.version} is in the log: every customer's next event is answered by it",
        markup=False,
    )


def _applied(edition: Edition, checked: Checked) -> dict[str, Any]:
    return _told(edition) | {"warnings": [one.told() for one in checked.warnings]}


def history(settings: Settings, *, as_json: bool) -> None:
    """Tell of every edition, oldest first, and of what was taken into use when."""
    editions = _asked(read_editions(settings))
    if as_json:
        typer.echo(json.dumps(told_of(editions), indent=1, ensure_ascii=False))
        return
    if not editions.known:
        _OUT.print("no edition yet: nobody is written to; begin with `huitou playbook apply FILE`")
        return
    table = Table(box=None, header_style="bold")
    for title in ("edition", "applied", "by", "files", "state", "note"):
        table.add_column(title)
    for one in editions.known:
        state = "in use" if one.version == editions.in_use else ""
        table.add_row(
            str(one.version), _at(one.applied_at_ms), one.by, str(len(one.files)), state, one.note
        )
    _OUT.print(table)
    for again in _again(editions):
        said = f": {again.note}" if again.note else ""
        _OUT.print(
            f"edition {again.version} was put back {_at(again.at_ms)} by {again.by}{said}",
            markup=False,
        )


def _again(editions: Editions) -> list[Adoption]:
    """Adoptions that were rollbacks: of an edition that had been in use before."""
    seen: set[int] = set()
    found = []
    for one in editions.adoptions:
        if one.version in seen:
            found.append(one)
        seen.add(one.version)
    return found


def show(settings: Settings, version: int | None, *, as_json: bool) -> None:
    """Print an edition's files, the one in use where no number is given."""
    edition = _named(_asked(read_editions(settings)), version)
    if as_json:
        told = _told(edition) | {"main": edition.main, "files": edition.files}
        typer.echo(json.dumps(told, indent=1, ensure_ascii=False))
        return
    for name, text in edition.files.items():
        if len(edition.files) > 1:
            typer.echo(f"# {'-' * 8} {name}")
        typer.echo(text, nl=not text.endswith("\n"))


def diff(settings: Settings, old: str, new: str, *, text: bool, as_json: bool) -> None:
    """Tell what differs between two editions or files, rule by rule, or with `text` by line."""
    editions = _asked(read_editions(settings))
    if not new:
        if not old.isdigit():
            old, new = str(editions.in_use) if editions.in_use else "", old
        else:
            new = str(_named(editions, None).version)
    before, after = _files(editions, old), _files(editions, new)
    if text:
        for line in lines_changed(before, after):
            typer.echo(line)
        return
    changes = differences(before, after)
    if as_json:
        typer.echo(json.dumps(msgspec.to_builtins(changes), indent=1, ensure_ascii=False))
        return
    for one in changes:
        _print_change(one)
    if not changes:
        _OUT.print("they say the same")


def _print_change(change: Change) -> None:
    sign, style = _SIGNS.get(change.kind, ("~", "yellow"))
    name = f"{change.section}.{change.name}" if change.name else change.section
    renamed = f" (was {change.before})" if change.before else ""
    _OUT.print(f"{sign} {name} {change.kind}{renamed}", style=style, markup=False)
    for key in change.keys:
        if change.kind == "changed":
            said = f"{key.old or '(nothing)'} -> {key.new or '(nothing)'}"
        else:
            said = key.new or key.old
        _OUT.print(f"    {key.key}: {said}", markup=False)


def lines_changed(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    """Difference line by line, as `diff -u` has it."""
    lines: list[str] = []
    for name in {**old, **new}:
        lines += difflib.unified_diff(
            old.get(name, "").splitlines(), new.get(name, "").splitlines(), name, name, lineterm=""
        )
    return lines


def roll_back_to(settings: Settings, version: int, *, note: str, as_json: bool) -> None:
    """Take an edition into use again."""
    edition = _asked(roll_back(settings, version, by=whoever(), note=note))
    if as_json:
        typer.echo(json.dumps(_told(edition), indent=1, ensure_ascii=False))
        return
    _OUT.print(f"edition {version} is in use again, from now on")


def told_of(editions: Editions) -> dict[str, Any]:
    """All editions as JSON has them, without their files."""
    return {
        "in_use": editions.in_use,
        "newest": editions.newest,
        "editions": [_told(one) for one in editions.known],
        "adoptions": msgspec.to_builtins(editions.adoptions),
    }


def whoever() -> str:
    """Name of who sits at this machine; "" where it has none."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return ""


def _told(edition: Edition) -> dict[str, Any]:
    return {
        "version": edition.version,
        "applied_at_ms": edition.applied_at_ms,
        "by": edition.by,
        "note": edition.note,
    }


def _named(editions: Editions, version: int | None) -> Edition:
    if version is not None:
        return editions.named(version)
    if editions.current is None:
        raise PlaybookTrouble("no edition is in use: apply one by `huitou playbook apply FILE`")
    return editions.current


def _files(editions: Editions, named: str) -> dict[str, str]:
    """Files of an edition by its number, or of a playbook that lies here; "" has none.

    The first of them is called alike in both, so that a moved file is no difference.
    """
    if not named:
        return {}
    if named.isdigit():
        edition = editions.named(int(named))
        rest = {name: text for name, text in edition.files.items() if name != edition.main}
        return {"playbook.yaml": edition.files[edition.main], **_beside(edition.main, rest)}
    file = Path(named)
    checked, files = read_checked(file, as_json=False)
    if checked.errors:
        tell_checked(file, checked, as_json=False)
        sys.exit(FAILED)
    first = files.pop(file.name)
    return {"playbook.yaml": first, **files}


def _beside(main: str, rest: Mapping[str, str]) -> dict[str, str]:
    home = posixpath.dirname(main) or "."
    return {posixpath.relpath(name, home): text for name, text in rest.items()}


def _at(ms: int) -> str:
    return f"{datetime.fromtimestamp(ms / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"


def _asked(asking: Coroutine[Any, Any, _T]) -> _T:
    hush_clients()
    return asyncio.run(asking)
