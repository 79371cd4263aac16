"""`huitou playbook`: checks a playbook, and tells editors of its language."""

import json
import posixpath
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

import typer
from rich.console import Console
from rich.table import Table

from models.playbook.check import Checked
from models.playbook.event_fields import EVENT_FIELDS, SAID
from models.playbook.fields import CUSTOMER_FIELDS, FieldKind
from models.playbook.problem import ERROR
from models.playbook.schema import json_schema
from models.playbook.source import decoded
from streams.answers import answers
from streams.playbook_packs import check_alone

FAILED = 1
UNUSABLE = 2
COUNTED = ("triggers", "segments", "offers", "messages")


def check_file(file: Path, *, as_json: bool) -> NoReturn:
    """Tell everything wrong or doubtful about a playbook; the exit code says how bad it is."""
    checked, _ = read_checked(file, as_json=as_json)
    tell_checked(file, checked, as_json=as_json)
    if not checked.usable:
        sys.exit(UNUSABLE)
    sys.exit(FAILED if checked.errors else 0)


def read_checked(
    file: Path, *, as_json: bool, events_currency: str = ""
) -> tuple[Checked, dict[str, str]]:
    """Check a playbook; it and its files' texts by their names beside the first one.

    Exits with 2 where there is no such file.
    """
    try:
        raw = file.read_bytes()
    except OSError as error:
        _tell_unusable(file, f"{file}: {error.strerror or error}", as_json=as_json)
    read = {str(file): raw}

    def fetch(name: str) -> bytes | None:
        found = _fetch(name)
        if found is not None:
            read[name] = found
        return found

    today = datetime.now(UTC).date()
    checked = check_alone(str(file), raw, fetch, today=today, events_currency=events_currency)
    home = posixpath.dirname(str(file)) or "."
    if checked.errors:
        return checked, {}
    return checked, {posixpath.relpath(name, home): decoded(one) for name, one in read.items()}


def tell_checked(file: Path, checked: Checked, *, as_json: bool) -> None:
    """Print everything wrong or doubtful about a playbook."""
    if as_json:
        typer.echo(json.dumps(_told(file, checked), indent=1, ensure_ascii=False))
    else:
        _print(file, checked)


def print_schema() -> None:
    """Print the JSON Schema of the language."""
    typer.echo(json.dumps(json_schema(), indent=1, ensure_ascii=False))


def list_fields(*, as_json: bool) -> None:
    """Tell what a condition may ask: of the customer, and of each event."""
    tables = {"customer": CUSTOMER_FIELDS, **EVENT_FIELDS}
    if as_json:
        typer.echo(json.dumps({name: _as_rows(one) for name, one in tables.items()}, indent=1))
        return
    console = answers()
    for name, fields in tables.items():
        said = "asked always" if name == "customer" else SAID[name]
        table = Table(box=None, header_style="bold", title=f"{name}: {said}", title_justify="left")
        for title in ("field", "type", "meaning"):
            table.add_column(title)
        for row in _as_rows(fields):
            known = "" if row["always_known"] else " (not always known)"
            table.add_row(str(row["field"]), str(row["type"]), f"{row['meaning']}{known}")
        console.print(table)


def _as_rows(fields: Mapping[str, FieldKind]) -> list[dict[str, object]]:
    return [
        {
            "field": name,
            "type": kind.type,
            "meaning": kind.said,
            "always_known": not kind.optional,
            "values": None if kind.values is None else list(kind.values),
        }
        for name, kind in fields.items()
    ]


def _fetch(name: str) -> bytes | None:
    try:
        return Path(name).read_bytes()
    except (OSError, ValueError):
        return None


def _tell_unusable(file: Path, said: str, *, as_json: bool) -> NoReturn:
    if as_json:
        told = {"file": str(file), "ok": False, "errors": 1, "warnings": 0, "unusable": said}
        typer.echo(json.dumps({**told, "problems": []}, indent=1, ensure_ascii=False))
    else:
        typer.echo(said, err=True)
    sys.exit(UNUSABLE)


def _told(file: Path, checked: Checked) -> dict[str, object]:
    told: dict[str, object] = {
        "file": str(file),
        "ok": not checked.errors,
        "errors": len(checked.errors),
        "warnings": len(checked.warnings),
        "problems": [one.told() for one in checked.problems],
    }
    if not checked.usable:
        told["unusable"] = str(checked.problems[0])
    return told | _counts(checked)


def _counts(checked: Checked) -> dict[str, int]:
    if checked.playbook is None:
        return {}
    return {name: len(getattr(checked.playbook, name)) for name in COUNTED}


def _print(file: Path, checked: Checked) -> None:
    console = Console(soft_wrap=True, highlight=False)
    for one in checked.problems:
        console.print(str(one), markup=False, style="red" if one.severity == ERROR else "yellow")
    if checked.errors:
        said = f"{_many(len(checked.errors), 'error')}, {_many(len(checked.warnings), 'warning')}"
    else:
        counts = ", ".join(f"{count} {name}" for name, count in _counts(checked).items())
        said = f"{file} is fine: {counts}" + (
            f"; {_many(len(checked.warnings), 'warning')}" if checked.warnings else ""
        )
    console.print(said, markup=False)


def _many(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
