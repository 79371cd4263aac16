"""What a condition may ask: every field of the customer and of the event, with type and meaning.

A field that is not known of a customer has no value: `has(...)` is false, and a condition that
needs it does not hold.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from models import daybook, held_coupons
from models.clock import DAY_MS, day_of
from models.customer import Customer, Service, Tier, mean_gap_days
from models.dormancy import Dormancy, silence_days
from models.events import Channel, MessageChannel
from models.outlook import Outlook, unpack

BOOL, INT, DOUBLE, STRING = "bool", "int", "double", "string"
STRINGS, MAP, DYN = "list(string)", "map", "dyn"
PERCENT_MAX = 1.0


class Unanswerable(Exception):
    """A condition needs what is not known, or a number that does not exist."""


@dataclass(slots=True)
class Scope:
    """What a condition is asked about: one customer at one moment, and the event that asks.

    Whoever asks has settled the hazard (`models/hazard.py`) where the condition asks one of
    FORETOLD. `segments` are the names of those the customer is in; `minor_units` is how many
    cents the shop's currency counts for one of it.
    """

    customer: Customer
    now_ms: int
    event: Any = None
    segments: tuple[str, ...] = ()
    minor_units: int = 100


Read = Callable[[Scope], Any]


@dataclass(frozen=True, slots=True)
class FieldKind:
    """One field: its type, what it says, how it is read, and what it can be.

    `read` raises Unanswerable for what is not known, never so unless `optional`. `values` are all
    the texts it can be, where that is known; numbers lie between `low` and `high`.
    """

    type: str
    said: str
    read: Read
    optional: bool = False
    values: tuple[str, ...] | None = None
    low: float | None = None
    high: float | None = None


def _count(said: str, read: Read) -> FieldKind:
    return FieldKind(INT, said, read, low=0)


def _money(said: str, read: Read) -> FieldKind:
    return FieldKind(DOUBLE, said, read)


def _days_since(said: str, read_ms: Callable[[Scope], int]) -> FieldKind:
    """Whole days since a moment; not known when it never came."""

    def read(scope: Scope) -> int:
        at_ms = read_ms(scope)
        if not at_ms:
            raise Unanswerable
        return silence_days(at_ms, scope.now_ms)

    return FieldKind(INT, said, read, optional=True, low=0)


def _window(said: str, length_days: int, *, orders: bool) -> FieldKind:
    def read(scope: Scope) -> int | float:
        customer = scope.customer
        today = day_of(max(scope.now_ms, customer.last_order_ms))
        _, count, cents = daybook.window(customer.daybook, today, length_days)
        return count if orders else cents / scope.minor_units

    return FieldKind(INT if orders else DOUBLE, said, read, low=0 if orders else None)


def _with_orders(type_: str, said: str, read: Read, **more: Any) -> FieldKind:
    """A field that is known of customers with an order only."""

    def of_buyers(scope: Scope) -> Any:
        if scope.customer.orders <= 0:
            raise Unanswerable
        return read(scope)

    return FieldKind(type_, said, of_buyers, True, **more)


def _outlook(said: str, read: Callable[[Outlook], float], **more: Any) -> FieldKind:
    def of_scope(scope: Scope) -> float:
        customer = scope.customer
        if not customer.outlook or customer.orders <= 0:
            raise Unanswerable
        return read(unpack(customer.outlook, customer.hazard))

    return FieldKind(DOUBLE, said, of_scope, True, low=0, **more)


def _mean_of(
    said: str, read_sum: Callable[[Service], float], read_count: Callable[[Service], int]
) -> FieldKind:
    def read(scope: Scope) -> float:
        service = scope.customer.service
        count = read_count(service)
        if not count:
            raise Unanswerable
        return float(read_sum(service)) / count

    return FieldKind(DOUBLE, said, read, True, low=1, high=5)


def _silence(scope: Scope) -> int:
    customer = scope.customer
    if customer.orders <= 0:
        raise Unanswerable
    gone_ms = scope.now_ms - customer.last_order_ms
    return gone_ms // DAY_MS if gone_ms > 0 else 0


def _mean_gap(scope: Scope) -> float:
    gap = mean_gap_days(scope.customer)
    if gap is None:
        raise Unanswerable
    return gap


def _categories(scope: Scope) -> list[str]:
    weights = scope.customer.categories
    return sorted(weights, key=lambda name: (-weights[name], name))


def _favourite(scope: Scope) -> str:
    for name in _categories(scope):
        return name
    raise Unanswerable


def _reachable(scope: Scope) -> list[str]:
    """Channels with a known address and no refusal; push and chat have their own address books."""
    customer = scope.customer
    needed = {"email": "email", "sms": "phone"}
    return [
        channel.value
        for channel in MessageChannel
        if channel.value not in customer.unsubscribed
        and needed.get(channel.value, "id") in customer.sealed
    ]


def _open_coupons(scope: Scope) -> list[held_coupons.HeldCoupon]:
    held, now_ms = scope.customer.held_coupons, scope.now_ms
    return [one for one in held if held_coupons.is_good(one, now_ms)]


def _coupon_days_left(scope: Scope) -> int:
    ends = [one.until_ms for one in _open_coupons(scope) if one.until_ms]
    if not ends:
        raise Unanswerable
    return (min(ends) - scope.now_ms) // DAY_MS


def _standing_perks(scope: Scope) -> list[str]:
    perks = scope.customer.playbook.perks
    return sorted(name for name, until_ms in perks.items() if not 0 < until_ms <= scope.now_ms)


CHANNELS = tuple(one.value for one in Channel)
MESSAGE_CHANNELS = tuple(one.value for one in MessageChannel)
TIERS = tuple(one.value for one in Tier)
DORMANCIES = tuple(one.value for one in Dormancy)

CUSTOMER_FIELDS: Mapping[str, FieldKind] = {
    f"customer.{name}": kind
    for name, kind in {
        "known": FieldKind(
            BOOL, "whether the shop knows who it is", lambda scope: scope.customer.known
        ),
        "tier": FieldKind(
            STRING, "the tier", lambda scope: scope.customer.tier or "new", values=TIERS
        ),
        "tier_days": _days_since("days in this tier", lambda scope: scope.customer.tier_since_ms),
        "dormancy": _with_orders(
            STRING,
            "how far asleep",
            lambda scope: scope.customer.dormancy or DORMANCIES[0],
            values=DORMANCIES,
        ),
        "segments": FieldKind(
            STRINGS, "names of the segments the customer is in", lambda scope: scope.segments
        ),
        "orders": _count("orders, without cancelled ones", lambda scope: scope.customer.orders),
        "orders_30d": _window("orders of the last 30 days", 30, orders=True),
        "orders_90d": _window("orders of the last 90 days", 90, orders=True),
        "orders_365d": _window("orders of the last 365 days", 365, orders=True),
        "value": _money(
            "money spent, in the shop's currency",
            lambda scope: scope.customer.value_cents / scope.minor_units,
        ),
        "value_30d": _window("money spent in the last 30 days", 30, orders=False),
        "value_90d": _window("money spent in the last 90 days", 90, orders=False),
        "value_365d": _window("money spent in the last 365 days", 365, orders=False),
        "mean_order": _with_orders(
            DOUBLE,
            "money spent per order",
            lambda scope: scope.customer.value_cents / scope.customer.orders / scope.minor_units,
        ),
        "currency": FieldKind(
            STRING, "currency of the first order", lambda scope: scope.customer.currency
        ),
        "cancelled_orders": _count(
            "orders cancelled", lambda scope: scope.customer.cancelled_orders
        ),
        "refunded": _money(
            "money given back", lambda scope: scope.customer.refunded_cents / scope.minor_units
        ),
        "discounts": _money(
            "money saved by discounts",
            lambda scope: scope.customer.discount_cents / scope.minor_units,
        ),
        "silence_days": FieldKind(INT, "whole days since the last order", _silence, True, low=0),
        "first_order_days": _days_since(
            "days since the first order", lambda scope: scope.customer.first_order_ms
        ),
        "first_seen_days": _days_since(
            "days since first seen", lambda scope: scope.customer.first_seen_ms
        ),
        "last_seen_days": _days_since(
            "days since last seen", lambda scope: scope.customer.last_seen_ms
        ),
        "mean_gap_days": FieldKind(
            DOUBLE, "usual days between two order days", _mean_gap, True, low=0
        ),
        "hazard": _with_orders(
            DOUBLE,
            "likelihood of an order within 30 days, 0 to 1",
            lambda scope: scope.customer.hazard,
            low=0,
            high=PERCENT_MAX,
        ),
        "alive": _outlook(
            "likelihood that the customer has not left for good, 0 to 1",
            lambda outlook: float(outlook.alive),
            high=PERCENT_MAX,
        ),
        "orders_expected_90d": _outlook(
            "orders to be expected within 90 days", lambda outlook: outlook.orders_a_day * 90.0
        ),
        "views": _count("products looked at", lambda scope: scope.customer.views),
        "carts": _count("products put into the cart", lambda scope: scope.customer.carts),
        "wishes": _count("products wished for", lambda scope: scope.customer.wishes),
        "searches": _count("searches", lambda scope: scope.customer.searches),
        "last_view_days": _days_since(
            "days since the last product view", lambda scope: scope.customer.last_view_ms
        ),
        "last_cart_days": _days_since(
            "days since the last cart", lambda scope: scope.customer.last_cart_ms
        ),
        "categories": FieldKind(STRINGS, "categories, most liked first", _categories),
        "favourite_category": FieldKind(STRING, "the most liked category", _favourite, True),
        "channels": FieldKind(
            STRINGS, "where seen", lambda scope: list(scope.customer.channels), values=CHANNELS
        ),
        "reachable": FieldKind(
            STRINGS, "channels with an address and consent", _reachable, values=MESSAGE_CHANNELS
        ),
        "unsubscribed": FieldKind(
            STRINGS,
            "channels unsubscribed from",
            lambda scope: scope.customer.unsubscribed,
            values=MESSAGE_CHANNELS,
        ),
        "coupons_issued": _count("coupons given", lambda scope: scope.customer.coupons_issued),
        "coupons_applied": _count("coupons redeemed", lambda scope: scope.customer.coupons_applied),
        "coupons_denied": _count("coupons refused", lambda scope: scope.customer.coupons_denied),
        "coupons_open": _count(
            "coupons given and not yet redeemed or ended, of the last few",
            lambda scope: len(_open_coupons(scope)),
        ),
        "coupon_days_left": FieldKind(
            INT, "whole days until the first of them ends", _coupon_days_left, True, low=0
        ),
        "messages_sent": _count("messages sent", lambda scope: scope.customer.messages_sent),
        "messages_opened": _count("messages opened", lambda scope: scope.customer.messages_opened),
        "messages_clicked": _count(
            "messages with a click", lambda scope: scope.customer.messages_clicked
        ),
        "tickets": _count("complaints and questions", lambda scope: scope.customer.service.opened),
        "open_tickets": FieldKind(
            INT,
            "complaints not yet solved",
            lambda scope: len(scope.customer.service.open_tickets),
            low=0,
        ),
        "last_complaint_days": _days_since(
            "days since the last complaint", lambda scope: scope.customer.service.last_complaint_ms
        ),
        "last_trouble_days": _days_since(
            "days since a complaint, a return or a refund",
            lambda scope: scope.customer.service.last_trouble_ms,
        ),
        "returns": _count("things sent back", lambda scope: scope.customer.service.returns),
        "mean_rating": _mean_of(
            "mean rating of the service, 1 to 5",
            lambda service: service.rating_sum,
            lambda service: service.ratings,
        ),
        "reviews": _count("products reviewed", lambda scope: scope.customer.service.reviews),
        "mean_review": _mean_of(
            "mean rating of products, 1 to 5",
            lambda service: service.review_sum,
            lambda service: service.reviews,
        ),
        "tags": FieldKind(
            STRINGS, "tags that rules gave", lambda scope: scope.customer.playbook.tags
        ),
        "perks": FieldKind(
            STRINGS, "perks the customer has now, by tier or by a rule", _standing_perks
        ),
        "traits": FieldKind(
            MAP, "what the shop told of the customer", lambda scope: scope.customer.traits
        ),
    }.items()
}
FORETOLD = frozenset({"customer.hazard", "customer.alive", "customer.orders_expected_90d"})
"""Fields that are foretold: the asker settles them first."""
SEGMENTS = "customer.segments"
