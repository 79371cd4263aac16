"""Verdicts on coupons as rows."""

from collections.abc import Mapping

import pyarrow as pa

from models.coupon_words import decode_judged
from sinks.clickhouse_table import CENTS, COUNT, FLAG, MOMENT, TEXT, Row, Shape, Table
from sinks.port import Record

_MOVE = pa.int32()
_LOOKED_AT = "looked_at"

COUPON_VERDICTS = Table(
    "coupon_verdicts",
    (
        ("at", MOMENT),
        ("code", TEXT),
        ("offer", TEXT),
        ("customer", TEXT),
        ("asked", TEXT),
        ("outcome", TEXT),
        ("status", TEXT),
        ("repeated", FLAG),
        ("order_id", TEXT),
        ("action_id", TEXT),
        ("goods_cents", CENTS),
        ("shipping_cents", CENTS),
        ("gift", TEXT),
        ("currency", TEXT),
        ("expires_at", MOMENT),
        ("issued", _MOVE),
        ("open", _MOVE),
        ("open_cents", CENTS),
        ("open_unlimited", _MOVE),
        ("redeemed", _MOVE),
        ("redeemed_cents", CENTS),
        ("expired", _MOVE),
        ("revoked", _MOVE),
        ("log_partition", pa.uint16()),
        ("log_offset", pa.uint64()),
        ("log_index", COUNT),
    ),
)


def read_verdict(record: Record, rows: Mapping[str, list[Row]]) -> None:
    """Add the row of one verdict; who only looked leaves none."""
    judged = decode_judged(record.value or b"")
    if judged.outcome == _LOOKED_AT:
        return
    rows["coupon_verdicts"].append(
        (
            judged.at_ms,
            judged.code,
            judged.offer,
            judged.customer,
            judged.asked,
            judged.outcome,
            judged.status,
            judged.repeated,
            judged.order_id,
            judged.action_id,
            judged.goods_cents,
            judged.shipping_cents,
            judged.gift,
            judged.currency,
            judged.expires_at_ms or None,
            judged.issued,
            judged.open,
            judged.open_cents,
            judged.open_unlimited,
            judged.redeemed,
            judged.redeemed_cents,
            judged.expired,
            judged.revoked,
            judged.partition,
            judged.offset,
            judged.index,
            record.partition,
            record.offset,
        )
    )


COUPON_SHAPE = Shape((COUPON_VERDICTS,), read_verdict)
