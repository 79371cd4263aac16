"""Traits of a customer: which may stand in the log, which are sealed, which name the customer."""

from functools import lru_cache
from typing import Any

from models.segment_personal import looks_personal
from models.segment_values import Refusal
from models.segment_words import NAME_CHARS_MAX, words_of

TEXT_CHARS_MAX = 255

_PUBLIC = frozenset(
    {"gender", "age", "birthday", "country", "state", "city", "timezone", "locale", "language"}
) | {"currency", "created_at"}
_PERSONAL = frozenset(
    {"name", "first_name", "last_name", "email", "phone", "username", "avatar", "description"}
) | {"website", "company"}
_PERSONAL_OF_ADDRESS = {"street": "street", "postal_code": "postal_code", "zip": "postal_code"}
_PUBLIC_OF_ADDRESS = frozenset({"city", "state", "country"})

Plain = str | int | float | bool


class Traits:
    """Traits divided: `public` as they are, `personal` by the contract's names, `rest` unknown."""

    __slots__ = ("personal", "public", "rest")

    def __init__(self, given: dict[str, Any], customer_id: str) -> None:
        self.public: dict[str, Plain] = {}
        self.personal: dict[str, str] = {}
        self.rest: dict[str, Any] = {}
        for name, value in given.items():
            known = snake(name)
            if value is None:
                continue
            if known == "address":
                self._read_address(value)
            elif known != "id":
                self._read(name, known, value)
            elif type(value) in (str, int, float) and _text(value) != customer_id:
                self.personal["other_id"] = _text(value)

    def add_unknown(self, clear: dict[str, Any]) -> dict[str, Any]:
        """Take short single values that proved to be no secret; give back all others."""
        left = {}
        for name, value in clear.items():
            short = type(value) is not str or len(value) <= TEXT_CHARS_MAX
            if short and type(value) in (str, int, float, bool):
                self.public.setdefault(snake(name), value)
            else:
                left[name] = value
        return left

    def _read(self, name: str, known: str, value: Any) -> None:
        if known in _PERSONAL and type(value) in (str, int, float):
            if value != "":
                self.personal[known] = _text(value)
        elif known in _PUBLIC and _is_plain(known, value):
            self.public[known] = value
        else:
            self.rest[name] = value

    def _read_address(self, value: Any) -> None:
        if type(value) is not dict:
            self.rest["address"] = value
            return
        left = {}
        for name, part in value.items():
            known = snake(name)
            if part is None or part == "":
                continue
            if known in _PERSONAL_OF_ADDRESS and type(part) in (str, int):
                self.personal[_PERSONAL_OF_ADDRESS[known]] = _text(part)
            elif known in _PUBLIC_OF_ADDRESS and _is_plain(known, part):
                self.public.setdefault(known, part)
            else:
                left[name] = part
        if left:
            self.rest["address"] = left


def _text(value: str | float) -> str:
    if isinstance(value, int) and value.bit_length() > 128:
        raise Refusal("text", value)
    return str(value)


def _is_plain(name: str, value: Any) -> bool:
    """Whether a value under a public name is what the name says, and not something personal."""
    if type(value) is str:
        measured = name in ("birthday", "created_at")
        return len(value) <= TEXT_CHARS_MAX and not looks_personal(value, measured=measured)
    return type(value) is bool or (type(value) in (int, float) and abs(value) < 2**53)


def snake(name: str) -> str:
    """Spell a trait's name in snake_case, so that both spellings meet.

    >>> snake("firstName"), snake("first_name"), snake("Postal Code")
    ('first_name', 'first_name', 'postal_code')
    """
    return _snake(name) if len(name) <= NAME_CHARS_MAX else name


@lru_cache(maxsize=4096)
def _snake(name: str) -> str:
    return "_".join(words_of(name)) or name
