"""Two playbooks' decisions are held against each other by what a customer notices."""

from typing import Any

from streams.rehearse.comparison import Comparison


def said(customer: str, rule: str = "r", **values: Any) -> dict[str, Any]:
    return {
        "at": "2026-02-01T12:00:00+08:00",
        "customer_id": customer,
        "rule": rule,
        "status": "sent",
        "kind": "message",
        "channel": "email",
        "offer": None,
        **values,
    }


def test_the_same_decisions_differ_in_nothing() -> None:
    comparison = Comparison("a", "b")
    comparison.take([said("c1")], [said("c1", coupon="another code")])
    assert comparison.as_dict()["same"]
    assert comparison.as_dict()["rules"] == {}


def test_more_and_fewer_are_told_by_rule_with_the_customers_concerned() -> None:
    comparison = Comparison("a", "b")
    comparison.take([said("c1")], [said("c1"), said("c2"), said("c3")])
    comparison.take([said("c1", "s")], [])
    told = comparison.as_dict()
    assert told["customers_differing"] == 3
    assert told["rules"]["r"] == {
        "sent_first": 1,
        "sent_second": 3,
        "more": 2,
        "only_first": 0,
        "only_second": 2,
        "customers": 2,
    }
    assert told["rules"]["s"]["more"] == -1


def test_another_status_is_a_difference_on_both_sides() -> None:
    comparison = Comparison("a", "b")
    comparison.take([said("c1")], [said("c1", status="capped")])
    rule = comparison.as_dict()["rules"]["r"]
    assert (rule["only_first"], rule["only_second"], rule["more"]) == (1, 1, -1)


def test_a_decision_made_twice_by_one_is_one_difference() -> None:
    comparison = Comparison("a", "b")
    comparison.take([said("c1")], [said("c1"), said("c1")])
    assert comparison.as_dict()["rules"]["r"]["only_second"] == 1


def test_only_so_many_examples_are_kept() -> None:
    comparison = Comparison("a", "b", examples_max=2)
    comparison.take([], [said(f"c{number}") for number in range(5)])
    told = comparison.as_dict()
    assert [one["only_in"] for one in told["examples"]] == ["b", "b"]
    assert told["customers_differing"] == 5
