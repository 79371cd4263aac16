"""BG/NBD by maximum likelihood: its published likelihood, and parameters found again."""

import numpy as np
import pytest

from streams.evaluate.baselines.bgnbd import (
    PUBLISHED_CDNOW,
    Fit,
    Summary,
    expected_purchases,
    fit,
    log_likelihoods,
)

TRUE = Fit(0.6, 6.0, 0.8, 2.5, 0.0, converged=True)


def simulated(customers: int, parameters: Fit, seed: int = 1) -> Summary:
    """Histories of customers who live as the model says, seen for 20 to 60 weeks."""
    chance = np.random.default_rng(seed)
    repeats, seen, length = [], [], []
    for _ in range(customers):
        rate = chance.gamma(parameters.r, 1 / parameters.alpha)
        leaves = chance.beta(parameters.a, parameters.b)
        weeks, at, count, last = chance.uniform(20, 60), 0.0, 0, 0.0
        while True:
            at += chance.exponential(1 / max(rate, 1e-9))
            if at > weeks:
                break
            count, last = count + 1, at
            if chance.random() < leaves:
                break
        repeats.append(count)
        seen.append(last)
        length.append(weeks)
    return Summary(*(np.array(one, dtype=float) for one in (repeats, seen, length)))


def test_the_first_customer_of_the_paper_is_expected_to_buy_as_published() -> None:
    first = Summary(np.array([2.0]), np.array([30.43]), np.array([38.86]))
    assert expected_purchases(PUBLISHED_CDNOW, first, 39.0)[0] == pytest.approx(1.226, abs=1e-3)


def test_parameters_are_found_again() -> None:
    found = fit(simulated(6_000, TRUE))
    assert found.converged
    assert found.r / found.alpha == pytest.approx(TRUE.r / TRUE.alpha, rel=0.1)
    assert found.a / (found.a + found.b) == pytest.approx(TRUE.a / (TRUE.a + TRUE.b), rel=0.15)


def test_the_fit_is_no_worse_than_the_truth() -> None:
    told = simulated(2_000, TRUE)
    truth = np.array([TRUE.r, TRUE.alpha, TRUE.a, TRUE.b])
    assert fit(told).log_likelihood >= float(log_likelihoods(truth, *told).sum()) - 1e-6


def test_who_never_left_has_no_inner_maximum_and_says_so() -> None:
    chance = np.random.default_rng(2)
    repeats = chance.poisson(10, 300).astype(float)
    told = Summary(repeats, np.where(repeats > 0, 39.9, 0.0), np.full(300, 40.0))
    assert not fit(told).converged


def test_expectations_are_finite_and_grow_with_time() -> None:
    told = simulated(200, TRUE)
    short, long = (expected_purchases(TRUE, told, weeks) for weeks in (4.0, 52.0))
    assert np.isfinite(long).all()
    assert (long >= short).all()
    assert (short >= 0).all()
