"""The learner beside a stage: a history's lessons into the shared models, adopted as live."""

from itertools import count

from models.snapshot import read_record
from streams import topics
from streams.hazard_pupil import HazardPupil
from streams.learner_fold import LearnerFold
from streams.rehearse.stage import Record, Snapshots
from streams.segments_pupil import SegmentsPupil

_DAY_ENDED = b'{"kind":"day_ended"'


class Learning:
    """Implements streams.rehearse.stage.Learn by the learner's own fold.

    The ranking is left out: which products a message would recommend is not rehearsed.
    """

    def __init__(self, *, adopt_every_days: int = 7) -> None:
        self._numbers = count()
        self._learner = LearnerFold(
            adopt_every_days=adopt_every_days,
            events_partitions=1,
            topic_of=str,
            pupils=[HazardPupil(), SegmentsPupil()],
        )

    def __call__(self, lessons: list[bytes], snapshots: Snapshots) -> list[bytes]:
        """Take lessons; what they lead to is added to the snapshots and named in adoptions."""
        for lesson in lessons:
            for _ in self._learner.fold(Record(lesson, next(self._numbers), 0, None), frozenset()):
                pass
        adoptions: list[bytes] = []
        if not any(lesson.startswith(_DAY_ENDED) for lesson in lessons):
            return adoptions
        for (topic, _), pairs in self._learner.seal().outputs.items():
            if topic == topics.SNAPSHOTS:
                for _, value in pairs:
                    record = read_record(value)
                    snapshots[record.model, record.snapshot.version] = record.snapshot
            elif topic == topics.EVENTS:
                adoptions += [value for _, value in pairs]
        return adoptions
