"""One membership in the dispatcher's consumer group: reads actions, has them delivered, commits.

A record's offset is committed when its action is over and so are all before it. A failure of Kafka,
Redis or the log ends the session; the next one reads again what was not committed, and the ledger
knows how far that came.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import KafkaError

from sinks.dispatch_lanes import Lanes
from sinks.dispatch_offsets import OpenOffsets
from sinks.patience import METADATA_AGE_MS

log = structlog.get_logger(__name__)

POLL_MS = 200
COMMIT_EVERY_S = 0.2
CLOSE_LIMIT_S = 5.0

Advance = Callable[[TopicPartition, int, bytes], Awaitable[int | None]]
"""Takes a record one step further: ms to wait before the next step, None when it is over."""


@dataclass(frozen=True)
class SessionConfig:
    """Where to read, and how much at once; `window` bounds what is under way, waiting included."""

    bootstrap: str
    topic: str
    group: str
    session_timeout_ms: int = 10_000
    concurrency: int = 64
    window: int = 2_000
    hand_over_ms: int = 2_000


@dataclass(eq=False)
class Share:
    """A partition while it is ours."""

    offsets: OpenOffsets = field(default_factory=OpenOffsets)
    position: int = -1
    committed: int = -1


@dataclass(frozen=True, eq=False)
class Job:
    """One record of the actions topic."""

    share: Share
    partition: TopicPartition
    offset: int
    value: bytes


class Session(ConsumerRebalanceListener):  # type: ignore[misc]
    """Reads until `stop`; raises what ends it."""

    def __init__(self, config: SessionConfig, advance: Advance, stop: asyncio.Event) -> None:
        self._config = config
        self._advance = advance
        self._stop = stop
        self._shares: dict[TopicPartition, Share] = {}
        self._gate = asyncio.Semaphore(config.concurrency)
        self._lanes: Lanes[Job]
        self._consumer: AIOKafkaConsumer
        self._committed_at = 0.0
        self.began = False

    async def run(self) -> None:
        """Deliver what comes until `stop` is set."""
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=self._config.bootstrap,
            group_id=self._config.group,
            enable_auto_commit=False,
            isolation_level="read_committed",
            auto_offset_reset="earliest",
            session_timeout_ms=self._config.session_timeout_ms,
            heartbeat_interval_ms=self._config.session_timeout_ms // 4,
            metadata_max_age_ms=METADATA_AGE_MS,
        )
        try:
            await self._consumer.start()
            self.began = True
            async with asyncio.TaskGroup() as group:
                self._lanes = Lanes(group, self._work)
                self._consumer.subscribe([self._config.topic], listener=self)
                while not self._stop.is_set():
                    await self._read()
                await self._hand_over(list(self._shares))
        finally:
            await _close(self._consumer)

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Begin to count what of them is under way."""
        for partition in assigned:
            self._shares.setdefault(partition, Share())

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Finish what is being sent, commit, and let go."""
        await self._hand_over(list(revoked))

    async def _read(self) -> None:
        self._throttle()
        try:
            # While the group rebalances there is nothing to wait for but the signal to stop.
            async with asyncio.timeout(2 * POLL_MS / 1000):
                fetched = await self._consumer.getmany(
                    timeout_ms=POLL_MS, max_records=self._config.window
                )
        except TimeoutError:
            fetched = {}
        for partition, records in fetched.items():
            share = self._shares.setdefault(partition, Share())
            for record in records:
                share.offsets.begin(record.offset)
                job = Job(share, partition, record.offset, record.value)
                self._lanes.add(record.key or b"", job)
        await self._note_positions()
        now = asyncio.get_running_loop().time()
        if now - self._committed_at >= COMMIT_EVERY_S:
            self._committed_at = now
            await self._commit(self._shares)

    def _throttle(self) -> None:
        """Read on only while the window has room; a paused reader stays in its group."""
        assigned = self._consumer.assignment()
        if self._lanes.jobs >= self._config.window:
            self._consumer.pause(*assigned)
        elif self._lanes.jobs <= self._config.window // 2:
            self._consumer.resume(*(self._consumer.paused() & assigned))

    async def _note_positions(self) -> None:
        """Ask for the readers' positions: they pass the markers of transactions, records do not."""
        for partition, share in list(self._shares.items()):
            try:
                async with asyncio.timeout(POLL_MS / 1000):
                    share.position = await self._consumer.position(partition)
            except (TimeoutError, KafkaError):
                continue

    async def _work(self, job: Job) -> None:
        while self._is_ours(job):
            async with self._gate:
                if not self._is_ours(job):
                    return
                wait_ms = await self._advance(job.partition, job.offset, job.value)
            if wait_ms is None:
                job.share.offsets.end(job.offset)
                return
            await self._pause(wait_ms)

    def _is_ours(self, job: Job) -> bool:
        return not self._stop.is_set() and self._shares.get(job.partition) is job.share

    async def _pause(self, wait_ms: int) -> None:
        try:
            async with asyncio.timeout(wait_ms / 1000):
                await self._stop.wait()
        except TimeoutError:
            return

    async def _hand_over(self, partitions: list[TopicPartition]) -> None:
        ours = {one: self._shares.pop(one) for one in partitions if one in self._shares}
        if not ours:
            return
        shares = set(ours.values())
        await self._lanes.still(lambda job: job.share in shares, self._config.hand_over_ms / 1000)
        await self._commit(ours)

    async def _commit(self, shares: dict[TopicPartition, Share]) -> None:
        moved = {}
        for partition, share in shares.items():
            offset = share.offsets.committable(share.position)
            if offset > share.committed:
                moved[partition] = offset
        if not moved:
            return
        try:
            async with asyncio.timeout(CLOSE_LIMIT_S):
                await self._consumer.commit(moved)
        except (KafkaError, TimeoutError) as error:
            # What is read again for want of a commit is in the ledger.
            log.info("commit refused", error=repr(error))
            return
        for partition, offset in moved.items():
            # Given away while the broker answered: the next owner knows how far it came.
            if partition in shares:
                shares[partition].committed = offset


async def _close(consumer: AIOKafkaConsumer) -> None:
    """Leave the group, in a task apart: after an outage aiokafka's own stop may end cancelled."""
    stopping = asyncio.create_task(consumer.stop())
    _, late = await asyncio.wait([stopping], timeout=CLOSE_LIMIT_S)
    for task in late:
        task.cancel()
    for failure in await asyncio.gather(stopping, return_exceptions=True):
        if failure is not None:
            log.info("left the group without saying so", error=repr(failure))
