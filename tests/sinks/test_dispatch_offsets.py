"""Offsets: what finished out of order is committed only when all before it is done."""

import itertools

import pytest

from sinks.dispatch_offsets import OpenOffsets

OFFSETS = (3, 4, 7, 8)  # 5 and 6 are markers of transactions


@pytest.mark.parametrize("order", list(itertools.permutations(OFFSETS)))
def test_nothing_unfinished_is_ever_behind_the_committable_offset(order: tuple[int, ...]) -> None:
    offsets = OpenOffsets()
    for offset in OFFSETS:
        offsets.begin(offset)
    left = set(OFFSETS)
    for offset in order:
        assert offsets.committable(10) == min(left)
        offsets.end(offset)
        left.remove(offset)
    assert offsets.committable(10) == 10


def test_an_idle_partition_is_committed_up_to_its_position() -> None:
    assert OpenOffsets().committable(12) == 12


def test_offsets_that_do_not_rise_are_refused() -> None:
    offsets = OpenOffsets()
    offsets.begin(5)
    with pytest.raises(ValueError, match="offset 5 came after 5"):
        offsets.begin(5)


def test_ending_what_never_began_is_refused() -> None:
    with pytest.raises(KeyError):
        OpenOffsets().end(1)
