"""Two names turn out to be one person: the history moves once, whatever order things arrive in.

`Released` stands at the name that is given up, the fold answers with `Absorbed` for the
name that stays; whatever reaches the old name later is passed on. The newest merge wins: a name
that is asked to pass a history back to where it comes from keeps it instead, which ends every
circle.
"""

from typing import NamedTuple

import msgspec

from models import daybook, decay
from models.customer import (
    ID_BYTES,
    KEPT_EVENT_IDS,
    KEPT_MESSAGES,
    KEPT_ORDERS,
    KEPT_RECENT,
    KEPT_TRAITS,
    KEPT_VOIDS,
    Customer,
    decode_row,
    encode_row,
)
from models.effects import Fact, Merged
from models.events import Absorbed, CustomerEvent, Event, Released
from models.view import View

HOPS_AT_MOST = 8


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
    comes_back = customer.merged_into in event.via or (
        type(event) is Absorbed and event.origin == customer.merged_into
    )
    if comes_back or len(event.via) >= HOPS_AT_MOST:
        customer.merged_into = ""
        return None
    passed_on = msgspec.structs.replace(
        event, customer=customer.merged_into, via=(*event.via, event.customer)
    )
    return Moved([passed_on], [])


def _release(customer: Customer, event: Released, view: View) -> Moved:
    if event.target in (event.customer, customer.merged_into):
        return Moved([], [])
    for_log: list[Event] = []
    if not customer.merged_into and customer.events:
        for_log.append(
            Absorbed(
                id=f"absorbed:{event.customer}:{view.partition}:{view.offset}",
                customer=event.target,
                origin=event.customer,
                row=encode_row(customer),
                occurred_at_ms=event.occurred_at_ms,
                received_at_ms=event.received_at_ms,
                anonymous=event.anonymous,
                channel=event.channel,
            )
        )
    empty = Customer(event_ids=customer.event_ids, merged_into=event.target)
    for field in empty.__struct_fields__:
        setattr(customer, field, getattr(empty, field))
    return Moved(for_log, [])


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


def absorb(customer: Customer, event: Absorbed) -> None:
    """Fold the other name's whole state into this one.

    Counts, sums, firsts, lasts and decayed counts equal those of the merged history; where both
    have a trait, this customer's stays; bounded lists keep their newest.
    """
    other = decode_row(event.row)
    _add_counts(customer, other)
    _add_orders(customer, other)
    _add_preferences(customer, other)
    _add_service(customer, other)
    mine = customer.event_ids
    ids = [other.event_ids[i : i + ID_BYTES] for i in range(0, len(other.event_ids), ID_BYTES)]
    fresh = b"".join(one for one in ids if one not in mine)
    customer.event_ids = (fresh + mine)[-KEPT_EVENT_IDS * ID_BYTES :]
    # What is sealed stays behind: it opens only under the old name's key (design.md 1.9).
    customer.lookup = {**other.lookup, **customer.lookup}
    traits = {**other.traits, **customer.traits}
    customer.traits = dict(list(traits.items())[:KEPT_TRAITS])
    customer.known = customer.known or other.known
    customer.thanked = customer.thanked or other.thanked
    for timer in other.timers:
        if not any(one.rule == timer.rule and one.item == timer.item for one in customer.timers):
            customer.timers.append(timer)
    if customer.question is None:
        customer.question = other.question


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
    for name in ("last_seen_ms", "last_order_ms", "last_view_ms", "last_cart_ms"):
        setattr(customer, name, max(getattr(customer, name), getattr(other, name)))
    for channel, count in other.channels.items():
        customer.channels[channel] = customer.channels.get(channel, 0) + count
    customer.currency = customer.currency or other.currency


def _add_orders(customer: Customer, other: Customer) -> None:
    customer.daybook = daybook.merged(customer.daybook, other.daybook)
    known = {order.ref for order in customer.recent_orders}
    orders = [*customer.recent_orders, *(o for o in other.recent_orders if o.ref not in known)]
    customer.recent_orders = sorted(orders, key=lambda one: one.at_ms)[-KEPT_ORDERS:]
    customer.early_voids = [*other.early_voids, *customer.early_voids][-KEPT_VOIDS:]
    decay.join(customer.decayed, other.decayed)


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
    mine.open_tickets = [*mine.open_tickets, *theirs.open_tickets]
    mine.closed_early = [*mine.closed_early, *theirs.closed_early]
    mine.last_complaint_ms = max(mine.last_complaint_ms, theirs.last_complaint_ms)
