"""A benchmark's figures for people: what was measured, what had to be reached, what was not."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.bench.rig import Must, Options, Target, targets_of

LONG_CHARS = 45


def show(figures: Mapping[str, Any], must: Must, options: Options, console: Console) -> None:
    """Print the figures with their targets, then every list of rows as a table of its own."""
    targets = {target.field: target for target in targets_of(must, options)}
    table = Table(title=f"{figures['name']}{' (small: no claim)' if options.small else ''}")
    for heading in ("figure", "measured", "must", ""):
        table.add_column(heading, overflow="fold")
    for field, value in figures.items():
        if field != "name" and not isinstance(value, list | dict):
            table.add_row(field, spoken(value), *_verdict(targets.pop(field, None), figures))
    for target in targets.values():
        table.add_row(target.field, "not measured", *_verdict(target, figures))
    console.print(table)
    for field, value in figures.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            console.print(_side_by_side(value) if field == "rounds" else _rows(field, value))
            console.print(*_long_texts(value), sep="\n", markup=False, highlight=False)


def missed(figures: Mapping[str, Any], must: Must, options: Options) -> list[str]:
    """Say of each target that was measured and not reached how far it is off."""
    return [
        f"{target.field} {spoken(figures[target.field])}, must be {target.comparison} "
        f"{spoken(target.value)}"
        for target in targets_of(must, options)
        if target.reached_by(figures) is False
    ]


def spoken(value: Any) -> str:
    """A figure as it stands in a table."""
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "–"}[value]
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1_000 else f"{value:,.4g}"
    return str(value)


def _verdict(target: Target | None, figures: Mapping[str, Any]) -> tuple[str, str]:
    if target is None:
        return "", ""
    verdict = {True: "[green]reached[/]", False: "[red]missed[/]", None: "[yellow]not measured[/]"}
    return f"{target.comparison} {spoken(target.value)}", verdict[target.reached_by(figures)]


def _rows(title: str, rows: list[dict[str, Any]]) -> Table:
    table = Table(title=title)
    headings = list(dict.fromkeys(heading for row in rows for heading in row))
    short = [one for one in headings if not any(_is_long(row.get(one)) for row in rows)]
    for heading in short:
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*(spoken(row[heading]) if heading in row else "" for heading in short))
    return table


def _side_by_side(rounds: list[dict[str, Any]]) -> Table:
    table = Table("", *(f"round {number}" for number in range(1, len(rounds) + 1)), title="rounds")
    for field in dict.fromkeys(field for one in rounds for field in one):
        table.add_row(field, *(spoken(one.get(field)) for one in rounds))
    return table


def _long_texts(rows: list[dict[str, Any]]) -> list[str]:
    """What is too long for a column, a line each behind the row's first two fields."""
    return [
        f"{', '.join(spoken(value) for value in list(row.values())[:2])}: {row[field]}"
        for row in rows
        for field in list(row)[2:]
        if _is_long(row[field])
    ]


def _is_long(value: Any) -> bool:
    return isinstance(value, str) and len(value) > LONG_CHARS
