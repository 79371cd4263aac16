"""One timer per sleeper, whatever is ordered meanwhile."""

from models.customer import Customer, find_timer
from models.events import TicketOpened
from models.sleep_timer import NAME
from tests.builders import (
    DAY,
    START_MS,
    cancelled,
    fire_due,
    make,
    order,
    snapshot,
    step_all,
    tiers_in,
    view_at,
    viewed,
)


def due_day(customer: Customer) -> int | None:
    timer = find_timer(customer, NAME)
    return None if timer is None else (timer.due_ms - START_MS) // DAY


def test_it_is_wound_at_the_first_order_only() -> None:
    customer = Customer()
    step_all(customer, viewed())
    assert due_day(customer) is None
    step_all(customer, order("o1"), order("o2", at_ms=START_MS + 5 * DAY))
    assert due_day(customer) == 15


def test_when_due_it_is_wound_again_from_the_last_order() -> None:
    customer = Customer()
    step_all(customer, order("o1"), order("o2", at_ms=START_MS + 5 * DAY))
    for due in (15, 20, 35):
        assert due_day(customer) == due
        told = tiers_in(fire_due(customer, START_MS + due * DAY))
    assert told == ["dormant"]
    assert customer.dormancy == "dormant"


def test_the_lost_are_looked_at_no_more_until_they_order() -> None:
    customer = Customer()
    step_all(customer, order("o1"))
    fire_due(customer, START_MS + 179 * DAY)
    assert (customer.dormancy, due_day(customer)) == ("dormant", 180)
    fire_due(customer, START_MS + 180 * DAY)
    assert (customer.dormancy, due_day(customer)) == ("lost", None)
    effects = step_all(customer, order("o2", at_ms=START_MS + 200 * DAY))
    assert tiers_in(effects) == ["regular"]
    assert (customer.dormancy, due_day(customer)) == ("awake", 215)


def test_an_order_that_wakes_a_sleeper_brings_the_next_look_nearer() -> None:
    customer = Customer()
    step_all(customer, order("o1"))
    for day in (15, 30):
        fire_due(customer, START_MS + day * DAY)
    assert (customer.dormancy, due_day(customer)) == ("dormant", 94)
    step_all(customer, order("o2", at_ms=START_MS + 40 * DAY))
    assert (customer.dormancy, due_day(customer)) == ("awake", 55)
    for day in (55, 70):
        told = tiers_in(fire_due(customer, START_MS + day * DAY))
    assert (told, customer.dormancy) == (["dormant"], "dormant")


def test_a_cancelled_order_turns_it_back() -> None:
    customer = Customer()
    step_all(customer, *(order(f"o{day}", at_ms=START_MS + day * DAY) for day in (0, 10, 25)))
    fire_due(customer, START_MS + 39 * DAY)
    assert due_day(customer) == 40
    fire_due(customer, START_MS + 40 * DAY)
    assert due_day(customer) == 55
    step_all(customer, cancelled("o25", START_MS + 41 * DAY), view=view_at(START_MS + 41 * DAY))
    assert customer.dormancy == "dormant"


def test_trouble_brings_sleep_nearer() -> None:
    learned = snapshot(weights=(0.0,) * 9 + (1.0, -3.0), intercept=1.0, edges=(0.5, 0.3, 0.1))
    view = view_at(hazard=learned)
    customer = Customer()
    step_all(
        customer, *(order(f"o{day}", at_ms=START_MS + day * DAY) for day in (0, 10)), view=view
    )
    view.now_ms = START_MS + 20 * DAY
    fire_due(customer, view.now_ms, view)
    before = due_day(customer)
    step_all(customer, make(TicketOpened, ticket_id="t1", at_ms=view.now_ms), view=view)
    after = due_day(customer)
    assert before is not None
    assert after is not None
    assert after < before


def test_who_has_no_order_left_cannot_fall_asleep() -> None:
    customer = Customer()
    step_all(customer, order("o1"), cancelled("o1"))
    assert tiers_in(fire_due(customer, START_MS + 90 * DAY)) == []
    assert customer.timers == []
