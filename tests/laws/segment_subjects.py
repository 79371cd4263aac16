"""How a shop's customers divide: clusters learned from a sample, edges from sketches."""

from dataclasses import dataclass, field
from random import Random
from typing import Any

import msgspec
from hypothesis import strategies as st

from models.clock import DAY_MS, HOUR_MS
from models.cluster_learner import CUSTOMERS_BEFORE_USE, ClusterLearner, LearnedClusters
from models.clusters import NOBODY, label_of, traits_of
from models.customer_sample import Standing
from models.hazard import BadSnapshot
from models.tier_edges import Spend, SpendSketches
from tests.laws.customer_subjects import MOMENTS, WHOLE_NUMBERS, packed_struct
from tests.laws.laws import Merging, Moment, Subject

KEPT = 100
FITTED_EVERY = 25
# A day book holds no more, and no row a larger sum.
DAYS = st.integers(0, 366)
CENTS = st.integers(-(10**12), 10**12)


@dataclass
class Crowd:
    """A learner, and how many it was told of since it last gave a snapshot."""

    learner: ClusterLearner = field(default_factory=lambda: ClusterLearner(kept=KEPT))
    told: int = 0


def stand(crowd: Crowd, told: tuple[str, int, Standing]) -> Any:
    """Learn how a customer stands; now and then fit, and say where it belongs."""
    customer, at_ms, standing = told
    crowd.learner.learn(customer, standing)
    crowd.told += 1
    if crowd.told >= FITTED_EVERY and crowd.learner.customers >= CUSTOMERS_BEFORE_USE:
        crowd.told = 0
        try:
            crowd.learner.snapshot(at_ms)
        except BadSnapshot as refused:
            return str(refused)
    return ask_crowd(crowd, at_ms)


def ask_crowd(crowd: Crowd, at_ms: int) -> Any:
    snapshot = crowd.learner.last
    labels = [
        label_of(Standing(max(1, at_ms - days * DAY_MS), orders, cents), at_ms, snapshot, before)
        for days, orders, cents in ((0, 1, 900), (40, 12, 90_000), (4_000, 2, 0), (-5, 3, 10**12))
        for before in (NOBODY, 0, 7)
    ]
    return labels, [traits_of(snapshot, label) for label in labels]


def pack_crowd(crowd: Crowd) -> bytes:
    return msgspec.msgpack.encode((crowd.learner.dump(), crowd.told))


def unpack_crowd(packed: bytes) -> Crowd:
    learned, told = msgspec.msgpack.decode(packed, type=tuple[LearnedClusters, int])
    return Crowd(ClusterLearner(learned, kept=KEPT), told)


def told_standing(chance: Random, moment: Moment) -> tuple[str, int, Standing]:
    """Newcomers, and customers who come again or lose their last order."""
    number = chance.randrange(moment.number + 1)
    orders = chance.choice([0, 1, 1, 2, 9, 40])
    last_ms = max(1, moment.at_ms - chance.randrange(600) * DAY_MS)
    standing = Standing(last_ms, orders, orders * chance.randrange(100, 9_000))
    return f"{moment.world}{moment.person}{number}", moment.at_ms, standing


STANDINGS = st.tuples(
    st.sampled_from([f"c{number}" for number in range(70)]),
    MOMENTS,
    st.builds(Standing, MOMENTS, st.integers(0, 10**6), CENTS),
)

CLUSTERS = Subject(
    name="clusters",
    modules=("clusters", "cluster_learner", "customer_sample", "kmeans"),
    begin=Crowd,
    take=stand,
    ask=ask_crowd,
    pack=pack_crowd,
    unpack=unpack_crowd,
    told=told_standing,
    valid=st.lists(STANDINGS, max_size=90),
    every_ms=7 * HOUR_MS,
    events_in_ci=3_000,
    exempt={
        "what_is_no_number_never_gets_in": WHOLE_NUMBERS,
        "two_joined_are_what_one_would_have_been": (
            "one learner sees all lessons of a shop, and a merged customer comes as a lesson "
            "(tests/models/test_standing_notes.py)"
        ),
    },
)


def count_spend(sketches: SpendSketches, told: tuple[Spend | None, Spend | None]) -> Any:
    sketches.move(*told)
    return ask_edges(sketches)


def ask_edges(sketches: SpendSketches, at_ms: int = 0) -> Any:
    return msgspec.to_builtins(sketches.edges())


def told_spend(chance: Random, moment: Moment) -> tuple[Spend | None, Spend | None]:
    # Counts grow by the digit: few events, of amounts that are soon all seen.
    cents = 100 * 2 ** chance.randrange(10) + moment.number % 7
    return None, Spend(chance.randrange(1, 80), cents, chance.randrange(1, 20), cents // 3)


SPENDS = st.one_of(st.none(), st.builds(Spend, DAYS, CENTS, DAYS, CENTS))

TIER_EDGES = Subject(
    name="tier_edges",
    modules=("tier_edges", "quantile_sketch"),
    **packed_struct(SpendSketches),
    take=count_spend,
    ask=ask_edges,
    told=told_spend,
    valid=st.lists(st.tuples(SPENDS, SPENDS), max_size=25),
    events_in_ci=3_000,
    merging=Merging(
        told=told_spend,
        join=lambda mine, theirs: (mine.join(theirs), mine)[1],
        exact=lambda sketches: [
            sorted(getattr(sketches, name).counts.items()) for name in sketches.__struct_fields__
        ],
    ),
    exempt={
        "what_is_no_number_never_gets_in": WHOLE_NUMBERS,
        "the_erased_leave_nothing": "its inputs are amounts and days, no name stands in them",
    },
)

SEGMENT_SUBJECTS = (CLUSTERS, TIER_EDGES)
