"""Moments that come by themselves: silences, dates, cadences."""

from typing import Any

from models.clock import DAY_MS, HOUR_MS
from models.events import CouponApplied, CouponEnded, CouponIssued
from tests.builders import START_MS, actions_in, identified, make, order, viewed
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


COUPONS = """
triggers:
  remind:
    when: {coupon_expires: [ten, own], before: 3d, good_for: 7d}
    then: [{message: hello}]
"""


def given(code: str, days: int, campaign: str = "own", at_ms: int = START_MS) -> Any:
    until_ms = START_MS + days * DAY_MS
    return make(CouponIssued, coupon=code, campaign=campaign, expires_at_ms=until_ms, at_ms=at_ms)


def test_a_coupon_is_reminded_of_if_it_is_asked_for_and_was_good_for_long_enough() -> None:
    play = Play(COUPONS)
    play.happens(given("C1", 30), given("C2", 6), given("C3", 30, campaign="other"))
    assert [one.item.partition("\0")[2] for one in play.customer.timers] == ["C1"]
    assert play.passes_to(START_MS + 27 * DAY_MS) == ["remind sent"]
    (action,) = actions_in(play.effects)
    assert (action.variables["coupon"], action.variables["coupon_until"]) == ("C1", "2022-02-07")


def test_one_that_is_redeemed_or_ended_is_not_reminded_of_and_one_given_again_is() -> None:
    play = Play(COUPONS)
    play.happens(given("C1", 30), given("C2", 30))
    play.happens(make(CouponApplied, coupon="C1", at_ms=START_MS + 1))
    play.happens(make(CouponEnded, coupon="C2", reason="revoked", at_ms=START_MS + 2))
    assert play.customer.timers == []
    play.happens(given("C1", 60, at_ms=START_MS + DAY_MS))
    assert play.passes_to(START_MS + 56 * DAY_MS) == []
    assert play.passes_to(START_MS + 57 * DAY_MS) == ["remind sent"]


def test_one_that_is_redeemed_while_quiet_hours_hold_the_reminder_is_not_reminded_of() -> None:
    play = Play('quiet_hours: [{from: "21:00", to: "09:00"}]' + COUPONS)
    play.happens(given("C1", 30))
    assert play.passes_to(START_MS + 27 * DAY_MS) == ["remind held"]
    play.happens(make(CouponApplied, coupon="C1", at_ms=START_MS + 27 * DAY_MS + HOUR_MS))
    assert play.passes_to(START_MS + 28 * DAY_MS) == ["remind cancelled"]
    assert play.told[-1].reason == "the coupon is redeemed or over in the meantime"


def test_a_new_rule_finds_the_coupons_that_are_held_and_a_removed_one_leaves_them() -> None:
    play = Play(SILENT)
    play.happens(given("C1", 30))
    assert play.applies(COUPONS) == []
    assert [one.due_ms for one in play.customer.timers] == [START_MS + 27 * DAY_MS]
    assert play.applies(SILENT) == []
    assert play.customer.timers == []
