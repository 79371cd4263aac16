"""Reads the log's own time from the control topic, for roles that must stamp or judge by it."""

import time
from typing import Any

import msgspec
import structlog
from aiokafka import AIOKafkaProducer

from models.clock import LogClock
from sinks.follower import Follower
from sinks.patience import Opened

CLOCK_KEY = b"clock"

_log = structlog.get_logger("log_clock")


class ClockUnknown(RuntimeError):
    """The control topic was not read to its end yet, so nobody can say what time it is."""


class LogClockReader(Follower):
    """Follows the record `clock` of the control topic; every role may have one."""

    def __init__(self, bootstrap: str, control_topic: str) -> None:
        super().__init__(bootstrap, control_topic)
        self._topic = control_topic
        self._clock = LogClock()

    @property
    def clock(self) -> LogClock:
        """How to tell the log's time; raises ClockUnknown before the topic was read."""
        if not self.current:
            raise ClockUnknown(f"topic {self._topic} is not read yet")
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
        async with Opened(producer):
            value = msgspec.json.encode(wound)
            await producer.send_and_wait(self._topic, value, CLOCK_KEY, partition=0)
        self._clock = wound

    def take(self, record: Any) -> None:
        """Take the clock's record."""
        if record.key != CLOCK_KEY or record.value is None:
            return
        try:
            self._clock = msgspec.json.decode(record.value, type=LogClock)
        except msgspec.DecodeError as error:
            _log.error("clock_record_unreadable", error=str(error))
