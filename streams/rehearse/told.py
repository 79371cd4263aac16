"""What a rehearsal tells of a decision: the same keys for people, programs and expectations."""

from datetime import datetime, timedelta, timezone
from typing import Any

from models.customer import Customer
from models.effects import Decided
from models.local_time import zone_of

MESSAGE = "message"
SHOWN = ("sent", "held")
"""Statuses of what a customer gets, or will; all others are why something was not done."""


def told(
    decided: Decided, customer_id: str, customer: Customer | None, shop_zone: str
) -> dict[str, Any]:
    """Tell a decision; `at` is on the customer's own clock, on the shop's where it is not known."""
    return {
        "at": local_time(decided.at_ms, customer, shop_zone),
        "customer_id": customer_id,
        "rule": decided.rule,
        "channel": decided.message_channel or None,
        "kind": decided.action,
        "offer": decided.offer or None,
        "coupon": decided.coupon or None,
        "status": status_of(decided),
        "reason": decided.reason,
        "action_id": decided.action_id,
    }


def status_of(decided: Decided) -> str:
    """Status of a decision; receipts of the first release's own rules name the verdict only."""
    return decided.status or ("sent" if decided.verdict == "sent" else "cancelled")


def local_time(at_ms: int, customer: Customer | None, shop_zone: str) -> str:
    """ISO 8601 with the offset of the customer's time zone, else the shop's."""
    own = str(customer.traits.get("timezone", "")) if customer is not None else ""
    offset = timedelta(milliseconds=zone_of(own, shop_zone).offset_ms(at_ms))
    at = datetime.fromtimestamp(at_ms / 1000, timezone(offset))
    return at.isoformat(timespec="milliseconds" if at_ms % 1000 else "seconds")
