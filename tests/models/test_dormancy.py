"""How far asleep: by edges of the hazard where the shop has shown enough, else by days."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.customer import Customer, apply
from models.dormancy import (
    AHEAD_AT_MOST_DAYS,
    AWAKE_FOR_DAYS,
    UP_AGAIN,
    Dormancy,
    by_days,
    by_edges,
    dormancy_of,
    next_look_ms,
    silence_days,
)
from models.hazard import NOTHING_LEARNED, HazardSnapshot
from tests.builders import DAY, START_MS, order, snapshot

EDGES = (0.5, 0.3, 0.1)
# The closed-form feature alone decides: silence lowers it day by day.
LEARNED = snapshot(weights=(0.0,) * 9 + (1.0, 0.0), edges=EDGES)


def buyer(*days: int) -> Customer:
    customer = Customer()
    for day in days:
        apply(customer, order(f"o{day}", 1_000, START_MS + day * DAY), START_MS + day * DAY)
    return customer


@pytest.mark.parametrize(
    ("silence_ms", "days", "state"),
    [
        (-DAY, 0, Dormancy.AWAKE),
        (0, 0, Dormancy.AWAKE),
        (15 * DAY - 1, 14, Dormancy.AWAKE),
        (15 * DAY, 15, Dormancy.COOLING),
        (30 * DAY - 1, 29, Dormancy.COOLING),
        (30 * DAY, 30, Dormancy.DORMANT),
        (180 * DAY - 1, 179, Dormancy.DORMANT),
        (180 * DAY, 180, Dormancy.LOST),
        (9_000 * DAY, 9_000, Dormancy.LOST),
    ],
)
def test_before_anything_was_learned_days_of_silence_lead_through_the_states(
    silence_ms: int, days: int, state: Dormancy
) -> None:
    assert silence_days(START_MS, START_MS + silence_ms) == days
    assert by_days(START_MS, START_MS + silence_ms) is state
    assert dormancy_of(buyer(0), START_MS + silence_ms, NOTHING_LEARNED) is state


@pytest.mark.parametrize(
    ("silence", "state"),
    [(29, Dormancy.AWAKE), (30, Dormancy.COOLING), (60, Dormancy.DORMANT), (360, Dormancy.LOST)],
)
def test_a_shop_may_have_its_own_number_of_days(silence: int, state: Dormancy) -> None:
    plain = snapshot(edges=(), dormant_after_days=60)
    assert dormancy_of(buyer(0), START_MS + silence * DAY, plain) is state


@pytest.mark.parametrize(
    ("hazard", "before", "state"),
    [
        (0.5, "", Dormancy.AWAKE),
        (0.499, "", Dormancy.COOLING),
        (0.3, "", Dormancy.COOLING),
        (0.299, "", Dormancy.DORMANT),
        (0.099, "", Dormancy.LOST),
        (0.3 * UP_AGAIN - 0.001, "dormant", Dormancy.DORMANT),
        (0.3 * UP_AGAIN, "dormant", Dormancy.COOLING),
        (0.11, "lost", Dormancy.LOST),
        (0.13, "lost", Dormancy.DORMANT),
        (0.55, "lost", Dormancy.COOLING),
        (0.6, "lost", Dormancy.AWAKE),
        (0.299, "awake", Dormancy.DORMANT),
    ],
)
def test_who_is_below_an_edge_comes_back_up_only_well_above_it(
    hazard: float, before: str, state: Dormancy
) -> None:
    assert by_edges(hazard, EDGES, before) is state


@given(st.floats(0, 1), st.sampled_from(["", *(state.value for state in Dormancy)]))
def test_the_state_of_one_who_does_nothing_does_not_flip(hazard: float, before: str) -> None:
    once = by_edges(hazard, EDGES, before)
    assert by_edges(hazard, EDGES, once.value) is once


def test_nobody_sleeps_in_the_week_of_an_order() -> None:
    never = snapshot(intercept=-20.0, edges=EDGES)
    customer = buyer(0)
    for day in range(AWAKE_FOR_DAYS):
        assert dormancy_of(customer, START_MS + day * DAY, never) is Dormancy.AWAKE
    assert dormancy_of(customer, START_MS + AWAKE_FOR_DAYS * DAY, never) is Dormancy.LOST


def test_edges_wait_for_enough_lessons() -> None:
    young = snapshot(lessons=10, intercept=-20.0, edges=EDGES)
    assert dormancy_of(buyer(0), START_MS + 14 * DAY, young) is Dormancy.AWAKE


def test_who_bought_often_is_asleep_sooner() -> None:
    often, seldom = buyer(*range(0, 60, 3)), buyer(0, 30, 60)
    states = list(Dormancy)
    behind = [
        states.index(dormancy_of(often, START_MS + day * DAY, LEARNED))
        - states.index(dormancy_of(seldom, START_MS + day * DAY, LEARNED))
        for day in (120, 160, 200)
    ]
    assert max(behind) > 0
    assert min(behind) >= 0


@pytest.mark.parametrize("learned", [NOTHING_LEARNED, LEARNED])
@pytest.mark.parametrize("days", [(0,), (0, 3, 6), tuple(range(0, 120, 2)), (0, 200)])
def test_the_next_look_is_at_the_very_day_on_which_silence_moves_the_state(
    days: tuple[int, ...], learned: HazardSnapshot
) -> None:
    customer = buyer(*days)
    now_ms = customer.last_order_ms
    for _ in range(12):
        state = dormancy_of(customer, now_ms, learned)
        customer.dormancy = state.value
        look_ms = next_look_ms(customer, now_ms, learned)
        if look_ms is None:
            break
        assert (look_ms - customer.last_order_ms) % DAY == 0
        assert now_ms < look_ms <= now_ms + AHEAD_AT_MOST_DAYS * DAY
        for at_ms in range(now_ms, look_ms, DAY):
            assert dormancy_of(customer, at_ms, learned) is state
        now_ms = look_ms
    assert state is Dormancy.LOST
    assert math.isfinite(now_ms)
