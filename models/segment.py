"""Segment's messages (spec v2, RudderStack's too, and our own extensions) become our events.

`parse` reads one message into drafts that still name the customer and hold personal text in the
clear; `finish` makes the event of a draft, by a keyed token for every name and a seal for every
personal text. Both are pure; what is personal is decided in models/segment_personal.py.

    track          models/segment_tracks.py knows the names; any other name becomes Tracked
    identify       CustomerIdentified; with both ids also Released for the anonymous customer
    alias          Released for the previous id, read as a customer's id and as an anonymous one:
                   releasing a customer who never was does nothing
    page, screen   PageViewed
    group          Tracked

A message may give traits beside its event (`context.traits`): they become a CustomerIdentified of
their own. Where one message becomes several events, all but the first carry its id with a suffix.
A message without an id is named by its content, so that sending it again changes nothing.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from models.events import CustomerIdentified, Event, Line, PageViewed, Tracked
from models.segment_envelope import ANONYMOUS, Door, Draft, Message, channel_named
from models.segment_personal import (
    LEFT_OUT,
    Divider,
    email_lookup,
    encoded_size,
    evict,
    looks_like_email,
    looks_personal,
    masked,
    mentions,
    needles_in,
    phone_lookup,
    strong,
    without_emails,
)
from models.segment_tracks import Made, Track, maker_of
from models.segment_traits import Traits
from models.segment_values import Refusal, Rejected, label, object_of

__all__ = ["ANONYMOUS", "Door", "Draft", "Rejected", "finish", "parse"]

CONTEXT_BYTES_MAX = 4_000

_PLUMBING = frozenset(
    {"type", "messageId", "userId", "anonymousId", "previousId", "context", "integrations"}
    | {"originalTimestamp", "sentAt", "receivedAt", "timestamp", "version", "properties"}
    | {"traits", "event", "writeKey", "channel", "_metadata", "projectId"}
)
_CONTEXT_PLUMBING = frozenset({"traits", "library", "campaign", "channel"})
_NAMES_OF_THINGS = frozenset(
    {"order_id", "ticket_id", "review_id", "cart_id", "store_id", "action_id", "product_id"}
    | {"coupon", "currency", "rule"}
)


def parse(body: Any, door: Door) -> list[Draft] | Rejected:
    """Read one message, as a JSON parser gives it; never raises.

    The event of every draft can be encoded and has nothing personal in it but what is sealed.
    """
    try:
        if type(body) is not dict:
            raise Refusal("a message (an object)", body)
        kind = body.get("type")
        read = _READERS.get(kind) if type(kind) is str else None
        if read is None:
            raise Refusal("one of " + ", ".join(_READERS), kind, "type")
        return read(Message(body, door))
    except Refusal as refusal:
        return refusal.rejected()


def finish(
    draft: Draft,
    token_of: Callable[[str, str], str],
    seal: Callable[[str, str, str], str],
) -> Event:
    """Make the draft's event: `token_of(kind, text)` names, `seal(customer, field, text)` seals.

    Raises what `seal` raises.
    """
    customer = token_of("customer", draft.customer_id)
    fields = dict(draft.fields)
    for name, value in fields.items():
        if type(value) is str and looks_like_email(value):
            fields[name] = token_of("text", value)
    sealed = None
    if draft.needs_key:
        sealed = {"id": seal(customer, "id", draft.customer_id)}
        for name, text in draft.personal.items():
            sealed[name] = seal(customer, name, text)
    if draft.target_id:
        fields["target"] = token_of("customer", draft.target_id)
    if draft.lookup:
        fields["lookup"] = {kind: token_of(kind, text) for kind, text in draft.lookup.items()}
    return draft.type(
        id=token_of("message", draft.id) if looks_like_email(draft.id) else draft.id,
        customer=customer,
        occurred_at_ms=draft.occurred_at_ms,
        received_at_ms=draft.received_at_ms,
        claimed_at_ms=draft.claimed_at_ms,
        channel=draft.channel,
        source=draft.source,
        anonymous=draft.anonymous,
        sealed=sealed,
        extra=draft.extra,
        **fields,
    )


def _track(message: Message) -> list[Draft]:
    name = message.identifier("event")
    beside = _beside(message)
    track = Track(message.object("properties"), message.door.currency)
    maker = maker_of(name)
    try:
        made = maker(track) if maker is not None else []
        _take_channel(message, track)
        drafts = _drafts(
            message,
            made or [(Tracked, {"name": masked(name)})],
            track.personal,
            {**_unknown(message.body), **track.reader.rest(), **track.extra},
        )
    except Refusal as refusal:
        raise refusal.under("properties") from None
    return [*drafts, *beside]


def _take_channel(message: Message, track: Track) -> None:
    """A channel that the event itself names wins over the client's."""
    channel = track.channel
    if channel is None:
        channel = channel_named(track.reader.peek("channel"))
        if channel is not None:
            track.reader.drop("channel")
    message.channel = channel or message.channel


def _page(message: Message) -> list[Draft]:
    properties = message.object("properties")
    page = message.context.get("page")
    beside = page if type(page) is dict else {}
    unknown = {**_unknown(message.body), **properties}
    inner_name, path = unknown.pop("name", None), unknown.pop("path", None)
    names = (message.body.get("name"), inner_name, properties.get("title"))
    path = _label("path", _first(path, beside.get("path")))
    fields = {
        "name": masked(_label("name", _first(*names))),
        "path": without_emails(path.split("?", 1)[0].split("#", 1)[0]),
    }
    return [*_drafts(message, [(PageViewed, fields)], {}, unknown), *_beside(message)]


def _first(*values: Any) -> Any:
    return next((value for value in values if value not in (None, "")), "")


def _label(name: str, value: Any) -> str:
    try:
        return label(value)
    except Refusal as refusal:
        raise refusal.under(name) from None


def _group(message: Message) -> list[Draft]:
    unknown = {**_unknown(message.body), **message.object("traits")}
    return _drafts(message, [(Tracked, {"name": "group"})], {}, unknown)


def _alias(message: Message) -> list[Draft]:
    if message.anonymous:
        raise Refusal("the id of a known customer", message.body.get("userId"), "userId")
    previous = message.identifier("previousId")
    if previous == message.customer_id:
        raise Refusal("another id than userId", previous, "previousId")
    drafts = [message.released(previous, "")]
    if not previous.startswith(ANONYMOUS):
        drafts.append(message.released(ANONYMOUS + previous, ":anonymous"))
    return drafts


def _identify(message: Message) -> list[Draft]:
    given = {**_beside_traits(message), **message.object("traits")}
    drafts = [_identified(message, given, _unknown(message.body))]
    if not message.anonymous and message.body.get("anonymousId") not in (None, ""):
        anonymous = ANONYMOUS + message.identifier("anonymousId")
        drafts.append(message.released(anonymous, ":released"))
    return drafts


def _beside(message: Message) -> list[Draft]:
    """Make the draft of the traits that came beside an event."""
    traits = _beside_traits(message)
    return [_identified(message, traits, None)] if traits else []


def _beside_traits(message: Message) -> dict[str, Any]:
    if "traits" not in message.context:
        return {}
    try:
        return object_of(message.context["traits"])
    except Refusal as refusal:
        raise refusal.under("context.traits") from None


def _identified(message: Message, given: dict[str, Any], unknown: dict[str, Any] | None) -> Draft:
    """Make the draft of traits; `unknown` None: they came beside another event."""
    divider = Divider()
    try:
        traits = Traits(given, message.customer_id)
        clear, hidden = divider.divide(traits.rest)
    except Refusal as refusal:
        raise refusal.under("traits") from None
    _add_context_traits(message, traits)
    extra, sealed = divider.divide(unknown or {})
    needles = needles_in({**traits.personal, **hidden, **sealed})
    hidden |= evict(clear, needles) | evict(traits.public, needles)
    sealed |= evict(extra, needles)
    left = traits.add_unknown(clear)
    if left:
        extra["traits"] = left
    if hidden:
        sealed["traits"] = hidden
    personal = _with_json(traits.personal, sealed, message.context if unknown is not None else {})
    draft = message.draft(
        CustomerIdentified,
        {"traits": traits.public or None},
        personal,
        _counted(extra, divider),
        ":traits" if unknown is None else "",
    )
    draft.lookup = _lookups(personal)
    return draft


def _add_context_traits(message: Message, traits: Traits) -> None:
    for name in ("locale", "timezone"):
        value = message.context.get(name)
        if name not in traits.public and type(value) is str and not looks_personal(value):
            traits.public[name] = value


def _lookups(personal: dict[str, str]) -> dict[str, str]:
    lookups = {
        "email": email_lookup(personal.get("email", "")),
        "phone": phone_lookup(personal.get("phone", "")),
    }
    return {kind: text for kind, text in lookups.items() if text}


def _drafts(
    message: Message, made: list[Made], personal: dict[str, str], unknown: dict[str, Any]
) -> list[Draft]:
    """Make the drafts of a message's events; the unknown and personal goes with the first."""
    divider = Divider()
    extra, sealed = divider.divide(unknown)
    _add_campaign(message, extra, sealed, divider)
    traits = _beside_traits(message)
    if sealed or personal or traits:
        needles = needles_in({**personal, **sealed, **traits})
        if needles:
            sealed |= evict(extra, needles)
            for _, fields in made:
                _mask_mentions(fields, needles)
    personal = _with_json(personal, sealed, message.context)
    kind, fields = made[0]
    first = message.draft(kind, fields, personal, _counted(extra, divider))
    others = [
        message.draft(kind, fields, {}, None, f":{number}")
        for number, (kind, fields) in enumerate(made[1:], start=1)
    ]
    return [first, *others]


def _unknown(body: dict[str, Any]) -> dict[str, Any]:
    """List what stands beside the contract's own fields."""
    if _PLUMBING.issuperset(body):
        return {}
    return {name: value for name, value in body.items() if name not in _PLUMBING}


def _add_campaign(
    message: Message, extra: dict[str, Any], sealed: dict[str, Any], divider: Divider
) -> None:
    campaign = message.context.get("campaign")
    if type(campaign) is dict:
        clear, hidden = divider.divide({"campaign": campaign})
        extra.update(clear)
        sealed.update(hidden)


def _mask_mentions(fields: dict[str, Any], needles: list[str]) -> None:
    """Put … for texts that name somebody; of a product only where it can't be a common word."""
    for name, value in fields.items():
        if type(value) is str:
            if name not in _NAMES_OF_THINGS and mentions(value, needles):
                fields[name] = "…"
        elif type(value) is Line:
            fields[name] = _masked_line(value, strong(needles))
        elif type(value) is tuple:
            fields[name] = tuple(_masked_line(line, strong(needles)) for line in value)


def _masked_line(line: Line, needles: list[str]) -> Line:
    texts = {"name": line.name, "variant": line.variant, "category": line.category}
    spoken = {name: "…" for name, text in texts.items() if mentions(text, needles)}
    return msgspec.structs.replace(line, **spoken) if spoken else line


def _counted(extra: dict[str, Any], divider: Divider) -> dict[str, Any] | None:
    if divider.left_out:
        extra[LEFT_OUT] = divider.left_out
    return extra or None


def _with_json(
    personal: dict[str, str], unknown: dict[str, Any], context: dict[str, Any]
) -> dict[str, str]:
    """Add what is sealed as JSON: the personal part of the unknown, and where it was sent from."""
    sealed = dict(personal)
    if unknown:
        sealed["extra"] = msgspec.json.encode(unknown).decode()
    if _CONTEXT_PLUMBING.issuperset(context):
        return sealed
    place = {
        name: value
        for name, value in context.items()
        if name not in _CONTEXT_PLUMBING and value is not None
    }
    if place and encoded_size(place) > CONTEXT_BYTES_MAX:
        place = {name: place[name] for name in ("ip", "userAgent") if name in place}
    if place and encoded_size(place) <= CONTEXT_BYTES_MAX:
        sealed["context"] = msgspec.json.encode(place).decode()
    return sealed


_READERS: dict[str, Callable[[Message], list[Draft]]] = {
    "track": _track,
    "identify": _identify,
    "alias": _alias,
    "page": _page,
    "screen": _page,
    "group": _group,
}
