"""The shared models in use, and the shop's items as they are known now: for whoever answers.

Read from the learner's table (topic `learner-changelog`): its rows of items, and, until it learns
them at their day's end, the lessons that wait there. So a recommendation knows of an item within a
moment of its first sight; when the day is learned, what was added here meanwhile is overwritten by
the learner's own rows. A model's version is used that the log says was adopted.
"""

from typing import Any

import msgspec
import numpy as np
import structlog
from numpy.typing import NDArray

from models import ranking, segments
from models.effects import AuthorErased, BasketLesson, ItemMet, ItemReviewed, Taught
from models.item_knowledge import ItemKnowledge
from models.item_memory import item_ref
from models.item_reviews import ItemReviews
from models.item_rows import LESSON_PREFIX, put_reviews, put_row
from models.snapshot import AdoptedWord, adopted_key, read_record, refusal
from sinks.follower import Follower

FOLLOWED = ("ranking", "segments")
# Looking for the best sellers reads every item: in a large shop a few lessons more can wait.
RANKED_SHARE = 100
RANKED_AT_MOST = 500

_log = structlog.get_logger(__name__)


class ModelShelf(Follower):
    """Follows the learner's table, the snapshots and the word on which is in use."""

    def __init__(
        self, bootstrap: str, learner_topic: str, snapshots_topic: str, control_topic: str
    ) -> None:
        super().__init__(bootstrap, learner_topic, snapshots_topic, control_topic)
        self._take_from = {
            learner_topic: self._take_row,
            snapshots_topic: self._take_snapshot,
            control_topic: self._take_word,
        }
        self._knowledge = ItemKnowledge()
        self.reviews = ItemReviews()
        self._versions: dict[tuple[str, int], Any] = {}
        self._adopted: dict[str, int] = {}
        self.ranking = ranking.NOTHING_LEARNED
        self.segments = segments.NOTHING_LEARNED
        self._unranked = 0

    @property
    def knowledge(self) -> ItemKnowledge:
        """What is known of the items, best sellers ranked a moment ago."""
        if self._unranked > min(len(self._knowledge) // RANKED_SHARE, RANKED_AT_MOST):
            self._knowledge.rank_popular()
            self._unranked = 0
        else:
            self._knowledge.refresh()
        return self._knowledge

    def name_of(self, product_id: str) -> str:
        """Name of an item, "" where nobody told it."""
        place = self._knowledge.index.get(item_ref(product_id))
        facts = None if place is None else self._knowledge.facts[place]
        return facts.name if facts is not None and facts.product_id == product_id else ""

    @property
    def weights(self) -> NDArray[np.float64]:
        """What each of models.ranking.FEATURES is worth."""
        return np.array(self.ranking.weights)

    def take(self, record: Any) -> None:
        """Take one record; one that can't be read leaves everything as it is."""
        try:
            self._take_from[record.topic](record.key or b"", record.value)
        except (msgspec.MsgspecError, ValueError) as error:
            _log.error(
                "record_unreadable", topic=record.topic, offset=record.offset, reason=str(error)
            )

    def _take_row(self, key: bytes, value: bytes | None) -> None:
        if value is None:
            return
        if key.startswith(LESSON_PREFIX):
            self._learn(msgspec.json.decode(value, type=Taught))
        elif put_reviews(self.reviews, key, value):
            self.reviews.forget()
        elif put_row(self._knowledge, key, value):
            self._unranked += RANKED_AT_MOST

    def _learn(self, lesson: Taught) -> None:
        knowledge = self._knowledge
        if isinstance(lesson, BasketLesson):
            places = [knowledge.meet(item_ref(one.product_id), one) for one in lesson.items]
            knowledge.sold(places, lesson.gaps, lesson.at_ms, lesson.order_id)
        elif isinstance(lesson, ItemMet):
            item = lesson.item
            knowledge.wanted(knowledge.meet(item_ref(item.product_id), item), lesson.at_ms)
        elif isinstance(lesson, ItemReviewed):
            self.reviews.add(lesson.product_id, lesson.at_ms, lesson.rating, lesson.quote)
            self.reviews.forget()
            return
        elif isinstance(lesson, AuthorErased):
            self.reviews.forget_author(lesson.customer)
            return
        else:
            return
        self._unranked += 1

    def _take_snapshot(self, key: bytes, value: bytes | None) -> None:
        if value is None or key.decode() not in FOLLOWED:
            return
        record = read_record(value)
        if reason := refusal(record):
            # The workers, who meet its adoption in the log, raise the alert.
            version = record.snapshot.version
            _log.error("snapshot_refused", model=record.model, version=version, reason=reason)
            return
        self._versions[record.model, record.snapshot.version] = record.snapshot
        self._use(record.model)

    def _take_word(self, key: bytes, value: bytes | None) -> None:
        for model in FOLLOWED:
            if key == adopted_key(model) and value is not None:
                self._adopted[model] = msgspec.json.decode(value, type=AdoptedWord).version
                self._use(model)

    def _use(self, model: str) -> None:
        """Use the adopted version, once it is there; until then the one before."""
        version = self._adopted.get(model, 0)
        snapshot = self._versions.get((model, version))
        if snapshot is not None:
            setattr(self, model, snapshot)
