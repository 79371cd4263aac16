"""Feed one sink from its topic: batches by time, positions after landing, patience with failures.

Every sink has a consumer group of its own, so one that fails holds up no other. While it
fails nothing more is read, so memory stays bounded; its lag drains when it is back.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError

from sinks.patience import METADATA_AGE_MS, Opened, cancelled_means_failed, pause, pauses
from sinks.port import Record, Sink

POLL_S = 0.1
KAFKA_LIMIT_S = 10.0
FETCH_BYTES = 4_000_000
REVOKE_LIMIT_MS = 90_000
NO_POLL_LIMIT_MS = 7 * 86_400_000
"""A sink that is down for days must not lose its place in the group."""


@dataclass(frozen=True)
class Feed:
    """Where a sink's records come from, and how they are cut into batches.

    A batch is written `batch_ms` after its first record, or as soon as it holds `batch_records`
    or `batch_bytes`.
    """

    bootstrap: str
    topic: str
    group: str
    session_timeout_ms: int = 8_000
    batch_ms: int = 500
    batch_records: int = 20_000
    batch_bytes: int = 32_000_000


@dataclass
class RunnerState:
    """How a sink is doing: `state` is starting, running, failing or stopped; `lag` in records."""

    state: str = "starting"
    error: str = ""
    lag: int = 0
    written: int = 0


class SinkRunner:
    """One sink and its consumer."""

    def __init__(self, sink: Sink, feed: Feed) -> None:
        self.sink = sink
        self.feed = feed
        self.status = RunnerState()
        self._log = structlog.get_logger().bind(sink=sink.name)
        self._landing = asyncio.Lock()
        self._interrupted = asyncio.Event()
        self._stop = asyncio.Event()
        self._gave_up = False
        self._fresh: set[TopicPartition] = set()
        self._batch: list[Record] = []
        self._positions: dict[TopicPartition, int] = {}
        self._committed: dict[TopicPartition, int] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Feed the sink until `stop`; then finish the running batch, commit, and return."""
        self._stop = stop
        watch = asyncio.create_task(self._interrupt_at_stop())
        waits = pauses()
        try:
            while not stop.is_set():
                try:
                    with cancelled_means_failed():
                        await self.sink.open()
                        await self._consume()
                except Exception as error:
                    if self.status.state == "running":
                        waits = pauses()
                    self._failed(error)
                    await pause(stop, next(waits))
        finally:
            watch.cancel()
            await self.sink.close()
            self.status.state = "stopped"

    async def _interrupt_at_stop(self) -> None:
        await self._stop.wait()
        self._interrupted.set()

    async def _consume(self) -> None:
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.feed.bootstrap,
            group_id=self.feed.group,
            isolation_level="read_committed",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            session_timeout_ms=self.feed.session_timeout_ms,
            heartbeat_interval_ms=self.feed.session_timeout_ms // 4,
            rebalance_timeout_ms=REVOKE_LIMIT_MS,
            max_poll_interval_ms=NO_POLL_LIMIT_MS,
            max_partition_fetch_bytes=FETCH_BYTES,
            metadata_max_age_ms=METADATA_AGE_MS,
        )
        consumer.subscribe([self.feed.topic], listener=_Rebalances(self))
        self._resume_work()
        async with Opened(consumer):
            try:
                while not self._stop.is_set():
                    if self._fresh:
                        await self._take_over(consumer)
                    await self._collect(consumer)
                    await self._land(consumer)
            finally:
                self._forget()

    async def _take_over(self, consumer: AIOKafkaConsumer) -> None:
        """Set the position of each new partition by what has landed.

        The committed position is where to begin, unless the sink's place knows less: it lost what
        it had acknowledged, or was made anew.
        """
        fresh = set(self._fresh)
        known: dict[int, int] = {}

        async def ask() -> None:
            known.update(await self.sink.resume({one.partition for one in fresh}))

        async with self._landing:
            if not await self._insist(ask):
                return
            with contextlib.suppress(IllegalStateError):  # given away again meanwhile
                for partition in fresh:
                    asking = consumer.committed(partition)
                    committed = await asyncio.wait_for(asking, KAFKA_LIMIT_S) or 0
                    self._seek(consumer, partition, committed, known.get(partition.partition))
                self._fresh -= fresh
                self.status.state = "running"

    def _seek(
        self,
        consumer: AIOKafkaConsumer,
        partition: TopicPartition,
        committed: int,
        known: int | None,
    ) -> None:
        begin = committed if known is None else min(committed, known)
        if begin == 0 < committed:
            self._log.warning(
                "the place is empty: reading all again", partition=partition.partition
            )
        consumer.seek(partition, begin)

    async def _collect(self, consumer: AIOKafkaConsumer) -> None:
        """Fill the batch until it is due."""
        size_bytes = 0
        due = time.monotonic() + self.feed.batch_ms / 1000
        while True:
            left_s = due - time.monotonic()
            room = self.feed.batch_records - len(self._batch)
            if left_s <= 0 or room <= 0 or size_bytes >= self.feed.batch_bytes:
                break
            found = await consumer.getmany(
                timeout_ms=int(min(left_s, POLL_S) * 1000), max_records=room
            )
            if self._fresh or self._gave_up:
                # Dropped, so the positions behind these records must not be committed.
                return
            for records in found.values():
                self._batch.extend(records)
                size_bytes += sum(len(one.value) for one in records if one.value)
            if self._interrupted.is_set():
                break
        await self._note_positions(consumer)

    async def _note_positions(self, consumer: AIOKafkaConsumer) -> None:
        """Remember how far reading has come; transaction markers count, so that lag ends at 0."""
        lag = 0
        with contextlib.suppress(IllegalStateError):  # given away: the batch is dropped too
            for partition in consumer.assignment() - self._fresh:
                position = await consumer.position(partition)
                self._positions[partition] = position
                lag += max(0, (consumer.last_stable_offset(partition) or 0) - position)
        self.status.lag = lag + len(self._batch)

    async def _land(self, consumer: AIOKafkaConsumer) -> None:
        async with self._landing:
            batch, self._batch = self._batch, []
            if self._fresh:
                return
            if batch and not await self._insist(lambda: self.sink.write(batch)):
                return
            self.status.written += len(batch)
            self.status.lag -= len(batch)
            await self._commit(consumer)

    async def _commit(self, consumer: AIOKafkaConsumer) -> None:
        moved = {
            partition: position
            for partition, position in self._positions.items()
            if self._committed.get(partition) != position
        }
        if not moved:
            return
        try:
            await asyncio.wait_for(consumer.commit(moved), KAFKA_LIMIT_S)
        except (CommitFailedError, IllegalStateError, TimeoutError) as error:
            # What has landed lands once, so reading it again does no harm.
            self._log.warning("position not committed", reason=type(error).__name__)
        else:
            self._committed.update(moved)

    async def _insist(self, attempt: Callable[[], Awaitable[None]]) -> bool:
        """Try until it succeeds; False when a rebalance or the end came first."""
        for pause_s in pauses():
            try:
                with cancelled_means_failed():
                    await attempt()
            except Exception as error:
                self._failed(error)
            else:
                self._recovered()
                return True
            await pause(self._interrupted, pause_s)
            if self._interrupted.is_set():
                return False
        raise AssertionError("pauses() never ends")

    def _failed(self, error: Exception) -> None:
        if self.status.state != "failing" or self.status.error != str(error):
            self._log.warning("sink fails", error=type(error).__name__, reason=str(error)[:500])
        self.status.state = "failing"
        self.status.error = str(error)

    def _recovered(self) -> None:
        if self.status.state == "failing":
            self._log.info("sink is back")
            self.status.state = "running"
        self.status.error = ""

    def _forget(self) -> None:
        self._batch = []
        self._positions.clear()
        self._committed.clear()
        self._fresh.clear()

    async def give_up(self) -> None:
        """Let the running write end and drop what is not written: others will read it again."""
        self._gave_up = True
        self._interrupted.set()
        async with self._landing:
            self._forget()

    def take(self, partitions: Sequence[TopicPartition]) -> None:
        """Note partitions that are ours from now on."""
        self._fresh = set(partitions)
        if not self._fresh:
            self.status.state = "running"
        self._resume_work()

    def _resume_work(self) -> None:
        self._gave_up = False
        if not self._stop.is_set():
            self._interrupted.clear()


class _Rebalances(ConsumerRebalanceListener):  # type: ignore[misc]
    """Passes a rebalance on to the runner."""

    def __init__(self, runner: SinkRunner) -> None:
        self._runner = runner

    async def on_partitions_revoked(self, revoked: Any) -> None:
        await self._runner.give_up()

    async def on_partitions_assigned(self, assigned: Any) -> None:
        self._runner.take(assigned)
