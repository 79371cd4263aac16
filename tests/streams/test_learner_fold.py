"""The fold of lessons: days are learned whole, and a new owner knows the same."""

import random
from typing import Any

import msgspec
import pytest

from models.clock import DAY_MS
from models.effects import CustomerStood, DayEnded, DeadLetter, HazardLesson, Pinned, encode
from models.events import Adopted, decode
from models.hazard import FEATURES, BadSnapshot, check
from models.hazard_learner import HazardLearner
from models.snapshot import SnapshotRecord, checksum, read_record
from streams import topics
from streams.fold import Interval, PoisonError
from streams.hazard_pupil import HazardPupil
from streams.learner_fold import LearnerFold
from streams.ranking_pupil import RankingPupil
from streams.segments_pupil import SegmentsPupil
from tests.builders import Record, alerts_in, listed, named

DAYS = range(100, 121)
PARTITIONS = 2
NOTHING: frozenset[bytes] = frozenset()


def learner_fold(adopt_every_days: int = 7, adopt_segments_every_days: int = 7) -> LearnerFold:
    return LearnerFold(
        adopt_every_days=adopt_every_days,
        adopt_segments_every_days=adopt_segments_every_days,
        events_partitions=3,
        topic_of=lambda name: name,
        pupils=[HazardPupil(), RankingPupil(), SegmentsPupil()],
    )


def lesson(day: int, number: int) -> HazardLesson:
    chance = random.Random(day * 1_000 + number)
    features = tuple(chance.gauss(0, 1) for _ in FEATURES)
    return HazardLesson(
        partition=number % PARTITIONS,
        day=day,
        customer=named(str(number)),
        asked_at_ms=day * 1_000 + number // 5,
        features=features,
        bought=features[0] > 0,
        foretold=0.5,
        foretold_version=0,
    )


def ended(partition: int, day: int) -> DayEnded:
    return DayEnded(partition=partition, partitions=PARTITIONS, day=day)


def history(seed: int = 0) -> list[Record]:
    """Three weeks of lessons; each partition's own in order, the two of them mixed by chance."""
    chance = random.Random(seed)
    queues = []
    for partition in range(PARTITIONS):
        queue: list[Any] = []
        for day in DAYS:
            queue += [lesson(day, n) for n in range(20) if n % PARTITIONS == partition]
            queue.append(ended(partition, day))
        queues.append(queue)
    mixed = []
    while any(queues):
        queue = chance.choice([one for one in queues if one])
        mixed += [queue.pop(0) for _ in range(min(len(queue), chance.randrange(1, 30)))]
    return [Record(offset, encode(one)) for offset, one in enumerate(mixed)]


def fold_all(fold: LearnerFold, records: list[Record]) -> None:
    for record in records:
        list(fold.fold(record, NOTHING))


def snapshots_in(interval: Interval) -> list[SnapshotRecord]:
    return [
        read_record(one.value) for one in listed(interval.outputs) if one.topic == topics.SNAPSHOTS
    ]


def learned_days(*days: int) -> HazardLearner:
    learner = HazardLearner()
    for day in days:
        learner.learn([lesson(day, number) for number in range(20)])
    return learner


def test_a_day_is_learned_when_every_partition_has_ended_it() -> None:
    fold = learner_fold(adopt_every_days=1)
    fold_all(fold, [Record(0, encode(lesson(100, 1))), Record(1, encode(ended(0, 100)))])
    assert snapshots_in(fold.seal()) == []
    fold_all(fold, [Record(2, encode(lesson(100, 2))), Record(3, encode(ended(1, 100)))])
    (record,) = snapshots_in(fold.seal())
    assert (record.snapshot.lessons, record.snapshot.trained_to_day) == (2, 100)


def test_a_snapshot_is_published_checked_and_adopted_on_every_partition_of_events() -> None:
    fold = learner_fold()
    fold_all(fold, history())
    interval = fold.seal()
    records = snapshots_in(interval)
    assert [one.snapshot.trained_to_day for one in records] == [105, 112, 119]
    assert [one.snapshot.version for one in records] == [1, 2, 3]
    for one in records:
        check(one.snapshot)
        assert one.checksum == checksum(one.snapshot)
    adopted = [
        (o.partition, decode(o.value)) for o in listed(interval.outputs) if o.topic == topics.EVENTS
    ]
    assert adopted == [
        (partition, Adopted("hazard", one.snapshot.version, one.checksum))
        for partition in range(3)
        for one in records
    ]


def test_a_snapshot_holds_all_lessons_to_its_day_and_none_later() -> None:
    fold = learner_fold()
    fold_all(fold, history())
    for record in snapshots_in(fold.seal()):
        learner = learned_days(*range(DAYS[0], record.snapshot.trained_to_day + 1))
        learner.version = record.snapshot.version - 1
        assert record.snapshot == learner.snapshot(record.snapshot.trained_to_day)


@pytest.mark.parametrize("seed", range(1, 6))
def test_how_the_partitions_are_mixed_makes_no_difference(seed: int) -> None:
    one, other = learner_fold(), learner_fold()
    fold_all(one, history(0))
    fold_all(other, history(seed))
    assert snapshots_in(one.seal()) == snapshots_in(other.seal())


def test_several_days_closed_at_once_give_the_same_snapshots_as_one_by_one() -> None:
    one, other = learner_fold(), learner_fold()
    lessons = [lesson(day, number) for day in DAYS for number in range(20)]
    ends = [[ended(partition, day) for day in DAYS] for partition in range(PARTITIONS)]
    in_turn = [end for pair in zip(*ends, strict=True) for end in pair]
    fold_all(one, [Record(n, encode(e)) for n, e in enumerate([*lessons, *in_turn])])
    late = [*lessons, *ends[0], ends[1][-1]]
    fold_all(other, [Record(n, encode(e)) for n, e in enumerate(late)])
    assert snapshots_in(one.seal()) == snapshots_in(other.seal())


def test_waiting_replays_are_told_which_day_was_considered() -> None:
    fold = learner_fold()
    fold_all(fold, [Record(n, encode(ended(n, 112))) for n in range(PARTITIONS)])
    told = [one for one in listed(fold.seal().outputs) if one.topic == topics.CONTROL]
    assert [(one.key, one.value, one.partition) for one in told] == [
        (b"learner", b'{"considered_day":112}', 0)
    ]


def test_nothing_new_learned_is_nothing_to_adopt() -> None:
    fold = learner_fold()
    fold_all(fold, history())
    fold_all(fold, [Record(9_000 + n, encode(ended(n, 126))) for n in range(PARTITIONS)])
    fold.seal()
    fold_all(fold, [Record(9_010 + n, encode(ended(n, 133))) for n in range(PARTITIONS)])
    interval = fold.seal()
    assert snapshots_in(interval) == []
    assert [one.topic for one in listed(interval.outputs)] == [topics.CONTROL]


def test_lessons_of_an_open_day_are_rows_until_they_are_learned() -> None:
    fold = learner_fold()
    fold_all(fold, [Record(0, encode(lesson(100, 0))), Record(1, encode(lesson(101, 1)))])
    rows = dict(fold.seal().rows)
    assert sorted(rows) == [b"lesson:0", b"lesson:1"]
    fold_all(fold, [Record(2 + n, encode(ended(n, 100))) for n in range(PARTITIONS)])
    rows = dict(fold.seal().rows)
    assert rows[b"lesson:0"] is None
    assert b"lesson:1" not in rows, "its day is still open"
    assert fold.seal().rows == []


@pytest.mark.parametrize("every", [1, 7, 40])
def test_a_crash_after_any_transaction_changes_no_snapshot(every: int) -> None:
    records = history()
    straight = learner_fold()
    fold_all(straight, records)
    expected = snapshots_in(straight.seal())
    fold, found, table = learner_fold(), [], {}
    for at in range(0, len(records), every):
        fold_all(fold, records[at : at + every])
        interval = fold.seal()
        found += snapshots_in(interval)
        table.update(interval.rows)
        fold = learner_fold()
        for key, row in table.items():
            fold.restore(key, row)
        fold.restored()
        assert fold.seal() == Interval([], {}), "what was restored is no news"
    assert found == expected


def test_a_rollback_returns_to_the_last_transaction() -> None:
    records = history()
    fold, straight = learner_fold(), learner_fold()
    fold_all(fold, records[:200])
    first = fold.seal()
    fold_all(fold, records[200:400])
    fold.rollback()
    fold_all(fold, records[200:])
    fold_all(straight, records)
    assert [*snapshots_in(first), *snapshots_in(fold.seal())] == snapshots_in(straight.seal())


def test_the_learner_itself_is_written_only_when_a_day_ended() -> None:
    fold = learner_fold()
    fold_all(fold, [Record(0, encode(lesson(100, 0)))])
    assert [key for key, _ in fold.seal().rows] == [b"lesson:0"]
    fold_all(fold, [Record(1, encode(ended(0, 100)))])
    assert [key for key, _ in fold.seal().rows] == [b"days"]
    fold_all(fold, [Record(2, encode(ended(1, 100)))])
    assert [key for key, _ in fold.seal().rows] == [b"days", b"hazard", b"lesson:0"]


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"{}",
        b'{"kind":"no"}',
        encode(msgspec.structs.replace(lesson(100, 1), features=(1.0, 2.0))),
    ],
)
def test_a_lesson_that_cannot_be_learned_is_left_out_with_a_dead_letter(value: bytes) -> None:
    fold = learner_fold()
    poison = Record(1, value)
    fold_all(fold, [Record(0, encode(lesson(100, 0)))])
    with pytest.raises(PoisonError) as raised:
        fold_all(fold, [poison])
    letter = msgspec.json.decode(fold.dead_letter(poison, raised.value).value, type=DeadLetter)
    assert (letter.source, letter.offset) == ("learner", 1)
    assert list(fold.fold(poison, frozenset([raised.value.key]))) == []
    fold_all(fold, [Record(2 + n, encode(ended(n, 100))) for n in range(PARTITIONS)])
    assert fold._desks["hazard"].pupil.lessons == 1


def test_a_model_that_must_not_be_adopted_is_not_and_the_day_is_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(learner: HazardLearner, day: int) -> None:
        raise BadSnapshot("weights: a number is not finite")

    fold = learner_fold(adopt_every_days=1)
    fold_all(fold, [Record(0, encode(lesson(100, 0))), Record(1, encode(ended(0, 100)))])
    with monkeypatch.context() as patched:
        patched.setattr(HazardLearner, "snapshot", refuse)
        fold_all(fold, [Record(2, encode(ended(1, 100)))])
    interval = fold.seal()
    assert {one.topic for one in listed(interval.outputs)} == {topics.ALERTS, topics.CONTROL}
    (firing,) = alerts_in(interval)
    assert (
        firing.summary == "version 1 of model hazard is not used: weights: a number is not finite"
    )
    fold_all(fold, [Record(3, encode(lesson(101, 0)))])
    fold_all(fold, [Record(4 + n, encode(ended(n, 101))) for n in range(PARTITIONS)])
    interval = fold.seal()
    assert [one.snapshot.version for one in snapshots_in(interval)] == [1]
    (over,) = alerts_in(interval)
    assert (over.status, over.fingerprint) == ("resolved", firing.fingerprint)


def test_a_model_that_is_held_is_published_on_and_not_adopted_until_released() -> None:
    fold = learner_fold(adopt_every_days=1)
    days = iter(range(100, 103))
    adopted = []
    for pinned in (None, 7, 0):
        day = next(days)
        if pinned is not None:
            fold_all(fold, [Record(day, encode(Pinned(model="hazard", version=pinned)))])
        fold_all(fold, [Record(day, encode(lesson(day, 0)))])
        fold_all(fold, [Record(day, encode(ended(n, day))) for n in range(PARTITIONS)])
        interval = fold.seal()
        assert len(snapshots_in(interval)) == 1
        adopted.append(sum(one.topic == topics.EVENTS for one in listed(interval.outputs)))
        table = dict(interval.rows)
        fold = learner_fold(adopt_every_days=1)
        for key, row in table.items():
            fold.restore(key, row)
        fold.restored()
    assert adopted == [3, 0, 3]


def test_a_learner_written_down_by_the_release_with_one_model_goes_on() -> None:
    """Its row held the days too, under the hazard's name."""
    fold, learner = learner_fold(adopt_every_days=1), learned_days(100)
    learner.snapshot(100)
    before = {
        "learned": learner.dump(),
        "lessons_at_snapshot": 20,
        "closed_day": 100,
        "considered_day": 100,
        "ended": {0: 100, 1: 100},
        "pinned_version": 1,
    }
    fold.restore(b"hazard", msgspec.msgpack.encode(before))
    fold.restored()
    fold_all(fold, [Record(1, encode(lesson(100, 1))), Record(2, encode(lesson(101, 1)))])
    fold_all(fold, [Record(3 + n, encode(ended(n, 101))) for n in range(PARTITIONS)])
    interval = fold.seal()
    (record,) = snapshots_in(interval)
    assert (record.snapshot.version, record.snapshot.lessons) == (2, 21)
    assert not [one for one in listed(interval.outputs) if one.topic == topics.EVENTS], "held"


def test_clusters_are_adopted_by_days_of_their_own() -> None:
    fold = learner_fold(adopt_segments_every_days=2)
    records = [
        Record(day * 1_000 + at, encode(one))
        for day in DAYS
        for at, one in enumerate(
            [lesson(day, 1), *(stood(day, number) for number in range(60)), *both_ended(day)]
        )
    ]
    fold_all(fold, records)
    days: dict[str, list[int]] = {}
    for one in snapshots_in(fold.seal()):
        days.setdefault(one.model, []).append(one.snapshot.trained_to_day)
    assert days == {"hazard": [105, 112, 119], "segments": list(range(100, 121, 2))}


def both_ended(day: int) -> list[DayEnded]:
    return [ended(partition, day) for partition in range(PARTITIONS)]


def stood(day: int, number: int) -> CustomerStood:
    spread = number * number
    return CustomerStood(
        partition=0,
        day=day,
        customer=named(f"{day}:{number}"),
        last_order_ms=(day - number % 30) * DAY_MS,
        orders=1 + number % 7,
        value_cents=1_000 + spread,
        before=None,
        after=(1, 1_000 + spread, 1, 1_000 + spread),
    )
