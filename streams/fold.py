"""What a lane needs of a fold: state by key, effects as outputs, all of one source partition."""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, Protocol

Place = tuple[str, int | None]
"""A topic and its partition; None: the fold's own."""
Pair = tuple[bytes | None, bytes]
"""Key and value of a record."""
Outputs = dict[Place, list[Pair]]
"""Records for other topics, in their order at each place."""


class Output(NamedTuple):
    """One record for another topic; `partition` None: the fold's own."""

    topic: str
    key: bytes | None
    value: bytes
    partition: int | None = None


class Interval(NamedTuple):
    """All that one transaction takes: rows for the changelog (None: gone), and outputs."""

    rows: list[tuple[bytes, bytes | None]]
    outputs: Outputs


def placed(outputs: Iterable[Output]) -> Outputs:
    """Put records to those that go to the same place."""
    places: Outputs = {}
    for topic, key, value, partition in outputs:
        places.setdefault((topic, partition), []).append((key, value))
    return places


class PoisonError(Exception):
    """A record, or one key's part in it, made the fold raise; it can be left out by `key`."""

    def __init__(self, key: bytes, reason: str) -> None:
        super().__init__(reason)
        self.key = key
        self.reason = reason


class Fold(Protocol):
    """A deterministic fold over one partition; nothing here waits but `prepare`."""

    def restore(self, key: bytes, row: bytes | None) -> None:
        """Take one row of the changelog, in its order."""

    def restored(self) -> None:
        """All rows were given; build what is kept only in memory."""

    async def prepare(self, records: list[Any]) -> None:
        """Get what these records will need from elsewhere (an adopted snapshot)."""

    def due_ms(self) -> int | None:
        """When a clock mark will have work to do, in the log's time; None: never as things are."""

    def is_urgent(self) -> bool:
        """Whether something waits to be committed that a customer is to notice."""

    def fold_many(self, records: list[Any]) -> int:
        """Fold records up to the first that asks for `fold`; returns how many those were.

        Raises PoisonError when one of them is; then `rollback` is called, and `fold` with each.
        """

    def fold(self, record: Any, left_out: frozenset[bytes]) -> Iterator[None]:
        """Fold one record; yields where a transaction may end within it.

        Leaves out the keys in `left_out`. Raises PoisonError; then `rollback` is called.
        """

    def seal(self) -> Interval:
        """Give what changed since the last call; from now on it is what rollback returns to."""

    def rollback(self) -> None:
        """Return to the state of the last `seal`."""

    def dead_letter(self, record: Any, poison: PoisonError) -> Output:
        """Write down what was left out."""


class OneByOne:
    """A fold without timers, and with no quicker way for many records than `fold` for each."""

    def due_ms(self) -> None:
        """Nothing is ever due."""

    def is_urgent(self) -> bool:
        """Nothing is."""
        return False

    def fold_many(self, records: list[Any]) -> int:
        """Leave them all to `fold`."""
        return 0
