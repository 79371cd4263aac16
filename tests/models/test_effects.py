"""Effects are data with deterministic names."""

import msgspec
import pytest

from models.effects import (
    Action,
    Alert,
    DayEnded,
    DeadLetter,
    Decided,
    EventFolded,
    Fact,
    Forgotten,
    HazardLesson,
    HourEnded,
    Lesson,
    Merged,
    TierChanged,
    action_id,
    encode,
)
from models.events import MessageChannel
from tests.builders import ANNA, START_MS

ID = {
    "incarnation": 1,
    "partition": 2,
    "offset": 3,
    "index": 4,
    "customer": ANNA,
    "at_ms": START_MS,
}
RECEIPT = {
    "rule": "r",
    "occasion": "客",
    "action_id": "a",
    "verdict": "sent",
    "reason": "",
    "hazard": 0.1,
    "hazard_version": 1,
    "inputs": {"x": 1},
}
FACTS = [
    EventFolded(**ID, type="t", logged_at_ms=5, tier="new", event=msgspec.Raw(b'{"a":1}')),
    TierChanged(**ID, from_tier="", to_tier="new", reason="no order yet"),
    Decided(**ID, **RECEIPT),  # type: ignore[arg-type]
    Merged(**ID, origin="b"),
    Forgotten(**ID),
]
LESSONS = [
    HazardLesson(
        partition=0,
        day=1,
        customer=ANNA,
        asked_at_ms=2,
        features=(0.1, 1 / 3, -0.0),
        bought=True,
        foretold=0.3,
        foretold_version=2,
    ),
    DayEnded(partition=0, partitions=4, day=9),
]


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: type(fact).__name__)
def test_every_fact_comes_back_equal(fact: Fact) -> None:
    again: Fact = msgspec.json.decode(encode(fact), type=Fact)
    assert type(again) is type(fact)
    assert encode(again) == encode(fact)
    assert (again.incarnation, again.partition, again.offset) == (1, 2, 3)
    assert (again.index, again.customer, again.at_ms) == (4, ANNA, START_MS)


def test_the_kinds_of_facts_are_as_the_sinks_know_them() -> None:
    kinds = [msgspec.json.decode(encode(fact))["kind"] for fact in FACTS]
    assert kinds == ["event", "tier_changed", "decided", "merged", "forgotten"]


def test_an_events_own_bytes_stand_in_its_fact() -> None:
    assert b'"event":{"a":1}' in encode(FACTS[0])


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda one: type(one).__name__)
def test_every_lesson_comes_back_equal_to_the_last_bit(lesson: Lesson) -> None:
    assert msgspec.json.decode(encode(lesson), type=Lesson) == lesson


@pytest.mark.parametrize(
    "record",
    [
        Action(
            action_id="a",
            customer=ANNA,
            rule="r",
            occasion="o",
            message_channel=MessageChannel.PUSH,
            template="t",
            decided_at_ms=1,
            expires_at_ms=2,
            sealed={"email": "s"},
            variables={"x": [1, "🛍️"]},
        ),
        HourEnded(partition=0, partitions=1, hour_ms=3_600_000, orders=2, revenue_cents=-3),
        Alert(
            fingerprint="f",
            status="firing",
            name="n",
            severity="info",
            starts_at_ms=1,
            summary="s",
            values={"x": 0.5},
        ),
        DeadLetter(source="worker", reason="r", at_ms=1, sealed_raw="s", partition=0, offset=0),
    ],
    ids=lambda one: type(one).__name__,
)
def test_everything_else_comes_back_equal(record: msgspec.Struct) -> None:
    assert msgspec.json.decode(encode(record), type=type(record)) == record


def test_an_action_has_the_same_name_in_every_replay() -> None:
    assert action_id("c", "thank_you", "o1") == "b52a37d624f92fcc33ad1c8a3ade3e76"


@pytest.mark.parametrize(
    "other",
    [("c2", "r", "o"), ("c", "r2", "o"), ("c", "r", "o2"), ("cr", "", "o"), ("c", "ro", "")],
)
def test_actions_have_different_names(other: tuple[str, str, str]) -> None:
    assert action_id(*other) != action_id("c", "r", "o")
