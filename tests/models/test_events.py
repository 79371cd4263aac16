"""The contract of the log: every type goes through it unchanged."""

from typing import Any, get_args

import msgspec
import pytest

from models.clock import DAY_MS
from models.customer import _APPLY
from models.events import (
    Absorbed,
    Adopted,
    BudgetAnswered,
    Channel,
    ClockMark,
    CustomerEvent,
    Erased,
    Event,
    Line,
    LogRecord,
    MessageChannel,
    Released,
    Tracked,
    decode,
    encode,
    type_of,
)
from tests.builders import START_MS, make, order

KINDS: tuple[type[Event], ...] = get_args(CustomerEvent)
ENVELOPE = set(Event.__struct_fields__)
TEXTS = ("", "x" * 300, '客戶 🛍️ \u0000 "quoted" \\ </script>')


def filled(kind: type[Event], text: str) -> Any:
    """An event with every field set to something of its type."""
    fields: dict[str, Any] = {}
    for field in msgspec.structs.fields(kind):
        if field.name in ("id", "customer", "occurred_at_ms", "received_at_ms"):
            continue
        fields[field.name] = _value(field.name, str(field.type), text)
    return make(kind, **fields)


def _value(name: str, shape: str, text: str) -> Any:
    by_name = {
        "line": Line("p", 5, 2.5, 2, text, text, text, text, text),
        "lines": (Line("p"), Line("q", -5)),
        "sealed": {"id": text},
        "extra": {"a": [1, {"b": None}], text: 0.1},
        "traits": {"s": text, "i": 1, "f": 0.25, "b": True},
        "lookup": {"email": text},
        "via": (text, "b"),
        "channel": Channel.STORE,
        "message_channel": MessageChannel.CHAT,
        "row": b"\x00\xff" + text.encode(),
        "anonymous": True,
        "published": True,
        "rating": 4.5,
        "quantity": 0.5,
    }
    if name in by_name:
        return by_name[name]
    return 123 if "int" in shape else text


def test_there_is_a_kind_for_each_family() -> None:
    assert len(KINDS) == 31


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("text", TEXTS, ids=["empty", "long", "strange"])
def test_every_event_comes_back_equal(kind: type[Event], text: str) -> None:
    event = filled(kind, text)
    again = decode(encode(event))
    assert type(again) is kind
    assert again == event
    assert encode(again) == encode(event)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_an_events_type_stands_first_in_past_tense(kind: type[Event]) -> None:
    record = make(
        kind,
        **{
            field.name: filled(kind, "x").__getattribute__(field.name)
            for field in msgspec.structs.fields(kind)
            if field.required and field.name not in ENVELOPE
        },
    )
    assert encode(record).startswith(b'{"type":"' + type_of(record).encode() + b'"')
    assert type_of(record).rsplit("_", 1)[-1].endswith(("ed", "sent"))


@pytest.mark.parametrize(
    "record",
    [
        ClockMark(at_ms=START_MS),
        ClockMark(at_ms=START_MS, wall_offset_ms=-5),
        Adopted("hazard", 3, "abc"),
        BudgetAnswered("$cents:ten", 500, number=2, short=3, recall=1, scarce=True, adoption=4),
    ],
)
def test_records_of_the_partition_come_back_equal(record: LogRecord) -> None:
    assert decode(encode(record)) == record


def test_every_event_is_applied_or_is_the_steps_own() -> None:
    assert set(_APPLY) | {Released, Absorbed, Erased} == set(KINDS)
    assert not set(_APPLY) & {Released, Absorbed, Erased}


def test_what_the_contract_does_not_know_survives_in_extra() -> None:
    event = make(Tracked, name="Song Played", extra={"seconds": 12.5, "tags": ["a", {"b": []}]})
    assert decode(encode(event)).extra == {  # type: ignore[union-attr]
        "seconds": 12.5,
        "tags": ["a", {"b": []}],
    }


def test_a_field_of_a_later_contract_is_no_obstacle() -> None:
    raw = encode(order("o1"))
    assert decode(raw[:-1] + b',"mood":{"a":1}}') == decode(raw)


@pytest.mark.parametrize(
    ("field", "value", "allowed"),
    [
        ("total_cents", 10**12, True),
        ("total_cents", 10**12 + 1, False),
        ("total_cents", -(10**12), True),
        ("total_cents", -(10**12) - 1, False),
        ("total_cents", 10**30, False),
        ("total_cents", 1.5, False),
        ("total_cents", "12", False),
        ("occurred_at_ms", 1, True),
        ("occurred_at_ms", 0, False),
        ("occurred_at_ms", -1, False),
        ("occurred_at_ms", 65_535 * DAY_MS, True),
        ("occurred_at_ms", 65_535 * DAY_MS + 1, False),
        ("received_at_ms", 10**20, False),
        ("order_id", None, False),
        ("order_id", "", True),
        ("channel", "pigeon", False),
    ],
)
def test_numbers_beyond_what_a_row_can_hold_are_refused(
    field: str, value: Any, allowed: bool
) -> None:
    fields = msgspec.to_builtins(order("o1")) | {field: value}
    raw = msgspec.json.encode(fields)
    if allowed:
        assert type_of(decode(raw)) == "order_completed"
    else:
        with pytest.raises(msgspec.ValidationError, match=field):
            decode(raw)


@pytest.mark.parametrize("rating", [0.5, 5.1, -1])
def test_a_rating_is_one_to_five(rating: float) -> None:
    raw = b'{"type":"ticket_rated","id":"e","customer":"c","occurred_at_ms":1,"received_at_ms":1,'
    with pytest.raises(msgspec.ValidationError, match="rating"):
        decode(raw + b'"ticket_id":"t","rating":%f}' % rating)


@pytest.mark.parametrize("raw", [b"", b"[]", b"{}", b'{"type":"no_such"}', b"\xff\xfe", b"null"])
def test_what_is_no_record_is_refused(raw: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode(raw)
