"""Alarm on orders per hour: fewer than this hour of the week should bring (S37, first form).

Expected is a rate per hour of the week, learned with exponential weights, times a slow level;
evidence for a fall to half is gathered by a Poisson CUSUM, discounted by how much more than Poisson
the shop's hours scatter. While the alarm lasts nothing is learned, but for a week at the most: then
the new level is taken for normal. Figures: ARCHITECTURE.md, decision 15.
"""

from enum import Enum
from math import log

import msgspec

from models.clock import HOUR_MS

WEEK_HOURS = 168
# 1970-01-01 was a Thursday; hour 0 of the week is Monday 00:00 UTC.
_THURSDAY_HOURS = 72
WARM_UP_HOURS = 4 * WEEK_HOURS
RATE_WEIGHT = 0.2
LEVEL_WEIGHT = 0.01
FALL = 0.5
THRESHOLD = 10.0
SMALLEST_EXPECTED = 0.2
LEVEL_AT_LEAST = 0.05
LEVEL_AT_MOST = 20.0
SCATTER_WEIGHT = 0.01
SCATTER_OF_ONE_HOUR_AT_MOST = 25.0
FROZEN_HOURS_AT_MOST = WEEK_HOURS


class Turn(Enum):
    """What an hour changed."""

    NOTHING = "nothing"
    FIRED = "fired"
    RESOLVED = "resolved"


class OrdersAlarm(msgspec.Struct):
    """What is known of the shop's hours; `hour_ms` is the last one that was counted."""

    hour_ms: int = 0
    hours: int = 0
    rates: list[float] = []
    level: float = 1.0
    scatter: float = 1.0
    fall_evidence: float = 0.0
    recovery_evidence: float = 0.0
    since_ms: int = 0
    suspected_ms: int = 0
    frozen_hours: int = 0
    expected_since: float = 0.0
    actual_since: int = 0
    expected_frozen: float = 0.0
    actual_frozen: int = 0


class Judged(msgspec.Struct, frozen=True):
    """What one hour came to."""

    turn: Turn
    expected: float
    actual: int


def hour_of_week(hour_ms: int) -> int:
    """Hour of the week, 0 for Monday 00:00 UTC.

    >>> hour_of_week(4 * 24 * HOUR_MS)
    0
    """
    return (hour_ms // HOUR_MS + _THURSDAY_HOURS) % WEEK_HOURS


def judge(alarm: OrdersAlarm, hour_ms: int, orders: int) -> Judged:
    """Take the next hour's orders; hours that are not later than the last are ignored."""
    if hour_ms <= alarm.hour_ms:
        return Judged(Turn.NOTHING, 0.0, orders)
    if not alarm.rates:
        alarm.rates = [0.0] * WEEK_HOURS
    alarm.hour_ms = hour_ms
    slot = hour_of_week(hour_ms)
    expected = alarm.rates[slot] * alarm.level
    turn = Turn.NOTHING
    # An alarm must be able to end however little is expected by now.
    if alarm.since_ms or (alarm.hours >= WARM_UP_HOURS and expected >= SMALLEST_EXPECTED):
        turn = _weigh(alarm, hour_ms, expected, orders)
    _learn(alarm, slot, expected, orders)
    return Judged(turn, expected, orders)


def _weigh(alarm: OrdersAlarm, hour_ms: int, expected: float, orders: int) -> Turn:
    """Add the log-likelihood ratio of "fallen to half" against "as expected"."""
    for_fall = (orders * log(FALL) + expected * (1.0 - FALL)) / max(1.0, alarm.scatter)
    if alarm.since_ms:
        alarm.expected_since += expected
        alarm.actual_since += orders
        alarm.recovery_evidence = max(0.0, alarm.recovery_evidence - for_fall)
        if alarm.recovery_evidence < THRESHOLD:
            return Turn.NOTHING
        _calm(alarm)
        return Turn.RESOLVED
    if alarm.fall_evidence <= 0.0:
        alarm.suspected_ms = hour_ms
        alarm.expected_since, alarm.actual_since = 0.0, 0
    alarm.fall_evidence = max(0.0, alarm.fall_evidence + for_fall)
    alarm.expected_since += expected
    alarm.actual_since += orders
    if alarm.fall_evidence < THRESHOLD:
        return Turn.NOTHING
    alarm.since_ms = alarm.suspected_ms
    alarm.recovery_evidence = 0.0
    _freeze(alarm)
    return Turn.FIRED


def _learn(alarm: OrdersAlarm, slot: int, expected: float, orders: int) -> None:
    alarm.hours += 1
    if alarm.since_ms:
        alarm.frozen_hours += 1
        alarm.expected_frozen += expected
        alarm.actual_frozen += orders
        if alarm.frozen_hours >= FROZEN_HOURS_AT_MOST:
            # What has lasted a week is how it is now; the evidence must decide again from there.
            _set_level(
                alarm,
                alarm.level * (alarm.actual_frozen + 1.0) / (alarm.expected_frozen + 1.0),
            )
            _freeze(alarm)
        return
    weeks = alarm.hours // WEEK_HOURS
    weight = max(RATE_WEIGHT, 1.0 / (weeks + 1))
    alarm.rates[slot] += weight * (orders / alarm.level - alarm.rates[slot])
    if alarm.hours >= WARM_UP_HOURS and expected >= SMALLEST_EXPECTED:
        surprise = min((orders - expected) ** 2 / expected, SCATTER_OF_ONE_HOUR_AT_MOST)
        alarm.scatter += SCATTER_WEIGHT * (surprise - alarm.scatter)
        _set_level(alarm, alarm.level + LEVEL_WEIGHT * (orders / expected - 1.0) * alarm.level)


def _calm(alarm: OrdersAlarm) -> None:
    alarm.fall_evidence = alarm.recovery_evidence = 0.0
    alarm.since_ms = alarm.suspected_ms = 0
    _freeze(alarm)


def _freeze(alarm: OrdersAlarm) -> None:
    """Begin to measure what comes while nothing is learned."""
    alarm.frozen_hours, alarm.expected_frozen, alarm.actual_frozen = 0, 0.0, 0


def _set_level(alarm: OrdersAlarm, level: float) -> None:
    alarm.level = min(LEVEL_AT_MOST, max(LEVEL_AT_LEAST, level))
