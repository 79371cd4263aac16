"""Nothing personal in the clear: what is recognised, what is left alone, and the law over it."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models import events
from models.segment import parse
from models.segment_personal import (
    email_lookup,
    looks_personal,
    masked,
    phone_lookup,
    search_query,
)
from models.segment_words import is_personal_name
from tests.models.segment_bodies import DOOR, drafts, finished, the_event, track

NAME, FIRST, LAST = "Zyxanna Qworthy", "Zyxanna", "Qworthy"
EMAIL = "zyx.qworthy+shop@mail.example.co.uk"
PHONE, PHONE_TEXT = 4917655501234, "+49 (176) 555-01234"
STREET, POSTAL = "Blumenqwegstraße 17", "SW1A 9QX"
TEXT = "I hate that my neighbour Qlaus got the parcel instead of me, please call back."
ADDRESS = "192.168.117.203"
CARD = "4929 1234 5678 9012"
PLANTED = [NAME, FIRST, LAST, EMAIL, "qworthy", str(PHONE), "555-01234", STREET, "Blumenqweg"]
PLANTED += [POSTAL, TEXT, "Qlaus", ADDRESS, CARD, "device-9012", "Mozilla/9.9"]

CONTACT = {
    "name": NAME,
    "firstName": FIRST,
    "last_name": LAST,
    "email": EMAIL,
    "phone": PHONE_TEXT,
    "mobile": PHONE,
    "address": {"street": STREET, "postalCode": POSTAL, "city": "Berlin", "line2": STREET},
    "avatar": f"https://img.example/{FIRST}.png",
    "description": TEXT,
    "company": f"{LAST} Ltd",
    "username": LAST,
    "website": f"https://{LAST}.example",
    "about_me": FIRST,
    "nested": {"contact": {"whatsapp": PHONE_TEXT, "vip": True}, "favourite_colour": "blue"},
    "list": [{"recipient": NAME}, {"e-mail": EMAIL}, EMAIL, PHONE_TEXT, "blue"],
    "greeting_line": f"Dear {FIRST}, welcome",
    "card": CARD,
    EMAIL: "verified",
}
CONTEXT = {
    "ip": ADDRESS,
    "userAgent": "Mozilla/9.9",
    "page": {"url": f"https://shop.example/?email={EMAIL}", "title": NAME, "path": f"/u/{EMAIL}"},
    "device": {"id": "device-9012", "name": NAME},
    "traits": CONTACT,
    "campaign": {"name": "Summer", "term": EMAIL},
}
WRITTEN = {
    "review_body": TEXT,
    "title": NAME,
    "text": TEXT,
    "subject": f"{FIRST} writes",
    "message": TEXT,
    "reason": TEXT,
    "topic": TEXT,
    "note": FIRST,
    "gift_message": f"For {FIRST}",
    "shipping_address": CONTACT["address"],
    "billing": {"name": NAME, "phone": PHONE},
    "query": f"present for {EMAIL} tel {PHONE_TEXT}",
    "url": f"https://shop.example/p?u={EMAIL}",
    "comment": TEXT,
}
PRODUCT = {"product_id": "p1", "price": 5, "engraving_text": NAME, "variant": f"For {NAME}"}
ABOUT = {
    "order_id": "o1",
    "product_id": "p1",
    "ticket_id": "t1",
    "coupon": "c",
    "action_id": "a1",
    "channel": "email",
    "rating": 4,
    "total": 5,
    "products": [PRODUCT],
}
NAMES = [
    "Order Completed",
    "Order Cancelled",
    "Order Refunded",
    "Product Viewed",
    "Product Added",
    "Products Searched",
    "Message Bounced",
    "Message Clicked",
    "Unsubscribed",
    "Coupon Denied",
    "Ticket Opened",
    "Ticket Rated",
    "Product Reviewed",
    "Return Requested",
    "Something Unknown",
    f"Mail from {EMAIL}",
]


def in_the_clear(body: dict[str, Any]) -> list[str]:
    """Planted values that can be read in the encoded events of a message."""
    found = finished(body)
    assert found
    log = "\n".join(events.encode(event).decode() for event in found)
    return [planted for planted in PLANTED if planted.lower() in log.lower()]


@pytest.mark.parametrize("name", NAMES)
def test_no_tracked_event_tells_who_it_was(name: str) -> None:
    properties = {**CONTACT, **ABOUT, **WRITTEN}
    body = track(name, properties, context=CONTEXT, userId=EMAIL, messageId=f"{EMAIL}:1", me=NAME)
    assert in_the_clear(body) == []


@pytest.mark.parametrize("kind", ["identify", "page", "screen", "group"])
def test_no_other_message_tells_who_it_was(kind: str) -> None:
    body = {
        "type": kind,
        "userId": EMAIL,
        "anonymousId": PHONE_TEXT,
        "traits": CONTACT,
        "properties": {**CONTACT, **WRITTEN},
        "context": CONTEXT,
        "name": f"Profile of {NAME}",
        "sender": NAME,
    }
    assert in_the_clear(body) == []


def test_no_alias_tells_who_it_was() -> None:
    assert in_the_clear({"type": "alias", "userId": EMAIL, "previousId": PHONE_TEXT}) == []


names = st.text(min_size=1, max_size=20)
harmless = st.none() | st.booleans() | st.integers(0, 10**6) | st.sampled_from(["blue", "x" * 20])
secrets = st.sampled_from([EMAIL, f"to {EMAIL}!", PHONE_TEXT, f"tel {PHONE_TEXT}", TEXT, ADDRESS])
values = st.recursive(
    harmless | secrets,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=8,
)
objects = st.dictionaries(names, values, max_size=4)
LAMP = {"product_id": "p1", "name": "Lamp", "category": "light", "price": 5}


@settings(max_examples=80, deadline=None)
@given(properties=objects, traits=objects, name=st.sampled_from(NAMES))
def test_what_looks_personal_is_sealed_under_any_name_and_at_any_depth(
    properties: dict[str, Any], traits: dict[str, Any], name: str
) -> None:
    about = {**properties, **ABOUT, "products": [{**properties, **LAMP}], "query": EMAIL}
    assert in_the_clear(track(name, about, context={"traits": traits})) == []
    identify = {"type": "identify", "userId": "c", "messageId": "m", "traits": traits}
    assert in_the_clear({**identify, "unknown": properties}) == []


@pytest.mark.parametrize(
    ("text", "personal"),
    [("192.168.117.203", True), ("119.0.0.0", False), ("192168117203", False), ("1.25", False)],
)
def test_an_address_is_personal_under_the_name_of_a_measure(text: str, personal: bool) -> None:
    assert looks_personal(text, measured=True) is personal


def test_the_sealed_parts_hold_all_that_was_taken_out() -> None:
    draft = drafts(track("Order Completed", {**ABOUT, "contact": CONTACT, "note": FIRST}))[0]
    assert NAME in draft.personal["extra"]
    assert EMAIL in draft.personal["extra"]
    assert "engraving_text" in draft.personal["extra"]


def test_what_customers_write_is_sealed_by_name() -> None:
    review = {"product_id": "p", "rating": 5, "review_body": "Fine.", "title": "OK"}
    (draft,) = drafts(track("Product Reviewed", review))
    assert draft.personal == {"review_body": "Fine.", "review_title": "OK"}
    (draft,) = drafts(track("Ticket Opened", {"ticket_id": "t", "text": "Help!", "topic": TEXT}))
    assert draft.personal == {"text": "Help!", "topic": TEXT}
    assert draft.fields["topic"] == ""


def test_a_place_of_sending_that_is_huge_shrinks_to_address_and_browser() -> None:
    context = {"ip": ADDRESS, "userAgent": "Mozilla/9.9", "page": {"url": "x" * 5000}}
    (draft,) = drafts(track("Order Cancelled", {"order_id": "o"}, context=context))
    assert draft.personal == {"context": '{"ip":"192.168.117.203","userAgent":"Mozilla/9.9"}'}


PERSONAL = (
    "name fullName first_name recipient e-mail EMAIL emailAddress contactPhone phone_number zip "
    "zip_code postalCode shipping_address_street user_id customerId visitorId deviceId ip "
    "user_agent note gift_message review_body comment description 姓名 手机号 收货地址 备注 "
    "page_user_name cardNumber session_token date_of_birth lat vorname message_text author"
)


@pytest.mark.parametrize("name", PERSONAL.split())
def test_a_name_that_speaks_of_a_person_is_known(name: str) -> None:
    assert is_personal_name(name)


NOBODYS = (
    "product_name productName category_name coupon_name plan store_name product_description price "
    "message_id comment_count customer_type member_level colour size page_title review_score "
    "order_id kids_count household_size home_ownership quantity currency text_color 颜色 品类"
)


@pytest.mark.parametrize("name", NOBODYS.split())
def test_a_name_that_speaks_of_a_thing_is_left_alone(name: str) -> None:
    assert not is_personal_name(name)


@pytest.mark.parametrize(
    "text",
    [
        EMAIL,
        "write to a@b.example now",
        "a%40b.example",
        PHONE_TEXT,
        "0171-5550123",
        "13800138000",
        "138 0013 8000",
        "call 020 7946 0018 now",
        ADDRESS,
        CARD,
        TEXT,
        "https://shop.example/p?session=1",
        "我想退货，因为衣服的颜色和网站上的图片完全不一样，而且尺寸也太小了，" * 2,
    ],
)
def test_a_text_that_looks_personal_is_known(text: str) -> None:
    assert looks_personal(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "blue",
        "2017-05-01",
        "2017-05-01T12:00:00Z",
        "01.05.2017",
        "19.99",
        "1234567.89",
        "35-44",
        "1990-1995",
        "https://shop.example/p/123",
        "550e8400-e29b-41d4-a716-446655440000",
        "SKU-4006381333931",
        "a" * 200,
        "10 % off @ home",
    ],
)
def test_a_text_that_is_nobodys_is_left_alone(text: str) -> None:
    assert not looks_personal(text)


@pytest.mark.parametrize(
    ("name", "value"),
    [("ean", "4006381333931"), ("price", 19.99), ("created_at", 1514900000), ("amount", 10**10)],
)
def test_digits_that_measure_something_stay(name: str, value: Any) -> None:
    event = the_event(track("Something", {name: value}))
    assert event.extra == {name: value}


@pytest.mark.parametrize("value", [PHONE_TEXT, f"tel {PHONE_TEXT}"])
@pytest.mark.parametrize("name", ["ID", "ean", "amount"])
def test_a_phone_number_is_none_the_less_one_under_a_name_that_measures(
    name: str, value: str
) -> None:
    (draft,) = drafts(track("Something", {name: value}))
    assert draft.extra is None


@pytest.mark.parametrize("value", ["4006381333931", 13800138000, 13800138000.0])
def test_digits_that_may_be_a_phone_number_are_sealed(value: Any) -> None:
    (draft,) = drafts(track("Something", {"reach_me": value}))
    assert draft.extra is None
    assert "extra" in draft.personal


def test_a_things_own_name_and_words_stay() -> None:
    store = {"name": "Berlin Mitte", "description": "big"}
    event = the_event(track("Something", {"store": store}))
    assert event.extra == {"store": store}


def test_a_product_keeps_a_name_that_is_also_a_persons() -> None:
    products = [{"product_id": "p", "name": "Rose perfume", "price": 1}]
    properties = {"order_id": "o", "total": 1, "products": products, "contact": {"name": "Rose"}}
    event = the_event(track("Order Completed", properties))
    assert event.lines[0].name == "Rose perfume"


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("Blue  Lamp", "blue lamp"),
        (f"lamp for {EMAIL}", "lamp for …"),
        (f"lamp {PHONE_TEXT} now", "lamp … now"),
        ("lamp 2017-05-01", "lamp 2017-05-01"),
        ("x" * 500, "x" * 100),
    ],
)
def test_a_search_is_normalised_and_masked(text: str, query: str) -> None:
    assert search_query(text) == query


@pytest.mark.parametrize("text", ["a" * 400_000 + "@", "@" * 100_000, "1 " * 200_000, "é" * 99_999])
def test_long_texts_cost_little_time(text: str) -> None:
    assert looks_personal(text)
    masked(text[:4_000])
    body = track("Products Searched", {"query": "lamp", "list": [text] * 3, text: 1, "name": text})
    assert isinstance(parse(body, DOOR), list)


@pytest.mark.parametrize(
    ("text", "lookup"),
    [
        (" Anna@Example.COM ", "anna@example.com"),
        ("anna", ""),
        ("@example.com", ""),
        ("anna@", ""),
        ("a" * 400 + "@example.com", ""),
    ],
)
def test_an_email_is_looked_up_in_one_spelling(text: str, lookup: str) -> None:
    assert email_lookup(text) == lookup


@pytest.mark.parametrize(
    ("text", "lookup"),
    [
        ("+49 (176) 555-01234", "+4917655501234"),
        ("0049 176 55501234", "+4917655501234"),
        ("１３８ 0013 8000", "13800138000"),
        ("none", ""),
        ("12", ""),
        ("1" * 40, ""),
    ],
)
def test_a_phone_is_looked_up_in_one_spelling(text: str, lookup: str) -> None:
    assert phone_lookup(text) == lookup
