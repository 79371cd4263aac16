"""Purchase hazard: the probability that a customer orders again within 30, 60 and 90 days.

Features are O(1) from the row. Until a horizon has enough lessons its answer is a closed form
(order rate, fading with silence over three mean gaps, less after trouble); afterwards it is the
adopted snapshot of the learner's logistic regression (`models/hazard_learner.py`), computed here
without river, scales folded into the weights. What an event outdates is foretold when it is next
needed: by a decision, or when the row is written. Why these: ARCHITECTURE.md, decision 14.
"""

from collections.abc import Iterable
from math import exp, expm1, isfinite, log, log1p
from typing import NamedTuple

import msgspec

from models import outlook
from models.clock import DAY_MS
from models.customer import Customer
from models.daybook import BYTES_A_DAY

HORIZONS_DAYS = (30, 60, 90)
HORIZON_DAYS = HORIZONS_DAYS[0]
LESSONS_BEFORE_USE = 500
UNKNOWN_GAP_DAYS = 60.0
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
    "trouble",
)
# Halves the odds on the day of a complaint or a return, where a shop has not shown what it does.
TROUBLE_WEIGHT = -0.7
TROUBLE_DAYS = 30.0
_SMALLEST = 1e-4
_LOG_SMALLEST = log(_SMALLEST)
_HORIZON_DAYS = float(HORIZON_DAYS)
_THIRD = 1.0 / 3.0
_GAPS_AT_MOST = 20.0
_WEIGHT_AT_MOST = 1e6
_DAYS_PER_MS = 1.0 / DAY_MS
_WEEK_PER_MS = -log(2) / (7 * DAY_MS)
_QUARTER_PER_MS = -log(2) / (90 * DAY_MS)
# Worse than the closed form by so much: what was foretold and what came no longer agree.
_BRIER_AT_MOST = 0.03
OUTDATED = -1
"""In place of a version: the hazard is to be foretold as of `hazard_at_ms` before it is read."""


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """What was learned about one horizon; `weights` go with FEATURES as they stand, unscaled.

    `brier` and `brier_closed_form` are mean squared errors on the newest lessons, before learning
    from them.
    """

    horizon_days: int
    lessons: int = 0
    weights: tuple[float, ...] = ()
    intercept: float = 0.0
    brier: float = 0.0
    brier_closed_form: float = 0.0


class HazardSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """What the learner knew at the end of log day `trained_to_day`; version 0 knows nothing.

    `gap_days` is the shop's own mean gap; `level` is orders that came over orders expected;
    `edges` are the probabilities below which a customer is cooling, dormant, lost
    (`models/dormancy.py`), empty for the plain rule of `dormant_after_days`.
    """

    version: int = 0
    trained_to_day: int = 0
    lessons: int = 0
    horizons_days: tuple[int, ...] = HORIZONS_DAYS
    heads: tuple[Head, ...] = ()
    gap_days: float = UNKNOWN_GAP_DAYS
    level: float = 1.0
    edges: tuple[float, ...] = ()
    dormant_after_days: int = 30


NOTHING_LEARNED = HazardSnapshot()


class BadSnapshot(ValueError):
    """A snapshot that must not be adopted: numbers missing, not finite, or foretelling badly."""


def check(snapshot: HazardSnapshot) -> None:
    """Raise BadSnapshot for what would make predictions meaningless."""
    horizons = tuple(head.horizon_days for head in snapshot.heads)
    if horizons != snapshot.horizons_days:
        raise BadSnapshot(f"heads: horizons {horizons}, expected {snapshot.horizons_days}")
    for head in snapshot.heads:
        _check_head(head)
    for name in ("gap_days", "level", "dormant_after_days"):
        number = getattr(snapshot, name)
        if not (isfinite(number) and number > 0):
            raise BadSnapshot(f"{name}: {number}, expected a number above 0")
    edges = snapshot.edges
    if len(edges) not in (0, 3) or not all(isfinite(edge) for edge in edges):
        raise BadSnapshot(f"edges: {edges}, expected none or three probabilities")
    if edges and not 1.0 >= edges[0] >= edges[1] >= edges[2] >= 0.0:
        raise BadSnapshot(f"edges: {edges}, expected three probabilities, falling")


def _check_head(head: Head) -> None:
    name = f"{head.horizon_days} days"
    if len(head.weights) != len(FEATURES):
        raise BadSnapshot(f"weights, {name}: {len(head.weights)} numbers, expected {len(FEATURES)}")
    if not all(isfinite(number) for number in head.weights):
        raise BadSnapshot(f"weights, {name}: a number is not finite")
    if max(map(abs, head.weights)) > _WEIGHT_AT_MOST:
        raise BadSnapshot(f"weights, {name}: expected none above {_WEIGHT_AT_MOST:.0f}")
    if not isfinite(head.intercept):
        raise BadSnapshot(f"intercept, {name}: it is not finite")
    if (
        head.lessons >= LESSONS_BEFORE_USE
        and not head.brier <= head.brier_closed_form + _BRIER_AT_MOST
    ):
        raise BadSnapshot(
            f"calibration, {name}: Brier {head.brier:.3f}, the closed form has "
            f"{head.brier_closed_form:.3f}"
        )


class Foretold(NamedTuple):
    """A probability, and the version of the snapshot it comes from (0: the closed form)."""

    hazard: float
    version: int


def features_of(
    customer: Customer, now_ms: int, gap_days: float = UNKNOWN_GAP_DAYS
) -> tuple[float, ...]:
    """What is known of a customer with at least one order, in the order of FEATURES.

    `gap_days`, the shop's own, counts like one gap of the customer's.
    """
    # No calls that can be spared, and floats from the start: this is asked most of all. Floats hold
    # milliseconds exactly, and Python reckons with them faster than with integers above 2**30; log
    # costs three of log1p.
    now = now_ms + 0.0
    silence = (now - customer.last_order_ms) * _DAYS_PER_MS
    if silence < 0.0:  # noqa: PLR1730  # max costs three comparisons
        silence = 0.0
    tenure = (now - customer.first_order_ms) * _DAYS_PER_MS
    if tenure < 0.0:  # noqa: PLR1730
        tenure = 0.0
    orders, value_cents = customer.orders + 0.0, customer.value_cents
    days = customer.daybook.days
    gap, size = gap_days, len(days)
    if size > BYTES_A_DAY:
        span = (days[-1] - days[1]) * 256.0 + (days[-2] - days[0])
        gap = (span + gap_days) / (size // BYTES_A_DAY)
    gaps = silence / gap if gap > 1.0 else silence
    counts = customer.decayed
    week, month, quarter = counts.week, counts.month, counts.quarter
    age_ms = now - counts.at_ms
    if age_ms > 0.0:
        faded = exp(_QUARTER_PER_MS * age_ms)
        week *= exp(_WEEK_PER_MS * age_ms)
        month *= faded * faded * faded
        quarter *= faded
    expected = orders * _HORIZON_DAYS / (tenure + gap_days)
    fading = log1p(expected - 1.0) - gaps * _THIRD if expected > _SMALLEST else _LOG_SMALLEST
    trouble_ms = customer.service.last_trouble_ms
    return (
        log1p(orders),
        log1p(silence),
        gaps if gaps < _GAPS_AT_MOST else _GAPS_AT_MOST,
        log1p(tenure),
        log1p(expected),
        log1p(week) if week > 0.0 else 0.0,
        log1p(month) if month > 0.0 else 0.0,
        log1p(quarter) if quarter > 0.0 else 0.0,
        log1p(value_cents / (orders * 100.0)) if value_cents > 0 else 0.0,
        fading if fading > _LOG_SMALLEST else _LOG_SMALLEST,
        _trouble(now_ms - trouble_ms) if trouble_ms else 0.0,
    )


def _trouble(age_ms: int) -> float:
    return exp(-age_ms / (TROUBLE_DAYS * DAY_MS)) if age_ms > 0 else 1.0


def outdate(customer: Customer, now_ms: int) -> None:
    """Note that the hazard is to be foretold anew, as of `now_ms`."""
    customer.hazard_version, customer.hazard_at_ms = OUTDATED, now_ms


def is_foretold(customer: Customer, now_ms: int, snapshot: HazardSnapshot) -> bool:
    """Whether the hazard is this snapshot's, as of `now_ms`: only an event can outdate it then.

    Of the closed form nobody can tell by which snapshot's `gap_days` it was reckoned.
    """
    version = customer.hazard_version
    return customer.hazard_at_ms == now_ms and version > 0 and version == version_at(snapshot)


def settle(customer: Customer, snapshot: HazardSnapshot) -> None:
    """Foretell what is outdated; must come before another version is adopted."""
    if customer.hazard_version != OUTDATED:
        return
    if customer.orders > 0:
        features = features_of(customer, customer.hazard_at_ms, snapshot.gap_days)
        hazards = foretell_all(features, snapshot)
        customer.hazard = hazards[0]
        customer.hazard_version = version_at(snapshot)
        alive = outlook.alive(features, snapshot.gap_days)
        orders_a_day = outlook.orders_a_day(features) * snapshot.level
        customer.outlook = outlook.pack(outlook.Outlook(hazards, alive, orders_a_day))
    else:
        customer.hazard, customer.hazard_version = 0.0, snapshot.version
        customer.outlook = b""


def closed_form(features: tuple[float, ...], horizon_days: int = HORIZON_DAYS) -> float:
    """Probability without any learning: one minus the chance of no order at the fading rate."""
    expected = exp(features[9] + TROUBLE_WEIGHT * features[10]) * horizon_days / HORIZON_DAYS
    return -expm1(-expected)


def foretell(features: tuple[float, ...], snapshot: HazardSnapshot, place: int = 0) -> Foretold:
    """Probability of an order within the snapshot's horizon number `place`, 0..1."""
    return Foretold(probability(features, snapshot, place), version_at(snapshot, place))


def version_at(snapshot: HazardSnapshot, place: int = 0) -> int:
    """Version that foretells within horizon number `place`; 0: the closed form."""
    heads = snapshot.heads
    return snapshot.version if heads and heads[place].lessons >= LESSONS_BEFORE_USE else 0


def probability(features: tuple[float, ...], snapshot: HazardSnapshot, place: int = 0) -> float:
    """The same without the version."""
    return _probabilities(features, snapshot, (place,))[0]


def foretell_all(features: tuple[float, ...], snapshot: HazardSnapshot) -> tuple[float, ...]:
    """Probability for each of the snapshot's horizons; a longer one is never less likely."""
    hazards: list[float] = []
    at_least = 0.0
    for hazard in _probabilities(features, snapshot, range(len(snapshot.horizons_days))):
        at_least = hazard if hazard > at_least else at_least  # max costs thrice
        hazards.append(at_least)
    return tuple(hazards)


def _probabilities(
    features: tuple[float, ...], snapshot: HazardSnapshot, places: Iterable[int]
) -> list[float]:
    heads = snapshot.heads
    # Unrolled: a loop over pairs would cost four times as much.
    f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10 = features
    found = []
    for place in places:
        if not heads or (head := heads[place]).lessons < LESSONS_BEFORE_USE:
            found.append(closed_form(features, snapshot.horizons_days[place]))
            continue
        w0, w1, w2, w3, w4, w5, w6, w7, w8, w9, w10 = head.weights
        z = (
            head.intercept
            + f0 * w0
            + f1 * w1
            + f2 * w2
            + f3 * w3
            + f4 * w4
            + f5 * w5
            + f6 * w6
            + f7 * w7
            + f8 * w8
            + f9 * w9
            + f10 * w10
        )
        z = z if z < 30.0 else 30.0
        found.append(1.0 / (1.0 + exp(-z)) if z > -30.0 else exp(-30.0))
    return found


def expected_days(hazard: float) -> float | None:
    """Days until half of such customers have ordered again; None when that is beyond ten years.

    >>> round(expected_days(0.5) or 0, 6)
    30.0
    """
    rate = -log(1.0 - min(hazard, 1.0 - 1e-9)) / HORIZON_DAYS
    days = log(2) / rate if rate > 0 else float("inf")
    return days if days < outlook.TEN_YEARS_DAYS else None
