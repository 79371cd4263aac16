"""The learner of the clusters: a sample of the customers as they stand, and k-means refitted to it.

At each fit the centres settle from where they were, on the customers as they stand by then. Once
a day TRIES fresh beginnings do so beside them, and where one ends nearer to its customers than the
old ones, it takes over, its clusters matched with those they share most customers with. So the
centres are those that batch k-means would find, and labels stay what they were.
"""

from math import expm1

import msgspec
import numpy as np
from numpy.typing import NDArray

from models import kmeans
from models.clock import DAY_MS
from models.clusters import (
    CLUSTERS,
    FEATURES,
    LEAST_SPREAD,
    NOBODY,
    NOTHING_LEARNED,
    Cluster,
    ClusterSnapshot,
    Labels,
    Ladder,
    Points,
    Scale,
    Trait,
    centres_of,
    check,
    labels_of,
    log_days_of,
    points_of,
)
from models.customer_sample import KEPT, CustomerSample, SampledCustomers, Standing
from models.hazard import BadSnapshot

TRIES = 4
TRIED_ON = 4_096
TRIED_TOLERANCE = 1e-4
BETTER_BY = 1e-5
CUSTOMERS_BEFORE_USE = 50
RUNGS = 256
# A cluster is called high or low in a feature from so many standard deviations off the mean.
SETS_APART = 0.4

Numbers = NDArray[np.float64]
Integers = NDArray[np.int64]
Columns = tuple[Integers, Integers, Integers]


class LearnedClusters(msgspec.Struct, kw_only=True):
    """Everything the learner is, for its changelog; floats round-trip exactly."""

    last: ClusterSnapshot = NOTHING_LEARNED
    sample: SampledCustomers = msgspec.field(default_factory=SampledCustomers)


class ClusterLearner:
    """Learns how customers stand and gives snapshots; what it draws comes from `seed` and day."""

    def __init__(
        self,
        learned: LearnedClusters | None = None,
        *,
        clusters: int = CLUSTERS,
        seed: int = 1,
        kept: int = KEPT,
    ) -> None:
        learned = learned or LearnedClusters()
        self.last = learned.last
        # Share of the customers whom the last fit gave another label; the first one, all.
        self.moved = 0.0
        self._sample = CustomerSample(learned.sample, kept=kept)
        self._clusters = clusters
        self._seed = seed

    @property
    def customers(self) -> int:
        """How many are in the sample."""
        return len(self._sample)

    def learn(self, customer: str, standing: Standing | None) -> None:
        """Take in how a customer stands now; None forgets it."""
        self._sample.put(customer, standing)

    def snapshot(self, now_ms: int) -> ClusterSnapshot:
        """Fit the customers as they stand at `now_ms` and give that a new version.

        Raises models.hazard.BadSnapshot when it must not be adopted.
        """
        if len(self._sample) < CUSTOMERS_BEFORE_USE:
            raise BadSnapshot(
                f"customers: {len(self._sample)}, expected at least {CUSTOMERS_BEFORE_USE}"
            )
        last_orders_ms, orders, values_cents = self._sample.columns()
        log_days = log_days_of(last_orders_ms, now_ms)
        scale = scale_of(log_days, orders, values_cents)
        points = points_of(last_orders_ms, orders, values_cents, now_ms, scale)
        found = self._fit(points, now_ms // DAY_MS)
        raw = np.stack((log_days, np.log1p(orders), np.log1p(np.maximum(values_cents, 0))), axis=1)
        made = ClusterSnapshot(
            version=self.last.version + 1,
            trained_to_ms=now_ms,
            customers=len(self._sample),
            scale=scale,
            clusters=described(found, raw, np.maximum(now_ms - last_orders_ms, 0) / DAY_MS),
        )
        check(made)
        self.moved = self._moved(found.labels, (last_orders_ms, orders, values_cents), now_ms)
        self.last = made
        return made

    def _moved(self, labels: Labels, columns: Columns, now_ms: int) -> float:
        before = self.last
        if not before.clusters:
            return 1.0
        points = points_of(*columns, now_ms, before.scale)
        was = labels_of(points, centres_of(before), np.full(len(points), NOBODY))
        return float((was != labels).mean())

    def _fit(self, points: Points, day: int) -> kmeans.Found:
        if len(self.last.clusters) != self._clusters:
            first = self._tried(points, day)
            return _renamed(first, np.lexsort((first.centres[:, 0], -first.centres[:, 1])))
        old = kmeans.settle(points, centres_of(self.last))
        if self.last.trained_to_ms // DAY_MS == day:
            return old
        best = self._tried(points, day)
        if best.inertia >= old.inertia * (1.0 - BETTER_BY):
            return old
        return _renamed(best, kmeans.matched(old.labels, best.labels, self._clusters))

    def _tried(self, points: Points, day: int) -> kmeans.Found:
        chance = np.random.default_rng((self._seed, max(day, 0)))
        # Rows go by the hashes of names: the first ones are a fair draw.
        few, tries = points[:TRIED_ON], []
        for _ in range(TRIES):
            begun = kmeans.begin(few, self._clusters, chance)
            tries.append(kmeans.settle(few, begun, TRIED_TOLERANCE))
        return kmeans.settle(points, min(tries, key=lambda one: one.inertia).centres)

    def dump(self) -> LearnedClusters:
        """Everything needed to go on later exactly as if nothing had happened."""
        return LearnedClusters(last=self.last, sample=self._sample.dump())


def _renamed(found: kmeans.Found, order: Labels) -> kmeans.Found:
    """The same with cluster `order[0]` first, and so on."""
    places = np.empty_like(order)
    places[order] = np.arange(len(order))
    return kmeans.Found(found.centres[order], places[found.labels], found.inertia)


def scale_of(log_days: Numbers, orders: Integers, values_cents: Integers) -> Scale:
    """What brings these customers' features to equal spread."""
    return Scale(
        float(log_days.mean()),
        max(float(log_days.std()), LEAST_SPREAD),
        ladder_of(orders),
        ladder_of(values_cents),
    )


def ladder_of(values: Integers) -> Ladder:
    """Where values lie among all, on RUNGS rungs at most.

    >>> ladder_of(np.array([1, 1, 1, 5]))
    Ladder(values=(1.0, 5.0), shares=(0.375, 0.875))
    """
    rising = np.sort(values)
    places = np.unique(np.linspace(0, len(rising) - 1, RUNGS).astype(np.int64))
    rungs = np.unique(rising[places])
    below = np.searchsorted(rising, rungs, "left")
    shares = (below + np.searchsorted(rising, rungs, "right")) / 2 / len(rising)
    return Ladder(tuple(rungs.astype(float).tolist()), tuple(shares.tolist()))


def described(found: kmeans.Found, raw: Points, silences_days: Numbers) -> tuple[Cluster, ...]:
    """Say of each cluster what its customers are like; `raw` has a column for each of FEATURES."""
    mean, spread = raw.mean(axis=0), np.maximum(raw.std(axis=0), LEAST_SPREAD)
    clusters = []
    for label, centre in enumerate(found.centres.tolist()):
        mine = found.labels == label
        if not mine.any():
            raise BadSnapshot(f"cluster {label}: it has no customer, it is dead")
        middle = raw[mine].mean(axis=0)
        clusters.append(
            Cluster(
                centre=tuple(centre),
                share=float(mine.mean()),
                silence_days=float(np.median(silences_days[mine])),
                orders=expm1(middle[1]),
                value_cents=expm1(middle[2]),
                traits=_traits(((middle - mean) / spread).tolist()),
            )
        )
    return tuple(clusters)


def _traits(offs: list[float]) -> tuple[Trait, ...]:
    by_size = sorted(zip(FEATURES, offs, strict=True), key=lambda one: -abs(one[1]))
    return tuple(
        Trait(feature, "high" if off > 0 else "low")
        for feature, off in by_size
        if abs(off) >= SETS_APART
    )
