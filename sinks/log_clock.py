"""Reads the log's own time from the control topic, for roles that must stamp or judge by it."""

import asyncio
import time

import msgspec
import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from models.clock import LogClock
from sinks.patience import cancelled_means_failed

CLOCK_KEY = b"clock"
_RETRY_S = 1.0
_POLL_MS = 500

_log = structlog.get_logger("log_clock")


class ClockUnknown(RuntimeError):
    """The control topic was not read to its end yet, so nobody can say what time it is."""


class LogClockReader:
    """Follows the record `clock` of the control topic; every role may have one."""

    def __init__(self, bootstrap: str, control_topic: str) -> None:
        self._bootstrap = bootstrap
        self._partition = TopicPartition(control_topic, 0)
        self._clock = LogClock()
        self._current = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self, *, wait: bool = True) -> None:
        """Begin to follow; with `wait`, return once all that stands in the topic is read.

        A broker that is away is waited for, for as long as it takes.
        """
        self._task = asyncio.create_task(self._follow())
        if wait:
            await self._current.wait()

    async def stop(self) -> None:
        """Stop following; the last time known stays."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    @property
    def current(self) -> bool:
        """Whether the topic was read to its end once."""
        return self._current.is_set()

    @property
    def clock(self) -> LogClock:
        """How to tell the log's time; raises ClockUnknown before the topic was read."""
        if not self._current.is_set():
            raise ClockUnknown(f"topic {self._partition.topic} is not read yet")
        return self._clock

    def now_ms(self) -> int:
        """Log time now; raises ClockUnknown before the topic was read."""
        return self.clock.now_ms(int(time.time() * 1000))

    async def wind(self) -> None:
        """Set an unset clock to the wall's; raises KafkaError when the broker does not take it."""
        if self.clock.mode != "unset":
            return
        wound = LogClock(mode="wall")
        producer = AIOKafkaProducer(bootstrap_servers=self._bootstrap, enable_idempotence=True)
        try:
            await producer.start()
            value = msgspec.json.encode(wound)
            place = self._partition
            await producer.send_and_wait(place.topic, value, CLOCK_KEY, partition=place.partition)
        finally:
            await producer.stop()
        self._clock = wound

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
                    await consumer.start()
                    await self._read(consumer)
            except (KafkaError, OSError) as error:
                _log.warning("control_topic_unreadable", error=repr(error))
            finally:
                # In a task of its own: after an outage the client's stop may raise CancelledError,
                # which here would end the following for good.
                await asyncio.wait([asyncio.create_task(consumer.stop())])
            await asyncio.sleep(_RETRY_S)

    async def _read(self, consumer: AIOKafkaConsumer) -> None:
        consumer.assign([self._partition])
        await consumer.seek_to_beginning(self._partition)
        end = (await consumer.end_offsets([self._partition]))[self._partition]
        while True:
            # An empty topic has nothing to wait for, and the end is a position, not a record:
            # commit markers count.
            if not self.current and await consumer.position(self._partition) >= end:
                self._current.set()
            fetched = await consumer.getmany(self._partition, timeout_ms=_POLL_MS)
            for record in fetched.get(self._partition, ()):
                if record.key == CLOCK_KEY and record.value is not None:
                    self._take(record.value)

    def _take(self, value: bytes) -> None:
        try:
            self._clock = msgspec.json.decode(value, type=LogClock)
        except msgspec.DecodeError as error:
            _log.error("clock_record_unreadable", error=str(error))
