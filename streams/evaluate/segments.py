"""`huitou evaluate segments`: do the live clusters agree with batch k-means, and do they hold still.

Purchase days are played in time order through the live models: each purchase is learned and gives
its customer a label (`models/clusters.py`), each day's end a snapshot (`models/cluster_learner.py`)
that is adopted at once. At ten checkpoints the labels of all customers known by then are compared
with those of batch k-means, fitted anew on the customers as they stand: `ari_at` is the mean over
batch seeds, the median over learner seeds; `batch_ari_at` how far batch seeds agree with each other.

Flips are counted over every EVENTS purchases after the first tenth, of the customers known at their
beginning. `flips_idle` are customers who bought nothing and whose label changed because the model
did; where silence alone would have changed it under the model of the beginning, it is
`flips_by_silence`. `flips_active` are those who bought.
"""

import itertools
import time
from collections.abc import Callable
from pathlib import Path
from statistics import mean, median
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from river import cluster, preprocessing

from models.clock import DAY_MS
from models.cluster_learner import ClusterLearner, scale_of
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
from models.hazard import BadSnapshot
from streams.evaluate.baselines import batch_kmeans
from streams.evaluate.outcome import BadQuestion, Outcome, Plot, Say, Series
from streams.evaluate.purchase_days import History, Purchase, read_history

EVENTS = 200
CHECKPOINTS = 10
LEARNER_SEEDS = (1, 2, 3)
BATCH_SEEDS = (1, 2, 3, 4, 5)
RIVER_HALFLIVES = {"river_kmeans": 0.5, "river_kmeans_slow": 0.02}

Labels = NDArray[np.int64]
Look = Callable[[int, Labels], Labels]
"""A model as it is now: takes a time and the labels before, gives those of all customers."""


class Customers:
    """All known customers as they stand, by number."""

    def __init__(self, capacity: int) -> None:
        self._numbers: dict[str, int] = {}
        self._last_ms = np.zeros(capacity, np.int64)
        self._orders = np.zeros(capacity, np.int64)
        self._cents = np.zeros(capacity, np.int64)

    def __len__(self) -> int:
        return len(self._numbers)

    def buys(self, purchase: Purchase) -> "Bought":
        """Count a purchase."""
        at = self._numbers.setdefault(purchase.customer, len(self._numbers))
        before = self._standing(at)
        self._last_ms[at] = max(before.last_order_ms, purchase.at_ms)
        self._orders[at] += 1
        self._cents[at] += purchase.cents
        now = self._standing(at)
        return Bought(purchase, at, before if before.orders else now, now)

    def _standing(self, at: int) -> Standing:
        return Standing(int(self._last_ms[at]), int(self._orders[at]), int(self._cents[at]))

    def columns(self) -> tuple[Labels, Labels, Labels]:
        """Last orders, numbers of orders, values."""
        known = len(self._numbers)
        return self._last_ms[:known], self._orders[:known], self._cents[:known]


class Bought(NamedTuple):
    """A purchase of customer number `at`, which stood and now stands so; a newcomer stood so too."""

    purchase: Purchase
    at: int
    before: Standing
    now: Standing


class Player(Protocol):
    """What is played and looked at: the model, or a baseline."""

    labels: Labels

    def buy(self, bought: Bought) -> None:
        """Take a purchase."""

    def end_day(self, day: int) -> None:
        """A day is over."""

    def look(self) -> Look:
        """The model as it is now, which does not move on."""


class Live:
    """The live models with one seed of the learner."""

    def __init__(self, customers: Customers, capacity: int, clusters: int, seed: int) -> None:
        self._customers = customers
        self.learner = ClusterLearner(clusters=clusters, seed=seed)
        self.snapshot: ClusterSnapshot = NOTHING_LEARNED
        self.labels = np.full(capacity, NOBODY, np.int64)
        self.label_s = 0.0
        self.learn_s = 0.0
        self.fits_s: list[float] = []

    def buy(self, bought: Bought) -> None:
        """Label a customer with what is adopted, then learn."""
        began_s = time.perf_counter()
        self.labels[bought.at] = label_of(bought.now, bought.purchase.at_ms, self.snapshot)
        labelled_s = time.perf_counter()
        self.learner.learn(bought.purchase.customer, bought.now)
        self.label_s += labelled_s - began_s
        self.learn_s += time.perf_counter() - labelled_s

    def end_day(self, day: int) -> None:
        """Adopt a new snapshot; who is not clearly nearer to another cluster stays."""
        began_s = time.perf_counter()
        try:
            self.snapshot = self.learner.snapshot(day)
        except BadSnapshot:
            return
        self.fits_s.append(time.perf_counter() - began_s)
        now_ms = (day + 1) * DAY_MS
        known = len(self._customers)
        self.labels[:known] = self.look()(now_ms, self.labels[:known])

    def look(self) -> Look:
        """Label by the adopted snapshot."""
        return _looking(self._customers, self.snapshot)


def _looking(customers: Customers, snapshot: ClusterSnapshot) -> Look:
    centres = centres_of(snapshot)

    def look(now_ms: int, before: Labels) -> Labels:
        columns = customers.columns()
        if not len(centres):
            return np.full(len(columns[0]), NOBODY, np.int64)
        points = points_of(*columns, now_ms, snapshot.scale)
        was = np.full(len(points), NOBODY, np.int64)
        was[: len(before)] = before
        return labels_of(points, centres, was)

    return look


class Frozen:
    """The model of the end of the first tenth, kept for ever."""

    def __init__(self, customers: Customers, live: Live, capacity: int, until: int) -> None:
        self._customers, self._live, self._until = customers, live, until
        self._snapshot = NOTHING_LEARNED
        self._bought = 0
        self.labels = np.full(capacity, NOBODY, np.int64)

    def buy(self, bought: Bought) -> None:
        """Count until the first tenth is over."""
        self._bought += 1
        if self._bought <= self._until:
            self._snapshot = self._live.snapshot

    def end_day(self, day: int) -> None:
        """Nothing is learned."""

    def look(self) -> Look:
        """Label by the frozen snapshot."""
        return _looking(self._customers, self._snapshot)


class River:
    """river's own scaler and KMeans, taught with each purchase's customer."""

    def __init__(self, customers: Customers, capacity: int, clusters: int, halflife: float) -> None:
        self._customers = customers
        self._scaler: Any = preprocessing.StandardScaler()
        self._kmeans: Any = cluster.KMeans(clusters, halflife=halflife, seed=LEARNER_SEEDS[0])
        self.labels = np.full(capacity, NOBODY, np.int64)

    def buy(self, bought: Bought) -> None:
        """Learn how the customer stood when it came; a newcomer, how it stands now."""
        last_ms, orders, cents = (np.array([one]) for one in bought.before)
        row = _logs(last_ms, orders, cents, bought.purchase.at_ms)[0]
        named = dict(enumerate(row.tolist()))
        self._scaler.learn_one(named)
        self._kmeans.learn_one(self._scaler.transform_one(named))

    def end_day(self, day: int) -> None:
        """Nothing happens by the day."""

    def look(self) -> Look:
        """Nearest centre, as `predict_one` says it."""
        means = np.array([self._scaler.means[at] for at in range(3)])
        spreads = np.array([self._scaler.vars[at] ** 0.5 or 1.0 for at in range(3)])
        centres = np.array([[one[at] for at in range(3)] for one in self._kmeans.centers.values()])

        def look(now_ms: int, before: Labels) -> Labels:
            points = (_logs(*self._customers.columns(), now_ms) - means) / spreads
            distances = ((points[:, None, :] - centres[None]) ** 2).sum(axis=2)
            return distances.argmin(axis=1).astype(np.int64)

        return look


class Cells:
    """RFM cells: recency and value above or below the median of all customers."""

    def __init__(self, customers: Customers, capacity: int) -> None:
        self._customers = customers
        self.labels = np.full(capacity, NOBODY, np.int64)

    def buy(self, bought: Bought) -> None:
        """Nothing is learned by the event."""

    def end_day(self, day: int) -> None:
        """Nothing happens by the day."""

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


class Watched:
    """A player's labels from one end of EVENTS purchases to the next, and at the checkpoints."""

    def __init__(self, player: Player) -> None:
        self.player = player
        self.idle: list[float] = []
        self.silent: list[float] = []
        self.active: list[float] = []
        self.agrees: list[float] = []
        self._look: Look | None = None
        self._before: Labels = np.empty(0, np.int64)

    def see(self, known: int, now_ms: int, bought: set[int], *, counts: bool) -> None:
        """Compare with the labels of the last time; with `counts` it counts."""
        look = self.player.look()
        after = look(now_ms, self.player.labels[:known])
        before, was = self._before, self._look
        if counts and was is not None and len(before):
            is_active = np.zeros(len(before), np.bool_)
            is_active[[at for at in bought if at < len(before)]] = True
            is_known = before != NOBODY
            idle, active = is_known & ~is_active, is_known & is_active
            moved = after[: len(before)] != before
            by_silence = was(now_ms, before)[: len(before)] != before
            if idle.any():
                self.idle.append(float((moved & ~by_silence)[idle].mean()))
                self.silent.append(float((moved & by_silence)[idle].mean()))
            if active.any():
                self.active.append(float(moved[active].mean()))
        self._before, self._look = after, look

    def compare(self, known: int, now_ms: int, batches: list[Labels]) -> None:
        """Take a checkpoint."""
        labels = self.player.look()(now_ms, self.player.labels[:known])
        self.agrees.append(mean(batch_kmeans.ari(labels, batch) for batch in batches))


class Checkpoint(NamedTuple):
    """When it was, how many customers were known, and how far batch seeds agree."""

    at_ms: int
    customers: int
    batch_ari: float


def question(
    path: Path, columns: tuple[str, str, str], clusters: int, seed: int, say: Say
) -> Outcome:
    """Read the history (columns of customer, time, amount) and ask."""
    if not 2 <= clusters <= 20:
        raise BadQuestion(f"--clusters {clusters}: expected 2 to 20")
    return evaluate(read_history(path, *columns, say), clusters, seed, say)


def evaluate(history: History, clusters: int, seed: int, say: Say) -> Outcome:
    """Play the history through the models and the baselines, and compare."""
    purchases = history.purchases
    if len(purchases) < 10 * EVENTS:
        raise BadQuestion(f"{len(purchases)} purchase days, expected at least {10 * EVENTS}")
    capacity = len(history.days)
    customers = Customers(capacity)
    lives = [Live(customers, capacity, clusters, seed + more) for more in range(len(LEARNER_SEEDS))]
    tenth = len(purchases) // CHECKPOINTS
    plain: dict[str, Player] = {
        name: River(customers, capacity, clusters, halflife)
        for name, halflife in RIVER_HALFLIVES.items()
    }
    plain["rfm_cells"] = Cells(customers, capacity)
    plain["frozen_after_first_tenth"] = Frozen(customers, lives[0], capacity, tenth)
    watched = [Watched(live) for live in lives]
    baselines = {name: Watched(player) for name, player in plain.items()}
    checkpoints = _play(
        purchases, customers, [*watched, *baselines.values()], clusters=clusters, say=say
    )
    figures = _figures(watched, baselines, checkpoints, lives)
    figures |= {
        "customers": len(customers),
        "purchase_days": len(purchases),
        "clusters": clusters,
        "learner_seeds": [seed + more for more in range(len(LEARNER_SEEDS))],
        "batch_seeds": list(BATCH_SEEDS),
        "described": _described(lives[0].snapshot),
    }
    return Outcome(figures, _plots(watched, baselines, checkpoints))


def _play(
    purchases: list[Purchase],
    customers: Customers,
    watched: list[Watched],
    *,
    clusters: int,
    say: Say,
) -> list[Checkpoint]:
    tenth = len(purchases) // CHECKPOINTS
    checkpoints: list[Checkpoint] = []
    bought: set[int] = set()
    day = purchases[0].day
    for number, purchase in enumerate(purchases, 1):
        if purchase.day > day:
            for one in watched:
                one.player.end_day(purchase.day - 1)
            day = purchase.day
        now = customers.buys(purchase)
        bought.add(now.at)
        for one in watched:
            one.player.buy(now)
        if number % EVENTS == 0:
            for one in watched:
                one.see(len(customers), purchase.at_ms, bought, counts=number > tenth)
            bought = set()
        if number % tenth == 0 and len(checkpoints) < CHECKPOINTS:
            checkpoints.append(_checkpoint(customers, purchase.at_ms, watched, clusters))
            say(f"{number} of {len(purchases)} purchase days, {len(customers)} customers")
    return checkpoints


def _checkpoint(
    customers: Customers, at_ms: int, watched: list[Watched], clusters: int
) -> Checkpoint:
    columns = customers.columns()
    scale = scale_of(log_days_of(columns[0], at_ms), *columns[1:])
    points = points_of(*columns, at_ms, scale)
    batches = [batch_kmeans.labels(points, clusters, seed) for seed in BATCH_SEEDS]
    for one in watched:
        one.compare(len(customers), at_ms, batches)
    pairs = itertools.combinations(batches, 2)
    agreed = mean(batch_kmeans.ari(one, other) for one, other in pairs)
    return Checkpoint(at_ms, len(customers), agreed)


def _figures(
    watched: list[Watched],
    baselines: dict[str, Watched],
    checkpoints: list[Checkpoint],
    lives: list[Live],
) -> dict[str, Any]:
    batch = [one.batch_ari for one in checkpoints]
    model = _judged(watched)
    behind = [low - high for low, high in zip(model["ari_at"], batch, strict=True)]
    purchases = len(watched[0].idle) * EVENTS
    return {
        **model,
        "batch_ari": round(mean(batch[1:]), 4),
        "batch_ari_at": [round(one, 4) for one in batch],
        "ari_over_batch_min": round(min(behind[1:]), 4),
        "us_per_label": round(lives[0].label_s / max(purchases, 1) * 1e6, 2),
        "us_per_lesson": round(lives[0].learn_s / max(purchases, 1) * 1e6, 2),
        "ms_per_fit": round(median(lives[0].fits_s or [0.0]) * 1e3, 1),
        "snapshots": lives[0].snapshot.version,
        "baselines": {name: _judged([one]) for name, one in baselines.items()},
    }


def _judged(watched: list[Watched]) -> dict[str, Any]:
    """Medians over seeds; the least agreement is of the checkpoints after the first tenth."""
    agrees = [median(at) for at in zip(*(one.agrees for one in watched), strict=True)]
    return {
        "ari_at": [round(one, 4) for one in agrees],
        "ari_min": round(min(agrees[1:]), 4),
        "flips_idle": _median_of_means([one.idle for one in watched]),
        "flips_by_silence": _median_of_means([one.silent for one in watched]),
        "flips_active": _median_of_means([one.active for one in watched]),
    }


def _median_of_means(shares: list[list[float]]) -> float:
    return round(median(mean(one or [0.0]) for one in shares), 5)


def _described(snapshot: ClusterSnapshot) -> dict[str, dict[str, Any]]:
    return {
        str(label): {
            "traits": [f"{trait.feature} {trait.direction}" for trait in one.traits],
            "share": round(one.share, 3),
            "silence_days": round(one.silence_days, 1),
            "orders": round(one.orders, 1),
            "value": round(one.value_cents / 100, 2),
        }
        for label, one in enumerate(snapshot.clusters)
    }


def _plots(
    watched: list[Watched], baselines: dict[str, Watched], checkpoints: list[Checkpoint]
) -> list[Plot]:
    xs = [one.at_ms / 1000 for one in checkpoints]
    agrees = [Series("live clusters", xs, _judged(watched)["ari_at"])]
    agrees.append(Series("batch with itself", xs, [one.batch_ari for one in checkpoints]))
    agrees += [Series(name, xs, one.agrees) for name, one in baselines.items()]
    windows = [float(number * EVENTS) for number in range(1, len(watched[0].idle) + 1)]
    return [
        Plot(
            "Agreement with batch k-means (adjusted Rand index)",
            "time",
            "ari",
            agrees,
            is_time=True,
        ),
        Plot(
            f"Customers whose label changed within {EVENTS} purchases though they bought nothing",
            "purchase days after the first tenth",
            "share",
            [
                Series("because the model moved", windows, watched[0].idle),
                Series("because of silence", windows, watched[0].silent),
            ],
        ),
    ]
