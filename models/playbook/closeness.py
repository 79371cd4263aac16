"""What was probably meant: the known word closest to one that is not known."""

import re
from collections.abc import Iterable
from difflib import get_close_matches

CLOSE_ENOUGH = 0.6
COMPARED_CHARS_MAX = 80


def closest(word: str, known: Iterable[str]) -> str:
    """Known word that was probably meant; empty when none is near.

    >>> closest("tirer", ["tier", "trigger", "offer"])
    'tier'
    >>> closest("Product Viewed", ["product_viewed", "product_added"])
    'product_viewed'
    >>> closest("xyz", ["tier"])
    ''
    """
    plain: dict[str, str] = {}
    for name in known:
        plain.setdefault(_plain(name), name)
    near = get_close_matches(_plain(word[:COMPARED_CHARS_MAX]), plain, 1, CLOSE_ENOUGH)
    return plain[near[0]] if near else ""


def _plain(word: str) -> str:
    return re.sub(r"[\s_\-.]+", "_", word.strip().lower())


def listed(words: Iterable[str], at_most: int = 8) -> str:
    """Words for a sentence, not too many.

    >>> listed(["a", "b", "c"], 2)
    'a, b, …'
    """
    words = list(words)
    return ", ".join([*words[:at_most], *(["…"] if len(words) > at_most else [])])
