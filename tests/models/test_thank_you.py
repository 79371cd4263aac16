"""Thanking for the first order, and only for that."""

import pytest

from models.clock import MINUTE_MS
from models.customer import Customer, find_timer
from models.decision import MESSAGE_LIFE_MS
from models.events import MessageChannel, Unsubscribed
from models.thank_you import NAME, WAIT_MS
from tests.builders import (
    DAY,
    START_MS,
    actions_in,
    cancelled,
    decisions_in,
    fire_due,
    identified,
    make,
    order,
    refunded,
    step_all,
)


def planned_for(customer: Customer) -> list[str]:
    return [timer.item for timer in customer.timers if timer.rule == NAME]


def test_the_first_order_is_thanked_for_ten_minutes_later() -> None:
    customer = Customer()
    step_all(customer, order("o1"))
    assert actions_in(fire_due(customer, START_MS + WAIT_MS - 1)) == []
    effects = fire_due(customer, START_MS + WAIT_MS)
    (action,) = actions_in(effects)
    assert (action.rule, action.occasion, action.template) == (NAME, "o1", NAME)
    assert action.variables == {"order_id": "o1", "offer_percent": 10}
    assert [one.verdict for one in decisions_in(effects)] == ["sent"]
    assert planned_for(customer) == []


def test_the_second_order_is_not_thanked_for() -> None:
    customer = Customer()
    step_all(customer, order("o1"))
    fire_due(customer, START_MS + WAIT_MS)
    step_all(customer, order("o2", at_ms=START_MS + DAY))
    assert planned_for(customer) == []


def test_a_cancelled_order_stops_the_thanks_with_a_receipt() -> None:
    customer = Customer()
    effects = step_all(customer, order("o1"), cancelled("o1", START_MS + MINUTE_MS))
    (decision,) = decisions_in(effects)
    assert (decision.verdict, decision.reason) == ("withheld", "the order was cancelled")
    assert decision.occasion == "o1"
    assert planned_for(customer) == []


def test_after_a_cancelled_first_order_the_second_is_thanked_for() -> None:
    customer = Customer()
    step_all(customer, order("o1"), cancelled("o1"), order("o2", at_ms=START_MS + DAY))
    assert planned_for(customer) == ["o2"]


def test_a_first_order_cancelled_after_the_second_came_hands_the_thanks_on() -> None:
    customer = Customer()
    at_ms = START_MS + MINUTE_MS
    step_all(customer, order("o1"), order("o2", at_ms=at_ms), cancelled("o1", at_ms))
    timer = find_timer(customer, NAME, "o2")
    assert timer is not None
    assert timer.due_ms == at_ms + WAIT_MS
    (action,) = actions_in(fire_due(customer, at_ms + WAIT_MS))
    assert action.occasion == "o2"


@pytest.mark.parametrize("undone", [["o2", "o1"], ["o1", "o2"]])
def test_two_orders_both_cancelled_are_not_thanked_for_but_the_third_is(undone: list[str]) -> None:
    customer = Customer()
    step_all(customer, order("o1"), order("o2"), *(cancelled(one) for one in undone))
    assert planned_for(customer) == []
    step_all(customer, order("o3"))
    assert planned_for(customer) == ["o3"]


def test_the_same_order_told_again_is_no_successor() -> None:
    customer = Customer()
    step_all(customer, order("o1"), order("o1"), cancelled("o1"))
    assert planned_for(customer) == []


def test_an_order_whose_cancellation_came_first_is_not_thanked_for() -> None:
    customer = Customer()
    step_all(customer, cancelled("o1"), order("o1"))
    assert planned_for(customer) == []


def test_a_cancellation_after_the_thanks_changes_nothing() -> None:
    customer = Customer()
    step_all(customer, order("o1"))
    fire_due(customer, START_MS + WAIT_MS)
    effects = step_all(customer, cancelled("o1"), order("o2"))
    assert decisions_in(effects) == []
    assert planned_for(customer) == []


def test_a_refund_does_not_stop_the_thanks() -> None:
    customer = Customer()
    step_all(customer, order("o1"), refunded("o1"))
    assert planned_for(customer) == ["o1"]


def test_an_earlier_order_that_comes_later_is_not_thanked_for_as_well() -> None:
    customer = Customer()
    step_all(customer, order("o2", at_ms=START_MS + DAY), order("o1"))
    assert planned_for(customer) == ["o2"]


@pytest.mark.parametrize(
    ("before", "reason"),
    [
        (make(Unsubscribed, message_channel=MessageChannel.EMAIL), "unsubscribed from email"),
        (make(Unsubscribed, message_channel=MessageChannel.SMS), ""),
    ],
)
def test_who_unsubscribed_from_email_is_left_in_peace(before: Unsubscribed, reason: str) -> None:
    customer = Customer()
    step_all(customer, before, order("o1"))
    effects = fire_due(customer, START_MS + WAIT_MS)
    assert [one.reason for one in decisions_in(effects)] == [reason]
    assert len(actions_in(effects)) == (not reason)


def test_an_unknown_device_is_thanked_only_where_it_left_an_address() -> None:
    nobody, somebody = Customer(), Customer()
    step_all(nobody, order("o1", anonymous=True))
    (decision,) = decisions_in(fire_due(nobody, START_MS + WAIT_MS))
    assert (decision.verdict, decision.reason) == ("withheld", "nobody knows who it is")
    step_all(
        somebody,
        identified(anonymous=True, sealed={"email": "sealed"}),
        order("o1", anonymous=True),
    )
    (action,) = actions_in(fire_due(somebody, START_MS + WAIT_MS))
    assert action.sealed == {"email": "sealed"}


@pytest.mark.parametrize(("late_ms", "verdict"), [(-1, "sent"), (0, "withheld")])
def test_thanks_for_an_order_told_of_long_afterwards_stay_unsaid(
    late_ms: int, verdict: str
) -> None:
    customer = Customer()
    step_all(customer, order("o1"))
    effects = fire_due(customer, START_MS + WAIT_MS + MESSAGE_LIFE_MS + late_ms)
    assert [one.verdict for one in decisions_in(effects)][:1] == [verdict]
