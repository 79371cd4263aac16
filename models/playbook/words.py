"""The words of messages, checked: what can't be read, names that nobody fills, holes that may show.

Every text is also filled in on trial, with what is known at least and with all that may be known: a
comparison that can't be made is found here and not at a customer's.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from functools import cache
from typing import Any

from models.playbook.copy import Message, Words
from models.playbook.files import Found
from models.playbook.playbook import Playbook
from models.playbook.problem import PROBLEMS_MAX, Problem, shown
from models.playbook.reader import Path
from models.playbook.source import Scalar, place_inside
from models.playbook.then import Send, steps_in
from models.playbook.wording import (
    LIST_ITEMS_MAX,
    LISTS,
    VARIABLES,
    WordingMistake,
    WordsBroken,
    bare_names_in,
    line_of,
    mistakes_in,
    names_in,
)

LINES = (
    "subject",
    "preheader",
    "greeting",
    "card_title",
    "card_note",
    "closing",
    "signature",
    "unsubscribe",
    "short",
)
"""Texts of a message that are one line each; beside them stand its paragraphs."""
NUMBERS = ("orders", "days_silent", "offer_percent", "product_rating", "product_reviews")
"""Variables that are numbers whenever they are known."""
ALWAYS_KNOWN = frozenset({"shop", "tier", "tier_name", "unsubscribe_url"})
OF_AN_OFFER = frozenset(
    {"offer", "offer_percent", "offer_amount", "offer_spend", "offer_min_order", "offer_gift"}
    | {"coupon", "coupon_until", "currency"}
)
_PLAIN_NUMBER = re.compile(r"-?(0|[1-9]\d{0,11})(\.\d{1,6})?", re.ASCII)
_LOGIC = re.compile(r"\{%|\||[<>=]|\bif\b")


def number_or_text(text: str) -> int | float | str:
    """A default as words compare it: what looks like a number is one.

    >>> number_or_text("10"), number_or_text("7.5"), number_or_text("007")
    (10, 7.5, '007')
    """
    if not _PLAIN_NUMBER.fullmatch(text):
        return text
    return float(text) if "." in text else int(text)


def texts_of(words: Words) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """All texts of a message in one language, each with its path below the language."""
    for name in LINES:
        yield (name,), getattr(words, name)
    for index, paragraph in enumerate(words.paragraphs):
        yield ("paragraphs", index), paragraph


def check_words(found: Found) -> list[Problem]:
    """Mistakes in the words of all messages, wherever else something is wrong."""
    below: dict[Path, dict[str, str]] = {}
    for path, node in found.places.items():
        if path and isinstance(node, Scalar):
            below.setdefault(path[:-1], {})[str(path[-1])] = node.value
    given = _given(below)
    problems: list[Problem] = []
    for path, node in found.places.items():
        if len(path) < 5 or path[0] != "messages" or path[2] != "words":
            continue
        if path[4] not in (*LINES, "paragraphs") or not isinstance(node, Scalar):
            continue
        defaults = below.get((*path[:4], "defaults"), {})
        for mistake in _mistakes(node.value, defaults, given.get(str(path[1]), frozenset())):
            if len(problems) >= PROBLEMS_MAX:
                return problems
            problems.append(_told(mistake, node, found))
    return problems


def _given(below: Mapping[Path, Mapping[str, str]]) -> dict[str, frozenset[str]]:
    """By message the variables that steps which send it bring along."""
    given: dict[str, frozenset[str]] = {}
    for path, values in below.items():
        message = values.get("message", "") if path and path[0] == "triggers" else ""
        if message:
            names = frozenset(below.get((*path, "variables"), ()))
            given[message] = given.get(message, frozenset()) | names
    return given


def _mistakes(
    text: str, defaults: Mapping[str, str], given: Collection[str]
) -> Iterator[WordingMistake]:
    mistakes = mistakes_in(text, [*defaults, *given])
    yield from mistakes
    if mistakes or not _LOGIC.search(text):
        return
    least = {name: number_or_text(value) for name, value in defaults.items()}
    for values in (least, {**least, **_all_known()}):
        try:
            line_of(text).fill(values)
        except WordsBroken as broken:
            said = "they can't be filled in"
            if str(broken) == "TypeError":
                said += ", a text and a number are compared"
            elif "characters" in str(broken):
                said = f"they can become {broken}"
            yield WordingMistake(0, said, text)
            return


@cache
def _all_known() -> dict[str, Any]:
    lists = {
        name: [dict.fromkeys(parts, "something") for _ in range(LIST_ITEMS_MAX)]
        for name, parts in LISTS.items()
    }
    return dict.fromkeys(VARIABLES, "something") | dict.fromkeys(NUMBERS, 10) | lists


def _told(mistake: WordingMistake, scalar: Scalar, found: Found) -> Problem:
    return Problem(
        place=place_inside(scalar, found.texts[scalar.place.file], mistake.at),
        message=f"in these words {' '.join(mistake.message.split())}",
        value=shown(mistake.value or scalar.value),
        expected=mistake.expected,
        suggestion=mistake.suggestion,
    )


def doubts_about_words(book: Playbook) -> Iterator[tuple[Path, str, str]]:
    """Names whose absence would leave a hole; recommended things that the words don't show."""
    for name, message in book.messages.items():
        sends = [
            step
            for trigger in book.triggers.values()
            for _, step in steps_in(trigger.then, ())
            if isinstance(step, Send) and step.message == name
        ]
        yield from _holes(("messages", name, "words"), message, sends)
        for part, asked in (
            ("recommended", any(step.recommend for step in sends)),
            ("reviews", any(step.reviews for step in sends)),
        ):
            yield from _unshown(("messages", name, "words"), message, part, asked=asked)


def _holes(path: Path, message: Message, sends: list[Send]) -> Iterator[tuple[Path, str, str]]:
    with_offer = bool(sends) and all(step.offer for step in sends)
    given = frozenset.intersection(*[frozenset(one.variables) for one in sends] or [frozenset()])
    known = ALWAYS_KNOWN | given | (OF_AN_OFFER if with_offer else frozenset())
    for locale, words in message.words.items():
        told: set[str] = set()
        for below, text in texts_of(words):
            for name in sorted(bare_names_in(text) - known - set(words.defaults) - told):
                told.add(name)
                said = f"{name} has no default, where it is not known there is a hole"
                yield (*path, locale, *below), said, f"{name} below defaults"


def _unshown(
    path: Path, message: Message, part: str, *, asked: bool
) -> Iterator[tuple[Path, str, str]]:
    for locale, words in message.words.items() if asked else ():
        if not any(part in names_in(text) for _, text in texts_of(words)):
            said = f"{part} come with this message, and its words show none"
            yield (*path, locale), said, f"{{% for item in {part} %}}"
