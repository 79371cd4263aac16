"""Receipts: the same each time they are made, and readable by the fold."""

import pytest

from models.customer import Customer
from models.effects import Action
from models.events import CustomerEvent, MessageChannel, decode, encode, type_of
from models.step import step
from models.view import View
from sinks.dispatch_ledger import Outcome
from sinks.dispatch_receipts import receipts_of

ACTION = Action(
    action_id="a1",
    customer="AAAAAAAAAAAAAAAAAAAAAA",
    rule="thank_you",
    occasion="o1",
    message_channel=MessageChannel.EMAIL,
    template="thank_you",
    decided_at_ms=1_000,
    expires_at_ms=2_000,
    sealed={},
)


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (Outcome(5, delivered=True), ["message_sent a1:sent", "message_delivered a1:delivered"]),
        (Outcome(5), ["message_sent a1:sent"]),
        (Outcome(5, reason="expired"), ["message_bounced a1:bounced"]),
    ],
)
def test_an_outcome_has_its_receipts(outcome: Outcome, expected: list[str]) -> None:
    receipts = receipts_of(ACTION, outcome)
    assert [f"{type_of(one)} {one.id}" for one in receipts] == expected  # type: ignore[arg-type]
    assert receipts == receipts_of(ACTION, outcome)
    assert [decode(encode(one)) for one in receipts] == receipts  # type: ignore[arg-type]


def fold(customer: Customer, outcome: Outcome) -> None:
    for receipt in receipts_of(ACTION, outcome):
        event: CustomerEvent = receipt  # type: ignore[assignment]
        step(customer, event, encode(event), View(1, 0, 1))


@pytest.mark.parametrize(
    ("outcome", "status", "sent"),
    [(Outcome(5, delivered=True), "delivered", 1), (Outcome(5, reason="expired"), "bounced", 0)],
)
def test_receipts_that_stand_in_the_log_twice_count_once(
    outcome: Outcome, status: str, sent: int
) -> None:
    customer = Customer()
    for _ in range(2):
        fold(customer, outcome)
    assert [(one.action_id, one.status) for one in customer.messages] == [("a1", status)]
    assert customer.messages_sent == sent


def test_a_receipt_does_not_make_a_visitor_a_known_customer() -> None:
    visitor = Customer()
    fold(visitor, Outcome(5, delivered=True))
    assert visitor.known is False
