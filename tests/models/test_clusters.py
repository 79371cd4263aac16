"""Where a customer belongs, how it stays there, and which snapshots are refused."""

import math
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.clock import DAY_MS
from models.clusters import (
    NOBODY,
    NOTHING_LEARNED,
    STAY,
    Cluster,
    ClusterSnapshot,
    Ladder,
    Scale,
    Trait,
    centres_of,
    check,
    label_of,
    labels_of,
    point_of,
    points_of,
    traits_of,
)
from models.customer_sample import Standing
from models.hazard import BadSnapshot

NOW_MS = 20_000 * DAY_MS
STANDINGS = st.builds(
    Standing,
    st.integers(-(2**40), 2**45),
    st.integers(1, 10**6),
    st.integers(-(10**9), 10**12),
)


def cluster(recency: float, value: float, difference: float = 0.0) -> Cluster:
    return Cluster(
        centre=(recency, value, difference),
        share=0.3,
        silence_days=10.0,
        orders=3.0,
        value_cents=5_000.0,
        traits=(Trait("recency", "low" if recency < 0 else "high"),),
    )


def made(**fields: Any) -> ClusterSnapshot:
    return ClusterSnapshot(
        **{
            "version": 3,
            "customers": 900,
            "scale": Scale(
                5.0,
                0.5,
                Ladder((1.0, 2.0, 5.0, 40.0), (0.2, 0.5, 0.8, 0.99)),
                Ladder((100.0, 2_000.0, 90_000.0), (0.01, 0.5, 0.99)),
            ),
            "clusters": (cluster(-1.0, 1.0), cluster(-1.0, -1.0), cluster(1.0, 0.0)),
        }
        | fields
    )


SNAPSHOT = made()


def test_the_nearest_centre_wins() -> None:
    good = Standing(NOW_MS, 30, 80_000)
    poor = Standing(NOW_MS, 1, 500)
    gone = Standing(NOW_MS - 400 * DAY_MS, 2, 2_000)
    assert [label_of(one, NOW_MS, SNAPSHOT) for one in (good, poor, gone)] == [0, 1, 2]
    assert traits_of(SNAPSHOT, 2) == (Trait("recency", "high"),)
    assert traits_of(SNAPSHOT, NOBODY) == ()


def test_nobody_has_a_label_before_anything_was_learned_or_ordered() -> None:
    assert label_of(Standing(NOW_MS, 3, 100), NOW_MS, NOTHING_LEARNED) == NOBODY
    assert label_of(Standing(0, 0, 0), NOW_MS, SNAPSHOT, 1) == NOBODY


def between(snapshot: ClusterSnapshot, at: float) -> Standing:
    """A customer so far from label 1 towards label 0."""
    share = 0.5 + (2 * at - 1) / 12**0.5
    orders = np.interp(share, snapshot.scale.orders.shares, snapshot.scale.orders.values)
    cents = np.interp(share, snapshot.scale.cents.shares, snapshot.scale.cents.values)
    # Orders are whole, so their value makes up for what is rounded.
    whole = round(float(orders) * 1_000)
    return Standing(NOW_MS, whole, round(float(cents) * 1_000))


def fine() -> ClusterSnapshot:
    """Orders and cents a thousand times finer, for steps as small as are tested."""
    scale = SNAPSHOT.scale
    ladders = [
        Ladder(tuple(1_000 * value for value in ladder.values), ladder.shares)
        for ladder in (scale.orders, scale.cents)
    ]
    return made(scale=Scale(scale.recency_mean, scale.recency_spread, *ladders))


def test_a_customer_stays_until_another_centre_is_clearly_nearer() -> None:
    snapshot, before = fine(), SNAPSHOT
    inside, beyond = 0.5 + STAY / 4, 0.5 + STAY
    assert label_of(between(before, inside), NOW_MS, snapshot) == 0
    assert label_of(between(before, inside), NOW_MS, snapshot, 1) == 1
    assert label_of(between(before, beyond), NOW_MS, snapshot, 1) == 0
    assert label_of(between(before, 1 - inside), NOW_MS, snapshot, 0) == 0
    assert label_of(between(before, 1 - beyond), NOW_MS, snapshot, 0) == 1


def test_a_label_that_is_none_any_more_is_replaced() -> None:
    assert label_of(Standing(NOW_MS, 30, 80_000), NOW_MS, SNAPSHOT, 7) == 0


@given(st.lists(st.tuples(STANDINGS, st.integers(NOBODY, 4)), min_size=1), st.integers(0, 2**45))
def test_many_customers_at_once_get_what_each_gets(
    told: list[tuple[Standing, int]], now_ms: int
) -> None:
    columns = np.array([standing for standing, _ in told], np.int64).T
    points = points_of(columns[0], columns[1], columns[2], now_ms, SNAPSHOT.scale)
    for (standing, _), point in zip(told, points, strict=True):
        assert point_of(standing, now_ms, SNAPSHOT.scale) == pytest.approx(tuple(point), abs=1e-9)
        assert all(map(math.isfinite, point))
    before = np.array([label for _, label in told], np.int64)
    labels = labels_of(points, centres_of(SNAPSHOT), before).tolist()
    assert labels == [label_of(one, now_ms, SNAPSHOT, was) for one, was in told]


def test_an_order_ahead_of_the_clock_counts_as_one_of_now() -> None:
    ahead, now = Standing(NOW_MS + 9 * DAY_MS, 2, 500), Standing(NOW_MS, 2, 500)
    assert point_of(ahead, NOW_MS, SNAPSHOT.scale) == point_of(now, NOW_MS, SNAPSHOT.scale)


def test_silence_moves_a_customer_one_way_and_not_for_ever() -> None:
    labels = [
        label_of(Standing(NOW_MS, 1, 500), NOW_MS + days * DAY_MS, SNAPSHOT)
        for days in range(0, 40_000, 50)
    ]
    assert labels == sorted(labels)
    assert (labels[0], labels[-1]) == (1, 2)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_place_on_a_ladder_is_a_share(value: float) -> None:
    assert 0.2 <= SNAPSHOT.scale.orders.share(value) <= 0.99


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"clusters": ()}, "expected at least 2"),
        ({"clusters": (cluster(-1, 1), cluster(-1.01, 1.01))}, "collapsed"),
        ({"clusters": (cluster(-1, 1), cluster(math.nan, 1))}, "not finite"),
        ({"clusters": (cluster(-1, 1), cluster(math.inf, 1))}, "not finite"),
        ({"clusters": (cluster(-1, 1), cluster(1e9, 1))}, "coordinate"),
        (
            {"clusters": (cluster(-1, 1), msgspec.structs.replace(cluster(1, 1), share=0.0))},
            "dead",
        ),
        ({"scale": Scale(math.nan, 1.0)}, "recency"),
        ({"scale": Scale(4.0, 0.0)}, "recency"),
        ({"scale": Scale(4.0, 1.0, Ladder((1.0, 2.0), (0.5,)))}, "orders: 2 values"),
        ({"scale": Scale(4.0, 1.0, Ladder((2.0, 2.0), (0.1, 0.5)))}, "do not rise"),
        ({"scale": Scale(4.0, 1.0, Ladder(), Ladder((math.nan,), (0.5,)))}, "cents: a number"),
        ({"scale": Scale(4.0, 1.0, Ladder((), ()))}, "orders: 0 values"),
    ],
)
def test_a_snapshot_that_means_nothing_is_refused(fields: dict[str, Any], said: str) -> None:
    check(SNAPSHOT)
    with pytest.raises(BadSnapshot, match=said):
        check(made(**fields))


def test_a_snapshot_comes_back_from_its_bytes_as_it_was() -> None:
    for codec in (msgspec.json, msgspec.msgpack):
        assert codec.decode(codec.encode(SNAPSHOT), type=ClusterSnapshot) == SNAPSHOT
