"""The tier of a customer: exactly one, by rule from the first day (S4-S7), with its reason."""

from dataclasses import dataclass

from models import daybook
from models.clock import day_of
from models.customer import Customer, Tier
from models.dormancy import ASLEEP, Dormancy, by_days, silence_days


@dataclass(frozen=True)
class TierRule:
    """Edges of the tiers; values in cents of the shop's currency."""

    high_value_cents: int = 100_000
    high_value_order_days: int = 6
    potential_value_cents: int = 15_000
    potential_order_days: int = 3


RULE = TierRule()


def tier_of(
    customer: Customer, now_ms: int, rule: TierRule = RULE, *, dormancy: Dormancy | None = None
) -> tuple[Tier, str]:
    """Tier at `now_ms` and the sentence that says why; the first rule that holds wins.

    Without `dormancy` (models/dormancy.py) fixed days of silence decide who is asleep.
    """
    if customer.orders <= 0:
        return Tier.NEW, "no order yet"
    if (dormancy or by_days(customer.last_order_ms, now_ms)) in ASLEEP:
        return Tier.DORMANT, f"no order for {silence_days(customer.last_order_ms, now_ms)} days"
    today = day_of(max(now_ms, customer.last_order_ms))
    year_days, _, year_cents = daybook.window(customer.daybook, today, 365)
    if year_cents >= rule.high_value_cents and year_days >= rule.high_value_order_days:
        return Tier.HIGH_VALUE, (
            f"spent at least {rule.high_value_cents / 100:.0f} on "
            f"{rule.high_value_order_days} days or more within a year"
        )
    if day_of(customer.first_order_ms) == day_of(customer.last_order_ms):
        return Tier.NEW, "ordered on one day so far"
    quarter_days, _, quarter_cents = daybook.window(customer.daybook, today, 90)
    if quarter_cents >= rule.potential_value_cents and quarter_days >= rule.potential_order_days:
        return Tier.POTENTIAL, (
            f"spent at least {rule.potential_value_cents / 100:.0f} on "
            f"{rule.potential_order_days} days or more within 90 days"
        )
    return Tier.REGULAR, "orders now and then"
