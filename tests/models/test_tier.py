"""Exactly one tier, and why."""

import pytest

from models.customer import Customer, Tier, apply
from models.dormancy import Dormancy
from models.tier import PLAYBOOK_EDGES, TierEdges, falls_ms, tier_of
from tests.builders import DAY, START_MS, cancelled, order

NEVER: list[tuple[int, int]] = []


def buyer(orders: list[tuple[int, int]]) -> Customer:
    """A customer with orders given as (day, cents)."""
    customer = Customer()
    for number, (day, cents) in enumerate(orders):
        at_ms = START_MS + day * DAY
        apply(customer, order(f"o{number}", cents, at_ms), at_ms)
    return customer


def on_days(count: int, cents: int, apart: int = 10) -> list[tuple[int, int]]:
    return [(number * apart, cents) for number in range(count)]


@pytest.mark.parametrize(
    ("orders", "day", "tier"),
    [
        (NEVER, 0, Tier.NEW),
        ([(0, 5_000)], 0, Tier.NEW),
        ([(0, 5_000)], 29, Tier.NEW),
        ([(0, 5_000)], 30, Tier.DORMANT),
        ([(0, 900_000), (0, 900_000)], 1, Tier.NEW),
        ([(0, 100), (1, 100)], 1, Tier.REGULAR),
        ([(0, 7_500), (1, 7_500)], 1, Tier.REGULAR),
        ([(0, 5_000), (1, 5_000), (2, 4_999)], 2, Tier.REGULAR),
        ([(0, 5_000), (1, 5_000), (2, 5_000)], 2, Tier.POTENTIAL),
        ([(0, 5_000), (60, 5_000), (89, 5_000)], 89, Tier.POTENTIAL),
        ([(0, 5_000), (60, 5_000), (89, 5_000)], 90, Tier.REGULAR),
        (on_days(6, 16_666), 50, Tier.POTENTIAL),
        (on_days(6, 16_667), 50, Tier.HIGH_VALUE),
        (on_days(5, 50_000), 40, Tier.POTENTIAL),
        (on_days(6, 16_667), 79, Tier.HIGH_VALUE),
        (on_days(6, 16_667), 80, Tier.DORMANT),
        (on_days(6, 20_000, apart=73), 365, Tier.REGULAR),
        (on_days(6, 20_000, apart=72), 360, Tier.HIGH_VALUE),
        ([(0, 100), (800, 100)], 800, Tier.REGULAR),
    ],
)
def test_a_tier_begins_and_ends_at_its_edges(
    orders: list[tuple[int, int]], day: int, tier: Tier
) -> None:
    assert tier_of(buyer(orders), START_MS + day * DAY)[0] is tier


@pytest.mark.parametrize(
    "orders",
    [
        on_days(3, 5_000),
        on_days(4, 5_000),
        [(0, 10_000), (60, 100), (89, 10_000)],
        [(0, 5_000), (1, 5_000), (2, 5_000), (50, 15_000), (51, 1)],
        on_days(6, 16_667),
        on_days(9, 16_667, apart=40),
        on_days(60, 9_000, apart=6),
    ],
)
@pytest.mark.parametrize("edges", [PLAYBOOK_EDGES, TierEdges(stay=0.8)])
def test_a_tier_falls_by_time_on_the_day_that_is_foretold(
    orders: list[tuple[int, int]], edges: TierEdges
) -> None:
    customer = buyer(orders)
    now_ms = customer.last_order_ms + 5
    awake = Dormancy.AWAKE
    tier = tier_of(customer, now_ms, edges, dormancy=awake)[0]
    customer.tier = tier.value
    falls = falls_ms(customer, now_ms, edges)
    assert tier in (Tier.POTENTIAL, Tier.HIGH_VALUE)
    assert falls is not None
    assert tier_of(customer, falls - 1, edges, dormancy=awake)[0] is tier
    assert tier_of(customer, falls, edges, dormancy=awake)[0] is not tier


@pytest.mark.parametrize("tier", [Tier.NEW, Tier.REGULAR, Tier.DORMANT])
def test_a_tier_that_hangs_on_no_window_never_falls_out_of_one(tier: Tier) -> None:
    customer = buyer(on_days(3, 5_000))
    customer.tier = tier.value
    assert falls_ms(customer, START_MS) is None


def test_a_cancelled_order_does_not_lift() -> None:
    customer = buyer([(0, 100), (1, 100)])
    apply(customer, cancelled("o1"), START_MS + DAY)
    assert tier_of(customer, START_MS + DAY)[0] is Tier.NEW


def test_an_order_ahead_of_the_clock_counts() -> None:
    assert tier_of(buyer([(0, 100), (5, 100)]), START_MS)[0] is Tier.REGULAR


@pytest.mark.parametrize(
    ("orders", "day", "reason"),
    [
        (NEVER, 0, "no order yet"),
        ([(0, 1)], 0, "ordered on one day so far"),
        ([(0, 1)], 30, "no order for 30 days"),
        ([(0, 1), (1, 1)], 1, "orders now and then"),
        (on_days(3, 5_000), 20, "spent at least 150 on 3 days or more within 90 days"),
        (on_days(6, 16_667), 50, "spent at least 1000 on 6 days or more within a year"),
    ],
)
def test_a_tier_says_why(orders: list[tuple[int, int]], day: int, reason: str) -> None:
    assert tier_of(buyer(orders), START_MS + day * DAY)[1] == reason


def test_a_shop_may_draw_its_own_edges() -> None:
    edges = TierEdges(high_value_cents=200, high_value_order_days=2)
    assert tier_of(buyer([(0, 100), (1, 100)]), START_MS + DAY, edges)[0] is Tier.HIGH_VALUE
    assert PLAYBOOK_EDGES.high_value_cents == 100_000


def test_who_is_in_a_tier_may_miss_a_day_of_it() -> None:
    edges = TierEdges(potential_value_cents=100, potential_order_days=4, stay=0.75)
    customer, now_ms = buyer(on_days(3, 5_000)), START_MS + 20 * DAY
    assert tier_of(customer, now_ms, edges)[0] is Tier.REGULAR
    customer.tier = Tier.POTENTIAL.value
    assert tier_of(customer, now_ms, edges) == (
        Tier.POTENTIAL,
        "spent at least 1 on 3 days or more within 90 days",
    )


def test_who_is_above_an_edge_stays_for_a_while_below_it() -> None:
    edges = TierEdges(high_value_cents=250, high_value_order_days=2, stay=0.8)
    customer, now_ms = buyer([(0, 100), (1, 100)]), START_MS + DAY
    assert tier_of(customer, now_ms, edges)[0] is Tier.REGULAR
    customer.tier = Tier.HIGH_VALUE.value
    assert tier_of(customer, now_ms, edges)[0] is Tier.HIGH_VALUE
    lower = TierEdges(high_value_cents=251, high_value_order_days=2, stay=0.8)
    assert tier_of(customer, now_ms, lower)[0] is Tier.REGULAR
