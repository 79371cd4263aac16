"""The learner of the ranking: river's logistic regression on what was bought against what was not.

A lesson is a customer's candidates just before an order, scored by the weights of that moment. The
example is the mean features of what was bought less those that the scores expected (a softmax over
all candidates): the gradient of the list-wise likelihood, in one step of the regression.
"""

from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray
from river import linear_model, optim

from models.hazard import BadSnapshot
from models.ranking import FEATURES, PRIOR, Board, RankingSnapshot, check

LEARNING_RATE = 0.05
LESSONS_BEFORE_USE = 50


class LearnedRanking(msgspec.Struct, kw_only=True):
    """Everything the learner is, for its changelog; floats round-trip exactly."""

    version: int = 0
    lessons: int = 0
    weights: dict[str, float] = {}
    squares: dict[str, float] = {}
    iterations: int = 0


class RankingLearner:
    """Learns orders and gives snapshots; nothing but `learn` changes it."""

    def __init__(self, learned: LearnedRanking | None = None) -> None:
        learned = learned or LearnedRanking(weights=dict(PRIOR))
        self._optimizer: Any = optim.AdaGrad(LEARNING_RATE)
        self._regression: Any = linear_model.LogisticRegression(
            optimizer=self._optimizer, intercept_lr=0.0
        )
        self.version, self.lessons = learned.version, learned.lessons
        self._regression._weights.update(learned.weights)  # noqa: SLF001  # river offers no loader
        self._optimizer.g2.update(learned.squares)
        self._optimizer.n_iterations = learned.iterations

    @property
    def weights(self) -> NDArray[np.float64]:
        """What each of FEATURES is worth now."""
        weights = self._regression._weights  # noqa: SLF001
        return np.array([weights[name] for name in FEATURES])

    def learn(self, board: Board, bought: NDArray[np.bool_]) -> None:
        """Learn one order; `bought` says of each candidate whether it was in it.

        An order of nothing or of everything among the candidates says nothing about their order.
        """
        doubles, bought = board.doubles, bought.copy()
        bought[doubles] = False
        count = np.count_nonzero(bought)
        if not 0 < count < len(bought) - len(doubles):
            return
        chances = board.scores(self.weights)
        if not np.isfinite(chances).all():
            # Of what is no number: it would be in every weight from then on.
            return
        chances[doubles] = -np.inf
        chances -= chances.max()
        np.exp(chances, out=chances)
        chances *= -1.0 / chances.sum()
        chances[bought] += 1.0 / count
        example = zip(FEATURES, board.expected(chances).tolist(), strict=True)
        # What is the same of all candidates tells nothing, and each feature costs.
        told = {name: mean for name, mean in example if mean}
        self._regression.learn_one(told, True)
        self.lessons += 1

    def snapshot(self, day: int) -> RankingSnapshot:
        """Give what was learned up to the end of `day` a new version.

        Raises models.hazard.BadSnapshot when it must not be adopted.
        """
        if self.lessons < LESSONS_BEFORE_USE:
            raise BadSnapshot(f"lessons: {self.lessons}, expected at least {LESSONS_BEFORE_USE}")
        made = RankingSnapshot(
            version=self.version + 1,
            trained_to_day=day,
            lessons=self.lessons,
            weights=tuple(self.weights.tolist()),
        )
        check(made)
        self.version = made.version
        return made

    def dump(self) -> LearnedRanking:
        """Everything needed to go on later exactly as if nothing had happened."""
        return LearnedRanking(
            version=self.version,
            lessons=self.lessons,
            weights=dict(self._regression._weights),  # noqa: SLF001
            squares=dict(self._optimizer.g2),
            iterations=self._optimizer.n_iterations,
        )
