"""Who plays in `huitou evaluate segments`: the clusters, and what they are compared with."""

import time
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from river import cluster, preprocessing

from models.clusters import (
    NOBODY,
    NOTHING_LEARNED,
    ClusterSnapshot,
    centres_of,
    label_of,
    labels_of,
    log_days_of,
    points_of,
)
from models.customer_sample import Standing
from models.effects import CustomerStood
from models.segments import SegmentsSnapshot
from models.standing_notes import stand
from streams.evaluate.drive import Drive, token
from streams.evaluate.purchase_days import Purchase
from streams.segments_pupil import SegmentsPupil

ASKED_EACH = 200
Labels = NDArray[np.int64]
Look = Callable[[int, Labels], Labels]
"""A model as it is now: takes a time and the labels before, gives those of all customers."""


class Customers:
    """All known customers as they stand, by number."""

    def __init__(self, capacity: int) -> None:
        self._numbers: dict[str, int] = {}
        self._by_token: dict[str, int] = {}
        self._last_ms = np.zeros(capacity, np.int64)
        self._orders = np.zeros(capacity, np.int64)
        self._cents = np.zeros(capacity, np.int64)

    def __len__(self) -> int:
        return len(self._numbers)

    def buys(self, purchase: Purchase) -> "Bought":
        """Count a purchase."""
        at = self._numbers.setdefault(purchase.customer, len(self._numbers))
        self._by_token[token(purchase.customer)] = at
        before = self._standing(at)
        self._last_ms[at] = max(before.last_order_ms, purchase.at_ms)
        self._orders[at] += 1
        self._cents[at] += purchase.cents
        now = self._standing(at)
        return Bought(purchase, at, before if before.orders else now, now)

    def _standing(self, at: int) -> Standing:
        return Standing(int(self._last_ms[at]), int(self._orders[at]), int(self._cents[at]))

    def number_of_token(self, name: str) -> int:
        """Number of the customer whom the log knows by this name."""
        return self._by_token[name]

    def columns(self) -> tuple[Labels, Labels, Labels]:
        """Last orders, numbers of orders, values."""
        known = len(self._numbers)
        return self._last_ms[:known], self._orders[:known], self._cents[:known]


class Bought(NamedTuple):
    """A purchase of customer number `at`, how it stood and stands; a newcomer always stood so."""

    purchase: Purchase
    at: int
    before: Standing
    now: Standing


class Player(Protocol):
    """What is played and looked at: the model, or a baseline."""

    def labels(self) -> Labels:
        """Labels that customers keep, by number; empty when none does."""

    def buy(self, bought: Bought) -> None:
        """Take a purchase."""

    def pass_time(self, now_ms: int) -> None:
        """A day of the shop is over."""

    def look(self) -> Look:
        """The model as it is now, which does not move on."""


class Memoryless:
    """A player that keeps nothing per customer and does nothing by the day."""

    def labels(self) -> Labels:
        """No customer keeps a label."""
        return np.empty(0, np.int64)

    def buy(self, bought: Bought) -> None:
        """Nothing is learned by the purchase."""

    def pass_time(self, now_ms: int) -> None:
        """Nothing is learned by the day."""


class TimedPupil(SegmentsPupil):
    """The segments' pupil, and how long it learned and fitted."""

    def __init__(self, *, clusters: int, seed: int) -> None:
        super().__init__(clusters=clusters, seed=seed)
        self.learn_s = 0.0
        self.fits_s: list[float] = []

    def learn(self, lessons: list[CustomerStood]) -> None:
        """Learn one day's lessons."""
        began_s = time.perf_counter()
        super().learn(lessons)
        self.learn_s += time.perf_counter() - began_s

    def snapshot(self, day: int) -> SegmentsSnapshot:
        """Give a new version."""
        began_s = time.perf_counter()
        made = super().snapshot(day)
        self.fits_s.append(time.perf_counter() - began_s)
        return made


class Live:
    """The live engine with one seed of the learner; customers by number are those given."""

    def __init__(self, customers: Customers, clusters: int, seed: int) -> None:
        self._customers = customers
        self.pupil = TimedPupil(clusters=clusters, seed=seed)
        self._drive = Drive(segments=self.pupil)
        self._standings = np.zeros((0, 3), np.int64)
        self._labels = np.zeros(0, np.int64)
        self.purchases = 0
        self.purchases_before_use: int | None = None
        self.asked = 0
        self.label_s = 0.0

    @property
    def snapshot(self) -> ClusterSnapshot:
        """What is adopted."""
        return self._drive.view.segments.clusters

    def labels(self) -> Labels:
        """Labels as the customers' rows have them."""
        self._read()
        return self._labels.copy()

    def _read(self) -> None:
        """Read the rows that were written since the last time."""
        more = len(self._customers) - len(self._labels)
        if more:
            self._labels = np.concatenate((self._labels, np.full(more, NOBODY)))
            nothing = np.zeros((more, 3), np.int64)
            self._standings = np.concatenate((self._standings, nothing))
        for name, row in self._drive.touched():
            at = self._customers.number_of_token(name)
            self._labels[at] = row.cluster
            self._standings[at] = stand(row).standing

    def buy(self, bought: Bought) -> None:
        """Take an order, as the worker and the learner would."""
        self.purchases += 1
        one = bought.purchase
        self._drive.order(
            one.customer, one.at_ms, basket=f"{one.customer}:{one.day}", total_cents=one.cents
        )

    def pass_time(self, now_ms: int) -> None:
        """Let the clock go there; what is due is adopted."""
        self._drive.advance(now_ms)
        if self.purchases_before_use is None and self.snapshot.clusters:
            self.purchases_before_use = self.purchases

    def look(self) -> Look:
        """Label as the engine would if a customer were looked at."""
        snapshot = self.snapshot

        def look(now_ms: int, before: Labels) -> Labels:
            self._read()
            columns = self._standings.T
            labels = _labelled((columns[0], columns[1], columns[2]), snapshot, now_ms, before)
            return self._asked_each(labels, snapshot, now_ms, before)

        return look

    def _asked_each(
        self, labels: Labels, snapshot: ClusterSnapshot, now_ms: int, before: Labels
    ) -> Labels:
        """Ask some customers one by one as the engine does: what it says counts, and how fast."""
        some = range(0, len(labels), max(1, len(labels) // ASKED_EACH))
        known = [*before.tolist(), *[NOBODY] * (len(labels) - len(before))]
        asked = [(at, Standing(*self._standings[at].tolist()), known[at]) for at in some]
        began_s = time.perf_counter()
        for at, standing, was in asked:
            labels[at] = label_of(standing, now_ms, snapshot, was)
        self.label_s += time.perf_counter() - began_s
        self.asked += len(asked)
        return labels


def _labelled(
    columns: tuple[Labels, Labels, Labels],
    snapshot: ClusterSnapshot,
    now_ms: int,
    before: Labels,
) -> Labels:
    """Label many at once, which tests hold to what each gets."""
    if not snapshot.clusters:
        return np.full(len(columns[0]), NOBODY, np.int64)
    points = points_of(*columns, now_ms, snapshot.scale)
    was = np.full(len(points), NOBODY, np.int64)
    was[: len(before)] = before
    return labels_of(points, centres_of(snapshot), was)


class Frozen(Memoryless):
    """The model of the end of the first tenth, or the first after it, kept for ever."""

    def __init__(self, customers: Customers, live: Live, until: int) -> None:
        self._customers, self._live, self._until = customers, live, until
        self._snapshot = NOTHING_LEARNED
        self._bought = 0

    def buy(self, bought: Bought) -> None:
        """Count until the first tenth is over, and take the model."""
        self._bought += 1
        if self._bought >= self._until and not self._snapshot.clusters:
            self._snapshot = self._live.snapshot

    def look(self) -> Look:
        """Label by the frozen snapshot."""
        snapshot = self._snapshot

        def look(now_ms: int, before: Labels) -> Labels:
            return _labelled(self._customers.columns(), snapshot, now_ms, before)

        return look


class River(Memoryless):
    """river's own scaler and KMeans, taught with each purchase's customer."""

    def __init__(self, customers: Customers, clusters: int, seed: int, halflife: float) -> None:
        self._customers = customers
        self._scaler: Any = preprocessing.StandardScaler()
        self._kmeans: Any = cluster.KMeans(clusters, halflife=halflife, seed=seed)

    def buy(self, bought: Bought) -> None:
        """Learn how the customer stood when it came; a newcomer, how it stands now."""
        last_ms, orders, cents = (np.array([one]) for one in bought.before)
        row = _logs(last_ms, orders, cents, bought.purchase.at_ms)[0]
        named = dict(enumerate(row.tolist()))
        self._scaler.learn_one(named)
        self._kmeans.learn_one(self._scaler.transform_one(named))

    def look(self) -> Look:
        """Nearest centre, as `predict_one` says it."""
        means = np.array([self._scaler.means[at] for at in range(3)])
        spreads = np.array([self._scaler.vars[at] ** 0.5 or 1.0 for at in range(3)])
        centres = np.array([[one[at] for at in range(3)] for one in self._kmeans.centers.values()])

        def look(now_ms: int, before: Labels) -> Labels:
            points = (_logs(*self._customers.columns(), now_ms) - means) / spreads
            distances = ((points[:, None, :] - centres[None]) ** 2).sum(axis=2)
            return np.asarray(distances.argmin(axis=1), np.int64)

        return look


class Cells(Memoryless):
    """RFM cells: recency and value above or below the median of all customers."""

    def __init__(self, customers: Customers) -> None:
        self._customers = customers

    def look(self) -> Look:
        """Cells between the medians of now."""
        last_ms, _, cents = self._customers.columns()
        middle_ms, middle_cents = np.median(last_ms), np.median(cents)

        def look(now_ms: int, before: Labels) -> Labels:
            last_ms, _, cents = self._customers.columns()
            return ((last_ms >= middle_ms) * 2 + (cents >= middle_cents)).astype(np.int64)

        return look


def _logs(last_ms: Labels, orders: Labels, cents: Labels, now_ms: int) -> NDArray[np.float64]:
    columns = (log_days_of(last_ms, now_ms), np.log1p(orders), np.log1p(np.maximum(cents, 0)))
    return np.stack(columns, axis=1)
