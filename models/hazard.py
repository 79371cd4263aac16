"""Purchase hazard: the probability that a customer orders again within the horizon.

Features are O(1) from the row. Until enough lessons were learned the answer is a closed form
(order rate, fading with silence over three mean gaps); afterwards it is the adopted snapshot of the
learner's logistic regression (`models/hazard_learner.py`), computed here without river. What an
event outdates is foretold when it is next needed: by a decision, or when the row is written.
Why these: ARCHITECTURE.md, decision 14.
"""

from math import exp, isfinite, log, log1p
from typing import NamedTuple

import msgspec
import xxhash

from models import daybook, decay
from models.clock import DAY_MS
from models.customer import Customer

HORIZON_DAYS = 30
LESSONS_BEFORE_USE = 500
UNKNOWN_GAP_DAYS = 30.0
FEATURES = (
    "orders",
    "silence",
    "silence_over_gap",
    "tenure",
    "rate",
    "week",
    "month",
    "quarter",
    "mean_value",
    "closed_form",
)
_SMALLEST = 1e-4
_GAPS_AT_MOST = 20.0
OUTDATED = -1
"""In place of a version: the hazard is to be foretold as of `hazard_at_ms` before it is read."""


class HazardSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """What the learner knew at the end of log day `trained_to_day`; version 0 knows nothing.

    `means`, `scales` and `weights` go with FEATURES.
    """

    version: int = 0
    trained_to_day: int = 0
    lessons: int = 0
    means: tuple[float, ...] = ()
    scales: tuple[float, ...] = ()
    weights: tuple[float, ...] = ()
    intercept: float = 0.0


NOTHING_LEARNED = HazardSnapshot()


class BadSnapshot(ValueError):
    """A snapshot that must not be adopted: numbers missing, not finite, or scales of zero."""


def checksum(snapshot: HazardSnapshot) -> str:
    """Fingerprint of a snapshot's content, as the adoption record carries it."""
    return xxhash.xxh3_64_hexdigest(msgspec.json.encode(snapshot))


def check(snapshot: HazardSnapshot) -> None:
    """Raise BadSnapshot for what would make predictions meaningless."""
    for name, numbers in (
        ("means", snapshot.means),
        ("scales", snapshot.scales),
        ("weights", snapshot.weights),
    ):
        if len(numbers) != len(FEATURES):
            raise BadSnapshot(f"{name}: {len(numbers)} numbers, expected {len(FEATURES)}")
        if not all(isfinite(number) for number in numbers):
            raise BadSnapshot(f"{name}: a number is not finite")
    if not isfinite(snapshot.intercept):
        raise BadSnapshot("intercept is not finite")
    if min(snapshot.scales) <= 0.0:
        raise BadSnapshot("scales: expected numbers above 0")


class Foretold(NamedTuple):
    """A probability, and the version of the snapshot it comes from (0: the closed form)."""

    hazard: float
    version: int


def features_of(customer: Customer, now_ms: int) -> tuple[float, ...]:
    """What is known of a customer with at least one order, in the order of FEATURES."""
    # Conditional expressions: as calls of max and min they would cost more than the rest.
    last_ms, first_ms = customer.last_order_ms, customer.first_order_ms
    silence = (now_ms - last_ms) / DAY_MS if now_ms > last_ms else 0.0
    tenure = (now_ms - first_ms) / DAY_MS if now_ms > first_ms else 0.0
    orders, value_cents = customer.orders, customer.value_cents
    order_days, span_days = daybook.extent(customer.daybook)
    gap = span_days / (order_days - 1) if order_days > 1 else UNKNOWN_GAP_DAYS
    gap = gap if gap > 1.0 else 1.0
    gaps = silence / gap
    week, month, quarter = decay.as_of(customer.decayed, now_ms)
    expected = orders / (tenure + UNKNOWN_GAP_DAYS) * HORIZON_DAYS
    fading = expected * exp(-silence / (3.0 * gap))
    return (
        log1p(orders),
        log1p(silence),
        gaps if gaps < _GAPS_AT_MOST else _GAPS_AT_MOST,
        log1p(tenure),
        log1p(expected),
        log1p(week if week > 0.0 else 0.0),
        log1p(month if month > 0.0 else 0.0),
        log1p(quarter if quarter > 0.0 else 0.0),
        log1p(value_cents / 100 / orders if value_cents > 0 else 0.0),
        log(fading if fading > _SMALLEST else _SMALLEST),
    )


def outdate(customer: Customer, now_ms: int) -> None:
    """Note that the hazard is to be foretold anew, as of `now_ms`."""
    customer.hazard_version, customer.hazard_at_ms = OUTDATED, now_ms


def settle(customer: Customer, snapshot: HazardSnapshot) -> None:
    """Foretell what is outdated; must come before another version is adopted."""
    if customer.hazard_version != OUTDATED:
        return
    if customer.orders > 0:
        features = features_of(customer, customer.hazard_at_ms)
        customer.hazard, customer.hazard_version = foretell(features, snapshot)
    else:
        customer.hazard, customer.hazard_version = 0.0, snapshot.version


def closed_form(features: tuple[float, ...]) -> float:
    """Probability without any learning: one minus the chance of no order at the fading rate."""
    return 1.0 - exp(-exp(features[-1]))


def foretell(features: tuple[float, ...], snapshot: HazardSnapshot) -> Foretold:
    """Probability of an order within the horizon, 0..1."""
    if snapshot.lessons < LESSONS_BEFORE_USE:
        return Foretold(closed_form(features), 0)
    z = snapshot.intercept
    for value, mean, scale, weight in zip(
        features, snapshot.means, snapshot.scales, snapshot.weights, strict=True
    ):
        z += weight * (value - mean) / scale
    return Foretold(1.0 / (1.0 + exp(-max(-30.0, min(30.0, z)))), snapshot.version)


def expected_days(hazard: float) -> float | None:
    """Days until half of such customers have ordered again; None when that is beyond ten years.

    >>> round(expected_days(0.5) or 0, 6)
    30.0
    """
    rate = -log(1.0 - min(hazard, 1.0 - 1e-9)) / HORIZON_DAYS
    days = log(2) / rate if rate > 0 else float("inf")
    return days if days < 3650 else None
