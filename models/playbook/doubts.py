"""Doubts about a playbook without mistakes: what is probably not meant.

Rules that can never fire, caps that starve a rule, messages without a consent or without words in a
language of the shop, calendars that run out.
"""

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from itertools import chain

from models.holidays import Absent, horizon_of
from models.playbook.closeness import listed
from models.playbook.conditions import Condition
from models.playbook.files import Found
from models.playbook.never import never_fires
from models.playbook.playbook import Playbook, Trigger
from models.playbook.problem import WARNING, Place, Problem
from models.playbook.reader import Path
from models.playbook.shop import Cap
from models.playbook.starving import Sending, sendings_of, starved
from models.playbook.then import Send, steps_in
from models.playbook.when import OnEvent, OnHoliday
from models.playbook.words import doubts_about_words

AHEAD_DAYS = 365


def doubts_about(
    book: Playbook,
    conditions: Mapping[Path, Condition],
    found: Found,
    today: date | None,
    events_currency: str = "",
) -> list[Problem]:
    """All doubts; `today` and `events_currency` as in `check`."""
    doubts: Iterator[tuple[Path, str, str]] = chain(
        never_fires(book, conditions),
        _idle(book),
        _caps(book),
        _messages(book),
        _words(book),
        doubts_about_words(book),
        _calendars(book, today) if today else iter(()),
        _currency(book, events_currency) if events_currency else iter(()),
    )
    return [_problem(found, path, message, expected) for path, message, expected in doubts]


def _problem(found: Found, path: Path, message: str, expected: str) -> Problem:
    place = found.at(*path) or Place(next(iter(found.texts)))
    value = "".join(found.written(*path)[:1])
    return Problem(
        place=place, message=message, expected=expected, value=value[:60], severity=WARNING
    )


def _idle(book: Playbook) -> Iterator[tuple[Path, str, str]]:
    """What is written down and does nothing."""
    if book.holdout and book.holdout.share >= 1:
        yield ("holdout", "share"), "everybody is held out, no rule can fire", "a smaller share"
    for name, trigger in book.triggers.items():
        if isinstance(trigger.when, OnEvent) and trigger.when.unless and not trigger.when.wait_ms:
            path: Path = ("triggers", name, "when", "unless")
            yield path, "unless does nothing where nothing is waited for", "wait beside it"
    for name, offer in book.offers.items():
        if offer.budget and (offer.budget.most_cents == 0 or offer.budget.coupons == 0):
            yield ("offers", name, "budget"), f"offer {name} has nothing to give", "a budget"


def _caps(book: Playbook) -> Iterator[tuple[Path, str, str]]:
    sendings = [
        one for name, trigger in book.triggers.items() for one in _sent(book, name, trigger)
    ]
    for index, cap in enumerate(book.caps):
        if cap.at_most == 0:
            yield ("caps", index, "at_most"), "this cap lets nothing through", "1 or more"
            continue
        counted = [one for one in sendings if _counts(cap, one)]
        for trigger, message in starved(cap, counted):
            yield ("triggers", trigger), message, "a cap that lets it through, or fewer messages"


def _sent(book: Playbook, name: str, trigger: Trigger) -> list[Sending]:
    if not (trigger.enabled and trigger.guard.caps):
        return []
    consents = {one: message.consent or "marketing" for one, message in book.messages.items()}
    return sendings_of(name, trigger, consents)


def _counts(cap: Cap, sending: Sending) -> bool:
    if sending.consent != cap.consent:
        return False
    # Where another channel is left the message goes there.
    return not cap.channels or set(sending.channels) <= set(cap.channels)


def _messages(book: Playbook) -> Iterator[tuple[Path, str, str]]:
    locales = book.shop.locales if book.shop else ()
    for name, message in book.messages.items():
        path: Path = ("messages", name)
        if not message.consent:
            yield path, f"message {name} has no consent, marketing is assumed", "consent: marketing"
        missing = [one for one in locales if one not in message.words]
        if missing:
            said = f"message {name} is not written in {listed(missing)}"
            yield (*path, "words"), said, "words in every locale of the shop"


def _words(book: Playbook) -> Iterator[tuple[Path, str, str]]:
    """Channels on which a message would go out empty, or not at all."""
    for name, trigger in book.triggers.items():
        for path, step in steps_in(trigger.then, ("triggers", name, "then")):
            if isinstance(step, Send):
                yield from _lacking(book, (*path, "channels"), step)


def _lacking(book: Playbook, path: Path, step: Send) -> Iterator[tuple[Path, str, str]]:
    closed = [
        one for one in step.channels if one in book.channels and not book.channels[one].enabled
    ]
    if len(closed) == len(step.channels):
        yield path, f"{listed(closed)} is not enabled, nothing can be sent", "an enabled channel"
    for locale, words in book.messages[step.message].words.items():
        if "email" in step.channels and not (words.subject and words.paragraphs):
            said = f"message {step.message} has no subject or no paragraphs in {locale}"
            yield path, said, "both, for e-mail"
        others = [one for one in step.channels if one != "email"]
        if others and not words.short:
            yield path, f"message {step.message} has no short in {locale}", f"one, for {others[0]}"


def _calendars(book: Playbook, today: date) -> Iterator[tuple[Path, str, str]]:
    ahead = today + timedelta(days=AHEAD_DAYS)
    for name, calendar in (book.shop.calendars if book.shop else {}).items():
        last = max(calendar.dates, default=None)
        if last is None or last >= ahead:
            continue
        said = "all days of it are over" if last < today else f"its last day is {last}"
        path: Path = ("shop", "calendars", name, "dates")
        yield path, f"calendar {name} runs out: {said}", f"days up to {ahead}"
    for name, trigger in book.triggers.items():
        if not isinstance(trigger.when, OnHoliday):
            continue
        for index, holiday in enumerate(trigger.when.holiday):
            country = trigger.when.country or (book.shop.country if book.shop else "")
            known_to = horizon_of(holiday, country)
            path = ("triggers", name, "when", "holiday", index)
            if known_to is Absent.NOT_KEPT and country:
                yield path, f"{holiday} is not kept in {country}", "a holiday of that country"
            elif isinstance(known_to, int) and date(known_to, 12, 31) < ahead:
                said = f"days of {holiday} are known up to {known_to} only"
                yield path, said, "a later release, or a calendar of the shop's own"


def _currency(book: Playbook, events_currency: str) -> Iterator[tuple[Path, str, str]]:
    """Orders whose event names no currency would have none of the shop's coupons."""
    if book.shop and book.shop.currency != events_currency:
        said = f"events that name no currency are read in {events_currency}"
        expected = f"{events_currency}, or HUITOU_CURRENCY={book.shop.currency}"
        yield ("shop", "currency"), said, expected
