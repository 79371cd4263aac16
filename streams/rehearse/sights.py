"""What the shop knows of its products in a rehearsal: names and reviews, as soon as they came in.

Live the learner keeps it and the dispatcher asks for it when it writes a message; what would be
recommended is not rehearsed.
"""

from typing import Any

import msgspec

from models.effects import Action, AuthorErased, BasketLesson, ItemMet, ItemReviewed, Lesson
from models.item_reviews import ItemReviews, Quote, words_about
from streams.rehearse.stage import Snapshots

_decode = msgspec.json.Decoder(Lesson).decode


class Sights:
    """Implements streams.rehearse.stage.Learn; no model is learned."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._reviews = ItemReviews()

    def __call__(self, lessons: list[bytes], snapshots: Snapshots) -> list[bytes]:
        """Take lessons; nothing is adopted for them."""
        for raw in lessons:
            self._take(_decode(raw))
        return []

    def _take(self, lesson: Any) -> None:
        match lesson:
            case BasketLesson():
                self._names |= {one.product_id: one.name for one in lesson.items if one.name}
            case ItemMet() if lesson.item.name:
                self._names[lesson.item.product_id] = lesson.item.name
            case ItemReviewed():
                self._reviews.add(lesson.product_id, lesson.at_ms, lesson.rating, lesson.quote)

            case AuthorErased():
                self._reviews.forget_author(lesson.customer)

    def fill_in(self, action: Action) -> None:
        """Put what is known of its product into a message's variables, as the dispatcher would."""
        product_id = str(action.variables.get("product_id", ""))
        if not product_id:
            return
        if action.variables.get("product", product_id) == product_id and product_id in self._names:
            action.variables["product"] = self._names[product_id]
        row = self._reviews.of(product_id)
        action.variables |= words_about(row, action.reviews, _opened, action.locale)


def _opened(quote: Quote) -> str:
    """In a rehearsal nothing is sealed."""
    return quote.sealed
