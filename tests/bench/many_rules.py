"""Playbooks of any number of rules, made of the ready packs' own.

The first rules are the packs' as they stand. Every further turn through them is for a part of the
shop, as a shop with hundreds of rules writes them: for one category of products or one segment of
customers, after another silence, on another hour, about another event of its own.
"""

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

import yaml

from models.playbook.edition import Edition, opened
from models.playbook.rulebook import Rulebook
from streams.playbook_packs import names, playbook_text

CATEGORIES = ("coffee", "tea", "kitchen", "bath", "bedding", "lamps", "garden", "paper", "toys")
_OF_PRODUCTS = frozenset({"product_viewed", "product_added", "product_removed", "product_wished"})
_LIKES = 'has(customer.favourite_category) && customer.favourite_category == "{}"'
_OF_ORDERS = frozenset({"order_completed"})


def rulebook_of(rules: int) -> Rulebook | None:
    """So many rules, ready for a fold; None for 0, a shop that has applied no playbook."""
    if not rules:
        return None
    return opened(Edition(1, "many.yaml", {"many.yaml": text_of(rules)}))


def text_of(rules: int) -> str:
    """The playbook as a file; what is JSON is YAML, too."""
    book = dict(_packs())
    written = written_rules()
    book["triggers"] = dict(next(written) for _ in range(rules))
    book["segments"] = {
        **book.get("segments", {}),
        **{f"likes_{one}": {"if": _LIKES.format(one)} for one in CATEGORIES},
    }
    return json.dumps(book, ensure_ascii=False)


@cache
def _packs() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(playbook_text(names(), ["en"]))
    return found


def written_rules() -> Iterator[tuple[str, dict[str, Any]]]:
    """The packs' rules by name, then turn after turn their variants."""
    packs = _packs()["triggers"]
    yield from packs.items()
    turn = 1
    while True:
        for name, rule in packs.items():
            yield f"{name}_{turn}", variant(rule, turn)
        turn += 1


def variant(rule: dict[str, Any], turn: int) -> dict[str, Any]:
    """A rule for a part of the shop only; the same for the same turn."""
    when, guard = dict(rule["when"]), dict(rule.get("guard", {}))
    category = CATEGORIES[turn % len(CATEGORIES)]
    if "event" in when:
        _narrow(when, category, turn)
    elif "silence" in when:
        when["silence"] = f"{int(when['silence'].removesuffix('d')) + turn}d"
    elif "replenishment" in when:
        when["replenishment"] = category
    elif "every" in when:
        when["while"] = f'{when["while"]} && "likes_{category}" in customer.segments'
    elif "at" in when:
        when["at"] = f"{8 + turn % 12:02d}:30"
    guard.setdefault("segments", f"likes_{category}")
    return {**rule, "when": when, "guard": guard}


def _narrow(when: dict[str, Any], category: str, turn: int) -> None:
    """Have an event's rule ask for one category, or for an event of its own."""
    if when["event"] in _OF_PRODUCTS:
        asked = f'event.category == "{category}"'
    elif when["event"] in _OF_ORDERS:
        asked = f'"{category}" in event.categories'
    elif when["event"] == "tracked":
        when["if"] = (
            when["if"].replace('" ', f' {turn}" ', 1)
            if '" ' in when["if"]
            else (when["if"].removesuffix('"') + f' {turn}"')
        )
        return
    else:
        return
    when["if"] = f"{asked} && ({when['if']})" if "if" in when else asked
