"""Sending by an apprise URL: whatever the library apprise (an extra, BSD-2-Clause) can reach.

`{to}` in the URL is where the customer's phone number or id goes. Apprise tells no more than
whether it worked, so everything that fails is tried again; it knows no idempotency keys
(sinks/sent_keys.py), so it is at least once.
"""

from importlib import import_module
from typing import Any
from urllib.parse import quote

from sinks.senders import Message, SendFailed, SendRefused, SendResult
from sinks.sent_keys import SentKeys

TO = "{to}"


class AppriseMissing(RuntimeError):
    """An apprise URL is set up, and the library is not installed."""


class AppriseSender:
    """Tells one service by its URL, which is a secret; it reaches people."""

    takes_history = False

    def __init__(self, url: str) -> None:
        try:
            self._apprise: Any = import_module("apprise")
        except ImportError:
            raise AppriseMissing("for apprise URLs: pip install 'huitou[apprise]'") from None
        self._url = url
        # What is personal must not come into its log, and a text stays as it was written.
        self._asset = self._apprise.AppriseAsset(secure_logging=True, interpret_escapes=False)
        self._keys = SentKeys()

    async def send(self, message: Message, idempotency_key: str) -> SendResult:
        """Hand over one message; a key that is being sent, or was, is not sent beside it."""
        if TO in self._url and not message.address:
            raise SendRefused("no address for this channel")
        return await self._keys.send(idempotency_key, lambda: self._send(message, idempotency_key))

    async def close(self) -> None:
        """Cut off what is under way."""
        await self._keys.close()

    async def _send(self, message: Message, key: str) -> SendResult:
        teller = self._apprise.Apprise(asset=self._asset)
        if not teller.add(self._url.replace(TO, quote(message.address, safe=""))):
            raise SendRefused("apprise knows no such service or address")
        is_taken = await teller.async_notify(
            body=message.text,
            title=message.subject,
            body_format=self._apprise.NotifyFormat.TEXT,
        )
        if not is_taken:
            raise SendFailed("the service did not take it")
        return SendResult(provider_id=key)
