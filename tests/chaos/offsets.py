"""How far every group has come, asked of the broker by a driver who outlives its deaths."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from models.events import ClockMark, decode
from streams import topics
from streams.settings import Settings

Places = dict[tuple[str, int], int]
T = TypeVar("T")

GROUPS: dict[str, dict[str, tuple[str, ...]]] = {
    "worker": {"worker": (topics.EVENTS, topics.COUPONS)},
    "learner": {"learner": (topics.LESSONS, topics.METRICS)},
    "sinks": {
        "dispatcher": (topics.ACTIONS,),
        "sink-clickhouse-facts": (topics.FACTS,),
        "sink-clickhouse-profile-history": (topics.CUSTOMERS,),
        "sink-clickhouse-actions": (topics.ACTIONS,),
        "sink-clickhouse-coupon-verdicts": (topics.COUPON_VERDICTS,),
        "sink-clickhouse-dead-letters": (topics.DEAD_LETTERS,),
        "sink-redis-profiles": (topics.CUSTOMERS,),
    },
}
RETRY_S = 0.3
CALL_LIMIT_S = 10.0


class Offsets:
    """Ends of topics and positions of groups, by topic and partition."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._names = {settings.named(topic.name): topic.name for topic in topics.TOPICS}
        self._counts = {t.name: t.partitions or settings.partitions for t in topics.TOPICS}

    async def ends(self, names: tuple[str, ...]) -> Places:
        """Where the committed records of topics end."""

        async def ask() -> Places:
            consumer = self._consumer()
            await consumer.start()
            try:
                found = await consumer.end_offsets(self._places(names))
                return {(self._names[at.topic], at.partition): end for at, end in found.items()}
            finally:
                await consumer.stop()

        return await _insist(ask)

    async def committed(self, group: str) -> Places:
        """What a group has committed."""

        async def ask() -> Places:
            admin = AIOKafkaAdminClient(bootstrap_servers=self._settings.kafka)
            await admin.start()
            try:
                found = await admin.list_consumer_group_offsets(self._settings.named(group))
                return {
                    (self._names[at.topic], at.partition): position.offset
                    for at, position in found.items()
                    if at.topic in self._names
                }
            finally:
                await admin.close()

        return await _insist(ask)

    async def lag(self, roles: set[str], ends: Places) -> dict[str, int]:
        """How many records each group of these roles has still to read up to the given ends."""
        lags = {}
        for role in roles & GROUPS.keys():
            for group, names in GROUPS[role].items():
                done = await self.committed(group)
                behind = {
                    place: (done.get(place, 0), end)
                    for place, end in ends.items()
                    if place[0] in names and done.get(place, 0) < end
                }
                # A lane's position stands behind its last record, not behind the marker after it.
                if behind and (lag := len(await self.records(behind))):
                    lags[group] = lag
        return lags

    async def records(self, spans: dict[tuple[str, int], tuple[int, int]]) -> list[bytes | None]:
        """Values of the committed records in these spans of offsets."""

        async def ask() -> list[bytes | None]:
            consumer = self._consumer()
            await consumer.start()
            found: list[bytes | None] = []
            try:
                ends = {
                    TopicPartition(self._settings.named(name), partition): span
                    for (name, partition), span in spans.items()
                }
                consumer.assign(list(ends))
                for place, (first, _) in ends.items():
                    consumer.seek(place, first)
                for place, (_, end) in ends.items():
                    while await consumer.position(place) < end:
                        fetched = (await consumer.getmany(place, timeout_ms=200)).get(place, ())
                        found += [record.value for record in fetched if record.offset < end]
                return found
            finally:
                await consumer.stop()

        return await _insist(ask)

    async def only_marks_since(self, ends: Places) -> bool:
        """Whether the log has nothing but clock marks behind these ends."""
        now = await self.ends((topics.EVENTS,))
        spans = {place: (ends[place], end) for place, end in now.items() if ends[place] < end}
        return all(_is_mark(value) for value in await self.records(spans)) if spans else True

    async def marked(self, ends: Places, at_ms: int) -> bool:
        """Whether every partition of the log has a mark of that time or later behind these ends."""
        now = await self.ends((topics.EVENTS,))
        for place, end in now.items():
            values = await self.records({place: (ends[place], end)}) if ends[place] < end else []
            if not any(_mark_ms(value) >= at_ms for value in values):
                return False
        return True

    def _consumer(self) -> AIOKafkaConsumer:
        return AIOKafkaConsumer(
            bootstrap_servers=self._settings.kafka,
            isolation_level="read_committed",
            auto_offset_reset="earliest",
            enable_auto_commit=False,
        )

    def _places(self, names: tuple[str, ...]) -> list[TopicPartition]:
        return [
            TopicPartition(self._settings.named(name), partition)
            for name in names
            for partition in range(self._counts[name])
        ]


async def _insist(ask: Callable[[], Awaitable[T]], limit_s: float = 60.0) -> T:
    deadline = time.monotonic() + limit_s
    while True:
        with suppress(KafkaError, OSError, TimeoutError):
            async with asyncio.timeout(CALL_LIMIT_S):
                return await ask()
        if time.monotonic() > deadline:
            raise TimeoutError("the broker has not answered the driver")
        await asyncio.sleep(RETRY_S)


def _is_mark(value: bytes | None) -> bool:
    return _mark_ms(value) > 0


def _mark_ms(value: bytes | None) -> int:
    """Time of a mark; 0 when it is none."""
    try:
        record = decode(value or b"")
    except (ValueError, RecursionError):
        return 0
    return record.at_ms if isinstance(record, ClockMark) else 0
