"""`huitou playbook packs` and `new`: ready packs, listed and written out for a shop to edit."""

import json
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

WRONG_USE = 2
STDOUT = Path("-")

_Packs = Annotated[
    list[str] | None,
    typer.Argument(metavar="[PACK]...", help="Which: see `packs`.", show_default=False),
]


def list_packs(
    *,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON and nothing else on stdout.")
    ] = False,
) -> None:
    """List the ready packs: what each does, what to measure, what it needs."""
    packs = _packs()
    found = {name: packs.told(name) for name in packs.names()}
    if not as_json:
        _print({name: pack.description for name, pack in found.items()})
        return
    rows = [
        {
            "name": name,
            "description": pack.description,
            "measure": pack.measure,
            "needs": pack.needs,
            "locales": list(packs.LOCALES),
            "file": str(packs.FOLDER / f"{name}.yaml"),
            "rehearsal": str(packs.rehearsal_of(name)),
        }
        for name, pack in found.items()
    ]
    typer.echo(json.dumps(rows, indent=1, ensure_ascii=False))


def _packs() -> Any:
    # Read when it is needed: the command line must be quick.
    return import_module("streams.playbook_packs")


def _print(said: dict[str, str]) -> None:
    tables = import_module("rich.table")
    table = tables.Table(box=None, header_style="bold")
    table.add_column("pack", no_wrap=True)
    table.add_column("what it does")
    for name, description in said.items():
        table.add_row(name, description)
    import_module("streams.answers").answers().print(table)


def write_new(
    packs: _Packs = None,
    *,
    every: Annotated[bool, typer.Option("--all", help="Every pack.")] = False,
    to: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Where to; - for stdout.",
            show_default="PACK.yaml; playbook.yaml for several",
        ),
    ] = None,
    locale: Annotated[
        list[str] | None,
        typer.Option(
            help="Leave other languages out; may be given again, the first is the shop's own.",
            show_default="all",
        ),
    ] = None,
    part: Annotated[
        bool, typer.Option("--part", help="Without a shop, for a playbook that includes it.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite what is there.")] = False,
) -> None:
    """Write a playbook of one pack or several, ready to be edited."""
    if every == bool(packs):
        _refuse("name PACKs or give --all, one of the two")
    ready = _packs()
    chosen = tuple(dict.fromkeys(packs or ready.names()))
    _refuse_unknown("pack", chosen, ready.names())
    locales = tuple(dict.fromkeys(locale or ready.LOCALES))
    _refuse_unknown("language", locales, ready.LOCALES)
    text = ready.playbook_text(chosen, locales, part=part)
    if to == STDOUT:
        typer.echo(text, nl=False)
        return
    file = to or Path(f"{chosen[0]}.yaml" if len(chosen) == 1 else "playbook.yaml")
    _write(file, text, force=force)
    wanting = [f"{name} needs: {said}" for name in chosen if (said := ready.told(name).needs)]
    hint = f"include: [{file.name}]" if part else f"huitou playbook check {file}"
    typer.echo("\n".join([f"{file} is written; look it over, then: {hint}", *wanting]))


def _write(file: Path, text: str, *, force: bool) -> None:
    try:
        with file.open("w" if force else "x") as opened:
            opened.write(text)
    except FileExistsError:
        _refuse(f"{file} is there already; --force overwrites it")
    except OSError as error:
        _refuse(f"{file}: {error.strerror or error}")


def _refuse_unknown(what: str, words: Sequence[str], known: Sequence[str]) -> None:
    closeness = import_module("models.playbook.closeness")
    for word in words:
        if word not in known:
            meant = closeness.closest(word, known)
            hint = f"did you mean {meant}?" if meant else f"one of {closeness.listed(known, 40)}"
            _refuse(f"there is no {what} {word!r}; {hint}")


def _refuse(said: str) -> NoReturn:
    typer.echo(said, err=True)
    sys.exit(WRONG_USE)
