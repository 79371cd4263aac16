"""k-means of a few thousand points: k-means++ for where to begin, Lloyd until nothing moves.

Batch k-means stops when centres hardly move; on the flat stretches between two solutions that is
too early for centres that go on from day to day (ARCHITECTURE.md).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

Points = NDArray[np.float64]
Labels = NDArray[np.int64]
ROUNDS_AT_MOST = 300
TRIES_PER_CENTRE = 4


class Found(NamedTuple):
    """Centres, a label for each point, and the sum of squared distances to the own centre."""

    centres: Points
    labels: Labels
    inertia: float


def begin(points: Points, count: int, chance: np.random.Generator) -> Points:
    """Draw first centres far from each other (greedy k-means++)."""
    centres = [points[chance.integers(len(points))]]
    distances = ((points - centres[0]) ** 2).sum(axis=1)
    for _ in range(count - 1):
        sums = np.cumsum(distances)
        drawn = np.searchsorted(sums, chance.random(TRIES_PER_CENTRE) * sums[-1])
        tried = points[np.minimum(drawn, len(points) - 1)]
        left = np.minimum(distances, ((points - tried[:, None, :]) ** 2).sum(axis=2))
        best = int(left.sum(axis=1).argmin())
        centres.append(tried[best])
        distances = left[best]
    return np.array(centres)


def settle(points: Points, centres: Points, tolerance: float = 0.0) -> Found:
    """Move centres into the middle of their points until labels stay, or hardly anything moves.

    `tolerance` is a share of the points' mean variance. A centre that lost all its points goes to
    the point that is farthest from its own.
    """
    least = tolerance * float(points.var(axis=0).mean())
    labels = _nearest(points, centres)
    for _ in range(ROUNDS_AT_MOST):
        moved = _middles(points, centres, labels)
        shift = float(((moved - centres) ** 2).sum())
        centres, before = moved, labels
        labels = _nearest(points, centres)
        if shift <= least or np.array_equal(labels, before):
            break
    return Found(centres, labels, float(((points - centres[labels]) ** 2).sum()))


def _nearest(points: Points, centres: Points) -> Labels:
    closeness = points @ centres.T * 2.0 - (centres**2).sum(axis=1)
    return np.asarray(closeness.argmax(axis=1), np.int64)


def _middles(points: Points, centres: Points, labels: Labels) -> Points:
    count = len(centres)
    sizes = np.bincount(labels, minlength=count)
    sums = np.stack([np.bincount(labels, column, count) for column in points.T], axis=1)
    middles = sums / np.maximum(sizes, 1)[:, None]
    dead = np.flatnonzero(sizes == 0)
    if len(dead):
        far = ((points - centres[labels]) ** 2).sum(axis=1)
        middles[dead] = points[np.argsort(-far, kind="stable")[: len(dead)]]
    return middles


def matched(mine: Labels, theirs: Labels, count: int) -> Labels:
    """For each of my labels the one of theirs that shares most points with it, each used once.

    >>> matched(np.array([0, 0, 1, 1, 2]), np.array([2, 2, 0, 0, 1]), 3).tolist()
    [2, 0, 1]
    """
    shared = np.zeros((count, count))
    np.add.at(shared, (mine, theirs), 1.0)
    return np.asarray(linear_sum_assignment(-shared)[1], np.int64)
