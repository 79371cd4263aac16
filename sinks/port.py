"""The contract of every sink: what it promises, and what whoever feeds it promises in turn.

A sink lands the records of one topic somewhere. It promises:

1. `write` returns only when the whole batch has landed; when it raises, whoever calls it again with
   the same batch ends where one quiet call would have ended. Nothing is half-done then.
2. Records it has landed before do no harm, in the same batch or cut otherwise, by this instance, by
   one after a restart or by a stale one: each lands once.
3. Records of one key land in their order; an older one never overwrites a newer.
4. Memory stays bounded, however large the batch.
5. A record nobody can read is put aside with a word to the operator, and the others land.

Whoever feeds it (sinks/runner.py) gives the records of a partition in their order, calls one method
at a time, and remembers a position only after `write` has returned. tests/contract/test_sinks.py
holds all sinks to this.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol


class Record(Protocol):
    """One record as the consumer gives it; a `value` of None is a tombstone."""

    @property
    def partition(self) -> int:
        """Partition of the sink's topic."""

    @property
    def offset(self) -> int:
        """Place in the partition."""

    @property
    def key(self) -> bytes | None:
        """Whose order matters: the customer's token, in most topics."""

    @property
    def value(self) -> bytes | None:
        """What is to land."""


class Sink(Protocol):
    """One place where the records of one topic land."""

    @property
    def name(self) -> str:
        """Name for the consumer group, the log and the status."""

    async def open(self) -> None:
        """Connect; raises when that is not possible now."""

    async def resume(self, partitions: Iterable[int]) -> Mapping[int, int]:
        """Take over these partitions: mend what a crash left, and say what to go on with.

        The answer has, for each partition the sink can speak of, the first offset that has not
        landed; 0 says that the place is empty. Called before the first `write` after partitions
        were assigned.
        """

    async def write(self, batch: Sequence[Record]) -> None:
        """Land the batch, whole; raises what stood in the way."""

    async def close(self) -> None:
        """Give the connection back."""
