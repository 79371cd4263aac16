"""Two names turn out to be one person: the history moves once, whatever order things arrive in.

`Released` stands at the name that is given up, the fold answers with `Absorbed` for the name that
stays; whatever reaches the old name later is passed on. Names merged in a circle all end at the
least of their tokens, whichever record goes round first: the others pass on, that one keeps.
"""

from typing import NamedTuple

import msgspec

from models import daybook, decay, hazard_question, held_coupons
from models.customer import (
    ID_BYTES,
    KEPT_EVENT_IDS,
    KEPT_MESSAGES,
    KEPT_ORDERS,
    KEPT_RECENT,
    KEPT_TICKETS,
    KEPT_TRAITS,
    Customer,
    VoidRef,
    drop_timers,
    encode_row,
    find_timer,
    settle_coupons,
    void_or_wait,
    void_order,
)
from models.effects import Fact, Merged
from models.events import Absorbed, CustomerEvent, Event, Released
from models.item_memory import join
from models.view import View

HOPS_AT_MOST = 32


class Moved(NamedTuple):
    """What a merge asks for."""

    for_log: list[Event]
    facts: list[Fact]


def follow(customer: Customer, event: CustomerEvent, view: View) -> Moved | None:
    """Give up or pass on; None when the event is this customer's own to fold."""
    if type(event) is Released:
        return _release(customer, event, view)
    if not customer.merged_into:
        return None
    if _ends_here(event, customer.merged_into):
        customer.merged_into = ""
        return None
    passed_on = msgspec.structs.replace(
        event, customer=customer.merged_into, via=(*event.via, event.customer)
    )
    return Moved([passed_on], [])


def _ends_here(event: CustomerEvent, target: str) -> bool:
    """Whether passing on to `target` would go round a circle that ends at this very name."""
    way = [*event.via, event.customer]
    if type(event) is Absorbed:
        way.insert(0, event.origin)
    if len(event.via) >= HOPS_AT_MOST:
        return True
    if target not in way:
        return False
    circle = way[len(way) - 1 - way[::-1].index(target) :]
    return event.customer == min(circle)


def _release(customer: Customer, event: Released, view: View) -> Moved:
    if event.target in (event.customer, customer.merged_into):
        return Moved([], [])
    # Sent even without a history: it is what finds and ends a circle.
    absorbed = Absorbed(
        id=f"absorbed:{event.customer}:{view.partition}:{view.offset}",
        customer=event.target,
        origin=event.customer,
        row=encode_row(customer),
        occurred_at_ms=event.occurred_at_ms,
        received_at_ms=event.received_at_ms,
        anonymous=event.anonymous,
        channel=event.channel,
    )
    empty = Customer(event_ids=customer.event_ids, merged_into=event.target)
    for field in empty.__struct_fields__:
        setattr(customer, field, getattr(empty, field))
    return Moved([absorbed], [])


def merged_fact(event: Absorbed, view: View) -> Merged:
    """Say whose history this is now."""
    return Merged(
        incarnation=view.incarnation,
        partition=view.partition,
        offset=view.offset,
        index=view.index(),
        customer=event.customer,
        at_ms=event.occurred_at_ms,
        origin=event.origin,
    )


def absorb(customer: Customer, other: Customer) -> None:
    """Fold the other name's whole state into this one; `other` is used up.

    Counts, sums, firsts, lasts and decayed counts of orders equal those of the merged history, an
    order that both names tell of counted once; where both have a trait, this customer's stays;
    bounded lists keep their newest.
    """
    _settle_common_orders(customer, other)
    _add_counts(customer, other)
    _add_orders(customer, other)
    _add_preferences(customer, other)
    _add_service(customer, other)
    _add_timers(customer, other)
    customer.held_coupons = held_coupons.merged(customer.held_coupons, other.held_coupons)
    settle_coupons(customer)
    join(customer.items, other.items)
    mine = customer.event_ids
    ids = [other.event_ids[i : i + ID_BYTES] for i in range(0, len(other.event_ids), ID_BYTES)]
    fresh = b"".join(one for one in ids if one not in mine)
    customer.event_ids = (fresh + mine)[-KEPT_EVENT_IDS * ID_BYTES :]
    # What is sealed stays behind: it opens only under the old name's key (decision 19).
    customer.lookup = {**other.lookup, **customer.lookup}
    for name, value in other.traits.items():
        if len(customer.traits) < KEPT_TRAITS:
            customer.traits.setdefault(name, value)
    customer.known = customer.known or other.known


def _settle_common_orders(customer: Customer, other: Customer) -> None:
    """Leave an order that came in under both names with this one, and what was undone of it."""
    mine = {order.ref: order for order in customer.recent_orders}
    for again in [order for order in other.recent_orders if order.ref in mine]:
        undone = VoidRef(again.ref, again.cancelled, again.refunded_cents)
        void_order(other, again, VoidRef(again.ref, cancelled=True))
        other.cancelled_orders -= 1
        other.recent_orders.remove(again)
        void_order(customer, mine[again.ref], undone)


def _add_timers(customer: Customer, other: Customer) -> None:
    customer.question = None
    if not customer.questions and other.questions:
        # Questions go with their own timer, or they would be answered late.
        drop_timers(customer, hazard_question.NAME)
        customer.questions = other.questions
    for timer in other.timers:
        if find_timer(customer, timer.rule, timer.item) is None:
            customer.timers.append(timer)


def _add_counts(customer: Customer, other: Customer) -> None:
    for name in (
        "events",
        "orders",
        "value_cents",
        "cancelled_orders",
        "refunded_cents",
        "views",
        "carts",
        "wishes",
        "searches",
        "coupons_issued",
        "coupons_applied",
        "coupons_denied",
        "discount_cents",
        "messages_sent",
        "messages_opened",
        "messages_clicked",
    ):
        setattr(customer, name, getattr(customer, name) + getattr(other, name))
    for name in ("first_seen_ms", "first_order_ms"):
        times = [at for at in (getattr(customer, name), getattr(other, name)) if at]
        setattr(customer, name, min(times, default=0))
    for name in (
        "last_seen_ms",
        "last_order_ms",
        "last_view_ms",
        "last_cart_ms",
        "identified_ms",
    ):
        setattr(customer, name, max(getattr(customer, name), getattr(other, name)))
    for channel, count in other.channels.items():
        customer.channels[channel] = customer.channels.get(channel, 0) + count
    customer.currency = customer.currency or other.currency


def _add_orders(customer: Customer, other: Customer) -> None:
    customer.daybook = daybook.merged(customer.daybook, other.daybook)
    orders = sorted([*customer.recent_orders, *other.recent_orders], key=lambda one: one.at_ms)
    customer.recent_orders = orders[-KEPT_ORDERS:]
    decay.join(customer.decayed, other.decayed)
    waiting = [*other.early_voids, *customer.early_voids]
    customer.early_voids = []
    for void in waiting:
        void_or_wait(customer, void)


def _add_preferences(customer: Customer, other: Customer) -> None:
    if other.categories:
        decay.prefer(customer, other.categories, other.categories_at_ms)
    messages = {one.action_id: one for one in [*other.messages, *customer.messages]}
    by_time = sorted(messages.values(), key=lambda one: one.at_ms)
    customer.messages = by_time[-KEPT_MESSAGES:]
    recent = sorted([*other.recent, *customer.recent], key=lambda one: one.at_ms)
    customer.recent = recent[-KEPT_RECENT:]
    customer.unsubscribed = sorted({*customer.unsubscribed, *other.unsubscribed})


def _add_service(customer: Customer, other: Customer) -> None:
    mine, theirs = customer.service, other.service
    for name in (
        "opened",
        "answered",
        "closed",
        "returns",
        "ratings",
        "rating_sum",
        "reviews",
        "review_sum",
    ):
        setattr(mine, name, getattr(mine, name) + getattr(theirs, name))
    opened = [*theirs.open_tickets, *mine.open_tickets]
    closed = [*theirs.closed_early, *mine.closed_early]
    mine.open_tickets = [one for one in opened if one not in closed][-KEPT_TICKETS:]
    mine.closed_early = [one for one in closed if one not in opened][-KEPT_TICKETS:]
    mine.last_complaint_ms = max(mine.last_complaint_ms, theirs.last_complaint_ms)
    mine.last_trouble_ms = max(mine.last_trouble_ms, theirs.last_trouble_ms)
