"""Look again when a customer may have fallen asleep (S17): one timer, never rewritten by an order.

An order moves the moment without touching the timer: when it comes due the row is asked again
(decision 7; rearming a silence costs no write per event).
"""

from models.customer import Customer, Timer, find_timer
from models.dormancy import DORMANT_AFTER_MS

NAME = "sleep"


def on_order(customer: Customer) -> None:
    """Wind the timer at the first order and after each awakening; a cancelled one turns it back."""
    if customer.orders <= 0:
        return
    timer = find_timer(customer, NAME)
    if timer is None:
        customer.timers.append(Timer(NAME, "", _due_ms(customer)))
    else:
        timer.due_ms = min(timer.due_ms, _due_ms(customer))


def on_timer(customer: Customer, now_ms: int) -> None:
    """Wind it again when an order came since; a sleeper needs none until the next order."""
    if customer.orders > 0 and _due_ms(customer) > now_ms:
        customer.timers.append(Timer(NAME, "", _due_ms(customer)))


def _due_ms(customer: Customer) -> int:
    return customer.last_order_ms + DORMANT_AFTER_MS
