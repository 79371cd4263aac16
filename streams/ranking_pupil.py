"""The ranking's learner, and the shop's knowledge of its items, as a pupil of the lessons' fold.

Each item is a row of the learner's table, `item:REF`, the sums over all of them another, `shop`;
what customers say of an item is `review:REF`.
Whoever recommends reads these rows there (`sinks/model_shelf.py`).
"""

from collections.abc import Iterator, Mapping

import msgspec

from models.effects import AuthorErased, BasketLesson, ItemMet, ItemReviewed
from models.events import ModelName
from models.item_knowledge import ItemKnowledge
from models.item_memory import item_ref
from models.item_reviews import ItemReviews
from models.item_rows import (
    ITEM_PREFIX,
    REVIEW_PREFIX,
    SHOP_KEY,
    item_key,
    put_reviews,
    put_row,
    review_key,
)
from models.ranking import Board, RankingSnapshot, board, boards
from models.ranking_learner import LESSONS_BEFORE_USE, LearnedRanking, RankingLearner

LESSONS_AT_ONCE = 256

ItemLesson = BasketLesson | ItemMet | ItemReviewed | AuthorErased


class RankingPupil:
    """Implements streams.pupil.Pupil."""

    model: ModelName = "ranking"
    lesson_types = frozenset({BasketLesson, ItemMet, ItemReviewed, AuthorErased})
    prefixes = (ITEM_PREFIX, REVIEW_PREFIX, SHOP_KEY)

    def __init__(self) -> None:
        self.learner = RankingLearner()
        self.knowledge = ItemKnowledge()
        self.reviews = ItemReviews()
        self._reviewed: dict[int, None] = {}
        self._touched: dict[int, None] = {}
        self._forgotten: set[int] = set()

    @property
    def version(self) -> int:
        """The last version that it gave."""
        return self.learner.version

    @property
    def lessons(self) -> int:
        """How many orders the ranking was learned from; too few of them are none yet."""
        learned = self.learner.lessons
        return learned if learned >= LESSONS_BEFORE_USE else 0

    def examine(self, lesson: ItemLesson) -> None:
        """Raise ValueError for an order without a gap for each item."""
        if type(lesson) is BasketLesson and len(lesson.gaps) != len(lesson.items):
            raise ValueError(f"{len(lesson.gaps)} gaps for {len(lesson.items)} items")

    def learn(self, lessons: list[ItemLesson]) -> None:
        """Learn one day's orders, sights and reviews of items, in the order in which they came."""
        self._forget(self.knowledge.rank_popular())
        self._reviewed |= dict.fromkeys(self.reviews.forget())
        ordered = sorted(lessons, key=_order)
        for begin in range(0, len(ordered), LESSONS_AT_ONCE):
            self._learn_some(ordered[begin : begin + LESSONS_AT_ONCE])

    def _learn_some(self, lessons: list[ItemLesson]) -> None:
        ahead = self._look_ahead(lessons)
        for number, lesson in enumerate(lessons):
            if type(lesson) is BasketLesson:
                self._learn_basket(lesson, ahead.get(number))
            elif type(lesson) is ItemMet:
                place = self._meet(lesson.item.product_id, lesson)
                self.knowledge.wanted(place, lesson.at_ms)
            elif type(lesson) is ItemReviewed:
                self._reviewed[_review(self.reviews, lesson)] = None
            elif type(lesson) is AuthorErased:
                gone = self.reviews.forget_author(lesson.customer)
                self._reviewed |= dict.fromkeys(gone)

    def _forget(self, refs: list[int]) -> None:
        if refs:
            self._forgotten.update(refs)
            self._touched = dict.fromkeys(range(len(self.knowledge)))

    def _look_ahead(self, lessons: list[ItemLesson]) -> dict[int, Board]:
        """Candidates of the lessons that have many: what speaks for them is as of the day's begin.

        All at once, for a fraction of what they cost one by one.
        """
        teaching = {
            number: (lesson.memory, lesson.at_ms)
            for number, lesson in enumerate(lessons)
            if type(lesson) is BasketLesson and lesson.memory is not None
        }
        found = zip(teaching, boards([*teaching.values()], self.knowledge), strict=True)
        return {number: one for number, one in found if one is not None}

    def _learn_basket(self, lesson: BasketLesson, candidates: Board | None) -> None:
        knowledge = self.knowledge
        refs = [item_ref(item.product_id) for item in lesson.items]
        if lesson.memory is not None:
            if candidates is None:
                candidates = board(lesson.memory, knowledge, lesson.at_ms)
            self.learner.learn(candidates, knowledge.among(candidates.places, refs))
        places = knowledge.meet_all(refs, lesson.items)
        self._touched.update(dict.fromkeys(places))
        knowledge.sold(places, lesson.gaps, lesson.at_ms, lesson.order_id)

    def _meet(self, product_id: str, lesson: ItemMet) -> int:
        place = self.knowledge.meet(item_ref(product_id), lesson.item)
        self._touched[place] = None
        return place

    def snapshot(self, day: int) -> RankingSnapshot:
        """Give a new version; raises BadSnapshot when it must not be adopted."""
        return self.learner.snapshot(day)

    def dump(self) -> LearnedRanking:
        """Everything it is but the items."""
        return self.learner.dump()

    def load(self, learned: bytes | None, rows: Mapping[bytes, bytes]) -> None:
        """Stand where `dump` and the rows stand."""
        known = None if learned is None else msgspec.msgpack.decode(learned, type=LearnedRanking)
        self.learner = RankingLearner(known)
        self.knowledge = ItemKnowledge()
        self.reviews, self._reviewed = ItemReviews(), {}
        self._touched, self._forgotten = {}, set()
        for key, row in rows.items():
            if not put_reviews(self.reviews, key, row):
                put_row(self.knowledge, key, row)

    def rows(self) -> Iterator[tuple[bytes, bytes | None]]:
        """Give the items that were sold or met since this was asked last, and the shop's sums.

        None is in the place of an item that was forgotten.
        """
        touched, self._touched = self._touched, {}
        forgotten, self._forgotten = self._forgotten, set()
        reviewed, self._reviewed = self._reviewed, {}
        for ref in reviewed:
            of_item = self.reviews.row(ref)
            yield review_key(ref), None if of_item is None else msgspec.msgpack.encode(of_item)
        knowledge = self.knowledge
        for ref in sorted(forgotten - knowledge.index.keys()):
            yield item_key(ref), None
        for place in touched:
            yield item_key(int(knowledge.refs[place])), msgspec.msgpack.encode(knowledge.row(place))
        if touched:
            yield SHOP_KEY, msgspec.msgpack.encode(knowledge.shop)


def _review(reviews: ItemReviews, lesson: ItemReviewed) -> int:
    return reviews.add(lesson.product_id, lesson.at_ms, lesson.rating, lesson.quote)


def _order(lesson: ItemLesson) -> tuple[int, str, str]:
    match lesson:
        case BasketLesson():
            name = lesson.order_id
        case ItemMet():
            name = lesson.item.product_id
        case ItemReviewed():
            name = lesson.product_id
        case AuthorErased():
            name = ""
    return lesson.at_ms, lesson.customer, name
