"""Which coupons an order has redeemed, to tell them of its end, whichever of both came first."""

from typing import NamedTuple

import msgspec

from models.coupon_words import OrderHas
from models.coupons import OrderVoided

COUPONS_AT_MOST = 8


class OrderRow(msgspec.Struct, array_like=True, frozen=True):
    """The keys of an order's coupons; `voided_ms` when it ended as a whole, 0: it did not."""

    coupons: tuple[str, ...] = ()
    voided_ms: int = 0


class ToTell(NamedTuple):
    """What a coupon is to be told."""

    coupon: str
    event: OrderVoided


def void(row: OrderRow, event: OrderVoided) -> tuple[OrderRow, list[ToTell]]:
    """Tell the order's coupons that it is over, or partly so."""
    told = [ToTell(coupon, event) for coupon in row.coupons]
    if event.whole and not row.voided_ms:
        row = msgspec.structs.replace(row, voided_ms=event.at_ms)
    return row, told


def add(row: OrderRow, event: OrderHas) -> tuple[OrderRow, list[ToTell]]:
    """Note a coupon; an order that was over before its coupon came tells it at once."""
    if event.coupon in row.coupons or len(row.coupons) >= COUPONS_AT_MOST:
        return row, []
    row = msgspec.structs.replace(row, coupons=(*row.coupons, event.coupon))
    if not row.voided_ms:
        return row, []
    return row, [ToTell(event.coupon, OrderVoided(row.voided_ms, event.order_id))]
