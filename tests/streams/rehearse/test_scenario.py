"""Scenarios are read with every mistake told at its place."""

import random

import pytest

from models.playbook.problem import Place, Problem
from streams import playbook_packs
from streams.rehearse.scenario import BadScenario, Scenario, read_scenario

UNTIL = "until: 2026-03-10T00:00:00+08:00\n"


def read(text: str, time_zone: str = "Asia/Taipei") -> Scenario:
    return read_scenario("s.yaml", text.encode(), time_zone=time_zone, currency="EUR")


def mistakes(text: str) -> list[str]:
    with pytest.raises(BadScenario) as caught:
        read(text)
    return [str(one) for one in caught.value.problems]


def test_events_come_in_the_order_of_time_whatever_the_order_of_the_file() -> None:
    scenario = read(
        "events:\n"
        "- {at: 2026-02-02T00:00:00+08:00, page: {userId: c1, name: late}}\n"
        "- {at: 2026-02-01T00:00:00+08:00, page: {userId: c1, name: early}}\n" + UNTIL
    )
    assert [one.body["name"] for one in scenario.happenings] == ["early", "late"]


def test_the_same_body_twice_is_two_events() -> None:
    event = "- {at: 2026-02-01T00:00:00+08:00, page: {userId: c1}}\n"
    scenario = read("events:\n" + 2 * event + UNTIL)
    assert len({one.body["messageId"] for one in scenario.happenings}) == 2


def test_a_time_without_an_offset_is_the_shops() -> None:
    one = read("until: 2026-03-10T00:00:00\n").until_ms
    assert one == read(UNTIL).until_ms
    own = read("timezone: Europe/Berlin\nuntil: 2026-03-09T17:00:00\n")
    assert (own.until_ms, own.time_zone) == (one, "Europe/Berlin")


def test_a_body_that_the_gateway_would_refuse_is_told_at_the_very_value() -> None:
    body = "{event: Order Completed, userId: c1, properties: {order_id: o1, total: abc}}"
    told = mistakes(f"events:\n- at: 2026-02-01T00:00:00+08:00\n  track: {body}\n{UNTIL}")
    assert told == [
        "s.yaml:3:81: error: the gateway would refuse properties.total of this body: 'abc'; "
        "expected a number"
    ]


def test_every_mistake_is_told_at_once() -> None:
    told = mistakes(
        "evnts: []\n"
        "locales: [English]\n"
        "events:\n"
        "- {at: soon, page: {userId: c1}}\n"
        "- {page: {userId: c1}}\n"
        "- {at: 2026-02-01T00:00:00+08:00}\n"
        "- {at: 2026-02-01T00:00:00+08:00, page: {userId: c1}, track: {}}\n"
        "expect: [{ruel: thank_you}]\n"
    )
    assert [line.split(" error: ")[0] for line in told] == [
        f"s.yaml:{place}:" for place in ("1:1", "1:1", "2:11", "4:8", "5:3", "6:3", "7:3", "8:11")
    ]
    assert told[0].endswith("did you mean 'events'?")
    assert "it is not said when the scenario ends" in told[1]
    assert "'soon' is no time" in told[3]
    assert told[-1].endswith("did you mean 'rule'?")


def test_what_is_no_yaml_is_told_with_its_place() -> None:
    assert mistakes("events: [\n")[0].startswith("s.yaml:2:1: error: this is no YAML")


def test_it_must_not_end_before_its_last_event() -> None:
    told = mistakes(
        "events:\n- {at: 2026-04-01T00:00:00+08:00, page: {userId: c1}}\n" + UNTIL,
    )
    assert told == [
        "s.yaml:3:8: error: the scenario ends before its last event: "
        "'2026-03-10T00:00:00+08:00'; expected a later time"
    ]


def test_expectations_are_read_with_their_times_as_moments() -> None:
    scenario = read(
        UNTIL + "expect: [{rule: a, at: 2026-03-10T00:00:00}]\n"
        "expect_rejected: {status: capped}\nexpect_none: c2\nexpect_tiers: {c1: new}\n"
    )
    assert scenario.expect[0].values == {"rule": "a", "at": scenario.until_ms}
    assert scenario.expect_rejected[0].values == {"status": "capped"}
    assert scenario.expect_none[0].values == {"customer_id": "c2"}
    assert scenario.expect_tiers[0].values == {"customer_id": "c1", "tier": "new"}


SCRAPS = ("{", "}", "[", ":", "- ", "\n", "null", "!x", "&a", "*a", "'", '"', "\x00", "1e999")
DATES = ("9999-12-31T23:59:59", "0001-01-01", "2026-13-01", "99999999999999999999")


@pytest.mark.parametrize("seed", range(300))
def test_whatever_is_broken_is_told_and_nothing_else_is_raised(seed: int) -> None:
    chance = random.Random(seed)
    text = (playbook_packs.REHEARSALS / "browse_24h.yaml").read_text()
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(text))
        text = text[:at] + chance.choice(SCRAPS + DATES) + text[at + chance.randint(0, 12) :]
    problems = told_or_read(text)
    assert all(one.place.line >= 1 and one.message for one in problems)


def told_or_read(text: str) -> tuple[Problem, ...]:
    try:
        read(text)
    except BadScenario as bad:
        return bad.problems or (Problem(place=Place("s.yaml", 0), message="nothing is told"),)
    return ()
