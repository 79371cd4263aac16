"""What is personal: known by its name, by its look, or by being said elsewhere in the same message.

Nothing personal may reach the log in the clear (decision 19), so of what the contract does not
know these are sealed:

- every value under a name that speaks of a person: who they are (names, ids of persons and
  devices), how to reach them (e-mail, phone, address, postal code, messenger), where they are
  (position, IP address), what they pay or sign in with, and what they write (note, comment,
  message, description, review…); in English, Chinese and the commonest words of other languages;
- every text that looks like an e-mail address, a phone or card number, an IP address, a web
  address with a query string, or a free text (over 60 characters with words);
- every number of 10 to 15 digits and every text of 7 to 19 digits, unless its name says it is an
  article number, an amount, a time or another measure;
- every text that repeats a name, an e-mail address, a phone number or a street of the same message.

Booleans are never personal. A person's name under a name like "colour" can't be recognised.
"""

import re
import unicodedata
from typing import Any

import msgspec

from models.segment_values import Refusal
from models.segment_words import (
    is_measure_name,
    is_personal_name,
    is_thing_name,
    names_somebody,
)

EXTRA_BYTES_MAX = 16_000
DEPTH_MAX = 32
QUERY_CHARS_MAX = 100
FREE_TEXT_CHARS = 60
LEFT_OUT = "left_out"
_SCANNED_CHARS_MAX = 4_000
_NEEDLES_MAX = 64

_EMAIL = re.compile(r"[^\s@＠](?:[@＠]|%40)[^\s@＠]{1,255}\.[^\s@＠]{2}")
_AROUND_AT = re.compile(r"[^\s@＠]{0,64}(?:[@＠]|%40)[^\s@＠]{0,255}")
_DIGITS = re.compile(r"(?<![\w.-])\+?\(?\d(?:[ ().\-/–\u00a0]{0,3}\d){6,18}(?!\w)")
_DATE = re.compile(
    r"(?:19|20)\d\d[-/.](?:0?[1-9]|1[0-2])[-/.]\d{1,2}(?!\d)|\d{1,2}[-/.]\d{1,2}[-/.](?:19|20)\d\d$"
    r"|(?:19|20)\d\d-(?:19|20)\d\d$|\d+\.\d{1,6}$"
)

_ADDRESS = re.compile(r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?![\w.])")


def looks_like_email(text: str) -> bool:
    """Whether an e-mail address stands somewhere in the text."""
    return ("@" in text or "%40" in text or "＠" in text) and _EMAIL.search(text) is not None


def looks_like_phone(text: str) -> bool:
    """Whether 7 to 19 digits stand together that are no date and no decimal number.

    >>> texts = "+44 20 7946 0018", "2017-03-01 12:00", "12.50", "138 0013 8000"
    >>> [looks_like_phone(text) for text in texts]
    [True, False, False, True]
    """
    return any(_DATE.match(found.group()) is None for found in _DIGITS.finditer(text))


def looks_like_free_text(text: str) -> bool:
    """Whether it is long and has words, in whatever script."""
    return len(text) > FREE_TEXT_CHARS and (" " in text or not text.isascii())


def looks_personal(text: str, *, measured: bool = False) -> bool:
    """Whether the look of a text alone says that it is personal.

    `measured` digits are what their name says, unless a "+" says that they are a phone number or
    three dots that they are the address of a machine.
    """
    if len(text) > _SCANNED_CHARS_MAX or looks_like_free_text(text) or looks_like_email(text):
        return True
    if "://" in text:
        return "?" in text or "#" in text
    told_otherwise = "+" in text or _ADDRESS.search(text) is not None
    return (not measured or told_otherwise) and looks_like_phone(text)


def masked(text: str) -> str:
    """Put … where an e-mail address or a phone number stands.

    >>> masked("shoes for anna@example.com call 0171 5550123")
    'shoes for … call …'
    """
    return _DIGITS.sub(
        lambda found: found.group() if _DATE.match(found.group()) else "…", without_emails(text)
    )


def without_emails(text: str) -> str:
    """Put … where an e-mail address stands."""
    return _AROUND_AT.sub("…", text) if "@" in text or "%40" in text or "＠" in text else text


def apart_from_emails(texts: list[str]) -> list[str]:
    """Put … where an e-mail address stands in one of these; most often there is none in any."""
    whole = "\n".join(texts)
    if "@" in whole or "%40" in whole or "＠" in whole:
        return [without_emails(text) for text in texts]
    return texts


def search_query(text: str) -> str:
    """Normalise a search: lower case, single spaces, masked, at most 100 characters."""
    plain = " ".join(text[:_SCANNED_CHARS_MAX].lower().split())
    return masked(plain)[:QUERY_CHARS_MAX]


def email_lookup(text: str) -> str:
    """Bring an e-mail address into the form it is looked up by; empty when it is none.

    >>> email_lookup(" Anna@Example.COM ")
    'anna@example.com'
    """
    plain = text.strip().lower()
    name, at, host = plain.rpartition("@")
    return plain if at and name and host and len(plain) <= 320 else ""


def phone_lookup(text: str) -> str:
    """Bring a phone number into the form it is looked up by; empty when it is none.

    >>> phone_lookup("0044 (20) 7946-0018"), phone_lookup("(020) 7946 0018")
    ('+442079460018', '02079460018')
    """
    plain = unicodedata.normalize("NFKC", text[:64]).strip()
    digits = "".join(filter(str.isdecimal, plain))
    if not 5 <= len(digits) <= 20:
        return ""
    if plain.startswith("+"):
        return "+" + digits
    return "+" + digits[2:] if digits.startswith("00") else digits


class Divider:
    """Divides what the contract does not know: this may stand in the log, that is sealed.

    Both parts together are bounded; what finds no room is counted in `left_out`.
    """

    __slots__ = ("_room", "left_out")

    def __init__(self) -> None:
        self._room = EXTRA_BYTES_MAX
        self.left_out = 0

    def divide(
        self, values: dict[str, Any], depth: int = 0, owner: str = ""
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Divide an object into its clear and its personal part.

        `owner` names what the object describes: a store's name is no person's.
        """
        clear: dict[str, Any] = {}
        personal: dict[str, Any] = {}
        for name, value in values.items():
            if value is None:
                continue
            if type(value) is not bool and self._is_personal_name(name, owner):
                if self._fits(name, value):
                    personal[name] = value
                continue
            mine, sealed = self._divide_value(name, value, depth)
            if mine is not None and self._has_room(len(name)):
                clear[name] = mine
            if sealed is not None:
                personal[name] = sealed
        return clear, personal

    def _is_personal_name(self, name: str, owner: str) -> bool:
        whole = f"{owner}_{name}" if owner and is_thing_name(owner) else name
        return is_personal_name(whole) or looks_personal(name)

    def _divide_value(self, name: str, value: Any, depth: int) -> tuple[Any, Any]:
        """Divide one value into (clear, personal), either of them None."""
        if depth >= DEPTH_MAX:
            raise Refusal(f"nesting of at most {DEPTH_MAX} levels", value)
        if type(value) is dict:
            clear, personal = self.divide(value, depth + 1, name)
            return clear or None, personal or None
        if type(value) is list:
            return self._divide_list(name, value, depth)
        if not self._fits(name, value):
            return None, None
        return (None, value) if _is_personal(name, value) else (value, None)

    def _divide_list(self, name: str, values: list[Any], depth: int) -> tuple[Any, Any]:
        clear: list[Any] = []
        personal: list[Any] = []
        for value in values:
            if value is None:
                continue
            mine, sealed = self._divide_value(name, value, depth + 1)
            if mine is not None:
                clear.append(mine)
            if sealed is not None:
                personal.append(sealed)
        return clear or None, personal or None

    def _fits(self, name: str, value: Any) -> bool:
        if type(value) is str:
            return self._has_room(len(name) + 4 * len(value))
        if type(value) in (int, float, bool):
            if type(value) is int and not -(2**63) <= value < 2**64:
                raise Refusal("a number of at most 64 bits", value)
            return self._has_room(len(name) + 8)
        return self._has_room(len(name) + encoded_size(value))

    def _has_room(self, size: int) -> bool:
        if size > self._room:
            self.left_out += 1
            return False
        self._room -= size
        return True


def encoded_size(value: Any) -> int:
    """Bytes of a value's JSON; raises Refusal for what has none."""
    try:
        return len(msgspec.json.encode(value))
    except (TypeError, ValueError, OverflowError, RecursionError):
        raise Refusal(f"nesting of at most {DEPTH_MAX} levels", value) from None


def _is_personal(name: str, value: str | float) -> bool:
    if isinstance(value, bool):
        return False
    if isinstance(value, str):
        return looks_personal(value, measured=is_measure_name(name))
    return 10**9 <= abs(value) < 10**15 and value == int(value) and not is_measure_name(name)


def needles_in(personal: dict[str, Any]) -> list[str]:
    """List what names somebody among personal values: each text, and each longer word of a name."""
    found: dict[str, None] = {}
    waiting: list[tuple[str, Any]] = list(personal.items())
    while waiting and len(found) < _NEEDLES_MAX:
        name, one = waiting.pop()
        if isinstance(one, dict):
            waiting.extend(one.items())
        elif isinstance(one, list):
            waiting.extend((name, each) for each in one)
        elif isinstance(one, str) and len(one) <= FREE_TEXT_CHARS and names_somebody(name):
            text = one.strip().lower()
            found.update(dict.fromkeys(part for part in (text, *text.split()) if _tells(part)))
    return list(found)


def _tells(text: str) -> bool:
    """Whether a text is long enough to give somebody away: no initials, no house numbers."""
    if not text.isascii():
        return len(text) >= 2
    return len(text) >= 4 and (not text.isdecimal() or len(text) >= 7)


def strong(needles: list[str]) -> list[str]:
    """Keep the needles that are no common word: several words, an address, a number."""
    return [one for one in needles if " " in one or "@" in one or sum(map(str.isdigit, one)) >= 7]


def mentions(text: str, needles: list[str]) -> bool:
    """Whether one of the needles stands in the text as a word or words of its own.

    >>> mentions("For Anna, with love", ["anna"]), mentions("Savannah", ["anna"])
    (True, False)
    """
    lower = text.lower()
    return any(needle in lower and _stands_alone(lower, needle) for needle in needles)


def _stands_alone(text: str, needle: str) -> bool:
    if not needle.isascii():
        return True
    at = text.find(needle)
    while at >= 0:
        end = at + len(needle)
        if not text[at - 1 : at].isalnum() and not text[end : end + 1].isalnum():
            return True
        at = text.find(needle, at + 1)
    return False


def evict(clear: dict[str, Any], needles: list[str]) -> dict[str, Any]:
    """Move every text that mentions a needle out of `clear`; what was moved, by its path."""
    moved: dict[str, Any] = {}
    _evict_from(clear, needles, "", moved)
    return moved


def _evict_from(
    values: dict[str, Any], needles: list[str], path: str, moved: dict[str, Any]
) -> None:
    for name, value in list(values.items()):
        where = f"{path}{name}"
        if mentions(name, needles) or (isinstance(value, str) and mentions(value, needles)):
            moved[where] = values.pop(name)
        elif isinstance(value, dict):
            _evict_from(value, needles, f"{where}.", moved)
        elif isinstance(value, list):
            indexed = {str(index): one for index, one in enumerate(value)}
            before = len(moved)
            _evict_from(indexed, needles, f"{where}.", moved)
            if len(moved) > before:
                values[name] = list(indexed.values())
