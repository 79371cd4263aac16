"""k-means: finds what is there, and loses no centre."""

import numpy as np
import pytest

from models.kmeans import Points, begin, matched, settle


def heaps(seed: int = 1, each: int = 60) -> Points:
    chance = np.random.default_rng(seed)
    middles = np.array([[0.0, 0.0, 0.0], [9.0, 0.0, 0.0], [0.0, 9.0, 3.0]])
    return np.concatenate([middle + chance.normal(size=(each, 3)) for middle in middles])


def test_three_heaps_are_found() -> None:
    points = heaps()
    found = settle(points, begin(points, 3, np.random.default_rng(2)))
    assert [len(set(found.labels[at : at + 60].tolist())) for at in (0, 60, 120)] == [1, 1, 1]
    assert len(set(found.labels.tolist())) == 3
    assert found.inertia == pytest.approx(180 * 3, rel=0.2)


def test_every_centre_ends_in_the_middle_of_its_points() -> None:
    points = np.random.default_rng(5).normal(size=(400, 3))
    found = settle(points, begin(points, 4, np.random.default_rng(2)))
    for label, centre in enumerate(found.centres):
        assert points[found.labels == label].mean(axis=0) == pytest.approx(centre)


def test_a_centre_that_lost_its_points_gets_others() -> None:
    points = heaps()
    found = settle(points, np.array([[0.0, 0, 0], [9.0, 0, 0], [500.0, 500, 500]]))
    assert sorted(np.bincount(found.labels).tolist()) == [60, 60, 60]


def test_points_that_are_all_the_same_do_no_harm() -> None:
    points = np.ones((20, 3))
    found = settle(points, begin(points, 3, np.random.default_rng(1)))
    assert np.isfinite(found.centres).all()
    assert found.inertia == 0.0


def test_the_same_seed_finds_the_same() -> None:
    points = heaps()
    one, other = (begin(points, 3, np.random.default_rng(7)) for _ in range(2))
    assert (one == other).all()


def test_labels_are_matched_with_those_that_share_most() -> None:
    mine = np.array([0, 0, 0, 1, 1, 2, 2, 2])
    theirs = np.array([1, 1, 0, 0, 0, 2, 2, 1])
    assert matched(mine, theirs, 3).tolist() == [1, 0, 2]
