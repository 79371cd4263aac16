"""All partitions of one role's lanes: opened when assigned, committed when revoked."""

import asyncio
import gc
from collections.abc import Callable
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition

from sinks.patience import Opened
from streams.exit import end_process
from streams.fold import Fold
from streams.lane import Batch
from streams.partition import LanePartition, LaneSpec

log = structlog.get_logger(__name__)


class Lane:
    """A source topic with the fold that each of its partitions gets."""

    def __init__(self, spec: LaneSpec, make_fold: Callable[[int], Fold]) -> None:
        self.spec = spec
        self.make_fold = make_fold


class Lanes:
    """The open partitions, by topic and partition."""

    def __init__(self, lanes: list[Lane]) -> None:
        self._lanes = {lane.spec.source: lane for lane in lanes}
        self.open: dict[tuple[str, int], LanePartition] = {}
        self.ready = asyncio.Event()
        self.is_torn = False
        self._generation = 0
        self._opening: dict[tuple[str, int], LanePartition] | None = None

    @property
    def topics(self) -> list[str]:
        """Source topics."""
        return list(self._lanes)

    @property
    def generation(self) -> int:
        """Group generation whose partitions are open."""
        return self._generation

    def places(self) -> dict[tuple[str, int], int]:
        """Next offset that each open partition expects."""
        return {place: one.next_offset for place, one in self.open.items()}

    async def assign(self, assigned: set[tuple[str, int]], generation: int) -> None:
        """Let go of what is no longer ours, keep what nobody else touched, recover the rest."""
        self.ready.clear()
        self._opening = {}
        self._generation = generation
        wanted = {place for place in assigned if place[0] in self._lanes}
        for place in set(self.open) - wanted:
            await self.open.pop(place).close()
        for place in set(self.open) & wanted:
            if await self._touched_by_others(self.open[place]):
                await self.open.pop(place).close()
        await asyncio.gather(*(self._open(place) for place in sorted(wanted - set(self.open))))
        for partition in self.open.values():
            partition.generation = generation
        self._opening = None
        # What was recovered stays: the collector need not look through it again.
        gc.freeze()
        self.ready.set()

    async def _open(self, place: tuple[str, int]) -> None:
        lane = self._lanes[place[0]]
        partition = LanePartition(lane.spec, place[1], lane.make_fold(place[1]))
        if self._opening is not None:
            self._opening[place] = partition
        await partition.open()
        self.open[place] = partition

    def recovery_stand(self) -> tuple[tuple[str, int, int], ...] | None:
        """How far each partition being opened has read its changelog; None: nothing is opened."""
        if self._opening is None:
            return None
        return tuple((*place, one.recovered_to) for place, one in self._opening.items())

    async def _touched_by_others(self, partition: LanePartition) -> bool:
        """Whether somebody wrote this table's partition since our own last commit."""
        async with Opened(AIOKafkaConsumer(bootstrap_servers=partition.spec.bootstrap)) as consumer:
            tp = TopicPartition(partition.spec.changelog, partition.partition)
            end = (await consumer.end_offsets([tp]))[tp]
        return bool(end != partition.changelog_end)

    async def take(self, batch: Batch) -> None:
        """Fold a batch, unless it was fetched before its partition last changed hands.

        A revocation empties the streams' buffers, and a batch that waited for room may still come
        in behind those: offsets alone don't show the gap, since transactions leave some unused.
        """
        partition = self.open.get((batch.tp.topic, batch.tp.partition))
        if partition is None or batch.generation != partition.generation:
            return
        if batch.follows > partition.next_offset:
            self.is_torn = True
            return
        await partition.take(batch.records, is_backlog=batch.is_backlog)

    async def flush(self) -> None:
        """Commit everything that is folded."""
        await asyncio.gather(*(partition.flush() for partition in self.open.values()))

    async def close(self) -> None:
        """Commit everything and let go of it."""
        await asyncio.gather(*(partition.close() for partition in self.open.values()))
        self.open.clear()


async def fold_batches(lanes: Lanes, stream: Any) -> None:
    """Body of a lane's agent: what goes wrong ends the process, for Faust would acknowledge it."""
    try:
        async for batch in stream:
            await lanes.take(batch)
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        end_process("a fold was cut off", error)
    except BaseException as error:
        end_process("a fold failed", error)
