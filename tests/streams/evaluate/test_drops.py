"""`huitou evaluate drops`."""

import random
from typing import Any

import pandas as pd
import pytest

from streams.evaluate.drops import Injection, evaluate, hourly
from streams.evaluate.outcome import BadQuestion
from tests.models.test_count_alarm import poisson, usual


def history(days: int, seed: int = 1) -> pd.DataFrame:
    """A shop's orders, two rows each."""
    chance = random.Random(seed)
    rows = []
    for hour in range(days * 24):
        for _ in range(poisson(chance, usual(hour))):
            at = pd.Timestamp("2026-01-05", tz="UTC") + pd.Timedelta(hours=hour, minutes=30)
            rows += [(at, str(len(rows)))] * 2
    return pd.DataFrame(rows, columns=["at", "basket"])


def asked(**fields: Any) -> Injection:
    return Injection(**{"size": 0.5, "hours": 24, "positions": 20, "seed": 1, **fields})


def test_an_order_counts_in_the_hour_of_its_first_row() -> None:
    at = pd.to_datetime(["2026-01-05 10:59", "2026-01-05 11:01", "2026-01-05 12:30"], utc=True)
    hours = hourly(pd.DataFrame({"at": at, "basket": ["a", "a", "b"]}))
    assert hours.counts == [1, 0, 1]
    assert hourly(pd.DataFrame({"at": at})).counts == [1, 1, 1]


def test_half_of_a_busy_shops_orders_are_missed_within_hours() -> None:
    figures = evaluate(history(120), asked(), print).figures
    assert figures["caught"] >= 0.9
    assert figures["median_delay_h"] <= 10
    assert figures["false_alarms_per_30d"] <= 2.0
    assert figures["positions"] == 20


def test_the_same_seed_finds_the_same() -> None:
    frame = history(70)
    one, two = (evaluate(frame, asked(seed=3), print).figures for _ in range(2))
    for figures in (one, two):
        del figures["us_per_point"]
    assert one == two


def test_nothing_taken_out_is_hardly_ever_noticed() -> None:
    figures = evaluate(history(120), asked(size=0.01), print).figures
    assert figures["caught"] <= 0.2


@pytest.mark.parametrize(
    ("days", "fields", "said"),
    [
        (20, {}, "expected at least 49"),
        (70, {"size": 0.0}, "--size"),
        (70, {"size": 1.5}, "--size"),
        (70, {"hours": 0}, "--hours"),
        (70, {"positions": 0}, "--positions"),
    ],
)
def test_a_question_without_an_answer_is_refused(
    days: int, fields: dict[str, Any], said: str
) -> None:
    with pytest.raises(BadQuestion, match=said):
        evaluate(history(days), asked(**fields), print)
