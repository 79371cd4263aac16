"""Receipts are told in sentences that say what was known and what stood in the way."""

from typing import Any

from rich.text import Text

from models.triggers.absence import Finding
from streams.receipts_told import told_absence, told_decisions, told_story
from tests.builders import START_MS


def decision(**values: Any) -> dict[str, Any]:
    return {
        "at": START_MS,
        "rule": "browse",
        "occasion": "sku1",
        "action_id": "a1",
        "verdict": "withheld",
        "status": "held",
        "reason": "quiet hours",
        "action": "message",
        "message_channel": "email",
        "offer": "",
        "coupon": "",
        "arm": "",
        "propensity": 1.0,
        "held_until": START_MS + 3_600_000,
        "playbook_version": 4,
        "passed": ["in time", "no complaint open"],
        "rivals": [],
        "hazard": 0.25,
        "hazard_version": 0,
        "inputs": {"tier": "new", "orders": 1, "product": "Tea"},
        **values,
    }


def story(*decisions: dict[str, Any], **values: Any) -> dict[str, Any]:
    return {
        "action_id": "a1",
        "customer": "token",
        "rule": "browse",
        "occasion": "sku1",
        "decisions": list(decisions),
        "event": None,
        "beside": [],
        "actions": [],
        "delivery": [],
        "coupon": [],
        **values,
    }


def lines(told: Any) -> list[str]:
    return [line.plain for line in told if isinstance(line, Text)]


def test_a_held_message_says_until_when_and_what_was_passed() -> None:
    told = lines(told_story(story(decision())))
    assert "  began     with the clock: a timer was due" in told
    assert (
        "  decided   2022-01-08 00:00:00  message is held: quiet hours, until 2022-01-08 01:00:00"
        in told
    )
    assert "            passed: in time, no complaint open" in told
    assert "            by version 4 of the playbook" in told
    assert not any("nothing was heard" in line for line in told)


def test_a_sent_message_tells_its_arm_its_coupon_and_its_delivery() -> None:
    sent = decision(
        status="sent", verdict="sent", reason="", held_until=None, arm="mail", propensity=0.475,
        offer="ten", coupon="ABC-1", rivals=["silence"],
    )  # fmt: skip
    clicked = {"type": "message_clicked", "occurred_at": START_MS, "properties": {"url": "/tea"}}
    redeemed = {"at": START_MS, "asked": "redeem", "outcome": "redeemed", "order_id": "o2"}
    told = lines(told_story(story(sent, delivery=[clicked], coupon=[redeemed])))
    assert "  coupon    2022-01-08 00:00:00  redeem: redeemed, order o2" in told
    assert "            drawn: mail, 47.5% likely" in told
    assert "            offer: ten, coupon ABC-1" in told
    assert "  rivals    silence wanted the same moment" in told
    assert "  delivery  2022-01-08 00:00:00  clicked: /tea" in told


def test_a_sent_message_that_nothing_was_heard_of_says_so() -> None:
    sent = decision(status="sent", verdict="sent", reason="", held_until=None)
    assert "  delivery  nothing was heard of it yet" in lines(told_story(story(sent)))


def test_the_event_it_began_with_is_told_with_what_it_was_about() -> None:
    event = {
        "type": "product_viewed",
        "occurred_at": START_MS,
        "channel": "web",
        "properties": {"line": {"product_id": "sku1"}},
    }
    told = lines(told_story(story(decision(), event=event)))
    assert "  began     with product_viewed of sku1, 2022-01-08 00:00:00, over web" in told


def test_older_decisions_come_as_one_line_each() -> None:
    told = lines(told_decisions("c1", [decision(), decision(action_id="a2")], [story(decision())]))
    assert told[0] == "browse decided 2 times about c1"
    assert told[-1] == "2022-01-08 00:00:00  sku1  is held  a2"


def test_where_nothing_was_decided_each_finding_is_a_line() -> None:
    findings = [
        Finding(None, "its moment comes", START_MS)._asdict(),
        Finding(False, "condition 'customer.orders > 3'")._asdict(),
        Finding(True, "in time")._asdict(),
    ]
    absence = {"known": True, "rule_known": True, "playbook_version": 2, "findings": findings}
    assert lines(told_absence("c1", "silent", absence)) == [
        "silent has decided nothing about c1 so far",
        "  by version 2 of the playbook, as things stand now:",
        "   ·   its moment comes 2022-01-08 00:00:00",
        "   no  condition 'customer.orders > 3'",
        "  yes  in time",
    ]


def test_nobody_and_no_playbook_are_said() -> None:
    nobody = {"known": False, "playbook_version": 2, "findings": []}
    assert lines(told_absence("c1", "silent", nobody)) == ["no customer goes by c1"]
    own = {"known": True, "rule_known": True, "playbook_version": 0, "findings": []}
    assert lines(told_absence("c1", "silent", own))[1].startswith("  no playbook is in use")


def test_a_rule_that_is_not_in_the_playbook_is_not_said_to_have_had_no_moment() -> None:
    findings = [Finding(False, "the playbook has no rule silnt; did you mean silent?")._asdict()]
    absence = {"known": True, "rule_known": False, "playbook_version": 2, "findings": findings}
    assert lines(told_absence("c1", "silnt", absence)) == [
        "the playbook has no rule silnt; did you mean silent? (version 2 is in use)"
    ]
