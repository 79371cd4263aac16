"""What message providers report, as events: arrived, opened, clicked, bounced, complained.

A report is Standard Webhooks' `{"type", "timestamp", "data"}`, `data` naming the action by its
`action_id` or by a `message_id` that holds it. The same report again gives the same event, also
where the dispatcher said it before; of what a provider writes nothing personal is kept.
"""

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from models.events import (
    Channel,
    Event,
    MessageBounced,
    MessageChannel,
    MessageClicked,
    MessageDelivered,
    MessageOpened,
    Unsubscribed,
)
from models.segment_personal import masked

REASON_CHARS_MAX = 120
URL_CHARS_MAX = 300
_ACTION_ID = re.compile(r"(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f])")
_CHANNELS = {
    MessageChannel.EMAIL: Channel.EMAIL,
    MessageChannel.SMS: Channel.SMS,
    MessageChannel.PUSH: Channel.PUSH,
    MessageChannel.CHAT: Channel.SERVER,
}
KINDS = {
    "delivered": "delivered",
    "opened": "opened",
    "open": "opened",
    "clicked": "clicked",
    "click": "clicked",
    "bounced": "bounced",
    "bounce": "bounced",
    "failed": "bounced",
    "complained": "unsubscribed",
    "complaint": "unsubscribed",
    "unsubscribed": "unsubscribed",
    "unsubscribe": "unsubscribed",
}
"""The last word of a report's type, and what it means; a complaint about spam is a farewell."""


class Report(NamedTuple):
    """A report that was read: what happened to which action, and what else it says."""

    kind: str
    action_id: str
    at_ms: int
    said: dict[str, Any]


class Unreadable(NamedTuple):
    """Why a report can't be read: where, and what was expected there."""

    path: str
    expected: str


def read(body: Any) -> Report | Unreadable:
    """Read one report; `at_ms` is 0 where it names no time."""
    if not isinstance(body, dict):
        return Unreadable("", "an object with type and data")
    kind = KINDS.get(re.split(r"[._ ]", str(body.get("type", "")).lower())[-1])
    if kind is None:
        return Unreadable("type", f"a word that ends in one of {', '.join(KINDS)}")
    said = body.get("data")
    if not isinstance(said, dict):
        return Unreadable("data", "an object with action_id")
    for name in ("action_id", "message_id"):
        if found := _ACTION_ID.search(str(said.get(name, ""))[:300]):
            moment = said.get("timestamp", body.get("timestamp"))
            return Report(kind, found[0], _moment_ms(moment), said)
    return Unreadable("data.action_id", "the id of an action, 32 hexadecimal digits")


def _moment_ms(moment: Any) -> int:
    try:
        return int(datetime.fromisoformat(str(moment)).timestamp() * 1_000)
    except (ValueError, OverflowError, OSError):
        return 0


def event_of(report: Report, customer: str, channel: MessageChannel, now_ms: int) -> Event:
    """The event a report stands for; a time that can't be is now."""
    common: dict[str, Any] = {
        "id": f"{report.action_id}:{report.kind}",
        "customer": customer,
        "occurred_at_ms": report.at_ms if 0 < report.at_ms <= now_ms else now_ms,
        "received_at_ms": now_ms,
        "channel": _CHANNELS[channel],
        "source": "provider",
        "action_id": report.action_id,
        "message_channel": channel,
        # A report knows a token only: it must not turn a visitor into a known customer.
        "anonymous": True,
    }
    if report.kind == "bounced":
        reason = masked(" ".join(str(report.said.get("reason") or "bounced").split()))
        return MessageBounced(**common, reason=reason[:REASON_CHARS_MAX])
    if report.kind == "clicked":
        return MessageClicked(**common, url=_address(report.said.get("url")))
    kinds: dict[str, Callable[..., Event]] = {
        "delivered": MessageDelivered,
        "opened": MessageOpened,
        "unsubscribed": Unsubscribed,
    }
    return kinds[report.kind](**common)


def _address(url: Any) -> str:
    """Address without what stands behind ? and #: that may name the customer."""
    try:
        parts = urlsplit(str(url or ""))
    except ValueError:
        return ""
    if parts.scheme not in ("http", "https") or "@" in parts.netloc:
        return ""
    return masked(f"{parts.scheme}://{parts.netloc}{parts.path}")[:URL_CHARS_MAX]


def farewell(customer: str, channel: MessageChannel, action_id: str, now_ms: int) -> Unsubscribed:
    """The event of a customer who left a channel by a message's own way out."""
    return Unsubscribed(
        id=f"{action_id or f'{customer}:{channel.value}'}:unsubscribed",
        customer=customer,
        occurred_at_ms=now_ms,
        received_at_ms=now_ms,
        channel=_CHANNELS[channel],
        source="unsubscribe",
        anonymous=True,
        message_channel=channel,
        action_id=action_id,
    )
