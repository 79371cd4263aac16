"""A partition folds batches without a gap between them, and of its own generation only."""

from types import SimpleNamespace
from typing import Any

import pytest
from faust.types import TP

from streams.lane import Batch
from streams.lanes import Lanes

PLACE = TP("events", 0)


class Partition:
    """Takes batches and remembers their records."""

    def __init__(self, next_offset: int) -> None:
        self.generation = 1
        self.next_offset = next_offset
        self.taken: list[int] = []

    async def take(self, records: list[Any], *, is_backlog: bool = False) -> None:
        """Note what came."""
        self.taken += [record.offset for record in records]
        self.next_offset = records[-1].offset + 1


def lanes_at(next_offset: int) -> tuple[Lanes, Partition]:
    lanes, partition = Lanes([]), Partition(next_offset)
    lanes.open[PLACE.topic, PLACE.partition] = partition  # type: ignore[assignment]
    return lanes, partition


def batch(*offsets: int, follows: int, generation: int = 1) -> Batch:
    records = [SimpleNamespace(offset=offset) for offset in offsets]
    return Batch(PLACE, generation, records, follows=follows)


@pytest.mark.parametrize(
    ("follows", "taken", "is_torn"),
    [(5, [7, 8], False), (4, [7, 8], False), (6, [], True), (0, [7, 8], False)],
)
async def test_a_batch_that_follows_a_lost_one_is_read_again(
    follows: int, taken: list[int], is_torn: bool
) -> None:
    lanes, partition = lanes_at(5)
    await lanes.take(batch(7, 8, follows=follows))
    assert (partition.taken, lanes.is_torn) == (taken, is_torn)


async def test_offsets_that_transactions_left_unused_are_no_gap() -> None:
    lanes, partition = lanes_at(5)
    await lanes.take(batch(5, 6, follows=5))
    await lanes.take(batch(9, follows=7))
    assert (partition.taken, lanes.is_torn) == ([5, 6, 9], False)


async def test_a_batch_of_another_generation_is_dropped_and_tears_nothing() -> None:
    lanes, partition = lanes_at(5)
    await lanes.take(batch(9, follows=9, generation=2))
    assert (partition.taken, lanes.is_torn) == ([], False)
