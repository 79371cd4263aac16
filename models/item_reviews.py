"""What customers say of a shop's items: how many reviews, how good, and words that may be shown.

The words stay sealed under their author's key (sinks/sealing.py): whoever writes a message opens
them, and of an author who was erased nothing opens any more. Only words that the shop says are
published are kept, of good reviews, the newest few.
"""

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from models.item_memory import item_ref
from models.scripts import is_read_in

KEPT_QUOTES = 4
REVIEWED_AT_MOST = 200_000
KEPT_SHARE = 0.9
WELL_RATED = 4.0
QUOTED = "review_body"
"""Name of the sealed field that is quoted."""


class Quote(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Words of a review, as they are sealed; `author` is the customer whose key opens them."""

    at_ms: int
    author: str
    sealed: str
    rating: float
    review_id: str = ""


class ReviewRow(msgspec.Struct, array_like=True, gc=False):
    """An item's reviews, as they stand on the learner's changelog; quotes newest first."""

    product_id: str
    reviews: int = 0
    rating_sum: float = 0.0
    quotes: list[Quote] = []
    last_ms: int = 0

    @property
    def mean(self) -> float:
        """Mean rating, 1 to 5; of none 0."""
        return self.rating_sum / self.reviews if self.reviews else 0.0


class ItemReviews:
    """Rows by item; of more than `items_at_most` those reviewed longest ago are forgotten."""

    def __init__(self, items_at_most: int = REVIEWED_AT_MOST) -> None:
        self._at_most = items_at_most
        self._rows: dict[int, ReviewRow] = {}

    def __len__(self) -> int:
        return len(self._rows)

    def of(self, product_id: str) -> ReviewRow | None:
        """Give an item's row; of two products that share a ref the later one has it."""
        row = self._rows.get(item_ref(product_id))
        return row if row is not None and row.product_id == product_id else None

    def refs(self) -> Iterable[int]:
        """Refs of all items that have a row."""
        return self._rows.keys()

    def row(self, ref: int) -> ReviewRow | None:
        """Give a row for its changelog; None: it is gone."""
        return self._rows.get(ref)

    def put(self, ref: int, row: ReviewRow) -> None:
        """Take a row as it is."""
        self._rows[ref] = row

    def add(self, product_id: str, at_ms: int, rating: float, quote: Quote | None) -> int:
        """Count a review; gives the ref of its item."""
        known = self.of(product_id) or ReviewRow(product_id)
        quotes = known.quotes
        if quote is not None:
            others = [one for one in quotes if not _is_same_review(one, quote)]
            quotes = sorted([quote, *others], key=lambda one: -one.at_ms)[:KEPT_QUOTES]
        ref = item_ref(product_id)
        self._rows[ref] = ReviewRow(
            product_id,
            known.reviews + 1,
            known.rating_sum + rating,
            quotes,
            max(known.last_ms, at_ms),
        )
        return ref

    def forget_author(self, author: str) -> list[int]:
        """Forget an author's words, whose ratings stay; gives the refs of their items."""
        changed = []
        for ref, row in self._rows.items():
            others = [one for one in row.quotes if one.author != author]
            if len(others) < len(row.quotes):
                row.quotes = others
                changed.append(ref)
        return changed

    def forget(self) -> list[int]:
        """Forget a tenth and what is too much; gives the refs of what was forgotten."""
        if len(self._rows) <= self._at_most:
            return []
        oldest = sorted(self._rows, key=lambda ref: (self._rows[ref].last_ms, ref))
        gone = oldest[: len(self._rows) - round(self._at_most * KEPT_SHARE)]
        for ref in gone:
            del self._rows[ref]
        return gone


def _is_same_review(one: Quote, other: Quote) -> bool:
    """An author's second word of an item is in the place of the first."""
    return one.author == other.author or (bool(one.review_id) and one.review_id == other.review_id)


def words_about(
    row: ReviewRow | None, quotes: int, opened: Callable[[Quote], str], locale: str
) -> dict[str, Any]:
    """What a message can say of an item's reviews, nothing twice; `opened` gives "" for none.

    Only words are quoted that a reader of `locale` reads (models/scripts.py): better none.
    """
    if row is None or not row.reviews:
        return {}
    said: list[dict[str, Any]] = []
    for quote in row.quotes:
        text = opened(quote) if len(said) < quotes else ""
        if text and is_read_in(text, locale) and all(text != other["text"] for other in said):
            said.append({"text": text, "rating": quote.rating, "product_id": row.product_id})
    return {
        "product_rating": round(row.mean, 1),
        "product_reviews": row.reviews,
        "reviews": said,
    }
