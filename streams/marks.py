"""Clock marks from the wall: once a second into each partition that is caught up."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import structlog
from aiokafka import AIOKafkaProducer

from models.events import ClockMark, encode
from sinks.log_clock import LogClockReader
from streams.lanes import Lanes
from streams.partition import LanePartition

log = structlog.get_logger(__name__)

LOOK_S = 0.01
"""How often a partition is looked at for timers that are due."""

CaughtUp = Callable[[str, int], Awaitable[bool]]


class MarkWriter:
    """Writes the marks of the partitions that this worker owns.

    Nothing is written while a replay runs, which brings its own marks; nor before the log has a
    clock at all, for an empty log may yet be given a history. A partition with a backlog gets
    none, so silence is judged only after everything that was said has been read. A partition with
    a timer that is due gets its mark at once; with `only_due` there are no others.
    """

    def __init__(
        self,
        bootstrap: str,
        topic: str,
        interval_ms: int,
        lanes: Lanes,
        clock: LogClockReader,
        caught_up: CaughtUp,
        *,
        only_due: bool = False,
    ) -> None:
        self._only_due = only_due
        self._producer = AIOKafkaProducer(
            bootstrap_servers=bootstrap, enable_idempotence=True, linger_ms=0
        )
        self._topic = topic
        self._interval_s = interval_ms / 1000
        self._lanes = lanes
        self._clock = clock
        self._caught_up = caught_up
        self._last: dict[int, int] = {}

    async def run(self) -> None:
        """Write until cancelled."""
        try:
            await self._producer.start()
            round_at = 0.0
            while True:
                await asyncio.sleep(min(LOOK_S, self._interval_s))
                is_round = time.monotonic() >= round_at
                if is_round:
                    round_at = time.monotonic() + self._interval_s
                await self._write_marks(only_due=self._only_due or not is_round)
        finally:
            await self._producer.stop()

    async def _write_marks(self, *, only_due: bool) -> None:
        if not self._lanes.ready.is_set():
            return
        wanted = [
            partition
            for (topic, partition), opened in self._lanes.open.items()
            if topic == self._topic and not (only_due and not self._is_due(opened))
        ]
        # Together: what is due in one partition does not wait for the broker's word on another.
        await asyncio.gather(*(self._write_mark(partition) for partition in wanted))

    async def _write_mark(self, partition: int) -> None:
        if not await self._caught_up(self._topic, partition):
            return
        # The clock is asked last: a replay may have begun meanwhile.
        clock = self._clock.clock
        if clock.mode != "wall":
            return
        mark = ClockMark(at_ms=self._now_ms(), wall_offset_ms=clock.wall_offset_ms)
        sent = self._producer.send_and_wait(self._topic, encode(mark), partition=partition)
        self._last[partition] = (await sent).offset

    def _is_due(self, partition: LanePartition) -> bool:
        """Whether a timer is due that the last mark, which is folded already, left."""
        due_ms = partition.fold.due_ms()
        is_folded = partition.next_offset > self._last.get(partition.partition, -1)
        return is_folded and due_ms is not None and due_ms <= self._now_ms()

    def _now_ms(self) -> int:
        return self._clock.clock.now_ms(time.time_ns() // 1_000_000)
