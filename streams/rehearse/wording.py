"""The words of rehearsed messages, filled in as the dispatcher would: what stays open is told."""

from collections.abc import Iterable
from typing import Any

from models.effects import Action
from models.playbook.playbook import Playbook
from models.playbook.wording import WordsBroken, bare_names_in
from models.playbook.words import texts_of
from sinks.templates import UNSUBSCRIBE_URL, TemplateBook, nearest_locale, value_of

_PAGE = "https://shop.example/unsubscribe"


def book_of(playbook: Playbook) -> TemplateBook:
    """All messages of a playbook, to be filled in."""
    shop = playbook.shop
    return TemplateBook(
        {name: message.words for name, message in playbook.messages.items()},
        shop=shop.name if shop else "",
        locale=shop.locale if shop else "en",
        tiers={name: tier.label for name, tier in playbook.tiers.items()},
    )


def faults(playbook: Playbook, actions: Iterable[Action], language: str = "") -> list[str]:
    """What is wrong with the words of these messages, each once.

    `language` is the one that they must be in. Personal fields are not known in a rehearsal: their
    defaults stand in, as for a customer of whom nothing is known.
    """
    book = book_of(playbook)
    found = (fault for one in actions for fault in _faults(playbook, book, one, language))
    return list(dict.fromkeys(found))


def _faults(playbook: Playbook, book: TemplateBook, action: Action, language: str) -> Iterable[str]:
    message = playbook.messages[action.template]
    shop = playbook.shop
    locale = nearest_locale(action.locale, message.words, shop.locale if shop else "en")
    name = f"message {action.template} in {locale}"
    if language and locale != language:
        yield f"{name}: {language} was to be spoken"
    words = message.words[locale]
    values: dict[str, Any] = {**action.variables, UNSUBSCRIBE_URL: _PAGE}
    known = {key for key, value in values.items() if value_of(key, value) not in ("", [])}
    known |= {"shop", *words.defaults} | ({"tier_name"} if "tier" in known else set())
    for _, text in texts_of(words):
        yield from (
            f"{name}: nothing fills in {one!r}" for one in sorted(bare_names_in(text) - known)
        )
    try:
        letter = book.render(action.template, action.locale, values)
        short = book.render(action.template, action.locale, values, short=True)
    except WordsBroken as broken:
        yield f"{name}: {broken}"
        return
    said = letter.text.partition("--\n")[0].strip()
    for what, text in (("subject", letter.subject), ("text", said), ("short", short.text)):
        if "{" in text or (not text and (what != "short" or words.short)):
            yield f"{name}: its {what} reads {text!r}"
