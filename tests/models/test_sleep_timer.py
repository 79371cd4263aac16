"""One timer per sleeper, whatever is ordered meanwhile."""

from models.customer import Customer, find_timer
from models.sleep_timer import NAME
from tests.builders import DAY, START_MS, cancelled, fire_due, order, step_all, tiers_in, viewed


def due_day(customer: Customer) -> int | None:
    timer = find_timer(customer, NAME)
    return None if timer is None else (timer.due_ms - START_MS) // DAY


def test_it_is_wound_at_the_first_order_only() -> None:
    customer = Customer()
    step_all(customer, viewed())
    assert due_day(customer) is None
    step_all(customer, order("o1"), order("o2", at_ms=START_MS + 5 * DAY))
    assert due_day(customer) == 30


def test_when_due_it_is_wound_again_from_the_last_order() -> None:
    customer = Customer()
    step_all(customer, order("o1"), order("o2", at_ms=START_MS + 5 * DAY))
    assert "dormant" not in tiers_in(fire_due(customer, START_MS + 30 * DAY))
    assert due_day(customer) == 35
    assert tiers_in(fire_due(customer, START_MS + 35 * DAY)) == ["dormant"]
    assert due_day(customer) is None


def test_a_sleeper_who_orders_again_is_watched_again() -> None:
    customer = Customer()
    step_all(customer, order("o1"))
    fire_due(customer, START_MS + 40 * DAY)
    effects = step_all(customer, order("o2", at_ms=START_MS + 50 * DAY))
    assert tiers_in(effects) == ["regular"]
    assert due_day(customer) == 80


def test_a_cancelled_order_turns_it_back() -> None:
    customer = Customer()
    step_all(customer, *(order(f"o{day}", at_ms=START_MS + day * DAY) for day in (0, 10, 25)))
    fire_due(customer, START_MS + 30 * DAY)
    assert due_day(customer) == 55
    step_all(customer, cancelled("o25", START_MS + 35 * DAY))
    assert due_day(customer) == 40
    assert tiers_in(fire_due(customer, START_MS + 40 * DAY)) == ["dormant"]


def test_who_has_no_order_left_cannot_fall_asleep() -> None:
    customer = Customer()
    step_all(customer, order("o1"), cancelled("o1"))
    assert tiers_in(fire_due(customer, START_MS + 90 * DAY)) == []
    assert customer.timers == []
