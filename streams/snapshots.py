"""Snapshots of shared models on their topic: written by the learner, loaded by the workers."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import msgspec
import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition

from models.events import Adopted
from models.events import encode as encode_record
from models.hazard import BadSnapshot
from models.snapshot import KINDS, AdoptedWord, SnapshotRecord, adopted_key, read_record, refusal
from sinks.patience import Opened
from streams import topics
from streams.exit import end_process
from streams.fold import Output

log = structlog.get_logger(__name__)


def adoption(
    record: SnapshotRecord,
    partitions: int,
    topic_of: Callable[[str], str],
    *,
    at_ms: int,
    pinned: bool = False,
) -> list[Output]:
    """What is written, in one transaction, when a version is adopted: the log says it to all."""
    adopted = encode_record(Adopted(record.model, record.snapshot.version, record.checksum))
    events = topic_of(topics.EVENTS)
    said = [Output(events, None, adopted, partition) for partition in range(partitions)]
    word = msgspec.json.encode(AdoptedWord(record.snapshot.version, at_ms, pinned))
    return [*said, Output(topic_of(topics.CONTROL), adopted_key(record.model), word, 0)]


class SnapshotReader:
    """Every version there is, as it appears; read from the topic's beginning."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        self._bootstrap = bootstrap
        self._topic = topic
        self._versions: dict[tuple[str, int], Any] = {}
        self._opened: dict[tuple[str, int], Any] = {}
        self._arrived = asyncio.Condition()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to read."""
        self._task = asyncio.create_task(self._read())
        self._task.add_done_callback(_end_if_failed)

    async def stop(self) -> None:
        """Stop reading."""
        if self._task is not None:
            self._task.remove_done_callback(_end_if_failed)
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def load(self, model: str, version: int) -> Any:
        """Wait for a version that the log says was adopted; None: it must not be used.

        It was written in the adoption's own transaction, so it is there or about to be read.
        """
        async with self._arrived:
            await self._arrived.wait_for(lambda: (model, version) in self._versions)
            snapshot = self._versions[model, version]
        if snapshot is None:
            return None
        if (model, version) not in self._opened:
            self._opened[model, version] = await asyncio.to_thread(_opened, model, snapshot)
        return self._opened[model, version]

    async def _read(self) -> None:
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._bootstrap,
            isolation_level="read_committed",
            auto_offset_reset="earliest",
            enable_auto_commit=False,
        )
        async with Opened(consumer):
            consumer.assign([TopicPartition(self._topic, 0)])
            async for record in consumer:
                await self._take(record.value)

    async def _take(self, value: bytes) -> None:
        record = read_record(value)
        version, reason = record.snapshot.version, refusal(record)
        if reason:
            log.error("snapshot refused", model=record.model, version=version, reason=reason)
        async with self._arrived:
            self._versions[record.model, version] = None if reason else record.snapshot
            self._arrived.notify_all()


def _opened(model: str, snapshot: Any) -> Any:
    try:
        return KINDS[model].opened(snapshot)
    except BadSnapshot as error:
        log.error("snapshot refused", model=model, version=snapshot.version, reason=str(error))
        return None


def _end_if_failed(reading: "asyncio.Task[None]") -> None:
    error = None if reading.cancelled() else reading.exception()
    end_process("the snapshots cannot be read", error)
