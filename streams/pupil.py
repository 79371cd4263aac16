"""A model that learns from lessons, day by day, and the desk that publishes its versions.

The day-keeping is the fold's (`streams/learner_fold.py`); what a day's lessons do is the pupil's.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

import msgspec
import structlog

from models.clock import DAY_MS
from models.effects import Taught, encode, refused_snapshot
from models.events import ModelName
from models.hazard import BadSnapshot
from models.snapshot import recorded
from streams import topics
from streams.fold import Output
from streams.snapshots import adoption

log = structlog.get_logger(__name__)


class Pupil(Protocol):
    """One shared model's learner, with whatever it keeps."""

    @property
    def model(self) -> ModelName:
        """Its name in the log (models/snapshot.py)."""

    @property
    def lesson_types(self) -> frozenset[type[Any]]:
        """Kinds of lessons it learns from."""

    @property
    def version(self) -> int:
        """The last version that it gave."""

    @property
    def lessons(self) -> int:
        """How many lessons were learned that can change a snapshot."""

    def examine(self, lesson: Any) -> None:
        """Raise ValueError for a lesson that could not be learned with its day."""

    def learn(self, lessons: list[Any]) -> None:
        """Learn one day's lessons, in an order of their own."""

    def snapshot(self, day: int) -> Any:
        """Give a new version; raises BadSnapshot when it must not be adopted."""

    def dump(self) -> Any:
        """Everything it is but its `rows`."""

    def load(self, learned: bytes | None, rows: Mapping[bytes, bytes]) -> None:
        """Stand where `dump`, packed, and the rows of its `prefixes` stand; None: at nothing."""

    @property
    def prefixes(self) -> tuple[bytes, ...]:
        """Beginnings of the keys of its `rows`."""

    def rows(self) -> Iterable[tuple[bytes, bytes | None]]:
        """Give the rows that changed since this was asked last; None: it is gone."""


class PupilRow(msgspec.Struct, kw_only=True):
    """A pupil between two transactions, and the standing of its versions."""

    learned: msgspec.Raw = msgspec.Raw(b"")
    lessons_at_snapshot: int = 0
    pinned_version: int = 0
    refused_version: int = 0
    refused_at_ms: int = 0


class Desk:
    """Publishes what a pupil learned, has it adopted, and says when that must not be."""

    def __init__(
        self, pupil: Pupil, events_partitions: int, topic_of: Callable[[str], str]
    ) -> None:
        self.pupil = pupil
        self.row = PupilRow()
        self._events_partitions = events_partitions
        self._topic_of = topic_of
        self.changed = False

    @property
    def key(self) -> bytes:
        """Key of its row."""
        return self.pupil.model.encode()

    def load(self, packed: bytes | None, rows: Mapping[bytes, bytes]) -> None:
        """Stand where the last transaction ended."""
        self.row = PupilRow() if packed is None else msgspec.msgpack.decode(packed, type=PupilRow)
        mine = {key: row for key, row in rows.items() if key.startswith(self.pupil.prefixes)}
        self.pupil.load(bytes(self.row.learned) or None, mine)
        self.changed = False

    def pack(self) -> bytes:
        """Write it down."""
        self.row.learned = msgspec.Raw(msgspec.msgpack.encode(self.pupil.dump()))
        self.changed = False
        return msgspec.msgpack.encode(self.row)

    def learn(self, lessons: list[Taught]) -> None:
        """Have the day's lessons of its kinds learned."""
        kinds = self.pupil.lesson_types
        mine = [one for one in lessons if type(one) in kinds]
        if mine:
            self.pupil.learn(mine)
            self.changed = True

    def pin(self, version: int) -> None:
        """Adopt nothing newer than what was put back; 0: adopt again."""
        self.row.pinned_version = version
        self.changed = True

    def publish(self, day: int) -> list[Output]:
        """Publish a version of what was learned up to the end of `day`, if there is news."""
        row, pupil = self.row, self.pupil
        if pupil.lessons <= row.lessons_at_snapshot:
            return []
        row.lessons_at_snapshot = pupil.lessons
        self.changed = True
        try:
            snapshot = pupil.snapshot(day)
        except BadSnapshot as error:
            # The version adopted before stays in use, and the day is closed all the same.
            log.error("snapshot refused", model=pupil.model, day=day, reason=str(error))
            return self._refuse(day, str(error))
        outputs = self._end_refusal(day)
        record = recorded(pupil.model, snapshot)
        outputs.append(
            Output(self._topic_of(topics.SNAPSHOTS), self.key, msgspec.json.encode(record), 0)
        )
        if not row.pinned_version:
            outputs += adoption(record, self._events_partitions, self._topic_of, at_ms=_end_of(day))
        return outputs

    def _refuse(self, day: int, reason: str) -> list[Output]:
        row = self.row
        if row.refused_version:
            return []
        row.refused_version, row.refused_at_ms = self.pupil.version + 1, _end_of(day)
        return [self._alert(reason)]

    def _end_refusal(self, day: int) -> list[Output]:
        if not self.row.refused_version:
            return []
        alert = self._alert("its numbers are sound again", ended_ms=_end_of(day))
        self.row.refused_version = 0
        return [alert]

    def _alert(self, reason: str, *, ended_ms: int | None = None) -> Output:
        row = self.row
        alert = refused_snapshot(
            self.pupil.model, row.refused_version, row.refused_at_ms, reason, ended_ms=ended_ms
        )
        return Output(self._topic_of(topics.ALERTS), None, encode(alert), 0)


def _end_of(day: int) -> int:
    return (day + 1) * DAY_MS
