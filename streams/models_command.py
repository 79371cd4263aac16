"""`huitou models`: lists, shows and puts back versions of the shared models."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec
import typer
from rich.table import Table

from models import ranking
from models.clock import DAY_MS
from models.hazard import FEATURES, HazardSnapshot
from models.ranking import RankingSnapshot
from models.segments import SegmentsSnapshot
from streams.answers import answers
from streams.logging import hush_clients
from streams.model_versions import Version, Versions, put_back, read_versions
from streams.settings import Settings

_OUT = answers()
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
            " / ".join(f"{brier:.3f}" for brier in one.get("brier", {}).values()),
            one["state"],
        )
    _OUT.print(table)
    for one in told:
        if one["refused"]:
            _OUT.print(f"version {one['version']} of {one['model']} is refused: {one['refused']}")


def show_version(settings: Settings, model: str, version: int, *, as_json: bool) -> None:
    """Tell all that a version knows."""
    versions = _asked(read_versions(settings))
    found = versions.named(model, version)
    told = _told(found, versions) | {"checksum": found.record.checksum}
    _SHOW[model](found.record.snapshot, told, as_json=as_json)


def _show_hazard(snapshot: HazardSnapshot, told: dict[str, Any], *, as_json: bool) -> None:
    told |= {
        "gap_days": snapshot.gap_days,
        "level": snapshot.level,
        "edges": list(snapshot.edges),
        "dormant_after_days": None if snapshot.edges else snapshot.dormant_after_days,
    }
    heads = [
        msgspec.to_builtins(head) | {"weights": dict(zip(FEATURES, head.weights, strict=False))}
        for head in snapshot.heads
    ]
    if as_json:
        typer.echo(json.dumps({**told, "heads": heads}, indent=1))
        return
    _print(told)
    table = Table(box=None, header_style="bold")
    for title in ("weight of", *(f"{head.horizon_days} days" for head in snapshot.heads)):
        table.add_column(title)
    for at, name in enumerate(FEATURES):
        table.add_row(name, *(f"{head.weights[at]:+.3f}" for head in snapshot.heads))
    table.add_row("(intercept)", *(f"{head.intercept:+.3f}" for head in snapshot.heads))
    _OUT.print(table)


def _show_ranking(snapshot: RankingSnapshot, told: dict[str, Any], *, as_json: bool) -> None:
    weights = dict(zip(ranking.FEATURES, snapshot.weights, strict=False))
    if as_json:
        typer.echo(json.dumps({**told, "weights": weights}, indent=1))
        return
    _print(told)
    table = Table(box=None, header_style="bold")
    for title in ("weight of", "learned", "before learning"):
        table.add_column(title)
    for name, weight in weights.items():
        table.add_row(name, f"{weight:+.3f}", f"{ranking.PRIOR[name]:+.3f}")
    _OUT.print(table)


def _show_segments(snapshot: SegmentsSnapshot, told: dict[str, Any], *, as_json: bool) -> None:
    edges = snapshot.edges
    told |= {"edges": None if edges is None else msgspec.to_builtins(edges)}
    clusters = snapshot.clusters.clusters
    if as_json:
        told["clusters"] = [msgspec.to_builtins(one) for one in clusters]
        typer.echo(json.dumps(told, indent=1))
        return
    _print(told)
    table = Table(box=None, header_style="bold")
    for title in ("cluster", "share", "silent days", "orders", "value", "set apart by"):
        table.add_column(title)
    for label, one in enumerate(clusters):
        table.add_row(
            str(label),
            f"{one.share:.0%}",
            f"{one.silence_days:.0f}",
            f"{one.orders:.1f}",
            f"{one.value_cents / 100:,.0f}",
            ", ".join(f"{trait.direction} {trait.feature}" for trait in one.traits),
        )
    _OUT.print(table)


_SHOW: dict[str, Callable[..., None]] = {
    "hazard": _show_hazard,
    "ranking": _show_ranking,
    "segments": _show_segments,
}


def _print(told: dict[str, Any]) -> None:
    for key, value in told.items():
        _OUT.print(f"{key:>18}  {value}")


def roll_back(settings: Settings, model: str, version: int, *, as_json: bool) -> None:
    """Put the model back to `version`, or with 0 let it go on."""
    _asked(put_back(settings, model, version))
    if as_json:
        typer.echo(json.dumps({"model": model, "version": version, "pinned": bool(version)}))
    elif version:
        _OUT.print(
            f"{model} is back at version {version} and stays there: newer ones are published, not "
            "adopted, until `huitou models rollback --release`"
        )
    else:
        _OUT.print(f"the next version of {model} that is published will be adopted")


def _told(one: Version, versions: Versions) -> dict[str, Any]:
    snapshot = one.record.snapshot
    adopted = versions.adopted[one.record.model]
    state = "kept"
    if one.refused:
        state = "refused"
    elif snapshot.version == adopted.version:
        state = "in use, held" if adopted.pinned else "in use"
    told = {
        "model": one.record.model,
        "version": snapshot.version,
        "state": state,
        "refused": one.refused,
        "trained_to": _day(snapshot.trained_to_day),
        "published_ms": one.published_ms,
        "lessons": snapshot.lessons,
    }
    if isinstance(snapshot, HazardSnapshot):
        told["brier"] = {head.horizon_days: head.brier for head in snapshot.heads}
    return told


def _day(day: int) -> str:
    return f"{datetime.fromtimestamp(day * DAY_MS / 1000, UTC):%Y-%m-%d}"


def _asked(asking: Coroutine[Any, Any, _T]) -> _T:
    hush_clients()
    return asyncio.run(asking)
