"""BG/NBD, fitted anew by maximum likelihood: Fader, Hardie and Lee, Marketing Science 24 (2005).

Per customer: `repeats` after the first purchase, `seen` from the first to the last, `length` from
the first to now, in weeks. Where the likelihood has no inner maximum the parameters run to their
bounds; such a fit says that it did not converge.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import betaln, gammaln, hyp2f1

Numbers = NDArray[np.float64]
LOG_BOUND = 8.0
NEAR_BOUND = 0.5
STEPS_AT_MOST = 300


class Summary(NamedTuple):
    """Customers' histories as the model sees them, in weeks."""

    repeats: Numbers
    seen: Numbers
    length: Numbers


class Fit(NamedTuple):
    """Parameters, the log likelihood, and whether it is an inner maximum."""

    r: float
    alpha: float
    a: float
    b: float
    log_likelihood: float
    converged: bool


PUBLISHED_CDNOW = Fit(0.2426, 4.4136, 0.7929, 2.4259, -9582.4, converged=True)


def fit(summary: Summary, start: Fit = PUBLISHED_CDNOW) -> Fit:
    """Fit to the histories, from where `start` is."""
    rows = np.column_stack(summary)
    unique, counts = np.unique(rows, axis=0, return_counts=True)
    repeats, seen, length = unique.T

    def cost(logs: Numbers) -> float:
        value = -float((counts * log_likelihoods(np.exp(logs), repeats, seen, length)).sum())
        return value / len(rows) if np.isfinite(value) else 1e6

    found = minimize(
        cost,
        np.log([start.r, start.alpha, start.a, start.b]),
        method="L-BFGS-B",
        bounds=[(-LOG_BOUND, LOG_BOUND)] * 4,
        options={"maxiter": STEPS_AT_MOST, "ftol": 1e-12, "gtol": 1e-7},
    )
    inside = bool((np.abs(found.x) < LOG_BOUND - NEAR_BOUND).all())
    r, alpha, a, b = (float(one) for one in np.exp(found.x))
    return Fit(r, alpha, a, b, -float(found.fun) * len(rows), bool(found.success) and inside)


def log_likelihoods(
    parameters: Numbers, repeats: Numbers, seen: Numbers, length: Numbers
) -> Numbers:
    """Log likelihood of each history (equation 6 of the paper, in logarithms)."""
    r, alpha, a, b = parameters
    shared = gammaln(r + repeats) - gammaln(r) + r * np.log(alpha)
    shared = shared + betaln(a, b + repeats) - betaln(a, b)
    stayed = -(r + repeats) * np.log(alpha + length)
    left = np.log(a) - np.log(b + np.maximum(repeats, 1.0) - 1.0)
    left = left - (r + repeats) * np.log(alpha + seen)
    both = np.where(repeats > 0, np.logaddexp(stayed, left), stayed)
    result: Numbers = shared + both
    return result


def expected_purchases(fitted: Fit, summary: Summary, weeks: float) -> Numbers:
    """Purchases to be expected within so many weeks (equation 10)."""
    r, alpha, a, b = fitted.r, fitted.alpha, fitted.a, fitted.b
    if abs(a - 1.0) < 1e-6:  # the formula divides by a - 1
        a += 1e-6
    repeats, seen, length = summary
    inner = hyp2f1(r + repeats, b + repeats, a + b + repeats - 1, weeks / (alpha + length + weeks))
    fading = ((alpha + length) / (alpha + length + weeks)) ** (r + repeats)
    expected = (a + b + repeats - 1) / (a - 1) * (1 - fading * inner)
    odds = (
        a
        / (b + np.maximum(repeats, 1.0) - 1.0)
        * ((alpha + length) / (alpha + seen)) ** (r + repeats)
    )
    result: Numbers = np.nan_to_num(expected / (1 + np.where(repeats > 0, odds, 0.0)))
    return result
