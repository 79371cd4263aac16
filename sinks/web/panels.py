"""The panels: what the page and Grafana show, read from one file, `panels.yaml`.

A panel's kind says which columns its query must give (COLUMNS) and how both sides draw it.
"""

from pathlib import Path
from typing import Literal

import msgspec
import yaml

from sinks.web.macros import UnknownMacro, expand
from sinks.web.words import LANGUAGES

HERE = Path(__file__).parent
PANELS_FILE = HERE / "panels.yaml"

Kind = Literal[
    "compare",
    "band",
    "rates",
    "tiers",
    "flow",
    "sleepers",
    "alerts",
    "tally",
    "events",
    "speed",
    "lag",
    "reasons",
    "latency",
    "offers",
]
Unit = Literal["money", "count", "share", "ms", "per_s"]

COLUMNS: dict[str, tuple[str, ...]] = {
    "compare": ("week", "value", "orders"),
    "band": ("at", "value", "low", "usual", "high"),
    "rates": ("days", "rate", "eligible", "returned"),
    "tiers": ("tier", "customers", "entered", "left", "value"),
    "flow": ("from_tier", "to_tier", "customers"),
    "sleepers": ("customer", "silence_days", "value", "hazard", "at_risk"),
    "alerts": ("at", "name", "status", "severity", "summary", "ended_at"),
    "tally": ("name", "today", "total"),
    "events": ("at", "customer", "type", "channel", "what", "value", "logged_at", "position"),
    "speed": ("at", "value"),
    "lag": ("topic", "partition", "lag"),
    "reasons": ("reason", "today", "total"),
    "latency": ("stage", "p50", "p99"),
    "offers": (
        "offer",
        "open",
        "may_cost",
        "may_cost_elsewhere",
        "unlimited",
        "redeemed",
        "cost",
        "cost_elsewhere",
        "expired",
        "revoked",
    ),
}


class BadPanel(ValueError):
    """The panel file says something that cannot be shown."""


class Panel(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One panel: words by language, a query with macros, and how often it is worth asking.

    `hours` is the range behind the log's now that the macros span; `budget_ms` the time after which
    the query is given up.
    """

    id: str
    title: dict[str, str]
    definition: dict[str, str]
    kind: Kind
    unit: Unit
    sql: str
    every_s: float = 5.0
    budget_ms: int = 3_000
    hours: int = 48
    width: int = 12
    height: int = 8

    def query(self) -> str:
        """SQL with query parameters in the place of macros."""
        return expand(self.sql)


class PanelFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file."""

    panels: tuple[Panel, ...]


def load_panels(path: Path = PANELS_FILE) -> tuple[Panel, ...]:
    """Read and check the panels; raises BadPanel with the panel's id or the path in the file."""
    try:
        panels = msgspec.convert(yaml.safe_load(path.read_text("utf-8")), PanelFile).panels
    except (msgspec.ValidationError, yaml.YAMLError) as error:
        raise BadPanel(f"{path.name}: {error}") from error
    seen: set[str] = set()
    for panel in panels:
        _check(panel, path.name)
        if panel.id in seen:
            raise BadPanel(f"{path.name}: panel {panel.id!r} stands there twice")
        seen.add(panel.id)
    return panels


def _check(panel: Panel, file: str) -> None:
    for field in ("title", "definition"):
        words = getattr(panel, field)
        missing = [name for name in LANGUAGES if not words.get(name, "").strip()]
        if missing:
            raise BadPanel(f"{file}: panel {panel.id!r}: {field} lacks {', '.join(missing)}")
    try:
        panel.query()
    except UnknownMacro as error:
        raise BadPanel(f"{file}: panel {panel.id!r}: {error}") from error
