"""A desk: publishes what is news, has it adopted unless held, says when it must not be."""

from collections.abc import Mapping
from typing import Any

import msgspec

from models.effects import Alert
from models.events import ModelName
from models.hazard import BadSnapshot
from models.ranking import RankingSnapshot
from models.snapshot import read_record
from streams import topics
from streams.pupil import Desk, PupilRow


class Toy:
    """A pupil that counts; told so, it gives nothing that may be used."""

    model: ModelName = "ranking"
    lesson_types: frozenset[type[Any]] = frozenset({str})
    prefixes = (b"toy:",)

    def __init__(self) -> None:
        self.version = self.lessons = 0
        self.is_bad = False
        self.loaded: Mapping[bytes, bytes] = {}

    def examine(self, lesson: Any) -> None:
        """Everything can be learned."""

    def learn(self, lessons: list[Any]) -> None:
        """Count."""
        self.lessons += len(lessons)

    def snapshot(self, day: int) -> RankingSnapshot:
        """Give the prior, or refuse."""
        if self.is_bad:
            raise BadSnapshot("toys are broken")
        self.version += 1
        return RankingSnapshot(version=self.version, trained_to_day=day, lessons=self.lessons)

    def dump(self) -> list[int]:
        """Give both counts."""
        return [self.version, self.lessons]

    def load(self, learned: bytes | None, rows: Mapping[bytes, bytes]) -> None:
        """Take both counts."""
        known = [0, 0] if learned is None else msgspec.msgpack.decode(learned, type=list[int])
        self.version, self.lessons = known
        self.loaded = rows

    def rows(self) -> list[tuple[bytes, bytes | None]]:
        """None."""
        return []


def desk() -> Desk:
    return Desk(Toy(), 3, lambda name: name)


def learned(one: Desk, *lessons: Any) -> Desk:
    one.learn(list(lessons))
    return one


def by_topic(outputs: list[Any]) -> dict[str, int]:
    found: dict[str, int] = {}
    for one in outputs:
        found[one.topic] = found.get(one.topic, 0) + 1
    return found


def test_what_is_news_is_published_and_adopted_everywhere() -> None:
    outputs = learned(desk(), "a", "b").publish(9)
    assert by_topic(outputs) == {topics.SNAPSHOTS: 1, topics.EVENTS: 3, topics.CONTROL: 1}
    record = read_record(outputs[0].value)
    assert (record.model, record.snapshot.version, record.snapshot.lessons) == ("ranking", 1, 2)


def test_without_news_nothing_is_published() -> None:
    one = learned(desk(), "a")
    assert one.publish(9)
    assert one.publish(10) == []
    assert learned(one, 1, 2).publish(11) == [], "lessons of other kinds are no news"


def test_while_held_it_is_published_and_not_adopted() -> None:
    one = learned(desk(), "a")
    one.pin(7)
    assert by_topic(one.publish(9)) == {topics.SNAPSHOTS: 1}
    one.pin(0)
    assert topics.EVENTS in by_topic(learned(one, "b").publish(10))


def test_a_refusal_is_one_alert_until_a_version_is_sound_again() -> None:
    one = desk()
    one.pupil.is_bad = True  # type: ignore[attr-defined]
    (firing,) = learned(one, "a").publish(9)
    assert learned(one, "b").publish(10) == []
    one.pupil.is_bad = False  # type: ignore[attr-defined]
    over, *_ = learned(one, "c").publish(11)
    told = [msgspec.json.decode(each.value, type=Alert) for each in (firing, over)]
    assert [each.status for each in told] == ["firing", "resolved"]
    assert len({each.fingerprint for each in told}) == 1
    assert "version 1 of model ranking is not used: toys are broken" in told[0].summary


def test_a_desk_goes_on_where_its_row_stands() -> None:
    one, again = learned(desk(), "a", "b"), desk()
    one.publish(9)
    one.pin(1)
    assert one.changed
    packed = one.pack()
    assert not one.changed
    again.load(packed, {b"toy:1": b"x", b"other": b"y"})
    assert (again.row.pinned_version, again.row.lessons_at_snapshot) == (1, 2)
    assert again.pupil.dump() == [1, 2]
    assert again.pupil.loaded == {b"toy:1": b"x"}  # type: ignore[attr-defined]
    again.load(None, {})
    assert again.row == PupilRow()
