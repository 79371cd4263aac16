"""How good scores are."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.evaluate.scoring import (
    auc,
    brier,
    calibration_floor,
    expected_calibration_error,
    levelled,
    recall_at,
    reliability,
)

TRUTH = np.array([True, True, False, False, False])


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ([5, 4, 3, 2, 1], 1.0),
        ([1, 2, 3, 4, 5], 0.0),
        ([1, 1, 1, 1, 1], 0.5),
        ([3, 1, 2, 2, 0], (3 + 1) / 6),
        ([2, 2, 2, 1, 1], (2.5 + 2.5) / 6),
    ],
)
def test_auc_counts_pairs_and_halves_ties(scores: list[float], expected: float) -> None:
    assert auc(TRUTH, np.array(scores, float)) == pytest.approx(expected)


def test_auc_of_one_kind_alone_is_unknown() -> None:
    assert np.isnan(auc(np.array([True, True]), np.array([1.0, 2.0])))


@pytest.mark.parametrize(
    ("scores", "rate", "expected"),
    [
        ([5, 4, 3, 2, 1], 0.0, 1.0),
        ([5, 1, 4, 3, 0], 0.0, 0.5),
        ([5, 1, 4, 3, 0], 2 / 3, 1.0),
        ([1, 1, 1, 1, 1], 0.3, 0.3),
        ([5, 1, 1, 1, 0], 1 / 3, 0.75),
    ],
)
def test_recall_at_a_false_positive_rate_takes_ties_by_lot(
    scores: list[float], rate: float, expected: float
) -> None:
    assert recall_at(TRUTH, np.array(scores, float), rate) == pytest.approx(expected)


def test_a_day_rule_has_its_own_recall_at_its_own_rate() -> None:
    chance = np.random.default_rng(1)
    truth, rule = chance.random(500) < 0.4, chance.random(500) < 0.6
    rate = float(rule[~truth].mean())
    assert recall_at(truth, rule.astype(float), rate) == pytest.approx(rule[truth].mean())


def test_calibration_is_the_gap_between_foretold_and_come_by_tenths() -> None:
    foretold = np.array([0.05, 0.05, 0.95, 0.95, 1.0])
    came = np.array([False, True, True, True, False])
    table = reliability(came, foretold)
    assert [row["asked"] for row in table] == [2, 0, 0, 0, 0, 0, 0, 0, 0, 3]
    assert (table[0]["foretold"], table[0]["came"]) == (0.05, 0.5)
    assert table[1]["came"] is None
    expected = (2 * 0.45 + 3 * abs(2.9 / 3 - 2 / 3)) / 5
    assert expected_calibration_error(came, foretold) == pytest.approx(expected, abs=1e-4)
    assert brier(came, foretold) == pytest.approx((0.05**2 + 0.95**2 + 2 * 0.05**2 + 1) / 5)


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 1)), min_size=2, max_size=60))
def test_no_score_leaves_its_range(asked: list[tuple[bool, float]]) -> None:
    came = np.array([one for one, _ in asked])
    foretold = np.array([one for _, one in asked])
    assert 0.0 <= expected_calibration_error(came, foretold) <= 1.0
    assert 0.0 <= brier(came, foretold) <= 1.0
    assert 0.0 <= recall_at(came, foretold, 0.5) <= 1.0


def test_the_floor_of_calibration_falls_with_the_root_of_how_many_are_asked() -> None:
    few, many = (calibration_floor(np.full(asked, 0.4)) for asked in (100, 10_000))
    assert few == pytest.approx(np.sqrt(2 / np.pi * 0.24 / 100), rel=0.2)
    assert few / many == pytest.approx(10, rel=0.3)


def test_the_floor_is_what_a_true_forecast_shows() -> None:
    chance = np.random.default_rng(2)
    foretold = chance.beta(1, 3, 3_000)
    shown = [
        expected_calibration_error(chance.random(3_000) < foretold, foretold) for _ in range(50)
    ]
    assert calibration_floor(foretold) == pytest.approx(float(np.mean(shown)), rel=0.15)


@pytest.mark.parametrize("mean", [0.05, 0.4, 0.9])
def test_a_level_set_right_keeps_the_ranking(mean: float) -> None:
    foretold = np.array([0.0, 0.1, 0.3, 0.6, 0.99, 1.0])
    right = levelled(foretold, mean)
    assert right.mean() == pytest.approx(mean)
    assert (np.diff(right) > 0).all()
