"""Learned clusters of customers: a second view beside the tier, by what customers are like.

A customer is a point: how long ago the last order was, and where its orders and their value lie
among all customers. It belongs to the nearest of a few centres that the learner
(`models/cluster_learner.py`) finds. After an order the nearest wins at once; where only time passed
or a new snapshot was adopted, a customer stays unless another centre is clearly nearer.
Why these features, and figures: ARCHITECTURE.md.
"""

from bisect import bisect_right
from math import isfinite, log
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.clock import DAY_MS
from models.customer_sample import Standing
from models.hazard import BadSnapshot

FEATURES = ("recency", "frequency", "monetary")
CLUSTERS = 3
NOBODY = -1
"""In place of a label: the customer has none yet."""
LONGEST_DAYS = 3_650.0
# Days that are alike to recency: yesterday or last week says less than a month or a year.
SOON_DAYS = 60.0
STAY = 0.005
# Orders and value mostly rise together: their mean is one axis, half of what they differ another.
DIFFERENCE_WEIGHT = 0.5
# Brings places among all customers, 0 to 1, to a spread like that of the recency.
SCORE_SPREAD = 12.0**0.5
LEAST_SPREAD = 1e-3
LEAST_DISTANCE = 0.05
_COORDINATE_AT_MOST = 1e3

Points = NDArray[np.float64]
Labels = NDArray[np.int64]


class Ladder(msgspec.Struct, frozen=True, array_like=True):
    """Rising values, and the share of customers below each (those equal to it counted half)."""

    values: tuple[float, ...] = (0.0,)
    shares: tuple[float, ...] = (0.5,)

    def share(self, value: float) -> float:
        """Where a value lies among all, 0 to 1.

        >>> Ladder((1.0, 3.0), (0.25, 0.75)).share(2.0)
        0.5
        """
        values, shares = self.values, self.shares
        at = bisect_right(values, value)
        if at == 0:
            return shares[0]
        if at == len(values):
            return shares[-1]
        low = values[at - 1]
        slope = (shares[at] - shares[at - 1]) / (values[at] - low)
        return slope * (value - low) + shares[at - 1]


class Scale(msgspec.Struct, frozen=True, array_like=True):
    """What brings the features of customers to equal spread."""

    recency_mean: float = log(SOON_DAYS)
    recency_spread: float = 1.0
    orders: Ladder = Ladder()
    cents: Ladder = Ladder()


class Trait(msgspec.Struct, frozen=True, array_like=True):
    """One thing that sets a cluster apart: a feature of FEATURES, and "high" or "low" in it.

    High recency is a long silence.
    """

    feature: str
    direction: str


class Cluster(msgspec.Struct, frozen=True, kw_only=True):
    """A centre, what its customers are typically like, and what sets them apart, most first."""

    centre: tuple[float, float, float]
    share: float
    silence_days: float
    orders: float
    value_cents: float
    traits: tuple[Trait, ...] = ()


class ClusterSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """What the learner knew at `trained_to_ms`; version 0 knows nothing.

    A cluster keeps its place in `clusters` from version to version; the place is the label.
    """

    version: int = 0
    trained_to_ms: int = 0
    customers: int = 0
    scale: Scale = Scale()
    clusters: tuple[Cluster, ...] = ()


NOTHING_LEARNED = ClusterSnapshot()


class Point(NamedTuple):
    """A customer's place among the others, in equal spreads."""

    recency: float
    value: float
    difference: float


def check(snapshot: ClusterSnapshot) -> None:
    """Raise BadSnapshot for what would make clusters meaningless."""
    clusters, scale = snapshot.clusters, snapshot.scale
    if len(clusters) < 2:
        raise BadSnapshot(f"clusters: {len(clusters)}, expected at least 2")
    if not isfinite(scale.recency_mean) or not scale.recency_spread >= LEAST_SPREAD:
        raise BadSnapshot("scale: the recency's mean or spread is no usable number")
    for name, ladder in (("orders", scale.orders), ("cents", scale.cents)):
        _check_ladder(name, ladder)
    for at, cluster in enumerate(clusters):
        _check_cluster(at, cluster)
    for at, cluster in enumerate(clusters):
        for before, other in enumerate(clusters[:at]):
            if _squared(cluster.centre, other.centre) < LEAST_DISTANCE**2:
                raise BadSnapshot(f"centres {before} and {at} have collapsed into one")


def _check_ladder(name: str, ladder: Ladder) -> None:
    if not ladder.values or len(ladder.values) != len(ladder.shares):
        raise BadSnapshot(
            f"scale, {name}: {len(ladder.values)} values, {len(ladder.shares)} shares"
        )
    if not all(map(isfinite, (*ladder.values, *ladder.shares))):
        raise BadSnapshot(f"scale, {name}: a number is not finite")
    if not all(low < high for low, high in zip(ladder.values, ladder.values[1:], strict=False)):
        raise BadSnapshot(f"scale, {name}: the values do not rise")


def _check_cluster(at: int, cluster: Cluster) -> None:
    numbers = (*cluster.centre, cluster.silence_days, cluster.orders, cluster.value_cents)
    if not all(map(isfinite, numbers)):
        raise BadSnapshot(f"cluster {at}: a number is not finite")
    if max(map(abs, cluster.centre)) > _COORDINATE_AT_MOST:
        raise BadSnapshot(f"cluster {at}: expected no coordinate above {_COORDINATE_AT_MOST:.0f}")
    if not 0.0 < cluster.share <= 1.0:
        raise BadSnapshot(f"cluster {at}: {cluster.share} of the customers, it is dead")


def point_of(standing: Standing, now_ms: int, scale: Scale) -> Point:
    """Where a customer with orders lies at `now_ms`."""
    silence_days = (now_ms - standing.last_order_ms) / DAY_MS
    if silence_days < 0.0:
        silence_days = 0.0
    elif silence_days > LONGEST_DAYS:
        silence_days = LONGEST_DAYS
    orders = scale.orders.share(standing.orders) - 0.5
    cents = scale.cents.share(standing.value_cents) - 0.5
    return Point(
        (log(SOON_DAYS + silence_days) - scale.recency_mean) / scale.recency_spread,
        (orders + cents) / 2 * SCORE_SPREAD,
        (orders - cents) / 2 * SCORE_SPREAD * DIFFERENCE_WEIGHT,
    )


def label_of(
    standing: Standing, now_ms: int, snapshot: ClusterSnapshot, before: int = NOBODY
) -> int:
    """Cluster of a customer; NOBODY while nothing was learned or nothing was ordered.

    `before` is the label until now, which an order makes NOBODY (models/clusters.py).
    """
    if not snapshot.clusters or standing.orders <= 0:
        return NOBODY
    point = point_of(standing, now_ms, snapshot.scale)
    distances = [_squared(point, cluster.centre) for cluster in snapshot.clusters]
    nearest = distances.index(min(distances))
    if not 0 <= before < len(distances) or before == nearest:
        return nearest
    clusters = snapshot.clusters
    apart = _squared(clusters[before].centre, clusters[nearest].centre)
    return before if distances[before] - distances[nearest] <= STAY * apart else nearest


def traits_of(snapshot: ClusterSnapshot, label: int) -> tuple[Trait, ...]:
    """What sets the customers of a label apart, most first; words are the page's."""
    return snapshot.clusters[label].traits if 0 <= label < len(snapshot.clusters) else ()


def _squared(one: tuple[float, float, float], other: tuple[float, float, float]) -> float:
    x, y, z = one[0] - other[0], one[1] - other[1], one[2] - other[2]
    return x * x + y * y + z * z


def points_of(
    last_orders_ms: NDArray[np.int64],
    orders: NDArray[np.int64],
    values_cents: NDArray[np.int64],
    now_ms: int,
    scale: Scale,
) -> Points:
    """The same of many customers: a row each."""
    log_days = log_days_of(last_orders_ms, now_ms)
    frequency = np.interp(orders, scale.orders.values, scale.orders.shares) - 0.5
    monetary = np.interp(values_cents, scale.cents.values, scale.cents.shares) - 0.5
    return np.stack(
        (
            (log_days - scale.recency_mean) / scale.recency_spread,
            (frequency + monetary) / 2 * SCORE_SPREAD,
            (frequency - monetary) / 2 * SCORE_SPREAD * DIFFERENCE_WEIGHT,
        ),
        axis=1,
    )


def log_days_of(last_orders_ms: NDArray[np.int64], now_ms: int) -> NDArray[np.float64]:
    """Logarithms of the silences, before scaling."""
    days = np.clip((now_ms - last_orders_ms) / DAY_MS, 0.0, LONGEST_DAYS)
    return np.asarray(np.log(SOON_DAYS + days), np.float64)


def labels_of(points: Points, centres: Points, before: Labels) -> Labels:
    """Labels of many customers."""
    distances = ((points[:, None, :] - centres[None]) ** 2).sum(axis=2)
    nearest = distances.argmin(axis=1).astype(np.int64)
    rows = np.arange(len(points))
    was = np.where((before >= 0) & (before < len(centres)), before, nearest)
    apart = ((centres[:, None, :] - centres[None]) ** 2).sum(axis=2)
    behind = distances[rows, was] - distances[rows, nearest]
    return np.where(behind <= STAY * apart[was, nearest], was, nearest)


def centres_of(snapshot: ClusterSnapshot) -> Points:
    """Its centres, a row each."""
    return np.array([cluster.centre for cluster in snapshot.clusters]).reshape(-1, 3)
