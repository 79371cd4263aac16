"""The purchase hazard's learner as a pupil of the lessons' fold."""

from collections.abc import Mapping
from functools import partial

import msgspec

from models.effects import HazardLesson
from models.events import ModelName
from models.hazard import FEATURES, HORIZONS_DAYS, HazardSnapshot
from models.hazard_learner import HazardLearner, Learned


class HazardPupil:
    """Implements streams.pupil.Pupil."""

    model: ModelName = "hazard"
    lesson_types = frozenset({HazardLesson})
    prefixes: tuple[bytes, ...] = ()

    def __init__(
        self,
        *,
        horizons_days: tuple[int, ...] = HORIZONS_DAYS,
        dormant_after_days: int | None = None,
    ) -> None:
        self._new_learner = partial(
            HazardLearner, horizons_days=horizons_days, dormant_after_days=dormant_after_days
        )
        self.learner = self._new_learner()

    @property
    def version(self) -> int:
        """The last version that it gave."""
        return self.learner.version

    @property
    def lessons(self) -> int:
        """How many lessons were learned."""
        return self.learner.lessons

    def examine(self, lesson: HazardLesson) -> None:
        """Raise ValueError for a lesson of another release's features."""
        if len(lesson.features) != len(FEATURES):
            raise ValueError(f"{len(lesson.features)} features, not {len(FEATURES)}")

    def learn(self, lessons: list[HazardLesson]) -> None:
        """Learn one day's lessons; the learner sorts them."""
        self.learner.learn(lessons)

    def snapshot(self, day: int) -> HazardSnapshot:
        """Give a new version; raises BadSnapshot when it must not be adopted."""
        return self.learner.snapshot(day)

    def dump(self) -> Learned:
        """Everything it is."""
        return self.learner.dump()

    def load(self, learned: bytes | None, rows: Mapping[bytes, bytes]) -> None:
        """Stand where `dump` stands."""
        known = None if learned is None else msgspec.msgpack.decode(learned, type=Learned)
        self.learner = self._new_learner(known)

    def rows(self) -> list[tuple[bytes, bytes | None]]:
        """It has none beside its own."""
        return []
