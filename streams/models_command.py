"""`huitou models`: lists, shows and puts back versions of the shared models."""

import asyncio
import json
import logging
from collections.abc import Coroutine
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from models.clock import DAY_MS
from models.hazard import FEATURES
from streams.model_versions import MODEL, Version, Versions, put_back, read_versions
from streams.settings import Settings

_OUT = Console(highlight=False)
_T = TypeVar("_T")


def list_versions(settings: Settings, *, as_json: bool) -> None:
    """Tell of every version, oldest first."""
    versions = _asked(read_versions(settings))
    told = [_told(one, versions) for one in versions.known]
    if as_json:
        typer.echo(json.dumps(told, indent=1))
        return
    if not told:
        _OUT.print("no version yet: the closed form foretells until enough was learned")
        return
    table = Table(box=None, header_style="bold")
    for title in ("model", "version", "learned up to", "lessons", "Brier", "state"):
        table.add_column(title)
    for one in told:
        table.add_row(
            one["model"],
            str(one["version"]),
            one["trained_to"],
            f"{one['lessons']:,}",
            " / ".join(f"{brier:.3f}" for brier in one["brier"].values()),
            one["state"],
        )
    _OUT.print(table)
    for one in told:
        if one["refused"]:
            _OUT.print(f"version {one['version']} is refused: {one['refused']}")


def show_version(settings: Settings, version: int, *, as_json: bool) -> None:
    """Tell all that a version knows: weights by feature, edges, the shop's habits."""
    versions = _asked(read_versions(settings))
    found = versions.named(version)
    snapshot = found.record.snapshot
    told = _told(found, versions) | {
        "checksum": found.record.checksum,
        "gap_days": snapshot.gap_days,
        "level": snapshot.level,
        "edges": list(snapshot.edges),
        "dormant_after_days": None if snapshot.edges else snapshot.dormant_after_days,
        "heads": [
            msgspec.to_builtins(head) | {"weights": dict(zip(FEATURES, head.weights, strict=False))}
            for head in snapshot.heads
        ],
    }
    if as_json:
        typer.echo(json.dumps(told, indent=1))
        return
    for key, value in told.items():
        if key != "heads":
            _OUT.print(f"{key:>18}  {value}")
    table = Table(box=None, header_style="bold")
    for title in ("weight of", *(f"{head.horizon_days} days" for head in snapshot.heads)):
        table.add_column(title)
    for at, name in enumerate(FEATURES):
        table.add_row(name, *(f"{head.weights[at]:+.3f}" for head in snapshot.heads))
    table.add_row("(intercept)", *(f"{head.intercept:+.3f}" for head in snapshot.heads))
    _OUT.print(table)


def roll_back(settings: Settings, version: int, *, as_json: bool) -> None:
    """Put the model back to `version`, or with 0 let it go on."""
    _asked(put_back(settings, version))
    if as_json:
        typer.echo(json.dumps({"model": MODEL, "version": version, "pinned": bool(version)}))
    elif version:
        _OUT.print(
            f"{MODEL} is back at version {version} and stays there: newer ones are published, not "
            "adopted, until `huitou models rollback --release`"
        )
    else:
        _OUT.print(f"the next version of {MODEL} that is published will be adopted")


def _told(one: Version, versions: Versions) -> dict[str, Any]:
    snapshot = one.record.snapshot
    adopted = versions.adopted
    state = "kept"
    if one.refused:
        state = "refused"
    elif snapshot.version == adopted.version:
        state = "in use, held" if adopted.pinned else "in use"
    return {
        "model": one.record.model,
        "version": snapshot.version,
        "state": state,
        "refused": one.refused,
        "trained_to": _day(snapshot.trained_to_day),
        "published_ms": one.published_ms,
        "lessons": snapshot.lessons,
        "brier": {head.horizon_days: head.brier for head in snapshot.heads},
    }


def _day(day: int) -> str:
    return f"{datetime.fromtimestamp(day * DAY_MS / 1000, UTC):%Y-%m-%d}"


def _asked(asking: Coroutine[Any, Any, _T]) -> _T:
    # Who asked wants the answer, not the client's own steps.
    for steps in ("aiokafka", "asyncio"):
        logging.getLogger(steps).setLevel(logging.CRITICAL)
    return asyncio.run(asking)
