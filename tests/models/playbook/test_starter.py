"""The starter: thanks, a reminder of what was looked at, and a word after 30 days of silence."""

from pathlib import Path

import pytest
import yaml

import sinks.templates
from models.clock import DAY_MS, MINUTE_MS
from models.dormancy import DORMANT_AFTER_DAYS
from models.playbook.check import check
from models.playbook.offer import PercentOff
from models.playbook.playbook import Playbook, Trigger
from models.playbook.then import Send
from models.playbook.when import OnEvent, OnSilence
from tests.models.playbook.test_check import STARTER

MESSAGES = Path(sinks.templates.__file__).with_name("messages")


@pytest.fixture
def book() -> Playbook:
    found = check("starter.yaml", STARTER).playbook
    assert found is not None
    return found


def sent_by(trigger: Trigger) -> Send:
    (step,) = trigger.then
    assert isinstance(step, Send)
    return step


@pytest.mark.parametrize(
    ("rule", "wait_ms"), [("thank_you", 10 * MINUTE_MS), ("browse_reminder", DAY_MS)]
)
def test_its_rules_wait_and_expire(book: Playbook, rule: str, wait_ms: int) -> None:
    trigger = book.triggers[rule]
    assert isinstance(trigger.when, OnEvent)
    assert trigger.when.wait_ms == wait_ms
    assert sent_by(trigger).expires_ms == 2 * DAY_MS
    assert sent_by(trigger).channels == ("email",)


def test_the_thank_you_is_for_the_first_order_and_none_that_was_cancelled(book: Playbook) -> None:
    trigger = book.triggers["thank_you"]
    assert isinstance(trigger.when, OnEvent)
    assert trigger.when.event == ("order_completed",)
    assert trigger.when.if_ == "customer.orders == 1"
    assert trigger.when.unless == ("order_cancelled",)
    assert trigger.when.same_item
    offer = book.offers[sent_by(trigger).offer]
    assert isinstance(offer, PercentOff)
    assert offer.percent == 0.10


def test_the_reminder_is_left_unsaid_after_any_order(book: Playbook) -> None:
    when = book.triggers["browse_reminder"].when
    assert isinstance(when, OnEvent)
    assert (when.event, when.unless) == (("product_viewed",), ("order_completed",))
    assert not when.same_item
    assert when.waiting_at_most == 3


def test_silence_is_as_long_as_the_plain_rule_of_dormancy(book: Playbook) -> None:
    when = book.triggers["thirty_days_of_silence"].when
    assert isinstance(when, OnSilence)
    assert when.silence_ms == DORMANT_AFTER_DAYS * DAY_MS


@pytest.mark.parametrize("name", ["thank_you", "browse_reminder"])
def test_its_words_are_those_that_go_out_today(name: str) -> None:
    """Compared as they stand in the files, every language and line."""
    ours = yaml.safe_load(STARTER)["messages"][name]["words"]
    assert ours == yaml.safe_load((MESSAGES / f"{name}.yaml").read_text())
