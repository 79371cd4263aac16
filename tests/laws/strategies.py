"""Anything a customer's log may hold, for the laws."""

from typing import Any

from hypothesis import strategies as st

from models.events import (
    Channel,
    CouponApplied,
    CouponDenied,
    CouponEnded,
    CouponIssued,
    CouponReturned,
    CustomerIdentified,
    Erased,
    Event,
    Line,
    MessageBounced,
    MessageChannel,
    MessageClicked,
    MessageDelivered,
    MessageOpened,
    MessageSent,
    OrderCancelled,
    OrderCompleted,
    OrderRefunded,
    PageViewed,
    ProductAdded,
    ProductRemoved,
    ProductReviewed,
    ProductsSearched,
    ProductViewed,
    ProductWished,
    ReturnRequested,
    TicketAnswered,
    TicketClosed,
    TicketOpened,
    TicketRated,
    Tracked,
    Unsubscribed,
)
from tests.builders import DAY, START_MS, make

TEXTS = st.sampled_from(["", "a", "b", "客戶", "🛍️" * 30, "never seen before", "x" * 300])
IDS = st.sampled_from(["1", "2", "3", "4"])
CENTS = st.one_of(
    st.integers(0, 20_000), st.sampled_from([0, -500, 10**12, -(10**12), 2**31, 2**31 - 1])
)
# Backwards, the same moment, and gaps of years are all as likely as the next minute.
GAPS_MS = st.sampled_from([0, 1, 60_000, DAY, 31 * DAY, 900 * DAY, -1, -DAY, -400 * DAY])
LINES = st.builds(Line, product_id=IDS, total_cents=CENTS, category=TEXTS, name=TEXTS)
MESSAGES = st.fixed_dictionaries(
    {"action_id": IDS, "message_channel": st.sampled_from(list(MessageChannel))}
)
ORDER = st.fixed_dictionaries({"order_id": IDS})
TICKET = st.fixed_dictionaries({"ticket_id": IDS})
LINE = st.fixed_dictionaries({"line": LINES})
COUPON = st.fixed_dictionaries({"coupon": TEXTS})
VALUES = st.one_of(TEXTS, st.booleans(), st.integers(-5, 5), st.floats(-1, 1))

FIELDS: dict[type[Event], st.SearchStrategy[dict[str, Any]]] = {
    CustomerIdentified: st.fixed_dictionaries(
        {},
        optional={
            "traits": st.dictionaries(TEXTS, VALUES, max_size=3),
            "sealed": st.dictionaries(TEXTS, TEXTS, max_size=3),
            "lookup": st.dictionaries(TEXTS, TEXTS, max_size=2),
        },
    ),
    OrderCompleted: st.fixed_dictionaries(
        {
            "order_id": IDS,
            "total_cents": CENTS,
            "currency": st.just("EUR"),
            "lines": st.lists(LINES, max_size=3).map(tuple),
            "discount_cents": CENTS,
        }
    ),
    OrderCancelled: ORDER,
    OrderRefunded: st.fixed_dictionaries(
        {"order_id": IDS, "amount_cents": st.one_of(st.none(), CENTS)}
    ),
    ProductViewed: LINE,
    ProductAdded: LINE,
    ProductRemoved: LINE,
    ProductWished: LINE,
    ProductsSearched: st.fixed_dictionaries({"query": TEXTS}),
    PageViewed: st.just({}),
    MessageSent: MESSAGES,
    MessageDelivered: MESSAGES,
    MessageOpened: MESSAGES,
    MessageClicked: MESSAGES,
    MessageBounced: MESSAGES,
    Unsubscribed: st.fixed_dictionaries({"message_channel": st.sampled_from(list(MessageChannel))}),
    CouponIssued: COUPON,
    CouponApplied: COUPON,
    CouponDenied: COUPON,
    CouponReturned: COUPON,
    CouponEnded: COUPON,
    TicketOpened: TICKET,
    TicketAnswered: TICKET,
    TicketClosed: TICKET,
    TicketRated: st.fixed_dictionaries({"ticket_id": IDS, "rating": st.floats(1, 5)}),
    ProductReviewed: st.fixed_dictionaries({"product_id": IDS, "rating": st.floats(1, 5)}),
    ReturnRequested: ORDER,
    Tracked: st.fixed_dictionaries({"name": TEXTS}),
    Erased: st.just({}),
}


@st.composite
def events(draw: st.DrawFn, *kinds: type[Event], max_size: int = 25) -> list[Any]:
    """One customer's events as they arrive; of any kind unless some are named."""
    at_ms = START_MS + 1_000 * DAY
    made = []
    for number in range(draw(st.integers(0, max_size))):
        at_ms = max(1, at_ms + draw(GAPS_MS))
        kind = draw(st.sampled_from(kinds or tuple(FIELDS)))
        made.append(
            make(
                kind,
                id=f"e{number}",
                at_ms=at_ms,
                channel=draw(st.sampled_from(list(Channel))),
                anonymous=draw(st.booleans()),
                **draw(FIELDS[kind]),
            )
        )
    return made
