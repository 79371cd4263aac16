"""Topics filled as workers fill them, and sinks fed from them."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from uuid import uuid4

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from models.effects import Alert
from sinks.port import Sink
from sinks.runner import Feed, SinkRunner
from streams.settings import Settings
from tests.contract.records import Made

RECORDS_A_TRANSACTION = 50


async def fill(
    settings: Settings, topic: str, records: Sequence[Made], *, commit: bool = True
) -> None:
    """Write records in transactions, whose markers take offsets too."""
    producer = AIOKafkaProducer(
        bootstrap_servers=settings.kafka, transactional_id=f"fill-{uuid4().hex}"
    )
    await producer.start()
    try:
        for first in range(0, len(records), RECORDS_A_TRANSACTION):
            await producer.begin_transaction()
            for one in records[first : first + RECORDS_A_TRANSACTION]:
                await producer.send(
                    settings.named(topic), one.value, key=one.key, partition=one.partition
                )
            await (producer.commit_transaction() if commit else producer.abort_transaction())
    finally:
        await producer.stop()


@asynccontextmanager
async def running(runner: SinkRunner) -> AsyncIterator[SinkRunner]:
    """Run a sink as its role would; at the end it is told to stop and awaited."""
    stop = asyncio.Event()
    task = asyncio.create_task(runner.run(stop))
    try:
        yield runner
    finally:
        stop.set()
        await asyncio.wait_for(task, 30)


def feed(settings: Settings, topic: str, group: str, **more: int) -> Feed:
    options = {"batch_ms": 50, "session_timeout_ms": settings.session_timeout_ms} | more
    return Feed(settings.kafka, settings.named(topic), settings.named(group), **options)


def runner_of(settings: Settings, sink: Sink, topic: str, **more: int) -> SinkRunner:
    return SinkRunner(sink, feed(settings, topic, f"sink-{sink.name}", **more))


async def ends(settings: Settings, topic: str) -> dict[int, int]:
    """End of each partition, markers included."""
    consumer = AIOKafkaConsumer(bootstrap_servers=settings.kafka, isolation_level="read_committed")
    await consumer.start()
    try:
        places = [TopicPartition(settings.named(topic), n) for n in range(settings.partitions)]
        found = await consumer.end_offsets(places)
        return {place.partition: end for place, end in found.items()}
    finally:
        await consumer.stop()


async def committed(settings: Settings, group: str, topic: str) -> dict[int, int]:
    """Positions a group has committed."""
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka)
    await admin.start()
    try:
        found = await admin.list_consumer_group_offsets(settings.named(group))
        return {
            place.partition: position.offset
            for place, position in found.items()
            if place.topic == settings.named(topic)
        }
    finally:
        await admin.close()


class AlertsRead:
    """Reads topic `alerts` from its beginning."""

    def __init__(self, settings: Settings) -> None:
        self._consumer = AIOKafkaConsumer(
            settings.named("alerts"),
            bootstrap_servers=settings.kafka,
            auto_offset_reset="earliest",
            enable_auto_commit=False,
        )
        self.said: list[Alert] = []

    async def __aenter__(self) -> "AlertsRead":
        await self._consumer.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._consumer.stop()

    async def read(self) -> list[Alert]:
        """Everything said up to now."""
        for records in (await self._consumer.getmany(timeout_ms=200)).values():
            self.said += [msgspec.json.decode(one.value, type=Alert) for one in records]
        return self.said
