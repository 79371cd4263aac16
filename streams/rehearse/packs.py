"""Every ready pack, rehearsed in every language: what it decides, and the words it says."""

from typing import Any

from models.playbook.scalars import LOCALES
from streams import playbook_packs
from streams.rehearse.book import Book
from streams.rehearse.expected import differences
from streams.rehearse.play import play
from streams.rehearse.scenario import BadScenario, Scenario, read_scenario
from streams.rehearse.wording import faults

Told = dict[str, Any]


def play_packs() -> Told:
    """Play them all; counts `packs`, `languages`, `scenarios` and `passed`, and each one's fate."""
    played = [one for name in playbook_packs.names() for one in play_pack(name)]
    return {
        "packs": len(playbook_packs.names()),
        "languages": len(LOCALES),
        "scenarios": len(played),
        "passed": sum(one["passed"] for one in played),
        "played": played,
    }


def play_pack(name: str) -> list[Told]:
    """Play one pack's rehearsal in each language."""
    checked = playbook_packs.checked_pack(name)
    if checked.playbook is None:
        return [_failed(name, locale, [str(one) for one in checked.errors]) for locale in LOCALES]
    book = Book(name, checked.playbook)
    try:
        scenario = _scenario(name, book)
    except (OSError, BadScenario) as error:
        return [_failed(name, locale, [str(error)]) for locale in LOCALES]
    return [_played(book, scenario, locale) for locale in LOCALES]


def _scenario(name: str, book: Book) -> Scenario:
    file = playbook_packs.rehearsal_of(name)
    return read_scenario(
        file.name, file.read_bytes(), time_zone=book.time_zone, currency=book.currency
    )


def _played(book: Book, scenario: Scenario, locale: str) -> Told:
    rulebook = book.rulebook(scenario.time_zone)
    rehearsal = play(scenario, rulebook, currency=book.currency, locale=locale)
    unlike = differences(scenario, rehearsal)
    if not scenario.expect:
        unlike.append(f"{scenario.file}: nothing is expected, so nothing is shown")
    if book.playbook is not None:
        unlike += faults(book.playbook, rehearsal.messages, locale)
    return {
        "pack": book.name,
        "language": locale,
        "actions": len(rehearsal.actions),
        "messages": len(rehearsal.messages),
        "passed": not unlike,
        "differences": unlike,
    }


def _failed(name: str, locale: str, why: list[str]) -> Told:
    counts = {"actions": 0, "messages": 0, "passed": False}
    return {"pack": name, "language": locale, **counts, "differences": why}
