"""A small shop on real servers: events are folded by the real step and land by the real sinks."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec
from aiohttp import ClientSession, web
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from redis.asyncio import Redis

from models import coupon_words
from models.clock import DAY_MS, HOUR_MS, LogClock
from models.coupon_words import CouponJudged
from models.customer import Customer, encode_row
from models.effects import Alert, DeadLetter, EventFolded, Fact, encode
from models.events import CustomerEvent, CustomerIdentified
from models.events import encode as encode_event
from models.hazard import settle
from models.playbook.edition import Edition
from models.step import Effect, fire, step
from models.tokens import token_of
from sinks.clickhouse import ClickHouseAddress, connect
from sinks.clickhouse_coupons import COUPON_SHAPE
from sinks.clickhouse_facts import FACTS
from sinks.clickhouse_migrations import migrate
from sinks.clickhouse_shapes import ALERT_SHAPE, CUSTOMER_SHAPE, DEAD_LETTER_SHAPE
from sinks.clickhouse_sink import ClickHouseSink
from sinks.keys import SqliteKeyStore
from sinks.mailbox import Mailbox
from sinks.patience import Opened
from sinks.redis_profiles import RedisProfileSink
from sinks.sealing import Sealer
from sinks.web.pages import Shop as ShopWords
from sinks.web.playbook_room import Conflict, Refused
from sinks.web.rehearsal_room import Busy, Wish
from sinks.web.server import PageConfig, build_app
from streams.servers.ports import free_port
from tests.builders import Record, make, view_at
from tests.contract.warehouse import drop_database

KEY = b"k" * 32
# A Thursday, 14:20 UTC.
NOW_MS = 17_381 * DAY_MS + 14 * HOUR_MS + 20 * 60_000


def named(customer_id: str) -> str:
    """Token of a customer id."""
    return token_of(KEY, "customer", customer_id)


class NotedRehearser:
    """Says what it was told to say; the real one is tried in tests/streams."""

    def __init__(self) -> None:
        self.wishes: list[Wish] = []
        self.says: list[dict[str, Any]] = [{"progress": 0.5}, {"stopped": "history"}]
        self.is_busy = False

    def scenarios(self) -> dict[str, str]:
        return {"birthday": "until: 2026-01-02T00:00:00Z"}

    async def play(self, wish: Wish) -> AsyncIterator[dict[str, Any]]:
        if self.is_busy:
            raise Busy
        self.wishes.append(wish)
        for said in self.says:
            yield said


class MemoryDesk:
    """Editions kept in memory; the real desk is tried in tests/real."""

    def __init__(self) -> None:
        self.known: list[Edition] = []
        self.in_use = 0
        self.adoptions: list[dict[str, Any]] = []

    async def editions(self) -> tuple[list[Edition], int, list[dict[str, Any]]]:
        return [*self.known], self.in_use, [*self.adoptions]

    async def apply(self, main: str, files: Any, note: str, based_on: int) -> Edition:
        if based_on != len(self.known):
            raise Conflict(self.known[-1], "somebody was first")
        edition = Edition(len(self.known) + 1, main, dict(files), NOW_MS, "page", note)
        self.known.append(edition)
        self._use(edition.version, note)
        return edition

    async def roll_back(self, version: int, note: str) -> Edition:
        if not 1 <= version <= len(self.known):
            raise Refused(f"there is no edition {version}")
        self._use(version, note)
        return self.known[version - 1]

    def _use(self, version: int, note: str) -> None:
        self.in_use = version
        self.adoptions.append({"version": version, "at_ms": NOW_MS, "by": "page", "note": note})


class Shop:
    """One installation's stores, filled by hand; `now_ms` is the log's time."""

    def __init__(self, kafka: str, valkey: str, clickhouse: str, folder: Path) -> None:
        name = uuid4().hex[:12]
        self.namespace = f"t-{name}-"
        self.bootstrap, self.redis_url = kafka, valkey
        self.clickhouse = ClickHouseAddress(clickhouse, database=f"t_{name}")
        self.key_store = folder / "keys" / "customers.sqlite"
        self.store = SqliteKeyStore(self.key_store, KEY)
        self.sealer = Sealer(self.store)
        self.rows: dict[str, Customer] = {}
        self.desk = MemoryDesk()
        self.rehearser = NotedRehearser()
        self._view = view_at(NOW_MS)
        self._offset = 0

    @property
    def control_topic(self) -> str:
        return f"{self.namespace}control"

    @property
    def learner_topic(self) -> str:
        return f"{self.namespace}learner"

    @property
    def snapshots_topic(self) -> str:
        return f"{self.namespace}snapshots"

    async def open(self) -> None:
        """Make the tables and the topics, and let it be NOW_MS."""
        await asyncio.to_thread(
            migrate, self.clickhouse.url, "default", "", self.clickhouse.database
        )
        names = (self.control_topic, self.learner_topic, self.snapshots_topic)
        async with Opened(AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)) as admin:
            await admin.create_topics([NewTopic(name, 1, 1) for name in names])
        await self.say(clock=msgspec.json.encode(LogClock(mode="replay", at_ms=NOW_MS)))

    def close(self) -> None:
        """Close the keys and drop the tables."""
        self.store.close()
        drop_database(self.clickhouse.url, self.clickhouse.database)

    async def say(self, **records: bytes) -> None:
        """Write records into the control topic, in a transaction as a replay does."""
        producer = AIOKafkaProducer(
            bootstrap_servers=self.bootstrap, transactional_id=f"{self.namespace}say"
        )
        async with Opened(producer), producer.transaction():
            for key, value in records.items():
                await producer.send(self.control_topic, key=key.encode(), value=value)

    def identified(self, customer_id: str, at_ms: int = NOW_MS, **personal: str) -> Any:
        """Event that says who a customer is; e-mail and phone can be looked up afterwards."""
        token = named(customer_id)
        lookup = {
            kind: token_of(KEY, kind, personal[kind])
            for kind in ("email", "phone")
            if kind in personal
        }
        return make(
            CustomerIdentified,
            customer=token,
            at_ms=at_ms,
            lookup=lookup,
            traits={"city": "台北"},
            sealed=self.sealer.seal_many(token, personal | {"id": customer_id}),
        )

    async def fold(self, *events: CustomerEvent, logged_at_ms: int = NOW_MS) -> None:
        """Fold events in the order of their time and land what follows from them."""
        facts: list[Fact] = []
        touched: list[str] = []
        for event in sorted(events, key=lambda one: one.occurred_at_ms):
            facts.extend(self._fired(event.occurred_at_ms))
            facts.extend(self._folded(event, logged_at_ms))
            touched.append(event.customer)
        await self._land(facts, list(dict.fromkeys(touched)))

    async def pass_time(self, until_ms: int) -> None:
        """Fire every timer that is due by `until_ms`, as marks do, and let it be that late."""
        await self._land(list(self._fired(until_ms)), list(self.rows))
        await self.say(clock=msgspec.json.encode(LogClock(mode="replay", at_ms=until_ms)))

    def _folded(self, event: CustomerEvent, logged_at_ms: int) -> Iterator[Any]:
        view = self._view
        view.offset += 1
        view.next_index, view.logged_at_ms = 0, logged_at_ms
        view.now_ms = max(event.occurred_at_ms, 0)
        row = self.rows.setdefault(event.customer, Customer())
        return _facts_in(step(row, event, encode_event(event), view))

    def _fired(self, until_ms: int) -> list[Any]:
        facts: list[Any] = []
        for token, row in self.rows.items():
            while due := [one for one in row.timers if one.due_ms <= until_ms]:
                timer = min(due, key=lambda one: one.due_ms)
                self._view.offset += 1
                self._view.now_ms = timer.due_ms
                facts.extend(_facts_in(fire(token, row, timer, self._view)))
        return facts

    async def _land(self, facts: list[Fact], tokens: list[str]) -> None:
        await self._write("facts", FACTS, [encode(one) for one in facts])
        for token in tokens:
            settle(self.rows[token], self._view.hazard)
        changed = [(token.encode(), encode_row(self.rows[token])) for token in tokens]
        await self._write("customers", CUSTOMER_SHAPE, changed)
        profiles = RedisProfileSink(self.redis_url, self.namespace, 1)
        await profiles.open()
        await profiles.write(self._records(changed))
        await profiles.close()

    async def alert(self, alert: Alert) -> None:
        await self._write("alerts", ALERT_SHAPE, [encode(alert)])

    async def dead_letter(self, letter: DeadLetter) -> None:
        await self._write("dead-letters", DEAD_LETTER_SHAPE, [encode(letter)])

    async def coupon(self, judged: CouponJudged) -> None:
        await self._write("coupon-verdicts", COUPON_SHAPE, [coupon_words.encode(judged)])

    async def lag(self, **by_consumer: list[int]) -> None:
        """Say how far consumers are behind, by partition, fresh for the next five minutes."""
        at = datetime.now(UTC) + timedelta(minutes=5)
        rows = [
            [
                at,
                f"{self.namespace}{consumer}",
                "events",
                partition,
                100,
                100 - lag,
                lag,
                0,
                5.0,
                5.0,
            ]
            for consumer, lags in by_consumer.items()
            for partition, lag in enumerate(lags)
        ]
        client = await asyncio.to_thread(connect, self.clickhouse)
        await asyncio.to_thread(client.insert, "pipeline", rows)
        client.close()

    async def _write(self, topic: str, shape: Any, values: list[Any]) -> None:
        sink = ClickHouseSink(f"test-{topic}", self.clickhouse, topic, 1, shape)
        await sink.open()
        await sink.write(self._records(values))
        await sink.close()

    def _records(self, values: list[Any]) -> list[Record]:
        records = []
        for value in values:
            self._offset += 1
            key, body = value if isinstance(value, tuple) else (None, value)
            records.append(Record(self._offset, body, key))
        return records

    @asynccontextmanager
    async def mailbox(self) -> AsyncIterator[Mailbox]:
        redis = Redis.from_url(self.redis_url)
        yield Mailbox(redis, self.sealer, self.namespace)
        await redis.aclose()

    def config(self, **other: Any) -> PageConfig:
        """Configuration of a web server for this shop."""
        filled = {
            "host": "127.0.0.1",
            "port": free_port(),
            "loopback": True,
            "api_key": "",
            "bootstrap": self.bootstrap,
            "control_topic": self.control_topic,
            "learner_topic": self.learner_topic,
            "snapshots_topic": self.snapshots_topic,
            "redis_url": self.redis_url,
            "namespace": self.namespace,
            "clickhouse": self.clickhouse,
            "key_store": self.key_store,
            "master_key": KEY,
            "token_key": KEY,
            "desk": self.desk,
            "rehearser": self.rehearser,
            "shop": ShopWords("EUR", "UTC", "http://127.0.0.1:8470"),
        }
        return PageConfig(**(filled | other))


def _facts_in(effects: list[Effect]) -> Iterator[Any]:
    return (one for one in effects if isinstance(one, Fact))


@asynccontextmanager
async def served(config: PageConfig) -> AsyncIterator[ClientSession]:
    """A running web server, and a client for it that keeps no cookies of others."""
    runner = web.AppRunner(build_app(config), access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, config.host, config.port).start()
        async with ClientSession(f"http://127.0.0.1:{config.port}") as client:
            yield client
    finally:
        await runner.cleanup()


__all__ = ["KEY", "NOW_MS", "EventFolded", "Shop", "named", "served"]
