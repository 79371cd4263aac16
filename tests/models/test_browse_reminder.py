"""Reminding of what was looked at and not bought."""

import pytest

from models.browse_reminder import NAME, PENDING_AT_MOST, WAIT_MS
from models.customer import Customer
from tests.builders import (
    HOUR,
    START_MS,
    actions_in,
    cancelled,
    decisions_in,
    fire_due,
    order,
    step_all,
    viewed,
)


def pending(customer: Customer) -> list[tuple[str, int]]:
    return sorted((t.item, t.due_ms - START_MS) for t in customer.timers if t.rule == NAME)


def test_a_reminder_goes_out_a_day_after_the_look() -> None:
    customer = Customer()
    step_all(customer, viewed("p1", line={"name": "Teapot"}))
    assert fire_due(customer, START_MS + WAIT_MS - 1) == []
    (action,) = actions_in(fire_due(customer, START_MS + WAIT_MS))
    assert (action.rule, action.occasion) == (NAME, f"p1@{START_MS}")
    assert action.variables == {"product_id": "p1", "product": "Teapot"}
    assert pending(customer) == []


def test_an_order_cancels_the_browse_reminder_with_a_receipt() -> None:
    customer = Customer()
    effects = step_all(customer, viewed("p1"), viewed("p2"), order(at_ms=START_MS + HOUR))
    decisions = [(one.occasion, one.reason) for one in decisions_in(effects)]
    assert decisions == [
        (f"p1@{START_MS}", "ordered after looking"),
        (f"p2@{START_MS}", "ordered after looking"),
    ]
    assert pending(customer) == []


def test_an_order_before_the_look_leaves_the_reminder() -> None:
    customer = Customer()
    step_all(customer, order("o1"), viewed("p1", START_MS + HOUR), order("o2", at_ms=START_MS + 1))
    assert pending(customer) == [("p1", HOUR + WAIT_MS)]


@pytest.mark.parametrize(("ordered_at_ms", "planned"), [(-1, 1), (0, 0), (1, 0)])
def test_a_look_that_comes_in_after_a_later_order_plans_nothing(
    ordered_at_ms: int, planned: int
) -> None:
    customer = Customer()
    step_all(customer, order(at_ms=START_MS + ordered_at_ms), viewed("p1"))
    assert len(pending(customer)) == planned


def test_looking_again_does_not_put_the_reminder_off() -> None:
    customer = Customer()
    step_all(customer, viewed("p1"), viewed("p1", START_MS + HOUR))
    assert pending(customer) == [("p1", WAIT_MS)]


def test_looking_again_after_the_reminder_plans_another() -> None:
    customer = Customer()
    step_all(customer, viewed("p1"))
    fire_due(customer, START_MS + WAIT_MS)
    step_all(customer, viewed("p1", START_MS + 2 * WAIT_MS))
    (action,) = actions_in(fire_due(customer, START_MS + 3 * WAIT_MS))
    assert action.occasion == f"p1@{START_MS + 2 * WAIT_MS}"


def test_only_the_newest_looks_wait() -> None:
    customer = Customer()
    step_all(customer, *(viewed(f"p{n}", START_MS + n) for n in range(PENDING_AT_MOST + 2)))
    assert [item for item, _ in pending(customer)] == ["p2", "p3", "p4"]


def test_an_unknown_device_is_not_written_to() -> None:
    customer = Customer()
    step_all(customer, viewed("p1", anonymous=True))
    effects = fire_due(customer, START_MS + WAIT_MS)
    assert actions_in(effects) == []
    assert [one.reason for one in decisions_in(effects)] == ["nobody knows who it is"]


def test_a_cancelled_order_does_not_bring_the_reminder_back() -> None:
    customer = Customer()
    step_all(customer, viewed("p1"), order("o1"), cancelled("o1"))
    assert pending(customer) == []


def test_a_product_without_a_name_is_called_by_its_id() -> None:
    customer = Customer()
    step_all(customer, viewed("p1"))
    (action,) = actions_in(fire_due(customer, START_MS + WAIT_MS))
    assert action.variables["product"] == "p1"
