"""What the coupons' fold tells the owner's row: given, redeemed, good again, over.

So a rule can answer to the engine's own coupons as it does to those that the shop tells of.
"""

from typing import Any

from models.coupon_words import CouponJudged
from models.coupons import Coupon, Status
from models.events import Channel, CouponApplied, CouponEnded, CouponIssued, CouponReturned, Event
from models.held_coupons import OURS

_OVER = frozenset({Status.EXPIRED, Status.REVOKED})
_USED = frozenset({Status.ISSUED, Status.REDEEMED})


def news(judged: CouponJudged, before: Coupon, after: Coupon) -> Event | None:
    """Give the event that a change of a coupon is to its owner; None: nobody's, or no news."""
    if not judged.customer or before == after:
        return None
    fields = _common(judged)
    match before.status, after.status:
        case (Status.REDEEMED, Status.ISSUED):
            return CouponReturned(
                **fields, order_id=judged.order_id, expires_at_ms=judged.expires_at_ms
            )
        case (old, Status.ISSUED) if old is Status.UNKNOWN or before.expires_ms != after.expires_ms:
            return CouponIssued(**fields, expires_at_ms=judged.expires_at_ms)
        case (old, Status.REDEEMED) if old is not Status.REDEEMED:
            taken_cents = judged.goods_cents + judged.shipping_cents
            return CouponApplied(**fields, order_id=judged.order_id, discount_cents=taken_cents)
        case (old, new) if old in _USED and new in _OVER:
            return CouponEnded(**fields, reason=new.value)
    return None


def _common(judged: CouponJudged) -> dict[str, Any]:
    place = f"{judged.incarnation}:{judged.partition}:{judged.offset}:{judged.index}"
    return {
        "id": f"coupon:{place}",
        "customer": judged.customer,
        "occurred_at_ms": judged.at_ms,
        "received_at_ms": judged.at_ms,
        "channel": Channel.SERVER,
        "source": OURS,
        # The fold knows a token only: it must not turn a visitor into a known customer.
        "anonymous": True,
        "coupon": judged.code,
        "campaign": judged.offer,
    }
