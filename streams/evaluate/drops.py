"""`huitou evaluate drops`: orders are taken out of a real history; is it noticed.

The hourly orders go through the live watch's alarm (`models/count_alarm.py`). At positions drawn by
a seed from the test window, after the first quarter of the history, a share of the orders of the
following hours is taken out at random. What the watch knows there was learned before. Hours in
which it says on the untouched history that orders are falling are no positions.
"""

import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pandas as pd

from models.clock import HOUR_MS
from models.count_alarm import CountAlarm, Turn, judge
from streams.evaluate.history import Column, read
from streams.evaluate.outcome import BadQuestion, Outcome, Plot, Say, Series

WARM_SHARE = 0.25
WARM_DAYS_AT_LEAST = 35
TEST_DAYS_AT_LEAST = 14
# A position needs so much of the usual volume: where the shop is closed nothing can drop.
OPEN_SHARE = 0.25
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(CountAlarm).decode


class Injection(NamedTuple):
    """`size` is the share taken out, for `hours`, at each of `positions`."""

    size: float
    hours: int
    positions: int
    seed: int


class Hours(NamedTuple):
    """Orders of every hour from `first_ms` on."""

    first_ms: int
    counts: list[int]

    def at_ms(self, at: int) -> int:
        """When hour number `at` began."""
        return self.first_ms + at * HOUR_MS


class Clean(NamedTuple):
    """The untouched history: falls and rises, what was expected, and the watch at each position."""

    falls: list[int]
    rises: list[int]
    expected: list[float]
    states: dict[int, bytes]
    us_per_point: float


def question(
    path: Path, time_column: str, basket_column: str, injection: Injection, say: Say
) -> Outcome:
    """Read the history and ask."""
    columns = [
        Column("at", time_column, "moment"),
        Column("basket", basket_column, "text", required=False),
    ]
    return evaluate(read(path, columns, say), injection, say)


def evaluate(frame: pd.DataFrame, injection: Injection, say: Say) -> Outcome:
    """Play the history untouched, then from each position with the drop.

    `frame` has `at`, and `basket` if one order has several rows.
    """
    _check(injection)
    hours = hourly(frame)
    start = _test_from(hours)
    say(f"{sum(hours.counts)} orders in {len(hours.counts)} hours, tested from hour {start} on")
    clean = _play(hours, start, injection)
    delays = [
        _delay(hours, position, state, injection)
        for position, state in sorted(clean.states.items())
    ]
    caught = [delay for delay in delays if delay is not None]
    say(f"{len(caught)} of {len(delays)} drops caught")
    months = (len(hours.counts) - start) / 24 / 30
    figures: dict[str, Any] = {
        "caught": round(len(caught) / len(delays), 4),
        "median_delay_h": median(caught) if caught else None,
        "false_alarms_per_30d": round(sum(at >= start for at in clean.falls) / months, 3),
        "rises_per_30d": round(sum(at >= start for at in clean.rises) / months, 3),
        "us_per_point": round(clean.us_per_point, 2),
        "positions": len(delays),
        "size": injection.size,
        "hours": injection.hours,
        "orders_per_hour": round(sum(hours.counts) / len(hours.counts), 2),
        "seed": injection.seed,
    }
    return Outcome(figures, _plots(hours, clean, delays, injection))


def hourly(frame: pd.DataFrame) -> Hours:
    """Count orders by the hour of their first row."""
    at = frame.groupby("basket")["at"].min() if "basket" in frame else frame["at"]
    hours = (at.astype("datetime64[ns, UTC]").astype("int64") // (HOUR_MS * 10**6)).to_numpy()
    first = int(hours.min())
    return Hours(first * HOUR_MS, [int(one) for one in np.bincount(hours - first)])


def _check(injection: Injection) -> None:
    if not 0.0 < injection.size <= 1.0:
        raise BadQuestion(f"--size {injection.size}: expected a share above 0 and up to 1")
    if injection.hours < 1 or injection.positions < 1:
        raise BadQuestion("--hours and --positions: expected 1 or more")


def _test_from(hours: Hours) -> int:
    start = max(int(len(hours.counts) * WARM_SHARE), WARM_DAYS_AT_LEAST * 24)
    if len(hours.counts) - start < TEST_DAYS_AT_LEAST * 24:
        raise BadQuestion(
            f"the history has {len(hours.counts) // 24} days, expected at least "
            f"{WARM_DAYS_AT_LEAST + TEST_DAYS_AT_LEAST}: the watch learns the week's hours first"
        )
    return start


def _play(hours: Hours, start: int, injection: Injection) -> Clean:
    last = len(hours.counts) - injection.hours
    drawn = np.random.default_rng(injection.seed).permutation(np.arange(start, last))
    least = OPEN_SHARE * injection.hours * sum(hours.counts) / len(hours.counts)
    open_hours = [int(at) for at in drawn if sum(hours.counts[at : at + injection.hours]) >= least]
    wanted = set(open_hours[: 2 * injection.positions])
    alarm = CountAlarm()
    falls: list[int] = []
    rises: list[int] = []
    expected: list[float] = []
    states: dict[int, bytes] = {}
    spent_s = 0.0
    for at, count in enumerate(hours.counts):
        if at in wanted and alarm.falls.firing is None:
            states[at] = _encode(alarm)
        began_s = time.perf_counter()
        judged = judge(alarm, hours.at_ms(at), count)
        spent_s += time.perf_counter() - began_s
        expected.append(judged.expected)
        if judged.fall is Turn.FIRED:
            falls.append(at)
        if judged.rise is Turn.FIRED:
            rises.append(at)
    chosen = [at for at in open_hours if at in states][: injection.positions]
    if not chosen:
        raise BadQuestion("no hour of the test window can hold a drop: expected orders in it")
    return Clean(
        falls, rises, expected, {at: states[at] for at in chosen}, spent_s / len(expected) * 1e6
    )


def _delay(hours: Hours, position: int, state: bytes, injection: Injection) -> int | None:
    """Hours from the drop's beginning to the end of the hour that raised the alarm."""
    alarm = _decode(state)
    for passed, count in enumerate(_thinned(hours, position, injection), 1):
        if judge(alarm, hours.at_ms(position + passed - 1), count).fall is Turn.FIRED:
            return passed
    return None


def _thinned(hours: Hours, position: int, injection: Injection) -> Iterator[int]:
    chance = np.random.default_rng((injection.seed, position))
    for count in hours.counts[position : position + injection.hours]:
        yield int(chance.binomial(count, 1.0 - injection.size))


def _plots(
    hours: Hours, clean: Clean, delays: list[int | None], injection: Injection
) -> list[Plot]:
    days = range(0, len(hours.counts) - 23, 24)
    xs = [hours.at_ms(at) / 1000 for at in days]
    actual = [float(sum(hours.counts[at : at + 24])) for at in days]
    foreseen = [sum(clean.expected[at : at + 24]) for at in days]
    fallen = {at // 24 * 24 for at in clean.falls}
    marked = [count if at in fallen else None for at, count in zip(days, actual, strict=True)]
    share = [
        sum(delay is not None and delay <= passed for delay in delays) / len(delays)
        for passed in range(1, injection.hours + 1)
    ]
    return [
        Plot(
            "Orders a day, as they were and as expected",
            "day",
            "orders",
            [
                Series("orders", xs, actual),
                Series("expected", xs, foreseen),
                Series("alarm: fewer than expected", xs, marked, "points"),
            ],
            is_time=True,
        ),
        Plot(
            f"Drops of {injection.size:.0%} caught after so many hours",
            "hours since the drop began",
            "share caught",
            [Series("caught", [float(one) for one in range(1, injection.hours + 1)], share)],
        ),
    ]
