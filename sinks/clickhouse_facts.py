"""Facts as rows: events, orders and their lines, voids, tier changes, decisions, merges."""

from collections.abc import Mapping
from typing import Any

import msgspec
import pyarrow as pa

from models import events
from models.effects import Decided, EventFolded, Fact, Forgotten, Merged, TierChanged
from models.events import OrderCancelled, OrderCompleted, OrderRefunded
from sinks.clickhouse_table import (
    CENTS,
    COUNT,
    FLAG,
    MOMENT,
    NUMBER,
    TEXT,
    NestedTable,
    Row,
    Shape,
    Table,
)
from sinks.port import Record

EVENTS = Table(
    "events",
    (
        ("occurred_at", MOMENT),
        ("received_at", MOMENT),
        ("logged_at", MOMENT),
        ("event_id", TEXT),
        ("customer", TEXT),
        ("type", TEXT),
        ("channel", TEXT),
        ("source", TEXT),
        ("tier", TEXT),
        ("anonymous", FLAG),
        ("properties", TEXT),
        ("log_partition", pa.uint16()),
        ("log_offset", pa.uint64()),
    ),
)
ORDERS = Table(
    "orders",
    (
        ("occurred_at", MOMENT),
        ("customer", TEXT),
        ("order_id", TEXT),
        ("total_cents", CENTS),
        ("currency", TEXT),
        ("discount_cents", CENTS),
        ("shipping_cents", CENTS),
        ("tax_cents", CENTS),
        ("coupon", TEXT),
        ("store_id", TEXT),
        ("channel", TEXT),
        ("source", TEXT),
        ("tier", TEXT),
        ("order_number", COUNT),
        ("order_state", TEXT),
        ("anonymous", FLAG),
        ("lines", COUNT),
    ),
)
LINES = NestedTable(
    "order_lines",
    (
        ("occurred_at", MOMENT),
        ("customer", TEXT),
        ("order_id", TEXT),
        ("currency", TEXT),
        ("channel", TEXT),
        ("tier", TEXT),
        ("order_state", TEXT),
    ),
    (
        ("product_id", TEXT),
        ("sku", TEXT),
        ("name", TEXT),
        ("category", TEXT),
        ("brand", TEXT),
        ("variant", TEXT),
        ("quantity", NUMBER),
        ("price_cents", CENTS),
        ("total_cents", CENTS),
    ),
)
VOIDS = Table(
    "order_voids",
    (
        ("occurred_at", MOMENT),
        ("customer", TEXT),
        ("order_id", TEXT),
        ("kind", TEXT),
        ("amount_cents", CENTS),
        ("channel", TEXT),
    ),
)
TIER_CHANGES = Table(
    "tier_changes",
    (
        ("at", MOMENT),
        ("customer", TEXT),
        ("from_tier", TEXT),
        ("to_tier", TEXT),
        ("reason", TEXT),
    ),
)
DECISIONS = Table(
    "decisions",
    (
        ("at", MOMENT),
        ("customer", TEXT),
        ("rule", TEXT),
        ("occasion", TEXT),
        ("action_id", TEXT),
        ("verdict", TEXT),
        ("reason", TEXT),
        ("hazard", NUMBER),
        ("hazard_version", COUNT),
        ("inputs", TEXT),
        ("status", TEXT),
        ("action", TEXT),
        ("message_channel", TEXT),
        ("offer", TEXT),
        ("coupon", TEXT),
        ("arm", TEXT),
        ("propensity", NUMBER),
        ("held_until", MOMENT),
        ("playbook_version", COUNT),
        ("passed", pa.list_(TEXT)),
        ("rivals", pa.list_(TEXT)),
        ("log_partition", pa.uint16()),
        ("log_offset", pa.uint64()),
        ("log_index", COUNT),
    ),
)
MERGES = Table("merges", (("at", MOMENT), ("customer", TEXT), ("origin", TEXT)))
FORGOTTEN = Table("forgotten", (("at", MOMENT), ("customer", TEXT), ("name", TEXT)))

HAVE_COLUMNS = (
    "type",
    "id",
    "customer",
    "occurred_at_ms",
    "received_at_ms",
    "channel",
    "source",
    "anonymous",
    # Ciphertext and tokens of addresses are of no use here, so they do not come.
    "sealed",
    "lookup",
)

_fact = msgspec.json.Decoder(Fact)
_order = msgspec.json.Decoder(OrderCompleted)
_parts = msgspec.json.Decoder(dict[str, msgspec.Raw])
_json = msgspec.json.Encoder()
_ORDER_TYPE = "order_completed"
# Receipts of the first release's own rules name the verdict only.
_STATUSES = {"sent": "sent"}


def read_fact(record: Record, rows: Mapping[str, list[Row]]) -> None:
    """Add the rows of one fact."""
    fact: Any = _fact.decode(record.value or b"")
    place = (record.partition, record.offset)
    if type(fact) is EventFolded:
        _read_event(fact, place, rows)
    elif type(fact) is TierChanged:
        rows["tier_changes"].append(
            (fact.at_ms, fact.customer, fact.from_tier, fact.to_tier, fact.reason, *place)
        )
    elif type(fact) is Decided:
        rows["decisions"].append(_decision(fact, place))
    elif type(fact) is Merged:
        rows["merges"].append((fact.at_ms, fact.customer, fact.origin, *place))
    elif type(fact) is Forgotten:
        rows["forgotten"].append((fact.at_ms, fact.customer, fact.customer, *place))


def _read_event(fact: EventFolded, place: tuple[int, int], rows: Mapping[str, list[Row]]) -> None:
    event: Any = (
        _order.decode(fact.event) if fact.type == _ORDER_TYPE else events.decode(fact.event)
    )
    parts = _parts.decode(fact.event)
    for name in HAVE_COLUMNS:
        parts.pop(name, None)
    if type(event) is OrderCompleted:
        parts.pop("lines", None)
        _read_order(fact, event, place, rows)
    elif type(event) is OrderCancelled:
        rows["order_voids"].append(_void(fact, event, "cancelled", None, place))
    elif type(event) is OrderRefunded:
        rows["order_voids"].append(_void(fact, event, "refunded", event.amount_cents, place))
    rows["events"].append(
        (
            fact.at_ms,
            event.received_at_ms,
            fact.logged_at_ms,
            event.id,
            fact.customer,
            fact.type,
            event.channel.value,
            event.source,
            fact.tier,
            event.anonymous,
            _json.encode(parts).decode(),
            fact.partition,
            fact.offset,
            *place,
        )
    )


def _read_order(
    fact: EventFolded, event: OrderCompleted, place: tuple[int, int], rows: Mapping[str, list[Row]]
) -> None:
    at_ms, customer, tier, state = fact.at_ms, fact.customer, fact.tier, fact.order_state
    channel = event.channel.value
    if event.lines:
        rows["order_lines"].append(
            (
                at_ms,
                customer,
                event.order_id,
                event.currency,
                channel,
                tier,
                state,
                event.lines,
                *place,
            )
        )
    rows["orders"].append(
        (
            at_ms,
            customer,
            event.order_id,
            event.total_cents,
            event.currency,
            event.discount_cents,
            event.shipping_cents,
            event.tax_cents,
            event.coupon,
            event.store_id,
            channel,
            event.source,
            tier,
            fact.order_number,
            state,
            event.anonymous,
            len(event.lines),
            *place,
        )
    )


def _void(
    fact: EventFolded,
    event: OrderCancelled | OrderRefunded,
    kind: str,
    amount_cents: int | None,
    place: tuple[int, int],
) -> Row:
    return (
        fact.at_ms,
        fact.customer,
        event.order_id,
        kind,
        amount_cents,
        event.channel.value,
        *place,
    )


def _decision(fact: Decided, place: tuple[int, int]) -> Row:
    return (
        fact.at_ms,
        fact.customer,
        fact.rule,
        fact.occasion,
        fact.action_id,
        fact.verdict,
        fact.reason,
        fact.hazard,
        fact.hazard_version,
        _json.encode(fact.inputs).decode(),
        fact.status or _STATUSES.get(fact.verdict, ""),
        fact.action,
        fact.message_channel,
        fact.offer,
        fact.coupon,
        fact.arm,
        fact.propensity,
        fact.held_until_ms or None,
        fact.playbook_version,
        fact.passed,
        fact.rivals,
        fact.partition,
        fact.offset,
        fact.index,
        *place,
    )


FACTS = Shape((EVENTS, ORDERS, LINES, VOIDS, TIER_CHANGES, DECISIONS, MERGES, FORGOTTEN), read_fact)
