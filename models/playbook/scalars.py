"""Words and their meaning: durations, money, shares, times of day, names; each kind says its own.

A kind turns the text of a YAML scalar into a value or raises Misread, which says what was expected.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from models.clock import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS
from models.local_time import is_zone, zone_names
from models.playbook.closeness import closest, listed
from models.segment_values import exponent_of

UNITS_MS = {"s": SECOND_MS, "m": MINUTE_MS, "h": HOUR_MS, "d": DAY_MS, "w": 7 * DAY_MS}
DURATION_MAX_MS = 3_650 * DAY_MS
TEXT_CHARS_MAX = 20_000
_DURATION = re.compile(r"(\d{1,9})\s*(s|m|h|d|w)", re.ASCII)
_MONEY = re.compile(r"(\d{1,9}(?:\.\d{1,4})?)(?:\s*([A-Z]{3}))?", re.ASCII)
_SHARE = re.compile(r"(\d{1,3}(?:\.\d{1,6})?)\s*(%?)", re.ASCII)
_CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)", re.ASCII)
_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}", re.ASCII)
_LOCALE = re.compile(r"[a-z]{2,3}(-[A-Z][a-z]{3})?(-([A-Z]{2}|\d{3}))?", re.ASCII)
_CURRENCY = re.compile(r"[A-Z]{3}", re.ASCII)
_COUNTRY = re.compile(r"[A-Z]{2}", re.ASCII)
_ADDRESS = re.compile(r"https://[^\s/]+\S*")
_WHOLE = re.compile(r"\d{1,9}", re.ASCII)
_UNITS_SAID = {"min": "m", "hour": "h", "day": "d", "week": "w", "sec": "s"}
_MONTHLY = re.compile(r"(\d+)\s*(months?|mo|years?|y)", re.ASCII)
_YES = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


class Misread(ValueError):
    """A word is not of its kind: what was expected, and what was probably meant."""

    def __init__(self, message: str, expected: str, suggestion: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.expected = expected
        self.suggestion = suggestion


Parse = Callable[[str, str], Any]


@dataclass(frozen=True)
class Kind:
    """A kind of scalar: `parse` gets the text and the shop's currency; `schema` is for editors.

    `refers` names the section whose names the value must be one of; `is_condition` says it is CEL.
    """

    name: str
    expected: str
    parse: Parse = field(repr=False)
    schema: dict[str, Any] = field(repr=False, hash=False)
    refers: str = ""
    is_condition: bool = False


def _matched(pattern: re.Pattern[str], text: str, message: str, expected: str) -> re.Match[str]:
    found = pattern.fullmatch(text.strip())
    if not found:
        raise Misread(message, expected)
    return found


def duration_ms(text: str, _: str = "") -> int:
    """Milliseconds of a duration; months and years have no fixed length and are refused.

    >>> duration_ms("24h") == HOUR_MS * 24, duration_ms("2w") == 14 * DAY_MS
    (True, True)
    """
    found = _DURATION.fullmatch(text.strip())
    if not found:
        raise Misread("this is no duration", DURATION.expected, _duration_meant(text.strip()))
    value_ms = int(found[1]) * UNITS_MS[found[2]]
    if not 0 < value_ms <= DURATION_MAX_MS:
        raise Misread("this duration is out of range", "more than 0, at most 3650d")
    return value_ms


def _duration_meant(text: str) -> str:
    monthly = _MONTHLY.fullmatch(text.lower())
    if monthly:
        return f"{int(monthly[1][:4]) * (365 if monthly[2][0] == 'y' else 30)}d"
    number = re.match(r"\d{1,6}", text, re.ASCII)
    if not number:
        return ""
    rest = text[number.end() :].strip().lower() or "d"
    unit = next((one for said, one in _UNITS_SAID.items() if rest.startswith(said)), rest)
    return number[0] + unit if unit in UNITS_MS else ""


def _offset_ms(text: str, currency: str) -> int:
    return 0 if text.strip() in ("0", "0d") else duration_ms(text, currency)


def money_cents(text: str, currency: str) -> int:
    """Minor units of an amount in the shop's currency.

    >>> money_cents("12.50 EUR", "EUR"), money_cents("500", "JPY")
    (1250, 500)
    """
    found = _matched(_MONEY, text, "this is no amount of money", MONEY.expected)
    if found[2] and found[2] != currency:
        raise Misread(
            f"the shop's currency is {currency}",
            f"an amount in {currency}",
            f"{found[1]} {currency}",
        )
    cents = Decimal(found[1]).scaleb(exponent_of(currency))
    if cents != cents.to_integral_value():
        raise Misread(f"{currency} has no such small coins", MONEY.expected)
    return int(cents)


def share_of(text: str, _: str = "") -> float:
    """A share between 0 and 1.

    >>> share_of("5%"), share_of("0.05")
    (0.05, 0.05)
    """
    found = _matched(_SHARE, text, "this is no share", SHARE.expected)
    share = float(Decimal(found[1]) / (100 if found[2] else 1))
    if share > 1:
        meant = f"{found[1]}%" if not found[2] and float(found[1]) <= 100 else ""
        raise Misread("this is more than the whole", SHARE.expected, meant)
    return share


def _clock_minutes(text: str, _: str) -> int:
    found = _matched(_CLOCK, text, "this is no time of day", CLOCK.expected)
    return int(found[1]) * 60 + int(found[2])


def _flag(text: str, _: str) -> bool:
    try:
        return _YES[text.strip().lower()]
    except KeyError:
        raise Misread("this is neither true nor false", "true or false") from None


def _text(text: str, _: str) -> str:
    if len(text) > TEXT_CHARS_MAX:
        raise Misread("this text is too long", f"{TEXT_CHARS_MAX} characters at most")
    return text


def _name(text: str, _: str) -> str:
    if not _NAME.fullmatch(text):
        plain = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")[:40]
        meant = plain if _NAME.fullmatch(plain) else ""
        raise Misread("this is no name", NAME.expected, meant)
    return text


def _locale(text: str, _: str) -> str:
    if not _LOCALE.fullmatch(text):
        raise Misread("this is no locale", LOCALE.expected, closest(text, LOCALES))
    return text


def _time_zone(text: str, _: str) -> str:
    if not is_zone(text):
        raise Misread("this is no time zone", TIME_ZONE.expected, closest(text, zone_names()))
    return text


def _currency(text: str, _: str) -> str:
    if not _CURRENCY.fullmatch(text):
        meant = text.strip().upper()
        raise Misread(
            "this is no currency", CURRENCY.expected, meant if _CURRENCY.fullmatch(meant) else ""
        )
    return text


def _country(text: str, _: str) -> str:
    if not _COUNTRY.fullmatch(text):
        meant = text.strip().upper()
        suggestion = meant if _COUNTRY.fullmatch(meant) else ""
        raise Misread("this is no country", COUNTRY.expected, suggestion)
    return text


def _address(text: str, _: str) -> str:
    if not _ADDRESS.fullmatch(text):
        raise Misread("this is no address of a webhook", ADDRESS.expected)
    return text


def _date(text: str, _: str) -> date:
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        raise Misread("this is no date", DATE.expected) from None


LOCALES = ("en", "zh-TW", "zh-CN")
_STRING = {"type": "string"}
DURATION = Kind(
    "duration",
    'a duration such as "30m", "24h", "30d" or "2w"',
    duration_ms,
    _STRING | {"pattern": r"^\d+\s*(s|m|h|d|w)$", "examples": ["24h", "30d"]},
)
OFFSET = Kind(
    "offset",
    'a duration such as "1d", or 0',
    _offset_ms,
    {"anyOf": [{"const": 0}, _STRING | {"pattern": r"^\d+\s*(s|m|h|d|w)$"}], "examples": ["1d"]},
)
MONEY = Kind(
    "money",
    'an amount such as 20 or "20 EUR"',
    money_cents,
    {"type": ["number", "string"], "pattern": r"^\d+(\.\d+)?(\s*[A-Z]{3})?$", "minimum": 0},
)
SHARE = Kind(
    "share",
    'a share such as "5%" or 0.05',
    share_of,
    {"type": ["number", "string"], "pattern": r"^\d+(\.\d+)?\s*%?$", "minimum": 0, "maximum": 1},
)
CLOCK = Kind(
    "clock",
    'a time of day such as "21:00"',
    _clock_minutes,
    _STRING | {"pattern": r"^([01]?\d|2[0-3]):[0-5]\d$", "examples": ["21:00"]},
)
FLAG = Kind("flag", "true or false", _flag, {"type": "boolean"})
TEXT = Kind("text", "a text", _text, _STRING)
NAME = Kind(
    "name",
    "a name of small letters, digits and _, a letter first",
    _name,
    _STRING | {"pattern": r"^[a-z][a-z0-9_]{0,39}$"},
)
LOCALE = Kind(
    "locale",
    "a locale such as en, zh-TW or zh-CN",
    _locale,
    _STRING | {"pattern": f"^{_LOCALE.pattern}$", "examples": list(LOCALES)},
)
TIME_ZONE = Kind(
    "time zone",
    "a time zone such as Asia/Taipei",
    _time_zone,
    _STRING | {"examples": ["Asia/Taipei", "Europe/Berlin"]},
)
CURRENCY = Kind(
    "currency",
    "three capital letters such as EUR",
    _currency,
    _STRING | {"pattern": "^[A-Z]{3}$"},
)
COUNTRY = Kind(
    "country",
    "two capital letters such as TW",
    _country,
    _STRING | {"pattern": f"^{_COUNTRY.pattern}$"},
)
ADDRESS = Kind(
    "address", "an address that begins with https://", _address, _STRING | {"pattern": "^https://"}
)
DATE = Kind("date", "a date such as 2027-02-06", _date, _STRING | {"format": "date"})
CONDITION = Kind(
    "condition",
    "a condition such as customer.orders >= 2",
    lambda text, _: text,
    _STRING | {"examples": ["customer.orders >= 2 && customer.tier == 'regular'"]},
    is_condition=True,
)


def whole(low: int = 0, high: int = 1_000_000) -> Kind:
    """Whole numbers between `low` and `high`."""
    expected = f"a whole number from {low} to {high}" if low < high else str(low)

    def parse(text: str, _: str) -> int:
        found = _matched(_WHOLE, text, "this is no whole number", expected)
        if not low <= int(found[0]) <= high:
            raise Misread("this number is out of range", expected)
        return int(found[0])

    return Kind(
        "whole number", expected, parse, {"type": "integer", "minimum": low, "maximum": high}
    )


def one_of(what: str, values: Iterable[str]) -> Kind:
    """One of a few words."""
    known = tuple(values)
    expected = f"one of {listed(known, 40)}"

    def parse(text: str, _: str) -> str:
        if text not in known:
            raise Misread(f"there is no {what} {text[:40]!r}", expected, closest(text, known))
        return text

    return Kind(what, expected, parse, {"enum": list(known)})


def reference(section: str, also: Iterable[str] = ()) -> Kind:
    """Name of something that the playbook defines in `section` (or one of `also`)."""
    what = section.removesuffix("s")
    schema = _STRING | ({"examples": list(also)} if also else {})
    return Kind(what, f"a name from {section}", lambda text, _: text, schema, refers=section)


def once_per(text: str, currency: str) -> str | int:
    """What an action may happen once for: a word, or a period in milliseconds."""
    return text if text in ONCE_WORDS else _period(text, currency)


def _period(text: str, currency: str) -> int:
    try:
        return duration_ms(text, currency)
    except Misread as misread:
        meant = misread.suggestion or closest(text, ONCE_WORDS)
        raise Misread("this is no occasion", ONCE.expected, meant) from None


ONCE_WORDS = ("customer", "item", "occasion")
ONCE = Kind(
    "occasion",
    'customer, item, occasion or a period such as "30d"',
    once_per,
    {"anyOf": [{"enum": list(ONCE_WORDS)}, DURATION.schema]},
)
