"""What runs in a data directory: the entries of `huitou ps`."""

from typing import TypedDict
from urllib.parse import urlsplit

from rich.table import Table

from streams.servers.child import is_alive
from streams.servers.supervisor import Report, UnitReport
from streams.settings import Settings

HIDDEN_ROLES = {"prepare"}
EXTERNAL = "external"
DEAD = "dead"
STOPPED = "stopped"
ROLE_ORDER = (
    "kafka", "valkey", "clickhouse", "gateway", "worker", "learner", "sinks", "web", "replay",
)  # fmt: skip
COLOURS = {"ready": "green", "done": "green", EXTERNAL: "green", DEAD: "red", STOPPED: "dim"}


class Entry(TypedDict):
    """One process; `progress` 0..1 where there is an end."""

    role: str
    pid: int | None
    port: int | None
    state: str
    restarts: int
    progress: float | None


def entries(settings: Settings) -> list[Entry]:
    """List every role, running or not, and the replay while there is one.

    A process that is gone has no pid: it is "dead" while its supervisor runs, else "stopped".
    """
    report = Report.read(settings.data_dir)
    told = [unit for unit in report.units if unit.role not in HIDDEN_ROLES] if report else []
    current = report is not None and report.is_current()
    if not current:
        told = [unit for unit in told if unit.role != "replay"]
    found = [_entry(unit, current) for unit in told]
    roles = {entry["role"] for entry in found}
    found += [entry for entry in _resting(settings) if entry["role"] not in roles]
    return sorted(found, key=lambda entry: ROLE_ORDER.index(entry["role"]))


def _entry(unit: UnitReport, current: bool) -> Entry:
    alive = unit.pid is not None and is_alive(unit.pid, unit.born_at)
    state = unit.state
    if not current:
        state = STOPPED
    elif unit.pid is not None and not alive:
        state = DEAD
    return Entry(
        role=unit.role,
        pid=unit.pid if alive else None,
        port=unit.port,
        state=state,
        restarts=unit.restarts,
        progress=unit.progress,
    )


def _resting(settings: Settings) -> list[Entry]:
    """Describe every role as not started here; a server with an address runs elsewhere."""
    return [
        _resting_entry("kafka", settings.kafka, settings.kafka_port),
        _resting_entry("valkey", settings.redis_url, settings.valkey_port),
        _resting_entry("clickhouse", settings.clickhouse_url, settings.clickhouse_port),
        _resting_entry("gateway", "", settings.gateway_port),
        _resting_entry("worker", "", None),
        _resting_entry("learner", "", None),
        _resting_entry("sinks", "", None),
        _resting_entry("web", "", settings.web_port),
    ]


def _resting_entry(role: str, address: str, port: int | None) -> Entry:
    if address:
        first = address.split(",", maxsplit=1)[0]
        port = urlsplit(first if "://" in first else f"//{first}").port
    return Entry(
        role=role,
        pid=None,
        port=port,
        state=EXTERNAL if address else STOPPED,
        restarts=0,
        progress=None,
    )


def as_table(found: list[Entry]) -> Table:
    """Lay the entries out for a terminal."""
    table = Table(box=None, pad_edge=False)
    for column in ("role", "pid", "port", "state", "restarts", "progress"):
        table.add_column(column, justify="left" if column in ("role", "state") else "right")
    for entry in found:
        colour = COLOURS.get(entry["state"], "yellow")
        progress = entry["progress"]
        table.add_row(
            entry["role"],
            str(entry["pid"] or ""),
            str(entry["port"] or ""),
            f"[{colour}]{entry['state']}[/]",
            str(entry["restarts"]),
            "" if progress is None else f"{progress:.0%}",
        )
    return table
