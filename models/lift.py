"""What rules brought: customers they acted on against customers left alone for comparison.

The unit is the customer, once: from the first time a rule's moment came and chance decided whether
it acted, and from then on whatever came of it (a message held, capped or refused included, as it
would have been for those left alone). Outcomes are those of a fixed number of days after that time;
customers for whom they are not over yet are not counted. Who was in two arms is in neither.

The holdout gets nothing from any rule, so a single rule's lift is that of being written to from its
moment on, by it and whatever follows; only the lift of all rules together is theirs alone.
Bounds hold however often they are looked at (models/always_valid.py), each number for itself.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import Any, NamedTuple

from models.always_valid import Sample, interval_over, joined
from models.assignment import HOLDOUT

OUTCOMES = ("buyers", "orders", "revenue_cents", "discount_cents", "unsubscribed")
"""Per customer: whether it ordered, how many orders, what they brought without what was refunded,
what was given off on them, whether a channel was unsubscribed from."""
WINDOWS_DAYS = (14, 30)
ALL = ""
# Fixed beforehand: a shop of some thousands with one in twenty left alone is seen best.
PLANNED = 400
# Asymptotics need some customers on both sides; with fewer there are no bounds.
LEAST = 20


class Group(NamedTuple):
    """Customers of one rule, playbook version, tier and arm, as they are counted.

    `arm` is HOLDOUT for those left alone, "" where a rule has no arms; `propensity` how probable
    it was. `samples` has one for each of OUTCOMES, in their order.
    """

    rule: str
    version: int
    tier: str
    arm: str
    propensity: float
    samples: tuple[Sample, ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """One outcome: means per customer, their difference and its bounds; None: not known yet.

    `total` and its bounds are the difference times the customers treated: what the rule brought.
    """

    treated: float
    control: float
    difference: float
    low: float | None
    high: float | None
    total: float
    total_low: float | None
    total_high: float | None

    @property
    def is_clear(self) -> bool:
        """Whether the bounds leave zero out."""
        return self.low is not None and self.high is not None and not self.low <= 0.0 <= self.high


@dataclass(frozen=True, slots=True)
class Lift:
    """What a rule brought in a tier by an arm; ALL where it is of every rule, tier or arm."""

    rule: str
    tier: str
    arm: str
    treated: int
    control: int
    outcomes: Mapping[str, Difference]


@dataclass(slots=True)
class _Split:
    """A time in which customers were divided by the same chances."""

    chances: dict[str, float]
    treated: dict[tuple[str, str], list[Group]] = field(default_factory=dict)
    control: dict[str, list[Group]] = field(default_factory=dict)


def lifts(groups: Iterable[Group]) -> list[Lift]:
    """Compare; rules by name, those of ALL first, and within a rule all tiers and arms first."""
    by_rule: dict[str, list[Group]] = {}
    for group in groups:
        by_rule.setdefault(group.rule, []).append(group)
    return [one for rule in sorted(by_rule) for one in _of_rule(rule, by_rule[rule])]


def _of_rule(rule: str, groups: list[Group]) -> list[Lift]:
    splits = _splits(groups)
    tiers = sorted({group.tier for group in groups if group.tier})
    arms = sorted({group.arm for group in groups} - {HOLDOUT, ALL})
    found = []
    for tier in (ALL, *tiers):
        for arm in (ALL, *arms):
            lift = _compare(rule, tier, arm, splits)
            if lift is not None:
                found.append(lift)
    return found


def _splits(groups: list[Group]) -> list[_Split]:
    """Put versions of the playbook together as long as no chance is another than before."""
    splits: list[_Split] = []
    for version in sorted({group.version for group in groups}):
        own = [group for group in groups if group.version == version]
        chances = {group.arm: round(group.propensity, 9) for group in own}
        last = splits[-1] if splits else None
        if last is None or any(last.chances.get(arm, one) != one for arm, one in chances.items()):
            last = _Split({})
            splits.append(last)
        last.chances |= chances
        for group in own:
            if group.arm == HOLDOUT:
                last.control.setdefault(group.tier, []).append(group)
            else:
                last.treated.setdefault((group.tier, group.arm), []).append(group)
    return splits


def _compare(rule: str, tier: str, arm: str, splits: list[_Split]) -> Lift | None:
    strata = []
    for split in splits:
        treated = [
            group
            for (of_tier, of_arm), own in split.treated.items()
            if tier in (ALL, of_tier) and arm in (ALL, of_arm)
            for group in own
        ]
        control = [
            group
            for of_tier, own in split.control.items()
            if tier in (ALL, of_tier)
            for group in own
        ]
        if treated and control:
            strata.append((_together(treated), _together(control)))
    if not strata:
        return None
    return Lift(
        rule,
        tier,
        arm,
        sum(treated[0].count for treated, _ in strata),
        sum(control[0].count for _, control in strata),
        {name: _difference(at, strata) for at, name in enumerate(OUTCOMES)},
    )


def _together(groups: list[Group]) -> tuple[Sample, ...]:
    samples = tuple(Sample() for _ in OUTCOMES)
    for group in groups:
        samples = tuple(joined(*pair) for pair in zip(samples, group.samples, strict=True))
    return samples


def _difference(at: int, strata: list[tuple[tuple[Sample, ...], tuple[Sample, ...]]]) -> Difference:
    pairs = [(treated[at], control[at]) for treated, control in strata]
    treated, control = (_joined(one[side] for one in pairs) for side in (0, 1))
    found = interval_over(pairs, planned=PLANNED)
    enough = min(treated.count, control.count) >= LEAST
    low = found.low if enough and isfinite(found.low) else None
    high = found.high if enough and isfinite(found.high) else None
    many = treated.count
    return Difference(
        treated.mean,
        control.mean,
        found.difference,
        low,
        high,
        found.difference * many,
        None if low is None else low * many,
        None if high is None else high * many,
    )


def _joined(samples: Iterable[Sample]) -> Sample:
    whole = Sample()
    for one in samples:
        whole = joined(whole, one)
    return whole


def told(lift: Lift) -> dict[str, Any]:
    """Write a lift down for JSON."""
    outcomes = {
        name: {
            "treated": one.treated,
            "control": one.control,
            "difference": one.difference,
            "low": one.low,
            "high": one.high,
            "total": one.total,
            "total_low": one.total_low,
            "total_high": one.total_high,
            "clear": one.is_clear,
        }
        for name, one in lift.outcomes.items()
    }
    return {
        "rule": lift.rule or None,
        "tier": lift.tier or None,
        "arm": lift.arm or None,
        "treated": lift.treated,
        "control": lift.control,
        "outcomes": outcomes,
    }
