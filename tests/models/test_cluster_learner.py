"""The learner of the clusters: what is there, held still, to the last bit after a restart."""

import math
import random

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.clock import DAY_MS
from models.cluster_learner import (
    CUSTOMERS_BEFORE_USE,
    RUNGS,
    ClusterLearner,
    LearnedClusters,
    ladder_of,
)
from models.clusters import ClusterSnapshot, Trait, label_of
from models.customer_sample import Standing
from models.hazard import BadSnapshot

NOW_MS = 20_000 * DAY_MS
KINDS = {"good": (5, 40, 300_000), "new": (12, 1, 4_000), "gone": (300, 3, 20_000)}


def shop(each: int = 60, seed: int = 1) -> dict[str, Standing]:
    """Customers of three kinds: days of silence, orders, cents."""
    chance = random.Random(seed)
    standings = {}
    for name, (days, orders, cents) in KINDS.items():
        for number in range(each):
            standings[f"{name}-{number}"] = Standing(
                NOW_MS - round(days * chance.uniform(0.8, 1.2) * DAY_MS),
                max(1, round(orders * chance.uniform(0.7, 1.3))),
                round(cents * chance.lognormvariate(0, 0.2)),
            )
    return standings


def learner_of(standings: dict[str, Standing], **chosen: int) -> ClusterLearner:
    learner = ClusterLearner(**chosen)
    for customer, standing in standings.items():
        learner.learn(customer, standing)
    return learner


def numbers_in(snapshot: ClusterSnapshot) -> list[float]:
    found: list[float] = []
    for cluster in snapshot.clusters:
        found += [*cluster.centre, cluster.silence_days, cluster.orders, cluster.value_cents]
    scale = snapshot.scale
    return [*found, scale.recency_mean, scale.recency_spread, *scale.cents.shares]


def test_three_kinds_of_customers_are_three_clusters_and_say_what_they_are() -> None:
    standings = shop()
    snapshot = learner_of(standings).snapshot(NOW_MS)
    labels = {
        kind: {label_of(one, NOW_MS, snapshot) for name, one in standings.items() if kind in name}
        for kind in KINDS
    }
    assert all(len(found) == 1 for found in labels.values())
    traits = {kind: snapshot.clusters[found.pop()].traits for kind, found in labels.items()}
    assert {Trait("frequency", "high"), Trait("monetary", "high")} <= set(traits["good"])
    assert {Trait("recency", "low"), Trait("monetary", "low")} <= set(traits["new"])
    assert traits["gone"][0] == Trait("recency", "high")


def test_the_first_cluster_is_the_most_valuable_at_first() -> None:
    values = [one.value_cents for one in learner_of(shop()).snapshot(NOW_MS).clusters]
    assert values[0] == max(values)


def test_the_same_seed_and_customers_give_the_same_whatever_the_sequence() -> None:
    standings = shop(200)
    shuffled = list(standings.items())
    random.Random(5).shuffle(shuffled)
    one, other = learner_of(standings, seed=3), learner_of(dict(shuffled), seed=3)
    assert one.snapshot(NOW_MS) == other.snapshot(NOW_MS)
    assert one.dump() == other.dump()


def test_a_learner_restored_goes_on_to_the_last_bit() -> None:
    straight, broken = ClusterLearner(), ClusterLearner()
    standings = list(shop(200).items())
    for day, at in enumerate(range(0, 600, 60)):
        for customer, standing in standings[at : at + 120]:
            straight.learn(customer, standing)
            broken.learn(customer, standing)
        now_ms = NOW_MS + day * DAY_MS
        packed = msgspec.msgpack.encode(broken.dump())
        broken = ClusterLearner(msgspec.msgpack.decode(packed, type=LearnedClusters))
        assert broken.snapshot(now_ms) == straight.snapshot(now_ms)
    assert broken.dump() == straight.dump()
    assert broken.last.version == 10


def test_where_nothing_happens_nobody_changes() -> None:
    standings = shop()
    learner = learner_of(standings)
    before = learner.snapshot(NOW_MS)
    for day in range(1, 30):
        after = learner.snapshot(NOW_MS + day * DAY_MS // 10)
        for one in standings.values():
            assert label_of(one, NOW_MS, after) == label_of(one, NOW_MS, before)


def test_labels_stay_what_they_were_when_the_centres_move() -> None:
    learner = learner_of(shop())
    first = learner.snapshot(NOW_MS)
    for customer, standing in shop(seed=2).items():
        richer = standing._replace(value_cents=standing.value_cents * 3)
        learner.learn(customer, richer)
    second = learner.snapshot(NOW_MS + 2 * DAY_MS)
    assert second.version == 2
    assert [one.traits for one in second.clusters] == [one.traits for one in first.clusters]


def test_how_many_a_fit_moved_is_told() -> None:
    standings = shop()
    learner = learner_of(standings)
    learner.snapshot(NOW_MS)
    assert learner.moved == 1.0, "nobody had a label"
    learner.snapshot(NOW_MS + DAY_MS)
    assert learner.moved == 0.0
    for number in range(60):
        learner.learn(f"late-{number}", Standing(NOW_MS - 1_500 * DAY_MS, 1, 10))
    learner.snapshot(NOW_MS + 2 * DAY_MS)
    assert 0.1 < learner.moved < 0.9


def test_a_shop_that_turns_into_another_gets_other_clusters() -> None:
    standings = shop()
    learner = learner_of(standings)
    learner.snapshot(NOW_MS)
    for name in standings:
        if "gone" in name:
            learner.learn(name, None)
    for number in range(60):
        learner.learn(f"late-{number}", Standing(NOW_MS - 30 * DAY_MS, 15, 2_000 + number))
    after = learner.snapshot(NOW_MS + 3 * DAY_MS)
    assert sorted(one.share for one in after.clusters) == pytest.approx([1 / 3] * 3, abs=0.05)


def test_a_shop_with_few_customers_has_no_clusters_yet() -> None:
    learner = learner_of(dict(list(shop().items())[: CUSTOMERS_BEFORE_USE - 1]))
    with pytest.raises(BadSnapshot, match="expected at least"):
        learner.snapshot(NOW_MS)
    assert learner.last.version == 0


def test_customers_who_are_all_alike_are_no_clusters_and_no_harm() -> None:
    learner = ClusterLearner()
    for number in range(100):
        learner.learn(f"c{number}", Standing(NOW_MS, 1, 1_000))
    with pytest.raises(BadSnapshot, match=r"dead|collapsed"):
        learner.snapshot(NOW_MS)
    for customer, standing in shop().items():
        learner.learn(customer, standing)
    assert learner.snapshot(NOW_MS).version == 1


def test_a_forgotten_customer_leaves_nothing() -> None:
    standings = shop()
    learner, without = learner_of(standings), learner_of(standings)
    learner.learn("late", Standing(NOW_MS, 9, 9_999))
    learner.learn("late", None)
    assert learner.dump() == without.dump()


def test_more_customers_than_are_kept_are_sampled() -> None:
    learner = learner_of(shop(1_000), kept=500)
    snapshot = learner.snapshot(NOW_MS)
    assert 240 < learner.customers <= 500
    assert sorted(one.share for one in snapshot.clusters) == pytest.approx([1 / 3] * 3, abs=0.1)


@settings(deadline=None, max_examples=40)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 80),
            st.integers(-(2**44), 2**44),
            st.integers(0, 10**6),
            st.integers(-(10**9), 10**12),
        ),
        min_size=80,
        max_size=200,
    ),
    st.lists(st.integers(-(2**44), 2**44), min_size=1, max_size=4),
)
def test_whatever_comes_and_whenever_every_number_is_one(
    told: list[tuple[int, int, int, int]], moments: list[int]
) -> None:
    learner = ClusterLearner()
    for customer, *standing in told:
        learner.learn(f"c{customer}", Standing(*standing))
    for now_ms in moments:
        try:
            snapshot = learner.snapshot(now_ms)
        except BadSnapshot:
            continue
        assert all(map(math.isfinite, numbers_in(snapshot)))
        unseen = Standing(now_ms + 2**40, 10**9, -(10**15))
        assert 0 <= label_of(unseen, now_ms, snapshot) < 3


def test_a_ladder_gives_each_value_its_place() -> None:
    values = np.random.default_rng(1).integers(1, 10**6, 5_000)
    ladder = ladder_of(values)
    assert len(ladder.values) <= RUNGS
    places = [ladder.share(value) for value in np.sort(values).tolist()]
    assert places == pytest.approx(((np.arange(5_000) + 0.5) / 5_000).tolist(), abs=0.004)
