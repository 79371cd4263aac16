"""Counts that fade: three half-lives of order counts, and weights of favourite categories.

A count is kept as of its newest event; an older event joins already faded, so the order in which
events arrive makes no difference but for rounding (S33).
"""

from math import exp, log
from typing import Protocol

import msgspec

from models.clock import DAY_MS

HALF_LIVES_DAYS = (7.0, 30.0, 90.0)
_RATES_PER_MS = tuple(log(2) / (days * DAY_MS) for days in HALF_LIVES_DAYS)
CATEGORY_HALF_LIFE_DAYS = 60.0
_CATEGORY_RATE_PER_MS = log(2) / (CATEGORY_HALF_LIFE_DAYS * DAY_MS)
KEPT_CATEGORIES = 10
LANDMARK_DAYS = 512
_LANDMARK_MS = LANDMARK_DAYS * DAY_MS


class DecayedCounts(msgspec.Struct, array_like=True, gc=False):
    """Order counts with half-lives of 7, 30 and 90 days, as of `at_ms`."""

    at_ms: int = 0
    week: float = 0.0
    month: float = 0.0
    quarter: float = 0.0


def add(counts: DecayedCounts, at_ms: int, weight: float) -> None:
    """Count an event of `weight` (negative to take one back)."""
    if at_ms >= counts.at_ms:
        week, month, quarter = as_of(counts, at_ms)
        counts.at_ms = at_ms
        counts.week, counts.month, counts.quarter = week + weight, month + weight, quarter + weight
    else:
        age_ms = counts.at_ms - at_ms
        counts.week += weight * exp(-_RATES_PER_MS[0] * age_ms)
        counts.month += weight * exp(-_RATES_PER_MS[1] * age_ms)
        counts.quarter += weight * exp(-_RATES_PER_MS[2] * age_ms)


def as_of(counts: DecayedCounts, at_ms: int) -> tuple[float, float, float]:
    """Give the three counts at `at_ms`, not before their own time.

    >>> counts = DecayedCounts()
    >>> add(counts, 0, 1.0)
    >>> [round(count, 3) for count in as_of(counts, 30 * DAY_MS)]
    [0.051, 0.5, 0.794]
    """
    age_ms = at_ms - counts.at_ms
    if age_ms <= 0:
        return counts.week, counts.month, counts.quarter
    return (
        counts.week * exp(-_RATES_PER_MS[0] * age_ms),
        counts.month * exp(-_RATES_PER_MS[1] * age_ms),
        counts.quarter * exp(-_RATES_PER_MS[2] * age_ms),
    )


def join(counts: DecayedCounts, other: DecayedCounts) -> None:
    """Add another history's counts."""
    at_ms = max(counts.at_ms, other.at_ms)
    mine, theirs = as_of(counts, at_ms), as_of(other, at_ms)
    counts.at_ms = at_ms
    counts.week, counts.month, counts.quarter = (
        one + another for one, another in zip(mine, theirs, strict=True)
    )


class Preferring(Protocol):
    """Whoever has fading category weights."""

    categories: dict[str, float]
    categories_at_ms: int


def prefer(customer: Preferring, added: dict[str, float], at_ms: int) -> None:
    """Add weights to categories; the weakest fall out.

    Instead of fading all others, what is new weighs more: weights are as of `categories_at_ms`, a
    moment that moves only every LANDMARK_DAYS (forward decay: Cormode et al., ICDE 2009).
    """
    weights = customer.categories
    landmark_ms = at_ms - at_ms % _LANDMARK_MS
    if landmark_ms > customer.categories_at_ms:
        if weights:
            faded = exp(_CATEGORY_RATE_PER_MS * (customer.categories_at_ms - landmark_ms))
            weights = {name: weight * faded for name, weight in weights.items()}
            customer.categories = weights
        customer.categories_at_ms = landmark_ms
    scale = exp(_CATEGORY_RATE_PER_MS * (at_ms - customer.categories_at_ms))
    for name, weight in added.items():
        weights[name] = weights.get(name, 0.0) + weight * scale
    while len(weights) > KEPT_CATEGORIES:
        least = min(weights.values())
        del weights[max(name for name, weight in weights.items() if weight == least)]
