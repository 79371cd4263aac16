"""How the learner's table is keyed: items, their reviews, the shop's sums, lessons that wait."""

import msgspec

from models.item_knowledge import ItemKnowledge, ItemRow, ShopRow
from models.item_reviews import ItemReviews, ReviewRow

ITEM_PREFIX = b"item:"
REVIEW_PREFIX = b"review:"
LESSON_PREFIX = b"lesson:"
SHOP_KEY = b"shop"


def item_key(ref: int) -> bytes:
    """Key of an item's row.

    >>> item_key(255)
    b'item:000000ff'
    """
    return ITEM_PREFIX + b"%08x" % ref


def review_key(ref: int) -> bytes:
    """Key of the row of an item's reviews.

    >>> review_key(255)
    b'review:000000ff'
    """
    return REVIEW_PREFIX + b"%08x" % ref


def put_reviews(reviews: ItemReviews, key: bytes, row: bytes) -> bool:
    """Take a row of the learner's table; says whether it was of reviews."""
    if not key.startswith(REVIEW_PREFIX):
        return False
    reviews.put(int(key[len(REVIEW_PREFIX) :], 16), msgspec.msgpack.decode(row, type=ReviewRow))
    return True


def put_row(knowledge: ItemKnowledge, key: bytes, row: bytes) -> bool:
    """Take a row of the learner's table; says whether it was of items."""
    if key == SHOP_KEY:
        knowledge.put_shop(msgspec.msgpack.decode(row, type=ShopRow))
        return True
    if not key.startswith(ITEM_PREFIX):
        return False
    knowledge.put(int(key[len(ITEM_PREFIX) :], 16), msgspec.msgpack.decode(row, type=ItemRow))
    return True
