"""The pupil of clusters and edges: the same whatever the order, packed or not."""

import random

import msgspec
import pytest

from models.clock import DAY_MS
from models.effects import CustomerStood
from models.hazard import BadSnapshot
from models.segments import check
from models.settling import CALM_FITS
from models.tier_edges import Spend
from streams.segments_pupil import SegmentsPupil

FIRST_DAY = 19_000


def days_of(count: int, customers: int = 300, seed: int = 3) -> list[list[CustomerStood]]:
    chance, stands = random.Random(seed), {}
    found = []
    for day in range(FIRST_DAY, FIRST_DAY + count):
        today = []
        for number in chance.sample(range(customers), 40):
            before = stands.get(number)
            orders = (before[0] if before else 0) + 1
            cents = (before[1] if before else 0) + chance.randrange(500, 9_000) * (number % 5 + 1)
            stands[number] = orders, cents
            today.append(
                CustomerStood(
                    partition=0,
                    day=day,
                    customer=f"c{number}",
                    last_order_ms=day * DAY_MS,
                    orders=orders,
                    value_cents=cents,
                    before=before and Spend(before[0], before[1], before[0], before[1]),
                    after=Spend(orders, cents, orders, cents),
                )
            )
        found.append(today)
    return found


def taught(days: list[list[CustomerStood]], *, learns_edges: bool = True) -> SegmentsPupil:
    pupil = SegmentsPupil(learns_edges=learns_edges)
    for lessons in days:
        pupil.learn(lessons)
    return pupil


def bytes_of(pupil: SegmentsPupil) -> bytes:
    return msgspec.msgpack.encode(pupil.dump())


def test_the_order_of_customers_within_a_day_makes_no_difference() -> None:
    days = days_of(20)
    mixed = [random.Random(at).sample(lessons, len(lessons)) for at, lessons in enumerate(days)]
    assert bytes_of(taught(days)) == bytes_of(taught(mixed))


@pytest.mark.parametrize("cut", [1, 12])
def test_what_was_packed_goes_on_as_if_nothing_had_happened(cut: int) -> None:
    days = days_of(24)
    straight, again = taught(days[:cut]), SegmentsPupil(learns_edges=True)
    if straight.lessons:
        straight.snapshot(FIRST_DAY + cut)
    again.load(bytes_of(straight), {})
    for pupil in (straight, again):
        for lessons in days[cut:]:
            pupil.learn(lessons)
    assert bytes_of(again) == bytes_of(straight)
    assert again.snapshot(FIRST_DAY + 24) == straight.snapshot(FIRST_DAY + 24)
    assert again.rows() == []


def test_too_few_customers_are_no_version_yet() -> None:
    pupil = taught(days_of(1))
    assert pupil.lessons == 0
    with pytest.raises(BadSnapshot, match="customers: 40"):
        pupil.snapshot(FIRST_DAY)


def test_edges_are_the_shops_own_only_where_that_is_asked_for() -> None:
    days = days_of(40)
    own, fixed = taught(days), taught(days, learns_edges=False)
    made = own.snapshot(FIRST_DAY + 40)
    check(made)
    assert made.edges is not None
    assert made.lessons == own.lessons == 1_600
    assert fixed.snapshot(FIRST_DAY + 40).edges is None


def test_versions_count_on_and_the_same_edges_stay() -> None:
    pupil = taught(days_of(40))
    one, two = pupil.snapshot(FIRST_DAY + 40), pupil.snapshot(FIRST_DAY + 41)
    assert (one.version, two.version, pupil.version) == (1, 2, 2)
    assert one.edges == two.edges


def test_clusters_are_used_once_they_held_still_and_edges_before() -> None:
    days = days_of(60)
    pupil, again = SegmentsPupil(learns_edges=True), SegmentsPupil(learns_edges=True)
    had_clusters, had_edges = [], []
    for day, lessons in enumerate(days, FIRST_DAY):
        for one in (pupil, again):
            one.learn(lessons)
        if not pupil.lessons:
            continue
        made = pupil.snapshot(day)
        check(made)
        assert again.snapshot(day) == made
        again.load(bytes_of(again), {})
        had_clusters.append(bool(made.clusters.clusters))
        had_edges.append(made.edges is not None)
    assert had_clusters == sorted(had_clusters), "once used, used for good"
    assert not any(had_clusters[:CALM_FITS])
    assert had_clusters[-1]
    assert had_edges[had_clusters.index(True) - 1]


def test_a_row_from_before_clusters_settled_goes_on_using_them() -> None:
    learned = msgspec.to_builtins(taught(days_of(40)).dump(), builtin_types=(bytes,))
    del learned["settling"]
    pupil = SegmentsPupil()
    pupil.load(msgspec.msgpack.encode(learned), {})
    assert pupil.snapshot(FIRST_DAY + 40).clusters.clusters
