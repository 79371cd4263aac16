"""Moments that come by themselves: silences, dates, cadences."""

from typing import Any

import msgspec
import pytest

from models.clock import DAY_MS, HOUR_MS
from models.customer import Timer, find_timer
from models.events import CouponApplied, CouponEnded, CouponIssued
from models.playbook.edition import Edition, opened
from models.segments import SegmentsSnapshot
from models.tier import TierEdges
from tests.builders import START_MS, actions_in, cancelled, identified, make, on, order, viewed
from tests.models.triggers.playing import BROWSE, HEAD, SILENT, Play

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


HOLIDAYS = """
triggers:
  eve:
    when: {holiday: christmas, country: DE, before: 1d, at: "10:00"}
    then: [{message: hello}]
  noon:
    when: {holiday: christmas, country: DE, before: 1d, at: "12:00"}
    then: [{tag: noon}]
  new_year:
    when: {holiday: new_year, country: DE, at: "10:00"}
    then: [{tag: new_year}]
"""
EVE_MS = on("UTC", "2022-12-24", 10)


def test_all_holidays_wait_in_one_timer_and_each_comes_at_its_own_time() -> None:
    play = Play(HOLIDAYS)
    play.happens(identified())
    assert [one.due_ms for one in play.customer.timers if one.rule == "moment"] == [EVE_MS]
    assert play.passes_to(EVE_MS - 1) == []
    assert play.passes_to(EVE_MS) == ["eve sent"]
    assert play.passes_to(EVE_MS) == []
    assert play.passes_to(EVE_MS + 2 * HOUR_MS) == ["noon sent"]
    assert play.passes_to(on("UTC", "2023-01-01", 10)) == ["new_year sent"]
    assert play.passes_to(on("UTC", "2023-12-24", 12)) == ["eve sent", "noon sent"]


def test_holidays_that_one_mark_brings_come_together_and_once() -> None:
    play = Play(HOLIDAYS)
    play.happens(identified())
    assert play.passes_to(EVE_MS + 5 * HOUR_MS) == ["eve sent", "noon sent"]
    assert play.passes_to(EVE_MS + 6 * HOUR_MS) == []


def test_a_timer_of_a_release_that_had_one_for_each_holiday_still_comes_once() -> None:
    play = Play(HOLIDAYS)
    play.happens(identified())
    play.customer.timers = [
        Timer("moment", "eve", EVE_MS, "2022-12-25"),
        Timer("moment", "noon", EVE_MS + 2 * HOUR_MS, "2022-12-25"),
    ]
    assert play.passes_to(EVE_MS) == ["eve sent"]
    assert play.passes_to(EVE_MS + 2 * HOUR_MS) == ["noon sent"]
    assert play.passes_to(on("UTC", "2023-01-01", 10)) == ["new_year sent"]


NATIONAL_EVE = """
triggers:
  national:
    when: {holiday: national_day, before: 1d, at: "10:00"}
    then: [{message: hello}]
"""


def test_two_countries_in_one_time_zone_keep_their_own_days() -> None:
    play = Play("")
    at_home = HEAD.replace("shop: {", "shop: {country: CN, ")
    files = {"main": at_home + NATIONAL_EVE}
    play.view.rulebook = opened(Edition(version=1, main="main", files=files))
    dues = {}
    for country in ("CN", "TW", "CN"):
        play.happens(identified(traits={"country": country, "timezone": "Asia/Taipei"}))
        dues[country] = next(one.due_ms for one in play.customer.timers if one.rule == "moment")
    assert dues == {
        "CN": on("Asia/Taipei", "2022-09-30", 10),
        "TW": on("Asia/Taipei", "2022-10-09", 10),
    }


@pytest.mark.parametrize(
    "event", [viewed("p2"), identified(traits={"city": "Bonn"})], ids=["a look", "a trait"]
)
@pytest.mark.parametrize(
    ("rules", "due_ms", "said"),
    [
        (CADENCE, START_MS + 14 * DAY_MS + 10 * HOUR_MS, "again sent"),
        (HOLIDAYS, EVE_MS, "eve sent"),
        (BIRTHDAY, on("UTC", "2022-03-04", 10), "birthday sent"),
    ],
    ids=["a beat", "a holiday", "a birthday"],
)
def test_a_moment_that_has_come_is_not_taken_away_by_an_event_before_its_mark(
    rules: str, due_ms: int, said: str, event: Any
) -> None:
    play = Play(rules)
    play.happens(identified(traits={"birthday": "1990-03-05"}), viewed("p1"))
    assert play.passes_to(due_ms - 1) == []
    play.view.now_ms = due_ms + 1
    play.happens(msgspec.structs.replace(event, id="in the gap", occurred_at_ms=due_ms + 1))
    assert play.passes_to(due_ms + 2) == [said]
    assert play.passes_to(due_ms + HOUR_MS) == []


def test_a_silence_that_is_full_is_not_taken_away_by_an_edition_before_its_mark() -> None:
    play = Play(SILENT)
    play.happens(order("o1"))
    play.view.now_ms = START_MS + 30 * DAY_MS + 1
    assert play.applies(SILENT + "  # edited") == []
    assert play.passes_to(START_MS + 30 * DAY_MS + 2) == ["silent sent"]


def look_ms(play: Play) -> int | None:
    """When the customer is to be looked at."""
    timer = find_timer(play.customer, "look")
    return None if timer is None else timer.due_ms


BY_TIER = """
triggers:
  again:
    when: {every: 2d, while: 'customer.tier == "%s"'}
    then: [{message: hello}]
"""
SPENT = [order(f"o{day}", 6_000, START_MS + day * DAY_MS) for day in (0, 1, 2)]


@pytest.mark.parametrize("tier", ["new", "regular", "dormant"])
def test_tiers_that_no_window_holds_are_not_looked_at(tier: str) -> None:
    play = Play(BY_TIER % "regular")
    play.happens(
        *SPENT[:1] if tier == "new" else [order("o1"), order("o2", at_ms=START_MS + DAY_MS)]
    )
    if tier == "dormant":
        play.passes_to(START_MS + 200 * DAY_MS)
    assert (play.customer.tier, look_ms(play)) == (tier, None)


def test_a_tier_of_a_window_is_looked_at_on_the_day_it_falls() -> None:
    play = Play(BY_TIER % "regular")
    play.happens(*SPENT, *(order(f"s{n}", 1, START_MS + n * DAY_MS) for n in range(20, 90, 20)))
    falls_day = START_MS // DAY_MS + 90
    assert play.customer.tier == "potential"
    due_ms = look_ms(play)
    assert due_ms is not None
    assert due_ms // DAY_MS == falls_day
    assert play.passes_to(due_ms - 1) == []
    play.passes_to(due_ms)
    assert (play.customer.tier, look_ms(play)) == ("regular", None)
    assert play.passes_to(due_ms + 2 * DAY_MS) == ["again sent"]


def test_what_is_taken_back_brings_the_look_nearer_and_an_order_leaves_it() -> None:
    play = Play(BY_TIER % "regular")
    play.happens(*SPENT)
    early = look_ms(play)
    play.happens(order("o3", 20_000, START_MS + 3 * DAY_MS))
    assert look_ms(play) == early
    play.passes_to(START_MS + 4 * DAY_MS)
    play.happens(*(order(f"p{n}", 40_000, START_MS + (5 + n) * DAY_MS) for n in range(3)))
    assert play.customer.tier == "high_value"
    play.passes_to((early or 0) + DAY_MS)
    assert look_ms(play) is None, "asleep"
    play.happens(order("back", 100, START_MS + 100 * DAY_MS))
    far = look_ms(play)
    assert play.customer.tier == "high_value"
    play.happens(cancelled("o2", at_ms=START_MS + 101 * DAY_MS))
    near = look_ms(play)
    assert play.customer.tier == "high_value"
    assert near is not None
    assert near + DAY_MS == far, "of the days that hold the tier the first is a day earlier"
    play.happens(*(cancelled(one, at_ms=START_MS + 102 * DAY_MS) for one in ("p0", "p1")))
    assert (play.customer.tier, look_ms(play)) == ("regular", None)


def test_edges_that_the_shop_learns_are_looked_at_daily() -> None:
    play = Play(BY_TIER % "potential", segments=SegmentsSnapshot(edges=TierEdges()))
    play.happens(order("o1"), order("o2", at_ms=START_MS + DAY_MS))
    due_ms = look_ms(play)
    assert play.customer.tier == "regular"
    assert due_ms is not None
    assert START_MS + DAY_MS < due_ms <= START_MS + 2 * DAY_MS


def test_a_tier_that_only_silence_brought_begins_its_cadence_then() -> None:
    play = Play(CADENCE.replace('"new"', '"dormant"').replace("14d", "2d"))
    play.happens(order("o1"))
    told = play.passes_to(START_MS + 30 * DAY_MS)
    assert (play.customer.tier, look_ms(play), told) == ("dormant", None, [])
    told = [one for day in range(31, 35) for one in play.passes_to(START_MS + day * DAY_MS)]
    assert told[:1] == ["again sent"]


def test_days_without_an_order_are_looked_at_where_a_condition_counts_them() -> None:
    play = Play(CADENCE.replace('customer.tier == "new"', "customer.last_view_days >= 3"))
    play.happens(viewed("p1"))
    assert look_ms(play) is not None
    told = [one for day in range(1, 19) for one in play.passes_to(START_MS + day * DAY_MS)]
    assert told == ["again sent"]


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
