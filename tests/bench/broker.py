"""The broker as the benchmarks use it: topics made and removed, filled fast, counted."""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import AsyncIterator, Iterable
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import (
    GroupCoordinatorNotAvailableError,
    NotCoordinatorForGroupError,
    for_code,
)

BATCH_BYTES = 500_000
BATCHES_IN_FLIGHT = 8
VISIBLE_WITHIN_S = 20.0

Record = tuple[int, bytes | None, bytes]
"""Partition, key, value."""


@contextlib.asynccontextmanager
async def admin(bootstrap: str) -> AsyncIterator[AIOKafkaAdminClient]:
    """A client that makes and removes topics."""
    client = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        await client.start()
        yield client
    finally:
        await client.close()


async def create_topics(
    bootstrap: str, names: Iterable[str], partitions: int, config: dict[str, str] | None = None
) -> None:
    """Create topics and wait until the broker tells of them."""
    wanted = set(names)
    async with admin(bootstrap) as client:
        made = [
            NewTopic(name, partitions, 1, topic_configs=config or {}) for name in sorted(wanted)
        ]
        answer = await client.create_topics(made)
        for name, code, *_ in answer.topic_errors:
            if code:
                raise for_code(code)(f"{name} was not created")
        deadline = time.monotonic() + VISIBLE_WITHIN_S
        while not wanted <= set(await client.list_topics()):
            if time.monotonic() > deadline:
                raise TimeoutError(f"topics created but not seen: {sorted(wanted)}")
            await asyncio.sleep(0.02)


async def delete_topics(bootstrap: str, part: str) -> None:
    """Remove every topic that bears `part` in its name."""
    async with admin(bootstrap) as client:
        gone = [name for name in await client.list_topics() if part in name]
        if gone:
            await client.delete_topics(gone)


async def fill(bootstrap: str, topic: str, records: Iterable[Record]) -> int:
    """Write records as fast as batches go, in their order; how many they were."""
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap,
        max_batch_size=BATCH_BYTES,
        max_request_size=BATCH_BYTES + 100_000,
        linger_ms=0,
    )
    written = 0
    batches: dict[int, Any] = {}
    sent: deque[asyncio.Future[Any]] = deque()

    async def send(partition: int) -> None:
        sent.append(await producer.send_batch(batches.pop(partition), topic, partition=partition))
        if len(sent) > BATCHES_IN_FLIGHT:
            await sent.popleft()

    async with producer:
        for partition, key, value in records:
            if partition not in batches:
                batches[partition] = producer.create_batch()
            if batches[partition].append(key=key, value=value, timestamp=None) is None:
                await send(partition)
                batches[partition] = producer.create_batch()
                batches[partition].append(key=key, value=value, timestamp=None)
            written += 1
        for partition in list(batches):
            await send(partition)
        await asyncio.gather(*sent)
    return written


class Counter:
    """Counts at the broker, which serves every engine alike."""

    def __init__(self, bootstrap: str) -> None:
        self._admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
        self._reader = AIOKafkaConsumer(
            bootstrap_servers=bootstrap, isolation_level="read_committed", enable_auto_commit=False
        )

    async def __aenter__(self) -> "Counter":
        await self._admin.start()
        await self._reader.start()
        # A task of the reader that has not begun when it is stopped would cancel whoever stops it.
        await asyncio.sleep(0)
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._reader.stop()
        await self._admin.close()

    async def committed(self, group: str, topic: str) -> int:
        """Records of `topic` that `group` has committed; 0 before its first commit."""
        try:
            found = await self._admin.list_consumer_group_offsets(group)
        except (GroupCoordinatorNotAvailableError, NotCoordinatorForGroupError):
            return 0
        return sum(max(0, at.offset) for place, at in found.items() if place.topic == topic)

    async def ends(self, topic: str, partitions: int) -> int:
        """Sum of the ends of a topic's partitions as a `read_committed` reader sees them.

        Commit markers count too: one a transaction and partition.
        """
        places = [TopicPartition(topic, number) for number in range(partitions)]
        return sum((await self._reader.end_offsets(places)).values())
