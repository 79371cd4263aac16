"""The shop that the product is measured on: its history made once, copied to the wanted size."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tests.bench.histories import ADOPTION, Hour, Placed, invented_hours, placed

PEOPLE = 4_000
DAYS = 45
COPIES = 6
SMALL_PEOPLE, SMALL_DAYS, SMALL_COPIES = 60, 20, 50


@dataclass(frozen=True)
class Shop:
    """Copies of some thousand people's lives."""

    hours: list[Hour]
    people: int
    copies: int
    partitions: int = 4

    @property
    def customers(self) -> int:
        """People of all copies."""
        return self.people * self.copies

    @property
    def records(self) -> int:
        """Records that `log` gives: events, a mark an hour and an adoption for each partition."""
        events = sum(len(hour.told) for hour in self.hours)
        return events * self.copies + (len(self.hours) + 1) * self.partitions

    def log(self, adopts: Sequence[bytes] = (ADOPTION,)) -> Iterator[Placed]:
        """The history as it stands in the log, behind what it adopts."""
        return placed(self.hours, self.partitions, self.copies, adopts=adopts)


def opened(
    small: bool, customers: int | None = None, partitions: int = 4, *, packs: bool = False
) -> Shop:
    """The shop of the benchmarks that read a history from its beginning.

    `packs`: its customers answer the messages of all packs, else those of two rules.
    """
    people, days, copies = PEOPLE, DAYS, COPIES
    if small:
        people, days, copies = SMALL_PEOPLE, SMALL_DAYS, SMALL_COPIES
    if customers is not None:
        people = min(people, customers)
        copies = max(1, round(customers / people))
    return Shop(invented_hours(people, days, packs=packs), people, copies, partitions)
