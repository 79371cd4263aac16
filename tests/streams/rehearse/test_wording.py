"""Words of rehearsed messages are filled in, and what nothing fills in is told."""

from typing import Any

import pytest

from models.effects import Action
from models.events import MessageChannel
from models.playbook.copy import Message, Words
from models.playbook.playbook import Playbook
from models.playbook.shop import Shop
from streams.rehearse.wording import faults
from tests.builders import ANNA, START_MS


def asked(**values: Any) -> Action:
    return Action(
        **{
            "action_id": "a" * 32,
            "customer": ANNA,
            "rule": "r",
            "occasion": "o",
            "message_channel": MessageChannel.EMAIL,
            "template": "hello",
            "decided_at_ms": START_MS,
            "expires_at_ms": START_MS + 1,
            "sealed": {},
            "locale": "en",
            **values,
        }
    )


def book(paragraph: str = "Hi", *, defaults: Any = None, locales: Any = ("en",)) -> Playbook:
    words = Words(subject="Hello", paragraphs=(paragraph,), short="Hi", defaults=defaults or {})
    return Playbook(
        shop=Shop(time_zone="UTC", currency="EUR", name="Shop"),
        messages={"hello": Message(dict.fromkeys(locales, words), "marketing")},
    )


def test_words_that_are_all_filled_in_have_no_fault() -> None:
    paragraph = "Dear {{ first_name }}, about {{ product }} of {{ shop }}: {{ coupon }}"
    filled = asked(variables={"product": "Tea", "coupon": "ABC-1"})
    assert faults(book(paragraph, defaults={"first_name": "you"}), [filled]) == []


def test_a_variable_that_nothing_fills_in_is_told_once() -> None:
    told = faults(book("About {{ product }}"), [asked(), asked()])
    assert told == ["message hello in en: nothing fills in 'product'"]


def test_what_words_ask_for_before_they_print_it_may_be_missing() -> None:
    assert faults(book("Hi{% if coupon %}: {{ coupon }}{% endif %}"), [asked()]) == []


def test_an_empty_value_is_none() -> None:
    told = faults(book("About {{ product }}"), [asked(variables={"product": ""})])
    assert told == ["message hello in en: nothing fills in 'product'"]


def test_another_language_than_the_customers_is_told() -> None:
    told = faults(book(), [asked(locale="zh-TW")], "zh-TW")
    assert told == ["message hello in en: zh-TW was to be spoken"]
    assert faults(book(locales=("en", "zh-TW")), [asked(locale="zh-TW")], "zh-TW") == []


@pytest.mark.parametrize("text", ["{ product", "{}"])
def test_braces_that_are_left_over_are_told(text: str) -> None:
    assert any("its text reads" in one for one in faults(book(text), [asked()]))


def test_a_message_that_says_nothing_is_told() -> None:
    assert faults(book("{% if coupon %}x{% endif %}"), [asked()]) != []
