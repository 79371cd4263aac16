"""The hazard's pupil: its learner, packed and read again."""

import msgspec
import pytest

from models.effects import HazardLesson
from models.hazard import FEATURES
from streams.hazard_pupil import HazardPupil


def lesson(number: int, features: int = len(FEATURES)) -> HazardLesson:
    return HazardLesson(
        partition=0,
        day=100,
        customer=f"c{number}",
        asked_at_ms=number,
        features=(number % 7 / 7,) * features,
        bought=number % 3 == 0,
        foretold=0.5,
        foretold_version=0,
        horizon_days=(30, 60, 90)[number % 3],
    )


def test_what_was_packed_goes_on_as_if_nothing_had_happened() -> None:
    days = [[lesson(day * 40 + number) for number in range(40)] for day in range(4)]
    straight, first, again = HazardPupil(), HazardPupil(), HazardPupil()
    for lessons in days:
        straight.learn(lessons)
    for lessons in days[:2]:
        first.learn(lessons)
    again.load(msgspec.msgpack.encode(first.dump()), {})
    for lessons in days[2:]:
        again.learn(lessons)
    assert again.snapshot(104) == straight.snapshot(104)
    assert (again.version, again.lessons) == (1, 160)
    assert again.rows() == []
    again.load(None, {})
    assert (again.version, again.lessons) == (0, 0)


def test_a_lesson_of_another_releases_features_is_left_out() -> None:
    with pytest.raises(ValueError, match="2 features, not"):
        HazardPupil().examine(lesson(1, features=2))


def test_the_plain_rule_stands_in_its_snapshots() -> None:
    pupil = HazardPupil(dormant_after_days=45)
    pupil.learn([lesson(number) for number in range(30)])
    snapshot = pupil.snapshot(104)
    assert (snapshot.edges, snapshot.dormant_after_days) == ((), 45)
