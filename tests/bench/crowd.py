"""A million customers with histories: rows as the product's own fold leaves them, and what follows.

A shop of some thousand people is folded for a while; copies of its rows fill the changelog, and
the days after that are the log. Names that were merged into others are rows too, but no customers.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from models.customer import decode_row
from tests.bench.histories import (
    FoldedShop,
    Hour,
    Placed,
    invented_hours,
    placed,
    placed_rows,
)

PARTITIONS = 4


@dataclass(frozen=True)
class Crowd:
    """Copies of a folded shop; `hours` are what comes next."""

    rows: dict[bytes, bytes]
    clock_row: bytes
    hours: list[Hour]
    copies: int
    customers_of_copy: int

    @property
    def customers(self) -> int:
        """Customers of all copies."""
        return self.customers_of_copy * self.copies

    def sized(self, customers: int) -> "Crowd":
        """As many copies as give at least so many customers."""
        copies = math.ceil(customers / self.customers_of_copy)
        return Crowd(self.rows, self.clock_row, self.hours, copies, self.customers_of_copy)

    def changelog(self) -> Iterator[Placed]:
        """The rows, as records of topic `customers`."""
        return placed_rows(self.rows, self.clock_row, PARTITIONS, self.copies)

    def log(self, events_at_least: int) -> Iterator[Placed]:
        """The next hours of all copies, until there are so many events."""
        return placed(self._hours(events_at_least), PARTITIONS, self.copies, adopts=())

    def log_of(self, hours: int) -> Iterator[Placed]:
        """The next so many hours of all copies."""
        return placed(self.hours[:hours], PARTITIONS, self.copies, adopts=())

    def records_of(self, hours: int) -> int:
        """Records that `log_of` gives."""
        return sum(len(hour.told) * self.copies + PARTITIONS for hour in self.hours[:hours])

    def _hours(self, events_at_least: int) -> list[Hour]:
        chosen, events = [], 0
        for hour in self.hours:
            if events >= events_at_least:
                break
            chosen.append(hour)
            events += len(hour.told) * self.copies
        return chosen


def crowd(people: int, days: int, days_after: int, *, packs: bool = False) -> Crowd:
    """Fold a shop of `people` over `days` days, by all packs or none; one copy."""
    hours = invented_hours(people, days + days_after, packs=packs)
    shop = FoldedShop(hours[: days * 24], packs=packs)
    rows = shop.rows()
    living = sum(not decode_row(row).merged_into for row in rows.values())
    return Crowd(rows, shop.clock_row(), hours[days * 24 :], 1, living)
