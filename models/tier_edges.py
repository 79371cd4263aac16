"""Edges of the tiers from the shop itself: quantiles of what its customers spend.

Each customer counts as it was at its own last order: what it had bought by then within a year and
within 90 days. So silence changes nothing, and an order (or a cancellation, a merge, an erasure)
takes back exactly what was counted and counts anew. An edge is published anew only when it moved by
more than MOVES_BY, values in round numbers; who is above it stays until STAY of it.
"""

from math import floor, log10
from typing import NamedTuple

import msgspec

from models import daybook
from models.customer import Customer
from models.quantile_sketch import QuantileSketch
from models.tier import PLAYBOOK_EDGES, TierEdges

HIGH_VALUE_ABOVE = 0.9
POTENTIAL_ABOVE = 0.6
# Days only keep one large order from being enough: as many as the middle customer has.
DAYS_ABOVE = 0.5
DAYS_AT_LEAST = 2
QUARTER_DAYS = 90
CUSTOMERS_BEFORE_USE = 200
MOVES_BY = 0.15
STAY = 0.8


class Spend(NamedTuple):
    """Order days and their value within a year and within 90 days of a customer's last order."""

    year_days: int
    year_cents: int
    quarter_days: int
    quarter_cents: int


def spend_of(customer: Customer) -> Spend | None:
    """What a customer counts as; None without an order."""
    book = customer.daybook
    if customer.orders <= 0 or not book.days:
        return None
    return Spend(*daybook.year_and_tail(book, QUARTER_DAYS))


class SpendSketches(msgspec.Struct, array_like=True):
    """What all customers spend, a sketch for each field of Spend."""

    year_days: QuantileSketch = msgspec.field(default_factory=QuantileSketch)
    year_cents: QuantileSketch = msgspec.field(default_factory=QuantileSketch)
    quarter_days: QuantileSketch = msgspec.field(default_factory=QuantileSketch)
    quarter_cents: QuantileSketch = msgspec.field(default_factory=QuantileSketch)

    def move(self, before: Spend | None, after: Spend | None) -> None:
        """Take back what a customer counted as, and count what it is now."""
        for spend, times in ((before, -1), (after, 1)):
            if spend is not None:
                for field, value in zip(self.__struct_fields__, spend, strict=True):
                    getattr(self, field).add(value, times)

    def join(self, other: "SpendSketches") -> None:
        """Count the customers of another one too."""
        for field in self.__struct_fields__:
            getattr(self, field).join(getattr(other, field))

    def edges(self, published: TierEdges = PLAYBOOK_EDGES) -> TierEdges:
        """Edges of now; `published` where these moved but little, or there are few customers."""
        if self.year_cents.size() < CUSTOMERS_BEFORE_USE:
            return published
        return TierEdges(
            high_value_cents=_moved(
                published.high_value_cents, rounded(self.year_cents.quantile(HIGH_VALUE_ABOVE))
            ),
            high_value_order_days=_moved(
                published.high_value_order_days, _days(self.year_days.quantile(DAYS_ABOVE))
            ),
            potential_value_cents=_moved(
                published.potential_value_cents,
                rounded(self.quarter_cents.quantile(POTENTIAL_ABOVE)),
            ),
            potential_order_days=_moved(
                published.potential_order_days, _days(self.quarter_days.quantile(DAYS_ABOVE))
            ),
            stay=STAY,
        )


def _days(quantile: float) -> int:
    return max(DAYS_AT_LEAST, round(quantile))


def _moved(published: int, edge: int) -> int:
    return published if abs(edge - published) <= MOVES_BY * published else edge


def rounded(cents: float) -> int:
    """Two digits, the rest zeros.

    >>> rounded(123_456), rounded(87), rounded(0)
    (120000, 87, 0)
    """
    if cents < 100:
        return round(cents)
    unit = 10.0 ** (floor(log10(cents)) - 1)
    return round(round(cents / unit) * unit)
