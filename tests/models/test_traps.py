"""The odd things shops send, each with its defined result."""

from itertools import permutations
from typing import Any

import msgspec
import pytest

from models import daybook
from models.clock import day_of
from models.customer import KEPT_EVENT_IDS, Customer, decode_row, encode_row
from models.events import (
    CustomerEvent,
    Erased,
    Event,
    MessageBounced,
    MessageChannel,
    MessageDelivered,
    MessageSent,
    decode,
    encode,
)
from models.merging import HOPS_AT_MOST
from models.step import step
from models.tier import Tier
from models.tokens import token_of
from tests.builders import (
    DAY,
    HOUR,
    START_MS,
    actions_in,
    cancelled,
    fire_due,
    folded_in,
    for_log_in,
    identified,
    make,
    named,
    order,
    refunded,
    released,
    step_all,
    tiers_in,
    view_at,
    viewed,
)


def stepped(*events: CustomerEvent) -> Customer:
    customer = Customer()
    step_all(customer, *events)
    return customer


ONE_SECOND = [order("o1", 500), order("o2", 700, START_MS + 999)]


@pytest.mark.parametrize(
    ("events", "orders", "value_cents", "last_ms"),
    [
        pytest.param([order("o1", 500, anonymous=True)], 1, 500, START_MS, id="anonymous order"),
        pytest.param([cancelled("o1"), order("o1", 500)], 0, 0, 0, id="cancelled before placed"),
        pytest.param([cancelled("o1")], 0, 0, 0, id="cancellation of nothing"),
        pytest.param([order("o1", 500), refunded("o1", 250)], 1, 250, START_MS, id="half refunded"),
        pytest.param(
            [refunded("o1", 250), order("o1", 500)], 1, 250, START_MS, id="refunded before placed"
        ),
        pytest.param(ONE_SECOND, 2, 1_200, START_MS + 999, id="two orders in one second"),
        pytest.param(
            [order("o1", 500), order("o2", 500)], 2, 1_000, START_MS, id="two in one millisecond"
        ),
        pytest.param(
            [order("o1", 500, id="a"), order("o1", 500, id="b")], 1, 500, START_MS, id="order twice"
        ),
        pytest.param([order("o1", 0)], 1, 0, START_MS, id="nothing to pay"),
        pytest.param([order("o1", -300)], 1, -300, START_MS, id="less than nothing to pay"),
        pytest.param(
            [order("o1", -300), refunded("o1")], 1, 0, START_MS, id="less than nothing refunded"
        ),
        pytest.param(
            [order("o1", 500), refunded("o1", -100)], 1, 500, START_MS, id="negative refund"
        ),
        pytest.param(
            [order("o1", 500), refunded("o1", 9_999)], 1, 0, START_MS, id="refunded too much"
        ),
        pytest.param(
            [order("o1", 500, START_MS + 900 * DAY)], 1, 500, START_MS + 900 * DAY, id="the future"
        ),
        pytest.param(
            [order("o2", 1), order("o1", 500, START_MS - 400 * DAY)], 2, 501, START_MS, id="late"
        ),
        pytest.param([order("o1", 10**12)], 1, 10**12, START_MS, id="all the money there is"),
        pytest.param([order("x" * 5_000, 1)], 1, 1, START_MS, id="order id of 5,000 characters"),
        pytest.param([order("", 1)], 1, 1, START_MS, id="order id of none"),
    ],
)
def test_orders_of_all_kinds_come_to(
    events: list[Any], orders: int, value_cents: int, last_ms: int
) -> None:
    customer = stepped(*(decode(encode(event)) for event in events))  # type: ignore[arg-type]
    assert (customer.orders, customer.value_cents) == (orders, value_cents)
    assert customer.last_order_ms == last_ms
    assert decode_row(encode_row(customer)) == customer


def test_an_event_ahead_of_the_clock_moves_nobodys_clock() -> None:
    view = view_at(START_MS)
    customer = Customer()
    step(customer, order("o1", at_ms=START_MS + 900 * DAY), b"{}", view)
    assert view.now_ms == START_MS
    assert actions_in(fire_due(customer, START_MS + DAY)) == []
    (thanks,) = actions_in(fire_due(customer, START_MS + 900 * DAY + HOUR))
    assert thanks.rule == "thank_you"
    assert tiers_in(fire_due(customer, START_MS + 929 * DAY)) == []


def test_a_late_event_is_told_with_its_own_time() -> None:
    customer = stepped(order("o2", at_ms=START_MS + 20 * DAY))
    (fact,) = folded_in(step_all(customer, order("o1")))
    assert fact.at_ms == START_MS
    assert customer.tier == Tier.REGULAR.value


def test_history_told_long_afterwards_sends_nothing() -> None:
    customer = stepped(viewed("p1", START_MS - 300 * DAY), order("o1", at_ms=START_MS - 200 * DAY))
    assert actions_in(fire_due(customer, START_MS)) == []


@pytest.mark.parametrize("customer_id", ["x" * 300, "客" * 300, "🛍️" * 75, " ", "a\nb\x00c"])
def test_a_customer_may_be_called_anything(customer_id: str) -> None:
    token = token_of(b"k" * 32, "customer", customer_id)
    event = order("o1", customer=token)
    effects = step_all(Customer(), event)
    assert {one.customer for one in folded_in(effects)} == {token}
    assert len(token) == 22


@pytest.mark.parametrize("name", ["🛍️👩‍🚀", "Ǎñń\u200d", "\u202eevil", "'); DROP TABLE", "\x00"])
def test_names_of_products_categories_and_traits_may_be_anything(name: str) -> None:
    events = [
        viewed(name, line={"name": name, "category": name}),
        identified(traits={name: name}, sealed={"name": name}),
        make(type(order()), order_id=name, total_cents=1, currency="EUR"),
    ]
    customer = stepped(*(decode(encode(event)) for event in events))  # type: ignore[arg-type]
    assert customer.traits[name] == name
    assert list(customer.categories) == [name]
    assert decode_row(encode_row(customer)) == customer


def test_a_repeat_is_known_among_the_last_thirty_two() -> None:
    first = viewed("p", id="first")
    for between in (KEPT_EVENT_IDS - 1, KEPT_EVENT_IDS):
        customer = stepped(first, *(viewed(id=f"e{n}") for n in range(between)))
        effects = step_all(customer, first)
        assert bool(effects) is (between == KEPT_EVENT_IDS)


@pytest.mark.parametrize("kind", [MessageSent, MessageDelivered, MessageBounced])
def test_a_receipt_said_again_is_known_however_late(kind: type) -> None:
    rule = {"rule": "thank_you"} if kind is MessageSent else {}
    receipt = make(kind, action_id="a", message_channel=MessageChannel.EMAIL, id="r", **rule)
    between = [viewed(id=f"e{n}") for n in range(KEPT_EVENT_IDS + 1)]
    customer = stepped(receipt, *between)
    events = customer.events
    assert step_all(customer, receipt) == []
    assert (customer.events, customer.messages_sent) == (events, int(kind is MessageSent))
    other = make(kind, action_id="b", message_channel=MessageChannel.EMAIL, id="s", **rule)
    assert step_all(customer, other)


def test_every_event_told_twice_at_once_counts_once() -> None:
    history = [order("o1"), viewed(), cancelled("o1"), refunded("o2"), order("o2"), identified()]
    twice = [event for event in history for _ in range(2)]
    assert stepped(*twice) == stepped(*history)


def test_who_was_erased_does_not_come_back_with_a_repeat_but_may_come_back() -> None:
    first = order("o1")
    customer = stepped(first, make(Erased))
    assert step_all(customer, first) == []
    assert (customer.orders, customer.events) == (0, 0)
    step_all(customer, order("o2"))
    assert (customer.orders, customer.events, customer.first_order_ms) == (1, 1, START_MS)


class World:
    """Names and the records on their way between them, delivered in any sequence."""

    def __init__(self) -> None:
        self.rows: dict[str, Customer] = {}
        self.waiting: list[Any] = []
        self.told: list[str] = []

    def tell(self, event: Any) -> None:
        """Fold an event at its name; what follows waits to be delivered."""
        row = self.rows.setdefault(event.customer, Customer())
        view = view_at(START_MS)
        view.offset = len(self.told)
        effects = step(row, event, encode(event), view)
        self.told += [msgspec.json.decode(one.event)["id"] for one in folded_in(effects)]
        self.waiting += for_log_in(effects)

    def settle(self) -> None:
        for _ in range(20 * HOPS_AT_MOST):
            if not self.waiting:
                return
            self.tell(self.waiting.pop(0))
        raise AssertionError("something goes round without end")

    def holders(self) -> dict[str, int]:
        return {name: row.orders for name, row in self.rows.items() if row.events}


A, B, C = named("a"), named("b"), named("c")
LEAST_OF_TWO, LEAST_OF_THREE = min(A, B), min(A, B, C)


def orders_of(*names: str) -> list[Event]:
    return [order(f"o-{name}", customer=name, id=f"order-{name}") for name in names]


@pytest.mark.parametrize(
    ("releases", "holder"),
    [
        pytest.param([(A, B)], B, id="a to b"),
        pytest.param([(A, B), (A, B)], B, id="twice"),
        pytest.param([(A, B), (B, C)], C, id="a chain"),
        pytest.param([(A, B), (B, A)], LEAST_OF_TWO, id="a circle of two"),
        pytest.param([(A, B), (B, C), (C, A)], LEAST_OF_THREE, id="a circle of three"),
        pytest.param([(A, B), (B, A), (C, A)], LEAST_OF_TWO, id="a circle with a tail"),
        pytest.param([(A, A)], None, id="into itself"),
    ],
)
def test_merges_end_in_one_place_in_every_sequence_of_arrival(
    releases: list[tuple[str, str]], holder: str | None
) -> None:
    names = sorted({name for pair in releases for name in pair})
    merges: list[Any] = [
        released(target, customer=name, id=f"release-{number}")
        for number, (name, target) in enumerate(releases)
    ]
    events = orders_of(*names)
    for sequence in permutations([*events, *merges]):
        for delivered_at_once in (True, False):
            world = World()
            for event in sequence:
                world.tell(event)
                if delivered_at_once:
                    world.settle()
            world.settle()
            assert world.holders() == {holder or A: len(names)}
            assert sorted(world.told) == sorted(event.id for event in events)


def test_a_release_before_any_event_sends_all_that_comes() -> None:
    world = World()
    world.tell(released(B, customer=A))
    for event in [*orders_of(A), viewed(customer=A)]:
        world.tell(event)
    world.settle()
    assert world.holders() == {B: 1}
    assert world.rows[B].views == 1


def test_a_history_absorbed_twice_counts_once() -> None:
    world = World()
    for event in [*orders_of(A), released(B, customer=A)]:
        world.tell(event)
    (absorbed,) = world.waiting
    world.tell(absorbed)
    world.tell(absorbed)
    assert world.holders() == {B: 1}


def test_a_merged_customer_is_what_one_name_would_have_been() -> None:
    world, alone = World(), Customer()
    events = [
        viewed("p1", customer=A),
        order("o1", 500, customer=A),
        released(B, customer=A),
        refunded("o1", 100, customer=A),
        order("o2", 700, START_MS + DAY, customer=B),
        cancelled("o2", START_MS + 2 * DAY, customer=A),
    ]
    for event in events:
        world.tell(event)
        world.settle()
    step_all(alone, *(event for event in events if not hasattr(event, "target")))
    merged = world.rows[B]
    for name in ("events", "orders", "value_cents", "refunded_cents", "cancelled_orders", "views"):
        assert getattr(merged, name) == getattr(alone, name), name
    for name in ("first_order_ms", "last_order_ms", "first_seen_ms", "last_seen_ms", "daybook"):
        assert getattr(merged, name) == getattr(alone, name), name
    assert daybook.window(merged.daybook, day_of(START_MS), 1) == (1, 1, 400)
