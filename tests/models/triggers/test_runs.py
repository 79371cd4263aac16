"""Rules under way: they wait, go through their steps, and are stopped."""

from models.clock import DAY_MS, HOUR_MS, MINUTE_MS
from models.effects import Action
from models.events import TYPES, MessageChannel, ProductReviewed, TicketOpened, Tracked
from models.triggers import runs
from tests.builders import START_MS, cancelled, make, order, refunded, viewed
from tests.models.triggers.playing import BROWSE, LADDER, THANKS, Play


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


def test_a_first_order_told_twice_is_thanked_for_once() -> None:
    play, first = Play(THANKS), order("o1")
    play.happens(first, first, order("o1"))
    assert play.passes_to(START_MS + DAY_MS) == ["thanks sent"]


def test_an_order_whose_cancellation_came_first_is_not_thanked_for() -> None:
    play = Play(THANKS)
    play.happens(cancelled("o1"), order("o1"))
    assert play.passes_to(START_MS + DAY_MS) == []


def test_after_a_cancelled_first_order_the_next_is_thanked_for() -> None:
    play = Play(THANKS)
    play.happens(order("o1"), cancelled("o1"), order("o2", at_ms=START_MS + HOUR_MS))
    assert play.passes_to(START_MS + DAY_MS) == ["thanks sent"]


def test_a_refund_does_not_stop_the_thanks() -> None:
    play = Play(THANKS)
    play.happens(order("o1"), refunded("o1"))
    assert play.passes_to(START_MS + DAY_MS) == ["thanks sent"]


def test_a_cancelled_order_does_not_bring_the_browse_reminder_back() -> None:
    play = Play(BROWSE)
    play.happens(viewed("p1"), order("o1", at_ms=START_MS + 1), cancelled("o1", START_MS + 2))
    assert play.passes_to(START_MS + 3 * DAY_MS) == []


def test_looking_again_after_the_reminder_is_reminded_of_again() -> None:
    play = Play(BROWSE)
    play.happens(viewed("p1"))
    assert play.passes_to(START_MS + DAY_MS) == ["browse sent"]
    play.happens(viewed("p1", at_ms=START_MS + 2 * DAY_MS))
    assert play.passes_to(START_MS + 3 * DAY_MS) == ["browse sent"]


def test_a_wait_among_the_steps_ends_when_it_says_so() -> None:
    play = Play(LADDER)
    play.happens(make(Tracked, name="Go"))
    assert play.happens(order("o1", at_ms=START_MS + DAY_MS)) == ["ladder cancelled"]
    assert play.passes_to(START_MS + 3 * DAY_MS) == []


def test_what_may_not_begin_makes_nothing_else_give_way() -> None:
    once_an_item = BROWSE + "    guard: {once: item, caps: false}\n"
    play = Play(once_an_item)
    play.happens(viewed("p0"))
    assert play.passes_to(START_MS + DAY_MS) == ["browse sent"]
    later = START_MS + 2 * DAY_MS
    play.happens(*(viewed(f"p{at}", at_ms=later + at * HOUR_MS) for at in (1, 2, 3)))
    play.happens(viewed("p0", at_ms=later + 4 * HOUR_MS))
    assert [run.item for run in play.customer.playbook.runs] == ["p1", "p2", "p3"]


def test_every_event_that_has_a_product_or_an_order_of_its_own_is_about_it() -> None:
    having = {
        name: {kind for kind in TYPES if name in vars(kind)}
        for name in ("line", "ticket_id", "product_id")
    }
    assert having["line"] == runs._OF_LINES
    assert having["ticket_id"] == runs._OF_TICKETS
    assert having["product_id"] - runs._OF_TICKETS - runs._OF_ORDERS == {ProductReviewed}
    assert runs.item_of(viewed("p1")) == "p1"
    assert runs.item_of(order("o1")) == "o1"
    assert runs.item_of(make(TicketOpened, ticket_id="t1", product_id="p1")) == "t1"
    assert runs.item_of(make(ProductReviewed, product_id="p1", rating=4.0)) == "p1"
    assert runs.item_of(make(Tracked, name="Go")) == ""
