"""How many of something an hour should bring: hour of the day × day of the week × slow level.

Each factor is a ratio of what came to what the others led to expect, with fading sums on both sides
and a prior of one; so a new shop knows its hours after days, its weekends after weeks, and what is
special about Tuesday 18:00 only once enough came then. Figures: ARCHITECTURE.md, decision 15.
"""

import msgspec

from models.clock import HOUR_MS

DAY_HOURS = 24
WEEK_HOURS = 168
WEEK_DAYS = 7
# 1970-01-01 was a Thursday; hour 0 of the week is Monday 00:00.
_THURSDAY_HOURS = 72
LEVEL_HALF_LIFE_HOURS = 10 * DAY_HOURS
HOUR_HALF_LIFE_DAYS = 5.0
WEEKDAY_HALF_LIFE_DAYS = 56.0
HOUR_OF_WEEK_HALF_LIFE_WEEKS = 10.0
# How many counts the factor "one" is worth (the level: one count an hour).
HOUR_PRIOR = 0.3
WEEKDAY_PRIOR = 60.0
HOUR_OF_WEEK_PRIOR = 20.0
LEVEL_PRIOR = 0.05
_LEVEL_FADES = 0.5 ** (1.0 / LEVEL_HALF_LIFE_HOURS)
_HOUR_FADES = 0.5 ** (1.0 / HOUR_HALF_LIFE_DAYS)
_WEEKDAY_FADES = 0.5 ** (1.0 / (WEEKDAY_HALF_LIFE_DAYS / WEEK_DAYS * DAY_HOURS))
_HOUR_OF_WEEK_FADES = 0.5 ** (1.0 / HOUR_OF_WEEK_HALF_LIFE_WEEKS)
SCALE_AT_LEAST, SCALE_AT_MOST = 0.05, 20.0


class Factor(msgspec.Struct, array_like=True, gc=False):
    """What came and what the other factors led to expect, both fading."""

    actual: float = 0.0
    expected: float = 0.0


class HourRates(msgspec.Struct, array_like=True):
    """What is known of a count's hours; empty until the first one."""

    level: Factor = msgspec.field(default_factory=Factor)
    hours: list[Factor] = []
    weekdays: list[Factor] = []
    hours_of_week: list[Factor] = []


def hour_of_week(hour_ms: int) -> int:
    """Hour of the week, 0 for Monday 00:00, of a time in the shop's own zone.

    >>> hour_of_week(4 * 24 * HOUR_MS)
    0
    """
    return (hour_ms // HOUR_MS + _THURSDAY_HOURS) % WEEK_HOURS


def expected(rates: HourRates, slot: int) -> float:
    """Count that this hour of the week should bring; 0 before anything is known."""
    if not rates.hours:
        return 0.0
    return _expected(rates, slot)


def learn(rates: HourRates, slot: int, count: float) -> None:
    """Take an hour's count, whatever was expected."""
    if not rates.hours:
        rates.hours = [Factor() for _ in range(DAY_HOURS)]
        rates.weekdays = [Factor() for _ in range(WEEK_DAYS)]
        rates.hours_of_week = [Factor() for _ in range(WEEK_HOURS)]
        rates.level = Factor(count, 1.0)
    by_hour, by_weekday, by_slot, _ = _ratios(rates, slot)
    learn_shape(rates, slot, count)
    _fade_into(rates.level, _LEVEL_FADES, count, by_hour * by_weekday * by_slot)


def learn_shape(rates: HourRates, slot: int, count: float) -> None:
    """Take an hour's count for the shape of the week, and leave the level as it is."""
    if not rates.hours:
        return
    by_hour, by_weekday, by_slot, level = _ratios(rates, slot)
    hour, weekday = rates.hours[slot % DAY_HOURS], rates.weekdays[slot // DAY_HOURS]
    _fade_into(hour, _HOUR_FADES, count, level * by_weekday * by_slot)
    _fade_into(weekday, _WEEKDAY_FADES, count, level * by_hour * by_slot)
    by_week = rates.hours_of_week[slot]
    _fade_into(by_week, _HOUR_OF_WEEK_FADES, count, level * by_hour * by_weekday)


def share(rates: HourRates) -> float:
    """Count per unit of exposure, whatever the hour; 0 before anything is known."""
    level = rates.level
    return level.actual / level.expected if level.expected else 0.0


def learn_share(rates: HourRates, count: float, exposure: float) -> None:
    """Take an hour's count out of `exposure` (returning customers' orders out of all orders)."""
    _fade_into(rates.level, _LEVEL_FADES, count, exposure)


def scale(rates: HourRates, share: float) -> None:
    """Take `share` of what was expected for normal from now on."""
    share = min(SCALE_AT_MOST, max(SCALE_AT_LEAST, share))
    rates.level.actual *= share


def _expected(rates: HourRates, slot: int) -> float:
    by_hour, by_weekday, by_slot, level = _ratios(rates, slot)
    return by_hour * by_weekday * by_slot * level


def _ratios(rates: HourRates, slot: int) -> tuple[float, float, float, float]:
    hour, weekday = rates.hours[slot % DAY_HOURS], rates.weekdays[slot // DAY_HOURS]
    by_week, level = rates.hours_of_week[slot], rates.level
    return (
        (hour.actual + HOUR_PRIOR) / (hour.expected + HOUR_PRIOR),
        (weekday.actual + WEEKDAY_PRIOR) / (weekday.expected + WEEKDAY_PRIOR),
        (by_week.actual + HOUR_OF_WEEK_PRIOR) / (by_week.expected + HOUR_OF_WEEK_PRIOR),
        (level.actual + LEVEL_PRIOR) / (level.expected + LEVEL_PRIOR),
    )


def _fade_into(factor: Factor, fades: float, actual: float, expected: float) -> None:
    factor.actual = factor.actual * fades + actual
    factor.expected = factor.expected * fades + expected
