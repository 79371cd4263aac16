"""Which slices of the orders drive a fall or rise: each slice's hours, expected against actual.

A slice is compared over the hours in which the shop's own evidence has grown
(`models/count_alarm.py`), so what drives an alarm is known as soon as it is raised (N5).
"""

from typing import NamedTuple

import msgspec

from models import hour_rates
from models.count_alarm import CountAlarm
from models.hour_rates import HourRates, hour_of_week

KEPT_SLICES = 96
DRIVERS = 5
# Below, a slice says nothing: it is left out of the ranking.
EXPECTED_AT_LEAST = 1.0
# So much of what the first slice lacks makes another a driver as well.
PART_AT_LEAST = 0.1


class Since(msgspec.Struct, array_like=True, gc=False):
    """What should have come and what came since evidence began to grow."""

    expected: float = 0.0
    actual: float = 0.0


class Slice(msgspec.Struct, array_like=True, gc=False):
    """One slice: its hours, and how it stands beside the shop's evidence for a fall or rise."""

    rates: HourRates = msgspec.field(default_factory=HourRates)
    fall: Since = msgspec.field(default_factory=Since)
    rise: Since = msgspec.field(default_factory=Since)


class Driver(NamedTuple):
    """A slice and its part in an alarm."""

    name: str
    expected: float
    actual: float


def take(slices: dict[str, Slice], hour_ms: int, counts: dict[str, int], shop: CountAlarm) -> None:
    """Take an hour's counts, before the shop's own alarm takes the hour.

    What is not in `counts` had none. Beyond KEPT_SLICES new names are not watched.
    """
    for name in counts:
        if name not in slices and len(slices) < KEPT_SLICES:
            slices[name] = Slice()
    slot = hour_of_week(hour_ms)
    fall_anew, rise_anew = shop.falls.is_quiet(), shop.rises.is_quiet()
    learns = not shop.is_firing()
    for name, one in slices.items():
        count = counts.get(name, 0)
        expected = hour_rates.expected(one.rates, slot)
        one.fall = _since(one.fall, expected, count, fall_anew)
        one.rise = _since(one.rise, expected, count, rise_anew)
        if learns:
            hour_rates.learn(one.rates, slot, count)


def _since(since: Since, expected: float, actual: int, anew: bool) -> Since:
    if anew:
        # A float from the start: a whole number would be other bytes once it was packed.
        return Since(expected, float(actual))
    return Since(since.expected + expected, since.actual + actual)


def drivers(slices: dict[str, Slice], *, of_a_fall: bool) -> list[Driver]:
    """Rank the slices that lack most (or have most too many), the first DRIVERS of them."""
    found: list[tuple[float, str, Since]] = []
    for name, one in slices.items():
        since = one.fall if of_a_fall else one.rise
        excess = since.expected - since.actual if of_a_fall else since.actual - since.expected
        if since.expected >= EXPECTED_AT_LEAST and excess > 0.0:
            found.append((excess, name, since))
    found.sort(key=lambda one: (-one[0], one[1]))
    return [
        Driver(name, since.expected, since.actual)
        for excess, name, since in found[:DRIVERS]
        if excess >= PART_AT_LEAST * found[0][0]
    ]
