"""The fold of topic `lessons`: a day's lessons are learned when every partition has ended the day.

Lessons of open days are rows of their own until then. So the model depends on the log alone, not
on when or by how many it was read.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final

import msgspec
import structlog

from models.clock import DAY_MS
from models.effects import (
    DayEnded,
    DeadLetter,
    HazardLesson,
    Lesson,
    Pinned,
    encode,
    refused_snapshot,
)
from models.hazard import FEATURES, HORIZONS_DAYS, BadSnapshot, checksum
from models.hazard_learner import HazardLearner, Learned
from streams import topics
from streams.fold import Interval, OneByOne, Output, PoisonError, placed
from streams.snapshots import SnapshotRecord, adoption

log = structlog.get_logger(__name__)

MODEL: Final = "hazard"
KEY = MODEL.encode()
LESSON_PREFIX = b"lesson:"


class LearnerRow(msgspec.Struct, kw_only=True):
    """The learner between two transactions; `ended` is the last ended day by partition."""

    learned: Learned
    lessons_at_snapshot: int = 0
    closed_day: int = -1
    considered_day: int = -1
    ended: dict[int, int] = {}
    pinned_version: int = 0
    refused_version: int = 0
    refused_at_ms: int = 0


class Considered(msgspec.Struct):
    """Word to a waiting replay: adopting after this log day was considered."""

    considered_day: int


# Its source has no other.
ONE_PARTITION = 0


class LearnerFold(OneByOne):
    """Implements streams.fold.Fold for the one partition of `lessons`."""

    def __init__(
        self,
        *,
        adopt_every_days: int,
        events_partitions: int,
        topic_of: Callable[[str], str],
        horizons_days: tuple[int, ...] = HORIZONS_DAYS,
        dormant_after_days: int | None = None,
    ) -> None:
        self._adopt_every_days = adopt_every_days
        self._events_partitions = events_partitions
        self._topic_of = topic_of
        self._decoder = msgspec.json.Decoder(Lesson)
        self._row = LearnerRow(learned=Learned())
        self._new_learner = partial(
            HazardLearner, horizons_days=horizons_days, dormant_after_days=dormant_after_days
        )
        self._learner = self._new_learner()
        self._open: dict[int, dict[bytes, HazardLesson]] = defaultdict(dict)
        self._outputs: list[Output] = []
        self._changed = False
        self._sealed = msgspec.msgpack.encode(self._row)
        self._sealed_lessons: dict[bytes, bytes] = {}

    def restore(self, key: bytes, row: bytes | None) -> None:
        """Take the learner's row, or a lesson of a day that was open."""
        if key.startswith(LESSON_PREFIX):
            if row is None:
                self._sealed_lessons.pop(key, None)
            else:
                self._sealed_lessons[key] = row
        elif row is not None:
            self._sealed = row

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
            lesson = self._decoder.decode(record.value)
            if type(lesson) is HazardLesson:
                if len(lesson.features) != len(FEATURES):
                    # Now, while it can still be left out alone: not with its whole day.
                    raise ValueError(f"{len(lesson.features)} features, not {len(FEATURES)}")
                if lesson.day > self._row.closed_day:
                    self._open[lesson.day][LESSON_PREFIX + b"%d" % record.offset] = lesson
            elif type(lesson) is DayEnded:
                self._end_day(lesson)
            elif type(lesson) is Pinned and lesson.model == MODEL:
                self._row.pinned_version = lesson.version
                self._changed = True
        except Exception as error:
            raise PoisonError(KEY, f"{type(error).__name__}: {error}") from error
        return iter(())

    def _end_day(self, ended: DayEnded) -> None:
        row = self._row
        row.ended[ended.partition] = max(ended.day, row.ended.get(ended.partition, -1))
        self._changed = True
        if len(row.ended) < ended.partitions:
            return
        closed = min(row.ended.values())
        if closed <= row.closed_day:
            return
        for day in sorted(day for day in self._open if day <= closed):
            # Were several days closed at once, a snapshot must not know those after its own.
            self._consider(day - 1)
            self._learner.learn(list(self._open.pop(day).values()))
        row.closed_day = closed
        self._consider(closed)

    def _consider(self, closed_day: int) -> None:
        row, day = self._row, closed_day - closed_day % self._adopt_every_days
        if day <= row.considered_day:
            return
        row.considered_day = day
        if self._learner.lessons > row.lessons_at_snapshot:
            row.lessons_at_snapshot = self._learner.lessons
            self._publish(day)
        word = encode(Considered(day))
        self._outputs.append(Output(self._topic_of(topics.CONTROL), b"learner", word, 0))

    def _publish(self, day: int) -> None:
        try:
            snapshot = self._learner.snapshot(day)
        except BadSnapshot as error:
            # The version adopted before stays in use, and the day is closed all the same.
            log.error("snapshot refused", model=MODEL, day=day, reason=str(error))
            self._refuse(day, str(error))
            return
        self._end_refusal(day)
        record = SnapshotRecord(MODEL, checksum(snapshot), snapshot)
        self._outputs.append(
            Output(self._topic_of(topics.SNAPSHOTS), KEY, msgspec.json.encode(record), 0)
        )
        if self._row.pinned_version:
            return
        self._outputs += adoption(
            record, self._events_partitions, self._topic_of, at_ms=_end_of(day)
        )

    def _refuse(self, day: int, reason: str) -> None:
        row = self._row
        if row.refused_version:
            return
        row.refused_version, row.refused_at_ms = self._learner.version + 1, _end_of(day)
        alert = refused_snapshot(MODEL, row.refused_version, row.refused_at_ms, reason)
        self._outputs.append(Output(self._topic_of(topics.ALERTS), None, encode(alert), 0))

    def _end_refusal(self, day: int) -> None:
        row = self._row
        if row.refused_version:
            alert = refused_snapshot(
                MODEL,
                row.refused_version,
                row.refused_at_ms,
                "its numbers are sound again",
                ended_ms=_end_of(day),
            )
            row.refused_version = 0
            self._outputs.append(Output(self._topic_of(topics.ALERTS), None, encode(alert), 0))

    def seal(self) -> Interval:
        """Write the learner down when it changed."""
        rows: list[tuple[bytes, bytes | None]] = []
        if self._changed:
            self._row.learned = self._learner.dump()
            self._sealed = msgspec.msgpack.encode(self._row)
            rows.append((KEY, self._sealed))
            self._changed = False
        rows.extend(self._lesson_rows())
        outputs, self._outputs = self._outputs, []
        return Interval(rows, placed(outputs))

    def _lesson_rows(self) -> list[tuple[bytes, bytes | None]]:
        """Give the lessons that wait since the last seal, and the names of those learned since."""
        sealed = self._sealed_lessons
        waiting = {key: one for day in self._open.values() for key, one in day.items()}
        learned = [key for key in sealed if key not in waiting]
        fresh = {k: msgspec.json.encode(v) for k, v in waiting.items() if k not in sealed}
        for key in learned:
            del sealed[key]
        sealed.update(fresh)
        return [*fresh.items(), *((key, None) for key in learned)]

    def rollback(self) -> None:
        """Stand where the last transaction ended."""
        self._row = msgspec.msgpack.decode(self._sealed, type=LearnerRow)
        self._learner = self._new_learner(self._row.learned)
        self._open = defaultdict(dict)
        for key, row in self._sealed_lessons.items():
            lesson = msgspec.json.decode(row, type=HazardLesson)
            self._open[lesson.day][key] = lesson
        self._outputs = []
        self._changed = False

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


def _end_of(day: int) -> int:
    return (day + 1) * DAY_MS
