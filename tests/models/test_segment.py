"""The contract: which message becomes which event, and what is refused with which words."""

from typing import Any

import pytest

from models import events
from models.events import Channel, Line, MessageChannel, Released
from models.segment import Door, Rejected, parse
from models.segment_values import ID_CHARS_MAX
from tests.models.segment_bodies import (
    DOOR,
    RECEIVED_MS,
    drafts,
    finished,
    rejected,
    seal,
    the_event,
    token,
    track,
)

LAMP = {"product_id": "p1", "name": "Lamp", "price": 19.99, "quantity": 2, "category": "Light"}


def order(properties: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    return track("Order Completed", {"order_id": "o1", "total": 10, **(properties or {})}, **more)


EVENTS: list[tuple[str, dict[str, Any], type, dict[str, Any]]] = [
    (
        "Order Completed",
        {
            "order_id": "o1",
            "total": "52.48",
            "shipping": 5,
            "tax": "7.50",
            "discount": 2,
            "coupon": "WELCOME",
            "currency": "eur",
            "store_id": 12,
            "products": [LAMP],
        },
        events.OrderCompleted,
        {
            "order_id": "o1",
            "total_cents": 5248,
            "shipping_cents": 500,
            "tax_cents": 750,
            "discount_cents": 200,
            "coupon": "WELCOME",
            "currency": "EUR",
            "store_id": "12",
            "lines": (Line("p1", 3998, 2.0, 1999, "Light", "", "Lamp"),),
        },
    ),
    ("Order Cancelled", {"order_id": "o1"}, events.OrderCancelled, {"order_id": "o1"}),
    ("Order Refunded", {"order_id": "o1"}, events.OrderRefunded, {"amount_cents": None}),
    (
        "Product Viewed",
        LAMP,
        events.ProductViewed,
        {"line": Line("p1", 3998, 2, 1999, "Light", "", "Lamp")},
    ),
    ("Product Clicked", {"sku": "s1"}, events.ProductViewed, {"line": Line("s1", sku="s1")}),
    ("Product Added", {"product_id": "p1", "cart_id": "k"}, events.ProductAdded, {"cart_id": "k"}),
    ("Product Removed", {"product_id": "p1"}, events.ProductRemoved, {"line": Line("p1")}),
    ("Product Added to Wishlist", {"product_id": 7}, events.ProductWished, {"line": Line("7")}),
    (
        "Products Searched",
        {"query": "  Red  LAMP "},
        events.ProductsSearched,
        {"query": "red lamp"},
    ),
    ("Products Searched", {"query": "x" * 600}, events.ProductsSearched, {"query": "x" * 100}),
    ("search", {"search_term": "x", "results": 3}, events.ProductsSearched, {"results": 3}),
    (
        "Coupon Applied",
        {"order_id": "o1", "coupon_id": "c", "discount": 2.5},
        events.CouponApplied,
        {"order_id": "o1", "coupon": "c", "discount_cents": 250},
    ),
    (
        "Coupon Denied",
        {"coupon": "c", "reason": "expired"},
        events.CouponDenied,
        {"reason": "expired"},
    ),
    (
        "Coupon Issued",
        {"coupon": "c", "campaign": "w", "expires_at": "2018-02-01"},
        events.CouponIssued,
        {"campaign": "w", "expires_at_ms": 1_517_443_200_000},
    ),
    (
        "Message Sent",
        {"action_id": "a", "channel": "sms", "rule": "r"},
        events.MessageSent,
        {"rule": "r", "message_channel": MessageChannel.SMS, "channel": Channel.SMS},
    ),
    (
        "Message Delivered",
        {"action_id": "a", "channel": "email"},
        events.MessageDelivered,
        {"channel": Channel.EMAIL},
    ),
    (
        "Message Opened",
        {"action_id": "a", "channel": "push"},
        events.MessageOpened,
        {"action_id": "a"},
    ),
    (
        "Message Clicked",
        {"action_id": "a", "channel": "email", "url": "https://shop.example/p?u=anna#x"},
        events.MessageClicked,
        {"url": "https://shop.example/p"},
    ),
    (
        "Message Bounced",
        {"action_id": "a", "channel": "e-mail", "reason": "full"},
        events.MessageBounced,
        {"reason": "full"},
    ),
    (
        "Email Opened",
        {"email_id": "e1"},
        events.MessageOpened,
        {"action_id": "e1", "message_channel": MessageChannel.EMAIL},
    ),
    ("Unsubscribed", {}, events.Unsubscribed, {"message_channel": MessageChannel.EMAIL}),
    (
        "Unsubscribed",
        {"channel": "sms"},
        events.Unsubscribed,
        {"message_channel": MessageChannel.SMS},
    ),
    (
        "Ticket Opened",
        {"ticket_id": 5, "topic": "late", "product_id": "p"},
        events.TicketOpened,
        {"ticket_id": "5", "topic": "late", "channel": Channel.SERVICE},
    ),
    ("Ticket Answered", {"ticket_id": "t"}, events.TicketAnswered, {"ticket_id": "t"}),
    ("Ticket Closed", {"ticket_id": "t"}, events.TicketClosed, {"ticket_id": "t"}),
    ("Ticket Rated", {"ticket_id": "t", "rating": 4}, events.TicketRated, {"rating": 4.0}),
    (
        "Product Reviewed",
        {"product_id": "p", "review_id": "r", "rating": "5.0"},
        events.ProductReviewed,
        {"rating": 5.0, "review_id": "r", "published": False},
    ),
    (
        "Product Reviewed",
        {"product_id": "p", "rating": 5, "review_body": "Good", "published": True},
        events.ProductReviewed,
        {"rating": 5.0, "published": True},
    ),
    (
        "Product Reviewed",
        {"product_id": "p", "rating": 5, "published": "perhaps"},
        events.ProductReviewed,
        {"published": False, "extra": {"published": "perhaps"}},
    ),
    (
        "Return Requested",
        {"order_id": "o", "product_id": "p", "reason": "size"},
        events.ReturnRequested,
        {"reason": "size", "quantity": 1.0},
    ),
    (
        "Loyalty Level Reached",
        {"level": 3},
        events.Tracked,
        {"name": "Loyalty Level Reached", "extra": {"level": 3}},
    ),
    (
        "purchase",
        {"transaction_id": "o1", "value": 8, "tax": 1, "items": [{"item_id": "i"}]},
        events.OrderCompleted,
        {"order_id": "o1", "total_cents": 900},
    ),
    (
        "add_to_cart",
        {"items": [{"item_id": "i", "item_name": "N"}]},
        events.ProductAdded,
        {"line": Line("i", name="N")},
    ),
]


@pytest.mark.parametrize(("name", "properties", "kind", "fields"), EVENTS)
def test_a_named_event_becomes_ours(
    name: str, properties: dict[str, Any], kind: type, fields: dict[str, Any]
) -> None:
    event = the_event(track(name, properties))
    assert type(event) is kind
    assert {field: getattr(event, field) for field in fields} == fields


@pytest.mark.parametrize("name", ["order_completed", "ORDER COMPLETED", " Order-Completed "])
def test_a_name_may_be_spelled_in_several_ways(name: str) -> None:
    assert type(the_event(track(name, {"order_id": "o", "total": 1}))) is events.OrderCompleted


def test_every_event_has_what_every_event_must_have() -> None:
    event = the_event(track("Order Cancelled", {"order_id": "o1"}))
    assert event.id == "m1"
    assert event.customer == token("customer", "c1")
    assert event.source == "test"
    assert (event.occurred_at_ms, event.received_at_ms) == (RECEIVED_MS, RECEIVED_MS)
    assert event.channel is Channel.WEB
    assert event.sealed == {"id": seal(event.customer, "id", "c1")}
    assert not event.anonymous


def test_several_products_looked_at_are_several_events_with_ids_of_their_own() -> None:
    items = [{"item_id": "a"}, {"item_id": "b"}]
    first, second = finished(track("view_item", {"items": items, "shelf": 3}))
    assert (first.id, second.id) == ("m1", "m1:1")
    assert [event.line.product_id for event in (first, second)] == ["a", "b"]
    assert (first.extra, second.extra) == ({"shelf": 3}, None)


def test_a_page_is_viewed_without_its_query_string() -> None:
    context = {"page": {"path": "/cart?email=anna%40example.com"}}
    event = the_event({"type": "page", "userId": "c", "name": "Cart", "context": context})
    assert (type(event), event.name, event.path) == (events.PageViewed, "Cart", "/cart")


def test_a_screen_is_a_page_of_the_app() -> None:
    event = the_event({"type": "screen", "anonymousId": "d", "name": "Home"})
    assert (type(event), event.channel) == (events.PageViewed, Channel.APP)


def test_a_group_call_is_kept_whole() -> None:
    event = the_event({"type": "group", "userId": "c", "groupId": "g", "traits": {"plan": "pro"}})
    assert (event.name, event.extra) == ("group", {"groupId": "g", "plan": "pro"})


# Identity


def test_without_a_customer_id_the_device_stands_for_the_customer() -> None:
    event = the_event(
        track("Order Completed", {"order_id": "o", "total": 5}, userId=None, anonymousId="d1")
    )
    assert event.anonymous
    assert event.customer == token("customer", "anon:d1")


def test_an_id_that_is_spelled_as_anonymous_is_the_same_anonymous_customer() -> None:
    event = the_event(track("Order Cancelled", {"order_id": "o"}, userId="anon:d1"))
    assert event.anonymous
    assert event.customer == token("customer", "anon:d1")


def test_identify_with_both_ids_releases_the_anonymous_history() -> None:
    identified, released = finished(
        {"type": "identify", "messageId": "m1", "userId": "c1", "anonymousId": "d1"}
    )
    assert type(identified) is events.CustomerIdentified
    assert released == Released(
        id="m1:released",
        customer=token("customer", "anon:d1"),
        target=token("customer", "c1"),
        occurred_at_ms=RECEIVED_MS,
        received_at_ms=RECEIVED_MS,
        anonymous=True,
        source="test",
    )


def test_identify_of_a_device_alone_releases_nothing() -> None:
    event = the_event({"type": "identify", "anonymousId": "d1", "traits": {"age": 30}})
    assert (type(event), event.anonymous) == (events.CustomerIdentified, True)


def test_alias_releases_the_previous_id_in_both_readings() -> None:
    released = finished({"type": "alias", "messageId": "m", "previousId": "d1", "userId": "c1"})
    assert [type(event) for event in released] == [Released, Released]
    assert [(event.id, event.customer) for event in released] == [
        ("m", token("customer", "d1")),
        ("m:anonymous", token("customer", "anon:d1")),
    ]
    assert {event.target for event in released} == {token("customer", "c1")}
    assert all(event.sealed is None for event in released)


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"previousId": "c1", "userId": "c1"}, "userId"),
        ({"previousId": "c1"}, "userId"),
        ({"userId": "c1"}, "previousId"),
        ({"previousId": "d1", "anonymousId": "d2"}, "userId"),
    ],
)
def test_an_alias_needs_two_different_names(body: dict[str, Any], path: str) -> None:
    found = rejected({"type": "alias", **body})
    assert found.path in (path, "previousId")


def test_a_customer_cannot_be_released_to_itself() -> None:
    assert rejected({"type": "alias", "previousId": "c1", "userId": "c1"}).path == "previousId"
    body = {"type": "identify", "userId": "anon:d1", "anonymousId": "d1"}
    assert [type(event) for event in finished(body)] == [events.CustomerIdentified]


def test_traits_beside_an_event_become_an_event_of_their_own() -> None:
    body = order(context={"traits": {"email": "Anna@Example.com", "age": 30}})
    completed, identified = finished(body)
    assert identified.id == "m1:traits"
    assert identified.traits == {"age": 30}
    assert identified.lookup == {"email": token("email", "anna@example.com")}
    assert set(completed.sealed) == {"id"}


def test_traits_are_divided_into_public_sealed_and_lookups() -> None:
    traits = {
        "firstName": "Anna",
        "last_name": "Müller 🎈",
        "email": " Anna@Example.COM",
        "phone": "0044 20 7946-0018",
        "gender": "f",
        "age": "35-44",
        "birthday": "1980-05-17",
        "createdAt": "2015-01-01T00:00:00Z",
        "householdSize": 3,
        "newsletter": True,
        "address": {
            "street": "Long Road 7",
            "postalCode": "10115",
            "city": "Berlin",
            "country": "DE",
        },
    }
    context = {"locale": "de-DE", "timezone": "Europe/Berlin", "ip": "10.1.2.3"}
    event = the_event({"type": "identify", "userId": "c1", "traits": traits, "context": context})
    assert event.traits == {
        "gender": "f",
        "age": "35-44",
        "birthday": "1980-05-17",
        "created_at": "2015-01-01T00:00:00Z",
        "household_size": 3,
        "newsletter": True,
        "city": "Berlin",
        "country": "DE",
        "locale": "de-DE",
        "timezone": "Europe/Berlin",
    }
    sealed = {"id", "first_name", "last_name", "email", "phone", "street", "postal_code", "context"}
    assert set(event.sealed) == sealed
    assert event.sealed["last_name"] == seal(event.customer, "last_name", "Müller 🎈")
    assert event.lookup == {
        "email": token("email", "anna@example.com"),
        "phone": token("phone", "+442079460018"),
    }
    assert event.extra is None


@pytest.mark.parametrize(("given", "sealed"), [(7, False), ("7", False), ("8", True), (8, True)])
def test_another_id_among_the_traits_is_sealed(given: Any, sealed: bool) -> None:
    event = the_event({"type": "identify", "userId": 7, "traits": {"id": given}})
    assert event.traits is None
    assert ("other_id" in event.sealed) is sealed


# Ids


def test_an_id_is_taken_as_it_is_up_to_512_characters() -> None:
    longest = "é" * ID_CHARS_MAX
    assert the_event(order(userId=longest)).customer == token("customer", longest)
    found = rejected(order(userId=longest + "x"))
    assert found == Rejected("userId", "at most 512 characters", "'513 characters'")


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        (12, "12"),
        (12.0, "12"),
        (2**70, str(2**70)),
        ("x" * 300, "x" * 300),
        ("客戶 🎈 7", "客戶 🎈 7"),
        (1.5, "1.5"),
    ],
)
def test_numbers_and_any_script_are_fine_as_ids(given: Any, taken: str) -> None:
    assert drafts(order(userId=given))[0].customer_id == taken
    assert drafts(order({"order_id": given}))[0].fields["order_id"] == taken


@pytest.mark.parametrize("spoiled", [True, ["c1"], {"id": 1}, " ", "x" * 513, float("nan")])
def test_what_is_no_id_is_refused_where_it_stands(spoiled: Any) -> None:
    for name, body in (
        ("userId", order(userId=spoiled)),
        ("messageId", order(messageId=spoiled)),
        ("properties.order_id", order({"order_id": spoiled})),
        ("event", {**order(), "event": spoiled}),
    ):
        assert rejected(body).path == name


def test_a_message_without_anybody_is_refused() -> None:
    for nobody in (None, ""):
        found = rejected(order(userId=nobody))
        assert (found.path, found.expected) == ("userId", "a userId or an anonymousId")


def test_a_message_without_an_id_is_named_by_its_content() -> None:
    body = {name: value for name, value in order().items() if name != "messageId"}
    again = {**dict(reversed(body.items())), "sentAt": "2018-01-02T13:33:20Z", "messageId": None}
    assert the_event(body).id == the_event(again).id
    assert the_event(body).id != the_event({**body, "userId": "c2"}).id


def test_an_id_with_an_email_address_in_it_is_named_by_a_token() -> None:
    event = the_event(order({"order_id": "anna@example.com-1"}, messageId="anna@example.com/m"))
    assert event.id == token("message", "anna@example.com/m")
    assert event.order_id == token("text", "anna@example.com-1")


# Times

MINUTE = 60_000


@pytest.mark.parametrize(
    ("times", "occurred", "claimed"),
    [
        ({}, 0, 0),
        ({"timestamp": None}, 0, 0),
        ({"timestamp": "2018-01-02T13:23:20.123Z"}, -599_877, 0),
        ({"timestamp": "2018-01-02T14:23:20.123+01:00"}, -599_877, 0),
        ({"timestamp": "2018-01-02 13:23:20.123"}, -599_877, 0),
        ({"timestamp": "2026-07-01T12:00:00Z", "sentAt": "2026-07-01T12:02:00Z"}, -2 * MINUTE, 0),
        (
            {
                "originalTimestamp": "2026-07-01T12:00:00Z",
                "timestamp": "2018-01-01",
                "sentAt": "2026-07-01T12:01:00Z",
            },
            -MINUTE,
            0,
        ),
        ({"timestamp": "2018-01-02T13:38:20Z"}, 5 * MINUTE, 0),
        ({"timestamp": "2018-01-02T13:38:20.001Z"}, 0, RECEIVED_MS + 5 * MINUTE + 1),
        ({"timestamp": "2030-01-01T00:00:00Z"}, 0, 1_893_456_000_000),
    ],
)
def test_times_are_the_logs_and_never_lie_ahead(
    times: dict[str, Any], occurred: int, claimed: int
) -> None:
    event = the_event(order(**times))
    assert event.occurred_at_ms - RECEIVED_MS == occurred
    assert event.claimed_at_ms == claimed


@pytest.mark.parametrize(
    ("times", "path"),
    [
        ({"timestamp": "1999-12-31T23:59:59Z"}, "timestamp"),
        ({"timestamp": "yesterday"}, "timestamp"),
        ({"timestamp": 1514900000000}, "timestamp"),
        ({"timestamp": ["2018"]}, "timestamp"),
        ({"timestamp": "2018-01-02", "sentAt": "soon"}, "sentAt"),
        ({"originalTimestamp": {}, "sentAt": "2018-01-02"}, "originalTimestamp"),
        ({"timestamp": "2018-01-02", "sentAt": "2050-01-02"}, "timestamp"),
    ],
)
def test_a_time_that_is_none_or_too_early_is_refused(times: dict[str, Any], path: str) -> None:
    assert rejected(order(**times)).path == path


# Money


@pytest.mark.parametrize(
    ("properties", "cents"),
    [
        ({"total": 0}, 0),
        ({"total": 10}, 1000),
        ({"total": "10.005"}, 1001),
        ({"total": 19.99}, 1999),
        ({"total": -0.0}, 0),
        ({"total": "1e3"}, 100_000),
        ({"total": 10**10}, 10**12),
        ({"total": 10, "revenue": 99}, 1000),
        ({"total": None, "revenue": 8, "shipping": 1, "tax": "0.5"}, 950),
        ({"total": "", "products": [LAMP, {"product_id": "q", "price": 1}]}, 4098),
        ({"total": None, "products": [{"product_id": "q", "price": 0}]}, 0),
        ({"total": 1000, "currency": "JPY"}, 1000),
        ({"total": "1.2345", "currency": "KWD"}, 1235),
    ],
)
def test_an_orders_total_is_exact(properties: dict[str, Any], cents: int) -> None:
    assert the_event(order(properties)).total_cents == cents


@pytest.mark.parametrize(
    ("properties", "path"),
    [
        ({"total": -1}, "properties.total"),
        ({"total": "-0.01"}, "properties.total"),
        ({"total": 10**10 + 1}, "properties.total"),
        ({"total": "1e999999999"}, "properties.total"),
        ({"total": "9" * 100_000}, "properties.total"),
        ({"total": 10**5000}, "properties.total"),
        ({"total": float("inf")}, "properties.total"),
        ({"total": float("nan")}, "properties.total"),
        ({"total": "NaN"}, "properties.total"),
        ({"total": "ten"}, "properties.total"),
        ({"total": True}, "properties.total"),
        ({"total": [1]}, "properties.total"),
        ({"total": None}, "properties.total"),
        ({"total": None, "products": [{"product_id": "p"}]}, "properties.total"),
        ({"total": None, "revenue": 10**10, "tax": 1}, "properties.total"),
        ({"shipping": -1}, "properties.shipping"),
        ({"discount": "x"}, "properties.discount"),
        ({"currency": "EURO"}, "properties.currency"),
        ({"currency": 5}, "properties.currency"),
        ({"coupon": {}}, "properties.coupon"),
        ({"products": {}}, "properties.products"),
        ({"products": [LAMP] * 1001}, "properties.products"),
        ({"products": [LAMP, 5]}, "properties.products[1]"),
        ({"products": [LAMP, {}]}, "properties.products[1].product_id"),
        ({"products": [{**LAMP, "price": -1}]}, "properties.products[0].price"),
        ({"products": [{**LAMP, "quantity": -1}]}, "properties.products[0].quantity"),
        ({"products": [{**LAMP, "quantity": 1e300}]}, "properties.products[0].quantity"),
        ({"products": [{**LAMP, "price": 10**9, "quantity": 100}]}, "properties.products[0].price"),
        ({"products": [{**LAMP, "name": {}}]}, "properties.products[0].name"),
    ],
)
def test_an_order_that_cannot_be_is_refused_where_it_is_wrong(
    properties: dict[str, Any], path: str
) -> None:
    assert rejected(order(properties)).path == path


@pytest.mark.parametrize(
    ("product", "price_cents", "total_cents", "quantity"),
    [
        ({"price": 2}, 200, 200, 1),
        ({"price": "2.899", "quantity": 10}, 290, 2899, 10),
        ({"price": 2, "quantity": 2, "total": 3}, 200, 300, 2),
        ({"total": 3, "quantity": 4}, 75, 300, 4),
        ({"total": 3, "quantity": 0}, 0, 300, 0),
        ({"total": 3, "quantity": 1e-30}, 0, 300, 1e-30),
        ({"quantity": "2.5", "price": "4"}, 400, 1000, 2.5),
        ({}, 0, 0, 1),
    ],
)
def test_a_line_has_the_price_of_one_and_of_all(
    product: dict[str, Any], price_cents: int, total_cents: int, quantity: float
) -> None:
    (line,) = the_event(order({"products": [{"product_id": "p", **product}]})).lines
    assert (line.price_cents, line.total_cents) == (price_cents, total_cents)
    assert line.quantity == quantity


@pytest.mark.parametrize(
    ("properties", "cents"),
    [
        ({}, None),
        ({"total": 5}, 500),
        ({"amount": "2.50", "total": 5}, 250),
        ({"total": 0}, 0),
        ({"products": [{"product_id": "p", "price": 3, "quantity": 2}]}, 600),
    ],
)
def test_half_an_order_may_be_refunded(properties: dict[str, Any], cents: int | None) -> None:
    event = the_event(track("Order Refunded", {"order_id": "o1", **properties}))
    assert event.amount_cents == cents


@pytest.mark.parametrize(
    "properties",
    [
        {"total": -5},
        {"products": [{"product_id": "p"}]},
        {"products": [{"product_id": "p", "price": 10**10}] * 2},
    ],
)
def test_a_refund_of_nobody_knows_how_much_is_refused(properties: dict[str, Any]) -> None:
    found = rejected(track("Order Refunded", {"order_id": "o1", **properties}))
    assert found.path == "properties.total"


@pytest.mark.parametrize("rating", [0, 6, "good", None, -1, True])
def test_a_rating_is_from_one_to_five(rating: Any) -> None:
    for name in ("Product Reviewed", "Ticket Rated"):
        body = track(name, {"product_id": "p", "ticket_id": "t", "rating": rating})
        assert rejected(body).path == "properties.rating"


@pytest.mark.parametrize(
    ("name", "properties", "path"),
    [
        ("Order Cancelled", {}, "properties.order_id"),
        ("Order Cancelled", {"order_id": ""}, "properties.order_id"),
        ("Product Viewed", {}, "properties.product_id"),
        ("Products Searched", {}, "properties.query"),
        ("Coupon Applied", {}, "properties.coupon"),
        ("Message Opened", {"channel": "email"}, "properties.action_id"),
        ("Message Opened", {"action_id": "a"}, "properties.channel"),
        ("Message Opened", {"action_id": "a", "channel": "pigeon"}, "properties.channel"),
        ("Ticket Opened", {}, "properties.ticket_id"),
        ("Return Requested", {}, "properties.order_id"),
        ("Coupon Issued", {"coupon": "c", "expires_at": "soon"}, "properties.expires_at"),
    ],
)
def test_an_event_that_lacks_what_it_is_about_is_refused(
    name: str, properties: dict[str, Any], path: str
) -> None:
    assert rejected(track(name, properties)).path == path


def test_somebody_elses_email_event_without_a_message_is_merely_kept() -> None:
    event = the_event(track("Email Opened", {"subject_line": "Hello"}))
    assert (type(event), event.name) == (events.Tracked, "Email Opened")


@pytest.mark.parametrize(
    ("body", "path"),
    [
        (None, ""),
        ([], ""),
        ("track", ""),
        ({}, "type"),
        ({"type": "trak"}, "type"),
        ({"type": ["track"]}, "type"),
        ({"type": {}}, "type"),
        (track("x", context=5), "context"),
        (track("x", context={"traits": 5}), "context.traits"),
        ({**track("x"), "properties": []}, "properties"),
        ({"type": "identify", "userId": "c", "traits": "Anna"}, "traits"),
        ({"type": "page", "userId": "c", "name": ["x"]}, "name"),
    ],
)
def test_what_is_no_message_is_refused(body: Any, path: str) -> None:
    assert rejected(body).path == path


def test_a_refusal_shows_little_of_what_was_got() -> None:
    for spoiled in ("x" * 10_000, {"deep": 1}, [1] * 10_000, 10**4000, "\x00" * 500):
        found = rejected(order({"total": spoiled}))
        assert len(found.got) <= 60


# Channels


@pytest.mark.parametrize(
    ("more", "properties", "channel"),
    [
        ({}, {}, Channel.WEB),
        ({"context": {"channel": "app"}}, {}, Channel.APP),
        ({"channel": "server"}, {}, Channel.SERVER),
        ({"channel": "browser"}, {}, Channel.WEB),
        ({"context": {"app": {"name": "Shop"}}}, {}, Channel.APP),
        ({"context": {"library": {"name": "analytics-ios"}}}, {}, Channel.APP),
        ({"context": {"library": {"name": "analytics-python"}}}, {}, Channel.SERVER),
        ({"context": {"library": {"name": "analytics.js"}}}, {}, Channel.WEB),
        ({"channel": "server"}, {"channel": "store"}, Channel.STORE),
        ({}, {"channel": "carrier pigeon"}, Channel.WEB),
    ],
)
def test_the_channel_is_the_most_telling_one_named(
    more: dict[str, Any], properties: dict[str, Any], channel: Channel
) -> None:
    assert finished(order(properties, **more))[0].channel is channel


def test_the_doors_own_channel_and_currency_are_the_last_resort() -> None:
    door = Door(received_at_ms=RECEIVED_MS, currency="JPY", channel=Channel.STORE)
    event = the_event(order({"total": 10}), door)
    assert (event.channel, event.currency, event.total_cents) == (Channel.STORE, "JPY", 10)


# What the contract does not know


def test_unknown_fields_are_kept_wherever_they_stand() -> None:
    body = order(
        {"affiliation": "Store 4", "gift": True, "products": [{**LAMP, "shelf": 4, "url": "u"}]},
        basket={"bags": [1, 2]},
    )
    assert the_event(body).extra == {
        "affiliation": "Store 4",
        "gift": True,
        "products": [{"product_id": "p1", "shelf": 4}],
        "basket": {"bags": [1, 2]},
    }


def test_too_much_of_the_unknown_is_left_out_and_counted() -> None:
    much = {f"k{number}": "x" * 100 for number in range(100)}
    event = the_event(order({**much, "total": 5}))
    assert event.total_cents == 500
    assert 30 < len(event.extra) < 42
    assert event.extra["left_out"] == 100 - (len(event.extra) - 1)


def test_what_is_nested_too_deep_is_refused() -> None:
    deep: Any = 1
    for _ in range(300):
        deep = {"a": deep}
    assert "levels" in rejected(order({"deep": deep})).expected
    assert rejected({**order({"deep": deep}), "messageId": None})


def test_the_campaign_that_brought_the_visit_is_kept() -> None:
    context = {"campaign": {"name": "Summer", "source": "mail"}, "ip": "10.0.0.1"}
    event = the_event(order(context=context))
    assert event.extra == {"campaign": {"name": "Summer", "source": "mail"}}
    assert set(event.sealed) == {"id", "context"}


def test_reading_changes_nothing_in_the_message() -> None:
    body = order({"products": [dict(LAMP)], "contact": {"email": "a@example.com"}})
    before = repr(body)
    parse(body, DOOR)
    assert repr(body) == before
