"""Intervals for the difference of two means that may be looked at all the time.

An interval that is meant for one look at the end is wrong far more often than it says when somebody
watches it and stops as soon as it looks good. These (the mixture sequential probability ratio test
with a normal mixture: Robbins 1970; Johari et al. 2022) miss the truth with a probability of at
most alpha over all looks together, however many and whenever.

The state is three numbers an arm, and arms of several partitions add up. An observation is one
customer's outcome, taken once and for good: 1 or 0 for a proportion, cents for money. It holds
asymptotically; where outcomes are rare and one arm is small (a holdout) the small arm's own spread
is no guide: while it has seen no order it would be zero, and every second comparison would ring
(measured: tests/models/test_always_valid.py). So the spread is never taken for less than that of
both arms together, which is exact as long as there is no difference.
"""

from collections.abc import Sequence
from math import exp, inf, log, log1p, sqrt
from typing import NamedTuple

import msgspec

ALPHA = 0.05
PLANNED = 2_000
_PLANNED_AT_LEAST = 400
_EXPONENT_AT_MOST = 700.0


class Sample(msgspec.Struct, array_like=True, gc=False):
    """What is known of one arm: how many, their mean, the sum of squared deviations from it."""

    count: int = 0
    mean: float = 0.0
    squares: float = 0.0


class Interval(NamedTuple):
    """Treated minus control, per customer, and the bounds it lies within; infinite at first."""

    difference: float
    low: float
    high: float


def add(sample: Sample, value: float) -> None:
    """Take one customer's outcome.

    >>> sample = Sample()
    >>> for value in (0, 0, 1, 1): add(sample, value)
    >>> sample
    Sample(count=4, mean=0.5, squares=1.0)
    """
    sample.count += 1
    deviation = value - sample.mean
    sample.mean += deviation / sample.count
    sample.squares += deviation * (value - sample.mean)


def joined(one: Sample, other: Sample) -> Sample:
    """Both samples as one."""
    count = one.count + other.count
    if not count:
        return Sample()
    apart = other.mean - one.mean
    return Sample(
        count,
        (one.count * one.mean + other.count * other.mean) / count,
        one.squares + other.squares + apart * apart * one.count * other.count / count,
    )


def interval(
    treated: Sample, control: Sample, alpha: float = ALPHA, planned: float = PLANNED
) -> Interval:
    """Bounds of the true difference; wrong at any look ever with a probability of at most alpha.

    It is tightest when about `planned` customers an arm were seen (the harmonic mean of arms of
    different size). That must be chosen beforehand and not changed on the way.

    >>> few = Sample(1, 3.0, 0.0)
    >>> interval(few, few)
    Interval(difference=0.0, low=-inf, high=inf)
    """
    difference = treated.mean - control.mean
    return _bounds(
        difference, _variance(treated, control), _effective(treated, control), alpha, planned
    )


def interval_over(
    strata: Sequence[tuple[Sample, Sample]], alpha: float = ALPHA, planned: float = PLANNED
) -> Interval:
    """Bounds of one difference, from times in which customers were divided differently.

    Each of `strata` is the treated and the control of one such time; only what was divided by the
    same chance is compared, and each difference counts by what is known of it. A stratum that
    lacks one of the two says nothing.

    >>> some, more = Sample(40, 0.5, 10.0), Sample(60, 0.4, 14.4)
    >>> interval_over([(some, more)]) == interval(some, more)
    True
    """
    both = [(one, other) for one, other in strata if one.count and other.count]
    spare = sum(one.count + other.count - 2 for one, other in both)
    squares = sum(one.squares + other.squares for one, other in both)
    effective = sum(_effective(one, other) for one, other in both)
    if spare <= 0 or not squares > 0.0:
        difference = _weighed([(_effective(*pair), _apart(*pair)) for pair in both])
        return Interval(difference, -inf, inf)
    together = squares / spare
    difference = variance = 0.0
    for one, other in both:
        share = _effective(one, other) / effective
        difference += share * _apart(one, other)
        spread = max(_spread_apart(one, other), together * (1.0 / one.count + 1.0 / other.count))
        variance += share * share * spread
    return _bounds(difference, variance, effective, alpha, planned)


def _weighed(parts: list[tuple[float, float]]) -> float:
    whole = sum(weight for weight, _ in parts)
    return sum(weight * value for weight, value in parts) / whole if whole else 0.0


def _apart(treated: Sample, control: Sample) -> float:
    return treated.mean - control.mean


def _bounds(
    difference: float, variance: float, effective: float, alpha: float, planned: float
) -> Interval:
    if not variance > 0.0:
        return Interval(difference, -inf, inf)
    grown = _grown(effective, planned)
    width = variance * (1.0 + 1.0 / grown) * (log1p(grown) - 2.0 * log(alpha))
    return Interval(difference, difference - sqrt(width), difference + sqrt(width))


def p_value(treated: Sample, control: Sample, planned: float = PLANNED) -> float:
    """Probability of ever seeing so much if there were no difference.

    At or below alpha exactly when the interval for that alpha leaves zero out. Of several looks
    the smallest value holds.
    """
    variance = _variance(treated, control)
    if not variance > 0.0:
        return 1.0
    grown = _grown(_effective(treated, control), planned)
    distance = (treated.mean - control.mean) ** 2 / variance
    evidence = 0.5 * distance * grown / (1.0 + grown) - 0.5 * log1p(grown)
    return min(1.0, exp(-min(evidence, _EXPONENT_AT_MOST)))


def _variance(treated: Sample, control: Sample) -> float:
    """Variance of the difference of means; 0 while nothing is known of it."""
    if treated.count < 2 or control.count < 2:
        return 0.0
    together = (treated.squares + control.squares) / (treated.count + control.count - 2)
    least = together * (1.0 / treated.count + 1.0 / control.count)
    return max(_spread_apart(treated, control), least)


def _spread_apart(treated: Sample, control: Sample) -> float:
    """Variance of the difference by each arm's own spread; 0 where one has none yet."""
    if treated.count < 2 or control.count < 2:
        return 0.0
    return (
        treated.squares / (treated.count - 1) / treated.count
        + control.squares / (control.count - 1) / control.count
    )


def _effective(treated: Sample, control: Sample) -> float:
    """How many customers an arm tell as much, halved: n and n give n / 2."""
    both = treated.count + control.count
    return treated.count * control.count / both if both else 0.0


def _grown(effective: float, planned: float) -> float:
    """How much is known, in units of what the mixture is tuned to."""
    return effective * 2.0 / max(planned, _PLANNED_AT_LEAST) * _TUNED


def _tuned_for(alpha: float) -> float:
    """Where the bounds are tightest in units of the noise: m = log(1 + m) - 2 log(alpha)."""
    found = 1.0
    for _ in range(60):
        found = log1p(found) - 2.0 * log(alpha)
    return found


_TUNED = _tuned_for(ALPHA)
