"""A partition's time, and the hours and days it ends."""

import msgspec
import pytest

from models.clock import DAY_MS, HOUR_MS
from models.effects import DayEnded, HourEnded
from models.events import ClockMark
from models.hour_counts import HourCounts
from models.partition_clock import (
    HOURS_SAID_AT_MOST,
    PartitionClock,
    advance,
    copied,
    is_news,
    next_coupon,
    restored,
)
from tests.builders import START_MS


def moved(to_ms: int, before_ms: int = START_MS, orders: int = 0) -> tuple[list[int], list[int]]:
    """Hours (as hours after START_MS) and days (likewise) that a mark ends."""
    clock = PartitionClock(now_ms=before_ms)
    clock.running.orders = orders
    ended = advance(clock, ClockMark(at_ms=to_ms), 1, 4)
    hours = [(one.hour_ms - START_MS) // HOUR_MS for one in ended if type(one) is HourEnded]
    days = [one.day - START_MS // DAY_MS for one in ended if type(one) is DayEnded]
    return hours, days


@pytest.mark.parametrize(
    ("to_ms", "hours", "days"),
    [
        (1, [], []),
        (HOUR_MS - 1, [], []),
        (HOUR_MS, [0], []),
        (3 * HOUR_MS + 5, [0, 1, 2], []),
        (DAY_MS - 1, list(range(23)), []),
        (DAY_MS, list(range(24)), [0]),
        (3 * DAY_MS + HOUR_MS, [0, *range(25, 73)], [2]),
    ],
)
def test_a_mark_ends_the_hours_and_the_day_before_it(
    to_ms: int, hours: list[int], days: list[int]
) -> None:
    assert moved(START_MS + to_ms) == (hours, days)


def test_the_first_mark_of_all_ends_nothing() -> None:
    assert moved(START_MS, before_ms=0) == ([], [])


def test_the_running_hours_orders_are_said_once_even_before_a_jump() -> None:
    clock = PartitionClock(now_ms=START_MS)
    clock.running = HourCounts(2, 70, {"returns": 1}, {"tier:new": 2})
    jump = ClockMark(at_ms=START_MS + 10 * DAY_MS)
    first, *others = [one for one in advance(clock, jump, 0, 1) if type(one) is HourEnded]
    assert (first.hour_ms, first.orders, first.revenue_cents) == (START_MS, 2, 70)
    assert len(others) == HOURS_SAID_AT_MOST
    assert {(one.orders, one.revenue_cents) for one in others} == {(0, 0)}
    assert (first.others, first.slices) == ({"returns": 1}, {"tier:new": 2})
    assert clock.running == HourCounts()


def test_orders_stay_counted_while_the_hour_runs() -> None:
    clock = PartitionClock(now_ms=START_MS)
    clock.running.orders = 1
    assert advance(clock, ClockMark(at_ms=START_MS + 1), 0, 1) == []
    assert clock.running.orders == 1


def test_what_ended_says_whose_it_is() -> None:
    clock = PartitionClock(now_ms=START_MS)
    ended = advance(clock, ClockMark(at_ms=START_MS + DAY_MS), 1, 4)
    assert {(one.partition, one.partitions) for one in ended} == {(1, 4)}


@pytest.mark.parametrize(("at_ms", "news"), [(-1, False), (0, False), (1, True)])
def test_a_mark_at_or_before_the_partitions_time_is_no_news(at_ms: int, news: bool) -> None:
    assert is_news(PartitionClock(now_ms=START_MS), ClockMark(at_ms=START_MS + at_ms)) is news


def test_the_offset_from_the_wall_is_kept_until_another_comes() -> None:
    clock = PartitionClock()
    offsets = []
    for minute, offset in enumerate((None, -5, None, 7)):
        advance(clock, ClockMark(at_ms=START_MS + minute, wall_offset_ms=offset), 0, 1)
        offsets.append(clock.wall_offset_ms)
    assert offsets == [None, -5, -5, 7]


def test_orders_counted_by_the_last_release_are_said_with_the_others() -> None:
    clock = PartitionClock(
        now_ms=START_MS, orders_before=3, revenue_before_cents=300, running=HourCounts(1, 50)
    )
    (first,) = advance(clock, ClockMark(at_ms=START_MS + HOUR_MS), 0, 1)
    assert isinstance(first, HourEnded)
    assert (first.orders, first.revenue_cents) == (4, 350)
    assert (clock.orders_before, clock.revenue_before_cents) == (0, 0)


def test_a_copy_counts_for_itself() -> None:
    clock = PartitionClock(now_ms=START_MS, running=HourCounts(1, 2, {"returns": 1}, {"a": 1}))
    own = copied(clock)
    own.running.others["returns"] = 9
    own.running.slices["a"] = 9
    own.running.orders = 9
    assert clock.running == HourCounts(1, 2, {"returns": 1}, {"a": 1})


def test_coupons_are_numbered_without_a_gap_and_a_copy_numbers_its_own() -> None:
    clock = PartitionClock()
    assert [next_coupon(clock) for _ in range(3)] == [0, 1, 2]
    sealed = copied(clock)
    assert next_coupon(clock) == 3
    assert next_coupon(sealed) == 3


def test_a_row_of_the_last_release_begins_to_number_coupons() -> None:
    row = msgspec.msgpack.encode([START_MS, None, 0])
    assert next_coupon(restored(row)) == 0
