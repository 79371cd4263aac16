"""Moments that come by themselves: silences, dates, cadences."""

from models.clock import DAY_MS, HOUR_MS
from tests.builders import START_MS, identified, order, viewed
from tests.models.triggers.playing import BROWSE, SILENT, Play

CADENCE = """
triggers:
  again:
    when: {every: 14d, while: 'customer.tier == "new"', until: order_completed, at: "10:00"}
    then: [{message: hello}]
"""
BIRTHDAY = """
quiet_hours: [{from: "21:00", to: "09:00"}]
triggers:
  birthday:
    when: {date_of: birthday, at: "10:00", before: 1d}
    then: [{message: hello, offer: ten}]
"""


def test_silence_is_counted_from_the_last_order_without_touching_the_timer() -> None:
    play = Play(SILENT)
    play.happens(order("o1"))
    timer = next(one for one in play.customer.timers if one.rule == "moment")
    play.happens(order("o2", at_ms=START_MS + 10 * DAY_MS))
    assert timer.due_ms == START_MS + 30 * DAY_MS
    assert play.passes_to(START_MS + 30 * DAY_MS) == []
    assert play.passes_to(START_MS + 40 * DAY_MS) == ["silent sent"]
    assert play.passes_to(START_MS + 400 * DAY_MS) == []
    play.happens(order("o3", at_ms=START_MS + 400 * DAY_MS))
    assert play.passes_to(START_MS + 430 * DAY_MS) == ["silent sent"]


def test_a_new_rule_does_not_make_up_for_silences_that_are_over() -> None:
    play = Play(BROWSE)
    play.happens(order("o1"))
    play.passes_to(START_MS + 100 * DAY_MS)
    assert play.applies(SILENT) == []
    assert play.passes_to(START_MS + 200 * DAY_MS) == []


def test_a_cadence_goes_on_until_the_purchase() -> None:
    play = Play(CADENCE)
    play.happens(viewed("p1"))
    first = START_MS + 14 * DAY_MS + 10 * HOUR_MS
    assert play.passes_to(first - 1) == []
    assert play.passes_to(first) == ["again sent"]
    assert play.passes_to(first + 14 * DAY_MS) == ["again sent"]
    play.happens(order("o1", at_ms=first + 15 * DAY_MS))
    assert play.passes_to(first + 100 * DAY_MS) == []


def test_a_birthday_comes_every_year_and_follows_the_customers_zone() -> None:
    play = Play(BIRTHDAY)
    play.happens(identified(traits={"birthday": "1990-03-05", "timezone": "Asia/Taipei"}))
    assert play.passes_to(START_MS + 400 * DAY_MS) == ["birthday cancelled"]
    assert play.told[-1].reason == "its moment has passed"
    due = next(one.due_ms for one in play.customer.timers if one.rule == "moment")
    assert (due // HOUR_MS) % 24 == 2
    assert play.passes_to(due) == ["birthday sent"]
