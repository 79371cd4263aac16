"""Messages to read, and a stand-in for keys: what is sealed can be recognised, never read."""

import hashlib
from typing import Any

from models import events
from models.events import Event
from models.segment import Door, Draft, Rejected, finish, parse
from models.tokens import token_of

RECEIVED_MS = 1_514_900_000_000
DOOR = Door(received_at_ms=RECEIVED_MS, currency="USD", source="test")


def token(kind: str, text: str) -> str:
    return token_of(b"k" * 32, kind, text)


def seal(customer: str, field: str, text: str) -> str:
    return "sealed-" + hashlib.sha256(f"{customer}{field}{text}".encode()).hexdigest()


def track(event: str, properties: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    body = {"type": "track", "messageId": "m1", "userId": "c1", "event": event}
    return {**body, "properties": properties or {}, **more}


def drafts(body: Any, door: Door = DOOR) -> list[Draft]:
    found = parse(body, door)
    assert isinstance(found, list), found
    return found


def rejected(body: Any, door: Door = DOOR) -> Rejected:
    found = parse(body, door)
    assert isinstance(found, Rejected), found
    return found


def finished(body: Any, door: Door = DOOR) -> list[Event]:
    return [finish(draft, token, seal) for draft in drafts(body, door)]


def the_event(body: Any, door: Door = DOOR) -> Any:
    """The one event of a message, as the log gives it back."""
    (event,) = finished(body, door)
    assert events.decode(events.encode(event)) == event
    return event
