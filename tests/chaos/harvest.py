"""What a run has left behind: topics, the ClickHouse tables, the profiles in Redis."""

from collections import Counter
from typing import Any

import clickhouse_connect
import msgspec
import orjson
from redis.asyncio import Redis

from models.coupon_words import CouponJudged, decode_judged
from models.customer import Customer, decode_row
from models.effects import Action, DeadLetter, Fact, HourEnded, Lesson
from models.partition_clock import PartitionClock
from models.snapshot import SnapshotRecord, read_record
from models.tokens import POSITION_KEY, is_customer_key
from streams import topics
from streams.settings import Settings
from tests.real.rig import Log

# What of each table is compared, and how it is asked for.
TABLES = {
    "events": "log_partition, log_offset, customer, event_id, type",
    "orders": "customer, order_id, toUnixTimestamp64Milli(occurred_at), total_cents, order_state,"
    " order_number",
    "order_lines": "customer, order_id, line, product_id, toUnixTimestamp64Milli(occurred_at)",
    "tier_changes": "customer, toUnixTimestamp64Milli(at), from_tier, to_tier",
    "decisions": "action_id, verdict, log_partition, log_offset, log_index",
    "merges": "customer, origin, toUnixTimestamp64Milli(at)",
    "actions": "action_id, customer, rule, occasion",
    "coupon_verdicts": "code, outcome, currency, log_partition, log_offset, log_index",
    "dead_letters": "source, from_partition, from_offset",
    "unreadable": "topic, reason",
}
SUMS = {
    "events by type": "SELECT type, toInt64(sum(events)) FROM events_hourly GROUP BY type",
    "orders": "SELECT 'orders', toInt64(sum(orders)) FROM orders_hourly",
    "revenue": "SELECT 'revenue', toInt64(sum(revenue_cents)) FROM orders_hourly",
    "lines": "SELECT 'lines', toInt64(sum(lines)) FROM categories_daily",
}


class Topics:
    """What was committed, topic by topic."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        self.rows: dict[str, Customer] = {}
        self.clocks: dict[int, PartitionClock] = {}
        self.row_records = 0
        self.facts: list[Fact] = []
        self.actions: list[Action] = []
        self.lessons: list[Lesson] = []
        self.hours: list[HourEnded] = []
        self.letters: list[DeadLetter] = []
        self.verdicts: list[CouponJudged] = []
        self.snapshots: list[SnapshotRecord] = []
        self.learned: dict[bytes, bytes] = {}
        self.lesson_records: list[Any] = []


async def read_topics(log: Log) -> Topics:
    """Read everything that is committed."""
    found = Topics()
    found.events = await log.records(topics.EVENTS)
    for record in await log.records(topics.CUSTOMERS):
        if record.key == POSITION_KEY:
            continue
        if not is_customer_key(record.key):
            found.clocks[record.partition] = msgspec.msgpack.decode(
                record.value, type=PartitionClock
            )
            continue
        row = decode_row(record.value)
        found.row_records += bool(row.events or row.merged_into)
        found.rows[record.key.decode()] = row
    found.facts = await _decoded(log, topics.FACTS, Fact)
    found.actions = await _decoded(log, topics.ACTIONS, Action)
    found.lessons = await _decoded(log, topics.LESSONS, Lesson)
    found.lesson_records = await log.records(topics.LESSONS)
    found.hours = await _decoded(log, topics.METRICS, HourEnded)
    verdicts = await log.records(topics.COUPON_VERDICTS)
    found.verdicts = [decode_judged(one.value) for one in verdicts]
    found.letters = await _decoded(log, topics.DEAD_LETTERS, DeadLetter)
    found.snapshots = [read_record(one.value) for one in await log.records(topics.SNAPSHOTS)]
    for record in await log.records(topics.LEARNER):
        if record.key == POSITION_KEY:
            continue
        if record.value is None:
            found.learned.pop(record.key, None)
        else:
            found.learned[record.key] = record.value
    return found


async def _decoded(log: Log, topic: str, kind: Any) -> list[Any]:
    decoder = msgspec.json.Decoder(kind)
    return [decoder.decode(record.value) for record in await log.records(topic)]


class Warehouse:
    """The tables as they are; use it in a thread."""

    def __init__(self, settings: Settings, url: str) -> None:
        host, _, port = url.removeprefix("http://").partition(":")
        self._client = clickhouse_connect.get_client(
            host=host, port=int(port), database=settings.clickhouse_database
        )

    def close(self) -> None:
        """Give the connection back."""
        self._client.close()

    def stop_merges(self) -> None:
        """Let the engine's own merging hide nothing; until its next start."""
        self._client.command("SYSTEM STOP MERGES")

    def rows(self, table: str) -> Counter[tuple[Any, ...]]:
        """Count a table's rows by what is compared of them."""
        asked = f"SELECT {TABLES[table]} FROM {table}"
        return Counter(tuple(row) for row in self._client.query(asked).result_rows)

    def count(self, table: str) -> int:
        """Count a table's rows."""
        return int(self._client.query(f"SELECT count() FROM {table}").result_rows[0][0])

    def sums(self) -> dict[str, int]:
        """What the views add up to."""
        found: dict[str, int] = {}
        for name, query in SUMS.items():
            for label, total in self._client.query(query).result_rows:
                found[f"{name}: {label}"] = int(total)
        return found

    def customers_now(self) -> dict[str, tuple[Any, ...]]:
        """Each customer as it is now."""
        found = self._client.query(
            "SELECT customer, events, orders, value_cents, tier, merged_into, messages_sent"
            " FROM customers_now FINAL"
        )
        return {row[0]: tuple(row[1:]) for row in found.result_rows}


async def read_profiles(settings: Settings, url: str) -> dict[str, Any]:
    """Read every profile that stands in Redis, by token."""
    prefix = f"{settings.namespace}profile:"
    found: dict[str, Any] = {}
    redis = Redis.from_url(url)
    try:
        async for key in redis.scan_iter(match=f"{prefix}*", count=1_000):
            json = await redis.hget(key, "json")
            found[key.decode().removeprefix(prefix)] = orjson.loads(json)
    finally:
        await redis.aclose()
    return found
