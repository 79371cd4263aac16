"""The learner: river's own answers, without river, and without a gap after a restart."""

import math
import random

import msgspec
import pytest

from models.effects import HazardLesson
from models.hazard import FEATURES, TROUBLE_WEIGHT, BadSnapshot, closed_form, foretell
from models.hazard_learner import TROUBLE, HazardLearner, Learned
from tests.builders import named

CUSTOMERS = [named(f"c{number}") for number in range(50)]


def lessons_of(count: int, seed: int = 5, day: int = 1) -> list[HazardLesson]:
    """Lessons in which the second feature decides."""
    chance = random.Random(seed)
    lessons = []
    for number in range(count):
        features = tuple(chance.gauss(position, 1 + position) for position in range(len(FEATURES)))
        bought = chance.random() < 1 / (1 + math.exp(-2 * (features[1] - 1)))
        lessons.append(
            HazardLesson(
                partition=number % 3,
                day=day,
                customer=CUSTOMERS[number % 50],
                asked_at_ms=number // 50,
                features=features,
                bought=bought,
                foretold=0.5,
                foretold_version=0,
                horizon_days=30,
            )
        )
    return lessons


def without_trouble(lessons: list[HazardLesson]) -> list[HazardLesson]:
    return [
        msgspec.structs.replace(one, features=(*one.features[:TROUBLE], 0.0)) for one in lessons
    ]


def new_learner(learned: Learned | None = None) -> HazardLearner:
    return HazardLearner(learned, horizons_days=(30,))


def learner_of(*days: list[HazardLesson]) -> HazardLearner:
    learner = new_learner()
    for day in days:
        learner.learn(day)
    return learner


def test_the_snapshot_answers_as_river_does() -> None:
    learner = learner_of(without_trouble(lessons_of(800)))
    snapshot = learner.snapshot(1)
    assert (snapshot.version, snapshot.lessons, snapshot.trained_to_day) == (1, 800, 1)
    for lesson in without_trouble(lessons_of(50, seed=6)):
        ours = foretell(lesson.features, snapshot).hazard
        assert ours == pytest.approx(learner.predict(lesson.features), abs=1e-9)


def test_a_feature_that_never_changes_tells_nothing() -> None:
    lessons = [
        msgspec.structs.replace(one, features=(1.0, *one.features[1:]))
        for one in without_trouble(lessons_of(800))
    ]
    learner = learner_of(lessons)
    snapshot = learner.snapshot(1)
    for lesson in lessons[:20]:
        ours = foretell(lesson.features, snapshot).hazard
        assert ours == pytest.approx(learner.predict(lesson.features), abs=1e-9)


def test_it_learns_what_there_is_to_learn() -> None:
    learner = learner_of(lessons_of(3_000))
    unlikely, likely = (
        (0.0, value, *(float(position) for position in range(2, len(FEATURES))))
        for value in (-2.0, 4.0)
    )
    assert learner.predict(unlikely) < 0.2
    assert learner.predict(likely) > 0.8


def test_the_sequence_of_lessons_within_a_day_makes_no_difference() -> None:
    lessons = lessons_of(300)
    shuffled = list(lessons)
    random.Random(1).shuffle(shuffled)
    assert learner_of(lessons).dump() == learner_of(shuffled).dump()


def test_the_sequence_of_days_does() -> None:
    one, other = lessons_of(50, seed=1), lessons_of(50, seed=2)
    assert learner_of(one, other).dump() != learner_of(other, one).dump()


def test_a_learner_restored_goes_on_to_the_last_bit() -> None:
    days = [lessons_of(120, seed=seed) for seed in range(4)]
    straight = learner_of(*days)
    straight.snapshot(9)
    broken = new_learner()
    for day in days:
        packed = msgspec.msgpack.encode(broken.dump())
        broken = new_learner(msgspec.msgpack.decode(packed, type=Learned))
        broken.learn(day)
    broken.snapshot(9)
    assert broken.dump() == straight.dump()
    assert broken.snapshot(10) == straight.snapshot(10)
    assert broken.predict(days[0][0].features) == straight.predict(days[0][0].features)


def test_dumping_changes_nothing() -> None:
    learner = learner_of(lessons_of(60))
    assert learner.dump() == learner.dump()


def test_each_snapshot_has_the_next_version() -> None:
    learner = learner_of(lessons_of(60))
    assert [learner.snapshot(day).version for day in (1, 2, 3)] == [1, 2, 3]
    assert new_learner(learner.dump()).snapshot(4).version == 4


def test_errors_are_those_before_learning_of_the_newest_lessons() -> None:
    lessons = lessons_of(40)
    head = learner_of(lessons).snapshot(1).heads[0]
    unlearned = [(closed_form(one.features) - one.bought) ** 2 for one in lessons]
    assert head.brier_closed_form == pytest.approx(sum(unlearned) / 40)
    assert 0.0 < head.brier < 1.0
    assert learner_of(lessons[:1]).snapshot(1).heads[0].brier == 0.25


def test_each_horizon_learns_its_own_lessons_and_others_are_left_out() -> None:
    learner = HazardLearner()
    thirty = lessons_of(600)
    sixty = [msgspec.structs.replace(one, horizon_days=60, bought=True) for one in thirty]
    odd = [msgspec.structs.replace(one, horizon_days=45) for one in thirty]
    learner.learn([*thirty, *sixty, *odd])
    heads = learner.snapshot(1).heads
    assert [(head.horizon_days, head.lessons) for head in heads] == [(30, 600), (60, 600), (90, 0)]
    features = thirty[0].features
    assert learner.predict(features, 60) > 0.8 > learner.predict(features, 30)


def test_without_trouble_in_its_lessons_a_snapshot_has_the_prior_of_it() -> None:
    learner = learner_of(without_trouble(lessons_of(600)))
    assert learner.snapshot(1).heads[0].weights[TROUBLE] == TROUBLE_WEIGHT


def test_what_trouble_does_is_learned_where_it_is_seen() -> None:
    chance = random.Random(2)
    lessons = []
    for one in lessons_of(6_000):
        troubled = chance.random() < 0.5
        bought = chance.random() < (0.9 if troubled else 0.4)
        features = (*one.features[:10], float(troubled))
        lessons.append(msgspec.structs.replace(one, features=features, bought=bought))
    assert learner_of(lessons).snapshot(1).heads[0].weights[TROUBLE] > 0.5


def test_a_shop_that_wants_the_plain_rule_gets_no_edges() -> None:
    learner = HazardLearner(horizons_days=(30,), dormant_after_days=45)
    learner.learn(lessons_of(3_000))
    made = learner.snapshot(1)
    assert (made.edges, made.dormant_after_days) == ((), 45)
    assert len(learner_of(lessons_of(3_000)).snapshot(1).edges) == 3


def test_a_snapshot_of_nothing_is_refused() -> None:
    learner = new_learner()
    with pytest.raises(BadSnapshot, match="none was learned"):
        learner.snapshot(1)
    assert learner.version == 0
