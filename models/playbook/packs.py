"""Ready packs as texts: with a shop they become a playbook that stands alone.

A pack is a part of a playbook without a shop, so that a playbook can include it: its sections
begin at the line's first column, a message's languages six spaces in. Comments stay as they are.
"""

import json
import posixpath
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import date

from models.playbook.check import Checked, check
from models.playbook.files import Fetch
from models.playbook.playbook import SECTIONS
from models.playbook.source import Mapping, Unreadable, compose

SHOP_FILE = "pack_shop.yaml"
_ORDER = ("packs", "perks", "segments", "offers", "triggers", "messages")
_SECTION = re.compile(r"(\w+):\n?")
_WORDS_OF = re.compile(r" {6}([a-z]{2,3}(?:-[A-Za-z]+)*):\n")
_INSIDE_WORDS = " " * 7
_LOCALE = re.compile(r"(?m)^( +locale: ).*$")
_LOCALES = re.compile(r"(?m)^( +locales: ).*$")


def whole_text(shop: str, packs: Iterable[str]) -> str:
    """Write a playbook of these packs for this shop; sections of the same name become one."""
    return shop.rstrip("\n") + "\n\n" + part_text(packs)


def part_text(packs: Iterable[str]) -> str:
    """Write what packs have in them, without a shop."""
    found: dict[str, list[str]] = {}
    for pack in packs:
        for section, body in _sections(pack):
            found.setdefault(section, []).append(body)
    return "\n".join(f"{name}:\n" + "\n".join(found[name]) for name in _ORDER if name in found)


def _sections(text: str) -> Iterator[tuple[str, str]]:
    """Sections of a pack by name, with what stands below them."""
    name, lines = "", list[str]()
    for line in [*text.splitlines(keepends=True), "end:\n"]:
        begun = _SECTION.fullmatch(line)
        if begun is None:
            lines.append(line)
            continue
        if name in SECTIONS:
            yield name, "".join(lines).rstrip("\n") + "\n"
        name, lines = begun[1], []


def in_locales(text: str, locales: Sequence[str]) -> str:
    r"""Leave out words in other languages; the first is that of customers whose own is not known.

    >>> in_locales("  locale: en\n  locales: [en, zh-TW]\n", ["zh-TW"])
    '  locale: zh-TW\n  locales: [zh-TW]\n'
    """
    kept, is_kept = [], True
    for line in text.splitlines(keepends=True):
        begun = _WORDS_OF.fullmatch(line)
        if begun is not None:
            is_kept = begun[1] in locales
        elif line.strip() and not line.startswith(_INSIDE_WORDS):
            is_kept = True
        if is_kept or not line.strip():
            kept.append(line)
    written = _LOCALE.sub(rf"\g<1>{locales[0]}", "".join(kept))
    return _LOCALES.sub(rf"\g<1>[{', '.join(locales)}]", written)


def is_part(raw: bytes) -> bool:
    """Whether a file says of itself that it is a pack, and has no shop of its own."""
    try:
        root, _ = compose("pack", raw)
    except Unreadable:
        return False
    keys = {key.value for key, _ in root.pairs} if isinstance(root, Mapping) else set()
    return "packs" in keys and "shop" not in keys


def check_part(
    shop: str, file: str, raw: bytes, fetch: Fetch, *, today: date | None = None
) -> Checked:
    """Check a pack as this shop would include it; `file` is its name, for the places of problems.

    The shop's own places are told in a file that is not there, beside the pack.
    """
    name = posixpath.normpath(file)
    folder, beside = posixpath.split(name)
    text = f"{shop}\ninclude: [{json.dumps(beside)}]\n"
    main = posixpath.join(folder, SHOP_FILE)
    return check(main, text.encode(), lambda one: raw if one == name else fetch(one), today=today)
