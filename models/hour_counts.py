"""What a partition counts in its running hour, for the watch: orders by slice, and what goes wrong.

Slices are "tier:…", "channel:…" and "category:…"; an order counts in each category it has. Of
categories at most KEPT_CATEGORIES an hour and partition are told apart.
"""

import msgspec

from models.effects import EventFolded
from models.events import (
    CustomerEvent,
    MessageBounced,
    OrderCompleted,
    ReturnRequested,
    TicketOpened,
)

ORDERS = "orders"
REPEAT_ORDERS = "repeat_orders"
SIGN_UPS = "sign_ups"
RETURNS = "returns"
COMPLAINTS = "complaints"
MESSAGE_FAILURES = "message_failures"
COUNTED: dict[type, str] = {
    ReturnRequested: RETURNS,
    TicketOpened: COMPLAINTS,
    MessageBounced: MESSAGE_FAILURES,
}
COUNTING = frozenset({OrderCompleted, *COUNTED})
"""Types of events that are counted, whoever they are of; of the others only a sign-up is."""
KEPT_CATEGORIES = 64
CATEGORY = "category:"
OTHER = CATEGORY + "other"


class HourCounts(msgspec.Struct, array_like=True, gc=False):
    """Counts of the running hour; `slices` are orders."""

    orders: int = 0
    revenue_cents: int = 0
    others: dict[str, int] = {}
    slices: dict[str, int] = {}


def count(counts: HourCounts, event: CustomerEvent, folded: EventFolded) -> None:
    """Count what an event was once it is folded."""
    kind = type(event)
    if kind is OrderCompleted:
        if folded.order_state == "counted":
            _count_order(counts, event, folded)  # type: ignore[arg-type]
    elif kind in COUNTED:
        _add(counts.others, COUNTED[kind])
    if not folded.tier and not event.anonymous:
        _add(counts.others, SIGN_UPS)


def _count_order(counts: HourCounts, order: OrderCompleted, folded: EventFolded) -> None:
    counts.orders += 1
    counts.revenue_cents += order.total_cents
    if folded.order_number > 1:
        _add(counts.others, REPEAT_ORDERS)
    slices = counts.slices
    _add(slices, f"tier:{folded.tier or 'new'}")
    _add(slices, f"channel:{order.channel.value}")
    for category in sorted({line.category for line in order.lines if line.category}):
        name = CATEGORY + category
        # Tiers and channels are few, so nearly all of the room is the categories'.
        _add(slices, name if name in slices or len(slices) < KEPT_CATEGORIES else OTHER)


def _add(counts: dict[str, int], name: str) -> None:
    counts[name] = counts.get(name, 0) + 1
