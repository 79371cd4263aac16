"""`huitou doctor`: what can be wrong on this machine, and how to mend it."""

import asyncio
import shutil
import stat
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

import clickhouse_connect
import redis
from packaging.requirements import Requirement
from rich.table import Table

from models.hazard import BadSnapshot
from models.playbook.edition import Edition, playbook_of
from streams.playbook_editions import read_editions
from streams.prepare import topic_trouble
from streams.servers.kafka_jars import VERSION, are_loaded
from streams.servers.listing import EXTERNAL, Entry, entries
from streams.servers.ports import holder_of, is_free
from streams.settings import Settings

PYTHON_LEAST = (3, 11)
DISK_LEAST_GB = 5.0
WRITTEN_IN = datetime(2026, 1, 1, tzinfo=UTC)
CLOCK_SLACK_S = 120.0
BROKEN_PARTS = """
SELECT table, name FROM system.detached_parts AS broken
WHERE database = {name:String} AND startsWith(reason, 'broken') AND (table, name) NOT IN
(
    SELECT broken.table, broken.name FROM system.detached_parts AS broken
    INNER JOIN system.parts AS whole
    ON broken.database = whole.database AND broken.table = whole.table
    WHERE whole.active AND whole.min_block_number <= broken.max_block_number
    AND whole.max_block_number >= broken.min_block_number
)
ORDER BY table, name
"""
KEY_NAMES = ("*.key", "*.sqlite", "*.sqlite-wal")
OPEN_TO_OTHERS = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True)
class Check:
    """One thing looked at; `mend` says what to do when it is not `ok`."""

    name: str
    ok: bool
    found: str
    mend: str = ""

    def as_dict(self) -> dict[str, object]:
        """Build the JSON form."""
        return {"name": self.name, "ok": self.ok, "found": self.found, "mend": self.mend}


def examine(settings: Settings, unknown_variables: dict[str, str]) -> list[Check]:
    """Look at everything; nothing is changed."""
    running = entries(settings)
    checks = [
        python_version(),
        packages(),
        variables(unknown_variables),
        broker_files(settings),
        writable(settings.data_dir),
        disk(settings.data_dir),
        clock(settings.data_dir),
        keys(settings.data_dir),
    ]
    checks += ports(settings, running)
    checks += servers(settings, running)
    return checks


def python_version() -> Check:
    """Look at the interpreter's version."""
    found = ".".join(str(part) for part in sys.version_info[:3])
    wanted = ".".join(str(part) for part in PYTHON_LEAST)
    ok = sys.version_info >= PYTHON_LEAST
    return Check("python", ok, found, f"install Python {wanted} or newer and run `make setup`")


def packages() -> Check:
    """Compare the installed packages with what the project asks for."""
    wrong = list(_wrong_packages(metadata.requires("huitou") or []))
    found = "; ".join(wrong) or "all as required"
    return Check("packages", not wrong, found, "run `make setup` (it installs the lock file)")


def _wrong_packages(requirements: list[str]) -> Iterator[str]:
    for text in requirements:
        requirement = Requirement(text)
        if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
            continue
        try:
            installed = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            yield f"{requirement.name} is missing"
            continue
        if not requirement.specifier.contains(installed, prereleases=True):
            yield f"{requirement.name} {installed} is not {requirement.specifier}"


def variables(unknown: dict[str, str]) -> Check:
    """Look for HUITOU_* variables that nothing reads."""
    hints = [
        f"{name} (did you mean {meant}?)" if meant else name for name, meant in unknown.items()
    ]
    found = "no setting: " + ", ".join(hints) if hints else "all known"
    return Check("environment", not unknown, found, f"correct or unset {', '.join(unknown)}")


def broker_files(settings: Settings) -> Check:
    """Tell whether the first start has to load the broker."""
    if settings.kafka:
        return Check("broker files", True, f"not needed: HUITOU_KAFKA={settings.kafka}")
    loaded = are_loaded()
    text = "in Maven's cache" if loaded else "will be loaded from Maven at the first start (46 MB)"
    return Check("broker files", True, f"Apache Kafka {VERSION} {text}")


def writable(data_dir: Path) -> Check:
    """Try to write where everything is kept."""
    place = _existing(data_dir)
    try:
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        mend = f"make {place} writable for this account, or choose another --data-dir"
        return Check("data directory", False, f"{place}: {error.strerror}", mend)
    return Check("data directory", True, f"{data_dir} is writable")


def disk(data_dir: Path) -> Check:
    """Look at the free space."""
    free_gb = shutil.disk_usage(_existing(data_dir)).free / 1e9
    ok = free_gb >= DISK_LEAST_GB
    mend = f"free {DISK_LEAST_GB - free_gb:.1f} GB on that disk, or choose another --data-dir"
    return Check("disk", ok, f"{free_gb:.1f} GB free, {DISK_LEAST_GB:.0f} needed", mend)


def clock(data_dir: Path) -> Check:
    """Compare the clock with this program's age and with what it wrote itself."""
    now = datetime.now(UTC)
    latest = max((path.stat().st_mtime for path in data_dir.glob("run/*")), default=0.0)
    mend = "set this machine's clock (NTP): marks and deliveries are stamped with it"
    if now < WRITTEN_IN:
        return Check("clock", False, f"{now:%Y-%m-%d %H:%M} UTC is before this program", mend)
    if latest > time.time() + CLOCK_SLACK_S:
        back = latest - time.time()
        return Check("clock", False, f"it went back: {data_dir}/run is {back:.0f} s ahead", mend)
    return Check("clock", True, f"{now:%Y-%m-%d %H:%M:%S} UTC")


def keys(data_dir: Path) -> Check:
    """Look whether others may read the keys."""
    found = [path for name in KEY_NAMES for path in sorted(data_dir.glob(f"keys/{name}"))]
    wrong = [path for path in found if path.stat().st_mode & OPEN_TO_OTHERS]
    if wrong:
        names = " ".join(str(path) for path in wrong)
        return Check("keys", False, f"open to other accounts: {names}", f"chmod 600 {names}")
    return Check(
        "keys", True, f"{len(found)} files, for this account only" if found else "none yet"
    )


def ports(settings: Settings, running: list[Entry]) -> list[Check]:
    """Look whether each port is ours or free."""
    ours = {entry["port"] for entry in running if entry["pid"]}
    if settings.kafka_port in ours:
        ours.add(settings.kafka_controller_port)
    wanted = {
        "HUITOU_GATEWAY_PORT": settings.gateway_port,
        "HUITOU_WEB_PORT": settings.web_port,
    }
    if not settings.kafka:
        wanted["HUITOU_KAFKA_PORT"] = settings.kafka_port
        wanted["HUITOU_KAFKA_CONTROLLER_PORT"] = settings.kafka_controller_port
    if not settings.redis_url:
        wanted["HUITOU_VALKEY_PORT"] = settings.valkey_port
    if not settings.clickhouse_url:
        wanted["HUITOU_CLICKHOUSE_PORT"] = settings.clickhouse_port
    return [_port(variable, port, port in ours) for variable, port in wanted.items()]


def _port(variable: str, port: int, ours: bool) -> Check:
    name = f"port {port}"
    if ours:
        return Check(name, True, "ours")
    if is_free(port):
        return Check(name, True, "free")
    return Check(name, False, f"taken by {holder_of(port)}", f"set {variable} to a free port")


def servers(settings: Settings, running: list[Entry]) -> list[Check]:
    """Ask each server that runs here or was named."""
    by_role = {entry["role"]: entry for entry in running}
    found = [
        _server("kafka", by_role["kafka"], "HUITOU_KAFKA", lambda: _ask_kafka(settings)),
        _server("valkey", by_role["valkey"], "HUITOU_REDIS_URL", lambda: _ask_redis(settings)),
        _server(
            "clickhouse",
            by_role["clickhouse"],
            "HUITOU_CLICKHOUSE_URL",
            lambda: _ask_clickhouse(settings),
        ),
    ]
    return [check for checks in found for check in checks]


def _server(name: str, entry: Entry, variable: str, ask: Callable[[], list[Check]]) -> list[Check]:
    if not entry["pid"] and entry["state"] != EXTERNAL:
        return [Check(name, True, "not running; `huitou up` starts it")]
    try:
        return ask()
    except Exception as error:  # whatever a client raises is what is wrong
        external = entry["state"] == EXTERNAL
        mend = (
            f"correct {variable}, or unset it to use the embedded one"
            if external
            else (f"look into logs/{name}.log; `huitou up` starts it again")
        )
        return [Check(name, False, f"{type(error).__name__}: {_first_line(error)}", mend)]


def _ask_kafka(settings: Settings) -> list[Check]:
    trouble = asyncio.run(asyncio.wait_for(topic_trouble(settings), 15))
    found = "; ".join(trouble) or "all as they must be"
    mend = "`huitou up` creates and mends them; a wrong partition count it explains"
    checks = [
        Check("kafka", True, f"answers at {settings.kafka_bootstrap}"),
        Check("topics", not trouble, found, mend),
    ]
    if not trouble:
        editions = asyncio.run(asyncio.wait_for(read_editions(settings), 15))
        checks.append(playbook(editions.current, settings.currency))
    return checks


def playbook(edition: Edition | None, events_currency: str) -> Check:
    """Whether the playbook in use can be used, in the currency in which events are read."""
    if edition is None:
        found, mend = "no edition is in use: nobody is written to", "huitou playbook apply FILE"
        return Check("playbook", False, found, mend)
    name = f"edition {edition.version}"
    try:
        shop = playbook_of(edition).shop
    except BadSnapshot as mistake:
        found, mend = f"{name}: {mistake}", "mend it and apply it, or put an earlier one back"
        return Check("playbook", False, found, mend)
    if shop is None or shop.currency == events_currency:
        return Check("playbook", True, f"{name} is in use")
    found = f"{name} is in {shop.currency}, events that name no currency are in {events_currency}"
    return Check("playbook", False, found, f"set HUITOU_CURRENCY={shop.currency}")


def _ask_redis(settings: Settings) -> list[Check]:
    with redis.Redis.from_url(settings.redis_address, socket_timeout=5) as client:
        info = client.info("server")
        written = client.config_get("appendonly").get("appendonly", "unknown")
    kind = info.get("server_name", "redis")
    found = f"{kind} {info.get('valkey_version', info['redis_version'])}, appendonly {written}"
    mend = "set `appendonly yes`: the dispatcher's ledger must outlive a crash"
    return [Check("valkey", written != "no", found, mend)]


def _ask_clickhouse(settings: Settings) -> list[Check]:
    client = clickhouse_connect.get_client(
        dsn=settings.clickhouse_address,
        username=settings.clickhouse_user,
        password=settings.clickhouse_password.get_secret_value(),
        connect_timeout=5,
    )
    try:
        wanted = {"name": settings.clickhouse_database}
        ask = "SELECT version(), (SELECT count() FROM system.databases WHERE name = {name:String})"
        version, present = client.query(ask, parameters=wanted).result_rows[0]
        broken = client.query(BROKEN_PARTS, parameters=wanted).result_rows
    finally:
        client.close()
    found = f"{version}, database {settings.clickhouse_database} " + (
        "there" if present else "absent"
    )
    mend = "run `huitou up`: it makes the database"
    return [Check("clickhouse", bool(present), found, mend), *broken_parts(broken)]


def broken_parts(broken: Sequence[Sequence[object]]) -> list[Check]:
    """Tell of parts, as (table, part), that were unreadable at a start and have no others for them.

    After a full disk they hold what was never acknowledged and has landed since; after damage to
    the disk they may hold the only copy.
    """
    if not broken:
        return []
    found = "set aside as broken: " + ", ".join(f"{table} {part}" for table, part in broken)
    mend = (
        "if the disk was full then, their rows landed again: ALTER TABLE … DROP DETACHED PART … "
        "SETTINGS allow_drop_detached = 1; else restore them from a backup"
    )
    return [Check("clickhouse parts", False, found, mend)]


def _existing(path: Path) -> Path:
    return next(place for place in (path, *path.parents) if place.exists())


def _first_line(error: Exception) -> str:
    return (str(error) or repr(error)).splitlines()[0]


def as_table(checks: list[Check]) -> Table:
    """Lay the checks out for a terminal."""
    table = Table(box=None, pad_edge=False, show_header=False)
    for check in checks:
        mark = "[green]ok[/]" if check.ok else "[red]no[/]"
        text = check.found if check.ok else f"{check.found}\n[yellow]→ {check.mend}[/]"
        table.add_row(mark, check.name, text)
    return table
