"""Who was exposed to a rule and what came of it, counted in ClickHouse."""

from collections.abc import Iterator
from typing import Any

import pytest

from models.clock import DAY_MS, HOUR_MS
from models.effects import FactBase
from models.events import MessageChannel, Unsubscribed
from models.lift import ALL, OUTCOMES, Group, lifts
from sinks.clickhouse_lift import LIFT, Counted, answer_of, counted, parameters_of
from tests.builders import START_MS, cancelled, make, named, refunded
from tests.contract.records import folded, merged, placed
from tests.contract.warehouse import Warehouse, fresh_warehouse

pytestmark = pytest.mark.real

NOW_MS = START_MS + 60 * DAY_MS


class Shop:
    """A warehouse with decisions put in as the sink would."""

    def __init__(self, warehouse: Warehouse) -> None:
        self.warehouse = warehouse
        self._decisions = 0

    def decided(self, who: str, at_ms: int = START_MS, status: str = "sent", **more: Any) -> None:
        row = {
            "at": at_ms / 1_000,
            "customer": named(who),
            "rule": "silence",
            "status": status,
            "arm": "holdout" if status == "holdout" else "",
            "propensity": 0.05 if status == "holdout" else 0.95,
            "playbook_version": 1,
            "inputs": '{"tier":"regular"}',
            "_offset": self._decisions,
        } | more
        self._decisions += 1
        names, values = ", ".join(row), ", ".join(map(repr, row.values()))
        self.warehouse.client.command(f"INSERT INTO decisions ({names}) VALUES ({values})")

    async def land(self, *facts: FactBase) -> None:
        await self.warehouse.land(*facts)

    def counted(self, days: int = 14, rule: str = "silence", now_ms: int = NOW_MS) -> Counted:
        return counted(self.rows(days, rule, now_ms))

    def rows(self, days: int = 14, rule: str = "", now_ms: int = NOW_MS) -> list[dict[str, Any]]:
        asked = parameters_of(rule, days, now_ms, "EUR")
        found = self.warehouse.client.query(LIFT, parameters=asked)
        return [dict(zip(found.column_names, row, strict=True)) for row in found.result_rows]


@pytest.fixture(scope="module")
def shared(clickhouse: str) -> Iterator[Warehouse]:
    columns = ("status String", "arm String", "propensity Float64", "playbook_version UInt32")
    with fresh_warehouse(clickhouse) as made:
        for column in columns:
            made.client.command(f"ALTER TABLE decisions ADD COLUMN IF NOT EXISTS {column}")
        yield made


@pytest.fixture
def shop(shared: Warehouse) -> Shop:
    """The same database each time, emptied."""
    for table in ("decisions", "orders", "order_lines", "order_voids", "events", "merges"):
        shared.client.command(f"TRUNCATE TABLE {table}")
    return Shop(shared)


def bought(who: str, order_id: str, days: float, cents: int = 2_000, **more: Any) -> FactBase:
    at_ms = START_MS + int(days * DAY_MS)
    return placed(order_id, customer=named(who), at_ms=at_ms, cents=cents, lines=(), **more)


def left(who: str, at_ms: int) -> Any:
    channel = MessageChannel.EMAIL
    return make(Unsubscribed, customer=named(who), at_ms=at_ms, message_channel=channel)


def means(group: Group) -> dict[str, float]:
    return {name: one.mean for name, one in zip(OUTCOMES, group.samples, strict=True)}


async def test_outcomes_are_those_of_the_days_after_the_first_exposure(shop: Shop) -> None:
    shop.decided("anna")
    shop.decided("anna", START_MS + 10 * DAY_MS)
    shop.decided("bo", status="holdout")
    await shop.land(
        bought("anna", "before", -0.001),
        bought("anna", "within", 0.001, discount_cents=200),
        bought("anna", "at the end", 14.0),
        bought("anna", "after", 14.001),
        bought("bo", "his", 3, cents=500),
        folded(left("bo", START_MS + 2 * DAY_MS)),
    )
    treated, control = sorted(shop.counted().groups)
    assert (treated.arm, treated.propensity, treated.tier) == ("", 0.95, "regular")
    assert means(treated) == {
        "buyers": 1.0,
        "orders": 2.0,
        "revenue_cents": 4_000.0,
        "discount_cents": 200.0,
        "unsubscribed": 0.0,
    }
    assert (control.arm, control.propensity) == ("holdout", 0.05)
    assert means(control) == {
        "buyers": 1.0,
        "orders": 1.0,
        "revenue_cents": 500.0,
        "discount_cents": 0.0,
        "unsubscribed": 1.0,
    }


async def test_cancelled_orders_do_not_count_and_refunds_are_taken_off(shop: Shop) -> None:
    shop.decided("anna")
    shop.decided("bo", status="holdout")
    await shop.land(
        bought("anna", "kept", 1),
        bought("anna", "sent back", 2),
        bought("anna", "undone", 3),
        folded(refunded("sent back", 500, customer=named("anna"), at_ms=START_MS + 20 * DAY_MS)),
        folded(cancelled("undone", customer=named("anna"), at_ms=START_MS + 20 * DAY_MS)),
        bought("anna", "elsewhere", 4, currency="USD"),
    )
    treated, _ = sorted(shop.counted().groups)
    assert means(treated)["orders"] == 3.0
    assert means(treated)["revenue_cents"] == 3_500.0


def test_only_customers_whose_days_are_over_are_counted(shop: Shop) -> None:
    shop.decided("anna")
    shop.decided("bo", START_MS + HOUR_MS, status="holdout")
    end_ms = START_MS + 14 * DAY_MS
    assert shop.counted(now_ms=end_ms - 1).groups == []
    assert [one.arm for one in shop.counted(now_ms=end_ms).groups] == [""]
    assert len(shop.counted(now_ms=end_ms + HOUR_MS).groups) == 2
    assert shop.counted(days=30, now_ms=end_ms + HOUR_MS).groups == []


@pytest.mark.parametrize("status", ["held", "capped", "muted", "no_consent", "out_of_budget"])
def test_whom_chance_chose_counts_whatever_stood_in_the_way(shop: Shop, status: str) -> None:
    """Of those left alone nobody knows what would have."""
    shop.decided("anna", status=status)
    shop.decided("anna", START_MS + HOUR_MS)
    shop.decided("bo", status="holdout")
    assert [(one.arm, one.samples[0].count) for one in shop.counted().groups] == [
        ("", 1),
        ("holdout", 1),
    ]


def test_decisions_without_a_chance_are_no_exposures(shop: Shop) -> None:
    shop.decided("anna", propensity=1.0)
    shop.decided("carl", propensity=1.0, status="cancelled")
    # A rule that leaves nobody out has nothing to be compared with.
    shop.decided("anna", rule="receipt", propensity=0.5, arm="a")
    shop.decided("bo", status="holdout")
    assert [one.arm for one in shop.counted().groups] == ["holdout"]
    assert shop.counted(rule="receipt").groups == []
    assert [one.arm for one in shop.counted(rule="").groups] == ["holdout", "holdout"]


async def test_who_was_on_both_sides_is_on_neither(shop: Shop) -> None:
    """Two devices of one person met different chances before they were one."""
    shop.decided("anna")
    shop.decided("phone", START_MS + HOUR_MS, status="holdout")
    shop.decided("bo", status="holdout")
    shop.decided("tablet", START_MS + HOUR_MS)
    shop.decided("carl")
    await shop.land(
        merged(named("phone"), named("anna")), merged(named("tablet"), named("carl"), offset=1)
    )
    found = shop.counted()
    assert [(one.arm, one.samples[0].count) for one in found.groups] == [("", 1), ("holdout", 1)]
    assert found.mixed == {"silence": 1}
    assert answer_of(shop.rows(), 14, "EUR")["mixed"] == {"all": 1, "silence": 1}


def test_arms_are_told_apart_and_the_first_of_two_receipts_may_have_none(shop: Shop) -> None:
    shop.decided("anna")
    shop.decided("anna", START_MS + HOUR_MS, arm="gift", propensity=0.475)
    shop.decided("bo", arm="ten", propensity=0.475)
    shop.decided("carl", arm="ten", propensity=0.475)
    shop.decided("carl", START_MS + HOUR_MS, arm="gift", propensity=0.475)
    shop.decided("dora", status="holdout")
    found = shop.counted()
    assert [(one.arm, one.propensity) for one in found.groups] == [
        ("gift", 0.475),
        ("holdout", 0.05),
        ("ten", 0.475),
    ]
    assert found.mixed == {"silence": 1}


def test_all_rules_together_are_one_exposure(shop: Shop) -> None:
    for who, status in (("anna", "sent"), ("bo", "holdout")):
        shop.decided(who, START_MS + DAY_MS, status)
        shop.decided(who, START_MS, status, rule="birthday")
    shop.decided("anna", START_MS + DAY_MS, rule="birthday", arm="gift", propensity=0.5)
    found = [one for one in shop.counted(rule="").groups if one.rule == ALL]
    assert [(one.arm, one.samples[0].count) for one in found] == [("", 1), ("holdout", 1)]


def test_a_shop_without_a_holdout_has_no_lift(shop: Shop) -> None:
    assert answer_of(shop.rows(), 14, "EUR")["lifts"] == []
    shop.decided("anna")
    assert answer_of(shop.rows(), 14, "EUR")["lifts"] == []


async def test_a_lift_is_told_with_its_bounds(shop: Shop) -> None:
    facts = []
    for number in range(60):
        shop.decided(f"t{number}")
        if number % 2:
            facts.append(bought(f"t{number}", f"o{number}", 3))
    for number in range(30):
        shop.decided(f"c{number}", status="holdout")
    await shop.land(*facts)
    [lift] = [one for one in lifts(shop.counted().groups) if one.tier == ALL]
    found = lift.outcomes["orders"]
    assert (lift.treated, lift.control) == (60, 30)
    assert (found.treated, found.control, found.difference, found.total) == (0.5, 0.0, 0.5, 30.0)
    assert found.is_clear
    told = answer_of(shop.rows(), 14, "EUR")["lifts"]
    assert [(one["rule"], one["tier"]) for one in told] == [
        (None, None),
        (None, "regular"),
        ("silence", None),
        ("silence", "regular"),
    ]
