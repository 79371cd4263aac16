"""The snapshot of segments: refused when clusters or edges mean nothing."""

from typing import Any

import msgspec
import pytest

from models.clock import DAY_MS
from models.cluster_learner import ClusterLearner
from models.clusters import ClusterSnapshot
from models.customer_sample import Standing
from models.hazard import BadSnapshot
from models.segments import SegmentsSnapshot, check
from models.tier import TierEdges

NOW_MS = 19_000 * DAY_MS


def clusters() -> ClusterSnapshot:
    learner = ClusterLearner()
    for number in range(200):
        silence_days, orders = (300, 1) if number % 2 else (3, 20)
        standing = Standing(
            NOW_MS - (silence_days + number % 7) * DAY_MS, orders, orders * (900 + number)
        )
        learner.learn(f"c{number}", standing)
    return learner.snapshot(NOW_MS)


def snapshot(**edges: Any) -> SegmentsSnapshot:
    return SegmentsSnapshot(
        version=1, clusters=clusters(), edges=TierEdges(**edges) if edges else None
    )


def test_clusters_with_or_without_edges_may_be_used() -> None:
    check(snapshot())
    check(snapshot(high_value_cents=90_000, stay=0.8))


@pytest.mark.parametrize(
    ("edges", "said"),
    [
        ({"high_value_cents": 0}, "edges, high_value_cents: 0"),
        ({"potential_value_cents": -5}, "edges, potential_value_cents: -5"),
        ({"high_value_order_days": 0}, "edges, high_value_order_days: 0"),
        ({"potential_order_days": 0}, "edges, potential_order_days: 0"),
        ({"stay": 0.0}, "edges, stay: 0.0"),
        ({"stay": 1.5}, "edges, stay: 1.5"),
    ],
)
def test_edges_that_nobody_or_everybody_is_above_are_refused(
    edges: dict[str, Any], said: str
) -> None:
    with pytest.raises(BadSnapshot, match=said):
        check(snapshot(**edges))


def test_clusters_may_be_none_yet_but_not_learned_and_empty() -> None:
    check(SegmentsSnapshot(version=1))
    with pytest.raises(BadSnapshot, match="clusters: 0"):
        check(SegmentsSnapshot(version=1, clusters=ClusterSnapshot(version=1)))


def test_it_is_the_same_once_read_from_its_topic() -> None:
    one = snapshot(high_value_cents=90_000)
    assert msgspec.json.decode(msgspec.json.encode(one), type=SegmentsSnapshot) == one
