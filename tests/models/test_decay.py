"""Counts and weights that fade."""

from itertools import permutations

import pytest

from models.customer import Customer
from models.decay import (
    CATEGORY_HALF_LIFE_DAYS,
    KEPT_CATEGORIES,
    LANDMARK_DAYS,
    DecayedCounts,
    add,
    as_of,
    join,
    prefer,
)
from tests.builders import DAY, START_MS


def counted(*entries: tuple[int, float]) -> DecayedCounts:
    counts = DecayedCounts()
    for days, weight in entries:
        add(counts, START_MS + days * DAY, weight)
    return counts


@pytest.mark.parametrize(("days", "at"), [(7, 0), (30, 1), (90, 2)])
def test_a_count_halves_over_its_half_life(days: int, at: int) -> None:
    assert as_of(counted((0, 1.0)), START_MS + days * DAY)[at] == pytest.approx(0.5)


def test_a_count_is_not_older_than_its_newest_event() -> None:
    counts = counted((10, 1.0))
    assert as_of(counts, START_MS) == (1.0, 1.0, 1.0)


def test_any_sequence_gives_the_same_counts() -> None:
    entries = [(0, 1.0), (3, 1.0), (3, -1.0), (40, 1.0), (400, 1.0)]
    straight = as_of(counted(*entries), START_MS + 500 * DAY)
    for shuffled in permutations(entries):
        assert as_of(counted(*shuffled), START_MS + 500 * DAY) == pytest.approx(straight, abs=1e-12)


def test_what_is_taken_back_is_gone() -> None:
    assert as_of(counted((0, 1.0), (9, 1.0), (0, -1.0)), START_MS + 9 * DAY) == pytest.approx(
        (1.0, 1.0, 1.0)
    )


def test_decades_fade_to_nothing() -> None:
    week, month, quarter = as_of(counted((0, 1.0)), START_MS + 40_000 * DAY)
    assert week == month == 0.0
    assert 0.0 <= quarter < 1e-100


def test_joined_counts_equal_those_of_one_history() -> None:
    for mine, theirs in (((0, 5), (3,)), ((3,), (0, 5)), ((), (1,)), ((1,), ())):
        counts = counted(*((day, 1.0) for day in mine))
        join(counts, counted(*((day, 1.0) for day in theirs)))
        both = counted(*((day, 1.0) for day in (*mine, *theirs)))
        assert as_of(counts, START_MS + 9 * DAY) == pytest.approx(as_of(both, START_MS + 9 * DAY))


@pytest.mark.parametrize("landmarks", [0, 1, 3])
def test_preferences_fade_together(landmarks: int) -> None:
    half_lives = 1 + landmarks * LANDMARK_DAYS / CATEGORY_HALF_LIFE_DAYS
    later_ms = START_MS + int(half_lives * CATEGORY_HALF_LIFE_DAYS * DAY)
    customer = Customer()
    prefer(customer, {"tea": 2.0**half_lives}, START_MS)
    prefer(customer, {"cups": 1.0}, later_ms)
    assert customer.categories["tea"] == pytest.approx(customer.categories["cups"])
    assert later_ms - customer.categories_at_ms < LANDMARK_DAYS * DAY


def test_preferences_of_an_earlier_form_go_on_fading() -> None:
    """Rows once kept weights as of their newest event."""
    customer = Customer(categories={"tea": 2.0}, categories_at_ms=START_MS)
    prefer(customer, {"cups": 1.0}, START_MS + int(CATEGORY_HALF_LIFE_DAYS) * DAY)
    assert customer.categories["tea"] == pytest.approx(customer.categories["cups"])


def test_a_late_preference_joins_already_faded() -> None:
    early, late = Customer(), Customer()
    moments = [("tea", 0), ("cups", 30), ("tea", 90)]
    for name, day in moments:
        prefer(early, {name: 1.0}, START_MS + day * DAY)
    for name, day in reversed(moments):
        prefer(late, {name: 1.0}, START_MS + day * DAY)
    assert late.categories == pytest.approx(early.categories)
    assert late.categories_at_ms == early.categories_at_ms


def test_the_weakest_categories_fall_out() -> None:
    customer = Customer()
    prefer(customer, {f"c{n:02}": float(n) for n in range(KEPT_CATEGORIES + 2)}, START_MS)
    assert sorted(customer.categories) == [f"c{n:02}" for n in range(2, KEPT_CATEGORIES + 2)]


def test_equally_weak_categories_fall_out_by_name() -> None:
    customer = Customer()
    names = [f"c{n:02}" for n in range(KEPT_CATEGORIES + 1)]
    prefer(customer, dict.fromkeys(reversed(names), 1.0), START_MS)
    assert sorted(customer.categories) == names[:-1]
