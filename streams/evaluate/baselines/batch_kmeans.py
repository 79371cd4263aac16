"""Batch k-means as shops run it overnight, and the measure by which two clusterings agree.

As in scikit-learn: greedy k-means++, the best of STARTS runs by inertia, TOLERANCE of the mean
variance.
"""

import numpy as np

from models.kmeans import Labels, Points, begin, settle

STARTS = 10
TOLERANCE = 1e-4


def labels(points: Points, clusters: int, seed: int) -> Labels:
    """Fit and label all points."""
    chance = np.random.default_rng(seed)
    runs = (settle(points, begin(points, clusters, chance), TOLERANCE) for _ in range(STARTS))
    return min(runs, key=lambda one: one.inertia).labels


def ari(one: Labels, other: Labels) -> float:
    """Adjusted Rand index: 1 the same clustering, 0 no more alike than by chance.

    Hubert and Arabie, 1985. Labels may be any integers.

    >>> ari(np.array([0, 0, 1, 1]), np.array([5, 5, 2, 2]))
    1.0
    >>> round(ari(np.array([0, 0, 1, 1]), np.array([0, 0, 1, 2])), 4)
    0.5714
    """
    _, rows = np.unique(one, return_inverse=True)
    _, columns = np.unique(other, return_inverse=True)
    table = np.zeros((rows.max() + 1, columns.max() + 1))
    np.add.at(table, (rows, columns), 1.0)
    both, mine, theirs = (_pairs(part) for part in (table, table.sum(1), table.sum(0)))
    by_chance = mine * theirs / _pairs(np.array([float(len(one))]))
    most = (mine + theirs) / 2.0
    return 1.0 if most == by_chance else float((both - by_chance) / (most - by_chance))


def _pairs(counts: Points) -> float:
    return float((counts * (counts - 1.0) / 2.0).sum())
