"""Wait until everything that was written is read by everybody who must read it.

Receipts of messages come back into the log, so one round is not enough: fold, send, fold again,
until a round brings no new action; then let it all land.
"""

import asyncio
import time
from collections.abc import Iterable, Sequence
from typing import NamedTuple, Self

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from sinks.alerts import AlertSink, Webhook
from sinks.pipeline_lag import Place
from streams import topics
from streams.servers.errors import ServerError
from streams.settings import Settings
from streams.sink_roles import clickhouse_runners, dispatcher_config, other_runners

STUCK_S = 120.0
LOOK_EVERY_S = 0.1
FIRST_WINDOW = 8

_log = structlog.get_logger(__name__)

Ends = dict[TopicPartition, int]


class NotDrained(ServerError):
    """Somebody has read nothing more for a long time; the text says who and where."""


class Reader(NamedTuple):
    """A consumer group and a topic it must read to the end."""

    group: str
    topic: str


def folding_readers(settings: Settings) -> list[Reader]:
    """List those whose reading may bring new records for others."""
    named = settings.named
    dispatcher = dispatcher_config(settings)
    return [
        Reader(named("worker"), named(topics.EVENTS)),
        Reader(named("worker"), named(topics.COUPONS)),
        Reader(named("learner"), named(topics.LESSONS)),
        Reader(named("learner"), named(topics.METRICS)),
        Reader(dispatcher.group, dispatcher.actions_topic),
    ]


def landing_readers(settings: Settings) -> list[Reader]:
    """List the sinks."""
    runners = [*clickhouse_runners(settings), *other_runners(settings, AlertSink(Webhook()))]
    return [Reader(runner.feed.group, runner.feed.topic) for runner in runners]


class Drain:
    """Waits for readers; use as an async context."""

    def __init__(self, settings: Settings, stuck_s: float = STUCK_S) -> None:
        self._settings = settings
        self._stuck_s = stuck_s
        self._admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap)
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=settings.kafka_bootstrap,
            isolation_level="read_committed",
            enable_auto_commit=False,
            fetch_max_wait_ms=50,
        )
        self._coordinators: dict[str, int] = {}

    async def __aenter__(self) -> Self:
        await self._admin.start()
        await self._consumer.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._consumer.stop()
        await self._admin.close()

    async def run(self) -> None:
        """Wait until all is read; NotDrained when nothing moves any more."""
        folding = folding_readers(self._settings)
        actions = self._settings.named(topics.ACTIONS)
        before: Ends | None = None
        while True:
            for reader in folding:
                await self._await_readers([reader])
            now = await self._last_records([actions])
            if now == before:
                break
            before = now
        await self._await_readers(landing_readers(self._settings))

    async def _await_readers(self, readers: Sequence[Reader]) -> None:
        """Wait until these have read what is in their topics at this moment."""
        ends = await self._last_records({reader.topic for reader in readers})
        goals = {
            Place(reader.group, place.topic, place.partition): end
            for reader in readers
            for place, end in ends.items()
            if place.topic == reader.topic
        }
        moved_at = time.monotonic()
        last: dict[Place, int] = {}
        while goals:
            positions = await self._positions({place.consumer for place in goals})
            goals = {one: end for one, end in goals.items() if positions.get(one, 0) < end}
            if positions != last:
                moved_at, last = time.monotonic(), positions
            elif goals and time.monotonic() - moved_at > self._stuck_s:
                raise NotDrained(self._spoken(goals, positions))
            await asyncio.sleep(LOOK_EVERY_S if goals else 0)

    async def _positions(self, groups: Iterable[str]) -> dict[Place, int]:
        found: dict[Place, int] = {}
        for group in groups:
            try:
                if group not in self._coordinators:
                    self._coordinators[group] = await self._admin.find_coordinator(group)
                offsets = await self._admin.list_consumer_group_offsets(
                    group, self._coordinators[group]
                )
            except KafkaError as error:
                self._coordinators.pop(group, None)
                _log.warning("positions not known", group=group, error=repr(error))
                continue
            for place, position in offsets.items():
                found[Place(group, place.topic, place.partition)] = position.offset
        return found

    async def _last_records(self, names: Iterable[str]) -> Ends:
        """Find the offset behind the last record of every partition that has one.

        Behind it there may be transaction markers, which nobody reads: looked for from the end
        backwards, further and further.
        """
        places = [place for name in names for place in self._places(name)]
        begins = await self._consumer.beginning_offsets(places)
        ends = await self._consumer.end_offsets(places)
        found: Ends = {}
        window = FIRST_WINDOW
        sought = [place for place in places if begins[place] < ends[place]]
        while sought:
            starts = {place: max(begins[place], ends[place] - window) for place in sought}
            found.update(await self._last_between(starts, ends))
            sought = [
                place for place in sought if place not in found and starts[place] > begins[place]
            ]
            window *= 16
        return found

    async def _last_between(self, starts: Ends, ends: Ends) -> Ends:
        self._consumer.assign(list(starts))
        for place, start in starts.items():
            self._consumer.seek(place, start)
        last: Ends = {}
        while any([await self._consumer.position(place) < ends[place] for place in starts]):
            for place, records in (await self._consumer.getmany(timeout_ms=50)).items():
                last[place] = records[-1].offset + 1
        return last

    def _places(self, name: str) -> list[TopicPartition]:
        [partitions] = [
            topic.partitions or self._settings.partitions
            for topic in topics.TOPICS
            if self._settings.named(topic.name) == name
        ]
        return [TopicPartition(name, number) for number in range(partitions)]

    def _spoken(self, goals: dict[Place, int], positions: dict[Place, int]) -> str:
        behind = ", ".join(
            f"{place.consumer} read {positions.get(place, 0)} of {end} in "
            f"{place.topic}/{place.partition}"
            for place, end in sorted(goals.items())
        )
        return f"nothing moved for {self._stuck_s:.0f} s: {behind}"
