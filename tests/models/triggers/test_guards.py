"""What stands in a message's way: asked in one order, told on the receipt."""

from models.clock import DAY_MS, HOUR_MS
from models.events import (
    Line,
    MessageChannel,
    PageViewed,
    ProductAdded,
    TicketClosed,
    TicketOpened,
    Unsubscribed,
)
from tests.builders import START_MS, make, order, viewed
from tests.models.triggers.playing import BROWSE, Play

NIGHT = """
quiet_hours: [{from: "21:00", to: "09:00"}]
triggers:
  cart:
    when: {event: product_added, wait: 1h, unless: order_completed}
    then: [{message: hello}]
"""
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


def test_who_is_held_out_is_left_alone_with_a_receipt() -> None:
    play = Play(HELD_OUT)
    assert play.happens(viewed("p1")) == ["always sent", "one holdout"]
    assert (play.told[-1].arm, play.told[-1].propensity) == ("holdout", 1.0)
