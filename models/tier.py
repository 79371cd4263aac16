"""The tier of a customer: exactly one, by rule from the first day (S4-S7), with its reason."""

from functools import lru_cache
from math import ceil

import msgspec

from models import daybook
from models.clock import DAY_MS, day_of
from models.customer import Customer, Tier
from models.daybook import BYTES_A_DAY, DayBook
from models.dormancy import ASLEEP, Dormancy, by_days, silence_days


class TierEdges(msgspec.Struct, frozen=True, kw_only=True):
    """Edges of the tiers; values in cents of the shop's currency.

    Who is in a tier leaves it only below `stay` times its edges, so that edges which
    move (`models/tier_edges.py`) move hardly anybody; 1.0: at the edge itself.
    """

    high_value_cents: int = 100_000
    high_value_order_days: int = 6
    potential_value_cents: int = 15_000
    potential_order_days: int = 3
    stay: float = 1.0


PLAYBOOK_EDGES = TierEdges()
_HIGH_VALUE, _POTENTIAL = Tier.HIGH_VALUE.value, Tier.POTENTIAL.value


def tier_of(
    customer: Customer,
    now_ms: int,
    edges: TierEdges = PLAYBOOK_EDGES,
    *,
    dormancy: Dormancy | None = None,
) -> tuple[Tier, str]:
    """Tier at `now_ms` and the sentence that says why; the first rule that holds wins.

    Without `dormancy` (models/dormancy.py) fixed days of silence decide who is asleep. The row's
    own tier is where the customer comes from.
    """
    if customer.orders <= 0:
        return Tier.NEW, "no order yet"
    if (dormancy or by_days(customer.last_order_ms, now_ms)) in ASLEEP:
        return Tier.DORMANT, f"no order for {silence_days(customer.last_order_ms, now_ms)} days"
    today = day_of(max(now_ms, customer.last_order_ms))
    book, was = customer.daybook, customer.tier
    stay = edges.stay if was == _HIGH_VALUE else 1.0
    days, cents = ceil(edges.high_value_order_days * stay), edges.high_value_cents * stay
    if _spent(book, today, 365, days, cents):
        return Tier.HIGH_VALUE, _reason(cents, days, "a year")
    if day_of(customer.first_order_ms) == day_of(customer.last_order_ms):
        return Tier.NEW, "ordered on one day so far"
    stay = edges.stay if was == _POTENTIAL else 1.0
    days, cents = ceil(edges.potential_order_days * stay), edges.potential_value_cents * stay
    if _spent(book, today, 90, days, cents):
        return Tier.POTENTIAL, _reason(cents, days, "90 days")
    return Tier.REGULAR, "orders now and then"


def falls_ms(customer: Customer, now_ms: int, edges: TierEdges = PLAYBOOK_EDGES) -> int | None:
    """When time alone takes the tier's orders out of their window; None: it hangs on no window.

    Only silence moves the others (`models/sleep_timer.py`). Orders to come may put it off, what is
    taken back may bring it nearer.
    """
    if customer.tier == _HIGH_VALUE:
        within, days, cents = 365, edges.high_value_order_days, edges.high_value_cents
    elif customer.tier == _POTENTIAL:
        within, days, cents = 90, edges.potential_order_days, edges.potential_value_cents
    else:
        return None
    today = day_of(max(now_ms, customer.last_order_ms))
    days = ceil(days * edges.stay)
    return DAY_MS * daybook.holds_until(customer.daybook, today, within, days, cents * edges.stay)


def _spent(book: DayBook, today: int, within_days: int, days: int, cents: float) -> bool:
    """Whether so much was spent, on so many days; most customers have not even the days."""
    if len(book.days) < days * BYTES_A_DAY:
        return False
    order_days, _, value_cents = daybook.window(book, today, within_days)
    return value_cents >= cents and order_days >= days


@lru_cache(maxsize=64)
def _reason(cents: float, days: int, within: str) -> str:
    """Say it; edges are few, and customers are looked at daily."""
    return f"spent at least {cents / 100:.0f} on {days} days or more within {within}"
