"""What holds for every rule and model, whatever a customer does."""

import math
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from typing import Any, get_args

import msgspec
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models import daybook, decay, merging
from models.customer import (
    _APPLY,
    KEPT_EVENT_IDS,
    KEPT_MESSAGES,
    KEPT_ORDERS,
    KEPT_RECENT,
    KEPT_TRAITS,
    KEPT_VOIDS,
    Customer,
    Tier,
    decode_row,
    encode_row,
)
from models.effects import EventFolded, FactBase, TierChanged, encode
from models.events import (
    Channel,
    CouponApplied,
    CustomerEvent,
    Erased,
    Line,
    MessageChannel,
    MessageSent,
    OrderCancelled,
    OrderCompleted,
    OrderRefunded,
    ProductViewed,
    type_of,
)
from models.events import encode as encode_event
from models.hazard import NOTHING_LEARNED, HazardSnapshot
from models.hazard_question import questions_of
from models.profile import profile_of
from models.step import Effect, ForLog, step
from tests.builders import (
    DAY,
    HOUR,
    START_MS,
    copy_of,
    fire_due,
    identified,
    make,
    order,
    snapshot,
    step_all,
    view_at,
)
from tests.laws.strategies import FIELDS, events

ORDERS = (OrderCompleted, OrderCancelled, OrderRefunded, ProductViewed)
RECEIPTS = {"message_sent", "message_delivered", "message_bounced"}
FORGIVING = settings(deadline=None, max_examples=60)
SNAPSHOTS = st.sampled_from(
    [
        NOTHING_LEARNED,
        snapshot(),
        snapshot(weights=(5e5, -5e5) * 5 + (0.0,), edges=(0.6, 0.3, 0.07)),
    ]
)


def lived(
    told: list[CustomerEvent],
    hazard: HazardSnapshot = NOTHING_LEARNED,
    between: Callable[[Customer], Customer] = lambda customer: customer,
) -> tuple[Customer, list[Effect]]:
    """Fold events with a mark after each; time never goes back at marks."""
    customer, effects = Customer(), []
    view = view_at(1, hazard=hazard)
    for event in told:
        customer = between(customer)
        view.next_index = 0
        view.offset += 1
        effects += step(customer, event, encode_event(event), view)
        customer = between(customer)
        now_ms = max(view.now_ms, event.occurred_at_ms + 20 * HOUR)
        effects += fire_due(customer, now_ms, view)
    return customer, effects


def bytes_of(effects: list[Effect]) -> list[bytes]:
    return [encode_event(one.event) if isinstance(one, ForLog) else encode(one) for one in effects]


def numbers_in(value: Any) -> list[float]:
    if isinstance(value, dict):
        return [number for one in value.values() for number in numbers_in(one)]
    if isinstance(value, list | tuple):
        return [number for one in value for number in numbers_in(one)]
    return [float(value)] if isinstance(value, int | float) else []


def test_the_laws_speak_of_every_kind_of_event() -> None:
    assert set(FIELDS) == set(_APPLY) | {Erased}
    assert len(get_args(CustomerEvent)) == len(FIELDS) + 2


@FORGIVING
@given(events(), SNAPSHOTS)
def test_the_same_log_gives_the_same_state_and_effects(
    told: list[CustomerEvent], hazard: HazardSnapshot
) -> None:
    one, other = lived(told, hazard), lived(told, hazard)
    assert encode_row(one[0]) == encode_row(other[0])
    assert bytes_of(one[1]) == bytes_of(other[1])


@FORGIVING
@given(events(), SNAPSHOTS)
def test_a_row_packed_at_any_moment_goes_on_the_same(
    told: list[CustomerEvent], hazard: HazardSnapshot
) -> None:
    straight, packed = lived(told, hazard), lived(told, hazard, between=copy_of)
    assert packed[0] == straight[0]
    assert bytes_of(packed[1]) == bytes_of(straight[1])


@FORGIVING
@given(events(), SNAPSHOTS)
def test_every_number_is_one_and_every_hazard_a_probability(
    told: list[CustomerEvent], hazard: HazardSnapshot
) -> None:
    customer, effects = lived(told, hazard)
    assert all(math.isfinite(number) for number in numbers_in(msgspec.to_builtins(customer)))
    for raw in bytes_of(effects):
        said = orjson.loads(raw)
        assert all(math.isfinite(number) for number in numbers_in(said))
        assert 0.0 <= said.get("hazard", 0.5) <= 1.0
    assert 0.0 <= customer.hazard <= 1.0


@FORGIVING
@given(events())
def test_no_event_is_changed_by_being_folded(told: list[CustomerEvent]) -> None:
    before = [encode_event(event) for event in told]
    lived(told)
    assert [encode_event(event) for event in told] == before


@FORGIVING
@given(events())
def test_a_customer_is_in_exactly_one_tier_and_every_change_is_told(
    told: list[CustomerEvent],
) -> None:
    customer, effects = lived(told)
    changes = [one for one in effects if isinstance(one, TierChanged)]
    names = {tier.value for tier in Tier}
    assert {one.to_tier for one in changes} <= names
    assert all(one.from_tier != one.to_tier for one in changes)
    if not any(isinstance(event, Erased) for event in told):
        assert all(a.to_tier == b.from_tier for a, b in pairwise(changes))
        assert customer.tier == (changes[-1].to_tier if changes else "")
        assert bool(changes) is bool(told)


@FORGIVING
@given(events())
def test_every_event_leaves_one_fact_and_facts_have_names_of_their_own(
    told: list[CustomerEvent],
) -> None:
    _, effects = lived(told)
    folded = Counter(one.type for one in effects if isinstance(one, EventFolded))
    due = Counter(type_of(event) for event in told if not isinstance(event, Erased))
    # What a receipt said before is not said again (models/customer.py: is_told_receipt).
    assert all(folded[kind] == due[kind] for kind in due.keys() - RECEIPTS)
    assert all(bool(folded[kind]) and folded[kind] <= due[kind] for kind in due.keys() & RECEIPTS)
    names = [(one.offset, one.index) for one in effects if isinstance(one, FactBase)]
    assert len(names) == len(set(names))


@FORGIVING
@given(events(), st.sampled_from([-400 * DAY, 0, DAY, 900 * DAY, 30_000 * DAY]))
def test_a_profile_can_be_told_at_any_moment(told: list[CustomerEvent], later_ms: int) -> None:
    customer, _ = lived(told)
    now_ms = max(1, customer.last_seen_ms + later_ms)
    profile = profile_of(customer, now_ms)
    assert orjson.loads(orjson.dumps(profile)) == profile
    assert set(profile) == set(profile_of(Customer(), now_ms))


@FORGIVING
@given(events(max_size=60))
def test_lists_are_bounded_whatever_comes(told: list[CustomerEvent]) -> None:
    customer, _ = lived(told)
    assert len(customer.event_ids) <= 8 * KEPT_EVENT_IDS
    assert len(customer.recent_orders) <= KEPT_ORDERS
    assert len(customer.early_voids) <= KEPT_VOIDS
    assert len(customer.messages) <= KEPT_MESSAGES
    assert len(customer.recent) <= KEPT_RECENT
    assert len(customer.traits) <= KEPT_TRAITS
    assert len(customer.timers) <= 6
    assert len(customer.daybook.days) <= 2 * daybook.KEPT_DAYS


def summed(customer: Customer) -> dict[str, Any]:
    """What must not depend on the sequence of arrival (S33)."""
    names = (
        "events orders value_cents cancelled_orders refunded_cents views carts discount_cents "
        "first_seen_ms last_seen_ms first_order_ms last_order_ms last_view_ms last_cart_ms "
        "channels known daybook early_voids"
    )
    return {name: getattr(customer, name) for name in names.split()}


def faded(customer: Customer, at_ms: int) -> tuple[float, ...]:
    return decay.as_of(customer.decayed, at_ms)


@st.composite
def shuffled(draw: st.DrawFn) -> tuple[list[Any], list[Any]]:
    """Orders, their undoings and looks within a year, in two sequences; no order told twice."""
    told = draw(events(*ORDERS, max_size=12))
    seen, kept = set(), []
    for number, event in enumerate(told):
        at_ms = START_MS + draw(st.integers(0, 364)) * DAY + number
        if isinstance(event, OrderCompleted):
            if event.order_id in seen:
                continue
            seen.add(event.order_id)
        kept.append(msgspec.structs.replace(event, occurred_at_ms=at_ms))
    return kept, draw(st.permutations(kept))


@settings(deadline=None, max_examples=200)
@given(shuffled())
def test_the_sequence_of_arrival_makes_no_difference(
    both: tuple[list[CustomerEvent], list[CustomerEvent]],
) -> None:
    rows = []
    for told in both:
        customer = Customer()
        step_all(customer, *told)
        customer.early_voids = sorted(customer.early_voids, key=repr)
        rows.append(customer)
    assert summed(rows[0]) == summed(rows[1])
    at_ms = START_MS + 400 * DAY
    assert faded(rows[0], at_ms) == pytest.approx(faded(rows[1], at_ms), abs=1e-9)


@settings(deadline=None, max_examples=200)
@given(shuffled(), st.data())
def test_two_names_merged_are_what_one_name_would_have_been(
    both: tuple[list[CustomerEvent], list[CustomerEvent]], data: st.DataObject
) -> None:
    told, _ = both
    mine = [event for event in told if data.draw(st.booleans())]
    theirs = [event for event in told if event not in mine]
    whole, customer, other = Customer(), Customer(), Customer()
    step_all(whole, *told)
    step_all(customer, *mine)
    step_all(other, *theirs)
    merging.absorb(customer, copy_of(other))
    for row in (whole, customer):
        row.early_voids = sorted(row.early_voids, key=repr)
    assert summed(customer) == summed(whole)
    at_ms = START_MS + 400 * DAY
    assert faded(customer, at_ms) == pytest.approx(faded(whole, at_ms), abs=1e-9)


def a_households_year(**fields: Any) -> Customer:
    """What the demo's households are like: sixty orders of nine lines, and who they are."""
    customer, view = Customer(), view_at(**fields)
    kinds = [f"DEPARTMENT {number:02}" for number in range(12)]
    told: list[CustomerEvent] = [
        identified(
            sealed={"id": "x" * 44},
            traits={
                "age": "35-44",
                "income": "50-74K",
                "home_ownership": "Homeowner",
                "marital_status": "Married",
                "household_size": "2",
                "household_comp": "2 Adults No Kids",
                "kids_count": "0",
            },
        )
    ]
    for number in range(60):
        at_ms = START_MS + number * 6 * DAY + number * HOUR // 7
        lines = tuple(
            Line(f"{1_000_000 + n}", 300 + n, category=kinds[(number + n) % 12]) for n in range(9)
        )
        order_id = f"{40_000_000_000 + number}"
        told.append(order(order_id, 2_700 + 37 * number, at_ms, lines=lines, channel=Channel.STORE))
        if number % 8 == 0:
            told.append(make(CouponApplied, coupon="10000085362", at_ms=at_ms))
        if number == 0:
            told.append(
                make(
                    MessageSent,
                    action_id="0" * 32,
                    message_channel=MessageChannel.EMAIL,
                    rule="thank_you",
                    at_ms=at_ms + HOUR,
                )
            )
        view.now_ms = at_ms
        step_all(customer, *told, view=view)
        fire_due(customer, at_ms + DAY, view)
        told = []
    return customer


def test_a_usual_customers_row_fits_two_kib_beside_its_items() -> None:
    customer = a_households_year(rulebook=None, playbook_version=0)
    assert (customer.orders, len(customer.event_ids)) == (60, 8 * KEPT_EVENT_IDS)
    assert len(questions_of(customer)) == 3
    records = len(customer.items.records)
    # What it remembers of items is bounded on its own (tests/models/test_item_memory.py).
    assert len(encode_row(customer)) - records <= 2_064
    ruled = a_households_year()
    assert ruled.playbook.said
    # What is noted for a playbook of two rules.
    assert len(encode_row(ruled)) - len(encode_row(customer)) <= 256


def test_a_row_of_a_year_of_daily_orders_stays_small() -> None:
    customer = Customer()
    for day in range(800):
        step_all(customer, order(f"o{day}", 5_000, START_MS + day * DAY))
    assert daybook.extent(customer.daybook)[0] == daybook.KEPT_DAYS
    assert len(encode_row(customer)) < 4_096
    assert decode_row(encode_row(customer)) == customer
