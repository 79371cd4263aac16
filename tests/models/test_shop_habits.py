"""What a shop's customers are like as a whole."""

import random
from math import inf, log1p, nan

import msgspec
import pytest

from models.dormancy import FALSE_ALARMS
from models.effects import HazardLesson
from models.hazard import UNKNOWN_GAP_DAYS
from models.outlook import orders_a_day
from models.shop_habits import AT_THE_EDGE, LEVELS, ShopHabits
from tests.builders import ANNA


def lesson(orders: int = 3, gap_days: float = 10.0, came: int = 0) -> HazardLesson:
    """One of who ordered so often, every `gap_days`, the last time today."""
    tenure = (orders - 1) * gap_days
    rate = orders / (tenure + 60.0) * 30
    silence = (log1p(0.0), 0.0)
    counts = (0.1, 0.3, log1p(1.5))
    features = (log1p(orders), *silence, log1p(tenure), log1p(rate), *counts, 3.0, 0.0, 0.0)
    return HazardLesson(
        partition=0,
        day=1,
        customer=ANNA,
        asked_at_ms=0,
        features=features,
        bought=came > 0,
        foretold=0.5,
        foretold_version=0,
        horizon_days=90,
        orders=came,
    )


def calibrated(count: int, most: float = 1.0) -> ShopHabits:
    """A shop in which as many return as were foretold to, evenly from none to `most`."""
    chance, habits = random.Random(3), ShopHabits()
    for _ in range(count):
        foretold = chance.random() * most
        habits.learn(lesson(came=chance.random() < foretold), foretold)
    return habits


def test_it_starts_with_constants_and_without_edges() -> None:
    habits = ShopHabits()
    assert habits.gap_days() == pytest.approx(UNKNOWN_GAP_DAYS)
    assert habits.level() == 1.0
    assert habits.edges() == (0.0, 0.0, 0.0)


@pytest.mark.parametrize(("gap_days", "ends_below", "ends_above"), [(5, 25, 15), (400, 160, 140)])
def test_the_gap_goes_half_way_to_the_shops_own(
    gap_days: float, ends_below: float, ends_above: float
) -> None:
    habits = ShopHabits()
    for _ in range(2_000):
        habits.learn(lesson(gap_days=gap_days), 0.5)
    assert ends_above < habits.gap_days() < ends_below


def test_who_ordered_once_says_nothing_of_gaps() -> None:
    habits = ShopHabits()
    habits.learn(lesson(orders=1), 0.5)
    assert habits.gaps == 0.0


def test_below_an_edge_only_so_many_return() -> None:
    habits = calibrated(20_000)
    cooling, dormant, lost = habits.edges()
    assert cooling == pytest.approx(AT_THE_EDGE * FALSE_ALARMS[0])
    # Of those evenly spread below an edge, half of the edge returns: the cap holds first.
    assert dormant == pytest.approx(AT_THE_EDGE * FALSE_ALARMS[1])
    assert lost == pytest.approx(AT_THE_EDGE * FALSE_ALARMS[2])
    for edge, rate in zip((cooling, dormant, lost), FALSE_ALARMS, strict=True):
        bins = round(edge * 50)
        assert sum(habits.bought[:bins]) <= rate * sum(habits.asked[:bins])


def test_a_shop_that_foretells_too_little_has_lower_edges() -> None:
    chance, habits = random.Random(4), ShopHabits()
    for _ in range(20_000):
        foretold = chance.random()
        habits.learn(lesson(came=chance.random() < foretold**0.4), foretold)
    assert habits.edges()[1] < calibrated(20_000).edges()[1]


def test_where_hardly_anybody_returns_not_everybody_is_dormant() -> None:
    assert calibrated(5_000, most=0.2).edges()[1] <= AT_THE_EDGE * FALSE_ALARMS[1]


def test_the_level_is_what_came_over_what_was_expected() -> None:
    habits = ShopHabits()
    expected = orders_a_day(lesson().features) * 90
    fewer = round(expected * 0.75)
    for _ in range(1_000):
        habits.learn(lesson(came=fewer), 0.5)
    assert habits.level() == pytest.approx(fewer / expected, rel=0.05)
    for _ in range(5_000):
        habits.learn(lesson(came=1_000), 0.5)
    assert habits.level() == LEVELS[1]


def test_what_is_old_fades() -> None:
    habits = calibrated(1_000)
    before = sum(habits.asked)
    for _ in range(139):
        habits.pass_day()
    assert sum(habits.asked) == pytest.approx(before / 2, rel=0.01)


@pytest.mark.parametrize("bad", [nan, inf, -inf])
def test_what_is_no_number_teaches_nothing(bad: float) -> None:
    habits = calibrated(100)
    before = msgspec.msgpack.encode(habits)
    habits.learn(lesson(), bad)
    features = lesson().features
    for at in range(len(features)):
        poisoned = (*features[:at], bad, *features[at + 1 :])
        habits.learn(msgspec.structs.replace(lesson(), features=poisoned), 0.5)
    assert msgspec.msgpack.encode(habits) == before
