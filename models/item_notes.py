"""What an event says of items: kept in the customer's memory, and taught to the shop's knowledge.

The memory (`models/item_memory.py`) is current with the event; what the shop knows of its items
together (`models/item_knowledge.py`) is learned from the lessons that follow, a log day at a time.
"""

from collections.abc import Callable
from typing import Any

import msgspec
import xxhash

from models.clock import day_of
from models.customer import Customer
from models.effects import AuthorErased, BasketLesson, ItemMet, ItemReviewed
from models.events import (
    CustomerEvent,
    Erased,
    Line,
    OrderCompleted,
    OrderRefunded,
    ProductAdded,
    ProductRemoved,
    ProductReviewed,
    ProductViewed,
    ProductWished,
    ReturnRequested,
    TicketOpened,
)
from models.item_knowledge import ItemFacts
from models.item_memory import (
    CARTED,
    SPOILT,
    VIEWED,
    WISHED,
    buy,
    item_ref,
    mark,
    unmark,
)
from models.item_reviews import QUOTED, WELL_RATED, Quote
from models.view import View

BAD_RATING = 2.0
NAME_CHARS = 80
LINES_AT_MOST = 200
ONE_ORDER_IN = 4

Notes = list[BasketLesson | ItemMet | ItemReviewed]


def is_lesson(order_id: str) -> bool:
    """Whether the ranking learns from an order: one in ONE_ORDER_IN, drawn by its id, is enough."""
    return xxhash.xxh32_intdigest(order_id.encode()) % ONE_ORDER_IN == 0


def facts_of(line: Line) -> ItemFacts:
    """What a line says of its item; the price is of one piece."""
    price_cents = line.price_cents
    if not price_cents and line.quantity > 0:
        price_cents = round(line.total_cents / line.quantity)
    return ItemFacts(line.product_id, line.name[:NAME_CHARS], line.category, max(price_cents, 0))


def note(customer: Customer, event: CustomerEvent, order_state: str, view: View) -> Notes:
    """Note what an applied event says of items; of orders those count that were "counted"."""
    kind = type(event)
    bit = _WANTED_BY.get(kind)
    if bit is not None:
        return _wants(customer, event, bit, view)  # type: ignore[arg-type]
    if kind is OrderCompleted:
        return _on_order(customer, event, view) if order_state == "counted" else []  # type: ignore[arg-type]
    note_it = _NOTES.get(kind)
    return _NOTHING if note_it is None else note_it(customer, event, view)


def _on_order(customer: Customer, event: OrderCompleted, view: View) -> Notes:
    lines = {line.product_id: line for line in event.lines[:LINES_AT_MOST] if line.product_id}
    if not lines:
        return []
    memory, at_ms = customer.items, event.occurred_at_ms
    teaches = memory.orders > 0.0 and is_lesson(event.order_id)
    before = None
    if teaches:
        before = msgspec.structs.replace(memory, records=bytearray(memory.records))
    gaps = buy(memory, [item_ref(name) for name in lines], at_ms)
    return [
        BasketLesson(
            partition=view.partition,
            day=day_of(view.now_ms),
            customer=event.customer,
            at_ms=at_ms,
            order_id=event.order_id,
            items=[facts_of(line) for line in lines.values()],
            gaps=gaps,
            memory=before,
        )
    ]


def _wants(
    customer: Customer, event: ProductViewed | ProductAdded | ProductWished, bit: int, view: View
) -> Notes:
    line, at_ms = event.line, event.occurred_at_ms
    if not line.product_id or not mark(customer.items, item_ref(line.product_id), at_ms, bit):
        return _NOTHING
    return [
        ItemMet(
            partition=view.partition,
            day=day_of(view.now_ms),
            customer=event.customer,
            at_ms=at_ms,
            item=facts_of(line),
        )
    ]


def _on_removal(customer: Customer, event: ProductRemoved, view: View) -> Notes:
    unmark(customer.items, item_ref(event.line.product_id), CARTED)
    return []


def _on_trouble(customer: Customer, event: TicketOpened | ReturnRequested, view: View) -> Notes:
    return _spoil(customer, event.product_id, event.occurred_at_ms)


def _on_review(customer: Customer, event: ProductReviewed, view: View) -> Notes:
    at_ms = event.occurred_at_ms
    if event.rating <= BAD_RATING:
        _spoil(customer, event.product_id, at_ms)
    return [
        ItemReviewed(
            partition=view.partition,
            day=day_of(view.now_ms),
            customer=event.customer,
            at_ms=at_ms,
            product_id=event.product_id,
            rating=event.rating,
            quote=_quote(event),
        )
    ]


def on_erasure(customer: Customer, event: Erased, view: View) -> list[AuthorErased]:
    """Have the words be forgotten of whoever may have written some, under this or a merged name."""
    if not customer.service.reviews and not customer.merged_into:
        return []
    return [
        AuthorErased(
            partition=view.partition,
            day=day_of(view.now_ms),
            customer=event.customer,
            at_ms=event.occurred_at_ms,
        )
    ]


def _quote(event: ProductReviewed) -> Quote | None:
    sealed = (event.sealed or {}).get(QUOTED, "")
    if not sealed or not event.published or event.rating < WELL_RATED:
        return None
    # Through merges it keeps the seal of the name that it came in under.
    author = event.via[0] if event.via else event.customer
    return Quote(event.occurred_at_ms, author, sealed, event.rating, event.review_id)


def _on_refund(customer: Customer, event: OrderRefunded, view: View) -> Notes:
    for line in event.lines[:LINES_AT_MOST]:
        _spoil(customer, line.product_id, event.occurred_at_ms)
    return []


def _spoil(customer: Customer, product_id: str, at_ms: int) -> Notes:
    if product_id:
        mark(customer.items, item_ref(product_id), at_ms, SPOILT)
    return []


_NOTHING: Notes = []
_WANTED_BY: dict[type, int] = {ProductViewed: VIEWED, ProductAdded: CARTED, ProductWished: WISHED}
_NOTES: dict[type, Callable[[Customer, Any, View], Notes]] = {
    ProductRemoved: _on_removal,
    TicketOpened: _on_trouble,
    ReturnRequested: _on_trouble,
    ProductReviewed: _on_review,
    OrderRefunded: _on_refund,
}
NOTED = frozenset({OrderCompleted, *_WANTED_BY, *_NOTES})
"""Types of events that may say something of items."""
