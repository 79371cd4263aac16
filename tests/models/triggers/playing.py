"""A playbook written in a test, and a customer it is applied to."""

from typing import Any

from models.customer import Customer
from models.effects import Decided
from models.events import encode
from models.playbook.edition import Edition, opened
from models.playbook.rulebook import Rulebook
from models.step import Effect, fire, step
from models.triggers import engine
from models.view import View
from tests.builders import ANNA, START_MS, identified, view_at

HEAD = """
playbook: 1
shop: {name: Shop, time_zone: UTC, currency: EUR, locale: en}
channels: {email: {enabled: true}, sms: {enabled: true}}
offers:
  ten: {percent: 10%, valid_for: 30d}
  five: {amount: 5, budget: {most: 12, per: 30d}}
messages:
  hello:
    consent: marketing
    words: {en: {subject: Hello, paragraphs: [Text], signature: Us, unsubscribe: Stop}}
  news:
    consent: service
    words: {en: {subject: News, greeting: Hi, paragraphs: [Text], signature: Us}}
"""

BROWSE = """
triggers:
  browse:
    when: {event: product_viewed, wait: 24h, unless: order_completed}
    then: [{message: hello, channels: email}]
"""
LADDER = """
triggers:
  ladder:
    when: {event: tracked, if: event.name == "Go"}
    then:
      - message: hello
      - wait: 2d
        unless: order_completed
      - if: customer.orders > 0
        then: [{tag: bought}]
        else:
          - split:
              - {arm: call, share: 50%, then: [{task: Call back, for: desk, due: 4h}]}
              - {arm: mail, share: 50%, then: [{message: hello}]}
      - untag: new
"""
SILENT = """
triggers:
  silent:
    when: {silence: 30d}
    then: [{message: hello}]
"""
THANKS = """
triggers:
  thanks:
    when: {event: order_completed, if: customer.orders == 1, wait: 10m, unless: order_cancelled,
           same_item: true}
    then: [{message: hello, channels: email, offer: ten}]
    guard: {once: customer}
"""


def rulebook(text: str) -> Rulebook:
    """Make a playbook of a head that never matters and the rules of a test."""
    return opened(Edition(version=1, main="main", files={"main": HEAD + text}))


class Play:
    """One customer and one playbook; `told` are all receipts, oldest first."""

    def __init__(self, text: str, *, known: bool = True, **view: Any) -> None:
        self.customer = Customer()
        self.view: View = view_at(rulebook=rulebook(text), playbook_version=1, **view)
        self.effects: list[Effect] = []
        if known:
            self.happens(identified(at_ms=START_MS - 86_400_000, sealed={"email": "x", "id": "y"}))

    def happens(self, *events: Any) -> list[str]:
        """Fold events; what was decided, as "rule status"."""
        before = len(self.effects)
        for event in events:
            self.view.next_index = 0
            self.effects += step(self.customer, event, encode(event), self.view)
        return _said(self.effects[before:])

    def passes_to(self, now_ms: int) -> list[str]:
        """Let a mark move the partition's time; what was decided."""
        self.view.now_ms, before = now_ms, len(self.effects)
        while due := sorted(
            (one for one in self.customer.timers if one.due_ms <= now_ms),
            key=lambda one: (one.due_ms, one.rule, one.item),
        ):
            self.effects += fire(ANNA, self.customer, due[0], self.view)
        return _said(self.effects[before:])

    def applies(self, text: str) -> list[str]:
        """Adopt the next edition."""
        before = len(self.effects)
        self.view.rulebook = rulebook(text)
        self.view.playbook_version += 1
        self.effects += engine.arm(ANNA, self.customer, self.view)
        return _said(self.effects[before:])

    @property
    def told(self) -> list[Decided]:
        """Receipts of decisions."""
        return [one for one in self.effects if isinstance(one, Decided)]


def _said(effects: list[Effect]) -> list[str]:
    return [f"{one.rule} {one.status}" for one in effects if isinstance(one, Decided)]
