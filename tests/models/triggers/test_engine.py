"""What an event, a due timer or a new edition sets going."""

import pytest

from models.clock import DAY_MS, HOUR_MS, MINUTE_MS
from models.effects import Action
from models.events import (
    Line,
    MessageChannel,
    PageViewed,
    ProductAdded,
    TicketClosed,
    TicketOpened,
    Tracked,
    Unsubscribed,
)
from tests.builders import START_MS, cancelled, identified, make, order, viewed
from tests.models.triggers.playing import Play

BROWSE = """
triggers:
  browse:
    when: {event: product_viewed, wait: 24h, unless: order_completed}
    then: [{message: hello, channels: email}]
"""
THANKS = """
triggers:
  thanks:
    when: {event: order_completed, if: customer.orders == 1, wait: 10m, unless: order_cancelled,
           same_item: true}
    then: [{message: hello, channels: email, offer: ten}]
    guard: {once: customer}
"""
SILENT = """
triggers:
  silent:
    when: {silence: 30d}
    then: [{message: hello}]
"""


def test_what_was_looked_at_and_not_bought_is_reminded_of_once() -> None:
    play = Play(BROWSE)
    assert play.happens(viewed("p1"), viewed("p1", at_ms=START_MS + HOUR_MS)) == []
    assert play.passes_to(START_MS + DAY_MS - 1) == []
    assert play.passes_to(START_MS + DAY_MS) == ["browse sent"]
    action = next(one for one in play.effects if isinstance(one, Action))
    assert (action.template, action.message_channel) == ("hello", MessageChannel.EMAIL)
    assert action.variables["product_id"] == "p1"
    assert action.expires_at_ms == START_MS + 3 * DAY_MS
    assert action.playbook_version == 1
    assert play.passes_to(START_MS + 9 * DAY_MS) == []


def test_an_order_cancels_the_browse_reminder() -> None:
    play = Play(BROWSE)
    play.happens(viewed("p1"))
    assert play.happens(order("o1", at_ms=START_MS + DAY_MS)) == ["browse cancelled"]
    assert play.passes_to(START_MS + 3 * DAY_MS) == []


def test_an_order_that_came_in_before_the_older_look_leaves_nothing_to_remind_of() -> None:
    play = Play(BROWSE)
    play.happens(order("o1", at_ms=START_MS + HOUR_MS), viewed("p1", at_ms=START_MS))
    assert play.passes_to(START_MS + 3 * DAY_MS) == []


def test_of_many_items_the_last_three_are_waited_for() -> None:
    play = Play(BROWSE)
    play.happens(*(viewed(f"p{at}", at_ms=START_MS + at) for at in range(5)))
    assert play.passes_to(START_MS + DAY_MS) == []
    assert play.passes_to(START_MS + DAY_MS + HOUR_MS) == [
        "browse sent",
        "browse superseded",
        "browse superseded",
    ]


def test_thanks_are_said_for_the_first_order_alone_and_carry_the_offer() -> None:
    play = Play(THANKS)
    play.happens(order("o1"))
    assert play.passes_to(START_MS + 10 * MINUTE_MS) == ["thanks sent"]
    assert play.told[-1].offer == "ten"
    action = next(one for one in play.effects if isinstance(one, Action))
    assert action.variables["offer_percent"] == "10"
    play.happens(order("o2", at_ms=START_MS + DAY_MS))
    assert play.passes_to(START_MS + 2 * DAY_MS) == []


def test_a_cancelled_order_stops_its_thanks_and_no_other() -> None:
    play = Play(THANKS)
    play.happens(order("o1"))
    assert play.happens(cancelled("o2")) == []
    assert play.happens(cancelled("o1", at_ms=START_MS + 1)) == ["thanks cancelled"]
    assert play.passes_to(START_MS + DAY_MS) == []


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


def test_what_waits_for_a_removed_rule_is_cancelled_and_a_changed_one_takes_it_over() -> None:
    play = Play(BROWSE)
    play.happens(viewed("p1"))
    assert play.applies(BROWSE.replace("message: hello", "message: news")) == []
    assert play.passes_to(START_MS + DAY_MS) == ["browse sent"]
    assert play.told[-1].playbook_version == 2
    play.happens(viewed("p2", at_ms=START_MS + 2 * DAY_MS))
    assert play.applies(THANKS) == ["browse cancelled"]
    assert play.told[-1].reason == "the rule is no longer there"


NIGHT = """
quiet_hours: [{from: "21:00", to: "09:00"}]
triggers:
  cart:
    when: {event: product_added, wait: 1h, unless: order_completed}
    then: [{message: hello}]
"""


def test_a_message_of_the_night_is_held_until_morning_and_decided_again() -> None:
    play = Play(NIGHT)
    evening = START_MS + 21 * HOUR_MS
    play.happens(make(ProductAdded, line=Line("p1"), at_ms=evening))
    assert play.passes_to(evening + HOUR_MS) == ["cart held"]
    assert play.told[-1].held_until_ms == START_MS + 33 * HOUR_MS
    held_id = play.told[-1].action_id
    assert play.passes_to(START_MS + 33 * HOUR_MS) == ["cart sent"]
    assert play.told[-1].action_id == held_id


def test_an_order_in_the_night_cancels_what_is_held() -> None:
    play = Play(NIGHT)
    evening = START_MS + 21 * HOUR_MS
    play.happens(make(ProductAdded, line=Line("p1"), at_ms=evening))
    play.passes_to(evening + HOUR_MS)
    assert play.happens(order("o1", at_ms=evening + 2 * HOUR_MS)) == ["cart cancelled"]
    assert play.passes_to(START_MS + 40 * HOUR_MS) == []


def test_who_unsubscribed_meanwhile_gets_nothing() -> None:
    play = Play(BROWSE)
    play.happens(viewed("p1"))
    play.happens(make(Unsubscribed, message_channel=MessageChannel.EMAIL, at_ms=START_MS + 1))
    assert play.passes_to(START_MS + DAY_MS) == ["browse no_consent"]


def test_nobody_is_written_to_whom_nobody_knows() -> None:
    play = Play(BROWSE, known=False)
    play.happens(viewed("p1", anonymous=True))
    assert play.passes_to(START_MS + DAY_MS) == ["browse no_consent"]


def test_a_complaint_mutes_until_it_is_solved() -> None:
    play = Play(BROWSE)
    play.happens(viewed("p1"), make(TicketOpened, ticket_id="t1", at_ms=START_MS + 1))
    assert play.passes_to(START_MS + DAY_MS) == ["browse muted"]
    play.happens(
        viewed("p2", at_ms=START_MS + 2 * DAY_MS),
        make(TicketClosed, ticket_id="t1", at_ms=START_MS + 2 * DAY_MS),
    )
    assert play.passes_to(START_MS + 3 * DAY_MS) == ["browse sent"]


CAPPED = """
caps: [{at_most: 1, per: 7d}]
triggers:
  second:
    when: {event: page_viewed}
    then: [{message: hello}]
  first:
    when: {event: page_viewed}
    then: [{message: hello}]
    guard: {priority: 90}
  service:
    when: {event: page_viewed}
    then: [{message: news}]
    guard: {priority: 10}
"""


def test_caps_hold_over_rules_the_higher_priority_goes_first_and_service_is_not_counted() -> None:
    play = Play(CAPPED)
    assert play.happens(make(PageViewed)) == ["first sent", "second capped", "service sent"]
    assert play.told[-2].rivals == ["first", "service"]
    again = START_MS + 7 * DAY_MS
    assert play.happens(make(PageViewed, at_ms=again - 1)) == [
        "first capped",
        "second capped",
        "service sent",
    ]
    assert play.happens(make(PageViewed, at_ms=again))[0] == "first sent"


LADDER = """
triggers:
  ladder:
    when: {event: tracked, if: event.name == "Go"}
    then:
      - message: hello
      - wait: 2d
        unless: order_completed
      - if: customer.orders > 0
        then: [{tag: bought}]
        else:
          - split:
              - {arm: call, share: 50%, then: [{task: Call back, for: desk, due: 4h}]}
              - {arm: mail, share: 50%, then: [{message: hello}]}
      - untag: new
"""


def test_steps_follow_one_another_with_waits_branches_and_arms() -> None:
    play = Play(LADDER)
    assert play.happens(make(Tracked, name="Go")) == ["ladder sent"]
    assert play.passes_to(START_MS + 2 * DAY_MS) == ["ladder sent", "ladder sent"]
    drawn, last = play.told[-2:]
    assert drawn.arm in ("call", "mail")
    assert drawn.propensity == 0.5
    assert last.action == "untag"
    names = [one.action_id for one in play.told]
    assert len(names) == len(set(names))


def test_a_wait_among_the_steps_ends_when_it_says_so() -> None:
    play = Play(LADDER)
    play.happens(make(Tracked, name="Go"))
    assert play.happens(order("o1", at_ms=START_MS + DAY_MS)) == ["ladder cancelled"]
    assert play.passes_to(START_MS + 3 * DAY_MS) == []


CADENCE = """
triggers:
  again:
    when: {every: 14d, while: 'customer.tier == "new"', until: order_completed, at: "10:00"}
    then: [{message: hello}]
"""


def test_a_cadence_goes_on_until_the_purchase() -> None:
    play = Play(CADENCE)
    play.happens(viewed("p1"))
    first = START_MS + 14 * DAY_MS + 10 * HOUR_MS
    assert play.passes_to(first - 1) == []
    assert play.passes_to(first) == ["again sent"]
    assert play.passes_to(first + 14 * DAY_MS) == ["again sent"]
    play.happens(order("o1", at_ms=first + 15 * DAY_MS))
    assert play.passes_to(first + 100 * DAY_MS) == []


TIERS = """
perks: {lounge: {description: The lounge}}
tiers: {high_value: {perks: [lounge]}}
segments: {big: {if: customer.value > 100}}
triggers:
  welcome:
    when: {enters_tier: high_value}
    then: [{message: news}]
  goodbye:
    when: {leaves_tier: new}
    then: [{tag: grown}]
  big_now:
    when: {enters_segment: big}
    then: [{tag: big}]
  rich:
    when: {value_reaches: 900}
    then: [{tag: rich}]
"""


def test_tiers_segments_and_sums_are_moments() -> None:
    play = Play(TIERS)
    said = [
        one
        for day in range(6)
        for one in play.happens(order(f"o{day}", cents=30_000, at_ms=START_MS + day * DAY_MS))
    ]
    assert sorted(said) == [
        "big_now sent",
        "goodbye sent",
        "rich sent",
        "tier:high_value sent",
        "welcome sent",
    ]
    assert play.customer.playbook.perks == {"lounge": 0}
    assert sorted(play.customer.playbook.tags) == ["big", "grown", "rich"]
    assert play.happens(order("o9", cents=30_000, at_ms=START_MS + 6 * DAY_MS)) == []


BIRTHDAY = """
quiet_hours: [{from: "21:00", to: "09:00"}]
triggers:
  birthday:
    when: {date_of: birthday, at: "10:00", before: 1d}
    then: [{message: hello, offer: ten}]
"""


def test_a_birthday_comes_every_year_and_follows_the_customers_zone() -> None:
    play = Play(BIRTHDAY)
    play.happens(identified(traits={"birthday": "1990-03-05", "timezone": "Asia/Taipei"}))
    assert play.passes_to(START_MS + 400 * DAY_MS) == ["birthday cancelled"]
    assert play.told[-1].reason == "its moment has passed"
    due = next(one.due_ms for one in play.customer.timers if one.rule == "moment")
    assert (due // HOUR_MS) % 24 == 2
    assert play.passes_to(due) == ["birthday sent"]


HELD_OUT = """
holdout: {share: 100%}
triggers:
  one:
    when: {event: product_viewed}
    then: [{message: hello}]
  always:
    when: {event: product_viewed}
    then: [{message: news}]
    guard: {holdout: false}
"""


def test_who_is_held_out_is_left_alone_with_a_receipt() -> None:
    play = Play(HELD_OUT)
    assert play.happens(viewed("p1")) == ["always sent", "one holdout"]
    assert (play.told[-1].arm, play.told[-1].propensity) == ("holdout", 1.0)


def test_what_an_offer_may_cost_is_never_exceeded() -> None:
    text = """
triggers:
  give:
    when: {event: product_viewed}
    then: [{give: five}]
"""
    play = Play(text)
    said = [play.happens(viewed(f"p{at}", at_ms=START_MS + at)) for at in range(4)]
    assert said == [["give sent"], ["give sent"], ["give out_of_budget"], ["give out_of_budget"]]


@pytest.mark.parametrize(("hazard_above", "offer"), [("1%", ""), ("99%", "ten")])
def test_a_sure_buyer_gets_the_message_without_the_offer(hazard_above: str, offer: str) -> None:
    play = Play(
        f"""
triggers:
  one:
    when: {{event: product_viewed}}
    then: [{{message: hello, offer: ten}}]
    guard: {{no_offer_above: {hazard_above}}}
"""
    )
    play.happens(order("o1"))
    assert play.happens(viewed("p1")) == ["one sent"]
    assert play.told[-1].offer == offer
