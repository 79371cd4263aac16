"""Every place a sink lands in, seen by one pair of eyes: which records are there, and how often."""

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from itertools import count
from typing import Any, ClassVar
from urllib.parse import urlsplit
from uuid import uuid4

from aiohttp import web
from clickhouse_connect.driver.client import Client
from redis import Redis

from sinks.alerts import AlertSink, Webhook
from sinks.clickhouse import ClickHouseAddress
from sinks.clickhouse_coupons import COUPON_SHAPE
from sinks.clickhouse_erasure import Erasure
from sinks.clickhouse_facts import FACTS
from sinks.clickhouse_queries import POSITIONED, sums_apart
from sinks.clickhouse_shapes import (
    ACTION_SHAPE,
    ALERT_SHAPE,
    CUSTOMER_SHAPE,
    DEAD_LETTER_SHAPE,
)
from sinks.clickhouse_sink import Aftercare, ClickHouseSink
from sinks.clickhouse_sums import NewestKept, fact_sums
from sinks.clickhouse_table import Shape
from sinks.port import Record, Sink
from sinks.redis_profiles import RedisProfileSink
from tests.contract import records
from tests.contract.memory import MemorySink
from tests.contract.proxy import Network, Proxy
from tests.contract.records import Made

PARTITIONS = 2
INCARNATION = 1
_incarnations = count(1)
Making = Callable[[int, range], list[Made]]
Landed = tuple[int | str, ...]
"""Partition, offset, and whatever else tells rows of one record apart."""


class Place(ABC):
    """One sink's place: makes sinks and records for it, and reads what landed."""

    unreadable: bytes = b"\xff not a record"
    knows_its_end = True

    def __init__(self, makes: Making) -> None:
        self.makes = makes

    async def prepare(self) -> None:  # noqa: B027
        """Start what the place needs."""

    async def clear(self) -> None:  # noqa: B027
        """Take it down again."""

    @abstractmethod
    def sink(self) -> Sink:
        """Make a new instance, as after a restart."""

    @abstractmethod
    async def landed(self) -> list[Landed]:
        """Read what is there, in the order in which it landed where that can be seen."""

    @abstractmethod
    def expected(self, batch: Iterable[Record]) -> list[Landed]:
        """Tell what must be there, sorted, when each of these records landed once."""

    @abstractmethod
    def fail(self, network: Network) -> None:
        """Let every attempt fail from now on, in this way, or heal."""


class MemoryPlace(Place):
    """A list."""

    unreadable = b"unreadable"

    def __init__(self) -> None:
        super().__init__(records.dead_letters)
        self._store: list[Record] = []
        self._sinks: list[MemorySink] = []

    def sink(self) -> Sink:
        self._sinks.append(MemorySink(self._store))
        return self._sinks[-1]

    async def landed(self) -> list[Landed]:
        return [(one.partition, one.offset) for one in self._store]

    def expected(self, batch: Iterable[Record]) -> list[Landed]:
        return sorted({(one.partition, one.offset) for one in batch})

    def fail(self, network: Network) -> None:
        for one in self._sinks:
            one.is_down = network is not Network.WHOLE


class ProxiedPlace(Place):
    """A place behind a network that can fail."""

    def __init__(self, makes: Making, url: str) -> None:
        super().__init__(makes)
        self._parts = urlsplit(url)

    async def prepare(self) -> None:
        self._proxy = Proxy(self._parts.hostname or "", self._parts.port or 0)
        await self._proxy.__aenter__()

    async def clear(self) -> None:
        await self._proxy.__aexit__(None, None, None)

    @property
    def url(self) -> str:
        return self._parts._replace(netloc=f"127.0.0.1:{self._proxy.port}").geturl()

    def fail(self, network: Network) -> None:
        self._proxy.network = network


class ClickHousePlace(ProxiedPlace):
    """The tables of one shape, the rows of one incarnation."""

    shape: ClassVar[Shape]

    def __init__(self, makes: Making, client: Client, *, skip_landed: bool = True) -> None:
        super().__init__(makes, client.url)
        self.client = client
        self.incarnation = next(_incarnations)
        self._skip_landed = skip_landed

    def aftercare(self) -> Sequence[Aftercare]:
        """What the role gives this sink besides."""
        return ()

    def sink(self) -> Sink:
        return ClickHouseSink(
            "clickhouse",
            ClickHouseAddress(self.url, database=self.client.database),
            "topic",
            self.incarnation,
            self.shape,
            self.aftercare(),
            skip_landed=self._skip_landed,
        )

    async def landed(self) -> list[Landed]:
        found: list[Landed] = []
        for table in self.shape.tables:
            parts = POSITIONED[table.name]
            found += self.client.query(
                f"SELECT _partition, _offset, '{table.name}'{parts} FROM {table.name} "
                f"WHERE incarnation = {self.incarnation} ORDER BY inserted_at, _offset{parts}"
            ).result_rows
        return found

    def lose(self) -> None:
        """Lose all rows, as with a part broken at a start; the inserts' tokens stay known."""
        for table in self.shape.tables:
            self.client.command(f"SYSTEM START MERGES {table.name}")
            self.client.command(
                f"ALTER TABLE {table.name} DELETE WHERE incarnation = {self.incarnation}",
                settings={"mutations_sync": 1},
            )
            self.client.command(f"SYSTEM STOP MERGES {table.name}")

    def expected(self, batch: Iterable[Record]) -> list[Landed]:
        [table] = self.shape.tables
        return sorted({(one.partition, one.offset, table.name) for one in batch})


class FactsPlace(ClickHousePlace):
    """What records.fact makes in turn must be in these tables."""

    shape = FACTS
    TABLES: ClassVar[Sequence[Sequence[tuple[str, ...]]]] = (
        [("events",), ("orders",), ("order_lines", 0), ("order_lines", 1)],  # type: ignore[list-item]
        [("events",)],
        [("tier_changes",)],
        [("decisions",)],
        [("events",), ("order_voids",)],
        [("events",), ("order_voids",)],
        [("merges",)],
        [("events",), ("orders",), ("order_lines", 0), ("order_lines", 1)],  # type: ignore[list-item]
    )

    def __init__(self, client: Client, *, skip_landed: bool = True) -> None:
        super().__init__(records.facts, client, skip_landed=skip_landed)

    def aftercare(self) -> Sequence[Aftercare]:
        sums = fact_sums(self.incarnation)
        return [*sums, Erasure(self.incarnation, ("events",), sums=sums, keeps_book=True)]

    @property
    def duplicates(self) -> int:
        return sum(
            int(
                self.client.query(
                    f"SELECT count() - uniqExact(_partition, _offset{POSITIONED[table.name]}) "
                    f"FROM {table.name} WHERE incarnation = {self.incarnation}"
                ).result_rows[0][0]
            )
            for table in self.shape.tables
        )

    @property
    def sums_apart(self) -> int:
        return sums_apart(self.client, self.incarnation, PARTITIONS)

    def expected(self, batch: Iterable[Record]) -> list[Landed]:
        return sorted(
            {
                (one.partition, one.offset, *where)
                for one in batch
                for where in self.TABLES[one.offset % len(self.TABLES)]
            }
        )


class HistoryPlace(ClickHousePlace):
    shape = CUSTOMER_SHAPE

    def aftercare(self) -> Sequence[Aftercare]:
        swept = Erasure(self.incarnation, ("profile_history",), derived=("customers_now",))
        return [NewestKept(self.incarnation), swept]

    def __init__(self, client: Client) -> None:
        super().__init__(records.rows, client)


class ActionsPlace(ClickHousePlace):
    shape = ACTION_SHAPE

    def aftercare(self) -> Sequence[Aftercare]:
        return [Erasure(self.incarnation, ("actions",))]

    def __init__(self, client: Client) -> None:
        super().__init__(records.actions, client)


class AlertsPlace(ClickHousePlace):
    shape = ALERT_SHAPE

    def __init__(self, client: Client) -> None:
        super().__init__(records.alerts, client)


class CouponsPlace(ClickHousePlace):
    shape = COUPON_SHAPE

    def aftercare(self) -> Sequence[Aftercare]:
        return [Erasure(self.incarnation, ("coupon_verdicts",))]

    def __init__(self, client: Client) -> None:
        super().__init__(records.coupon_verdicts, client)


class DeadLettersPlace(ClickHousePlace):
    shape = DEAD_LETTER_SHAPE

    def __init__(self, client: Client) -> None:
        super().__init__(records.dead_letters, client)


class ProfilesPlace(ProxiedPlace):
    """Redis: the newest record of each customer is there, and nothing older."""

    def __init__(self, url: str) -> None:
        super().__init__(records.rows, url)
        self._redis = Redis.from_url(url)
        self._namespace = f"c-{uuid4().hex}-"

    async def clear(self) -> None:
        self._redis.close()
        await super().clear()

    def sink(self) -> Sink:
        return RedisProfileSink(self.url, self._namespace, INCARNATION)

    async def landed(self) -> list[Landed]:
        found: list[Landed] = []
        for key in self._redis.scan_iter(f"{self._namespace}profile:*"):
            position, profile = self._redis.hmget(key, "position", "json")
            _, partition, offset = position.decode().split(":")
            assert json.loads(profile)["value_cents"] == 100 + int(offset)
            found.append((int(partition), int(offset)))
        return sorted(found)

    def expected(self, batch: Iterable[Record]) -> list[Landed]:
        newest: dict[bytes | None, Landed] = {}
        for one in sorted(batch, key=lambda one: one.offset):
            newest[one.key] = (one.partition, one.offset)
        return sorted(newest.values())


class NoticesPlace(ProxiedPlace):
    """A receiver of webhooks that knows repeats by their id, as the standard wants it."""

    knows_its_end = False

    def __init__(self) -> None:
        super().__init__(records.alerts, "http://127.0.0.1:0")
        self._seen: dict[str, Landed] = {}

    async def prepare(self) -> None:
        app = web.Application()
        app.router.add_post("/", self._receive)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        port = self._runner.addresses[0][1]
        self._parts = urlsplit(f"http://127.0.0.1:{port}/")
        await super().prepare()

    async def clear(self) -> None:
        await super().clear()
        await self._runner.cleanup()

    async def _receive(self, request: web.Request) -> web.Response:
        body: Any = await request.json()
        [entry] = body["alerts"]
        offset = int(entry["annotations"]["offset"])
        self._seen.setdefault(request.headers["webhook-id"], (0, offset))
        return web.Response()

    def sink(self) -> Sink:
        return AlertSink(Webhook(self.url, "whsec_c2VjcmV0"))

    async def landed(self) -> list[Landed]:
        return list(self._seen.values())

    def expected(self, batch: Iterable[Record]) -> list[Landed]:
        return sorted({(0, one.offset) for one in batch})


PLACES: dict[str, Callable[[Client, str], Place]] = {
    "memory": lambda clickhouse, valkey: MemoryPlace(),
    "clickhouse facts": lambda clickhouse, valkey: FactsPlace(clickhouse),
    "clickhouse history": lambda clickhouse, valkey: HistoryPlace(clickhouse),
    "clickhouse actions": lambda clickhouse, valkey: ActionsPlace(clickhouse),
    "clickhouse alerts": lambda clickhouse, valkey: AlertsPlace(clickhouse),
    "clickhouse coupons": lambda clickhouse, valkey: CouponsPlace(clickhouse),
    "clickhouse dead letters": lambda clickhouse, valkey: DeadLettersPlace(clickhouse),
    "redis profiles": lambda clickhouse, valkey: ProfilesPlace(valkey),
    "alert notices": lambda clickhouse, valkey: NoticesPlace(),
}
CLICKHOUSE_PLACES = [name for name in PLACES if name.startswith("clickhouse")]
