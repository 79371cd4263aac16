"""How far consumers are behind: lag, the age of the oldest unread record, and rates."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

KEPT_SAMPLES = 512


class Place(NamedTuple):
    """One consumer's partition."""

    consumer: str
    topic: str
    partition: int


class Reading(NamedTuple):
    """Where a partition ends and how far its consumer has come."""

    place: Place
    end: int
    committed: int


class Progress(NamedTuple):
    """What readings over time say: `age_ms` is how long the oldest unread record has waited."""

    place: Place
    end: int
    committed: int
    lag: int
    age_ms: int
    written_per_s: float
    read_per_s: float


@dataclass
class _Book:
    ends: deque[tuple[int, int]] = field(default_factory=lambda: deque(maxlen=KEPT_SAMPLES))
    last: Reading | None = None
    last_ms: int = 0


@dataclass
class LagBook:
    """Remembers when each partition's end was seen where, so that ages need no time stamps.

    Records of a history carry old time stamps; when they came in is what counts here.
    """

    _books: dict[Place, _Book] = field(default_factory=dict)

    def note(self, readings: Iterable[Reading], at_ms: int) -> list[Progress]:
        """Take the readings of the wall time `at_ms`."""
        readings = list(readings)
        gone = self._books.keys() - {reading.place for reading in readings}
        for place in gone:
            del self._books[place]
        return [self._note(reading, at_ms) for reading in readings]

    def _note(self, reading: Reading, at_ms: int) -> Progress:
        book = self._books.setdefault(reading.place, _Book())
        ends = book.ends
        if not ends or ends[-1][1] != reading.end:
            if len(ends) == KEPT_SAMPLES:
                _thin(ends)
            ends.append((at_ms, reading.end))
        while len(ends) > 1 and ends[0][1] <= reading.committed:
            ends.popleft()
        lag = max(0, reading.end - reading.committed)
        before, seconds = book.last, (at_ms - book.last_ms) / 1000
        book.last, book.last_ms = reading, at_ms
        written = read = 0.0
        if before is not None and seconds > 0:
            written = max(0, reading.end - before.end) / seconds
            read = max(0, reading.committed - before.committed) / seconds
        age_ms = at_ms - ends[0][0] if lag else 0
        return Progress(reading.place, reading.end, reading.committed, lag, age_ms, written, read)


def _thin(ends: deque[tuple[int, int]]) -> None:
    """Forget every other sample but the oldest, which tells the age."""
    kept = list(ends)[::2]
    ends.clear()
    ends.extend(kept)
