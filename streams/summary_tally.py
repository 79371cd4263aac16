"""Count what came in and what was kept of it: the log, the table, and the source itself."""

from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition

from models.customer import Customer, decode_row
from models.tokens import is_customer_key, token_of
from sinks.patience import Opened
from streams import topics
from streams.replay.demo import year_of
from streams.settings import Settings

_FETCH_BYTES = 8_000_000
_NOT_COUNTED = frozenset(("released", "absorbed", "erased"))


class LoggedEvent(msgspec.Struct):
    """As much of a record of the log as a tally needs."""

    type: str
    id: str = ""
    customer: str = ""
    order_id: str = ""
    via: tuple[str, ...] = ()


@dataclass
class LogTally:
    """The log's events and orders: their ids by the customer they are about; who was erased.

    An id that stands there twice (a client sent it again) is one event.
    """

    erased: set[str] = field(default_factory=set)
    ids: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    orders: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    @property
    def events(self) -> int:
        """Different events."""
        return sum(len(ids) for ids in self.ids.values())


@dataclass
class SourceTally:
    """The source's own events and orders, read from it again: their ids by customer."""

    source: str
    ids: dict[str, set[str]]
    orders: dict[str, set[str]]


async def read_table(settings: Settings) -> dict[str, Customer]:
    """Read the table `customers` from its changelog, to its end."""
    rows: dict[bytes, bytes | None] = {}
    async for record in _records(settings, topics.CUSTOMERS):
        if is_customer_key(record.key):
            rows[record.key] = record.value
    return {key.decode(): decode_row(row) for key, row in rows.items() if row is not None}


async def read_log(settings: Settings) -> LogTally:
    """Read the log to its end."""
    decode = msgspec.json.Decoder(LoggedEvent).decode
    tally = LogTally()
    async for record in _records(settings, topics.EVENTS):
        if record.key is None:
            continue
        event = decode(record.value)
        if event.type == "erased":
            tally.erased.add(event.customer)
        if event.via or event.type in _NOT_COUNTED:
            continue
        tally.ids[event.customer].add(event.id)
        if event.type == "order_completed":
            tally.orders[event.customer].add(event.order_id)
    return tally


def read_source(name: str, token_key: bytes) -> SourceTally | None:
    """Read the ids of a replayed source again from the source; None where it cannot be found."""
    year = year_of(name)
    if year is None:
        return None
    tally = SourceTally(name.partition(":")[0], defaultdict(set), defaultdict(set))
    tokens: dict[str, str] = {}
    for one in year.named():
        token = tokens.get(one.customer_id)
        if token is None:
            token = tokens[one.customer_id] = token_of(token_key, "customer", one.customer_id)
        tally.ids[token].add(one.message_id)
        if one.order_id:
            tally.orders[token].add(one.order_id)
    return tally


def missing_and_surplus(
    rows: dict[str, Customer], log: LogTally, source: SourceTally | None
) -> tuple[int, int]:
    """Compare the table's own counts with what came in, customer by customer.

    What came in is what the source says, and what else stands in the log. Customers who were
    merged are one. Gives how many events or orders are missing, and how many are too many.
    """
    home = _homes(rows)
    missing = surplus = 0
    for counted, expected in (
        (
            _summed(rows, home, lambda row: row.events),
            _expected(log.ids, source.ids if source else {}, log.erased),
        ),
        (
            _summed(rows, home, lambda row: row.orders + row.cancelled_orders),
            _expected(log.orders, source.orders if source else {}, log.erased),
        ),
    ):
        at_home: dict[str, set[str]] = defaultdict(set)
        for token, ids in expected.items():
            at_home[home.get(token, token)] |= ids
        for token in at_home.keys() | counted.keys():
            difference = counted.get(token, 0) - len(at_home.get(token, ()))
            missing += max(0, -difference)
            surplus += max(0, difference)
    return missing, surplus


def _expected(
    logged: dict[str, set[str]], said: dict[str, set[str]], erased: set[str]
) -> dict[str, set[str]]:
    return {
        token: logged.get(token, set()) | said.get(token, set())
        for token in {*logged, *said} - erased
    }


def _homes(rows: dict[str, Customer]) -> dict[str, str]:
    """Name, for every customer who was merged, the one in whose row the history is now."""
    homes = {}
    for token, row in rows.items():
        home, hops = token, 0
        while home in rows and rows[home].merged_into and hops < len(rows):
            home, hops = rows[home].merged_into, hops + 1
        if row.merged_into:
            homes[token] = home
    return homes


def _summed(
    rows: dict[str, Customer], homes: dict[str, str], count: Callable[[Customer], int]
) -> Counter[str]:
    summed: Counter[str] = Counter()
    for token, row in rows.items():
        summed[homes.get(token, token)] += count(row)
    return summed


async def _records(settings: Settings, topic: str) -> AsyncIterator[Any]:
    """Read a topic from its beginning to where it ends now."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=settings.kafka_bootstrap,
        isolation_level="read_committed",
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        max_partition_fetch_bytes=_FETCH_BYTES,
        check_crcs=False,
    )
    async with Opened(consumer):
        places = [
            TopicPartition(settings.named(topic), number) for number in range(settings.partitions)
        ]
        consumer.assign(places)
        await consumer.seek_to_beginning(*places)
        ends = await consumer.end_offsets(places)
        # The position also passes commit markers, which are never delivered as records.
        while any([await consumer.position(place) < ends[place] for place in places]):
            for found in (await consumer.getmany(timeout_ms=500)).values():
                for record in found:
                    yield record
