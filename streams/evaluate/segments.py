"""`huitou evaluate segments`: do live clusters agree with batch k-means, and do they hold still.

Purchase days are played in time order through the live engine (streams/evaluate/drive.py), a run
for each of several seeds of the learner: a customer's row keeps the label it was last given, by an
order or by a timer, and snapshots are adopted as often as live. Customers are asked as the engine
would look at them if something happened to them now: with the adopted snapshot and the label in
their row. Ten checkpoints are the ends of the days on which each tenth of the purchases was
reached. There the labels of all known customers are compared with those of batch k-means, fitted
anew on the customers as they stand at that moment: `ari_at` is the mean over batch seeds, the
median over learner seeds; `batch_ari_at` how far batch seeds agree with each other.
`ari_day_old_at` is the same just before the day's snapshot is adopted: the worst, since the one in
use is a day old. A young shop's clusters are kept back until they hold still (models/settling.py):
where there are none yet the agreement is 0, and `purchases_before_use` says how long that was.

Flips are counted over every EVENTS purchases after the first tenth, of the customers known at
their beginning. `flips_idle` are those who bought nothing and whose label changed because the model
did; where silence alone would have changed it under the model of the beginning, it is
`flips_by_silence`. `flips_active` are those who bought.
"""

import itertools
from pathlib import Path
from statistics import mean, median
from typing import Any, NamedTuple

import numpy as np

from models.clock import DAY_MS
from models.cluster_learner import scale_of
from models.clusters import NOBODY, ClusterSnapshot, log_days_of, points_of
from streams.evaluate.baselines import batch_kmeans
from streams.evaluate.outcome import BadQuestion, Outcome, Plot, Say, Series
from streams.evaluate.purchase_days import History, Purchase, read_history
from streams.evaluate.segment_players import (
    Cells,
    Customers,
    Frozen,
    Labels,
    Live,
    Look,
    Player,
    River,
)

EVENTS = 200
CHECKPOINTS = 10
LEARNERS = 3
BATCH_SEEDS = (1, 2, 3, 4, 5)
HALFLIVES = {"river_kmeans": 0.5, "river_kmeans_slow": 0.02}


class Watched:
    """A player's labels from one end of EVENTS purchases to the next, and at the checkpoints."""

    def __init__(self, player: Player) -> None:
        self.player = player
        self.idle: list[float] = []
        self.silent: list[float] = []
        self.active: list[float] = []
        self.agrees: list[float] = []
        self.agreed_day_old: list[float] = []
        self._look: Look | None = None
        self._before: Labels = np.empty(0, np.int64)

    def see(self, now_ms: int, bought: set[int], *, counts: bool) -> None:
        """Compare with the labels of the last time; with `counts` it counts."""
        look = self.player.look()
        after = look(now_ms, self.player.labels())
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

    def agreement(self, now_ms: int, batches: list[Labels]) -> float:
        """How far the labels agree with batch k-means now."""
        labels = self.player.look()(now_ms, self.player.labels())
        return mean(batch_kmeans.ari(labels, batch) for batch in batches)


class Checkpoint(NamedTuple):
    """When it was, how many customers were known, and how far batch seeds agree."""

    at_ms: int
    customers: int
    batch_ari: float


def question(
    path: Path,
    columns: tuple[str, str, str],
    clusters: int,
    seed: int,
    say: Say,
) -> Outcome:
    """Read the history (columns of customer, time, amount) and ask."""
    if not 2 <= clusters <= 20:
        raise BadQuestion(f"--clusters {clusters}: expected 2 to 20")
    history = read_history(path, *columns, say)
    return evaluate(history, clusters, seed, say)


def evaluate(
    history: History,
    clusters: int,
    seed: int,
    say: Say,
) -> Outcome:
    """Play the history through the models and the baselines, and compare."""
    purchases = history.purchases
    if len(purchases) < 10 * EVENTS:
        raise BadQuestion(f"{len(purchases)} purchase days, expected at least {10 * EVENTS}")
    capacity = len(history.days)
    customers = Customers(capacity)
    seeds = [seed + more for more in range(LEARNERS)]
    lives = [Live(customers, clusters, one) for one in seeds]
    watched = [Watched(live) for live in lives]
    until = len(purchases) // CHECKPOINTS
    plain: dict[str, Player] = {
        name: River(customers, clusters, seed, halflife) for name, halflife in HALFLIVES.items()
    }
    plain["rfm_cells"] = Cells(customers)
    plain["frozen_after_first_tenth"] = Frozen(customers, lives[0], until)
    baselines = {name: Watched(player) for name, player in plain.items()}
    checkpoints = _play(
        purchases, customers, [*watched, *baselines.values()], clusters=clusters, say=say
    )
    figures = _figures(watched, baselines, checkpoints, lives)
    figures |= {
        "customers": len(customers),
        "purchase_days": len(purchases),
        "clusters": clusters,
        "learner_seeds": seeds,
        "purchases_before_use": [live.purchases_before_use for live in lives],
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
    after = itertools.chain((one.day for one in purchases[1:]), [purchases[-1].day + 1])
    for number, (purchase, next_day) in enumerate(zip(purchases, after, strict=True), 1):
        now = customers.buys(purchase)
        bought.add(now.at)
        for one in watched:
            one.player.buy(now)
        if number % EVENTS == 0:
            for one in watched:
                one.see(purchase.at_ms, bought, counts=number > tenth)
            bought = set()
        if next_day > purchase.day:
            reached = min(number // tenth, CHECKPOINTS) - len(checkpoints)
            end_ms = (purchase.day + 1) * DAY_MS
            for _ in range(reached):
                checkpoints.append(_checkpoint(customers, end_ms, watched, clusters))
                say(f"{number} of {len(purchases)} purchase days, {len(customers)} customers")
            if not reached:
                for one in watched:
                    one.player.pass_time(end_ms)
    return checkpoints


def _checkpoint(
    customers: Customers, at_ms: int, watched: list[Watched], clusters: int
) -> Checkpoint:
    """Compare with batch k-means before and after the day's fit."""
    columns = customers.columns()
    scale = scale_of(log_days_of(columns[0], at_ms), *columns[1:])
    points = points_of(*columns, at_ms, scale)
    batches = [batch_kmeans.labels(points, clusters, seed) for seed in BATCH_SEEDS]
    for one in watched:
        one.agreed_day_old.append(one.agreement(at_ms, batches))
        one.player.pass_time(at_ms)
        one.agrees.append(one.agreement(at_ms, batches))
    pairs = itertools.combinations(batches, 2)
    return Checkpoint(at_ms, len(customers), mean(batch_kmeans.ari(*pair) for pair in pairs))


def _figures(
    watched: list[Watched],
    baselines: dict[str, Watched],
    checkpoints: list[Checkpoint],
    lives: list[Live],
) -> dict[str, Any]:
    batch = [one.batch_ari for one in checkpoints]
    model = _judged(watched)
    behind = [low - high for low, high in zip(model["ari_at"], batch, strict=True)]
    return {
        **model,
        "ari_day_old_at": [
            round(median(at), 4)
            for at in zip(*(one.agreed_day_old for one in watched), strict=True)
        ],
        "batch_ari": round(mean(batch[1:]), 4),
        "batch_ari_at": [round(one, 4) for one in batch],
        "ari_over_batch_min": round(min(behind[1:]), 4),
        "us_per_label": round(lives[0].label_s / max(lives[0].asked, 1) * 1e6, 2),
        "us_per_lesson": round(lives[0].pupil.learn_s / lives[0].purchases * 1e6, 2),
        "ms_per_fit": round(median(lives[0].pupil.fits_s or [0.0]) * 1e3, 1),
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
        "flips_idle_at": _by_tenth([one.idle for one in watched]),
        "flips_by_silence": _median_of_means([one.silent for one in watched]),
        "flips_active": _median_of_means([one.active for one in watched]),
    }


def _median_of_means(shares: list[list[float]]) -> float:
    return round(median(mean(one or [0.0]) for one in shares), 5)


def _by_tenth(shares: list[list[float]]) -> list[float]:
    """Means of each tenth of the history after the first, medians over seeds."""
    parts = [np.array_split(np.array(one or [0.0]), CHECKPOINTS - 1) for one in shares]
    means = [[float(part.mean()) if len(part) else 0.0 for part in one] for one in parts]
    return [round(median(at), 5) for at in zip(*means, strict=True)]


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
        Plot("Agreement with batch k-means", "time", "adjusted Rand index", agrees, is_time=True),
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
