"""How many an hour should bring."""

import random

import msgspec
import pytest

from models.hour_rates import (
    DAY_HOURS,
    SCALE_AT_LEAST,
    SCALE_AT_MOST,
    WEEK_HOURS,
    HourRates,
    expected,
    learn,
    learn_shape,
    learn_share,
    scale,
    share,
)


def learned(weeks: int, count: int = 10) -> HourRates:
    rates = HourRates()
    for hour in range(weeks * WEEK_HOURS):
        learn(rates, hour % WEEK_HOURS, count)
    return rates


def test_nothing_is_expected_before_anything_came() -> None:
    assert expected(HourRates(), 5) == 0.0
    assert share(HourRates()) == 0.0


def test_a_constant_count_is_expected_as_it_is() -> None:
    rates = learned(6)
    for slot in range(WEEK_HOURS):
        assert expected(rates, slot) == pytest.approx(10.0, rel=0.03)


def test_hours_of_the_day_are_known_after_days() -> None:
    rates = HourRates()
    for hour in range(5 * DAY_HOURS):
        learn(rates, hour, 40 if hour % DAY_HOURS == 12 else 4)
    friday_night, saturday_noon = 5 * DAY_HOURS, 5 * DAY_HOURS + 12
    assert expected(rates, saturday_noon) > 5 * expected(rates, friday_night)


def test_a_weekend_is_known_after_weeks() -> None:
    rates = HourRates()
    for hour in range(6 * WEEK_HOURS):
        learn(rates, hour % WEEK_HOURS, 20 if hour % WEEK_HOURS < 5 * DAY_HOURS else 5)
    assert expected(rates, 6) == pytest.approx(20.0, rel=0.2)
    assert expected(rates, 5 * DAY_HOURS + 6) == pytest.approx(5.0, rel=0.3)


@pytest.mark.parametrize(
    ("asked", "taken"), [(0.5, 0.5), (0.0, SCALE_AT_LEAST), (1e9, SCALE_AT_MOST), (1.0, 1.0)]
)
def test_a_new_level_is_taken_within_bounds(asked: float, taken: float) -> None:
    rates = learned(6)
    scale(rates, asked)
    assert expected(rates, 3) == pytest.approx(10.0 * taken, rel=0.05)


def test_learning_the_shape_leaves_the_level() -> None:
    rates = learned(6)
    level = msgspec.msgpack.encode(rates.level)
    learn_shape(rates, 3, 100)
    assert msgspec.msgpack.encode(rates.level) == level
    assert expected(rates, 3) > 11.0


def test_a_share_of_an_exposure_is_learned_whatever_the_hour() -> None:
    rates = HourRates()
    for orders in (10, 40, 0, 25):
        learn_share(rates, orders * 0.4, orders)
    assert share(rates) == pytest.approx(0.4)


def test_any_counts_give_finite_positive_expectations() -> None:
    rates, chance = HourRates(), random.Random(4)
    for hour in range(3 * WEEK_HOURS):
        count = chance.choice([0, 0, 1, 1_000_000])
        assert 0.0 <= expected(rates, hour % WEEK_HOURS) < 1e12
        learn(rates, hour % WEEK_HOURS, count)
