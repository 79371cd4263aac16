"""Records of the output topics as a worker would write them."""

from typing import Any, NamedTuple

import msgspec

from models import coupon_words, events
from models.coupon_words import CouponJudged
from models.customer import Customer, encode_row
from models.effects import (
    Action,
    Alert,
    DeadLetter,
    Decided,
    EventFolded,
    FactBase,
    Forgotten,
    Merged,
    TierChanged,
    encode,
)
from models.events import CustomerEvent, Line, MessageChannel
from tests.builders import START_MS, cancelled, named, order, refunded, viewed

LINES = (
    Line("p1", total_cents=1_200, price_cents=600, quantity=2.0, category="tea", name="烏龍茶 🍵"),
    Line("p2", total_cents=800, price_cents=800, category="cups", sku="s2", brand="b", variant="v"),
)


class Made(NamedTuple):
    """A record without a broker."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None


def place(partition: int, offset: int, index: int = 0) -> dict[str, int]:
    """Where in the log the fact comes from; the topic's own offset is another one."""
    return {"incarnation": 1, "partition": partition, "offset": offset + 1_000, "index": index}


def folded(event: CustomerEvent, partition: int = 0, offset: int = 0, **more: Any) -> EventFolded:
    fields: dict[str, Any] = {
        "type": events.type_of(event),
        "customer": event.customer,  # type: ignore[union-attr]
        "at_ms": event.occurred_at_ms,  # type: ignore[union-attr]
        "logged_at_ms": START_MS,
        "tier": "regular",
        "event": msgspec.Raw(events.encode(event)),
    }
    return EventFolded(**(fields | place(partition, offset) | more))


def placed(
    order_id: str, partition: int = 0, offset: int = 0, *, state: str = "counted", **more: Any
) -> EventFolded:
    """An order that was folded."""
    number = more.pop("number", 1)
    event = order(order_id, **({"lines": LINES} | more))
    return folded(event, partition, offset, order_state=state, order_number=number)


def fact_record(fact: FactBase, partition: int = 0, offset: int = 0) -> Made:
    return Made(partition, offset, fact.customer.encode(), encode(fact))


def fact(partition: int, offset: int, customer: str = "") -> FactBase:
    """One of each kind in turn."""
    customer = customer or named(f"customer {partition} {offset % 5}")
    at_ms = START_MS + offset * 60_000
    common = {"customer": customer, "at_ms": at_ms}
    order_id = f"o{partition}-{offset}"
    who = {**place(partition, offset), **common}
    made: list[FactBase] = [
        placed(order_id, partition, offset, **common),
        folded(viewed("p1", **common, line={"name": "Grüner Tee 🍃"}), partition, offset),
        TierChanged(**who, from_tier="new", to_tier="regular", reason="orders now and then"),
        Decided(
            **who,
            rule="thank_you",
            occasion=order_id,
            action_id="0" * 32,
            verdict="sent",
            reason="",
            hazard=0.25,
            hazard_version=3,
            inputs={"tier": "new", "orders": 1},
        ),
        folded(cancelled(order_id, **common), partition, offset),
        folded(refunded(order_id, 500, **common), partition, offset),
        Merged(**who, origin=named(f"device {partition} {offset}")),
        placed(order_id, partition, offset, state="repeated", **common),
    ]
    return made[offset % len(made)]


def facts(partition: int, offsets: range) -> list[Made]:
    return [fact_record(fact(partition, offset), partition, offset) for offset in offsets]


def forgotten(customer: str, partition: int = 0, offset: int = 0) -> Made:
    made = Forgotten(**place(partition, offset), customer=customer, at_ms=START_MS)
    return fact_record(made, partition, offset)


def merged(origin: str, customer: str, at_ms: int = START_MS, offset: int = 0) -> Merged:
    return Merged(**place(0, offset), customer=customer, origin=origin, at_ms=at_ms)


def action(partition: int = 0, offset: int = 0, **more: Any) -> Action:
    fields: dict[str, Any] = {
        "action_id": f"{partition:016x}{offset:016x}",
        "customer": named(f"customer {partition} {offset % 5}"),
        "rule": "thank_you",
        "occasion": f"o{offset}",
        "message_channel": MessageChannel.EMAIL,
        "template": "thank_you",
        "decided_at_ms": START_MS + offset,
        "expires_at_ms": START_MS + offset + 1,
        "sealed": {"email": "ciphertext"},
        "variables": {"product": "烏龍茶 🍵"},
    }
    return Action(**(fields | more))


def actions(partition: int, offsets: range) -> list[Made]:
    made = [(offset, action(partition, offset)) for offset in offsets]
    return [Made(partition, offset, one.customer.encode(), encode(one)) for offset, one in made]


def alert(offset: int = 0, **more: Any) -> Alert:
    """Firing at even offsets, resolved at the odd ones that follow."""
    began = offset // 2 * 2
    fields: dict[str, Any] = {
        "fingerprint": f"orders_per_hour:{began}",
        "status": "resolved" if offset % 2 else "firing",
        "name": "orders_per_hour",
        "severity": "critical",
        "starts_at_ms": START_MS + began,
        "ends_at_ms": START_MS + offset if offset % 2 else 0,
        "summary": "訂單少了一半 📉",
        "labels": {"metric": "orders_per_hour"},
        "values": {"expected": 40.5, "actual": 18.0, "offset": offset},
    }
    return Alert(**(fields | more))


def alerts(partition: int, offsets: range) -> list[Made]:
    made = [(offset, alert(offset)) for offset in offsets]
    return [Made(partition, offset, one.fingerprint.encode(), encode(one)) for offset, one in made]


def dead_letters(partition: int, offsets: range) -> list[Made]:
    letters = [
        DeadLetter(
            source="gateway",
            reason="expected `int`",
            at_ms=START_MS + offset,
            sealed_raw="ciphertext",
            path="properties.total",
            expected="a number",
        )
        for offset in offsets
    ]
    return [
        Made(partition, offset, None, encode(letter))
        for offset, letter in zip(offsets, letters, strict=True)
    ]


def judged(offset: int = 0, **more: Any) -> CouponJudged:
    """A coupon that was issued, unless told otherwise."""
    fields: dict[str, Any] = {
        "incarnation": 1,
        "partition": 0,
        "offset": offset + 1_000,
        "index": 0,
        "at_ms": START_MS + offset,
        "code": f"CODE{offset}",
        "asked": "issued",
        "outcome": "issued",
        "status": "issued",
        "offer": "welcome",
        "customer": named(f"c{offset}"),
        "issued": 1,
        "open": 1,
        "open_cents": 500,
    }
    return CouponJudged(**(fields | more))


def coupon_verdicts(partition: int, offsets: range) -> list[Made]:
    made = [judged(offset, partition=partition) for offset in offsets]
    return [
        Made(partition, offset, one.code.encode(), coupon_words.encode(one))
        for offset, one in zip(offsets, made, strict=True)
    ]


def customer(offset: int, **more: Any) -> Customer:
    """A state that tells at which offset it was written."""
    fields: dict[str, Any] = {
        "known": True,
        "events": offset + 1,
        "orders": 2,
        "value_cents": 100 + offset,
        "currency": "EUR",
        "first_seen_ms": START_MS,
        "last_seen_ms": START_MS + offset,
        "first_order_ms": START_MS,
        "last_order_ms": START_MS + offset,
        "tier": "regular",
        "tier_since_ms": START_MS,
        "categories": {"tea 🍵": 2.0, "cups": 1.0},
        "traits": {"city": "臺北"},
    }
    return Customer(**(fields | more))


def row(partition: int, offset: int, token: str, state: Customer | None) -> Made:
    value = None if state is None else encode_row(state)
    return Made(partition, offset, token.encode(), value)


def rows(partition: int, offsets: range) -> list[Made]:
    return [
        row(partition, offset, named(f"customer {partition} {offset % 5}"), customer(offset))
        for offset in offsets
    ]
