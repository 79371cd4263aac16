"""Rule: after the first order, a thank-you with a next offer; a cancelled order stops it (S15)."""

from models.clock import MINUTE_MS
from models.customer import Customer, OrderRef, Timer, find_timer, ref_of
from models.decision import Wish, decide, withheld
from models.effects import Action, Decided
from models.events import OrderCancelled, OrderCompleted
from models.view import View

NAME = "thank_you"
WAIT_MS = 10 * MINUTE_MS
CANCELLED = "the order was cancelled"


def on_order(
    token: str, customer: Customer, event: OrderCompleted, view: View, at_ms: int
) -> list[Action | Decided]:
    """Plan the message at the first order."""
    _ordered(customer, event.order_id, at_ms)
    return []


def on_cancellation(
    token: str, customer: Customer, event: OrderCancelled, view: View, at_ms: int
) -> list[Action | Decided]:
    """Unplan the message when its order is cancelled; the next order may take its place."""
    return _cancelled(token, customer, event.order_id, view, at_ms)


def on_timer(token: str, customer: Customer, timer: Timer, view: View) -> list[Action | Decided]:
    """Say thank you, unless a merge brought the order's cancellation."""
    order = _order(customer, timer.item)
    if order is not None and order.cancelled:
        customer.thanked = False
        return [withheld(token, customer, _wish(timer), view, view.now_ms, CANCELLED)]
    return decide(token, customer, _wish(timer), view, timer.due_ms)


def on_merge(
    token: str, customer: Customer, other: Customer, view: View, at_ms: int
) -> list[Decided]:
    """Of two names' thank-yous keep the earlier; none when one was said under either name."""
    plans = [
        (timer, row) for row in (customer, other) for timer in row.timers if timer.rule == NAME
    ]
    planning = {id(row) for _, row in plans}
    was_said = any(row.thanked and id(row) not in planning for row in (customer, other))
    plans.sort(key=lambda plan: (plan[0].due_ms, plan[0].item))
    decisions = []
    for timer, row in plans if was_said else plans[1:]:
        row.timers.remove(timer)
        reason = "thanked under another name"
        decisions.append(withheld(token, customer, _wish(timer), view, at_ms, reason))
    return decisions


def _ordered(customer: Customer, order_id: str, at_ms: int) -> None:
    if customer.thanked:
        for timer in customer.timers:
            if timer.rule == NAME and not timer.note and _stands(customer, order_id, timer):
                # Should the first order be cancelled yet, this one is the first.
                timer.note = order_id
    elif customer.orders == 1 and _stands(customer, order_id):
        customer.thanked = True
        customer.timers.append(Timer(NAME, order_id, at_ms + WAIT_MS))


def _stands(customer: Customer, order_id: str, beside: Timer | None = None) -> bool:
    """Whether the order is not cancelled, and another than the one `beside` is about."""
    order = _order(customer, order_id)
    return order is not None and not order.cancelled and (beside is None or beside.item != order_id)


def _cancelled(
    token: str, customer: Customer, order_id: str, view: View, at_ms: int
) -> list[Action | Decided]:
    for pending in customer.timers:
        if pending.rule == NAME and pending.note == order_id:
            pending.note = ""
    timer = find_timer(customer, NAME, order_id)
    if timer is None:
        return []
    customer.timers.remove(timer)
    order = _order(customer, timer.note) if timer.note else None
    customer.thanked = order is not None
    if order is not None:
        customer.timers.append(Timer(NAME, timer.note, order.at_ms + WAIT_MS))
    return [withheld(token, customer, _wish(timer), view, at_ms, CANCELLED)]


def _order(customer: Customer, order_id: str) -> OrderRef | None:
    ref = ref_of(order_id)
    return next((order for order in customer.recent_orders if order.ref == ref), None)


def _wish(timer: Timer) -> Wish:
    return Wish(
        rule=NAME,
        occasion=timer.item,
        template=NAME,
        variables={"order_id": timer.item, "offer_percent": 10},
    )
