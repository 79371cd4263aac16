"""The log's time as the page tells it: the clock, and how far a running replay has come."""

from typing import Any

import msgspec
import structlog

from sinks.log_clock import LogClockReader

REPLAY_KEY = b"replay"

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

    def take(self, record: Any) -> None:
        """Take the records of the clock and of the replay."""
        if record.key == REPLAY_KEY and record.value is not None:
            self._take_replay(record.value)
        else:
            super().take(record)

    def _take_replay(self, value: bytes) -> None:
        try:
            self._replay = msgspec.json.decode(value, type=ReplayStanding)
        except msgspec.DecodeError as error:
            log.error("replay_record_unreadable", error=str(error))
