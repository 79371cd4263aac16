"""What an action becomes: the right address, and no more of a person than its reader needs."""

from typing import Any

import pytest

from models.effects import Action
from models.events import MessageChannel
from sinks.dispatch_messages import call_of, message_of, outlet_of, task_of
from sinks.templates import Rendered

PERSONAL = {
    "id": "c-1",
    "first_name": "Anna",
    "email": "anna@example.com",
    "phone": "+49123",
}
WORDS = Rendered("Subject", "Text", "<p>Text</p>")


def action(**fields: Any) -> Action:
    standard: dict[str, Any] = {
        "action_id": "a" * 32,
        "customer": "C" * 22,
        "rule": "call_back",
        "occasion": "o1",
        "message_channel": MessageChannel.EMAIL,
        "template": "hello",
        "decided_at_ms": 1_000,
        "expires_at_ms": 2_000,
        "sealed": {},
    }
    return Action(**{**standard, **fields})


@pytest.mark.parametrize(
    ("channel", "address"),
    [("email", "anna@example.com"), ("sms", "+49123"), ("push", "c-1"), ("chat", "c-1")],
)
def test_each_channel_has_its_own_address(channel: str, address: str) -> None:
    one = action(message_channel=MessageChannel(channel))
    assert message_of(one, PERSONAL, 5, WORDS).address == address
    assert message_of(one, {}, 5, WORDS).address == ""
    assert outlet_of(one) == channel


def test_news_of_an_order_has_no_way_out() -> None:
    way = "https://shop.example/u/x"
    assert message_of(action(), PERSONAL, 5, WORDS, "", way).unsubscribe_url == way
    service = action(consent="service")
    assert message_of(service, PERSONAL, 5, WORDS, "", way).unsubscribe_url == ""


def test_a_task_says_what_is_to_be_done_for_whom_and_how_to_reach_them() -> None:
    one = action(kind="task", owner="Wei", task="Call back", task_due_ms=9, coupon="A1")
    task = task_of(one, PERSONAL, 5)
    assert (task.kind, outlet_of(one)) == ("task", "task")
    assert task.subject == "Wei: Call back"
    assert "phone: +49123" in task.text
    assert task.content["contact"] == {
        "first_name": "Anna",
        "phone": "+49123",
        "email": "anna@example.com",
    }
    assert (task.content["due_ms"], task.content["coupon"]) == (9, "A1")


def test_a_call_names_the_customer_and_tells_nothing_else_of_them() -> None:
    one = action(kind="webhook", address="https://x.example/y", variables={"product": "Pot"})
    call = call_of(one, PERSONAL, 5)
    assert (call.kind, call.address, outlet_of(one)) == ("webhook", one.address, "webhook")
    assert call.content["customer_id"] == "c-1"
    assert call.content["variables"] == {"product": "Pot"}
    assert "Anna" not in str(call.content)
    assert "Anna" not in repr(task_of(one, PERSONAL, 5))
