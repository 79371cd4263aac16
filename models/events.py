"""What arrives: every event of the log, past tense, as the fold sees it.

A record's value is the JSON of one of these; its `type` is the tag. Personal fields never stand
here in the clear: the gateway puts them into `sealed` (field name -> ciphertext). Amounts are
integer minor units; times are milliseconds since the epoch, UTC. What the contract does not know
is kept in `extra` as it came.

`models/segment.py` makes these from Segment v2 bodies.
"""

from collections.abc import Callable
from enum import Enum
from typing import Annotated, Any, Literal, get_args

import msgspec

from models.clock import DAY_MS

# What a row can add up and a day book can hold: beyond, the record is refused.
Cents = Annotated[int, msgspec.Meta(ge=-(10**12), le=10**12)]
Moment = Annotated[int, msgspec.Meta(ge=1, le=65_535 * DAY_MS)]
Rating = Annotated[float, msgspec.Meta(ge=1, le=5)]


ModelName = Literal["hazard", "ranking", "segments", "playbook"]
"""What the log adopts versions of: the shared models, and the playbook, which people write."""


class Channel(Enum):
    """Where an event happened."""

    WEB = "web"
    APP = "app"
    STORE = "store"
    SERVICE = "service"
    EMAIL = "email"
    SMS = "sms"
    PUSH = "push"
    SERVER = "server"


class MessageChannel(Enum):
    """How a message reaches a customer."""

    EMAIL = "email"
    SMS = "sms"
    PUSH = "push"
    CHAT = "chat"


class Line(msgspec.Struct, omit_defaults=True, frozen=True, gc=False):
    """One product, in an order or looked at; `total_cents` is the whole line's price."""

    product_id: str
    total_cents: Cents = 0
    quantity: float = 1.0
    price_cents: Cents = 0
    category: str = ""
    sku: str = ""
    name: str = ""
    brand: str = ""
    variant: str = ""


class Event(
    msgspec.Struct,
    kw_only=True,
    omit_defaults=True,
    tag_field="type",
    tag=True,
    gc=False,
):
    """What every event of a customer has.

    `customer` is the keyed token of the customer's id (models/tokens.py); `id` is the producer's
    message id, by which repeats are recognised; `occurred_at_ms` is when it happened,
    `received_at_ms` when the gateway took it, both in the log's own time; `claimed_at_ms` keeps a
    producer's time that could not be (later than the log's own clock); `via` names the customers
    a merge brought it through; `anonymous` says the producer knew no customer id, only a device.
    """

    id: str
    customer: str
    occurred_at_ms: Moment
    received_at_ms: Moment
    channel: Channel = Channel.WEB
    source: str = ""
    claimed_at_ms: int = 0
    anonymous: bool = False
    via: tuple[str, ...] = ()
    sealed: dict[str, str] | None = None
    extra: dict[str, Any] | None = None


class CustomerIdentified(Event, tag="customer_identified"):
    """Traits came in; `lookup` maps "email" and "phone" to their tokens."""

    traits: dict[str, str | int | float | bool] | None = None
    lookup: dict[str, str] | None = None


class OrderCompleted(Event, tag="order_completed"):
    """An order was placed and paid; `total_cents` is what the customer pays."""

    order_id: str
    total_cents: Cents
    currency: str
    lines: tuple[Line, ...] = ()
    discount_cents: Cents = 0
    shipping_cents: Cents = 0
    tax_cents: Cents = 0
    coupon: str = ""
    store_id: str = ""


class OrderCancelled(Event, tag="order_cancelled"):
    """An order was undone as if it had never been."""

    order_id: str


class OrderRefunded(Event, tag="order_refunded"):
    """Money went back; `amount_cents` None: all of it."""

    order_id: str
    amount_cents: Cents | None = None
    currency: str = ""
    lines: tuple[Line, ...] = ()


class ProductViewed(Event, tag="product_viewed"):
    """A product's page was looked at."""

    line: Line


class ProductAdded(Event, tag="product_added"):
    """A product was put into the cart."""

    line: Line
    cart_id: str = ""


class ProductRemoved(Event, tag="product_removed"):
    """A product was taken out of the cart."""

    line: Line
    cart_id: str = ""


class ProductWished(Event, tag="product_wished"):
    """A product was put on the wish list."""

    line: Line


class ProductsSearched(Event, tag="products_searched"):
    """The shop was searched; `query` is normalised and holds no e-mail address or phone number."""

    query: str
    results: int | None = None


class PageViewed(Event, tag="page_viewed"):
    """A page that is no product's was looked at."""

    name: str = ""
    path: str = ""


class MessageSent(Event, tag="message_sent"):
    """The dispatcher gave an action's message to its provider."""

    action_id: str
    message_channel: MessageChannel
    rule: str = ""


class MessageDelivered(Event, tag="message_delivered"):
    """The provider says it arrived."""

    action_id: str
    message_channel: MessageChannel


class MessageOpened(Event, tag="message_opened"):
    """The customer opened it."""

    action_id: str
    message_channel: MessageChannel


class MessageClicked(Event, tag="message_clicked"):
    """The customer followed a link in it."""

    action_id: str
    message_channel: MessageChannel
    url: str = ""


class MessageBounced(Event, tag="message_bounced"):
    """It could not be delivered."""

    action_id: str
    message_channel: MessageChannel
    reason: str = ""


class Unsubscribed(Event, tag="unsubscribed"):
    """The customer wants nothing more on this channel."""

    message_channel: MessageChannel
    action_id: str = ""


class CouponIssued(Event, tag="coupon_issued"):
    """A coupon was given."""

    coupon: str
    campaign: str = ""
    expires_at_ms: int = 0


class CouponApplied(Event, tag="coupon_applied"):
    """A coupon was redeemed."""

    coupon: str
    order_id: str = ""
    campaign: str = ""
    discount_cents: Cents = 0


class CouponDenied(Event, tag="coupon_denied"):
    """A coupon was refused."""

    coupon: str
    order_id: str = ""
    reason: str = ""


class CouponReturned(Event, tag="coupon_returned"):
    """The order that had redeemed a coupon of ours is undone: it is good again."""

    coupon: str
    order_id: str = ""
    campaign: str = ""
    expires_at_ms: int = 0


class CouponEnded(Event, tag="coupon_ended"):
    """A coupon of ours can't be redeemed any more; `reason` is "expired" or "revoked"."""

    coupon: str
    campaign: str = ""
    reason: str = ""


class TicketOpened(Event, tag="ticket_opened"):
    """The customer complained or asked; what they wrote is sealed."""

    ticket_id: str
    topic: str = ""
    product_id: str = ""


class TicketAnswered(Event, tag="ticket_answered"):
    """The service desk answered."""

    ticket_id: str


class TicketClosed(Event, tag="ticket_closed"):
    """The ticket was solved."""

    ticket_id: str


class TicketRated(Event, tag="ticket_rated"):
    """The customer rated the service, 1 to 5."""

    ticket_id: str
    rating: Rating


class ProductReviewed(Event, tag="product_reviewed"):
    """A product was rated, 1 to 5; the words are sealed.

    `published` says that the shop shows them to everybody, so that messages may, too.
    """

    product_id: str
    rating: Rating
    review_id: str = ""
    published: bool = False


class ReturnRequested(Event, tag="return_requested"):
    """The customer wants to send something back."""

    order_id: str
    product_id: str = ""
    quantity: float = 1.0
    reason: str = ""


class Tracked(Event, tag="tracked"):
    """An event the contract has no type for, kept whole: its properties are in `extra`."""

    name: str


class Released(Event, tag="released"):
    """A customer turned out to be `target`: the history moves there."""

    target: str


class Absorbed(Event, tag="absorbed"):
    """The history of customer `origin` arrives here; `row` is its state as the table encodes it."""

    origin: str
    row: bytes


class Erased(Event, tag="erased"):
    """The customer's key was destroyed; what is left of the state goes too."""


class ClockMark(msgspec.Struct, tag_field="type", tag="clock_mark"):
    """It is now `at_ms` in the log's time, for the whole partition.

    `wall_offset_ms` is the log's time less the wall's, the same for every later mark made from the
    wall clock; a replay's own marks carry None.
    """

    at_ms: Moment
    wall_offset_ms: int | None = None


class Adopted(msgspec.Struct, tag_field="type", tag="adopted"):
    """From here on the partition decides by `version` of `model`."""

    model: ModelName
    version: int
    checksum: str


class BudgetAnswered(msgspec.Struct, tag_field="type", tag="budget_answered", omit_defaults=True):
    """What the purse of an offer says to the partition that reads it (models/budget.py).

    `granted` is all it was ever granted; `number` counts what was said to it, 0 where `short` says
    nothing. `recall`, if any, calls for what is not spent; `scarce` says that nothing is given
    ahead of need any more. `adoption` is the newest adoption of a playbook the purse has heard of,
    `opening` what it has set apart for a partition it has not.
    """

    purse: str
    granted: int
    number: int = 0
    short: int = 0
    recall: int = 0
    scarce: bool = False
    adoption: int = 0
    opening: int = 0


CustomerEvent = (
    CustomerIdentified
    | OrderCompleted
    | OrderCancelled
    | OrderRefunded
    | ProductViewed
    | ProductAdded
    | ProductRemoved
    | ProductWished
    | ProductsSearched
    | PageViewed
    | MessageSent
    | MessageDelivered
    | MessageOpened
    | MessageClicked
    | MessageBounced
    | Unsubscribed
    | CouponIssued
    | CouponApplied
    | CouponDenied
    | CouponReturned
    | CouponEnded
    | TicketOpened
    | TicketAnswered
    | TicketClosed
    | TicketRated
    | ProductReviewed
    | ReturnRequested
    | Tracked
    | Released
    | Absorbed
    | Erased
)
LogRecord = CustomerEvent | ClockMark | Adopted | BudgetAnswered

# The codecs' own methods: a function around them would cost each event as much as a look-up.
decode: Callable[[bytes], LogRecord] = msgspec.json.Decoder(LogRecord).decode
"""Read one record of the log.

Raises msgspec.DecodeError (or its ValidationError, which names the path and what was expected).
"""
encode: Callable[[LogRecord], bytes] = msgspec.json.Encoder().encode
"""Write one record for the log; `decode` gives it back equal."""

TYPES: dict[type, str] = {kind: str(kind.__struct_config__.tag) for kind in get_args(LogRecord)}


def type_of(record: LogRecord) -> str:
    """Name of the record's type as it stands in the log.

    >>> type_of(ClockMark(at_ms=0))
    'clock_mark'
    """
    return TYPES[type(record)]
