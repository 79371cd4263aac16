"""How good scores are: ranking (AUC, recall at a false-positive rate) and calibration."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit
from scipy.stats import rankdata

Numbers = NDArray[np.float64]
Truths = NDArray[np.bool_]
BINS = 10
DRAWS = 100
LEAST = 1e-9
FARTHEST = 40.0
HALVINGS = 60


def auc(truth: Truths, score: Numbers) -> float:
    """Probability that one who did scores above one who didn't, ties counted half.

    >>> auc(np.array([True, False, False]), np.array([0.5, 0.5, 0.1]))
    0.75
    """
    yes = int(truth.sum())
    no = len(truth) - yes
    if not yes or not no:
        return float("nan")
    return float((rankdata(score)[truth].sum() - yes * (yes + 1) / 2) / (yes * no))


def recall_at(truth: Truths, score: Numbers, false_positive_rate: float) -> float:
    """Share of those who did that score above a threshold with this false-positive rate.

    Equal scores are taken in by lot: between two thresholds both rates move together.

    >>> recall_at(np.array([True, True, False, False]), np.array([3.0, 1.0, 1.0, 0.0]), 0.25)
    0.75
    """
    falling = np.argsort(-score, kind="stable")
    ordered, came = score[falling], truth[falling]
    ends = np.append(np.flatnonzero(np.diff(ordered)), len(ordered) - 1)
    false = np.append(0.0, np.cumsum(~came)[ends]) / max(int((~truth).sum()), 1)
    true = np.append(0.0, np.cumsum(came)[ends]) / max(int(truth.sum()), 1)
    return float(np.interp(false_positive_rate, false, true))


def reliability(truth: Truths, foretold: Numbers) -> list[dict[str, Any]]:
    """By tenths of what was foretold: how many, what was foretold in the mean, how many did."""
    bins = np.minimum((foretold * BINS).astype(int), BINS - 1)
    return [
        {
            "from": place / BINS,
            "asked": int(within.sum()),
            "foretold": round(float(foretold[within].mean()), 4) if within.any() else None,
            "came": round(float(truth[within].mean()), 4) if within.any() else None,
        }
        for place in range(BINS)
        for within in (bins == place,)
    ]


def expected_calibration_error(truth: Truths, foretold: Numbers) -> float:
    """Mean gap between foretold and come over ten even bins, weighted by how many are in each."""
    gaps = [
        abs(row["foretold"] - row["came"]) * row["asked"]
        for row in reliability(truth, foretold)
        if row["asked"]
    ]
    return float(sum(gaps) / len(truth))


def calibration_floor(foretold: Numbers, seed: int = 1) -> float:
    """Mean calibration error of these probabilities were they all true: the noise of few askings.

    >>> round(calibration_floor(np.full(100, 0.5)), 2), round(calibration_floor(np.ones(100)), 2)
    (0.04, 0.0)
    """
    chance = np.random.default_rng(seed)
    drawn = (chance.random(len(foretold)) < foretold for _ in range(DRAWS))
    return float(np.mean([expected_calibration_error(truth, foretold) for truth in drawn]))


def levelled(foretold: Numbers, mean: float) -> Numbers:
    """These probabilities, all odds changed by one factor such that their mean is `mean`.

    >>> [round(float(one), 6) for one in levelled(np.array([0.5, 0.5]), 0.2)]
    [0.2, 0.2]
    """
    log_odds = logit(np.clip(foretold, LEAST, 1.0 - LEAST))
    low, high = -FARTHEST, FARTHEST
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if expit(log_odds + middle).mean() < mean else (low, middle)
    return np.asarray(expit(log_odds + (low + high) / 2), dtype=np.float64)


def brier(truth: Truths, foretold: Numbers) -> float:
    """Mean squared error of probabilities."""
    return float(((foretold - truth) ** 2).mean())
