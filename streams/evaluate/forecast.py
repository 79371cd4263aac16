"""`huitou evaluate forecast`: how many purchase days will each customer have from a date on.

The history is played through the live folds up to the end of the day before `split`; every
customer known by then is foretold by the live outlook (models/outlook.py) with the level of the
snapshot that was adopted by then.
"""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from models.clock import DAY_MS
from models.hazard import features_of
from models.outlook import orders_a_day
from streams.evaluate.baselines import bgnbd
from streams.evaluate.dormancy import summary_of
from streams.evaluate.drive import Drive, token
from streams.evaluate.outcome import BadQuestion, Outcome, Plot, Say, Series
from streams.evaluate.purchase_days import History, played, read_history
from streams.evaluate.scoring import Numbers

COUNTS_SHOWN = 8


class Span(NamedTuple):
    """Days since the epoch: foretold from `split` to `until`, both counted."""

    split: int
    until: int


def question(
    path: Path, columns: tuple[str, str, str], split: str, until: str | None, say: Say
) -> Outcome:
    """Read the history (columns: customer, time, amount) and ask."""
    history = read_history(path, *columns, say)
    last = history.last_day if until is None else min(day_of(until, "--until"), history.last_day)
    span = Span(day_of(split, "--split"), last)
    if not history.first_day < span.split <= span.until:
        first, end = (str(pd.Timestamp(day, unit="D").date()) for day in history[2:4])
        raise BadQuestion(f"--split {split}: expected a date after {first} and up to {end}")
    return evaluate(history, span, say)


def day_of(date: str, option: str) -> int:
    """Number a date as the history's days are."""
    try:
        return int(pd.Timestamp(date).value // 10**6 // DAY_MS)
    except ValueError:
        raise BadQuestion(f"{option} {date!r}: expected a date such as 1997-10-01") from None


def evaluate(history: History, span: Span, say: Say) -> Outcome:
    """Play up to the split, foretell, and compare with what came."""
    drive = Drive(adopt_every_days=1)
    for day in played(drive, history, say):
        if day == span.split - 1:
            break
    names = sorted(name for name, days in history.days.items() if days[0] < span.split)
    length_days = span.until - span.split + 1
    say(f"{len(names)} customers known, foretold for {length_days} days")
    rows, snapshot = dict(drive.rows()), drive.view.hazard
    foretold = np.array(
        [
            orders_a_day(features_of(rows[token(name)], span.split * DAY_MS, snapshot.gap_days))
            for name in names
        ]
    )
    foretold = foretold * snapshot.level * length_days
    came = np.array([_came(history.days[name], span) for name in names], dtype=float)
    summary = summary_of(history, names, span.split - 1)
    fitted = bgnbd.fit(summary)
    baseline = bgnbd.expected_purchases(fitted, summary, length_days / 7)
    always_zero = np.zeros_like(came)
    figures: dict[str, Any] = {
        **errors(foretold, came),
        "always_zero_relmae": errors(always_zero, came)["relmae"],
        "bgnbd_relmae": errors(baseline, came)["relmae"],
        "customers": len(names),
        "days": length_days,
        "foretold_in_all": round(float(foretold.sum()), 1),
        "came_in_all": int(came.sum()),
        "level": round(snapshot.level, 4),
        "baselines": {
            "always_zero": errors(always_zero, came),
            "bgnbd": errors(baseline, came)
            | {
                "converged": int(fitted.converged),
                "foretold_in_all": round(float(baseline.sum()), 1),
            },
        },
    }
    return Outcome(figures, [_plot(summary.repeats, foretold, baseline, came)])


def _came(days: "np.ndarray[Any, np.dtype[np.int64]]", span: Span) -> int:
    return int(((days >= span.split) & (days <= span.until)).sum())


def errors(foretold: Numbers, came: Numbers) -> dict[str, float | None]:
    """Errors of one forecast; `relmae` is the sum of errors over the sum of what came."""
    wrong = np.abs(foretold - came)
    varies = bool(foretold.std() > 0 and came.std() > 0)
    return {
        "relmae": round(float(wrong.sum() / max(came.sum(), 1.0)), 4),
        "mae": round(float(wrong.mean()), 4),
        "rmse": round(float(np.sqrt((wrong**2).mean())), 4),
        "corr": round(float(np.corrcoef(foretold, came)[0, 1]), 4) if varies else None,
    }


def _plot(repeats: Numbers, foretold: Numbers, baseline: Numbers, came: Numbers) -> Plot:
    bins = np.minimum(repeats, COUNTS_SHOWN - 1)
    there = [place for place in range(COUNTS_SHOWN) if (bins == place).any()]
    xs = [float(place) for place in there]
    return Plot(
        "Purchase days to come, by those repeated before",
        f"repeated purchase days before ({COUNTS_SHOWN - 1}: or more)",
        "purchase days a customer",
        [
            Series(name, xs, [float(numbers[bins == place].mean()) for place in there])
            for name, numbers in (("came", came), ("outlook", foretold), ("BG/NBD", baseline))
        ],
    )
