"""How each kind of event moves a customer's state."""

from typing import Any

import msgspec
import pytest
import xxhash

from models import daybook
from models.clock import day_of
from models.customer import (
    KEPT_EVENT_IDS,
    KEPT_ORDERS,
    KEPT_RECENT,
    KEPT_TRAITS,
    KEPT_VOIDS,
    STATE_VERSION,
    Customer,
    NewerState,
    Timer,
    apply,
    decode_row,
    drop_timers,
    encode_row,
    find_timer,
    may_send,
    mean_gap_days,
    ref_of,
    seen_before,
)
from models.events import (
    Channel,
    CouponApplied,
    CouponDenied,
    CouponIssued,
    CustomerEvent,
    Event,
    Line,
    MessageBounced,
    MessageChannel,
    MessageClicked,
    MessageDelivered,
    MessageOpened,
    MessageSent,
    PageViewed,
    ProductAdded,
    ProductRemoved,
    ProductReviewed,
    ProductsSearched,
    ProductWished,
    ReturnRequested,
    TicketAnswered,
    TicketClosed,
    TicketOpened,
    TicketRated,
    Tracked,
    Unsubscribed,
)
from models.held_coupons import OURS
from tests.builders import (
    DAY,
    HOUR,
    START_MS,
    cancelled,
    identified,
    make,
    order,
    refunded,
    viewed,
)


def told(*events: CustomerEvent) -> Customer:
    customer = Customer()
    for event in events:
        apply(customer, event, event.occurred_at_ms)
    return customer


def test_an_order_counts_and_its_value_adds_up() -> None:
    customer = told(order("o1", 2_000), order("o2", 500, START_MS + DAY))
    assert (customer.orders, customer.value_cents, customer.currency) == (2, 2_500, "EUR")
    assert (customer.first_order_ms, customer.last_order_ms) == (START_MS, START_MS + DAY)
    assert daybook.window(customer.daybook, day_of(START_MS) + 1, 1) == (1, 1, 500)


def test_a_late_order_falls_into_its_own_day() -> None:
    customer = told(order("o2", 500, START_MS + 3 * DAY), order("o1", 2_000))
    assert (customer.first_order_ms, customer.last_order_ms) == (START_MS, START_MS + 3 * DAY)
    assert daybook.window(customer.daybook, day_of(START_MS), 1) == (2, 2, 2_500)
    assert daybook.window(customer.daybook, day_of(START_MS) + 3, 3) == (1, 1, 500)


def test_the_same_order_id_counts_once() -> None:
    customer = told(order("o1", 2_000))
    applied = apply(customer, order("o1", 9_000), START_MS + HOUR)
    assert applied.order_state == "repeated"
    assert (customer.orders, customer.value_cents, customer.events) == (1, 2_000, 2)


def test_an_order_says_which_of_the_customers_it_is() -> None:
    customer = told(order("o1"))
    assert apply(customer, order("o2"), START_MS).order_number == 2


def test_a_cancelled_order_is_as_if_it_had_never_been() -> None:
    customer = told(order("o1", 700), order("o2", 2_000, START_MS + DAY), cancelled("o2"))
    assert (customer.orders, customer.value_cents, customer.cancelled_orders) == (1, 700, 1)
    assert customer.last_order_ms == START_MS
    assert daybook.extent(customer.daybook) == (1, 0)
    assert customer.decayed.week == pytest.approx(
        told(order("o1", 700)).decayed.week / 2 ** (1 / 7)
    )


def test_cancelling_twice_is_cancelling_once() -> None:
    customer = told(order("o1"), order("o2"), cancelled("o1"), cancelled("o1"))
    assert (customer.orders, customer.cancelled_orders) == (1, 1)


def test_a_cancellation_waits_for_its_order() -> None:
    customer = told(cancelled("o1"))
    applied = apply(customer, order("o1"), START_MS)
    assert applied.order_state == "cancelled"
    assert (customer.orders, customer.cancelled_orders, customer.early_voids) == (0, 1, [])
    assert (customer.first_order_ms, customer.last_order_ms) == (0, 0)


@pytest.mark.parametrize(
    ("total", "amounts", "left"),
    [
        (2_000, [None], 0),
        (2_000, [1_000], 1_000),
        (2_000, [1_000, 500], 500),
        (2_000, [1_500, 1_500], 0),
        (2_000, [500, None, None], 0),
        (2_000, [0], 2_000),
        (2_000, [-300], 2_000),
        (0, [100], 0),
        (-500, [100], -500),
        (-500, [None], 0),
    ],
)
def test_refunds_give_back_what_is_left_at_most(
    total: int, amounts: list[int | None], left: int
) -> None:
    refunds = [refunded("o1", cents) for cents in amounts]
    for history in ([order("o1", total), *refunds], [*refunds, order("o1", total)]):
        customer = told(*history)
        assert (customer.orders, customer.value_cents) == (1, left)
        assert customer.refunded_cents == total - left
        assert daybook.window(customer.daybook, day_of(START_MS), 1) == (1, 1, left)


def test_a_cancelled_orders_refund_is_nobodys_refund() -> None:
    for undoing in ([refunded("o1", 300), cancelled("o1")], [cancelled("o1"), refunded("o1", 300)]):
        customer = told(order("o1", 2_000), *undoing)
        assert (customer.value_cents, customer.refunded_cents, customer.orders) == (0, 0, 0)


def test_repeated_cancellations_of_an_unknown_order_wait_in_one_place() -> None:
    customer = told(refunded("o0", 5), *(cancelled("o1") for _ in range(KEPT_VOIDS + 1)))
    assert len(customer.early_voids) == 2


def test_waiting_cancellations_are_bounded() -> None:
    customer = told(*(cancelled(f"o{number}") for number in range(KEPT_VOIDS + 3)))
    assert [void.ref for void in customer.early_voids] == [
        ref_of(f"o{number}") for number in range(3, KEPT_VOIDS + 3)
    ]


def many_orders(count: int) -> Customer:
    return told(*(order(f"o{number}", 100, START_MS + number * DAY) for number in range(count)))


def test_the_newest_orders_are_kept_even_when_old_ones_come_late() -> None:
    customer = many_orders(KEPT_ORDERS)
    apply(customer, order("late", 100, START_MS - DAY), START_MS - DAY)
    assert len(customer.recent_orders) == KEPT_ORDERS
    assert customer.recent_orders[0].ref == ref_of("o0")
    assert customer.first_order_ms == START_MS - DAY


@pytest.mark.parametrize(
    ("placed", "undone", "first_day", "last_day"),
    [
        (3, ["o0"], 1, 2),
        (3, ["o2"], 0, 1),
        (3, ["o0", "o1", "o2"], None, None),
        (KEPT_ORDERS, ["o0"], 1, KEPT_ORDERS - 1),
        (KEPT_ORDERS + 1, [f"o{KEPT_ORDERS}"], 0, KEPT_ORDERS - 1),
        (KEPT_ORDERS + 1, ["o1"], 0, KEPT_ORDERS),
        (KEPT_ORDERS + 2, [f"o{number}" for number in range(2, KEPT_ORDERS + 2)], 0, 1),
    ],
)
def test_first_and_last_order_are_found_again_after_a_cancellation(
    placed: int, undone: list[str], first_day: int | None, last_day: int | None
) -> None:
    customer = many_orders(placed)
    for order_id in undone:
        apply(customer, cancelled(order_id), START_MS)
    first = 0 if first_day is None else START_MS + first_day * DAY
    last = 0 if last_day is None else START_MS + last_day * DAY
    assert (customer.first_order_ms, customer.last_order_ms) == (first, last)


def test_the_first_order_is_found_when_a_cancelled_one_has_left_the_kept() -> None:
    customer = many_orders(2)
    apply(customer, cancelled("o0"), START_MS)
    for number in range(2, KEPT_ORDERS + 1):
        at_ms = START_MS + number * DAY
        apply(customer, order(f"o{number}", 100, at_ms), at_ms)
    apply(customer, cancelled("o1"), START_MS)
    assert customer.first_order_ms == START_MS + 2 * DAY


def test_categories_are_preferred_by_what_was_spent_and_looked_at() -> None:
    lines = (Line("p1", 900, category="tea"), Line("p2", 100, category="cups"), Line("p3", 50))
    customer = told(order(lines=lines), viewed(line={"category": "cups"}))
    assert customer.categories["tea"] == pytest.approx(6 * customer.categories["cups"])


@pytest.mark.parametrize(
    ("event", "field"),
    [
        (viewed(), "views"),
        (make(ProductAdded, line=Line("p1")), "carts"),
        (make(ProductWished, line=Line("p1")), "wishes"),
        (make(ProductsSearched, query="tea"), "searches"),
        (make(CouponIssued, coupon="C"), "coupons_issued"),
        (make(CouponApplied, coupon="C"), "coupons_applied"),
        (make(CouponDenied, coupon="C"), "coupons_denied"),
        (
            make(MessageSent, action_id="a", message_channel=MessageChannel.EMAIL),
            "messages_sent",
        ),
    ],
)
def test_an_event_counts_in_its_own_place_only(event: Event, field: str) -> None:
    before, after = Customer(), told(event)  # type: ignore[arg-type]
    counted = {
        name
        for name in Customer.__struct_fields__
        if type(getattr(after, name)) is int
        and not name.endswith("_ms")
        and getattr(after, name) != getattr(before, name)
    }
    assert counted == {"events", field}
    assert getattr(after, field) == 1


def test_times_of_looks_and_carts_are_the_newest_whatever_comes_when() -> None:
    events = [
        viewed(at_ms=START_MS + HOUR),
        viewed(at_ms=START_MS),
        make(ProductAdded, line=Line("p1"), at_ms=START_MS + HOUR),
        make(ProductAdded, line=Line("p1"), at_ms=START_MS),
        make(ProductRemoved, line=Line("p1"), at_ms=START_MS),
        make(PageViewed, at_ms=START_MS),
    ]
    customer = told(*events)
    assert (customer.last_view_ms, customer.last_cart_ms) == (START_MS + HOUR, START_MS + HOUR)
    assert (customer.first_seen_ms, customer.last_seen_ms) == (START_MS, START_MS + HOUR)


def test_discounts_of_orders_and_coupons_add_up() -> None:
    customer = told(order(discount_cents=150), make(CouponApplied, coupon="C", discount_cents=200))
    assert customer.discount_cents == 350


def test_channels_are_counted() -> None:
    customer = told(order(), viewed(channel=Channel.APP), viewed(channel=Channel.APP))
    assert customer.channels == {"web": 1, "app": 2}


def test_traits_of_the_newest_telling_stay() -> None:
    customer = told(
        identified(START_MS + DAY, traits={"city": "Graz"}, sealed={"email": "new"}),
        identified(START_MS, traits={"city": "Linz", "age": 40}, sealed={"email": "old"}),
    )
    assert customer.traits == {"city": "Graz", "age": 40}
    assert customer.sealed == {"email": "new"}


def test_traits_told_again_at_the_same_moment_are_taken_over() -> None:
    customer = told(identified(traits={"city": "Graz"}), identified(traits={"city": "Linz"}))
    assert customer.traits == {"city": "Linz"}


def test_traits_are_bounded_but_known_ones_still_change() -> None:
    customer = told(identified(traits={f"t{number}": 0 for number in range(KEPT_TRAITS + 5)}))
    apply(customer, identified(traits={"t0": 1, "more": 1}), START_MS)
    assert len(customer.traits) == KEPT_TRAITS
    assert customer.traits["t0"] == 1
    assert "more" not in customer.traits


def test_what_a_customer_is_found_by_is_kept() -> None:
    customer = told(identified(lookup={"email": "token"}))
    assert customer.lookup == {"email": "token"}


def test_a_customer_is_known_once_an_event_is_not_anonymous() -> None:
    customer = told(viewed(anonymous=True))
    assert not customer.known
    apply(customer, viewed(), START_MS)
    assert customer.known


def test_the_sealed_id_is_kept_from_the_first_event_that_has_it() -> None:
    customer = told(viewed(sealed={"id": "s1"}), viewed(sealed={"id": "s2", "note": "x"}))
    assert customer.sealed == {"id": "s1"}


def test_recent_events_are_the_newest_in_order_of_time() -> None:
    events = [make(Tracked, name=f"t{hour}", at_ms=START_MS + hour * HOUR) for hour in range(12)]
    customer = told(*reversed(events))
    assert [one.what for one in customer.recent] == [f"t{hour}" for hour in range(4, 12)]
    assert len(customer.recent) == KEPT_RECENT


def test_a_recent_event_is_cut_to_forty_characters() -> None:
    customer = told(make(Tracked, name="☕" * 50))
    assert customer.recent[0].what == "☕" * 40


SENT = make(MessageSent, action_id="a", message_channel=MessageChannel.EMAIL, rule="thank_you")
DELIVERED = make(MessageDelivered, action_id="a", message_channel=MessageChannel.EMAIL)
OPENED = make(MessageOpened, action_id="a", message_channel=MessageChannel.EMAIL)
CLICKED = make(MessageClicked, action_id="a", message_channel=MessageChannel.EMAIL)
BOUNCED = make(MessageBounced, action_id="a", message_channel=MessageChannel.EMAIL)


@pytest.mark.parametrize(
    ("receipts", "status", "opened", "clicked"),
    [
        ([SENT], "sent", 0, 0),
        ([SENT, DELIVERED], "delivered", 0, 0),
        ([DELIVERED, SENT], "delivered", 0, 0),
        ([SENT, BOUNCED], "bounced", 0, 0),
        ([SENT, OPENED, OPENED], "opened", 1, 0),
        ([SENT, OPENED, CLICKED], "clicked", 1, 1),
        ([SENT, CLICKED, OPENED], "clicked", 1, 1),
        ([CLICKED, CLICKED, SENT], "clicked", 1, 1),
    ],
)
def test_a_message_only_moves_forward(
    receipts: list[CustomerEvent], status: str, opened: int, clicked: int
) -> None:
    customer = told(*receipts)
    assert [one.status for one in customer.messages] == [status]
    assert (customer.messages_opened, customer.messages_clicked) == (opened, clicked)
    assert customer.messages[0].rule == ("thank_you" if SENT in receipts else "")


def test_unsubscribing_is_per_channel_and_counts_once() -> None:
    email = make(Unsubscribed, message_channel=MessageChannel.EMAIL)
    customer = told(email, make(Unsubscribed, message_channel=MessageChannel.CHAT), email)
    assert customer.unsubscribed == ["chat", "email"]
    assert not may_send(customer, MessageChannel.EMAIL)
    assert may_send(customer, MessageChannel.SMS)


def test_the_service_file_follows_a_ticket() -> None:
    customer = told(
        make(TicketOpened, ticket_id="t1", topic="broken"),
        make(TicketAnswered, ticket_id="t1"),
        make(TicketOpened, ticket_id="t2", at_ms=START_MS + DAY),
        make(TicketClosed, ticket_id="t1"),
        make(TicketRated, ticket_id="t1", rating=4),
        make(ReturnRequested, order_id="o1"),
        make(ProductReviewed, product_id="p1", rating=2),
    )
    service = customer.service
    assert (service.opened, service.answered, service.closed, service.returns) == (2, 1, 1, 1)
    assert (service.ratings, service.rating_sum) == (1, 4.0)
    assert (service.reviews, service.review_sum) == (1, 2.0)
    assert service.open_tickets == ["t2"]
    assert service.last_complaint_ms == START_MS + DAY


def test_a_ticket_closed_before_it_was_opened_does_not_stay_open() -> None:
    customer = told(make(TicketClosed, ticket_id="t1"), make(TicketOpened, ticket_id="t1"))
    assert (customer.service.open_tickets, customer.service.closed_early) == ([], [])


def test_the_mean_gap_needs_two_days() -> None:
    assert mean_gap_days(told(order("o1"), order("o2"))) is None
    customer = told(*(order(f"o{day}", at_ms=START_MS + day * DAY) for day in (0, 2, 10)))
    assert mean_gap_days(customer) == 5.0


def test_timers_are_found_by_rule_and_item_and_dropped_by_rule() -> None:
    customer = Customer(timers=[Timer("a", "", 1), Timer("a", "x", 2), Timer("b", "", 3)])
    found = find_timer(customer, "a", "x")
    assert found is not None
    assert found.due_ms == 2
    assert find_timer(customer, "c") is None
    drop_timers(customer, "a")
    assert [timer.rule for timer in customer.timers] == ["b"]


def test_a_repeat_within_the_last_ids_is_recognised() -> None:
    customer = Customer()
    ids = [f"e{number}" for number in range(KEPT_EVENT_IDS)]
    assert not any(seen_before(customer, one) for one in ids)
    assert all(seen_before(customer, one) for one in ids)
    assert not seen_before(customer, "one more")
    assert not seen_before(customer, "e0")
    assert len(customer.event_ids) == 8 * KEPT_EVENT_IDS


def test_an_id_is_recognised_whole_not_across_two_others() -> None:
    digest = xxhash.xxh3_64_digest(b"c")
    customer = Customer(event_ids=b"0000" + digest + b"1111")
    assert not seen_before(customer, "c")
    assert seen_before(customer, "c")


def test_a_row_survives_the_changelog() -> None:
    customer = told(order(), viewed(), identified(traits={"a": 1, "b": 0.5, "c": True, "d": "x"}))
    customer.timers.append(Timer("a", "x", 1, "n"))
    assert decode_row(encode_row(customer)) == customer


def test_a_row_of_an_earlier_version_has_fewer_fields() -> None:
    fields = msgspec.msgpack.decode(encode_row(told(order())))
    assert decode_row(msgspec.msgpack.encode(fields[:20])).orders == 1


def test_a_row_that_was_read_is_written_as_this_version() -> None:
    earlier = decode_row(encode_row(Customer(version=STATE_VERSION - 1, orders=3)))
    assert (earlier.version, earlier.orders) == (STATE_VERSION, 3)


def test_what_the_first_releases_rules_had_waiting_is_dropped() -> None:
    timers = [Timer("thank_you", "o1", 5), Timer("sleep", "", 7), Timer("browse_reminder", "p", 9)]
    first = Customer(version=1, timers=timers, was_thanked=True)
    upgraded = decode_row(encode_row(first))
    assert upgraded == Customer(timers=[Timer("sleep", "", 7)])
    now = Customer(timers=[Timer("run", "thank_you", 5)])
    assert decode_row(encode_row(now)) == now


def test_a_row_of_a_later_version_is_refused_with_advice() -> None:
    later = encode_row(Customer(version=STATE_VERSION + 1))
    with pytest.raises(NewerState, match="start the newer release again"):
        decode_row(later)


def test_a_row_of_a_later_version_is_known_even_where_its_fields_mean_something_else() -> None:
    later = msgspec.msgpack.encode([STATE_VERSION + 1, "no dictionary", 5])
    with pytest.raises(NewerState, match=f"state version {STATE_VERSION + 1}"):
        decode_row(later)


@pytest.mark.parametrize("raw", [b"\xc1", msgspec.msgpack.encode([STATE_VERSION, "no dictionary"])])
def test_what_is_no_row_is_refused(raw: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode_row(raw)


def coupon(kind: type[Any], at_ms: int, **more: Any) -> Any:
    return make(kind, coupon="SPRING", at_ms=at_ms, **more)


def test_a_redeemed_coupon_is_held_no_longer_in_whatever_order_that_is_told() -> None:
    given, used = coupon(CouponIssued, START_MS), coupon(CouponApplied, START_MS + 1)
    for told in ([given, used], [used, given]):
        customer = Customer()
        for event in told:
            apply(customer, event, event.occurred_at_ms)
        assert customer.held_coupons == []
        assert (customer.coupons_issued, customer.coupons_applied) == (1, 1)
    apply(customer, coupon(CouponIssued, START_MS + 2, campaign="again"), START_MS + 2)
    assert [one.offer for one in customer.held_coupons] == ["again"]


def test_a_coupon_of_ours_is_counted_by_its_own_fold_alone_and_is_no_visit() -> None:
    customer = Customer()
    for source in ("shop", OURS):
        for kind in (CouponIssued, CouponApplied):
            event = make(kind, coupon="87RX-FYNX-5H7C", source=source)
            apply(customer, event, event.occurred_at_ms)
    assert (customer.coupons_issued, customer.coupons_applied) == (1, 1)
    assert (customer.events, customer.discount_cents) == (4, 0)
    theirs = Customer()
    ours = make(CouponIssued, coupon="87RX-FYNX-5H7C", source=OURS)
    apply(theirs, ours, ours.occurred_at_ms)
    assert (theirs.last_seen_ms, theirs.channels) == (0, {})
