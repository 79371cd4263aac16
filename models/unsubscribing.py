"""The name of a way out: a link by which a customer ends a channel's messages, and nobody else's.

It holds the customer's token, the channel and the message it stood in, and a seal over them. None
of that is personal, and without the installation's key no other can be made.
"""

import hashlib
import hmac
import re
from base64 import urlsafe_b64encode
from typing import NamedTuple

from models.events import MessageChannel

SEAL_CHARS = 22
_LETTERS = {
    MessageChannel.EMAIL: "e",
    MessageChannel.SMS: "s",
    MessageChannel.PUSH: "p",
    MessageChannel.CHAT: "c",
}
_CHANNELS = {letter: channel for channel, letter in _LETTERS.items()}
_FORM = re.compile(r"([A-Za-z0-9_-]{22})\.([espc])\.([0-9a-f]{0,32})\.([A-Za-z0-9_-]{22})")


class WayOut(NamedTuple):
    """Who leaves which channel, from which message; the last may be empty."""

    customer: str
    channel: MessageChannel
    action_id: str = ""


def key_of(token_key: bytes) -> bytes:
    """The key of these links, apart from the one that names customers."""
    return hmac.digest(token_key, b"unsubscribe", hashlib.sha256)


def named(way: WayOut, key: bytes) -> str:
    """Write the name for a link; `key` is `key_of`'s."""
    content = f"{way.customer}.{_LETTERS[way.channel]}.{way.action_id}"
    return f"{content}.{_seal(content, key)}"


def opened(name: str, key: bytes) -> WayOut | None:
    """Read a name; None for one that was not made here."""
    found = _FORM.fullmatch(name)
    if found is None:
        return None
    content, _, seal = name.rpartition(".")
    if not hmac.compare_digest(_seal(content, key), seal):
        return None
    customer, letter, action_id = found[1], found[2], found[3]
    return WayOut(customer, _CHANNELS[letter], action_id)


def _seal(content: str, key: bytes) -> str:
    digest = hmac.digest(key, content.encode(), hashlib.sha256)
    return urlsafe_b64encode(digest).decode()[:SEAL_CHARS]
