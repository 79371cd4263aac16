"""Look again when silence may have moved a customer's dormancy (S17): one timer.

An order of who is awake moves the moment without touching the timer: when it comes due the row is
asked again (decision 7; rearming a silence costs no write per event). An order that wakes brings it
nearer, for those asleep are looked at after months only.
"""

from models import dormancy
from models.customer import Customer, Timer, find_timer
from models.view import View

NAME = "sleep"


def on_order(customer: Customer, view: View, *, was_drowsy: bool = False) -> None:
    """Wind the timer at the first order and after each awakening."""
    timer = find_timer(customer, NAME)
    if timer is None:
        if customer.orders > 0:
            _wind(customer, customer.last_order_ms, view)
    elif was_drowsy:
        _bring_nearer(customer, timer, view)


def turn_back(customer: Customer, view: View) -> None:
    """What was taken back, or went wrong, may bring the moment nearer."""
    timer = find_timer(customer, NAME)
    if timer is None:
        on_order(customer, view)
    else:
        _bring_nearer(customer, timer, view)


def on_timer(customer: Customer, view: View) -> None:
    """Wind it again; the lost need none until the next order."""
    if customer.orders > 0:
        _wind(customer, view.now_ms, view)


def _bring_nearer(customer: Customer, timer: Timer, view: View) -> None:
    if customer.orders > 0:
        due_ms = dormancy.next_look_ms(customer, customer.last_order_ms, view.hazard)
        timer.due_ms = timer.due_ms if due_ms is None else min(timer.due_ms, due_ms)


def _wind(customer: Customer, from_ms: int, view: View) -> None:
    due_ms = dormancy.next_look_ms(customer, from_ms, view.hazard)
    if due_ms is not None:
        customer.timers.append(Timer(NAME, "", due_ms))
