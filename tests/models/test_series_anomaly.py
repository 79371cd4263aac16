"""How strange a value of a series is."""

import math
import random

import msgspec
import pytest

from models.series_anomaly import LEARNED_BEFORE, STRANGE, SeriesAnomaly, score

EVERY_S = 300


def scores(values: list[float], every_s: int = EVERY_S) -> list[float]:
    series = SeriesAnomaly()
    return [score(series, at * every_s, value) for at, value in enumerate(values)]


def daily(count: int, seed: int = 1) -> list[float]:
    chance = random.Random(seed)
    return [
        100.0 + 30.0 * math.sin(at * EVERY_S / 86_400 * 2 * math.pi) + chance.gauss(0, 3)
        for at in range(count)
    ]


def test_the_first_values_are_never_strange() -> None:
    assert set(scores([1.0, 1e9, -1e9, 0.0] * (LEARNED_BEFORE // 4))[: LEARNED_BEFORE - 1]) == {0.0}


@pytest.mark.parametrize("jump", [80.0, -80.0])
def test_a_value_far_off_is_strange(jump: float) -> None:
    values = daily(3_000)
    values[2_500] += jump
    found = scores(values)
    assert found[2_500] >= STRANGE
    assert max(found[2_000:]) == max(found[2_500:2_510])


def test_the_usual_value_of_another_time_of_day_is_strange() -> None:
    values = daily(4_000)
    flat = range(3_400, 3_472)
    for at in flat:
        values[at] = 100.0
    assert max(scores(values)[at] for at in flat) >= STRANGE


def test_what_is_strange_is_news_once() -> None:
    values = daily(3_000)
    for at in range(2_500, 2_560):
        values[at] += 90.0
    found = scores(values)
    assert 1 <= sum(found[at] >= STRANGE for at in range(2_500, 2_560)) <= 10


@pytest.mark.parametrize("value", [0.0, 5.0, -1e12, 1e-9])
def test_a_flat_line_is_not_strange(value: float) -> None:
    assert max(scores([value] * 2_000)) < STRANGE


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_scores_lie_between_0_and_1_whatever_comes(seed: int) -> None:
    chance = random.Random(seed)
    values = [chance.choice([0.0, 1e300, -1e300, 1e-300, chance.gauss(0, 1)]) for _ in range(3_000)]
    assert all(0.0 <= one <= 1.0 for one in scores(values))


def test_times_may_stand_still_or_go_back() -> None:
    series, chance = SeriesAnomaly(), random.Random(2)
    for _ in range(2_000):
        assert 0.0 <= score(series, chance.randrange(-(10**9), 10**9), chance.random()) <= 1.0


def test_a_restart_at_any_value_changes_nothing() -> None:
    values = daily(300)
    series, found = SeriesAnomaly(), []
    for at, value in enumerate(values):
        packed = msgspec.msgpack.encode(series)
        series = msgspec.msgpack.decode(packed, type=SeriesAnomaly)
        found.append(score(series, at * EVERY_S, value))
    assert found == scores(values)


def test_what_is_kept_does_not_grow() -> None:
    series = SeriesAnomaly()
    sizes = []
    for at, value in enumerate(daily(20_000)):
        score(series, at * EVERY_S, value)
        if at in (2_000, 19_999):
            sizes.append(len(msgspec.msgpack.encode(series)))
    assert sizes[1] < sizes[0] * 1.3


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_passed_over(bad: float) -> None:
    values, series = daily(3_000), SeriesAnomaly()
    values[2_500] += 80.0
    found = []
    for at, value in enumerate(values):
        assert score(series, at * EVERY_S, bad) == 0.0
        found.append(score(series, at * EVERY_S, value))
    assert found == scores(values)
