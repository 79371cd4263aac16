"""Providers' reports: read, dated, and bereft of what is personal."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.customer import Customer
from models.events import MessageBounced, MessageChannel, MessageClicked, decode, encode, type_of
from models.provider_receipts import Report, Unreadable, event_of, farewell, read
from models.step import step
from models.view import View

ACTION = "0123456789abcdef" * 2
NOW_MS = 1_700_000_000_000
CUSTOMER = "C" * 22


def report(kind: str, **said: Any) -> dict[str, Any]:
    return {"type": kind, "data": {"action_id": ACTION, **said}}


def event(body: dict[str, Any], channel: MessageChannel = MessageChannel.EMAIL) -> Any:
    found = read(body)
    assert isinstance(found, Report)
    return event_of(found, CUSTOMER, channel, NOW_MS)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("delivered", "message_delivered"),
        ("message.delivered", "message_delivered"),
        ("email.opened", "message_opened"),
        ("email_open", "message_opened"),
        ("Click", "message_clicked"),
        ("email.bounced", "message_bounced"),
        ("sms failed", "message_bounced"),
        ("email.complained", "unsubscribed"),
        ("unsubscribe", "unsubscribed"),
    ],
)
def test_a_report_becomes_the_event_it_stands_for(kind: str, expected: str) -> None:
    made = event(report(kind))
    assert type_of(made) == expected
    assert (made.customer, made.action_id, made.anonymous) == (CUSTOMER, ACTION, True)
    assert made == event(report(kind))
    assert decode(encode(made)) == made


def test_delivered_has_the_name_that_the_dispatchers_own_receipt_has() -> None:
    assert event(report("delivered")).id == f"{ACTION}:delivered"


@pytest.mark.parametrize(
    ("body", "path"),
    [
        (None, ""),
        ([], ""),
        ({}, "type"),
        ({"type": "message.sneezed", "data": {}}, "type"),
        ({"type": "delivered"}, "data"),
        ({"type": "delivered", "data": {}}, "data.action_id"),
        ({"type": "delivered", "data": {"action_id": "x"}}, "data.action_id"),
        ({"type": "delivered", "data": {"action_id": ACTION + "0"}}, "data.action_id"),
    ],
)
def test_what_can_not_be_read_says_where(body: Any, path: str) -> None:
    found = read(body)
    assert isinstance(found, Unreadable)
    assert found.path == path


def test_a_mails_message_id_names_the_action() -> None:
    body = {"type": "delivered", "data": {"message_id": f"<{ACTION}@tea.example>"}}
    assert event(body).action_id == ACTION


@pytest.mark.parametrize(
    ("moment", "at_ms"),
    [
        ("2023-11-14T22:13:19Z", NOW_MS - 1_000),
        ("2023-11-14T23:13:19+01:00", NOW_MS - 1_000),
        ("2093-11-14T22:13:19Z", NOW_MS),
        ("yesterday", NOW_MS),
        (None, NOW_MS),
        (5, NOW_MS),
    ],
)
def test_a_time_that_can_not_be_is_now(moment: object, at_ms: int) -> None:
    assert event({**report("delivered"), "timestamp": moment}).occurred_at_ms == at_ms


def test_of_a_reason_and_an_address_nothing_personal_is_kept() -> None:
    bounced = event(report("bounced", reason="550 <anna@example.com>\nunknown " + "x" * 500))
    assert isinstance(bounced, MessageBounced)
    assert "anna" not in bounced.reason
    assert bounced.reason.startswith("550")
    assert len(bounced.reason) <= 120
    clicked = event(report("clicked", url="https://tea.example/pot?email=anna@example.com#anna"))
    assert isinstance(clicked, MessageClicked)
    assert clicked.url == "https://tea.example/pot"
    for bad in ("javascript:alert(1)", "https://anna:pw@tea.example/", "http://[", None):
        assert event(report("clicked", url=bad)).url == ""


@given(
    body=st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=9) | st.just(ACTION),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["type", "data", "action_id", "url"]), inner, max_size=4
            )
        ),
        max_leaves=8,
    )
)
def test_any_body_is_read_or_told_what_is_wrong(body: Any) -> None:
    assert isinstance(read(body), Report | Unreadable)


def test_status_only_goes_forward_whatever_the_order_of_reports() -> None:
    customer = Customer()
    for kind in ("clicked", "delivered", "opened", "bounced", "clicked"):
        made = event(report(kind))
        step(customer, made, encode(made), View(1, 0, 1))
    assert [(one.action_id, one.status) for one in customer.messages] == [(ACTION, "clicked")]
    assert (customer.messages_opened, customer.messages_clicked) == (1, 1)


def test_a_farewell_ends_one_channel_and_is_one_event_however_often_it_is_said() -> None:
    customer = Customer()
    for _ in range(2):
        left = farewell(CUSTOMER, MessageChannel.SMS, ACTION, NOW_MS)
        step(customer, left, encode(left), View(1, 0, 1))
    assert customer.unsubscribed == ["sms"]
    assert left.id == f"{ACTION}:unsubscribed"
    assert farewell(CUSTOMER, MessageChannel.SMS, "", NOW_MS).id == f"{CUSTOMER}:sms:unsubscribed"
