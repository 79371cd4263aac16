"""`huitou up --once`: the numbers of a drained installation, each from where it must be right.

Counts of events, orders, customers and tiers come from the table; rates and rows from ClickHouse;
what came in from the log and, for the demo, from its source, read again.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import structlog
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError
from redis import Redis

from models.clock import LogClock
from models.customer import Customer, Tier
from sinks import clickhouse_queries as queries
from sinks.clickhouse import connect
from streams.replay.history_log import read_control
from streams.replay.progress import CLOCK_KEY, REPLAY_KEY, ReplayProgress, word
from streams.secrets import load_secrets
from streams.settings import Settings
from streams.sink_roles import clickhouse_address
from streams.summary_drain import STUCK_S, Drain
from streams.summary_tally import (
    LogTally,
    SourceTally,
    missing_and_surplus,
    read_log,
    read_source,
    read_table,
)

RATE_DAYS = (30, 60, 90)
LATENCY_QUANTILE = 0.99

_log = structlog.get_logger(__name__)


def collect(settings: Settings, seconds: float, *, stuck_s: float = STUCK_S) -> dict[str, Any]:
    """Wait until the installation is drained, then count.

    `seconds` is how long everything took up to now; the wait is added. Raises NotDrained, which
    says who is stuck, when nothing moves for `stuck_s`.
    """
    began = time.monotonic()
    asyncio.run(_drain(settings, stuck_s))
    seconds += time.monotonic() - began
    rows, log = asyncio.run(_read(settings))
    said = asyncio.run(read_control(settings))
    progress = word(said.get(REPLAY_KEY), ReplayProgress)
    source = None
    if progress is not None:
        source = read_source(progress.source, load_secrets(settings).token_key)
    now_ms = progress.until_ms if progress else _now_ms(said.get(CLOCK_KEY))
    client = connect(clickhouse_address(settings))
    try:
        return _summary(settings, client, _Read(rows, log, source), now_ms, seconds)
    finally:
        client.close()


class _Read(NamedTuple):
    """What was read to its end."""

    rows: dict[str, Customer]
    log: LogTally
    source: SourceTally | None


async def _drain(settings: Settings, stuck_s: float) -> None:
    async with Drain(settings, stuck_s) as drain:
        await drain.run()


async def _read(settings: Settings) -> tuple[dict[str, Customer], LogTally]:
    return await read_table(settings), await read_log(settings)


def _summary(
    settings: Settings, client: Client, read: _Read, now_ms: int, seconds: float
) -> dict[str, Any]:
    own = [row for row in read.rows.values() if not row.merged_into]
    with _merges_stopped(client):
        counts = queries.table_counts(client)
        twice = _twice_in_clickhouse(client, counts)
        absent = _absent_from_clickhouse(client, read)
        rows = sum(counts[table].rows for table in queries.OF_THE_LOG)
    missing, surplus = missing_and_surplus(read.rows, read.log, read.source)
    return {
        "events_in": read.log.events,
        "events_folded": sum(row.events for row in own),
        "orders": sum(row.orders for row in own),
        "customers": len(own),
        "profiles_in_redis": _profiles_in_redis(settings),
        "clickhouse_rows": rows,
        "actions": counts["actions"].different,
        "dead_letters": counts["dead_letters"].different,
        "lost": missing + absent,
        "duplicated": surplus + twice,
        **{
            f"repurchase_rate_{days}d": queries.repurchase_rate(client, days, now_ms)
            for days in RATE_DAYS
        },
        "tiers": _tiers(own),
        "seconds": round(seconds, 3),
        "events_per_s": round(read.log.events / seconds, 1) if seconds > 0 else None,
        "event_to_clickhouse_p99_ms": queries.latency_ms(client, LATENCY_QUANTILE),
    }


def _tiers(rows: list[Customer]) -> dict[str, int]:
    """Count customers by tier, the empty tiers too."""
    counted = Counter(row.tier for row in rows)
    return {tier.value: counted[tier.value] for tier in Tier}


def _absent_from_clickhouse(client: Client, read: _Read) -> int:
    """Count ids of the source and of the log that no row of `events` has."""
    landed = set(client.query("SELECT DISTINCT event_id FROM events").result_columns[0])
    came_in = {one for ids in read.log.ids.values() for one in ids}
    if read.source is not None:
        came_in.update(one for ids in read.source.ids.values() for one in ids)
    return len(came_in - landed)


def _twice_in_clickhouse(client: Client, counts: dict[str, queries.TableCount]) -> int:
    """Count rows that are or were there twice.

    What merging took out before it was stopped is still in the sums, which count every insert.
    """
    there = sum(one.rows - one.different for one in counts.values())
    summed = client.query("SELECT sum(events) FROM events_hourly_sums").result_rows[0][0]
    were_there = max(0, int(summed) - counts["events"].rows)
    return there + were_there


@contextmanager
def _merges_stopped(client: Client) -> Iterator[None]:
    """Stop merging where this account may; the sums tell of what was merged away before."""
    try:
        client.command("SYSTEM STOP MERGES")
    except DatabaseError as error:
        _log.warning("merges go on", error=repr(error))
        yield
        return
    try:
        yield
    finally:
        client.command("SYSTEM START MERGES")


def _profiles_in_redis(settings: Settings) -> int:
    pattern = f"{settings.namespace}profile:*"
    with Redis.from_url(settings.redis_address) as redis:
        return sum(1 for _ in redis.scan_iter(match=pattern, count=2_000))


def _now_ms(clock: bytes | None) -> int:
    wall_ms = time.time_ns() // 1_000_000
    return (word(clock, LogClock) or LogClock()).now_ms(wall_ms)
