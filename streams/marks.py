"""Clock marks from the wall: once a second into each partition that is caught up."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import structlog
from aiokafka import AIOKafkaProducer

from models.events import ClockMark, encode
from sinks.log_clock import LogClockReader
from streams.lanes import Lanes

log = structlog.get_logger(__name__)

CaughtUp = Callable[[str, int], Awaitable[bool]]


class MarkWriter:
    """Writes the marks of the partitions that this worker owns.

    Nothing is written while a replay runs, which brings its own marks; nor before the log has a
    clock at all, for an empty log may yet be given a history. A partition with a backlog gets
    none, so silence is judged only after everything that was said has been read.
    """

    def __init__(
        self,
        bootstrap: str,
        topic: str,
        interval_ms: int,
        lanes: Lanes,
        clock: LogClockReader,
        caught_up: CaughtUp,
    ) -> None:
        self._producer = AIOKafkaProducer(
            bootstrap_servers=bootstrap, enable_idempotence=True, linger_ms=0
        )
        self._topic = topic
        self._interval_s = interval_ms / 1000
        self._lanes = lanes
        self._clock = clock
        self._caught_up = caught_up

    async def run(self) -> None:
        """Write until cancelled."""
        try:
            await self._producer.start()
            while True:
                await asyncio.sleep(self._interval_s)
                await self._write_round()
        finally:
            await self._producer.stop()

    async def _write_round(self) -> None:
        if not self._lanes.ready.is_set():
            return
        for topic, partition in list(self._lanes.open):
            if topic != self._topic or not await self._caught_up(topic, partition):
                continue
            # The clock is asked last: a replay may have begun meanwhile.
            clock = self._clock.clock
            if clock.mode != "wall":
                return
            mark = ClockMark(
                at_ms=clock.now_ms(time.time_ns() // 1_000_000),
                wall_offset_ms=clock.wall_offset_ms,
            )
            await self._producer.send_and_wait(topic, encode(mark), partition=partition)
