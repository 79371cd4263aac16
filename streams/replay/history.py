"""What a replay reads: Segment bodies in the order and at the times a shop received them."""

from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol

from models.clock import HOUR_MS

Body = dict[str, Any]


class Arrival(NamedTuple):
    """A body and the moment it arrived, milliseconds UTC; what it tells of may be older."""

    at_ms: int
    body: Body


class BadRow(NamedTuple):
    """A row no body could be made of; it becomes a dead letter.

    `path` names the place (file, row, column), `got` the value found there.
    """

    at_ms: int
    path: str
    expected: str
    got: str
    raw: bytes


class History(Protocol):
    """A finite feed that can be read again from its beginning, always the same.

    `name` is its identity: a history of this name enters a log once. Times never go backwards;
    `first_ms` and `last_ms` are the first and the last of them.
    """

    name: str
    first_ms: int
    last_ms: int

    def arrivals(self) -> Iterator[Arrival | BadRow]:
        """Read from the beginning."""


class BadHistory(ValueError):
    """A history cannot be read at all; the text is one sentence for the operator."""


def hour_at_or_before(at_ms: int) -> int:
    """Give the full hour an instant lies in.

    >>> hour_at_or_before(HOUR_MS + 1) == HOUR_MS
    True
    """
    return at_ms - at_ms % HOUR_MS
