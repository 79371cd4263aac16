"""A history cut at full hours: what arrived, then the mark that ends the hour.

Where the marks stand depends on the history alone, not on how fast it is played.
"""

from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from models.clock import HOUR_MS
from streams.replay.history import Arrival, BadHistory, BadRow, History, hour_at_or_before

ARRIVALS_AT_ONCE = 2_000


class Slice(NamedTuple):
    """Arrivals, and the mark after them; `mark_ms` 0: the hour is not over yet."""

    arrivals: list[Arrival | BadRow]
    mark_ms: int


def slices_of(history: History, taken: int = 0, marked_ms: int = 0) -> Iterator[Slice]:
    """Cut a history from its beginning, or from where `taken` arrivals and the mark lie behind.

    The first mark is the hour in which the history begins, the last one ends its last hour.
    BadHistory when times go backwards.
    """
    mark_ms = marked_ms or hour_at_or_before(history.first_ms) - HOUR_MS
    waiting: list[Arrival | BadRow] = []
    for arrival in islice(history.arrivals(), taken, None):
        if arrival.at_ms < mark_ms:
            raise BadHistory(
                f"{history.name}: time goes backwards, from {mark_ms} to {arrival.at_ms} ms"
            )
        while mark_ms + HOUR_MS <= arrival.at_ms:
            mark_ms += HOUR_MS
            yield Slice(waiting, mark_ms)
            waiting = []
        waiting.append(arrival)
        if len(waiting) >= ARRIVALS_AT_ONCE:
            yield Slice(waiting, 0)
            waiting = []
    while mark_ms <= history.last_ms:
        mark_ms += HOUR_MS
        yield Slice(waiting, mark_ms)
        waiting = []
