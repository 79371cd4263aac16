"""Which events a playbook may name, and what a condition may ask of each."""

from collections.abc import Iterable, Mapping
from inspect import get_annotations
from operator import attrgetter
from typing import Any

from models.events import TYPES, Channel, Line, MessageChannel, Rating
from models.playbook.fields import (
    BOOL,
    CHANNELS,
    DOUBLE,
    INT,
    MAP,
    MESSAGE_CHANNELS,
    STRING,
    STRINGS,
    FieldKind,
    Scope,
    Unanswerable,
)

NOT_FOR_RULES = frozenset(
    {"released", "absorbed", "erased", "clock_mark", "adopted", "budget_answered"}
)
EVENTS: Mapping[str, type] = {
    name: kind for kind, name in TYPES.items() if name not in NOT_FOR_RULES
}
SAID = {
    "customer_identified": "traits of the customer came in",
    "order_completed": "an order was placed and paid",
    "order_cancelled": "an order was cancelled",
    "order_refunded": "money went back",
    "product_viewed": "a product was looked at",
    "product_added": "a product was put into the cart",
    "product_removed": "a product was taken out of the cart",
    "product_wished": "a product was put on the wish list",
    "products_searched": "the shop was searched",
    "page_viewed": "a page was looked at",
    "message_sent": "a message went out",
    "message_delivered": "a message arrived",
    "message_opened": "a message was opened",
    "message_clicked": "a link in a message was followed",
    "message_bounced": "a message could not be delivered",
    "unsubscribed": "the customer wants nothing more on a channel",
    "coupon_issued": "a coupon was given",
    "coupon_applied": "a coupon was redeemed",
    "coupon_denied": "a coupon was refused",
    "coupon_returned": "a coupon of ours is good again, its order was undone",
    "coupon_ended": "a coupon of ours expired or was revoked unused",
    "ticket_opened": "the customer complained or asked",
    "ticket_answered": "the service desk answered",
    "ticket_closed": "a complaint was solved",
    "ticket_rated": "the service was rated",
    "product_reviewed": "a product was reviewed",
    "return_requested": "the customer wants to send something back",
    "tracked": "any other event; event.name says which",
}
_NOT_ASKED = frozenset(
    {"id", "customer", "occurred_at_ms", "received_at_ms", "claimed_at_ms", "via", "sealed"}
    | {"extra", "traits", "lookup", "action_id", "cart_id", "expires_at_ms", "url"}
)


def _channel(path: str, values: tuple[str, ...], said: str) -> FieldKind:
    read = attrgetter(f"event.{path}")
    return FieldKind(STRING, said, lambda scope: read(scope).value, values=values)


def _cents(said: str, path: str, *, optional: bool = False) -> FieldKind:
    read_cents = attrgetter(f"event.{path}")

    def read(scope: Scope) -> float:
        cents = read_cents(scope)
        if cents is None:
            raise Unanswerable
        return float(cents / scope.minor_units)

    return FieldKind(DOUBLE, said, read, optional)


def _number(said: str, path: str) -> FieldKind:
    read_number = attrgetter(path)

    def read(scope: Scope) -> int:
        number = read_number(scope)
        if number is None:
            raise Unanswerable
        return int(number)

    return FieldKind(INT, said, read, True, low=0)


def _each(said: str, name: str) -> FieldKind:
    read = attrgetter(name)
    return FieldKind(STRINGS, said, lambda scope: [read(line) for line in scope.event.lines])


_OF_LINE = {
    "product_id": FieldKind(STRING, "the product's number", attrgetter("event.line.product_id")),
    "category": FieldKind(STRING, "the product's category", attrgetter("event.line.category")),
    "name": FieldKind(STRING, "the product's name", attrgetter("event.line.name")),
    "brand": FieldKind(STRING, "the product's brand", attrgetter("event.line.brand")),
    "sku": FieldKind(STRING, "the product's SKU", attrgetter("event.line.sku")),
    "variant": FieldKind(STRING, "the product's variant", attrgetter("event.line.variant")),
    "price": _cents("the product's price", "line.price_cents"),
    "quantity": FieldKind(
        DOUBLE, "how many", lambda scope: float(scope.event.line.quantity), low=0
    ),
}
_OF_LINES = {
    "product_ids": _each("numbers of the products", "product_id"),
    "categories": _each("categories of the products", "category"),
    "brands": _each("brands of the products", "brand"),
    "items": FieldKind(INT, "different products", lambda scope: len(scope.event.lines), low=0),
}
_EVERY = {
    "type": FieldKind(
        STRING,
        "the event's name",
        lambda scope: TYPES[type(scope.event)],
        values=tuple(EVENTS),
    ),
    "channel": _channel("channel", CHANNELS, "where it happened"),
    "source": FieldKind(STRING, "which source sent it", attrgetter("event.source")),
    "anonymous": FieldKind(BOOL, "whether only a device was known", attrgetter("event.anonymous")),
    "properties": FieldKind(
        MAP, "what else the shop sent with it", lambda scope: scope.event.extra or {}
    ),
}


def _own(name: str, annotation: Any) -> dict[str, FieldKind]:
    """Fields that an event's attribute gives to conditions."""
    path = f"event.{name}"
    said = name.replace("_", " ")
    if annotation is Line:
        return _OF_LINE
    if name == "lines":
        return _OF_LINES
    if name.endswith("_cents"):
        short = name.removesuffix("_cents")
        optional = type(None) in getattr(annotation, "__args__", ())
        return {short: _cents(f"{short}, in the currency", name, optional=optional)}
    if annotation is MessageChannel or annotation is Channel:
        return {name: _channel(name, MESSAGE_CHANNELS, "the message's channel")}
    if annotation is Rating:
        return {
            name: FieldKind(
                DOUBLE, "1 to 5", lambda scope: float(scope.event.rating), low=1, high=5
            )
        }
    if annotation is str:
        return {name: FieldKind(STRING, said, attrgetter(path))}
    if annotation is float:
        return {
            name: FieldKind(DOUBLE, said, lambda scope: float(getattr(scope.event, name)), low=0)
        }
    return {name: _number(said, path)}


def _fields_of(kind: type) -> dict[str, FieldKind]:
    found = dict(_EVERY)
    hints = {}
    for base in reversed(kind.__mro__):
        hints.update(get_annotations(base))
    for name, annotation in hints.items():
        if name not in _NOT_ASKED and name not in _EVERY and not name.startswith("_"):
            found.update(_own(name, annotation))
    return {f"event.{name}": one for name, one in found.items()}


EVENT_FIELDS: Mapping[str, Mapping[str, FieldKind]] = {
    name: _fields_of(kind) for name, kind in EVENTS.items()
}


def fields_of_events(names: Iterable[str]) -> dict[str, FieldKind]:
    """Fields that all of these events have."""
    tables = [EVENT_FIELDS[name] for name in names if name in EVENT_FIELDS]
    if not tables:
        return {}
    first, *others = tables
    return {
        name: kind
        for name, kind in first.items()
        if all(name in other and other[name].type == kind.type for other in others)
    }
