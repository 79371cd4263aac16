"""Sending by signed webhook: SMS, push and chat providers, calls of other programs, task lists.

The body is `{"type", "timestamp", "data"}` as Standard Webhooks has it; `webhook-id` is the
idempotency key and stays the same over all tries, so that a receiver knows repeats.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp
import msgspec
import orjson

from sinks.senders import TASKS, WEBHOOKS, Message, SendFailed, SendRefused, SendResult
from sinks.signing import headers_of

ANSWER_BYTES_MAX = 65_536
RETRY_AFTER_MAX_MS = 3_600_000
# Too many, too early, too slow: the pace is wrong, not the message.
THROTTLED = frozenset({429})
# Of our own address or secret: whoever mends it would not want what came meanwhile to be lost.
MENDABLE = frozenset({401, 403, 404, 408, 409, 425})


class WebhookSender:
    """Posts to one address, or, without one, to the message's own; it reaches people."""

    takes_history = False

    def __init__(self, url: str, secrets: str, now_s: Callable[[], float] = time.time) -> None:
        self._url = url
        self._secrets = secrets
        self._now_s = now_s
        self._session: aiohttp.ClientSession | None = None

    async def send(self, message: Message, idempotency_key: str) -> SendResult:
        """Post one message; what a receiver answers decides whether it is tried again."""
        if message.kind not in (TASKS, WEBHOOKS) and not message.address:
            raise SendRefused("no address for this channel")
        body = body_of(message)
        headers = headers_of(idempotency_key, body, int(self._now_s()), self._secrets)
        try:
            # Redirects are not followed: they would carry what is personal elsewhere.
            async with self._opened().post(
                self._url or message.address, data=body, headers=headers, allow_redirects=False
            ) as answer:
                self._judge(answer)
                raw = await answer.content.read(ANSWER_BYTES_MAX)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise SendFailed(type(error).__name__) from None
        return SendResult(provider_id=_id_in(raw) or idempotency_key)

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession()
        return self._session

    def _judge(self, answer: aiohttp.ClientResponse) -> None:
        status = answer.status
        if 200 <= status < 300:
            return
        if 400 <= status < 500 and status not in MENDABLE | THROTTLED:
            raise SendRefused(f"the receiver answered {status}")
        asked_ms = retry_after_ms(answer.headers.get("Retry-After", ""), self._now_s())
        raise SendFailed(
            f"the receiver answered {status}",
            retry_after_ms=asked_ms,
            is_throttled=status in THROTTLED,
        )


def body_of(message: Message) -> bytes:
    """Write the body of a message, a task or a call."""
    if message.kind in (TASKS, WEBHOOKS):
        content: dict[str, Any] = dict(message.content)
    else:
        content = {
            "action_id": message.action_id,
            "channel": message.channel.value,
            "to": message.address,
            "from": message.sender,
            "customer": message.customer,
            "rule": message.rule,
            "subject": message.subject,
            "text": message.text,
            **message.content,
        }
        if message.unsubscribe_url:
            content["unsubscribe_url"] = message.unsubscribe_url
    moment = datetime.fromtimestamp(message.at_ms / 1000, UTC).isoformat(timespec="milliseconds")
    kind = f"huitou.{message.kind}" if message.kind != WEBHOOKS else "huitou.action"
    return msgspec.json.encode({"type": kind, "timestamp": moment, "data": content})


def retry_after_ms(text: str, now_s: float) -> int:
    """Read a Retry-After header: seconds or a date; 0 for none, an hour at most.

    >>> retry_after_ms("7", 0), retry_after_ms("", 0), retry_after_ms("soon", 0)
    (7000, 0, 0)
    """
    asked_ms = 0
    if text.isascii() and text.isdecimal() and len(text) < 10:
        asked_ms = int(text) * 1_000
    elif text:
        try:
            asked_ms = int((parsedate_to_datetime(text).timestamp() - now_s) * 1_000)
        except (ValueError, OverflowError):
            asked_ms = 0
    return min(max(asked_ms, 0), RETRY_AFTER_MAX_MS)


def _id_in(raw: bytes) -> str:
    """Name that the receiver gave the message, if it answered with one."""
    try:
        answer = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return ""
    found = answer.get("id") if isinstance(answer, dict) else None
    return found[:200] if isinstance(found, str) else ""
