"""The learner of the purchase hazard: river's scaler and logistic regression, day by day.

Lessons of a log day are learned once every partition said that the day is over, in an order of
their own (asked, customer), so that the same log gives the same model whatever the number of
workers.
"""

from typing import Any

import msgspec
from river import linear_model, optim, preprocessing

from models.effects import HazardLesson
from models.hazard import FEATURES, BadSnapshot, HazardSnapshot, check, closed_form

LEARNING_RATE = 0.003
L2 = 1e-6
SMALLEST_SCALE = 1e-6


class Learned(msgspec.Struct, kw_only=True):
    """Everything the learner is, for its changelog; floats round-trip exactly."""

    version: int = 0
    lessons: int = 0
    counts: dict[str, float] = {}
    means: dict[str, float] = {}
    variances: dict[str, float] = {}
    weights: dict[str, float] = {}
    intercept: float = 0.0
    iterations: int = 0
    squared_error: float = 0.0
    squared_error_closed_form: float = 0.0


class HazardLearner:
    """Learns lessons and gives snapshots; nothing but `learn` changes it."""

    def __init__(self, learned: Learned | None = None) -> None:
        self._scaler: Any = preprocessing.StandardScaler()
        self._regression: Any = linear_model.LogisticRegression(
            optimizer=optim.SGD(LEARNING_RATE), l2=L2, intercept_lr=LEARNING_RATE
        )
        self.lessons = 0
        self.version = 0
        self._squared_error = 0.0
        self._squared_error_closed_form = 0.0
        if learned is not None:
            self._restore(learned)

    def learn(self, lessons: list[HazardLesson]) -> None:
        """Learn one day's lessons, in their own order; each was foretold before."""
        for lesson in sorted(lessons, key=lambda one: (one.asked_at_ms, one.customer)):
            features = dict(zip(FEATURES, lesson.features, strict=True))
            error = lesson.foretold - lesson.bought
            self._squared_error += error * error
            error = closed_form(lesson.features) - lesson.bought
            self._squared_error_closed_form += error * error
            self._scaler.learn_one(features)
            self._regression.learn_one(self._scaler.transform_one(features), lesson.bought)
            self.lessons += 1

    def predict(self, features: tuple[float, ...]) -> float:
        """River's own answer, which the snapshot's must equal."""
        named = dict(zip(FEATURES, features, strict=True))
        chances = self._regression.predict_proba_one(self._scaler.transform_one(named))
        return float(chances[True])

    @property
    def brier(self) -> float | None:
        """Mean squared error of what was foretold before learning; None before the first lesson."""
        return self._squared_error / self.lessons if self.lessons else None

    @property
    def brier_closed_form(self) -> float | None:
        """The same, had the closed form foretold all of it: what learning is measured against."""
        return self._squared_error_closed_form / self.lessons if self.lessons else None

    def snapshot(self, day: int) -> HazardSnapshot:
        """Give what was learned up to the end of `day` a new version.

        Raises models.hazard.BadSnapshot when it must not be adopted.
        """
        if not self.lessons:
            raise BadSnapshot("lessons: none was learned yet, expected at least 1")
        scales = [self._scaler.vars[name] ** 0.5 for name in FEATURES]
        made = HazardSnapshot(
            version=self.version + 1,
            trained_to_day=day,
            lessons=self.lessons,
            means=tuple(float(self._scaler.means[name]) for name in FEATURES),
            # river leaves a constant feature at zero; a huge scale does the same
            scales=tuple(float(s) if s > SMALLEST_SCALE else 1.0 / SMALLEST_SCALE for s in scales),
            weights=tuple(float(self._regression.weights[name]) for name in FEATURES),
            intercept=float(self._regression.intercept),
        )
        check(made)
        self.version = made.version
        return made

    def dump(self) -> Learned:
        """Everything needed to go on later exactly as if nothing had happened."""
        return Learned(
            version=self.version,
            lessons=self.lessons,
            counts=dict(self._scaler.counts),
            means=dict(self._scaler.means),
            variances=dict(self._scaler.vars),
            weights=dict(self._regression.weights),
            intercept=float(self._regression.intercept),
            iterations=self._regression.optimizer.n_iterations,
            squared_error=self._squared_error,
            squared_error_closed_form=self._squared_error_closed_form,
        )

    def _restore(self, learned: Learned) -> None:
        self.version, self.lessons = learned.version, learned.lessons
        self._scaler.counts.update({k: int(v) for k, v in learned.counts.items()})
        self._scaler.means.update(learned.means)
        self._scaler.vars.update(learned.variances)
        self._regression._weights.update(learned.weights)  # noqa: SLF001  # river offers no loader
        self._regression.intercept = learned.intercept
        self._regression.optimizer.n_iterations = learned.iterations
        self._squared_error = learned.squared_error
        self._squared_error_closed_form = learned.squared_error_closed_form
