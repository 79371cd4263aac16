"""How far a replay is: one record of the control topic, committed with what it tells of."""

from typing import TypeVar

import msgspec

CLOCK_KEY = b"clock"
LEARNER_KEY = b"learner"
REPLAY_KEY = b"replay"

RUNNING = "running"
DONE = "done"


class ReplayProgress(msgspec.Struct, frozen=True, kw_only=True):
    """What of a history stands in the log.

    `taken` counts the history's arrivals read, `events` the records made of them, `rejected` those
    that became dead letters, `forgotten` events of customers whose keys were destroyed;
    `until_ms` is the last mark written, `offsets` the last record written to every partition;
    `progress` 0..1.
    """

    source: str
    progress: float = 0.0
    state: str = RUNNING
    events: int = 0
    until_ms: int = 0
    taken: int = 0
    rejected: int = 0
    forgotten: int = 0
    offsets: tuple[int, ...] = ()

    @property
    def is_done(self) -> bool:
        """Whether the whole history is in the log."""
        return self.state == DONE


class Considered(msgspec.Struct, frozen=True):
    """The learner's word: adopting a model after this log day was considered."""

    considered_day: int


Word = TypeVar("Word", bound=msgspec.Struct)


def word(value: bytes | None, kind: type[Word]) -> Word | None:
    """Read what stands under a key of the control topic; None where nothing does."""
    return None if value is None else msgspec.json.decode(value, type=kind)
