"""The score of the Numenta Anomaly Benchmark."""

import pytest

from streams.evaluate.nab import PROFILES, Profile, Windows, best, probation, sigmoid, weigh

STANDARD, LOW_FP, LOW_FN = PROFILES
SERIES = Windows(1_000, [(400, 449), (700, 749)])


def judged(detections: list[int], profile: Profile = STANDARD, series: Windows = SERIES) -> float:
    scores = [0.0] * series.points
    for point in detections:
        scores[point] = 1.0
    weighed = [one for one in weigh(0, series, scores) if one.score > 0]
    return best(weighed, len(series.windows), profile)[0]


@pytest.mark.parametrize(
    ("position", "worth"),
    [(-1.0, 0.98661), (-0.5, 0.84828), (0.0, 0.0), (0.5, -0.84828), (3.0, -1.0), (9.0, -1.0)],
)
def test_a_detection_is_worth_less_the_later_it_comes(position: float, worth: float) -> None:
    assert sigmoid(position) == pytest.approx(worth, abs=1e-5)


@pytest.mark.parametrize(("points", "first"), [(1_000, 150), (5_000, 750), (50_000, 750)])
def test_the_first_points_do_not_count(points: int, first: int) -> None:
    assert probation(points) == first


@pytest.mark.parametrize("profile", PROFILES)
def test_nothing_detected_is_0_and_all_at_once_is_100(profile: Profile) -> None:
    assert judged([], profile) == 0.0
    assert judged([400, 700], profile) == pytest.approx(100.0)


def test_only_the_first_detection_of_a_window_counts() -> None:
    assert judged([400, 401, 420, 449, 700]) == pytest.approx(100.0)
    assert judged([440]) < judged([405])


def test_a_window_missed_costs_half_of_two() -> None:
    assert judged([400]) == pytest.approx(50.0)


@pytest.mark.parametrize(
    ("point", "profile", "cost"),
    [
        # Before any window: the whole weight. The scale's length is 4 (6 where misses weigh 2).
        (200, STANDARD, 100 * 0.11 / 4),
        (200, LOW_FP, 100 * 0.22 / 4),
        (200, LOW_FN, 100 * 0.11 / 6),
        # Right behind one: nearly nothing; far behind: the whole weight.
        (450, STANDARD, 100 * 0.11 / 4 * 0.0510),
        (690, STANDARD, 100 * 0.11 / 4),
        # Within the probation: nothing.
        (149, STANDARD, 0.0),
    ],
)
def test_a_false_detection_costs_its_weight(point: int, profile: Profile, cost: float) -> None:
    assert 100.0 - judged([point, 400, 700], profile) == pytest.approx(cost, abs=0.02)


def test_the_threshold_is_the_best_for_all_points() -> None:
    scores = [0.0] * 1_000
    scores[400], scores[700] = 0.9, 0.6
    for point in range(160, 200):
        scores[point] = 0.3
    value, threshold = best(weigh(0, SERIES, scores), 2, STANDARD)
    assert (value, threshold) == (pytest.approx(100.0), 0.6)
