"""Wait until everything that was written is read by everybody who must read it.

Receipts of messages come back into the log, so one round is not enough: fold, send, fold again,
until a round brings no new action; then let it all land.
"""

import asyncio
import time
from collections.abc import Collection
from typing import NamedTuple

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from sinks.alerts import AlertSink, Webhook
from sinks.pipeline_lag import Place, Reading
from sinks.pipeline_probe import PipelineProbe
from streams import topics
from streams.servers.errors import ServerError
from streams.settings import Settings
from streams.sink_roles import clickhouse_runners, dispatcher_config, other_runners

STUCK_S = 120.0
LOOK_EVERY_S = 0.1

_log = structlog.get_logger(__name__)


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
        names = frozenset(settings.named(topic.name) for topic in topics.TOPICS)
        self._probe = PipelineProbe(
            settings.kafka_bootstrap,
            settings.namespace,
            names,
            settings.named(topics.DEAD_LETTERS),
        )
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=settings.kafka_bootstrap,
            isolation_level="read_committed",
            enable_auto_commit=False,
        )

    async def __aenter__(self) -> "Drain":
        await self._probe.open()
        await self._consumer.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._consumer.stop()
        await self._probe.close()

    async def run(self) -> None:
        """Wait until all is read; NotDrained when nothing moves any more."""
        folding = folding_readers(self._settings)
        actions = self._settings.named(topics.ACTIONS)
        before: dict[TopicPartition, int] | None = None
        while True:
            for reader in folding:
                await self._await_readers([reader])
            now = await self._ends([actions])
            if now == before:
                break
            before = now
        await self._await_readers(landing_readers(self._settings))

    async def _await_readers(self, readers: Collection[Reader]) -> None:
        """Wait until these have read what is in their topics at this moment."""
        ends = await self._ends({reader.topic for reader in readers})
        goals = {
            Place(reader.group, place.topic, place.partition): end
            for reader in readers
            for place, end in ends.items()
            if place.topic == reader.topic and end
        }
        moved_at = time.monotonic()
        last: dict[Place, int] = {}
        while goals:
            positions = await self._positions(goals)
            goals = {one: end for one, end in goals.items() if positions.get(one, 0) < end}
            if positions != last:
                moved_at, last = time.monotonic(), positions
            elif goals and time.monotonic() - moved_at > self._stuck_s:
                raise NotDrained(self._spoken(goals, positions))
            await asyncio.sleep(LOOK_EVERY_S if goals else 0)

    async def _positions(self, goals: dict[Place, int]) -> dict[Place, int]:
        try:
            return _positions(await self._probe.readings(), goals)
        except KafkaError as error:
            _log.warning("positions not known", error=repr(error))
            return {}

    async def _ends(self, names: Collection[str]) -> dict[TopicPartition, int]:
        counts = {
            self._settings.named(topic.name): topic.partitions or self._settings.partitions
            for topic in topics.TOPICS
        }
        places = [TopicPartition(name, number) for name in names for number in range(counts[name])]
        found: dict[TopicPartition, int] = await self._consumer.end_offsets(places)
        return found

    def _spoken(self, goals: dict[Place, int], positions: dict[Place, int]) -> str:
        behind = ", ".join(
            f"{place.consumer} read {positions.get(place, 0)} of {end} records of "
            f"{place.topic}/{place.partition}"
            for place, end in sorted(goals.items())
        )
        return f"nothing moved for {self._stuck_s:.0f} s: {behind}"


def _positions(readings: Collection[Reading], goals: dict[Place, int]) -> dict[Place, int]:
    return {reading.place: reading.committed for reading in readings if reading.place in goals}
