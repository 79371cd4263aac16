"""`huitou evaluate dormancy`: does the live hazard tell who will buy within the horizon.

The history is played through the live folds. On each snapshot day, a multiple of `every_days` since
the first, from `burn_days` plus the horizon on, every customer known by then is asked at the end of
the day; what comes on later days within the horizon is the truth. The model is the snapshot that
the learner had published and the worker adopted by then, so only matured lessons are in it.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from models.clock import DAY_MS
from models.customer import Customer
from models.hazard import HazardSnapshot, features_of, probability
from streams.evaluate import scoring
from streams.evaluate.baselines import bgnbd
from streams.evaluate.drive import Drive, token
from streams.evaluate.outcome import BadQuestion, Outcome, Plot, Say, Series
from streams.evaluate.purchase_days import History, played, read_history
from streams.evaluate.scoring import Numbers, Truths

RULE_DAYS = 30
DECAY_DAYS = 90
# So few rows stay in the processor's cache; so many more do not.
WARM_ROWS = 50
COLD_ROWS = 2_000
LOOP_STEPS = 5_000
TIMED_TIMES = 150


class Asking(NamedTuple):
    """Options of the question, in days."""

    horizon_days: int = 60
    every_days: int = 28
    burn_days: int = 120


class Snapshot(NamedTuple):
    """One snapshot day: what came, and each scorer's scores, customers in one order."""

    day: int
    came: Truths
    silence: Numbers
    foretold: Numbers
    baselines: dict[str, Numbers]
    learned: int


class Timing(NamedTuple):
    """Microseconds of one score, and of one step of a plain Python loop, for comparison.

    Live, a row is scored just after it was decoded, so the score of warm rows is the live one; cold
    ones are fetched from all over memory.
    """

    us_per_score: float
    us_per_cold_score: float
    us_per_loop_step: float


def question(
    path: Path, customer: str, time_column: str, amount: str, asking: Asking, say: Say
) -> Outcome:
    """Read the history and ask."""
    if min(asking) < 1:
        raise BadQuestion(f"{asking}: expected days of 1 or more")
    return evaluate(read_history(path, customer, time_column, amount, say), asking, say)


def evaluate(history: History, asking: Asking, say: Say) -> Outcome:
    """Play the history and judge what the hazard said on the snapshot days."""
    days = snapshot_days(history, asking)
    drive = Drive(adopt_every_days=1, horizons_days=(asking.horizon_days,))
    refit = Refit()
    taken: list[Snapshot] = []
    timing = Timing(0.0, 0.0, 0.0)
    for day in played(drive, history, say):
        if day not in days:
            continue
        taken.append(_snapshot(drive, history, day, asking, refit))
        if day == days[-1]:
            timing = _timing(drive)
            break
    say(f"{len(taken)} snapshots, {len(taken[-1].came)} customers in the last")
    return Outcome(_figures(taken, timing, refit, asking), _plots(taken, history))


def snapshot_days(history: History, asking: Asking) -> list[int]:
    """Days (since the epoch) at whose end is asked; the horizon must end within the history."""
    first = asking.burn_days + asking.horizon_days
    first += -first % asking.every_days
    last = history.last_day - history.first_day - asking.horizon_days
    days = [history.first_day + day for day in range(first, last + 1, asking.every_days)]
    if not days:
        raise BadQuestion(
            f"the history has {history.last_day - history.first_day + 1} days, expected at least "
            f"{first + asking.horizon_days + 1}: --burn-days and twice --horizon-days"
        )
    return days


class Refit:
    """BG/NBD, fitted at each snapshot; a fit that runs off leaves the last good one in use."""

    def __init__(self) -> None:
        self.fits = 0
        self.converged = 0
        self._last = bgnbd.PUBLISHED_CDNOW

    def expected(self, summary: bgnbd.Summary, days: float) -> Numbers:
        """Purchases to be expected of each customer."""
        made = bgnbd.fit(summary, self._last)
        self.fits += 1
        if made.converged:
            self.converged += 1
            self._last = made
        return bgnbd.expected_purchases(self._last, summary, days / 7)


def summary_of(history: History, names: list[str], day: int) -> bgnbd.Summary:
    """Customers' purchase days up to the end of `day`, in weeks."""
    known = [
        history.days[name][: np.searchsorted(history.days[name], day, "right")] for name in names
    ]
    repeats = np.array([len(days) - 1 for days in known], dtype=float)
    seen = np.array([days[-1] - days[0] for days in known]) / 7
    length = np.array([day - days[0] for days in known]) / 7
    return bgnbd.Summary(repeats, seen, length)


def _snapshot(drive: Drive, history: History, day: int, asking: Asking, refit: Refit) -> Snapshot:
    names = sorted(name for name, days in history.days.items() if days[0] <= day)
    rows = dict(drive.rows())
    view, now_ms = drive.view, (day + 1) * DAY_MS
    foretold = np.array(
        [score(rows[token(name)], now_ms, view.hazard) for name in names], dtype=float
    )
    summary = summary_of(history, names, day)
    silence = (summary.length - summary.seen) * 7
    came = np.array([_comes(history.days[name], day, asking.horizon_days) for name in names])
    gap = np.where(
        summary.repeats > 0, summary.seen * 7 / np.maximum(summary.repeats, 1), RULE_DAYS
    )
    baselines = {
        "plain_silence": -silence,
        "silence_over_gap": -silence / np.maximum(gap, 1.0),
        "decayed_count": np.array([_decayed(history.days[name], day) for name in names]),
        "rule_30d": (silence <= RULE_DAYS).astype(float),
        "bgnbd_refit": refit.expected(summary, asking.horizon_days),
    }
    return Snapshot(day, came, silence, foretold, baselines, view.hazard.lessons)


def score(customer: Customer, now_ms: int, snapshot: HazardSnapshot) -> float:
    """Ask the live model."""
    return probability(features_of(customer, now_ms, snapshot.gap_days), snapshot)


def _comes(days: "np.ndarray[Any, np.dtype[np.int64]]", day: int, horizon_days: int) -> bool:
    at = int(np.searchsorted(days, day, "right"))
    return at < len(days) and int(days[at]) <= day + horizon_days


def _decayed(days: "np.ndarray[Any, np.dtype[np.int64]]", day: int) -> float:
    return float(np.exp2(-(day - days[days <= day]) / DECAY_DAYS).sum())


def _timing(drive: Drive) -> Timing:
    snapshot, now_ms = drive.view.hazard, drive.view.now_ms
    cold = [row for _, row in drive.rows() if row.orders > 0][:COLD_ROWS]
    warm = cold[:WARM_ROWS]
    best_us = [float("inf")] * 3
    # By turns, so that a moment in which the machine is busy is none of them's alone.
    for _ in range(TIMED_TIMES):
        told_us = (
            _took_us(lambda: [score(row, now_ms, snapshot) for row in warm], len(warm)),
            _took_us(lambda: [score(row, now_ms, snapshot) for row in cold], len(cold)),
            _took_us(lambda: sum(step * 0.5 for step in range(LOOP_STEPS)), LOOP_STEPS),
        )
        best_us = [min(pair) for pair in zip(best_us, told_us, strict=True)]
    return Timing(*best_us)


def _took_us(work: Callable[[], Any], steps: int) -> float:
    work()
    began_s = time.perf_counter()
    work()
    return (time.perf_counter() - began_s) / max(steps, 1) * 1e6


def _mean(taken: list[Snapshot], figure: Callable[[Snapshot], float]) -> float:
    return round(float(np.nanmean([figure(one) for one in taken])), 4)


def _rule_fpr(one: Snapshot) -> float:
    rule = one.baselines["rule_30d"] > 0
    return float(rule[~one.came].mean()) if (~one.came).any() else float("nan")


def _rule_recall(one: Snapshot) -> float:
    rule = one.baselines["rule_30d"] > 0
    return float(rule[one.came].mean()) if one.came.any() else float("nan")


def _ece_level_known(one: Snapshot) -> float:
    """What is left of the error had it been known how many would come, though not who."""
    levelled = scoring.levelled(one.foretold, float(one.came.mean()))
    return scoring.expected_calibration_error(one.came, levelled)


def _figures(taken: list[Snapshot], timing: Timing, refit: Refit, asking: Asking) -> dict[str, Any]:
    def ranked(scores: Callable[[Snapshot], Numbers]) -> dict[str, float]:
        return {
            "auc": _mean(taken, lambda one: scoring.auc(one.came, scores(one))),
            "recall_at_rule_fpr": _mean(
                taken, lambda one: scoring.recall_at(one.came, scores(one), _rule_fpr(one))
            ),
        }

    baselines: dict[str, dict[str, float]] = {
        name: ranked(lambda one, name=name: one.baselines[name])  # type: ignore[misc]
        for name in taken[0].baselines
    }
    baselines["bgnbd_refit"] |= {"fits": refit.fits, "converged": refit.converged}
    came = np.concatenate([one.came for one in taken])
    foretold = np.concatenate([one.foretold for one in taken])
    return {
        **ranked(lambda one: one.foretold),
        "rule_fpr": _mean(taken, _rule_fpr),
        "rule_recall": _mean(taken, _rule_recall),
        "brier": _mean(taken, lambda one: scoring.brier(one.came, one.foretold)),
        "ece": _mean(taken, lambda one: scoring.expected_calibration_error(one.came, one.foretold)),
        "ece_floor": _mean(taken, lambda one: scoring.calibration_floor(one.foretold)),
        "ece_level_known": _mean(taken, _ece_level_known),
        "ece_pooled": round(scoring.expected_calibration_error(came, foretold), 4),
        "us_per_score": round(timing.us_per_score, 2),
        "us_per_cold_score": round(timing.us_per_cold_score, 2),
        "score_over_loop_step": round(timing.us_per_score / max(timing.us_per_loop_step, 1e-9), 1),
        "customers": len(taken[-1].came),
        "snapshots": len(taken),
        "lessons": taken[-1].learned,
        "base_rate": _mean(taken, lambda one: float(one.came.mean())),
        "horizon_days": asking.horizon_days,
        "reliability": scoring.reliability(came, foretold),
        "baselines": baselines,
    }


def _plots(taken: list[Snapshot], history: History) -> list[Plot]:
    came = np.concatenate([one.came for one in taken])
    table = scoring.reliability(came, np.concatenate([one.foretold for one in taken]))
    filled = [row for row in table if row["asked"]]
    xs = [float(one.day - history.first_day) for one in taken]
    return [
        Plot(
            "Foretold and come, by tenths",
            "foretold",
            "share that came",
            [
                Series("hazard", [r["foretold"] for r in filled], [r["came"] for r in filled]),
                Series("as foretold", [0.0, 1.0], [0.0, 1.0]),
            ],
        ),
        Plot(
            "Ranking, snapshot by snapshot",
            "day of the history",
            "AUC",
            [
                Series("hazard", xs, [scoring.auc(one.came, one.foretold) for one in taken]),
                *(
                    Series(name, xs, [scoring.auc(one.came, one.baselines[name]) for one in taken])
                    for name in taken[0].baselines
                ),
            ],
        ),
        Plot(
            "Who buys within the horizon, foretold and come",
            "day of the history",
            "share",
            [
                Series("foretold", xs, [float(one.foretold.mean()) for one in taken]),
                Series("came", xs, [float(one.came.mean()) for one in taken]),
            ],
        ),
    ]
