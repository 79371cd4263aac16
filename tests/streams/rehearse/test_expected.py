"""What was expected is held against what was played, and each difference is said."""

from typing import Any

from streams.rehearse.expected import differences
from streams.rehearse.play import Rehearsal
from streams.rehearse.scenario import read_scenario

NOON = "2026-02-01T12:00:00+08:00"


def said(**values: Any) -> dict[str, Any]:
    return {
        "at": NOON,
        "customer_id": "c1",
        "rule": "thank_you",
        "channel": "email",
        "kind": "message",
        "offer": None,
        "coupon": None,
        "status": "sent",
        "reason": "",
        "action_id": "a1",
    } | values


def unlike(expectations: str, *actions: dict[str, Any], rejected: Any = ()) -> list[str]:
    text = f"until: {NOON}\n{expectations}\n"
    scenario = read_scenario("s.yaml", text.encode(), time_zone="UTC", currency="EUR")
    return differences(scenario, Rehearsal("", list(actions), list(rejected), {"c1": "new"}))


def test_what_came_as_expected_differs_in_nothing() -> None:
    wanted = f"expect: [{{rule: thank_you, at: {NOON}, offer: null, customer_id: c1}}]"
    assert unlike(wanted, said()) == []


def test_a_minute_more_or_less_is_no_difference_and_two_are() -> None:
    assert unlike(f"expect: [{{at: {NOON}}}]", said(at="2026-02-01T12:01:00+08:00")) == []
    assert unlike(f"expect: [{{at: {NOON}}}]", said(at="2026-02-01T04:02:00+00:00")) != []


def test_a_difference_names_its_line_and_what_came_near() -> None:
    told = unlike("expect:\n- {rule: thank_you, status: sent}", said(status="held"))
    assert told == [
        "s.yaml:3:3: there is no action with rule thank_you, status sent\n"
        f"    near: at {NOON}, customer_id c1, rule thank_you, channel email, kind message, "
        "status held, action_id a1; differs in status"
    ]


def test_one_action_answers_one_expectation() -> None:
    wanted = "expect: [{rule: thank_you}, {rule: thank_you}]"
    assert len(unlike(wanted, said())) == 1
    assert unlike(wanted, said(), said(action_id="a2")) == []


def test_a_vague_expectation_does_not_take_what_a_precise_one_needs() -> None:
    wanted = "expect: [{rule: thank_you}, {action_id: a1}]"
    assert unlike(wanted, said(), said(action_id="a2")) == []


def test_rejections_are_expected_by_their_status() -> None:
    wanted = "expect_rejected: [{status: capped}]"
    assert len(unlike(wanted, said(status="capped"))) == 1
    assert unlike(wanted, rejected=[said(status="capped")]) == []


def test_who_was_to_get_nothing_and_got_something_is_named() -> None:
    told = unlike("expect_none: [c1, c2]", said())
    assert len(told) == 1
    assert told[0].startswith("s.yaml:2:15: c1 was to get nothing, and got: at")


def test_tiers_at_the_end_are_held_against_those_expected() -> None:
    assert unlike("expect_tiers: {c1: new}") == []
    assert unlike("expect_tiers: {c1: regular, c2: new}") == [
        "s.yaml:2:16: c1 was to be regular, and is new",
        "s.yaml:2:29: c2 was to be new, and is nobody: no such customer is there at the end",
    ]
