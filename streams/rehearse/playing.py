"""A scenario under one playbook or two, in each of its languages, with what differs."""

from typing import Any

from streams.rehearse.book import Book
from streams.rehearse.comparison import Comparison
from streams.rehearse.expected import differences
from streams.rehearse.play import Rehearsal, play
from streams.rehearse.scenario import Scenario


def play_all(scenario: Scenario, books: list[Book], *, examples_max: int = 20) -> dict[str, Any]:
    """Play it; keys `actions`, `rejected`, `tiers`, and what was expected and is not so.

    With several languages these are the first one's, and `languages` holds each one's. With a
    second playbook they are the first one's, and `comparison` says how the second differs.
    """
    rehearsals = _in_each_language(scenario, books[0])
    found: dict[str, Any] = rehearsals[0].as_dict()
    if scenario.locales:
        found["languages"] = {one.locale: one.as_dict() for one in rehearsals}
    unlike = [
        f"{one.locale}: {line}" if one.locale else line
        for one in rehearsals
        for line in differences(scenario, one)
    ]
    if unlike:
        found["differences"] = unlike
    for other in books[1:]:
        comparison = Comparison(books[0].name, other.name, examples_max)
        for first, second in zip(rehearsals, _in_each_language(scenario, other), strict=True):
            comparison.take(first.actions + first.rejected, second.actions + second.rejected)
        found["comparison"] = comparison.as_dict()
    return found


def _in_each_language(scenario: Scenario, book: Book) -> list[Rehearsal]:
    rulebook = book.rulebook(scenario.time_zone)
    return [
        play(scenario, rulebook, currency=book.currency, locale=locale)
        for locale in scenario.locales or ("",)
    ]
