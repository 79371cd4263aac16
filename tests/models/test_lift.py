"""What rules brought: right on average, rarely wrong however often it is looked at."""

import random
from collections.abc import Callable

import pytest

from models.always_valid import ALPHA, Sample, add, interval_over
from models.assignment import HOLDOUT
from models.lift import ALL, LEAST, OUTCOMES, Difference, Group, Lift, lifts, told

ORDERS = OUTCOMES.index("orders")
Draw = Callable[[random.Random, bool], float]


def empty() -> tuple[Sample, ...]:
    return tuple(Sample() for _ in OUTCOMES)


def take(samples: tuple[Sample, ...], orders: float) -> None:
    """One customer with so many orders; everything else of it follows."""
    outcomes = (float(orders > 0), orders, orders * 1_000, orders * 100, 0.0)
    for sample, value in zip(samples, outcomes, strict=True):
        add(sample, value)


def group(values: list[float], arm: str = "", propensity: float = 0.0, **more: object) -> Group:
    """Customers with these numbers of orders."""
    samples = empty()
    for value in values:
        take(samples, value)
    chance = propensity or (0.05 if arm == HOLDOUT else 0.95)
    filled = {"rule": "silence", "version": 1, "tier": "regular"} | more
    return Group(arm=arm, propensity=chance, samples=samples, **filled)  # type: ignore[arg-type]


def only(found: list[Lift], tier: str = ALL, arm: str = ALL) -> Lift:
    [lift] = [one for one in found if (one.tier, one.arm) == (tier, arm)]
    return lift


class Trial:
    """Customers one after another, some left alone; somebody looks now and then."""

    def __init__(self, seed: int, draw: Draw, held_out: float) -> None:
        self.chance, self._draw, self.held_out = random.Random(seed), draw, held_out
        self.sides = {True: empty(), False: empty()}

    def looks(self, customers: int, every: int) -> list[Difference]:
        found = []
        for number in range(1, customers + 1):
            treated = self.chance.random() >= self.held_out
            take(self.sides[treated], self._draw(self.chance, treated))
            if number % every == 0:
                found.append(only(lifts(self._groups())).outcomes["orders"])
        return found

    def _groups(self) -> list[Group]:
        treated, control = self.sides[True], self.sides[False]
        return [
            group([], propensity=1 - self.held_out)._replace(samples=treated),
            group([], HOLDOUT, self.held_out)._replace(samples=control),
        ]


def alike(share: float) -> Draw:
    """Nothing that is sent makes a difference."""
    return lambda chance, _: float(chance.random() < share)


def heavy(chance: random.Random, _: bool) -> float:
    """A few customers order very much, treated or not."""
    return chance.paretovariate(1.7) if chance.random() < 0.2 else 0.0


def lifted(treated: float, control: float) -> Draw:
    return lambda chance, is_treated: float(chance.random() < (treated if is_treated else control))


@pytest.mark.parametrize(
    ("draw", "held_out", "customers"),
    [
        (alike(0.2), 0.5, 1_200),
        (alike(0.2), 0.05, 2_000),
        (alike(0.03), 0.05, 2_000),
        (heavy, 0.5, 1_200),
        (heavy, 0.05, 2_000),
    ],
)
def test_where_nothing_makes_a_difference_hardly_any_look_ever_says_so(
    draw: Draw, held_out: float, customers: int
) -> None:
    trials = [Trial(seed, draw, held_out).looks(customers, every=100) for seed in range(100)]
    alarms = [looks for looks in trials if any(one.is_clear for one in looks)]
    assert len(alarms) <= ALPHA * len(trials)
    assert all(len(looks) == customers // 100 for looks in trials)


def test_a_true_lift_is_found_and_lies_within_its_bounds_at_every_look() -> None:
    trials = [Trial(seed, lifted(0.3, 0.15), 0.2).looks(3_000, every=300) for seed in range(40)]
    assert sum(looks[-1].is_clear for looks in trials) >= 36
    for looks in trials:
        assert not any(one.high is not None and one.high < 0.0 for one in looks)
    missed = [
        looks
        for looks in trials
        if any(
            one.low is not None and one.high is not None and not one.low <= 0.15 <= one.high
            for one in looks
        )
    ]
    assert len(missed) <= ALPHA * len(trials)


def test_what_a_rule_brought_is_the_difference_times_the_customers_treated() -> None:
    treated, control = [1.0, 0.0] * 60, [1.0, 0.0, 0.0, 0.0] * 10
    lift = only(lifts([group(treated), group(control, HOLDOUT)]))
    orders = lift.outcomes["orders"]
    assert (lift.treated, lift.control) == (120, 40)
    assert (orders.treated, orders.control) == pytest.approx((0.5, 0.25))
    assert (orders.difference, orders.total) == pytest.approx((0.25, 30.0))
    assert orders.low is not None
    assert orders.total_low == orders.low * 120
    assert lift.outcomes["revenue_cents"].total == pytest.approx(30_000.0)
    assert lift.outcomes["unsubscribed"].low is None


def test_tiers_add_up_and_are_told_each() -> None:
    found = lifts(
        [
            group([1.0] * 30, tier="regular"),
            group([0.0] * 30, HOLDOUT, tier="regular"),
            group([0.0] * 30, tier="dormant"),
            group([0.0] * 30, HOLDOUT, tier="dormant"),
            group([1.0], tier="new"),
        ]
    )
    assert [(one.tier, one.treated, one.control) for one in found] == [
        (ALL, 61, 60),
        ("dormant", 30, 30),
        ("regular", 30, 30),
    ]
    assert only(found, "regular").outcomes["orders"].difference == 1.0
    assert only(found, "dormant").outcomes["orders"].difference == 0.0


def test_each_arm_is_compared_with_those_left_alone() -> None:
    found = lifts(
        [
            group([1.0] * 40, "gift", 0.475),
            group([0.0] * 40, "ten", 0.475),
            group([0.0] * 40, HOLDOUT, 0.05),
        ]
    )
    assert [(one.tier, one.arm) for one in found] == [
        (ALL, ALL),
        (ALL, "gift"),
        (ALL, "ten"),
        ("regular", ALL),
        ("regular", "gift"),
        ("regular", "ten"),
    ]
    assert only(found).outcomes["orders"].difference == 0.5
    assert only(found, arm="gift").outcomes["orders"].difference == 1.0
    assert only(found, arm="ten").treated == 40


def test_a_holdout_that_grew_when_orders_fell_is_no_lift() -> None:
    """Half are left alone in the lean season, few in the fat one: taken together it looks great."""
    chance = random.Random(3)

    def season(share: float, held_out: float, version: int) -> list[Group]:
        counts = {"": round(4_000 * (1 - held_out)), HOLDOUT: round(4_000 * held_out)}
        return [
            group(
                [float(chance.random() < share) for _ in range(count)],
                arm,
                held_out if arm == HOLDOUT else 1 - held_out,
                version=version,
            )
            for arm, count in counts.items()
        ]

    seasons = [*season(0.5, 0.05, version=1), *season(0.1, 0.5, version=2)]
    found = only(lifts(seasons)).outcomes["orders"]
    assert not found.is_clear
    assert abs(found.difference) < 0.02
    naively = [one._replace(version=1, propensity=0.5) for one in seasons]
    assert only(lifts(naively)).outcomes["orders"].is_clear


def test_versions_that_divide_alike_are_one_time() -> None:
    """A holdout of three in each of ten versions is one of thirty."""
    many = [
        one
        for version in range(1, 11)
        for one in (
            group([1.0, 0.0] * 20, version=version),
            group([0.0, 1.0, 0.0], HOLDOUT, version=version),
        )
    ]
    together = [group([1.0, 0.0] * 200), group([0.0, 1.0, 0.0] * 10, HOLDOUT)]
    of_many, of_one = (only(lifts(groups)).outcomes["orders"] for groups in (many, together))
    assert of_many.difference == pytest.approx(of_one.difference)
    assert (of_many.low, of_many.high) == (
        pytest.approx(of_one.low),
        pytest.approx(of_one.high),
    )


def test_a_time_in_which_nobody_was_left_alone_says_nothing() -> None:
    groups = [
        group([1.0] * 50, propensity=0.5),
        group([0.0] * 50, HOLDOUT, 0.5),
        group([9.0] * 500, propensity=0.9, version=2),
    ]
    lift = only(lifts(groups))
    assert (lift.treated, lift.outcomes["orders"].difference) == (50, 1.0)
    assert lifts(groups[2:]) == []


@pytest.mark.parametrize(("control", "known"), [(LEAST - 1, False), (LEAST, True)])
def test_of_too_few_there_are_no_bounds(control: int, known: bool) -> None:
    lift = only(lifts([group([1.0, 0.0] * 100), group([0.0] * control, HOLDOUT)]))
    orders = lift.outcomes["orders"]
    assert (orders.low is not None, orders.total_high is not None) == (known, known)
    assert orders.is_clear is False or known
    assert told(lift)["outcomes"]["orders"]["clear"] is orders.is_clear


def test_rules_are_told_by_name_and_all_of_them_first() -> None:
    groups = [
        group([1.0] * 2, arm, rule=rule)
        for rule in ("win_back", ALL, "birthday")
        for arm in ("", HOLDOUT)
    ]
    assert [one.rule for one in lifts(groups) if not one.tier] == [ALL, "birthday", "win_back"]
    assert told(lifts(groups)[0])["rule"] is None


def test_bounds_over_several_times_hold_at_every_look() -> None:
    """The share left alone changes on the way, and so does how much is ordered."""
    false_alarms = 0
    for seed in range(100):
        chance, rang = random.Random(seed), False
        strata = [(Sample(), Sample()) for _ in range(4)]
        for treated, control in strata:
            held_out, share = chance.uniform(0.05, 0.5), chance.uniform(0.05, 0.5)
            for number in range(400):
                side = control if chance.random() < held_out else treated
                add(side, float(chance.random() < share))
                if number % 20 == 0:
                    found = interval_over(strata, planned=400)
                    rang = rang or not found.low <= 0.0 <= found.high
        false_alarms += rang
    assert false_alarms <= ALPHA * 100
