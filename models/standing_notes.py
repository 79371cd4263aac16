"""How a customer stands after its orders changed: its cluster, and the lesson for the learner."""

from typing import NamedTuple

from models.clock import day_of
from models.clusters import NOBODY, label_of
from models.customer import Customer
from models.customer_sample import Standing
from models.effects import CustomerStood
from models.tier_edges import Spend, spend_of
from models.view import View


class Stand(NamedTuple):
    """What the shared models know a customer by."""

    standing: Standing
    spend: Spend | None


def stand(customer: Customer) -> Stand:
    """Tell how a customer stands now."""
    return Stand(_standing(customer), spend_of(customer))


def _standing(customer: Customer) -> Standing:
    return Standing(customer.last_order_ms, customer.orders, customer.value_cents)


def look(customer: Customer, now_ms: int, view: View, *, anew: bool) -> None:
    """Note the cluster; `anew` after an order, else the customer leaves its own reluctantly."""
    learned = view.segments.clusters
    if not learned.clusters:
        customer.cluster = NOBODY
        return
    before = NOBODY if anew else customer.cluster
    customer.cluster = label_of(_standing(customer), now_ms, learned, before)


def changed(token: str, customer: Customer, before: Stand, view: View) -> list[CustomerStood]:
    """Teach how the customer stands now, if it does not as before."""
    now = stand(customer)
    if now == before:
        return []
    return [
        CustomerStood(
            partition=view.partition,
            day=day_of(view.now_ms),
            customer=token,
            last_order_ms=now.standing.last_order_ms,
            orders=now.standing.orders,
            value_cents=now.standing.value_cents,
            before=before.spend,
            after=now.spend,
        )
    ]
