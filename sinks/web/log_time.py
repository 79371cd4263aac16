"""The log's time as the page tells it: the clock, and how far a running replay has come."""

from typing import Any

import msgspec
import structlog
from aiokafka import AIOKafkaConsumer

from sinks.log_clock import CLOCK_KEY, LogClockReader

REPLAY_KEY = b"replay"
_POLL_MS = 500

log = structlog.get_logger(__name__)


class ReplayStanding(msgspec.Struct, frozen=True):
    """The record `replay` of the control topic; `progress` is 0..1."""

    source: str
    progress: float
    state: str
    events: int = 0
    until_ms: int = 0


class LogTimeReader(LogClockReader):
    """Follows the clock and the replay in one reading of the control topic."""

    def __init__(self, bootstrap: str, control_topic: str) -> None:
        super().__init__(bootstrap, control_topic)
        self._replay: ReplayStanding | None = None

    def standing(self) -> dict[str, Any]:
        """Give `mode`, and `replay` while one runs (else None)."""
        replay = self._replay
        running = replay is not None and replay.state == "running"
        return {
            "mode": self.clock.mode,
            "replay": msgspec.to_builtins(replay) if running else None,
        }

    async def _read(self, consumer: AIOKafkaConsumer) -> None:
        partition = self._partition
        consumer.assign([partition])
        await consumer.seek_to_beginning(partition)
        end = (await consumer.end_offsets([partition]))[partition]
        while True:
            # The end is a position, not a record: commit markers count.
            if not self.current and await consumer.position(partition) >= end:
                self._current.set()
            fetched = await consumer.getmany(partition, timeout_ms=_POLL_MS)
            for record in fetched.get(partition, ()):
                if record.value is None:
                    continue
                if record.key == CLOCK_KEY:
                    self._take(record.value)
                elif record.key == REPLAY_KEY:
                    self._take_replay(record.value)

    def _take_replay(self, value: bytes) -> None:
        try:
            self._replay = msgspec.json.decode(value, type=ReplayStanding)
        except msgspec.DecodeError as error:
            log.error("replay_record_unreadable", error=str(error))
