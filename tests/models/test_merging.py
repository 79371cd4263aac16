"""One person under two names: nothing lost, nothing twice, one name in the end."""

import pytest

from models import daybook
from models.customer import KEPT_TRAITS, Customer, Timer, decode_row
from models.events import (
    Absorbed,
    CouponApplied,
    CouponIssued,
    CustomerEvent,
    Event,
    MessageChannel,
    TicketClosed,
    TicketOpened,
    Unsubscribed,
)
from models.hazard import HORIZONS_DAYS
from models.hazard_question import NAME as QUESTION
from models.hazard_question import interval_days, questions_of
from models.merging import HOPS_AT_MOST, absorb, follow
from models.step import step
from tests.builders import (
    ANNA,
    DAY,
    START_MS,
    cancelled,
    copy_of,
    fire_due,
    folded_in,
    for_log_in,
    identified,
    make,
    merges_in,
    named,
    order,
    refunded,
    released,
    step_all,
    view_at,
    viewed,
)

LOW, MIDDLE, HIGH = sorted(named(name) for name in ("a", "b", "c"))


def told(*events: CustomerEvent) -> Customer:
    customer = Customer()
    step_all(customer, *events)
    return customer


def merged(customer: Customer, other: Customer) -> Customer:
    absorb(customer, copy_of(other))
    return customer


def test_a_released_customer_sends_the_history_and_keeps_only_ids_and_the_way() -> None:
    customer = told(order("o1"), viewed("p1"))
    ids = customer.event_ids
    effects = step_all(customer, released(HIGH))
    (absorbed,) = for_log_in(effects)
    assert isinstance(absorbed, Absorbed)
    assert (absorbed.customer, absorbed.origin) == (HIGH, ANNA)
    assert decode_row(absorbed.row).orders == 1
    assert customer.event_ids.startswith(ids)
    customer.event_ids = b""
    assert customer == Customer(merged_into=HIGH)
    assert folded_in(effects) == []


def test_who_has_no_history_sends_an_empty_one_that_tells_nothing() -> None:
    customer = Customer()
    (absorbed,) = for_log_in(step_all(customer, released(HIGH)))
    assert customer.merged_into == HIGH
    target = Customer()
    assert step_all(target, absorbed) == []
    assert (target.events, target.tier) == (0, "")


def test_an_empty_history_ends_a_circle_like_any_other() -> None:
    (absorbed,) = for_log_in(step_all(Customer(), released(LOW, customer=HIGH)))
    least = Customer(merged_into=HIGH)
    assert step_all(least, absorbed) == []
    assert least.merged_into == ""


@pytest.mark.parametrize("target", [HIGH, ANNA])
def test_a_release_that_says_nothing_new_does_nothing(target: str) -> None:
    customer = told(order("o1"))
    if target == HIGH:
        step_all(customer, released(HIGH))
    before = copy_of(customer)
    assert for_log_in(step_all(customer, released(target))) == []
    assert customer.merged_into == before.merged_into
    assert customer.orders == before.orders


def test_what_arrives_later_is_passed_on_as_it_was() -> None:
    customer = told(released(HIGH))
    event = order("o1")
    (passed,) = for_log_in(step_all(customer, event))
    assert (passed.customer, passed.via) == (HIGH, (ANNA,))
    assert (passed.id, passed.order_id, event.customer, event.via) == (event.id, "o1", ANNA, ())
    assert customer.orders == 0


def test_a_device_that_changes_hands_passes_on_to_the_new_owner() -> None:
    customer = told(order("o1"), released(HIGH))
    (empty,) = for_log_in(step_all(customer, released(LOW)))
    assert decode_row(empty.row).events == 0
    (passed,) = for_log_in(step_all(customer, viewed()))
    assert passed.customer == LOW


def test_a_repeat_at_the_old_name_is_still_recognised() -> None:
    event = order("o1")
    customer = told(event, released(HIGH))
    assert step_all(customer, event) == []


def test_what_was_passed_on_is_no_repeat_though_the_name_that_passed_it_on_is_absorbed() -> None:
    event = viewed("p1")
    old, new = Customer(merged_into=LOW), Customer()
    (passed,) = for_log_in(step_all(old, event))
    old.merged_into = ""
    step_all(old, order("o1"))
    (absorbed,) = for_log_in(step_all(old, released(HIGH)))
    step_all(new, absorbed)
    step_all(new, make(type(event), id=event.id, customer=HIGH, line=event.line, via=passed.via))
    assert (new.orders, new.views) == (1, 1)


def test_the_merge_is_told_once_as_a_fact() -> None:
    (absorbed,) = for_log_in(step_all(told(order("o1")), released(HIGH)))
    target = Customer()
    effects = step_all(target, absorbed, absorbed)
    assert [(one.customer, one.origin) for one in merges_in(effects)] == [(HIGH, ANNA)]
    assert (target.orders, target.known) == (1, True)


def test_a_way_is_not_longer_than_it_may_be() -> None:
    names = tuple(named(f"n{number}") for number in range(HOPS_AT_MOST))
    almost, whole = Customer(merged_into=HIGH), Customer(merged_into=HIGH)
    view = view_at()
    assert follow(almost, viewed(via=names[1:]), view) is not None
    assert follow(whole, viewed(via=names), view) is None
    assert whole.merged_into == ""


def test_an_order_that_both_names_tell_of_counts_once() -> None:
    both = merged(told(order("o1", 500)), told(order("o1", 500), order("o2", 300)))
    alone = told(order("o1", 500), order("o2", 300))
    assert (both.orders, both.value_cents, both.cancelled_orders) == (2, 800, 0)
    assert both.daybook == alone.daybook
    assert both.decayed.week == pytest.approx(alone.decayed.week)


@pytest.mark.parametrize(
    ("mine", "theirs", "orders", "value", "undone", "back"),
    [
        ([order("o1", 500)], [order("o1", 500), cancelled("o1")], 0, 0, 1, 0),
        ([order("o1", 500), cancelled("o1")], [order("o1", 500)], 0, 0, 1, 0),
        ([order("o1", 500), cancelled("o1")], [order("o1", 500), cancelled("o1")], 0, 0, 1, 0),
        ([order("o1", 500)], [order("o1", 500), refunded("o1", 100)], 1, 400, 0, 100),
        ([order("o1", 500)], [cancelled("o1")], 0, 0, 1, 0),
        ([cancelled("o1")], [order("o1", 500)], 0, 0, 1, 0),
        ([refunded("o1", 200)], [order("o1", 500)], 1, 300, 0, 200),
        ([order("o1", 500)], [refunded("o1"), cancelled("o2")], 1, 0, 0, 500),
    ],
)
def test_what_was_undone_under_one_name_is_undone_under_both(
    mine: list[Event], theirs: list[Event], orders: int, value: int, undone: int, back: int
) -> None:
    both = merged(told(*mine), told(*theirs))  # type: ignore[arg-type]
    assert (both.orders, both.value_cents) == (orders, value)
    assert (both.cancelled_orders, both.refunded_cents) == (undone, back)
    assert daybook.extent(both.daybook)[0] == orders


def test_a_cancellation_that_still_waits_goes_along() -> None:
    both = merged(told(viewed()), told(cancelled("o9")))
    step_all(both, order("o9"))
    assert (both.orders, both.cancelled_orders) == (0, 1)


def test_this_customers_traits_stay_and_the_others_fill_up() -> None:
    customer = told(identified(traits={"city": "Graz", "age": 1}))
    both = merged(customer, told(identified(traits={"city": "Linz", "team": "x"})))
    assert both.traits == {"city": "Graz", "age": 1, "team": "x"}


def test_many_traits_of_the_other_do_not_crowd_out_this_customers() -> None:
    customer = told(identified(traits={f"mine{n}": n for n in range(KEPT_TRAITS)}))
    both = merged(customer, told(identified(traits={f"theirs{n}": n for n in range(KEPT_TRAITS)})))
    assert sorted(both.traits) == sorted(f"mine{n}" for n in range(KEPT_TRAITS))


def test_what_is_sealed_under_the_old_name_stays_behind() -> None:
    both = merged(told(viewed()), told(identified(sealed={"email": "s"}, lookup={"email": "t"})))
    assert both.sealed == {}
    assert both.lookup == {"email": "t"}


def test_who_wanted_no_more_messages_under_one_name_wants_none() -> None:
    both = merged(
        told(make(Unsubscribed, message_channel=MessageChannel.EMAIL)),
        told(make(Unsubscribed, message_channel=MessageChannel.SMS)),
    )
    assert both.unsubscribed == ["email", "sms"]


@pytest.mark.parametrize("opened_here", [True, False])
def test_a_ticket_opened_under_one_name_and_closed_under_the_other_is_closed(
    opened_here: bool,
) -> None:
    opened, closed = (
        told(make(TicketOpened, ticket_id="t1")),
        told(make(TicketClosed, ticket_id="t1")),
    )
    both = merged(opened, closed) if opened_here else merged(closed, opened)
    assert (both.service.open_tickets, both.service.closed_early) == ([], [])
    assert (both.service.opened, both.service.closed) == (1, 1)


def test_a_question_keeps_the_time_until_its_answer() -> None:
    asked = told(order("o1"))
    fire_due(asked, START_MS + 8 * DAY)
    (question,) = questions_of(asked)
    not_asked = told(order("o2", at_ms=START_MS + 8 * DAY))
    for mine, theirs in ((not_asked, asked), (asked, not_asked)):
        both = merged(copy_of(mine), theirs)
        assert questions_of(both) == [question]
        (timer,) = [one for one in both.timers if one.rule == QUESTION]
        assert timer.due_ms == (question.day + interval_days(HORIZONS_DAYS)) * DAY


def test_trouble_under_either_name_is_the_customers_trouble() -> None:
    late, early = (
        told(make(TicketOpened, ticket_id=f"t{day}", at_ms=START_MS + day * DAY)) for day in (5, 2)
    )
    assert merged(late, early).service.last_trouble_ms == START_MS + 5 * DAY


@pytest.mark.parametrize(("name", "target"), [(LOW, HIGH), (HIGH, LOW)])
def test_of_two_names_merged_into_each_other_the_lesser_keeps(name: str, target: str) -> None:
    customer = Customer(merged_into=target)
    event = viewed(customer=name, via=(target,))
    effects = step(customer, event, b"{}", view_at())
    if name == LOW:
        assert customer.merged_into == ""
        assert customer.views == 1
    else:
        assert customer.merged_into == LOW
        assert [one.customer for one in for_log_in(effects)] == [LOW]


def test_an_event_that_comes_home_is_no_repeat() -> None:
    customer = Customer(merged_into=HIGH)
    event = viewed(customer=LOW)
    (passed,) = for_log_in(step(customer, event, b"{}", view_at()))
    home = make(type(event), id=event.id, customer=LOW, line=event.line, via=(LOW, HIGH))
    assert passed.via == (LOW,)
    step(customer, home, b"{}", view_at())
    assert customer.views == 1
    assert step(customer, event, b"{}", view_at()) == []


def test_a_history_that_comes_home_is_no_merge_to_tell_of() -> None:
    row = for_log_in(step_all(told(order("o1")), released(HIGH)))[0].row
    customer = Customer(merged_into=HIGH)
    home = make(Absorbed, customer=LOW, origin=LOW, row=row, via=(HIGH,))
    effects = step(customer, home, b"{}", view_at())
    assert merges_in(effects) == []
    assert (customer.orders, customer.merged_into) == (1, "")


def test_a_way_out_of_a_circle_is_taken() -> None:
    customer = Customer(merged_into=LOW)
    event = viewed(customer=HIGH, via=(MIDDLE,))
    assert follow(customer, event, view_at()) is not None


def test_a_merged_timer_is_not_there_twice() -> None:
    mine = Customer(timers=[Timer("sleep", "", 5)])
    merged(mine, Customer(timers=[Timer("sleep", "", 9), Timer("run", "p", 1)]))
    assert mine.timers == [Timer("sleep", "", 5), Timer("run", "p", 1)]


def test_a_coupon_that_one_name_was_given_and_the_other_redeemed_is_gone() -> None:
    mine = told(make(CouponIssued, coupon="A"), make(CouponIssued, coupon="B"))
    theirs = told(make(CouponApplied, coupon="A", at_ms=START_MS + 1))
    assert [one.code for one in merged(mine, theirs).held_coupons] == ["B"]
