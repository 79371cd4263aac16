"""Rule: after the first order, a thank-you with a next offer; a cancelled order stops it (S15)."""

from models.clock import MINUTE_MS
from models.customer import Customer, Timer, find_timer, ref_of
from models.decision import Wish, decide, withheld
from models.effects import Action, Decided
from models.events import CustomerEvent, OrderCancelled, OrderCompleted
from models.view import View

NAME = "thank_you"
WAIT_MS = 10 * MINUTE_MS


def on_event(
    token: str, customer: Customer, event: CustomerEvent, view: View, at_ms: int
) -> list[Action | Decided]:
    """Plan the message at the first order; unplan it when that order is cancelled."""
    if type(event) is OrderCompleted:
        if customer.orders == 1 and not customer.thanked and _stands(customer, event.order_id):
            customer.thanked = True
            customer.timers.append(Timer(NAME, event.order_id, at_ms + WAIT_MS))
    elif type(event) is OrderCancelled:
        timer = find_timer(customer, NAME, event.order_id)
        if timer is not None:
            customer.timers.remove(timer)
            # The next order is then the customer's first, and is thanked for.
            customer.thanked = False
            return [withheld(token, customer, _wish(timer), view, at_ms, "the order was cancelled")]
    return []


def on_timer(token: str, customer: Customer, timer: Timer, view: View) -> list[Action | Decided]:
    """Say thank you."""
    return list(decide(token, customer, _wish(timer), view, view.now_ms))


def _stands(customer: Customer, order_id: str) -> bool:
    ref = ref_of(order_id)
    return any(order.ref == ref and not order.cancelled for order in customer.recent_orders)


def _wish(timer: Timer) -> Wish:
    return Wish(
        rule=NAME,
        occasion=timer.item,
        template=NAME,
        variables={"order_id": timer.item, "offer_percent": 10},
    )
