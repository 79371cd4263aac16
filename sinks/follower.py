"""Follows small topics: everything that stands in them, or nothing of it, then what comes."""

import asyncio
from abc import ABC, abstractmethod
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from sinks.patience import Opened, cancelled_means_failed

_RETRY_S = 1.0
_POLL_MS = 500

_log = structlog.get_logger(__name__)


class Follower(ABC):
    """Reads the topics from their beginning, or end; where the broker was away, on from there."""

    def __init__(
        self, bootstrap: str, *topics: str, partitions: int = 1, from_end: bool = False
    ) -> None:
        self._bootstrap = bootstrap
        self._from_end = from_end
        self._partitions = [
            TopicPartition(topic, number) for topic in topics for number in range(partitions)
        ]
        self._next: dict[TopicPartition, int] = {}
        self._current = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @abstractmethod
    def take(self, record: Any) -> None:
        """Take a record as the client gives it; each comes once."""

    async def start(self, *, wait: bool = True) -> None:
        """Begin to follow; with `wait`, return once all that stands in the topics is read.

        A broker that is away is waited for, for as long as it takes.
        """
        self._task = asyncio.create_task(self._follow())
        if wait:
            await self._current.wait()

    async def stop(self) -> None:
        """Stop following; what was taken last stays."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    @property
    def current(self) -> bool:
        """Whether the topics were read to their end once."""
        return self._current.is_set()

    async def _follow(self) -> None:
        while True:
            consumer = AIOKafkaConsumer(
                bootstrap_servers=self._bootstrap,
                enable_auto_commit=False,
                isolation_level="read_committed",
                auto_offset_reset="earliest",
            )
            try:
                with cancelled_means_failed():
                    async with Opened(consumer):
                        await self._read(consumer)
            except (KafkaError, OSError) as error:
                names = [one.topic for one in self._partitions]
                _log.warning("topic_unreadable", topics=names, error=repr(error))
            await asyncio.sleep(_RETRY_S)

    async def _read(self, consumer: AIOKafkaConsumer) -> None:
        consumer.assign(self._partitions)
        for partition in self._partitions:
            if partition in self._next:
                consumer.seek(partition, self._next[partition])
            elif self._from_end:
                await consumer.seek_to_end(partition)
                self._next[partition] = await consumer.position(partition)
            else:
                await consumer.seek_to_beginning(partition)
        ends = await consumer.end_offsets(self._partitions)
        while True:
            # An empty topic has nothing to wait for, and the end is a position, not a record:
            # commit markers count.
            if not self.current and await self._has_reached(consumer, ends):
                self._current.set()
            fetched = await consumer.getmany(timeout_ms=_POLL_MS)
            for partition, records in fetched.items():
                for record in records:
                    self.take(record)
                    self._next[partition] = record.offset + 1

    async def _has_reached(self, consumer: AIOKafkaConsumer, ends: dict[Any, int]) -> bool:
        for partition, end in ends.items():
            if await consumer.position(partition) < end:
                return False
        return True
