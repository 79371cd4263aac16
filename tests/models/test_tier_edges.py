"""Edges of the tiers from what the shop's customers spend."""

import random

import msgspec
import pytest

from models.customer import Customer, Tier, apply
from models.merging import absorb
from models.tier import PLAYBOOK_EDGES, tier_of
from models.tier_edges import (
    CUSTOMERS_BEFORE_USE,
    MOVES_BY,
    STAY,
    Spend,
    SpendSketches,
    spend_of,
)
from tests.builders import DAY, START_MS, cancelled, copy_of, order


def spends(count: int, seed: int = 1) -> list[Spend]:
    chance = random.Random(seed)
    return [
        Spend(
            chance.randrange(1, 30),
            round(chance.lognormvariate(10, 1)),
            chance.randrange(1, 9),
            round(chance.lognormvariate(9, 1)),
        )
        for _ in range(count)
    ]


def sketches_of(counted: list[Spend]) -> SpendSketches:
    sketches = SpendSketches()
    for spend in counted:
        sketches.move(None, spend)
    return sketches


def test_a_young_shop_goes_by_the_playbook() -> None:
    few = sketches_of(spends(CUSTOMERS_BEFORE_USE - 1))
    assert few.edges() == PLAYBOOK_EDGES


def test_edges_are_the_shops_own_quantiles() -> None:
    counted = spends(2_000)
    edges = sketches_of(counted).edges()
    above = sum(one.year_cents >= edges.high_value_cents for one in counted)
    assert above / 2_000 == pytest.approx(0.1, abs=0.015)
    above = sum(one.quarter_cents >= edges.potential_value_cents for one in counted)
    assert above / 2_000 == pytest.approx(0.4, abs=0.03)
    assert edges.high_value_order_days == pytest.approx(15, abs=1)
    assert edges.stay == STAY


def test_an_edge_that_moved_little_stays_and_moves_nobody() -> None:
    counted = spends(2_000)
    published = sketches_of(counted).edges()
    richer = [
        one._replace(year_cents=round(one.year_cents * (1 + MOVES_BY / 2))) for one in counted
    ]
    assert sketches_of(richer).edges(published) == published
    rich = [one._replace(year_cents=one.year_cents * 2) for one in counted]
    assert sketches_of(rich).edges(published).high_value_cents > published.high_value_cents * 1.5


def test_who_is_high_value_stays_so_when_the_edge_rises_a_little() -> None:
    customer = Customer()
    for number in range(8):
        at_ms = START_MS + number * DAY
        apply(customer, order(f"o{number}", 10_000, at_ms), at_ms)
    now_ms = START_MS + 8 * DAY
    edges = msgspec.structs.replace(PLAYBOOK_EDGES, high_value_cents=80_000, stay=STAY)
    risen = msgspec.structs.replace(edges, high_value_cents=95_000)
    assert tier_of(customer, now_ms, risen)[0] is not Tier.HIGH_VALUE
    customer.tier = tier_of(customer, now_ms, edges)[0].value
    assert tier_of(customer, now_ms, risen)[0] is Tier.HIGH_VALUE


def test_a_customer_counts_as_it_was_at_its_last_order() -> None:
    customer = Customer()
    assert spend_of(customer) is None
    for day, cents in ((0, 1_000), (300, 500), (380, 200), (380, 300)):
        at_ms = START_MS + day * DAY
        apply(customer, order(f"o{day}{cents}", cents, at_ms), at_ms)
    assert spend_of(customer) == Spend(2, 1_000, 2, 1_000)


def test_every_move_of_a_row_can_be_taken_back() -> None:
    sketches, one, other = SpendSketches(), Customer(), Customer()
    for number, customer in enumerate([one, other, one, other, one]):
        at_ms = START_MS + number * 40 * DAY
        before = spend_of(customer)
        apply(customer, order(f"o{number}", 1_000 * number + 1_000, at_ms), at_ms)
        sketches.move(before, spend_of(customer))
    before = spend_of(one)
    apply(one, cancelled("o4"), START_MS + 161 * DAY)
    sketches.move(before, spend_of(one))
    before = spend_of(one)
    gone = spend_of(other)
    absorb(one, copy_of(other))
    sketches.move(before, spend_of(one))
    sketches.move(gone, None)
    only = spend_of(one)
    assert only is not None
    assert sketches == sketches_of([only])
    sketches.move(only, None)
    assert sketches == SpendSketches()


def test_shops_halves_joined_are_the_shop_and_come_back_from_bytes() -> None:
    counted = spends(500)
    joined = sketches_of(counted[:200])
    joined.join(sketches_of(counted[200:]))
    assert joined == sketches_of(counted)
    packed = msgspec.msgpack.encode(joined)
    assert msgspec.msgpack.decode(packed, type=SpendSketches).edges() == joined.edges()
