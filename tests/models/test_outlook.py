"""What follows from the hazard: when, how many, still there or not."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.customer import Customer, apply
from models.hazard import features_of
from models.outlook import (
    Outlook,
    alive,
    days_until,
    orders_a_day,
    pack,
    unpack,
    window_days,
)
from tests.builders import DAY, START_MS, order

HAZARDS = st.floats(0.0, 1.0)


def features_at(day: int, *order_days: int) -> tuple[float, ...]:
    customer = Customer()
    for at in order_days:
        apply(customer, order(f"o{at}", 1_000, START_MS + at * DAY), START_MS + at * DAY)
    return features_of(customer, START_MS + day * DAY)


def test_a_steady_customer_is_expected_to_go_on() -> None:
    weekly = features_at(350, *range(0, 351, 7))
    assert orders_a_day(weekly) * 70 == pytest.approx(10.0, abs=0.5)


def test_silence_lowers_what_is_expected_and_the_chance_of_being_alive() -> None:
    told = [features_at(day, 0, 10, 20, 30) for day in (30, 60, 120, 400)]
    rates = [orders_a_day(features) for features in told]
    chances = [alive(features, 60.0) for features in told]
    assert rates == sorted(rates, reverse=True)
    assert chances == sorted(chances, reverse=True)
    assert chances[0] == pytest.approx(0.75, abs=1e-6)
    assert chances[-1] < 0.05


def test_the_same_silence_says_more_of_who_bought_often() -> None:
    assert alive(features_at(160, *range(0, 100, 5)), 60.0) < alive(features_at(160, 0, 95), 60.0)


def test_one_order_alone_promises_little() -> None:
    assert orders_a_day(features_at(5, 0)) < 0.5 * orders_a_day(features_at(5, 0, 3))


@pytest.mark.parametrize("days", [(), (0,), tuple(range(365))])
@pytest.mark.parametrize("day", [0, 365, 40_000])
def test_all_is_finite_whatever_the_customer(days: tuple[int, ...], day: int) -> None:
    features = features_at(day, *days) if days else (0.0,) * 11
    assert 0.0 <= alive(features, 60.0) <= 1.0
    assert 0.0 <= orders_a_day(features) < 1e3
    assert math.isfinite(orders_a_day(features))


@pytest.mark.parametrize(
    ("share", "hazards", "days"),
    [
        (0.5, (0.5, 0.75, 0.875), 30.0),
        (0.25, (0.5, 0.75, 0.875), 30 * math.log(4 / 3) / math.log(2)),
        (0.75, (0.5, 0.75, 0.875), 60.0),
        (0.9375, (0.5, 0.75, 0.875), 120.0),
        (0.5, (0.0, 0.5, 0.75), 60.0),
        (0.5, (0.0, 0.0, 0.0), None),
        (0.5, (0.25, 0.25, 0.25), None),
        (0.5, (1e-6, 2e-6, 3e-6), None),
    ],
)
def test_between_horizons_orders_come_at_an_even_rate(
    share: float, hazards: tuple[float, ...], days: float | None
) -> None:
    found = days_until(share, hazards, (30, 60, 90))
    assert found == (None if days is None else pytest.approx(days))


@given(st.lists(HAZARDS, min_size=3, max_size=3))
def test_a_window_begins_before_it_ends(hazards: list[float]) -> None:
    window = window_days(sorted(hazards), (30, 60, 90))
    if window is not None:
        assert 0.0 < window[0] <= window[1] < 3650.0


@given(st.lists(HAZARDS, min_size=1, max_size=4), HAZARDS, st.floats(0.0, 1e9))
def test_packing_keeps_three_digits(hazards: list[float], chance: float, rate: float) -> None:
    again = unpack(pack(Outlook(tuple(hazards), chance, rate)), hazards[0])
    assert again.hazards == pytest.approx(hazards, rel=1e-3, abs=1e-6)
    assert again.alive == pytest.approx(chance, rel=1e-3, abs=1e-6)
    assert again.orders_a_day == pytest.approx(min(rate, 60_000.0), rel=1e-3, abs=1e-6)
