"""Intervals that may be looked at after every single customer."""

import math
import random
from collections.abc import Callable
from statistics import median

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.always_valid import ALPHA, Sample, add, interval, joined, p_value

Draw = Callable[[random.Random], float]
outcomes = st.lists(st.floats(-1e6, 1e6), max_size=30)


def orders(share: float) -> Draw:
    return lambda chance: float(chance.random() < share)


def money(share: float) -> Draw:
    """Few buy, and what they spend has a long tail."""
    return lambda chance: chance.lognormvariate(8, 1) if chance.random() < share else 0.0


def sample_of(values: list[float]) -> Sample:
    sample = Sample()
    for value in values:
        add(sample, value)
    return sample


class Trial:
    """Customers one after another; somebody looks after each."""

    def __init__(self, seed: int, treated: Draw, control: Draw, held_out: float) -> None:
        self.chance = random.Random(seed)
        self.treated, self.control = Sample(), Sample()
        self._draws, self._held_out = (treated, control), held_out

    def next(self) -> None:
        if self.chance.random() < self._held_out:
            add(self.control, self._draws[1](self.chance))
        else:
            add(self.treated, self._draws[0](self.chance))

    def first_look(self, customers: int, is_over: Callable[["Trial"], bool]) -> int | None:
        """After how many customers it is first over, if it ever is."""
        for number in range(1, customers + 1):
            self.next()
            if is_over(self):
                return number
        return None


def rings(trial: Trial) -> bool:
    return p_value(trial.treated, trial.control) <= ALPHA


def rings_naively(trial: Trial) -> bool:
    one, other = trial.treated, trial.control
    if one.count < 30 or other.count < 30 or not one.squares or not other.squares:
        return False
    error = math.sqrt(one.squares / one.count**2 + other.squares / other.count**2)
    return abs(one.mean - other.mean) > 1.96 * error


@pytest.mark.parametrize(
    ("draw", "held_out"),
    [
        (orders(0.05), 0.5),
        (orders(0.5), 0.5),
        (orders(0.01), 0.05),
        (orders(0.05), 0.05),
        (orders(0.05), 0.9),
        (money(0.05), 0.05),
        (money(0.3), 0.5),
    ],
)
def test_looking_after_every_customer_rings_no_oftener_than_alpha(
    draw: Draw, held_out: float
) -> None:
    trials = [Trial(seed, draw, draw, held_out) for seed in range(120)]
    rung = [trial for trial in trials if trial.first_look(2_500, rings) is not None]
    assert len(rung) <= ALPHA * len(trials)


def test_the_usual_test_rings_for_nothing_when_it_is_looked_at_all_the_time() -> None:
    """The same trials, judged as if each look were the only one."""
    trials = [Trial(seed, orders(0.3), orders(0.3), 0.5) for seed in range(60)]
    rung = [trial for trial in trials if trial.first_look(2_500, rings_naively) is not None]
    assert len(rung) >= 5 * ALPHA * len(trials)


@pytest.mark.parametrize(
    ("treated", "control", "held_out", "customers", "found_at_least"),
    [
        (0.30, 0.20, 0.5, 4_000, 0.95),
        (0.10, 0.05, 0.5, 4_000, 0.95),
        (0.10, 0.05, 0.05, 12_000, 0.9),
        (0.05, 0.10, 0.5, 4_000, 0.95),
    ],
)
def test_a_real_difference_is_found(
    treated: float, control: float, held_out: float, customers: int, found_at_least: float
) -> None:
    looks = []
    for seed in range(30):
        trial = Trial(seed, orders(treated), orders(control), held_out)
        look = trial.first_look(customers, rings)
        if look is not None:
            looks.append(look)
            assert (trial.treated.mean > trial.control.mean) is (treated > control)
    assert len(looks) >= found_at_least * 30
    assert median(looks) < customers / 2


@pytest.mark.parametrize(
    ("treated", "control", "held_out"), [(0.3, 0.1, 0.5), (0.05, 0.2, 0.05), (0.2, 0.05, 0.05)]
)
def test_the_truth_stays_within_the_bounds_at_every_look(
    treated: float, control: float, held_out: float
) -> None:
    def is_outside(trial: Trial) -> bool:
        _, low, high = interval(trial.treated, trial.control)
        return not low <= treated - control <= high

    trials = [Trial(seed, orders(treated), orders(control), held_out) for seed in range(60)]
    missed = [trial for trial in trials if trial.first_look(2_500, is_outside) is not None]
    assert len(missed) <= ALPHA * len(trials)


@pytest.mark.parametrize("alpha", [0.01, 0.05, 0.2])
def test_the_interval_leaves_zero_out_exactly_when_the_p_value_says_so(alpha: float) -> None:
    trial, both = Trial(4, orders(0.25), orders(0.2), 0.3), set()
    for _ in range(6_000):
        trial.next()
        _, low, high = interval(trial.treated, trial.control, alpha)
        p = p_value(trial.treated, trial.control)
        if abs(p - alpha) > 1e-9:
            assert (low <= 0.0 <= high) is (p > alpha)
            both.add(p > alpha)
    assert both == {True, False}


def test_bounds_narrow_with_what_is_known_and_widen_with_certainty() -> None:
    trial, widths = Trial(4, orders(0.25), orders(0.2), 0.5), []
    for customers in (100, 1_000, 10_000):
        while trial.treated.count + trial.control.count < customers:
            trial.next()
        _, low, high = interval(trial.treated, trial.control)
        widths.append(high - low)
    assert widths[0] > 2 * widths[1] > 4 * widths[2]
    _, low, high = interval(trial.treated, trial.control, alpha=0.001)
    assert high - low > widths[-1]


def test_bounds_are_tightest_about_where_it_was_planned() -> None:
    def width(customers_an_arm: int, planned: float) -> float:
        sample = Sample(customers_an_arm, 0.5, 0.25 * customers_an_arm)
        return interval(sample, sample, planned=planned).high

    for customers in (1_000, 10_000):
        plans = [customers / 8, customers / 2, customers, customers * 2, customers * 8]
        assert min(plans, key=lambda planned: width(customers, planned)) == customers


@pytest.mark.parametrize(
    ("treated", "control"),
    [
        (Sample(), Sample()),
        (Sample(1, 5.0, 0.0), Sample(1_000, 0.1, 90.0)),
        (Sample(1_000, 0.1, 90.0), Sample(1, 5.0, 0.0)),
        # Nobody did anything yet, or everybody the same.
        (Sample(1_000, 0.0, 0.0), Sample(1_000, 0.0, 0.0)),
        (Sample(1_000, 1.0, 0.0), Sample(1_000, 0.0, 0.0)),
    ],
)
def test_before_anything_is_known_everything_is_possible(treated: Sample, control: Sample) -> None:
    difference, low, high = interval(treated, control)
    assert (low, high) == (-math.inf, math.inf)
    assert difference == treated.mean - control.mean
    assert p_value(treated, control) == 1.0


def test_a_small_arm_without_an_order_proves_nothing() -> None:
    """Its own spread is none; that alone would make any difference overwhelming."""
    treated = Sample(19_000, 0.002, 19_000 * 0.002 * 0.998)
    for customers in (20, 200, 1_000):
        control = Sample(customers, 0.0, 0.0)
        assert p_value(treated, control) > 0.2
        _, low, high = interval(treated, control)
        assert low < 0.0 < high


def test_an_overwhelming_difference_is_still_a_number() -> None:
    far = interval(Sample(10**9, 1.0, 1.0), Sample(10**9, 0.0, 1.0))
    assert 0.0 < far.low < far.high < 2.0
    assert 0.0 < p_value(Sample(10**9, 1.0, 1.0), Sample(10**9, 0.0, 1.0)) < 1e-200


@settings(deadline=None)
@given(outcomes, outcomes, outcomes)
def test_partitions_samples_add_up_to_the_whole(
    one: list[float], two: list[float], three: list[float]
) -> None:
    whole = sample_of(one + two + three)
    for added in (
        joined(joined(sample_of(one), sample_of(two)), sample_of(three)),
        joined(sample_of(three), joined(sample_of(two), sample_of(one))),
    ):
        assert added.count == whole.count
        assert added.mean == pytest.approx(whole.mean, abs=1e-6)
        assert added.squares == pytest.approx(whole.squares, rel=1e-6, abs=1e-3)


@given(outcomes, outcomes)
def test_what_is_given_up_on_one_side_is_won_on_the_other(
    one: list[float], two: list[float]
) -> None:
    there, back = (
        interval(sample_of(one), sample_of(two)),
        interval(sample_of(two), sample_of(one)),
    )
    assert (back.low, back.high) == pytest.approx((-there.high, -there.low))
    assert p_value(sample_of(one), sample_of(two)) == p_value(sample_of(two), sample_of(one))
