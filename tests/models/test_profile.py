"""What a row says about its customer: one profile held whole, then its edges."""

import json
from typing import Any

import orjson
import pytest

from models.customer import Customer, Timer
from models.events import (
    Channel,
    CouponApplied,
    CouponDenied,
    CouponIssued,
    Line,
    MessageChannel,
    MessageOpened,
    MessageSent,
    ProductAdded,
    ProductReviewed,
    ProductsSearched,
    ProductWished,
    ReturnRequested,
    TicketAnswered,
    TicketClosed,
    TicketOpened,
    TicketRated,
    Unsubscribed,
)
from models.profile import profile_of
from tests.builders import (
    DAY,
    HOUR,
    START_MS,
    cancelled,
    fire_due,
    identified,
    make,
    named,
    order,
    refunded,
    released,
    step_all,
    view_at,
    viewed,
)

EMAIL = MessageChannel.EMAIL


def a_customers_year() -> Customer:
    customer = Customer()
    tea, cups = Line("p1", 1_500, category="tea"), Line("p2", 500, category="cups")
    events = [
        identified(
            traits={"city": "Graz", "locale": "de"},
            sealed={"id": "sealed-id", "email": "sealed-email"},
            lookup={"email": "email-token"},
        ),
        make(ProductsSearched, query="green tea", at_ms=START_MS + HOUR),
        make(ProductWished, line=tea, at_ms=START_MS + HOUR),
        make(ProductAdded, line=cups, at_ms=START_MS + HOUR),
        make(CouponIssued, coupon="C1"),
        make(CouponDenied, coupon="C0"),
        make(CouponApplied, coupon="C1", discount_cents=100, at_ms=START_MS + DAY),
        order("o1", 2_000, START_MS + DAY, lines=(tea, cups), discount_cents=50),
        make(MessageSent, action_id="m1", message_channel=EMAIL, rule="thank_you"),
        make(MessageSent, action_id="m2", message_channel=EMAIL, rule="browse_reminder"),
        make(MessageOpened, action_id="m1", message_channel=EMAIL, at_ms=START_MS + DAY),
        make(TicketOpened, ticket_id="t1", topic="broken", at_ms=START_MS + 2 * DAY),
        make(TicketAnswered, ticket_id="t1"),
        make(TicketClosed, ticket_id="t1", at_ms=START_MS + 2 * DAY),
        make(TicketRated, ticket_id="t1", rating=4),
        make(TicketRated, ticket_id="t1", rating=5),
        make(TicketOpened, ticket_id="t2", topic="late", at_ms=START_MS + 3 * DAY),
        make(ReturnRequested, order_id="o1", product_id="p2", at_ms=START_MS + 3 * DAY),
        make(ProductReviewed, product_id="p1", rating=3, at_ms=START_MS + 3 * DAY),
        make(Unsubscribed, message_channel=MessageChannel.SMS, at_ms=START_MS + 3 * DAY),
        order("o2", 9_000, START_MS + 4 * DAY, channel=Channel.STORE),
        cancelled("o2", START_MS + 5 * DAY),
        order("o3", 4_000, START_MS + 11 * DAY, channel=Channel.APP),
        refunded("o3", 1_000, START_MS + 12 * DAY),
        viewed("p3", START_MS + 13 * DAY, line={"name": "Kettle", "category": "tea"}),
    ]
    view = view_at(START_MS + 13 * DAY)
    step_all(customer, *events, view=view)
    return customer


EXPECTED: dict[str, Any] = {
    "known": True,
    "merged_into": None,
    "tier": "regular",
    "tier_since_ms": START_MS + 13 * DAY,
    "tier_reason": "orders now and then",
    "dormancy": "awake",
    "dormancy_reason": "no order for 3 days, usually 10 from order day to order day; "
    "an order within 90 days is 71% likely",
    "cluster": None,
    "silence_days": 3,
    "first_seen_ms": START_MS,
    "last_seen_ms": START_MS + 13 * DAY,
    "events": 25,
    "orders": 2,
    "value_cents": 5000,
    "currency": "EUR",
    "first_order_ms": START_MS + DAY,
    "last_order_ms": START_MS + 11 * DAY,
    "cancelled_orders": 1,
    "refunded_cents": 1000,
    "mean_order_cents": 2500,
    "spending_power": "middle",
    "mean_gap_days": 10.0,
    "windows": {
        "30": {"orders": 2, "value_cents": 5000},
        "90": {"orders": 2, "value_cents": 5000},
        "365": {"orders": 2, "value_cents": 5000},
    },
    "hazard": pytest.approx(0.33994928),
    "hazard_version": 0,
    "hazard_horizon_days": 30,
    "hazard_at_ms": START_MS + 13 * DAY,
    "next_order_expected_ms": START_MS + 13 * DAY + 4_324_676_345,
    "outlook": {
        "hazards": {
            "30": pytest.approx(0.33994928),
            "60": 0.564453125,
            "90": 0.71240234375,
        },
        "alive": 0.7392578125,
        "next_order_window_ms": [
            pytest.approx(START_MS + 13 * DAY + 1794902855),
            pytest.approx(START_MS + 13 * DAY + 8650959725),
        ],
        "expected": {
            "90": {"orders": pytest.approx(2.558441162109375), "value_cents": 6396},
            "365": {"orders": pytest.approx(10.375900268554688), "value_cents": 25940},
        },
    },
    "favourite_categories": [
        {"category": "tea", "share": 0.757},
        {"category": "cups", "share": 0.243},
    ],
    "channels": {"web": 21, "store": 1, "app": 1},
    "views": 1,
    "carts": 1,
    "wishes": 1,
    "searches": 1,
    "coupons": {"issued": 1, "applied": 1, "denied": 1, "discount_cents": 150},
    "service": {
        "tickets_opened": 2,
        "tickets_answered": 1,
        "tickets_closed": 1,
        "tickets_open": 1,
        "returns": 1,
        "mean_rating": 4.5,
        "reviews": 1,
        "mean_review": 3.0,
        "last_complaint_ms": START_MS + 3 * DAY,
    },
    "messages": [
        {
            "action_id": "m2",
            "rule": "browse_reminder",
            "channel": "email",
            "status": "sent",
            "at_ms": START_MS,
        },
        {
            "action_id": "m1",
            "rule": "thank_you",
            "channel": "email",
            "status": "opened",
            "at_ms": START_MS,
        },
    ],
    "messages_sent": 2,
    "messages_opened": 1,
    "messages_clicked": 0,
    "unsubscribed": ["sms"],
    "recent": [
        {"type": "product_viewed", "at_ms": START_MS + 13 * DAY, "what": "Kettle", "cents": 0},
        {"type": "order_refunded", "at_ms": START_MS + 12 * DAY, "what": "o3", "cents": 1000},
        {"type": "order_completed", "at_ms": START_MS + 11 * DAY, "what": "o3", "cents": 4000},
        {"type": "order_cancelled", "at_ms": START_MS + 5 * DAY, "what": "o2", "cents": 0},
        {"type": "order_completed", "at_ms": START_MS + 4 * DAY, "what": "o2", "cents": 9000},
        {"type": "unsubscribed", "at_ms": START_MS + 3 * DAY, "what": "sms", "cents": 0},
        {"type": "product_reviewed", "at_ms": START_MS + 3 * DAY, "what": "p1", "cents": 0},
        {"type": "return_requested", "at_ms": START_MS + 3 * DAY, "what": "p2", "cents": 0},
    ],
    "timers": [
        {"rule": "hazard_question", "item": "", "due_ms": START_MS + 6 * DAY, "waits": ""},
        {"rule": "sleep", "item": "", "due_ms": START_MS + 16 * DAY, "waits": ""},
        {
            "rule": "thank_you",
            "item": "o1",
            "due_ms": START_MS + DAY + 600_000,
            "waits": "first",
        },
        {
            "rule": "browse_reminder",
            "item": "p3",
            "due_ms": START_MS + 14 * DAY,
            "waits": "first",
        },
    ],
    "traits": {"city": "Graz", "locale": "de"},
    "lookup": {"email": "email-token"},
    "sealed": {"id": "sealed-id", "email": "sealed-email"},
}


def test_one_profile_held_whole() -> None:
    profile = profile_of(a_customers_year(), START_MS + 14 * DAY)
    assert profile == EXPECTED
    assert list(profile) == list(EXPECTED)


def test_a_profile_is_json_as_it_is() -> None:
    for customer in (Customer(), a_customers_year()):
        profile = profile_of(customer, START_MS + 14 * DAY)
        assert orjson.loads(orjson.dumps(profile)) == json.loads(json.dumps(profile)) == profile


def test_the_profile_of_nobody_says_nothing() -> None:
    profile = profile_of(Customer(), START_MS)
    said = {name: value for name, value in profile.items() if value}
    assert said == {
        "tier": "new",
        "windows": {days: {"orders": 0, "value_cents": 0} for days in ("30", "90", "365")},
        "hazard_horizon_days": 30,
        "coupons": {"issued": 0, "applied": 0, "denied": 0, "discount_cents": 0},
        "service": {
            "tickets_opened": 0,
            "tickets_answered": 0,
            "tickets_closed": 0,
            "tickets_open": 0,
            "returns": 0,
            "mean_rating": None,
            "reviews": 0,
            "mean_review": None,
            "last_complaint_ms": None,
        },
    }
    unknown = ("dormancy", "silence_days", "first_order_ms", "hazard", "next_order_expected_ms")
    assert {profile[name] for name in unknown} == {None}


@pytest.mark.parametrize(
    ("cents", "word"),
    [
        (-5, "low"),
        (0, "low"),
        (999, "low"),
        (1_000, "middle"),
        (2_999, "middle"),
        (3_000, "high"),
        (9_999, "high"),
        (10_000, "very high"),
    ],
)
def test_spending_power_is_what_an_order_is_worth(cents: int, word: str) -> None:
    customer = Customer()
    step_all(customer, order("o1", cents))
    assert profile_of(customer, START_MS)["spending_power"] == word


@pytest.mark.parametrize(
    ("days", "dormancy", "windows"),
    [
        (0, "awake", [1, 1, 1]),
        (29, "cooling", [1, 1, 1]),
        (30, "dormant", [0, 1, 1]),
        (90, "dormant", [0, 0, 1]),
        (364, "lost", [0, 0, 1]),
        (365, "lost", [0, 0, 0]),
    ],
)
def test_silence_and_windows_are_as_of_now(days: int, dormancy: str, windows: list[int]) -> None:
    customer = Customer()
    step_all(customer, order("o1"))
    fire_due(customer, START_MS + days * DAY)
    profile = profile_of(customer, START_MS + days * DAY)
    assert (profile["silence_days"], profile["dormancy"]) == (days, dormancy)
    assert [profile["windows"][length]["orders"] for length in ("30", "90", "365")] == windows


def test_favourites_are_the_five_strongest_with_their_shares() -> None:
    customer = Customer()
    lines = tuple(Line(f"p{n}", 100 * (n + 1), category=f"c{n}") for n in range(7))
    step_all(customer, order(lines=lines))
    favourites = profile_of(customer, START_MS)["favourite_categories"]
    assert [one["category"] for one in favourites] == ["c6", "c5", "c4", "c3", "c2"]
    assert favourites[0]["share"] == 0.25


def test_favourites_faded_to_nothing_are_none() -> None:
    assert profile_of(Customer(categories={"tea": 0.0}), START_MS)["favourite_categories"] == []


def test_a_merged_name_points_to_the_one_that_stays() -> None:
    customer = Customer()
    step_all(customer, order(), released(named("other")))
    profile = profile_of(customer, START_MS)
    assert (profile["merged_into"], profile["orders"]) == (named("other"), 0)


def test_nothing_expected_within_ten_years_is_nothing_expected() -> None:
    customer = Customer()
    step_all(customer, order())
    step_all(customer, viewed(at_ms=START_MS + 3_000 * DAY))
    assert profile_of(customer, START_MS + 3_000 * DAY)["next_order_expected_ms"] is None


@pytest.mark.parametrize(
    ("timer", "told"),
    [
        (Timer("moment", "birthday", 5), ("birthday", "")),
        (Timer("moment", "refill\x00tea", 5), ("refill", "tea")),
        (Timer("moment", "\x00silences", 5), ("silences", "")),
        (Timer("moment", "\x00holidays", 5), ("holidays", "")),
        (Timer("look", "", 5), ("look", "")),
        (Timer("run", "of a run that is gone", 5), ("run", "of a run that is gone")),
    ],
)
def test_a_timer_is_told_by_the_rule_that_waits(timer: Timer, told: tuple[str, str]) -> None:
    [found] = profile_of(Customer(timers=[timer]), START_MS)["timers"]
    assert (found["rule"], found["item"]) == told
    assert (found["due_ms"], found["waits"]) == (5, "")
