"""`huitou evaluate segments`."""

import random
from typing import Any

import numpy as np
import pandas as pd
import pytest

from models.clock import DAY_MS
from streams.evaluate import segments
from streams.evaluate.baselines.batch_kmeans import ari, labels
from streams.evaluate.outcome import BadQuestion
from streams.evaluate.purchase_days import History, history_of
from streams.evaluate.segment_players import Look
from streams.evaluate.segments import EVENTS, Watched, evaluate


def shop(customers: int = 260, days: int = 200, seed: int = 1) -> History:
    """Regulars who come every week, and others who come a few times and are gone."""
    chance = random.Random(seed)
    rows = []
    for number in range(customers):
        is_regular = number % 3 == 0
        day = chance.randrange(days // 2 if is_regular else days)
        for _ in range(60 if is_regular else chance.randrange(1, 5)):
            if day >= days:
                break
            rows.append((f"c{number}", day, chance.lognormvariate(4 if is_regular else 2, 0.3)))
            day += chance.randrange(4, 11)
    told = pd.DataFrame(rows, columns=["customer", "day", "amount"])
    told["at"] = pd.Timestamp("2026-01-01T12:00", tz="UTC") + pd.to_timedelta(told["day"], "D")
    return history_of(told)


@pytest.fixture(scope="module")
def figures() -> dict[str, Any]:
    return evaluate(shop(), 3, 1, print).figures


def test_the_live_clusters_agree_with_batch_k_means(figures: dict[str, Any]) -> None:
    assert len(figures["ari_at"]) == len(figures["batch_ari_at"]) == 10
    assert figures["ari_min"] == min(figures["ari_at"][1:])
    assert figures["ari_min"] > 0.9
    assert min(figures["ari_day_old_at"]) <= min(figures["ari_at"])


def test_the_baselines_stand_beside_them(figures: dict[str, Any]) -> None:
    baselines = figures["baselines"]
    assert set(baselines) == {
        "river_kmeans",
        "river_kmeans_slow",
        "rfm_cells",
        "frozen_after_first_tenth",
    }
    assert all(one["ari_min"] < figures["ari_min"] for one in baselines.values())


def test_seeds_and_what_each_cluster_is_like_are_told(figures: dict[str, Any]) -> None:
    assert figures["learner_seeds"] == [1, 2, 3]
    assert len(figures["batch_seeds"]) == 5
    described = figures["described"]
    assert list(described) == ["0", "1", "2"]
    assert "frequency high" in described["0"]["traits"]
    assert sum(one["share"] for one in described.values()) == pytest.approx(1.0, abs=0.01)


def test_the_same_seed_finds_the_same(figures: dict[str, Any]) -> None:
    again = evaluate(shop(), 3, 1, print).figures
    for name in ("ari_at", "flips_idle", "flips_active", "baselines", "described"):
        assert again[name] == figures[name]


class Told:
    """A player whose labels at each look are given, and what silence would make of them."""

    def __init__(self, told: list[list[int]], by_silence: list[int]) -> None:
        self._told = iter(told)
        self._by_silence = by_silence

    def labels(self) -> Any:
        return np.empty(0, np.int64)

    def buy(self, bought: Any) -> None:
        raise AssertionError

    def pass_time(self, now_ms: int) -> None:
        raise AssertionError

    def look(self) -> Look:
        looks = iter([next(self._told), self._by_silence])
        return lambda _now_ms, _before: np.array(next(looks), np.int64)


def test_a_flip_is_the_models_unless_silence_or_a_purchase_explains_it() -> None:
    # Customers: stays, flips by the model, flips by silence, buys and flips, new.
    watched = Watched(Told([[0, 0, 0, 0], [0, 1, 1, 1, 2]], by_silence=[0, 0, 1, 0]))
    watched.see(0, set(), counts=True)
    watched.see(DAY_MS, {3, 4}, counts=True)
    assert watched.idle == [pytest.approx(1 / 3)]
    assert watched.silent == [pytest.approx(1 / 3)]
    assert watched.active == [1.0]


def test_customers_without_a_label_yet_do_not_flip() -> None:
    watched = Watched(Told([[-1, -1], [0, 1]], by_silence=[-1, -1]))
    watched.see(0, set(), counts=True)
    watched.see(DAY_MS, {1}, counts=True)
    assert watched.idle == watched.active == []


def test_a_short_history_and_odd_numbers_of_clusters_are_refused(tmp_path: Any) -> None:
    with pytest.raises(BadQuestion, match=str(10 * EVENTS)):
        evaluate(shop(customers=20), 3, 1, print)
    for clusters in (1, 21):
        with pytest.raises(BadQuestion, match="--clusters"):
            segments.question(tmp_path, ("c", "t", "a"), clusters, 1, print)


def test_batch_k_means_agrees_with_itself_on_what_is_there() -> None:
    chance = np.random.default_rng(1)
    points = np.concatenate([chance.normal(at, 1, (50, 3)) for at in (0, 9, 18)])
    assert ari(labels(points, 3, 1), labels(points, 3, 2)) == 1.0


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ([0, 0, 1, 1], [1, 1, 0, 0], 1.0),
        ([0, 0, 0, 1, 1, 1], [0, 0, 1, 1, 2, 2], 0.2424),
        ([0, 1, 0, 1], [0, 0, 1, 1], -0.5),
        ([-1, -1, -1], [3, 3, 3], 1.0),
    ],
)
def test_agreement_is_the_adjusted_rand_index(
    one: list[int], other: list[int], expected: float
) -> None:
    assert ari(np.array(one), np.array(other)) == pytest.approx(expected, abs=1e-4)
