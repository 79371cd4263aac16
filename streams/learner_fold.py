"""The fold of topic `lessons`: a day's lessons are learned when every partition has ended the day.

Lessons of open days are rows of their own until then. So the model depends on the log alone, not
on when or by how many it was read.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec

from models.effects import DayEnded, DeadLetter, Lesson, Pinned, Taught, encode
from models.events import ModelName
from models.item_rows import LESSON_PREFIX
from streams import topics
from streams.fold import Interval, OneByOne, Output, PoisonError, placed
from streams.pupil import Desk, Pupil

DAYS_KEY = b"days"
# Where the days stood before there were several models.
HAZARD_KEY = b"hazard"


class DaysRow(msgspec.Struct, kw_only=True):
    """Which log days are over; `ended` is the last ended day by partition."""

    closed_day: int = -1
    considered_day: int = -1
    ended: dict[int, int] = {}


class Considered(msgspec.Struct):
    """Word to a waiting replay: adopting after this log day was considered."""

    considered_day: int


# Its source has no other.
ONE_PARTITION = 0


class LearnerFold(OneByOne):
    """Implements streams.fold.Fold for the one partition of `lessons`; a pupil for each model."""

    def __init__(
        self,
        *,
        adopt_every_days: int,
        adopt_segments_every_days: int,
        events_partitions: int,
        topic_of: Callable[[str], str],
        pupils: Sequence[Pupil],
    ) -> None:
        self._every_days: dict[ModelName, int] = {"segments": adopt_segments_every_days}
        self._adopt_every_days = adopt_every_days
        self._topic_of = topic_of
        self._decoder = msgspec.json.Decoder(Lesson)
        self._days = DaysRow()
        self._days_changed = False
        self._desks = {one.model: Desk(one, events_partitions, topic_of) for one in pupils}
        self._desk_of = {
            kind: desk for desk in self._desks.values() for kind in desk.pupil.lesson_types
        }
        self._open: dict[int, dict[bytes, Taught]] = defaultdict(dict)
        self._outputs: list[Output] = []
        self._sealed: dict[bytes, bytes] = {}
        self._fresh: dict[bytes, Taught] = {}
        self._learned: list[bytes] = []

    def restore(self, key: bytes, row: bytes | None) -> None:
        """Take one row of the table."""
        if row is None:
            self._sealed.pop(key, None)
        else:
            self._sealed[key] = row

    def restored(self) -> None:
        """Stand where the last transaction ended."""
        self.rollback()

    async def prepare(self, records: list[Any]) -> None:
        """Nothing is needed from elsewhere."""

    def fold(self, record: Any, left_out: frozenset[bytes]) -> Iterator[None]:
        """Put a lesson to its day, or learn the days that are over."""
        if left_out:
            return iter(())
        try:
            self._take(self._decoder.decode(record.value), record.offset)
        except Exception as error:
            raise PoisonError(b"lesson", f"{type(error).__name__}: {error}") from error
        return iter(())

    def _take(self, lesson: Lesson, offset: int) -> None:
        if isinstance(lesson, DayEnded):
            self._end_day(lesson)
        elif isinstance(lesson, Pinned):
            if lesson.model in self._desks:
                self._desks[lesson.model].pin(lesson.version)
        elif (desk := self._desk_of.get(type(lesson))) is not None:
            # Now, while it can still be left out alone: not with its whole day.
            desk.pupil.examine(lesson)
            if lesson.day > self._days.closed_day:
                key = LESSON_PREFIX + b"%d" % offset
                self._open[lesson.day][key] = self._fresh[key] = lesson

    def _end_day(self, ended: DayEnded) -> None:
        days = self._days
        days.ended[ended.partition] = max(ended.day, days.ended.get(ended.partition, -1))
        self._days_changed = True
        if len(days.ended) < ended.partitions:
            return
        closed = min(days.ended.values())
        if closed <= days.closed_day:
            return
        for day in sorted(day for day in self._open if day <= closed):
            # Were several days closed at once, a snapshot must not know those after its own.
            self._consider(day - 1)
            lessons = self._open.pop(day)
            learned = list(lessons.values())
            for desk in self._desks.values():
                desk.learn(learned)
            self._learned += [key for key in lessons if self._fresh.pop(key, None) is None]
        days.closed_day = closed
        self._consider(closed)

    def _consider(self, closed_day: int) -> None:
        """Publish what is due by the end of a day; a model's own days are multiples."""
        days, before = self._days, self._days.considered_day
        if closed_day <= before:
            return
        days.considered_day = closed_day
        for model, desk in self._desks.items():
            every = self._every_days.get(model, self._adopt_every_days)
            day = closed_day - closed_day % every
            if day > before:
                self._outputs += desk.publish(day)
        word = encode(Considered(closed_day))
        self._outputs.append(Output(self._topic_of(topics.CONTROL), b"learner", word, 0))

    def seal(self) -> Interval:
        """Write down what changed."""
        rows: list[tuple[bytes, bytes | None]] = []
        if self._days_changed:
            rows.append((DAYS_KEY, msgspec.msgpack.encode(self._days)))
            self._days_changed = False
        for desk in self._desks.values():
            if desk.changed:
                rows.append((desk.key, desk.pack()))
            rows.extend(desk.pupil.rows())
        rows += [(key, msgspec.json.encode(one)) for key, one in self._fresh.items()]
        rows += [(key, None) for key in self._learned]
        for key, row in rows:
            self.restore(key, row)
        self._fresh, self._learned = {}, []
        outputs, self._outputs = self._outputs, []
        return Interval(rows, placed(outputs))

    def rollback(self) -> None:
        """Stand where the last transaction ended."""
        sealed = self._sealed
        days = sealed.get(DAYS_KEY) or sealed.get(HAZARD_KEY)
        self._days = DaysRow() if days is None else msgspec.msgpack.decode(days, type=DaysRow)
        self._days_changed = False
        for desk in self._desks.values():
            desk.load(sealed.get(desk.key), sealed)
        self._open = defaultdict(dict)
        for key, row in sealed.items():
            if key.startswith(LESSON_PREFIX):
                lesson = msgspec.json.decode(row, type=Taught)
                self._open[lesson.day][key] = lesson
        self._fresh, self._learned = {}, []
        self._outputs = []

    def dead_letter(self, record: Any, poison: PoisonError) -> Output:
        """Write down what could not be learned; a lesson holds nothing personal."""
        letter = DeadLetter(
            source="learner",
            reason=poison.reason,
            at_ms=record.timestamp,
            sealed_raw="",
            partition=ONE_PARTITION,
            offset=record.offset,
        )
        return Output(self._topic_of(topics.DEAD_LETTERS), None, encode(letter), 0)
