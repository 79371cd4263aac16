"""Watch the value of an hour's orders: a mean that moves strangely is an alert (S37).

The mean order value of each hour with enough orders is one value of a series
(`models/series_anomaly.py`). What is strange raises the alarm; a day without ends it.
"""

import msgspec

from models.clock import DAY_MS, HOUR_MS, SECOND_MS
from models.count_alarm import Turn
from models.series_anomaly import SeriesAnomaly, score

ORDERS_AT_LEAST = 5
# The strangest of five hundred hours: by chance every third week.
ALARMING = 0.82
SILENT_VALUES = 168
CALM_AFTER_MS = DAY_MS


class ValueWatch(msgspec.Struct, array_like=True):
    """The series, and the alarm that lasts; `usual_cents` is the slow mean when it was raised."""

    series: SeriesAnomaly = msgspec.field(default_factory=SeriesAnomaly)
    since_ms: int = 0
    strange_ms: int = 0
    usual_cents: float = 0.0
    value_cents: float = 0.0


class Valued(msgspec.Struct, frozen=True):
    """What an hour changed, with the values that raised the alarm it is about."""

    turn: Turn
    since_ms: int = 0
    usual_cents: float = 0.0
    value_cents: float = 0.0


def judge(watch: ValueWatch, hour_ms: int, orders: int, revenue_cents: int) -> Valued:
    """Take an hour; one with few orders says nothing about their value."""
    if orders >= ORDERS_AT_LEAST:
        value_cents = revenue_cents / orders
        usual_cents = watch.series.mean
        found = score(watch.series, hour_ms // SECOND_MS, value_cents)
        if found >= ALARMING and watch.series.seen > SILENT_VALUES:
            watch.strange_ms = hour_ms
            if not watch.since_ms:
                watch.since_ms = hour_ms
                watch.usual_cents, watch.value_cents = usual_cents, value_cents
                return Valued(Turn.FIRED, hour_ms, usual_cents, value_cents)
    if watch.since_ms and hour_ms + HOUR_MS - watch.strange_ms > CALM_AFTER_MS:
        over = Valued(Turn.RESOLVED, watch.since_ms, watch.usual_cents, watch.value_cents)
        watch.since_ms = 0
        return over
    return Valued(Turn.NOTHING)
