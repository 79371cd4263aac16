"""A playbook over a history is counted by rule, day, customer, cost and collision."""

from typing import Any

from models.customer import Customer
from models.effects import Decided
from models.local_time import zone_of
from models.playbook.offer import Gift, PercentOff
from streams.rehearse.tally import Tally
from tests.builders import START_MS

OFFERS: Any = {"ten": PercentOff(percent=0.1), "gift": Gift(gift="sku1")}


def decided(customer: str = "a", rule: str = "r", **values: Any) -> Decided:
    return Decided(
        **{
            "incarnation": 1,
            "partition": 0,
            "offset": 0,
            "index": 0,
            "customer": customer,
            "at_ms": START_MS,
            "rule": rule,
            "occasion": "o",
            "action_id": "a",
            "verdict": "sent",
            "reason": "",
            "hazard": 0.0,
            "hazard_version": 0,
            "inputs": {},
            "status": "sent",
            **values,
        }
    )


def tally() -> Tally:
    return Tally(OFFERS, zone_of("Asia/Taipei"))


def test_messages_are_counted_by_rule_customer_and_the_shops_day() -> None:
    counts = tally()
    counts.take(decided(at_ms=START_MS + 15 * 3_600_000), None)
    counts.take(decided(at_ms=START_MS + 17 * 3_600_000), None)
    counts.take(decided("b", "s"), None)
    counts.take(decided("b", "s", status="capped"), None)
    told = counts.as_dict()
    assert (told["messages"], told["customers_reached"], told["most_messages_to_one"]) == (3, 2, 2)
    assert told["statuses"] == {"capped": 1, "sent": 3}
    assert told["days"] == {"2022-01-08": {"r": 1, "s": 1}, "2022-01-09": {"r": 1}}
    assert told["rules"]["s"]["statuses"] == {"capped": 1, "sent": 1}


def test_a_task_is_no_message() -> None:
    counts = tally()
    counts.take(decided(action="task"), None)
    assert counts.as_dict()["messages"] == 0
    assert counts.as_dict()["rules"]["r"]["statuses"] == {"sent": 1}


def test_a_share_costs_by_what_its_customer_spends_and_else_by_what_others_do() -> None:
    counts = tally()
    counts.take(decided(offer="ten"), Customer(orders=2, value_cents=8_000))
    counts.take(decided("b", offer="ten"), Customer())
    told = counts.as_dict()
    assert told["worst_cost_cents"] == 800


def test_what_is_held_or_withheld_costs_nothing() -> None:
    counts = tally()
    for status in ("held", "capped", "holdout"):
        counts.take(decided(offer="ten", status=status), Customer(orders=1, value_cents=4_000))
    assert counts.as_dict()["worst_cost_cents"] == 0


def test_offers_without_a_price_are_counted_apart() -> None:
    counts = tally()
    counts.take(decided(offer="gift"), None)
    assert counts.as_dict()["unpriced_offers"] == 1


def test_rules_that_wanted_the_same_moment_are_told_in_pairs() -> None:
    counts = tally()
    counts.take(decided(rule="s", rivals=["r"]), None)
    counts.take(decided(rule="r", rivals=["s", "t"]), None)
    assert counts.as_dict()["collisions"] == [
        {"rules": ["r", "s"], "times": 2},
        {"rules": ["r", "t"], "times": 1},
    ]
