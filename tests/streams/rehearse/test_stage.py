"""The stage's clock stops where something is due, and the log is played as it would be live."""

import pytest

from models.clock import DAY_MS, HOUR_MS, MINUTE_MS
from streams.rehearse.stage import Broken, Stage
from tests.builders import ANNA, START_MS, house_rules, identified, named, order, released, viewed

FIRST_MS = START_MS + 7


def test_timers_fire_when_they_are_due_to_the_millisecond() -> None:
    stage = Stage(house_rules())
    stage.take(order(at_ms=FIRST_MS))
    stage.advance(START_MS + HOUR_MS)
    assert [one.at_ms for one in stage.decided] == [FIRST_MS + 10 * MINUTE_MS]


def test_with_a_grain_they_fire_at_the_next_multiple_of_it() -> None:
    stage = Stage(house_rules(), grain_ms=MINUTE_MS, beat_ms=HOUR_MS)
    stage.take(order(at_ms=FIRST_MS))
    stage.advance(START_MS + HOUR_MS)
    assert [one.at_ms for one in stage.decided] == [START_MS + 11 * MINUTE_MS]


def test_with_a_beat_the_end_still_decides_all_that_is_due() -> None:
    stage = Stage(house_rules(), grain_ms=MINUTE_MS, beat_ms=HOUR_MS)
    stage.take(order(at_ms=FIRST_MS))
    stage.end(START_MS + 12 * MINUTE_MS)
    assert len(stage.decided) == 1
    assert stage.now_ms == START_MS + 12 * MINUTE_MS


def test_what_the_dispatcher_would_say_of_a_message_comes_back() -> None:
    stage = Stage(house_rules())
    stage.take(order(at_ms=FIRST_MS))
    stage.advance(START_MS + HOUR_MS)
    row = stage.customer(ANNA)
    assert row is not None
    assert row.messages_sent == 1
    assert [one.status for one in row.messages] == ["delivered"]


def test_a_merge_arrives_at_the_same_moment() -> None:
    stage = Stage(house_rules())
    visitor = named("visitor")
    stage.take(viewed(customer=visitor, at_ms=FIRST_MS, anonymous=True))
    stage.take(identified(at_ms=FIRST_MS + 1))
    stage.take(released(ANNA, customer=visitor, at_ms=FIRST_MS + 2))
    row = stage.customer(ANNA)
    assert row is not None
    assert row.views == 1


def test_a_timer_that_was_due_long_ago_fires_at_once_and_time_does_not_go_back() -> None:
    stage = Stage(house_rules())
    stage.advance(START_MS + DAY_MS)
    late = order(at_ms=START_MS)
    late.received_at_ms = START_MS + DAY_MS + 5
    stage.take(late)
    stage.advance(START_MS + DAY_MS + HOUR_MS)
    assert [one.at_ms for one in stage.decided] == [START_MS + DAY_MS + 5]


def test_what_the_fold_cannot_take_is_said_to_be_a_fault_of_the_product() -> None:
    stage = Stage(house_rules())
    stage.advance(START_MS)
    with pytest.raises(Broken, match="undecodable"):
        stage._fold_one(b"{", b"key")
