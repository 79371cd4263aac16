"""Whom time alone may bring to a rule's moment: these customers are looked at once a day.

Where all that is watched goes by the tier, only when its orders fall out of their window.

What happens to a customer is looked at when it happens. Between that, days go by: a silence grows,
an order falls out of a window, a tier is lost. A field that this file does not know is taken to
move with time.
"""

from collections.abc import Callable, Iterable
from typing import Any

from models.customer import Customer, Tier

TIER = "customer.tier"
_STILL = frozenset(
    f"customer.{name}"
    for name in (
        "known",
        "orders",
        "value",
        "mean_order",
        "currency",
        "cancelled_orders",
        "refunded",
        "discounts",
        "mean_gap_days",
        "views",
        "carts",
        "wishes",
        "searches",
        "categories",
        "favourite_category",
        "channels",
        "reachable",
        "unsubscribed",
        "coupons_issued",
        "coupons_applied",
        "coupons_denied",
        "messages_sent",
        "messages_opened",
        "messages_clicked",
        "tickets",
        "open_tickets",
        "returns",
        "mean_rating",
        "reviews",
        "mean_review",
        "traits",
    )
)
"""Fields that only events move."""
_OF_BUYERS = frozenset(
    f"customer.{name}"
    for name in (
        "dormancy",
        "orders_30d",
        "orders_90d",
        "orders_365d",
        "value_30d",
        "value_90d",
        "value_365d",
        "silence_days",
        "first_order_days",
        "hazard",
        "alive",
        "orders_expected_90d",
    )
)
"""Fields that time moves, of customers with an order."""

_NEW = Tier.NEW.value
Watched = Callable[[Customer], bool]


def whom_to_watch(asked: Iterable[str]) -> Watched:
    """Whether a customer must be looked at now and then, where rules ask for these fields."""
    moving = frozenset(asked) - _STILL
    if not moving:
        return _nobody
    if moving == {TIER}:
        return _may_fall
    return _buyers if moving <= _OF_BUYERS | {TIER} else _everybody


def _nobody(customer: Customer) -> bool:
    return False


def _may_fall(customer: Customer) -> bool:
    """Who is new rises by an order only, and falls asleep by a timer (models/sleep_timer.py)."""
    return customer.orders > 0 and customer.tier != _NEW


def _buyers(customer: Customer) -> bool:
    return customer.orders > 0


def _everybody(customer: Any) -> bool:
    return True
