"""The learner of the purchase hazard: river's scaler and logistic regression, one pair a horizon.

Lessons of a log day are learned once every partition said that the day is over, in an order of
their own (asked, customer), so that the same log gives the same model whatever the number of
workers. The learning rate falls from LEARNING_RATE to an enduring LEAST_RATE: a young shop learns
fast, an old one is not shaken.
"""

from math import isfinite
from typing import Any

import msgspec
from river import linear_model, optim, preprocessing

from models.effects import HazardLesson
from models.hazard import (
    FEATURES,
    HORIZONS_DAYS,
    TROUBLE_WEIGHT,
    BadSnapshot,
    HazardSnapshot,
    Head,
    check,
    closed_form,
)
from models.shop_habits import ShopHabits

LEARNING_RATE = 0.02
LEAST_RATE = 0.001
HALVED_AFTER = 1_000
L2 = 1e-6
SMALLEST_SCALE = 1e-6
TROUBLE = FEATURES.index("trouble")
# The prior of what trouble does counts like so many lessons of it.
TROUBLE_LESSONS = 200.0
# Newest lessons weigh most in what is said of errors: the last thousand, about.
_ERROR_WEIGHT = 0.001


class CoolingRate(optim.base.Scheduler):
    """Learning rate of lesson number `t`, falling to an enduring least."""

    def get(self, t: int) -> float:
        """Rate at lesson `t`."""
        return LEAST_RATE + LEARNING_RATE / (1.0 + t / HALVED_AFTER)


class LearnedHead(msgspec.Struct, kw_only=True):
    """Everything that was learned about one horizon; floats round-trip exactly."""

    horizon_days: int
    lessons: int = 0
    counts: dict[str, float] = {}
    means: dict[str, float] = {}
    variances: dict[str, float] = {}
    weights: dict[str, float] = {}
    intercept: float = 0.0
    iterations: int = 0
    troubled: float = 0.0
    brier: float = 0.0
    brier_closed_form: float = 0.0


class Learned(msgspec.Struct, kw_only=True):
    """Everything the learner is, for its changelog."""

    version: int = 0
    heads: list[LearnedHead] = []
    habits: ShopHabits = msgspec.field(default_factory=ShopHabits)


class LearningHead:
    """One horizon's scaler and regression."""

    def __init__(self, learned: LearnedHead) -> None:
        self.learned = learned
        self.scaler: Any = preprocessing.StandardScaler()
        self.regression: Any = linear_model.LogisticRegression(
            optimizer=optim.SGD(CoolingRate()), l2=L2, intercept_lr=CoolingRate()
        )
        self.scaler.counts.update({k: int(v) for k, v in learned.counts.items()})
        self.scaler.means.update(learned.means)
        self.scaler.vars.update(learned.variances)
        self.regression._weights.update(learned.weights)  # noqa: SLF001  # river offers no loader
        self.regression.intercept = learned.intercept
        self.regression.optimizer.n_iterations = learned.iterations

    def learn(self, lesson: HazardLesson) -> float:
        """Learn, and say what was foretold before learning."""
        learned = self.learned
        named = dict(zip(FEATURES, lesson.features, strict=True))
        scaled = self.scaler.transform_one(named)
        unlearned = closed_form(lesson.features, learned.horizon_days)
        foretold = float(self.regression.predict_proba_one(scaled)[True])
        learned.lessons += 1
        weight = max(_ERROR_WEIGHT, 1.0 / learned.lessons)
        learned.brier += weight * ((foretold - lesson.bought) ** 2 - learned.brier)
        learned.brier_closed_form += weight * (
            (unlearned - lesson.bought) ** 2 - learned.brier_closed_form
        )
        learned.troubled += lesson.features[TROUBLE]
        self.scaler.learn_one(named)
        self.regression.learn_one(self.scaler.transform_one(named), lesson.bought)
        return foretold

    def predict(self, features: tuple[float, ...]) -> float:
        """River's own answer, which the snapshot's must equal but for the prior of trouble."""
        named = dict(zip(FEATURES, features, strict=True))
        return float(self.regression.predict_proba_one(self.scaler.transform_one(named))[True])

    def head(self) -> Head:
        """Scales folded into the weights; what trouble does is prior until it was seen often."""
        weights, intercept = [], float(self.regression.intercept)
        for name in FEATURES:
            scale = self.scaler.vars[name] ** 0.5
            # river leaves a constant feature at zero; so does a weight of zero
            weight = self.regression.weights[name] / scale if scale > SMALLEST_SCALE else 0.0
            weights.append(float(weight))
            intercept -= float(weight * self.scaler.means[name])
        learned = self.learned
        share = learned.troubled / (learned.troubled + TROUBLE_LESSONS)
        weights[TROUBLE] = share * weights[TROUBLE] + (1.0 - share) * TROUBLE_WEIGHT
        return Head(
            horizon_days=learned.horizon_days,
            lessons=learned.lessons,
            weights=tuple(weights),
            intercept=intercept,
            brier=learned.brier,
            brier_closed_form=learned.brier_closed_form,
        )

    def dump(self) -> LearnedHead:
        """Everything needed to go on later exactly as if nothing had happened."""
        return msgspec.structs.replace(
            self.learned,
            counts=dict(self.scaler.counts),
            means=dict(self.scaler.means),
            variances=dict(self.scaler.vars),
            weights=dict(self.regression.weights),
            intercept=float(self.regression.intercept),
            iterations=self.regression.optimizer.n_iterations,
        )


class HazardLearner:
    """Learns lessons and gives snapshots; nothing but `learn` changes it.

    With `dormant_after_days` its snapshots ask for the plain rule of so many days of silence.
    """

    def __init__(
        self,
        learned: Learned | None = None,
        *,
        horizons_days: tuple[int, ...] = HORIZONS_DAYS,
        dormant_after_days: int | None = None,
    ) -> None:
        learned = learned or Learned()
        self.version = learned.version
        self._dormant_after_days = dormant_after_days
        self._habits = learned.habits
        known = {head.horizon_days: head for head in learned.heads}
        self._heads = {
            days: LearningHead(known.get(days) or LearnedHead(horizon_days=days))
            for days in horizons_days
        }
        self._longest_days = horizons_days[-1]

    @property
    def lessons(self) -> int:
        """How many were learned."""
        return sum(head.learned.lessons for head in self._heads.values())

    def learn(self, lessons: list[HazardLesson]) -> None:
        """Learn one day's lessons, in their own order; those of other horizons are left out."""
        self._habits.pass_day()
        for lesson in sorted(
            lessons, key=lambda one: (one.asked_at_ms, one.customer, one.horizon_days)
        ):
            head = self._heads.get(lesson.horizon_days)
            # What is no number would be in every weight from then on.
            if head is None or not all(map(isfinite, lesson.features)):
                continue
            foretold = head.learn(lesson)
            if lesson.horizon_days == self._longest_days:
                self._habits.learn(lesson, foretold)

    def predict(self, features: tuple[float, ...], horizon_days: int | None = None) -> float:
        """River's own answer for a horizon, the first one if none is named."""
        return self._heads[horizon_days or min(self._heads)].predict(features)

    def snapshot(self, day: int) -> HazardSnapshot:
        """Give what was learned up to the end of `day` a new version.

        Raises models.hazard.BadSnapshot when it must not be adopted.
        """
        if not self.lessons:
            raise BadSnapshot("lessons: none was learned yet, expected at least 1")
        made = HazardSnapshot(
            version=self.version + 1,
            trained_to_day=day,
            lessons=self.lessons,
            horizons_days=tuple(self._heads),
            heads=tuple(head.head() for head in self._heads.values()),
            gap_days=self._habits.gap_days(),
            level=self._habits.level(),
            edges=() if self._dormant_after_days else self._habits.edges(),
            dormant_after_days=self._dormant_after_days or 30,
        )
        check(made)
        self.version = made.version
        return made

    def dump(self) -> Learned:
        """Everything needed to go on later exactly as if nothing had happened."""
        return Learned(
            version=self.version,
            heads=[head.dump() for head in self._heads.values()],
            habits=msgspec.convert(msgspec.to_builtins(self._habits), ShopHabits),
        )
