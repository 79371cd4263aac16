"""What a customer's orders have to say to the coupons: one is redeemed, an order is over."""

from models.coupon_codes import key_of
from models.coupon_words import CouponWord, order_key
from models.coupons import OrderVoided, RedemptionAsked
from models.customer import Customer, ref_of
from models.discounts import Basket
from models.events import CustomerEvent, OrderCancelled, OrderCompleted, OrderRefunded

_COUNTED = "counted"
ASKING = frozenset({OrderCompleted, OrderCancelled, OrderRefunded})
"""Types of events that may have something to say."""


def asked(customer: Customer, event: CustomerEvent, order_state: str) -> list[CouponWord]:
    """Say it; the row has the event in it already.

    The basket of an order is what it would have cost without its discount, less the shipping; where
    no discount is told, what its lines cost: a coupon may have taken off all of it. An order that a
    till has redeemed the coupon for asks in vain, and is told the same.
    """
    match event:
        case OrderCompleted() if event.coupon and order_state == _COUNTED:
            return _redemption(event)
        case OrderCancelled():
            return [_void(event, whole=True)]
        case OrderRefunded():
            return [_void(event, whole=_is_whole(customer, event))]
    return []


def _redemption(event: OrderCompleted) -> list[CouponWord]:
    key = key_of(event.coupon)
    if not key:
        return []
    goods_cents = event.total_cents + event.discount_cents - event.shipping_cents
    if not event.discount_cents:
        goods_cents = max(goods_cents, sum(line.total_cents for line in event.lines))
    wish = RedemptionAsked(
        at_ms=event.occurred_at_ms,
        id=f"order {event.order_id}",
        order_id=event.order_id,
        basket=Basket(max(0, goods_cents), max(0, event.shipping_cents)),
        names=(event.customer, *event.via),
        currency=event.currency,
    )
    return [CouponWord(key=key, event=wish)]


def _void(event: OrderCancelled | OrderRefunded, *, whole: bool) -> CouponWord:
    told = OrderVoided(event.occurred_at_ms, event.order_id, whole)
    return CouponWord(key=order_key(event.order_id), event=told)


def _is_whole(customer: Customer, event: OrderRefunded) -> bool:
    """Whether nothing is left of the order, by this refund or with earlier ones."""
    if event.amount_cents is None:
        return True
    ref = ref_of(event.order_id)
    order = next((one for one in customer.recent_orders if one.ref == ref), None)
    return order is not None and order.refunded_cents >= order.value_cents > 0
