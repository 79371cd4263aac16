"""Senders: how a message leaves the house, one a channel; calls and tasks go the same way.

A sender keeps three promises (tests/sinks/test_senders.py holds every sender to them). The same
idempotency key, sent twice or at once, reaches the customer once. What it raises says whether
trying again can help. What it raises and returns holds nothing personal.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from models.events import MessageChannel


@dataclass(frozen=True)
class Message:
    """One message, opened and ready to go; what is personal in it is kept out of its repr.

    `kind` is "message", or "task" (for a person) or "webhook" (a call of another program), which
    say what they are about in `content`. `address` is the e-mail address, phone number, customer's
    id or the program's address, empty when there is none; `sender` whom the message says it is
    from, if the playbook says so; `unsubscribe_url` the page by which the customer ends these
    messages, if there is one; `at_ms` the moment of sending in the log's time.
    """

    message_id: str
    action_id: str
    customer: str
    rule: str
    channel: MessageChannel
    at_ms: int
    address: str = field(repr=False, default="")
    subject: str = field(repr=False, default="")
    text: str = field(repr=False, default="")
    html: str = field(repr=False, default="")
    kind: str = "message"
    sender: str = ""
    unsubscribe_url: str = field(repr=False, default="")
    content: Mapping[str, Any] = field(repr=False, default_factory=dict)


@dataclass(frozen=True)
class SendResult:
    """What the provider answered; `delivered` when it knows already that the message arrived."""

    provider_id: str
    delivered: bool = False


class SendFailed(Exception):
    """It did not work this time, another try may help; the text is free of personal data.

    `retry_after_ms` is what the provider asked to be left alone for, if it did. `is_throttled` says
    that nothing is wrong but the pace: such a try is not counted as a failure.
    """

    def __init__(self, reason: str, *, retry_after_ms: int = 0, is_throttled: bool = False) -> None:
        super().__init__(reason)
        self.retry_after_ms = retry_after_ms
        self.is_throttled = is_throttled


class SendRefused(Exception):
    """It will never work; the text is a short reason, free of personal data."""


class Sender(Protocol):
    """One way out; a provider without idempotency keys is at least once: its sender must say so."""

    @property
    def takes_history(self) -> bool:
        """Whether it may be given messages a replayed history would have sent.

        True only where no person is reached: last year's messages are not for today's customers.
        """

    async def send(self, message: Message, idempotency_key: str) -> SendResult:
        """Hand over one message; raises SendFailed or SendRefused."""

    async def close(self) -> None:
        """Close what connections there are."""


TASKS, WEBHOOKS = "task", "webhook"
Outlet = MessageChannel | str
"""A channel, or TASKS or WEBHOOKS."""
Senders = Mapping[Outlet, Sender]
