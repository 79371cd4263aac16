"""Shopify's and WooCommerce's deliveries, said again as messages of the contract."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models import events
from models.events import Channel
from models.segment import parse
from models.segment_shops import from_shopify, from_woocommerce, order_named_by
from tests.models.segment_bodies import DOOR, finished, rejected, seal, token

SHOPIFY_ORDER: dict[str, Any] = {
    "id": 820982911946154508,
    "admin_graphql_api_id": "gid://shopify/Order/820982911946154508",
    "name": "#9999",
    "order_number": 1234,
    "email": "Jon@Example.com",
    "phone": None,
    "created_at": "2018-01-02T08:33:20-05:00",
    "cancelled_at": "2018-01-02T08:40:00-05:00",
    "cancel_reason": "customer",
    "currency": "EUR",
    "total_price": "403.00",
    "total_tax": "3.00",
    "total_discounts": "20.00",
    "total_shipping_price_set": {"shop_money": {"amount": "10.00", "currency_code": "EUR"}},
    "discount_codes": [{"code": "TENOFF", "amount": "20.00", "type": "fixed"}],
    "source_name": "web",
    "browser_ip": "216.191.105.146",
    "customer": {
        "id": 115310627314723954,
        "first_name": "Jon",
        "last_name": "Smithers",
        "email": "jon@example.com",
        "default_address": {"address1": "123 Elmstreet", "zip": "K2H7A8", "city": "Ottawa"},
    },
    "billing_address": {"name": "Jon Smithers", "address1": "123 Elmstreet"},
    "line_items": [
        {
            "id": 866550311766439020,
            "product_id": 632910392,
            "title": "IPod Nano",
            "variant_title": "8GB",
            "vendor": "Apple",
            "sku": "IPOD2008PINK",
            "price": "199.00",
            "quantity": 2,
        }
    ],
}

WOOCOMMERCE_ORDER: dict[str, Any] = {
    "id": 727,
    "number": "727",
    "status": "processing",
    "currency": "USD",
    "date_created_gmt": "2018-01-02T13:00:00",
    "date_modified_gmt": "2018-01-02T13:30:00",
    "discount_total": "1.00",
    "shipping_total": "10.00",
    "total": "29.35",
    "total_tax": "1.35",
    "customer_id": 26,
    "customer_ip_address": "10.1.2.3",
    "created_via": "checkout",
    "billing": {"first_name": "Jon", "last_name": "Smithers", "email": "jon@example.com"},
    "line_items": [{"id": 315, "product_id": 93, "name": "Woo", "quantity": 2, "total": "18.00"}],
    "coupon_lines": [{"code": "ten"}],
}


def shopify(topic: str, body: dict[str, Any], owner: str = "") -> list[events.Event]:
    (message,) = from_shopify(topic, body, "e1", owner)
    return finished(message)


def woocommerce(topic: str, body: dict[str, Any]) -> list[events.Event]:
    (message,) = from_woocommerce(topic, body, "d1")
    return finished(message)


def test_a_shopify_order_is_completed_with_its_customers_contact() -> None:
    order, identified = shopify("orders/create", SHOPIFY_ORDER)
    assert isinstance(order, events.OrderCompleted)
    assert order.id == "shopify:820982911946154508:completed"
    assert order.customer == token("customer", "115310627314723954")
    assert (order.order_id, order.total_cents, order.currency) == (
        "820982911946154508",
        40_300,
        "EUR",
    )
    assert (order.tax_cents, order.shipping_cents, order.discount_cents) == (300, 1000, 2000)
    assert order.coupon == "TENOFF"
    assert order.occurred_at_ms == 1_514_900_000_000
    (line,) = order.lines
    assert (line.product_id, line.total_cents, line.brand) == ("632910392", 39_800, "Apple")
    assert isinstance(identified, events.CustomerIdentified)
    assert identified.lookup == {"email": token("email", "jon@example.com")}
    assert identified.traits == {"city": "Ottawa"}


def test_the_same_shopify_order_told_by_two_topics_is_one_event() -> None:
    created, paid = (shopify(topic, SHOPIFY_ORDER)[0] for topic in ("orders/create", "orders/paid"))
    assert created.id == paid.id


def test_a_shopify_order_at_the_counter_is_of_the_store() -> None:
    order, _ = shopify("orders/create", {**SHOPIFY_ORDER, "source_name": "pos"})
    assert order.channel is Channel.STORE


def test_two_orders_of_a_guest_meet_by_their_email() -> None:
    guest = {**SHOPIFY_ORDER, "customer": None}
    order = shopify("orders/create", guest)[0]
    again = shopify("orders/create", {**guest, "id": 2, "email": " jon@EXAMPLE.com"})[0]
    assert order.anonymous
    assert order.customer == again.customer == token("customer", "anon:jon@example.com")
    nobody = shopify("orders/create", {**guest, "email": None})[0]
    assert nobody.customer == token("customer", "anon:shopify:820982911946154508")


def test_a_shopify_order_is_cancelled() -> None:
    (cancelled,) = shopify("orders/cancelled", SHOPIFY_ORDER)
    assert isinstance(cancelled, events.OrderCancelled)
    assert cancelled.order_id == "820982911946154508"
    assert cancelled.customer == token("customer", "115310627314723954")


REFUND = {
    "id": 509562969,
    "order_id": 820982911946154508,
    "created_at": "2018-01-02T08:33:20-05:00",
    "note": "wrong size for Jon",
    "transactions": [
        {"kind": "refund", "status": "success", "amount": "199.00", "currency": "EUR"},
        {"kind": "refund", "status": "failure", "amount": "7.00", "currency": "EUR"},
        {"kind": "refund", "status": "success", "amount": "0.10", "currency": "EUR"},
    ],
    "refund_line_items": [
        {"quantity": 1, "subtotal": "199.00", "line_item": SHOPIFY_ORDER["line_items"][0]}
    ],
}


def test_a_shopify_refund_belongs_to_the_customer_of_its_order() -> None:
    assert order_named_by("refunds/create", REFUND) == "820982911946154508"
    assert order_named_by("orders/create", REFUND) == ""
    (refund,) = shopify("refunds/create", REFUND, owner="115310627314723954")
    assert isinstance(refund, events.OrderRefunded)
    assert refund.customer == token("customer", "115310627314723954")
    assert (refund.amount_cents, refund.currency) == (19_910, "EUR")
    assert [(line.product_id, line.quantity) for line in refund.lines] == [("632910392", 1.0)]
    assert refund.id == "shopify:refund:509562969"


def test_a_shopify_refund_of_an_unknown_order_is_refused() -> None:
    (message,) = from_shopify("refunds/create", REFUND, "e1")
    assert rejected(message).path == "userId"


def test_a_shopify_customer_is_identified() -> None:
    (event,) = shopify("customers/update", {**SHOPIFY_ORDER["customer"], "tags": "vip"})
    assert isinstance(event, events.CustomerIdentified)
    assert event.id == "shopify:customers/update:e1"
    assert event.sealed is not None
    assert event.sealed["last_name"] == seal(event.customer, "last_name", "Smithers")
    assert event.sealed["street"] == seal(event.customer, "street", "123 Elmstreet")


def test_a_topic_nobody_knows_is_kept_without_a_name_in_the_clear() -> None:
    (event,) = shopify("orders/updated", SHOPIFY_ORDER)
    assert isinstance(event, events.Tracked)
    assert event.name == "orders/updated"
    assert b"Smithers" not in events.encode(event)
    assert b"Elmstreet" not in events.encode(event)


@pytest.mark.parametrize(
    ("status", "kind", "name"),
    [
        ("processing", events.OrderCompleted, "woocommerce:727:completed"),
        ("completed", events.OrderCompleted, "woocommerce:727:completed"),
        ("cancelled", events.OrderCancelled, "woocommerce:727:cancelled"),
        ("failed", events.OrderCancelled, "woocommerce:727:cancelled"),
        ("refunded", events.OrderRefunded, "woocommerce:727:refunded"),
        ("pending", events.Tracked, "woocommerce:order.updated:d1"),
        ("on-hold", events.Tracked, "woocommerce:order.updated:d1"),
    ],
)
def test_a_woocommerce_orders_status_says_what_happened(status: str, kind: type, name: str) -> None:
    event = woocommerce("order.updated", {**WOOCOMMERCE_ORDER, "status": status})[0]
    assert type(event) is kind
    assert event.id == name
    assert event.customer == token("customer", "26")


def test_a_woocommerce_order_has_its_amounts() -> None:
    order, identified = woocommerce("order.created", WOOCOMMERCE_ORDER)
    assert isinstance(order, events.OrderCompleted)
    assert (order.total_cents, order.tax_cents, order.shipping_cents) == (2935, 135, 1000)
    assert (order.coupon, order.discount_cents) == ("ten", 100)
    assert order.lines[0].total_cents == 1800
    assert isinstance(identified, events.CustomerIdentified)


def test_a_woocommerce_guest_goes_by_the_email() -> None:
    event = woocommerce("order.created", {**WOOCOMMERCE_ORDER, "customer_id": 0})[0]
    assert event.customer == token("customer", "anon:jon@example.com")


def test_a_woocommerce_customer_is_identified() -> None:
    body = {
        "id": 25,
        "email": "j@example.com",
        "first_name": "J",
        "billing": {"phone": "555 55 55"},
    }
    (event,) = woocommerce("customer.created", body)
    assert isinstance(event, events.CustomerIdentified)
    assert set(event.lookup or ()) == {"email", "phone"}


json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)
fields = sorted({*SHOPIFY_ORDER, *WOOCOMMERCE_ORDER, *REFUND})
topics = ["orders/create", "orders/cancelled", "refunds/create", "customers/update", "other"]
topics += ["order.updated", "customer.created", ""]


@settings(max_examples=150, deadline=None)
@given(body=st.dictionaries(st.sampled_from(fields), json), topic=st.sampled_from(topics))
def test_no_delivery_is_too_strange_to_be_said_or_refused(body: dict[str, Any], topic: str) -> None:
    for base in ({}, SHOPIFY_ORDER, WOOCOMMERCE_ORDER, REFUND):
        for messages in (
            from_shopify(topic, {**base, **body}, "", "c1"),
            from_woocommerce(topic, {**base, **body}, ""),
        ):
            for message in messages:
                parse(message, DOOR)
