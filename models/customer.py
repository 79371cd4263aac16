"""One customer's state: what the table remembers, and how each kind of event moves it.

`apply` is the whole effect of an event on what we know; what we decide about it is in the rules
(`models/step.py`). Counts, sums, firsts and lasts do not depend on the order in which events arrive
(S33): a cancellation that overtakes its order waits for it, a late order falls into its own day.
"""

from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any

import msgspec
from xxhash import xxh3_64_digest, xxh3_64_intdigest

from models import daybook, decay, held_coupons
from models.clock import DAY_MS, day_of
from models.daybook import DayBook
from models.decay import DecayedCounts
from models.events import (
    TYPES,
    CouponApplied,
    CouponDenied,
    CouponEnded,
    CouponIssued,
    CouponReturned,
    CustomerEvent,
    CustomerIdentified,
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
from models.held_coupons import OURS, HeldCoupon
from models.item_memory import ItemMemory
from models.triggers.notes import Notes

STATE_VERSION = 2
_PLAYBOOK_ALONE = 2
"""The state version from which on all rules stand in playbooks."""
_RULES_BEFORE = frozenset({"thank_you", "browse_reminder"})
KEPT_ORDERS = 12
KEPT_VOIDS = 8
KEPT_MESSAGES = 6
KEPT_RECENT = 8
KEPT_TRAITS = 24
KEPT_TICKETS = 8
KEPT_EVENT_IDS = 32
ID_BYTES = 8
_NEWER_IDS = -(KEPT_EVENT_IDS - 1) * ID_BYTES
VIEW_WEIGHT = 0.5
# What else is sealed with an event (addresses of machines, free text) stays in the log alone.
CONTACT_FIELDS = (
    "name",
    "first_name",
    "last_name",
    "email",
    "phone",
    "street",
    "postal_code",
    "username",
)


class Tier(Enum):
    """Where a customer stands: exactly one, always (S4)."""

    HIGH_VALUE = "high_value"
    POTENTIAL = "potential"
    REGULAR = "regular"
    NEW = "new"
    DORMANT = "dormant"


class OrderRef(msgspec.Struct, array_like=True, gc=False):
    """A recent order: `ref` is the 64-bit hash of its id, values are in cents."""

    ref: int
    at_ms: int
    value_cents: int
    refunded_cents: int = 0
    cancelled: bool = False


class VoidRef(msgspec.Struct, array_like=True, gc=False):
    """A cancellation or refund that came before its order; `amount_cents` None: all of it."""

    ref: int
    cancelled: bool
    amount_cents: int | None = None


class MessageRef(msgspec.Struct, array_like=True, gc=False):
    """A message this customer got, and how far it came (status moves forward only)."""

    action_id: str
    rule: str
    channel: str
    status: str
    at_ms: int


# Rows hold a type by its place in this list: it only ever grows at its end.
RECENT_TYPES = (
    "customer_identified",
    "order_completed",
    "order_cancelled",
    "order_refunded",
    "product_viewed",
    "product_added",
    "product_removed",
    "product_wished",
    "products_searched",
    "page_viewed",
    "message_sent",
    "message_delivered",
    "message_opened",
    "message_clicked",
    "message_bounced",
    "unsubscribed",
    "coupon_issued",
    "coupon_applied",
    "coupon_denied",
    "ticket_opened",
    "ticket_answered",
    "ticket_closed",
    "ticket_rated",
    "product_reviewed",
    "return_requested",
    "tracked",
    "coupon_returned",
    "coupon_ended",
)
_RECENT_CODES = {
    kind: RECENT_TYPES.index(name) for kind, name in TYPES.items() if name in RECENT_TYPES
}


class RecentEvent(msgspec.Struct, array_like=True, gc=False):
    """One line of a customer's recent story: the event's type, its time, its object, its worth."""

    code: int
    at_ms: int
    what: str = ""
    cents: int = 0

    @property
    def type(self) -> str:
        """The event's type as it stands in the log."""
        return RECENT_TYPES[self.code]


class Timer(msgspec.Struct, array_like=True, gc=False):
    """A moment at which `rule` looks at this customer again, about `item` if it is about one."""

    rule: str
    item: str
    due_ms: int
    note: str = ""


class Question(msgspec.Struct, array_like=True, gc=False):
    """A question as the first release kept it; it is not answered any more."""

    asked_at_ms: int
    features: bytes
    foretold: float
    version: int
    bought: bool = False


class Service(msgspec.Struct, array_like=True, gc=False):
    """The service file (S19): what went wrong and how it was put right."""

    opened: int = 0
    answered: int = 0
    closed: int = 0
    returns: int = 0
    ratings: int = 0
    rating_sum: float = 0.0
    reviews: int = 0
    review_sum: float = 0.0
    open_tickets: list[str] = []
    closed_early: list[str] = []
    last_complaint_ms: int = 0
    last_trouble_ms: int = 0


class Customer(msgspec.Struct, array_like=True, gc=False):
    """The row of table `customers`; msgpack array, so fields are only ever appended."""

    version: int = STATE_VERSION
    sealed: dict[str, str] = {}
    lookup: dict[str, str] = {}
    traits: dict[str, str | int | float | bool] = {}
    known: bool = False
    merged_into: str = ""
    event_ids: bytes = b""
    events: int = 0
    first_seen_ms: int = 0
    last_seen_ms: int = 0

    orders: int = 0
    value_cents: int = 0
    currency: str = ""
    first_order_ms: int = 0
    last_order_ms: int = 0
    daybook: DayBook = msgspec.field(default_factory=DayBook)
    recent_orders: list[OrderRef] = []
    early_voids: list[VoidRef] = []
    decayed: DecayedCounts = msgspec.field(default_factory=DecayedCounts)
    cancelled_orders: int = 0
    refunded_cents: int = 0

    categories: dict[str, float] = {}
    categories_at_ms: int = 0
    channels: dict[str, int] = {}
    views: int = 0
    carts: int = 0
    wishes: int = 0
    searches: int = 0
    last_view_ms: int = 0
    last_cart_ms: int = 0

    coupons_issued: int = 0
    coupons_applied: int = 0
    coupons_denied: int = 0
    discount_cents: int = 0
    service: Service = msgspec.field(default_factory=Service)
    messages: list[MessageRef] = []
    messages_sent: int = 0
    messages_opened: int = 0
    messages_clicked: int = 0
    unsubscribed: list[str] = []
    recent: list[RecentEvent] = []

    tier: str = ""
    tier_since_ms: int = 0
    tier_reason: str = ""
    timers: list[Timer] = []
    question: Question | None = None
    # A place that the first release used; a field's place in the array is never another's.
    was_thanked: bool = False
    hazard: float = 0.0
    hazard_version: int = 0
    hazard_at_ms: int = 0
    identified_ms: int = 0
    questions: bytes = b""
    outlook: bytes = b""
    dormancy: str = ""
    items: ItemMemory = msgspec.field(default_factory=ItemMemory)
    cluster: int = -1
    playbook: Notes = msgspec.field(default_factory=Notes)
    held_coupons: list[HeldCoupon] = []


class Applied(msgspec.Struct, frozen=True, gc=False):
    """What applying found out that the fact should say."""

    order_state: str = ""
    order_number: int = 0


NOTHING = Applied()


class _Versioned(msgspec.Struct, array_like=True):
    version: int


_encode_row = msgspec.msgpack.Encoder().encode
_decode_row = msgspec.msgpack.Decoder(Customer).decode
_decode_version = msgspec.msgpack.Decoder(_Versioned).decode


class NewerState(Exception):
    """A row was written by a later version of the software than this one."""


def encode_row(customer: Customer) -> bytes:
    """Encode a row for the changelog."""
    return _encode_row(customer)


def decode_row(raw: bytes) -> Customer:
    """Decode a row of this or an earlier version.

    Raises NewerState for a later one, msgspec.DecodeError for anything that is no row.
    """
    try:
        customer = _decode_row(raw)
    except msgspec.ValidationError:
        # A later release may have changed what a field is.
        _refuse_later(_decode_version(raw).version)
        raise
    if customer.version != STATE_VERSION:
        _refuse_later(customer.version)
        _upgrade(customer)
    return customer


def _upgrade(customer: Customer) -> None:
    """Make a row of an earlier version one of this version."""
    if customer.version < _PLAYBOOK_ALONE:
        customer.timers = [one for one in customer.timers if one.rule not in _RULES_BEFORE]
        customer.was_thanked = False
    # What is written from now on, an earlier release would cut short or misread.
    customer.version = STATE_VERSION


def _refuse_later(version: int) -> None:
    if version > STATE_VERSION:
        raise NewerState(
            f"a row of state version {version} was found; this software knows versions "
            f"up to {STATE_VERSION}: start the newer release again, or rebuild from the log"
        )


def ref_of(name: str) -> int:
    """Name an order, or a customer, in eight bytes.

    >>> 0 <= ref_of("c1") < 2**64
    True
    """
    return xxh3_64_intdigest(name.encode())


def seen_before(customer: Customer, event_id: str) -> bool:
    """Whether this id is among the customer's last ones; if not it is now (S8)."""
    mark, ids = xxh3_64_digest(event_id.encode()), customer.event_ids
    at = ids.rfind(mark)
    if at >= 0:
        while at > 0 and at % ID_BYTES:
            at = ids.rfind(mark, 0, at + ID_BYTES - 1)
        if at >= 0:
            return True
    customer.event_ids = ids[_NEWER_IDS:] + mark
    return False


def is_told_receipt(customer: Customer, event: CustomerEvent) -> bool:
    """Whether the row's messages say what this receipt says.

    A dispatcher cut off before it noted a receipt says it again, perhaps after more events than
    the ids that are kept.
    """
    kind = type(event)
    if kind not in RECEIPTS:
        return False
    action_id = event.action_id  # type: ignore[union-attr]
    for message in customer.messages:
        if message.action_id == action_id:
            if kind is MessageSent:
                return bool(message.rule) and message.rule == event.rule  # type: ignore[union-attr]
            return message.status == _TOLD_BY[kind]
    return False


def apply(customer: Customer, event: CustomerEvent, at_ms: int) -> Applied:
    """Move the state by one event that happened at `at_ms`; `Released` and its kin are step's."""
    kind = type(event)
    customer.events += 1
    if kind not in RECEIPTS and event.source != OURS:
        if not customer.first_seen_ms or at_ms < customer.first_seen_ms:
            customer.first_seen_ms = at_ms
        if at_ms > customer.last_seen_ms:  # noqa: PLR1730  # once an event, and max costs thrice
            customer.last_seen_ms = at_ms
        channels, channel = customer.channels, event.channel._value_
        channels[channel] = channels.get(channel, 0) + 1
    if not (event.anonymous or customer.known):
        customer.known = True
    sealed = event.sealed
    if sealed and "id" in sealed and "id" not in customer.sealed:
        customer.sealed["id"] = sealed["id"]
    return _APPLY[kind](customer, event, at_ms)


def find_timer(customer: Customer, rule: str, item: str = "") -> Timer | None:
    """Find the timer of `rule` about `item`."""
    for timer in customer.timers:
        if timer.rule == rule and timer.item == item:
            return timer
    return None


def first_due_ms(timers: list[Timer]) -> int:
    """When the first of these timers, at least one, is due."""
    due_ms = timers[0].due_ms
    for timer in timers:
        if timer.due_ms < due_ms:  # noqa: PLR1730  # once an event: a call of min costs as much again
            due_ms = timer.due_ms
    return due_ms


def drop_timers(customer: Customer, rule: str) -> None:
    """Stop every timer of `rule`."""
    if any(timer.rule == rule for timer in customer.timers):
        customer.timers = [timer for timer in customer.timers if timer.rule != rule]


def mean_gap_days(customer: Customer) -> float | None:
    """Mean days between this year's order days; None below two of them."""
    order_days, span_days = daybook.extent(customer.daybook)
    return span_days / (order_days - 1) if order_days > 1 else None


def _remember(
    customer: Customer, event: CustomerEvent, at_ms: int, what: str = "", cents: int = 0
) -> None:
    recent = customer.recent
    recent.append(RecentEvent(_RECENT_CODES[type(event)], at_ms, what[:40], cents))
    if len(recent) > 1 and recent[-2].at_ms > at_ms:
        recent.sort(key=lambda one: one.at_ms)
    if len(recent) > KEPT_RECENT:
        del recent[0]


def _identified(customer: Customer, event: CustomerIdentified, at_ms: int) -> Applied:
    """Take over what is said; what was said before the newest only fills gaps."""
    is_newest = at_ms >= customer.identified_ms
    customer.identified_ms = max(customer.identified_ms, at_ms)
    sealed = event.sealed or {}
    contact = {name: sealed[name] for name in CONTACT_FIELDS if name in sealed}
    _learn_about(customer.sealed, contact, is_newest)
    _learn_about(customer.lookup, event.lookup, is_newest)
    _learn_about(customer.traits, event.traits, is_newest)
    return NOTHING


def _learn_about(known: dict[str, Any], said: Mapping[str, Any] | None, is_newest: bool) -> None:
    for name, value in (said or {}).items():
        if is_newest if name in known else len(known) < KEPT_TRAITS:
            known[name] = value


def _order_completed(customer: Customer, event: OrderCompleted, at_ms: int) -> Applied:
    ref = ref_of(event.order_id)
    if any(order.ref == ref for order in customer.recent_orders):
        return Applied("repeated")
    order = OrderRef(ref, at_ms, event.total_cents)
    _keep_order(customer, order)
    customer.currency = customer.currency or event.currency
    customer.discount_cents += event.discount_cents
    _count_order(customer, order)
    _prefer(customer, event.lines, at_ms)
    _remember(customer, event, at_ms, event.order_id, event.total_cents)
    for void in [one for one in customer.early_voids if one.ref == ref]:
        customer.early_voids.remove(void)
        void_order(customer, order, void)
    return Applied("cancelled" if order.cancelled else "counted", customer.orders)


def _keep_order(customer: Customer, order: OrderRef) -> None:
    orders = customer.recent_orders
    orders.append(order)
    if len(orders) > 1 and orders[-2].at_ms > order.at_ms:
        orders.sort(key=lambda one: one.at_ms)
    if len(orders) > KEPT_ORDERS:
        del orders[0]


def _count_order(customer: Customer, order: OrderRef) -> None:
    customer.orders += 1
    customer.value_cents += order.value_cents
    if not customer.first_order_ms or order.at_ms < customer.first_order_ms:
        customer.first_order_ms = order.at_ms
    customer.last_order_ms = max(customer.last_order_ms, order.at_ms)
    daybook.add(customer.daybook, day_of(order.at_ms), 1, order.value_cents)
    decay.add(customer.decayed, order.at_ms, 1.0)


def void_order(customer: Customer, order: OrderRef, void: VoidRef) -> None:
    """Take back an order (cancelled) or money of it (refunded); in any sequence the same."""
    if order.cancelled:
        return
    left_cents = order.value_cents - order.refunded_cents
    if void.cancelled:
        order.cancelled = True
        customer.orders -= 1
        customer.cancelled_orders += 1
        customer.value_cents -= left_cents
        customer.refunded_cents -= order.refunded_cents
        daybook.add(customer.daybook, day_of(order.at_ms), -1, -left_cents)
        decay.add(customer.decayed, order.at_ms, -1.0)
        _find_first_and_last(customer)
        return
    back_cents = left_cents
    if void.amount_cents is not None:
        back_cents = max(0, min(void.amount_cents, left_cents))
    order.refunded_cents += back_cents
    customer.refunded_cents += back_cents
    customer.value_cents -= back_cents
    daybook.add(customer.daybook, day_of(order.at_ms), 0, -back_cents)


def _find_first_and_last(customer: Customer) -> None:
    """Find first and last order again after a cancellation.

    No order was ever placed later than the kept ones, so the last is one of them, and so is the
    first unless older ones stand. When only older ones stand the last is known by its day alone.
    """
    times = [one.at_ms for one in customer.recent_orders if not one.cancelled]
    if len(times) >= customer.orders:
        customer.first_order_ms = min(times, default=0)
    if times or not customer.orders:
        customer.last_order_ms = max(times, default=0)
    else:
        last_day = daybook.last_day(customer.daybook) or 0
        customer.last_order_ms = max(customer.first_order_ms, last_day * DAY_MS)


def _order_cancelled(customer: Customer, event: OrderCancelled, at_ms: int) -> Applied:
    return _take_back(customer, event, VoidRef(ref_of(event.order_id), True), at_ms)


def _order_refunded(customer: Customer, event: OrderRefunded, at_ms: int) -> Applied:
    void = VoidRef(ref_of(event.order_id), False, event.amount_cents)
    _met_trouble(customer, at_ms)
    return _take_back(customer, event, void, at_ms)


def _take_back(
    customer: Customer, event: OrderCancelled | OrderRefunded, void: VoidRef, at_ms: int
) -> Applied:
    _remember(customer, event, at_ms, event.order_id, void.amount_cents or 0)
    void_or_wait(customer, void)
    return NOTHING


def void_or_wait(customer: Customer, void: VoidRef) -> None:
    """Take back now, or when the order comes."""
    order = next((one for one in customer.recent_orders if one.ref == void.ref), None)
    if order is not None:
        void_order(customer, order, void)
    elif void.amount_cents is not None or void not in customer.early_voids:
        customer.early_voids = [*customer.early_voids, void][-KEPT_VOIDS:]


def _prefer(customer: Customer, lines: tuple[Line, ...], at_ms: int) -> None:
    weights: dict[str, float] = {}
    for line in lines:
        if line.category:
            weight = max(line.total_cents, 1) / 100
            weights[line.category] = weights.get(line.category, 0.0) + weight
    if weights:
        decay.prefer(customer, weights, at_ms)


def _product_viewed(customer: Customer, event: ProductViewed, at_ms: int) -> Applied:
    customer.views += 1
    if at_ms > customer.last_view_ms:  # noqa: PLR1730  # at every look, and max costs thrice
        customer.last_view_ms = at_ms
    line = event.line
    if line.category:
        decay.prefer(customer, {line.category: VIEW_WEIGHT}, at_ms)
    _remember(customer, event, at_ms, line.name or line.product_id)
    return NOTHING


def _product_added(customer: Customer, event: ProductAdded, at_ms: int) -> Applied:
    customer.carts += 1
    customer.last_cart_ms = max(customer.last_cart_ms, at_ms)
    _remember(customer, event, at_ms, event.line.name or event.line.product_id)
    return NOTHING


def _product_removed(customer: Customer, event: ProductRemoved, at_ms: int) -> Applied:
    _remember(customer, event, at_ms, event.line.name or event.line.product_id)
    return NOTHING


def _product_wished(customer: Customer, event: ProductWished, at_ms: int) -> Applied:
    customer.wishes += 1
    _remember(customer, event, at_ms, event.line.name or event.line.product_id)
    return NOTHING


def _products_searched(customer: Customer, event: ProductsSearched, at_ms: int) -> Applied:
    customer.searches += 1
    _remember(customer, event, at_ms, event.query)
    return NOTHING


def _page_viewed(customer: Customer, event: PageViewed, at_ms: int) -> Applied:
    return NOTHING


def _tracked(customer: Customer, event: Tracked, at_ms: int) -> Applied:
    _remember(customer, event, at_ms, event.name)
    return NOTHING


STATUSES = ("sent", "delivered", "bounced", "opened", "clicked")
_STATUS_RANKS = {status: rank for rank, status in enumerate(STATUSES)}


def _message_moved(customer: Customer, event: Any, at_ms: int, status: str) -> bool:
    """Note how far a message came; whether that was news."""
    messages, action_id = customer.messages, event.action_id
    for message in messages:
        if message.action_id == action_id:
            if _STATUS_RANKS[status] <= _STATUS_RANKS[message.status]:
                return False
            message.status = status
            return True
    rule = event.rule if type(event) is MessageSent else ""
    channel = event.message_channel._value_
    messages.append(MessageRef(action_id, rule, channel, status, at_ms))
    if len(messages) > KEPT_MESSAGES:
        del messages[0]
    return True


def _message_sent(customer: Customer, event: MessageSent, at_ms: int) -> Applied:
    customer.messages_sent += 1
    action_id = event.action_id
    for message in customer.messages:
        if message.action_id == action_id:
            message.rule, message.at_ms = event.rule, at_ms
            return NOTHING
    _message_moved(customer, event, at_ms, "sent")
    return NOTHING


def _message_delivered(customer: Customer, event: MessageDelivered, at_ms: int) -> Applied:
    _message_moved(customer, event, at_ms, "delivered")
    return NOTHING


def _message_opened(customer: Customer, event: MessageOpened, at_ms: int) -> Applied:
    customer.messages_opened += _message_moved(customer, event, at_ms, "opened")
    return NOTHING


def _message_clicked(customer: Customer, event: MessageClicked, at_ms: int) -> Applied:
    # Who clicks has opened; the receipt of the opening may come later or never.
    customer.messages_opened += _message_moved(customer, event, at_ms, "opened")
    customer.messages_clicked += _message_moved(customer, event, at_ms, "clicked")
    return NOTHING


def _message_bounced(customer: Customer, event: MessageBounced, at_ms: int) -> Applied:
    _message_moved(customer, event, at_ms, "bounced")
    return NOTHING


def _unsubscribed(customer: Customer, event: Unsubscribed, at_ms: int) -> Applied:
    channel = event.message_channel.value
    if channel not in customer.unsubscribed:
        customer.unsubscribed = sorted([*customer.unsubscribed, channel])
    _remember(customer, event, at_ms, channel)
    return NOTHING


def may_send(customer: Customer, channel: MessageChannel) -> bool:
    """Whether the customer still wants messages on this channel."""
    return channel._value_ not in customer.unsubscribed


def _coupon_issued(customer: Customer, event: CouponIssued, at_ms: int) -> Applied:
    if held_coupons.is_told_already(event.source, event.coupon):
        return Applied("repeated")
    customer.coupons_issued += 1
    _hold(customer, event, at_ms, at_ms)
    return NOTHING


def _coupon_applied(customer: Customer, event: CouponApplied, at_ms: int) -> Applied:
    if held_coupons.is_told_already(event.source, event.coupon):
        return Applied("repeated")
    customer.coupons_applied += 1
    if event.source != OURS:
        # What a coupon of ours takes off, its order tells.
        customer.discount_cents += event.discount_cents
    held_coupons.take(customer.held_coupons, held_coupons.name_of(event.coupon), at_ms)
    _remember(customer, event, at_ms, event.coupon, event.discount_cents)
    return NOTHING


def _coupon_returned(customer: Customer, event: CouponReturned, at_ms: int) -> Applied:
    # When it was first given is forgotten: long ago, as far as anybody asks.
    _hold(customer, event, at_ms, 0)
    _remember(customer, event, at_ms, event.coupon)
    return NOTHING


def _coupon_ended(customer: Customer, event: CouponEnded, at_ms: int) -> Applied:
    held_coupons.take(customer.held_coupons, held_coupons.name_of(event.coupon), at_ms)
    _remember(customer, event, at_ms, event.coupon)
    return NOTHING


def _hold(
    customer: Customer, event: CouponIssued | CouponReturned, at_ms: int, given_ms: int
) -> None:
    code = held_coupons.name_of(event.coupon)
    if not _is_gone_since(customer, code, at_ms):
        coupon = HeldCoupon(code, event.campaign, given_ms, event.expires_at_ms)
        held_coupons.give(customer.held_coupons, coupon)


def _is_gone_since(customer: Customer, code: str, at_ms: int) -> bool:
    """Whether the word that a coupon is redeemed or over overtook the one that it was given."""
    return any(
        one.at_ms >= at_ms and one.type in _ENDS_COUPON and held_coupons.name_of(one.what) == code
        for one in customer.recent
    )


def settle_coupons(customer: Customer) -> None:
    """Let coupons be gone that the recent story tells are, as after a merge."""
    for one in customer.recent:
        if one.type in _ENDS_COUPON:
            code = held_coupons.name_of(one.what)
            held_coupons.take(customer.held_coupons, code, one.at_ms)


_ENDS_COUPON = frozenset({"coupon_applied", "coupon_ended"})


def _coupon_denied(customer: Customer, event: CouponDenied, at_ms: int) -> Applied:
    customer.coupons_denied += 1
    return NOTHING


def _met_trouble(customer: Customer, at_ms: int) -> None:
    """Note when something last went wrong: a complaint (a late delivery is one), a return."""
    service = customer.service
    service.last_trouble_ms = max(service.last_trouble_ms, at_ms)


def _ticket_opened(customer: Customer, event: TicketOpened, at_ms: int) -> Applied:
    service = customer.service
    service.opened += 1
    service.last_complaint_ms = max(service.last_complaint_ms, at_ms)
    _met_trouble(customer, at_ms)
    if event.ticket_id in service.closed_early:
        service.closed_early = [one for one in service.closed_early if one != event.ticket_id]
    else:
        service.open_tickets = [*service.open_tickets, event.ticket_id][-KEPT_TICKETS:]
    _remember(customer, event, at_ms, event.topic)
    return NOTHING


def _ticket_answered(customer: Customer, event: TicketAnswered, at_ms: int) -> Applied:
    customer.service.answered += 1
    return NOTHING


def _ticket_closed(customer: Customer, event: TicketClosed, at_ms: int) -> Applied:
    service = customer.service
    service.closed += 1
    if event.ticket_id in service.open_tickets:
        service.open_tickets = [one for one in service.open_tickets if one != event.ticket_id]
    else:
        service.closed_early = [*service.closed_early, event.ticket_id][-KEPT_TICKETS:]
    _remember(customer, event, at_ms)
    return NOTHING


def _ticket_rated(customer: Customer, event: TicketRated, at_ms: int) -> Applied:
    customer.service.ratings += 1
    customer.service.rating_sum += event.rating
    return NOTHING


def _product_reviewed(customer: Customer, event: ProductReviewed, at_ms: int) -> Applied:
    customer.service.reviews += 1
    customer.service.review_sum += event.rating
    _remember(customer, event, at_ms, event.product_id)
    return NOTHING


def _return_requested(customer: Customer, event: ReturnRequested, at_ms: int) -> Applied:
    customer.service.returns += 1
    _met_trouble(customer, at_ms)
    _remember(customer, event, at_ms, event.product_id or event.order_id)
    return NOTHING


# A message that we sent is not the customer being seen.
RECEIPTS = frozenset({MessageSent, MessageDelivered, MessageBounced})
_TOLD_BY = {MessageDelivered: "delivered", MessageBounced: "bounced"}
_APPLY: dict[type, Callable[[Customer, Any, int], Applied]] = {
    CustomerIdentified: _identified,
    OrderCompleted: _order_completed,
    OrderCancelled: _order_cancelled,
    OrderRefunded: _order_refunded,
    ProductViewed: _product_viewed,
    ProductAdded: _product_added,
    ProductRemoved: _product_removed,
    ProductWished: _product_wished,
    ProductsSearched: _products_searched,
    PageViewed: _page_viewed,
    Tracked: _tracked,
    MessageSent: _message_sent,
    MessageDelivered: _message_delivered,
    MessageOpened: _message_opened,
    MessageClicked: _message_clicked,
    MessageBounced: _message_bounced,
    Unsubscribed: _unsubscribed,
    CouponIssued: _coupon_issued,
    CouponApplied: _coupon_applied,
    CouponDenied: _coupon_denied,
    CouponReturned: _coupon_returned,
    CouponEnded: _coupon_ended,
    TicketOpened: _ticket_opened,
    TicketAnswered: _ticket_answered,
    TicketClosed: _ticket_closed,
    TicketRated: _ticket_rated,
    ProductReviewed: _product_reviewed,
    ReturnRequested: _return_requested,
}
