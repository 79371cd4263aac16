"""Actions, alerts, dead letters and the state of customers as rows."""

from collections.abc import Mapping

import msgspec
import pyarrow as pa

from models.clock import DAY_MS
from models.customer import Customer, decode_row, mean_gap_days
from models.effects import Action, Alert, DeadLetter
from models.hazard import expected_days
from models.tokens import is_customer_key
from sinks.clickhouse_table import CENTS, COUNT, FLAG, MOMENT, NUMBER, TEXT, Row, Shape, Table
from sinks.port import Record

ACTIONS = Table(
    "actions",
    (
        ("decided_at", MOMENT),
        ("expires_at", MOMENT),
        ("action_id", TEXT),
        ("customer", TEXT),
        ("rule", TEXT),
        ("occasion", TEXT),
        ("message_channel", TEXT),
        ("template", TEXT),
        ("locale", TEXT),
        ("variables", TEXT),
        ("hazard", NUMBER),
        ("hazard_version", COUNT),
        ("kind", TEXT),
        ("consent", TEXT),
        ("playbook_version", COUNT),
        ("offer", TEXT),
        ("coupon", TEXT),
        ("arm", TEXT),
        ("propensity", NUMBER),
        ("owner", TEXT),
        ("task", TEXT),
        ("task_due", MOMENT),
    ),
)
ALERTS = Table(
    "alerts",
    (
        ("starts_at", MOMENT),
        ("ends_at", MOMENT),
        ("fingerprint", TEXT),
        ("status", TEXT),
        ("name", TEXT),
        ("severity", TEXT),
        ("summary", TEXT),
        ("labels", pa.map_(TEXT, TEXT)),
        ("values", pa.map_(TEXT, NUMBER)),
    ),
)
DEAD_LETTERS = Table(
    "dead_letters",
    (
        ("at", MOMENT),
        ("source", TEXT),
        ("reason", TEXT),
        ("path", TEXT),
        ("expected", TEXT),
        ("from_partition", pa.int32()),
        ("from_offset", pa.int64()),
    ),
)
PROFILE_HISTORY = Table(
    "profile_history",
    (
        ("at", MOMENT),
        ("customer", TEXT),
        ("known", FLAG),
        ("merged_into", TEXT),
        ("tier", TEXT),
        ("tier_since", MOMENT),
        ("tier_reason", TEXT),
        ("events", pa.uint64()),
        ("orders", pa.int64()),
        ("value_cents", CENTS),
        ("currency", TEXT),
        ("cancelled_orders", COUNT),
        ("refunded_cents", CENTS),
        ("first_order_at", MOMENT),
        ("last_order_at", MOMENT),
        ("last_seen_at", MOMENT),
        ("mean_gap_days", NUMBER),
        ("hazard", NUMBER),
        ("hazard_version", COUNT),
        ("next_order_at", MOMENT),
        ("favourite_category", TEXT),
        ("messages_sent", COUNT),
        ("messages_opened", COUNT),
        ("tickets_open", COUNT),
    ),
)

_action = msgspec.json.Decoder(Action)
_alert = msgspec.json.Decoder(Alert)
_letter = msgspec.json.Decoder(DeadLetter)
_json = msgspec.json.Encoder()


def read_action(record: Record, rows: Mapping[str, list[Row]]) -> None:
    """Add the row of one action; what is sealed stays behind."""
    action = _action.decode(record.value or b"")
    rows["actions"].append(
        (
            action.decided_at_ms,
            action.expires_at_ms,
            action.action_id,
            action.customer,
            action.rule,
            action.occasion,
            action.message_channel.value,
            action.template,
            action.locale,
            _json.encode(action.variables).decode(),
            action.hazard,
            action.hazard_version,
            action.kind,
            action.consent,
            action.playbook_version,
            action.offer,
            action.coupon,
            action.arm,
            action.propensity,
            action.owner,
            action.task,
            action.task_due_ms or None,
            record.partition,
            record.offset,
        )
    )


def read_alert(record: Record, rows: Mapping[str, list[Row]]) -> None:
    """Add the row of one alert's word."""
    alert = _alert.decode(record.value or b"")
    rows["alerts"].append(
        (
            alert.starts_at_ms,
            alert.ends_at_ms or None,
            alert.fingerprint,
            alert.status,
            alert.name,
            alert.severity,
            alert.summary,
            list(alert.labels.items()),
            list(alert.values.items()),
            record.partition,
            record.offset,
        )
    )


def read_dead_letter(record: Record, rows: Mapping[str, list[Row]]) -> None:
    """Add the row of one dead letter; its sealed body stays behind."""
    letter = _letter.decode(record.value or b"")
    rows["dead_letters"].append(
        (
            letter.at_ms,
            letter.source,
            letter.reason,
            letter.path,
            letter.expected,
            letter.partition,
            letter.offset,
            record.partition,
            record.offset,
        )
    )


def read_customer(record: Record, rows: Mapping[str, list[Row]]) -> None:
    """Add the row of one customer's new state.

    Partition state, tombstones and what is left of an erased customer give none.
    """
    if not record.key or not is_customer_key(record.key) or record.value is None:
        return
    customer = decode_row(record.value)
    if customer.events or customer.merged_into:
        token = record.key.decode("ascii")
        rows["profile_history"].append(
            (*_profile(token, customer), record.partition, record.offset)
        )


def _profile(token: str, customer: Customer) -> Row:
    days = expected_days(customer.hazard) if customer.orders > 0 else None
    favourites = customer.categories
    return (
        max(customer.last_seen_ms, customer.hazard_at_ms, customer.tier_since_ms),
        token,
        customer.known,
        customer.merged_into,
        customer.tier,
        customer.tier_since_ms,
        customer.tier_reason,
        customer.events,
        customer.orders,
        customer.value_cents,
        customer.currency,
        customer.cancelled_orders,
        customer.refunded_cents,
        customer.first_order_ms or None,
        customer.last_order_ms or None,
        customer.last_seen_ms,
        mean_gap_days(customer),
        customer.hazard,
        customer.hazard_version,
        None if days is None else customer.hazard_at_ms + int(days * DAY_MS),
        max(favourites, key=lambda name: (favourites[name], name)) if favourites else "",
        customer.messages_sent,
        customer.messages_opened,
        len(customer.service.open_tickets),
    )


ACTION_SHAPE = Shape((ACTIONS,), read_action)
ALERT_SHAPE = Shape((ALERTS,), read_alert)
DEAD_LETTER_SHAPE = Shape((DEAD_LETTERS,), read_dead_letter)
CUSTOMER_SHAPE = Shape((PROFILE_HISTORY,), read_customer)
