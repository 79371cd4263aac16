"""What all of Segment's messages have in common: id, customer, time, channel, and the drafts."""

from typing import Any

import msgspec
import xxhash

from models.events import Channel, Event, Released
from models.segment_values import (
    EARLIEST_MS,
    ID_CHARS_MAX,
    Refusal,
    identifier,
    object_of,
    time_ms,
)
from models.segment_words import NAME_CHARS_MAX

ANONYMOUS = "anon:"
AHEAD_MS = 300_000

_CHANNELS = {channel.value: channel for channel in Channel} | {
    "browser": Channel.WEB,
    "mobile": Channel.APP,
    "pos": Channel.STORE,
    "retail": Channel.STORE,
}
_APP_LIBRARIES = ("ios", "android", "react-native", "flutter", "swift", "kotlin", "apple")


class Door(msgspec.Struct, frozen=True):
    """Where and when a message came in; `received_at_ms` is in the log's own time."""

    received_at_ms: int
    currency: str = "USD"
    source: str = ""
    channel: Channel = Channel.WEB


class Draft(msgspec.Struct, kw_only=True):
    """An event before its names are tokens and its personal texts are sealed: never to be stored.

    `fields` are those of `type` alone; `lookup` holds what the customer may be found by;
    `target_id` says whose a released customer's history is.
    """

    type: type[Event]
    id: str
    customer_id: str
    anonymous: bool
    occurred_at_ms: int
    received_at_ms: int
    claimed_at_ms: int
    channel: Channel
    source: str
    fields: dict[str, Any]
    personal: dict[str, str]
    extra: dict[str, Any] | None = None
    lookup: dict[str, str] | None = None
    target_id: str = ""

    @property
    def needs_key(self) -> bool:
        """Whether something is sealed under the customer's key."""
        return self.type is not Released


class Message:
    """One message on its way; raises Refusal for what no message may lack."""

    __slots__ = (
        "anonymous",
        "body",
        "channel",
        "claimed_at_ms",
        "context",
        "customer_id",
        "door",
        "id",
        "occurred_at_ms",
    )

    def __init__(self, body: dict[str, Any], door: Door) -> None:
        self.body = body
        self.door = door
        self.context = self.object("context")
        self.id = _message_id(body)
        self.customer_id, self.anonymous = _customer(body)
        self.occurred_at_ms, self.claimed_at_ms = _occurred(body, door.received_at_ms)
        self.channel = _channel(body, self.context, door)

    def object(self, name: str) -> dict[str, Any]:
        """Take an object of the message; an absent one is empty."""
        value = self.body.get(name)
        if type(value) is dict:
            return value
        try:
            return object_of(value)
        except Refusal as refusal:
            raise refusal.under(name) from None

    def identifier(self, name: str) -> str:
        """Take an id of the message that must be there."""
        return _identifier(self.body, name)

    def draft(
        self,
        kind: type[Event],
        fields: dict[str, Any],
        personal: dict[str, str],
        extra: dict[str, Any] | None,
        suffix: str = "",
    ) -> Draft:
        """Make a draft of this customer."""
        return Draft(
            type=kind,
            id=self.id + suffix,
            customer_id=self.customer_id,
            anonymous=self.anonymous,
            occurred_at_ms=self.occurred_at_ms,
            received_at_ms=self.door.received_at_ms,
            claimed_at_ms=self.claimed_at_ms,
            channel=self.channel,
            source=self.door.source,
            fields=fields,
            personal=personal,
            extra=extra,
        )

    def released(self, customer_id: str, suffix: str) -> Draft:
        """Make the draft that gives another name's history to this customer."""
        draft = self.draft(Released, {}, {}, None, suffix)
        draft.target_id, draft.customer_id = self.customer_id, customer_id
        draft.anonymous = customer_id.startswith(ANONYMOUS)
        return draft


def channel_named(name: Any) -> Channel | None:
    """Find the channel that goes by this name.

    >>> channel_named("POS"), channel_named("moon")
    (<Channel.STORE: 'store'>, None)
    """
    return _CHANNELS.get(name.lower()) if type(name) is str else None


def _identifier(body: dict[str, Any], name: str) -> str:
    value = body.get(name)
    if type(value) is str and 0 < len(value) <= ID_CHARS_MAX and not value.isspace():
        return value
    try:
        return identifier(value)
    except Refusal as refusal:
        raise refusal.under(name) from None


def _message_id(body: dict[str, Any]) -> str:
    if body.get("messageId") not in (None, ""):
        return _identifier(body, "messageId")
    # A repeated sending differs in when it was sent, and in nothing else.
    content = {name: value for name, value in body.items() if name not in ("sentAt", "messageId")}
    try:
        encoded = msgspec.json.encode(content, order="deterministic")
    except (TypeError, ValueError, OverflowError, RecursionError):
        raise Refusal("a messageId, or JSON that is not nested as deep", body) from None
    return "h-" + xxhash.xxh3_128_hexdigest(encoded)


def _customer(body: dict[str, Any]) -> tuple[str, bool]:
    """Who it is: the id given, else `anon:` and the anonymous one; whether it is the latter."""
    if body.get("userId") not in (None, ""):
        customer_id = _identifier(body, "userId")
    elif body.get("anonymousId") not in (None, ""):
        customer_id = ANONYMOUS + _identifier(body, "anonymousId")
    else:
        raise Refusal("a userId or an anonymousId", None, "userId")
    return customer_id, customer_id.startswith(ANONYMOUS)


def _occurred(body: dict[str, Any], received_at_ms: int) -> tuple[int, int]:
    """When it happened, in the log's time, and the time claimed if that could not be.

    A client's clock may be wrong: what counts is how long before sending it happened.
    """
    sent = body.get("sentAt") is not None
    original = body.get("originalTimestamp") is not None
    name = "originalTimestamp" if original and (sent or not body.get("timestamp")) else "timestamp"
    if body.get(name) is None:
        return received_at_ms, 0
    at_ms = _time(body, name)
    if sent:
        at_ms += received_at_ms - _time(body, "sentAt")
    if at_ms > received_at_ms + AHEAD_MS:
        return received_at_ms, at_ms
    if at_ms < EARLIEST_MS:
        raise Refusal("a time since the year 2000", body.get(name), name)
    return at_ms, 0


def _time(body: dict[str, Any], name: str) -> int:
    try:
        return time_ms(body[name])
    except Refusal as refusal:
        raise refusal.under(name) from None


def _channel(body: dict[str, Any], context: dict[str, Any], door: Door) -> Channel:
    named = channel_named(context.get("channel")) or channel_named(body.get("channel"))
    if named is not None:
        return named
    if body["type"] == "screen" or context.get("app"):
        return Channel.APP
    library = context.get("library")
    name = library.get("name") if type(library) is dict else None
    return _channel_of_library(name[:NAME_CHARS_MAX], door) if type(name) is str else door.channel


def _channel_of_library(name: str, door: Door) -> Channel:
    lower = name.lower()
    if any(part in lower for part in _APP_LIBRARIES):
        return Channel.APP
    if lower.startswith("analytics-"):
        return Channel.SERVER
    return door.channel
