"""One event or timer, one customer: what follows, and in which order."""

import pytest

from models.customer import Customer, Timer
from models.effects import (
    Action,
    CustomerStood,
    Decided,
    EventFolded,
    Forgotten,
    HazardLesson,
    Taught,
    TierChanged,
)
from models.events import CouponEnded, Erased, encode
from models.hazard import closed_form, features_of
from models.step import fire, step
from tests.builders import (
    ANNA,
    DAY,
    START_MS,
    cancelled,
    copy_of,
    fire_due,
    folded_in,
    identified,
    make,
    named,
    order,
    released,
    snapshot,
    step_all,
    tiers_in,
    view_at,
    viewed,
)


def test_an_event_leaves_a_fact_with_the_record_as_it_stands() -> None:
    event = order("o1")
    raw = encode(event)
    view = view_at(incarnation=4, partition=2, partitions=3)
    view.offset, view.logged_at_ms = 17, 99
    fact = step(Customer(tier="new"), event, raw, view)[0]
    assert isinstance(fact, EventFolded)
    assert (fact.incarnation, fact.partition, fact.offset, fact.index) == (4, 2, 17, 0)
    assert (fact.customer, fact.type, fact.tier) == (ANNA, "order_completed", "new")
    assert (fact.at_ms, fact.logged_at_ms) == (START_MS, 99)
    assert (bytes(fact.event), fact.order_state, fact.order_number) == (raw, "counted", 1)


def test_effects_of_one_record_are_numbered() -> None:
    customer = Customer()
    step_all(customer, viewed("p1"), viewed("p2"))
    view = view_at()
    effects = step(customer, order("o1", at_ms=START_MS + 1), b"{}", view)
    said = [one for one in effects if not isinstance(one, Taught)]
    assert [type(one) for one in said] == [EventFolded, Decided, Decided]
    assert [one.index for one in said] == [0, 1, 2]  # type: ignore[union-attr]


def test_a_new_customer_enters_a_tier_from_none() -> None:
    (change,) = [one for one in step_all(Customer(), viewed()) if isinstance(one, TierChanged)]
    assert (change.from_tier, change.to_tier, change.reason) == ("", "new", "no order yet")


def test_the_tier_changes_with_what_was_ordered_and_only_then() -> None:
    customer = Customer()
    assert tiers_in(step_all(customer, order("o1"))) == ["new"]
    assert tiers_in(step_all(customer, order("o2", at_ms=START_MS + DAY))) == ["regular"]
    assert tiers_in(step_all(customer, viewed())) == []
    assert tiers_in(step_all(customer, cancelled("o2"))) == ["new"]
    assert (customer.tier, customer.tier_since_ms) == ("new", START_MS)


def test_why_a_customer_is_in_a_tier_is_told_anew_while_the_tier_stays() -> None:
    customer = Customer()
    step_all(customer, viewed())
    assert customer.tier_reason == "no order yet"
    step_all(customer, order("o1"))
    assert (customer.tier, customer.tier_reason) == ("new", "ordered on one day so far")


def test_the_fact_says_the_tier_before_the_event() -> None:
    customer = Customer()
    effects = step_all(customer, order("o1"), order("o2", at_ms=START_MS + DAY))
    assert [one.tier for one in folded_in(effects)] == ["", "new"]
    assert customer.tier == "regular"


def test_a_repeat_changes_nothing() -> None:
    customer = Customer()
    event = order("o1")
    step_all(customer, event)
    before = copy_of(customer)
    assert step_all(customer, event) == []
    assert customer == before


def test_an_event_is_not_changed_by_being_folded() -> None:
    customer = Customer()
    event = identified(traits={"city": "Graz"}, sealed={"email": "s"}, lookup={"email": "t"})
    raw = encode(event)
    step_all(customer, event, identified(traits={"city": "Linz"}, sealed={"email": "x"}))
    assert encode(event) == raw


def test_hazard_is_foretold_at_each_event_of_a_buyer() -> None:
    customer = Customer()
    view = view_at(hazard=snapshot(version=5))
    step_all(customer, viewed(), view=view)
    assert (customer.hazard, customer.hazard_version) == (0.0, 5)
    step_all(customer, order("o1"), view=view)
    assert (customer.hazard, customer.hazard_version) == (0.5, 5)
    step_all(customer, viewed(), view=view_at(START_MS + DAY))
    assert customer.hazard_version == 0
    assert customer.hazard == closed_form(features_of(customer, START_MS + DAY))
    assert customer.hazard_at_ms == START_MS + DAY


@pytest.mark.parametrize(
    ("now_ms", "at_ms"),
    [(START_MS - DAY, START_MS), (START_MS, START_MS), (START_MS + DAY, START_MS + DAY)],
)
def test_the_later_of_event_and_clock_is_now(now_ms: int, at_ms: int) -> None:
    customer = Customer()
    step_all(customer, order("o1"), view=view_at(now_ms))
    assert customer.hazard_at_ms == at_ms


def test_a_timer_is_gone_before_its_rule_speaks() -> None:
    customer = Customer()
    step_all(customer, order("o1"))
    effects = fire_due(customer, START_MS + DAY)
    assert [type(one) for one in effects] == [Action, Decided]
    assert sorted(timer.rule for timer in customer.timers) == ["hazard_question", "sleep"]


def test_timers_foretell_and_change_the_tier() -> None:
    customer = Customer()
    step_all(customer, order("o1"))
    hazard = customer.hazard
    effects = fire_due(customer, START_MS + 31 * DAY)
    assert tiers_in(effects) == ["dormant"]
    assert customer.hazard < hazard
    assert not any(isinstance(one, HazardLesson) for one in effects)


def test_a_timer_of_a_rule_nobody_knows_is_refused() -> None:
    customer = Customer(timers=[Timer("gone", "", START_MS)])
    with pytest.raises(KeyError, match="gone"):
        fire(ANNA, customer, customer.timers[0], view_at())


def test_who_is_erased_leaves_only_what_recognises_a_repeat() -> None:
    customer = Customer()
    event = order("o1")
    step_all(customer, event, identified(traits={"city": "Graz"}))
    forgotten, taught = step_all(customer, make(Erased))
    assert isinstance(taught, CustomerStood)
    assert (taught.orders, taught.after) == (0, None)
    assert isinstance(forgotten, Forgotten)
    assert forgotten.customer == ANNA
    assert step_all(customer, event) == []
    ids = customer.event_ids
    assert customer == Customer(event_ids=ids)


def test_who_is_erased_stays_merged() -> None:
    customer = Customer()
    step_all(customer, released(named("other")), make(Erased))
    assert customer.merged_into == named("other")


def test_a_coupon_that_is_there_longer_than_its_owner_does_not_bring_an_erased_one_back() -> None:
    customer = Customer()
    step_all(customer, order("o1"), make(Erased, at_ms=START_MS + 1))
    ended = make(CouponEnded, coupon="C", source="coupons", at_ms=START_MS + 2)
    assert step_all(customer, ended) == []
    assert (customer.events, customer.held_coupons) == (0, [])
