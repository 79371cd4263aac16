"""Rule: a product was looked at and 24 hours later nothing was ordered: a reminder (S16)."""

from models.clock import HOUR_MS
from models.customer import Customer, Timer
from models.decision import Wish, decide, withheld
from models.effects import Action, Decided
from models.events import OrderCompleted, ProductViewed
from models.view import View

NAME = "browse_reminder"
WAIT_MS = 24 * HOUR_MS
PENDING_AT_MOST = 3


def on_timer(token: str, customer: Customer, timer: Timer, view: View) -> list[Action | Decided]:
    """Remind, unless an order came through a merge."""
    wish = _wish(timer)
    if customer.last_order_ms >= timer.due_ms - WAIT_MS:
        return [withheld(token, customer, wish, view, view.now_ms, "ordered after looking")]
    return decide(token, customer, wish, view, timer.due_ms)


def on_view(
    token: str, customer: Customer, event: ProductViewed, view: View, at_ms: int
) -> list[Action | Decided]:
    """Plan a reminder per product at its first look."""
    product_id = event.line.product_id
    if customer.last_order_ms >= at_ms:
        return []
    pending = []
    for timer in customer.timers:
        if timer.rule == NAME:
            if timer.item == product_id:
                return []
            pending.append(timer)
    if len(pending) >= PENDING_AT_MOST:
        customer.timers.remove(min(pending, key=lambda timer: timer.due_ms))
    note = event.line.name or product_id
    customer.timers.append(Timer(NAME, product_id, at_ms + WAIT_MS, note))
    return []


def on_order(
    token: str, customer: Customer, event: OrderCompleted, view: View, at_ms: int
) -> list[Action | Decided]:
    """Leave unsaid what was planned for looks up to this order."""
    pending = [timer for timer in customer.timers if timer.rule == NAME]
    if not pending:
        return []
    over = [timer for timer in pending if timer.due_ms - WAIT_MS <= at_ms]
    for timer in over:
        customer.timers.remove(timer)
    return [
        withheld(token, customer, _wish(timer), view, at_ms, "ordered after looking")
        for timer in over
    ]


def _wish(timer: Timer) -> Wish:
    viewed_at_ms = timer.due_ms - WAIT_MS
    return Wish(
        rule=NAME,
        occasion=f"{timer.item}@{viewed_at_ms}",
        template=NAME,
        variables={"product_id": timer.item, "product": timer.note},
    )
