"""From a wish to an action, with a receipt either way."""

import pytest

from models.customer import Customer
from models.decision import MESSAGE_LIFE_MS, SEALED_FOR_MESSAGES, Wish, decide, withheld
from models.effects import Action, Decided, action_id
from tests.builders import ANNA, DAY, START_MS, view_at

WISH = Wish(rule="r", occasion="o", template="t", variables={"x": 1})


def known(**fields: object) -> Customer:
    return Customer(known=True, **fields)  # type: ignore[arg-type]


def test_an_action_and_its_receipt_bear_one_name() -> None:
    customer = known(tier="regular", orders=3, hazard=0.25, hazard_version=7)
    action, receipt = decide(ANNA, customer, WISH, view_at(START_MS), START_MS)
    assert isinstance(action, Action)
    assert isinstance(receipt, Decided)
    assert action.action_id == receipt.action_id == action_id(ANNA, "r", "o")
    assert (receipt.verdict, receipt.reason) == ("sent", "")
    assert receipt.inputs == {"x": 1, "tier": "regular", "orders": 3}
    assert (action.hazard, action.hazard_version) == (0.25, 7)
    assert (receipt.hazard, receipt.hazard_version) == (0.25, 7)
    assert (action.decided_at_ms, action.expires_at_ms) == (START_MS, START_MS + MESSAGE_LIFE_MS)


def test_a_message_expires_by_when_it_was_due() -> None:
    action, receipt = decide(ANNA, known(), WISH, view_at(START_MS + DAY), START_MS)
    assert isinstance(action, Action)
    assert action.expires_at_ms == START_MS + MESSAGE_LIFE_MS
    assert receipt.at_ms == START_MS + DAY  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("customer", "now_ms", "reason"),
    [
        (known(), START_MS, ""),
        (known(unsubscribed=["email"]), START_MS, "unsubscribed from email"),
        (known(unsubscribed=["chat", "push", "sms"]), START_MS, ""),
        (Customer(), START_MS, "nobody knows who it is"),
        (Customer(sealed={"email": "s"}), START_MS, ""),
        (known(), START_MS + MESSAGE_LIFE_MS - 1, ""),
        (known(), START_MS + MESSAGE_LIFE_MS, "its moment has passed"),
    ],
)
def test_what_stands_against_a_message(customer: Customer, now_ms: int, reason: str) -> None:
    decided = decide(ANNA, customer, WISH, view_at(now_ms), START_MS)
    receipts = [one for one in decided if isinstance(one, Decided)]
    assert [one.reason for one in receipts] == [reason]
    assert [one.verdict for one in receipts] == ["withheld" if reason else "sent"]
    assert len(decided) == (1 if reason else 2)


def test_only_what_a_message_needs_leaves_the_row() -> None:
    sealed = dict.fromkeys([*SEALED_FOR_MESSAGES, "street", "birthday"], "s")
    action = decide(ANNA, known(sealed=sealed), WISH, view_at(), START_MS)[0]
    assert isinstance(action, Action)
    assert sorted(action.sealed) == sorted(SEALED_FOR_MESSAGES)


@pytest.mark.parametrize(
    ("traits", "locale"),
    [({}, "en"), ({"locale": ""}, "en"), ({"locale": "zh-Hant"}, "zh-Hant"), ({"locale": 7}, "7")],
)
def test_a_message_speaks_the_customers_language(traits: dict[str, str], locale: str) -> None:
    action = decide(ANNA, known(traits=traits), WISH, view_at(), START_MS)[0]
    assert isinstance(action, Action)
    assert action.locale == locale


def test_what_was_rightly_left_unsaid_has_a_receipt_under_the_actions_name() -> None:
    receipt = withheld(ANNA, known(), WISH, view_at(), START_MS, "because")
    assert (receipt.verdict, receipt.reason) == ("withheld", "because")
    assert receipt.action_id == action_id(ANNA, "r", "o")
