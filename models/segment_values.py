"""Values of the wire, read strictly: ids, labels, numbers, money, times, or a refusal."""

import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any, TypeVar

import msgspec

ID_CHARS_MAX = 512
LABEL_CHARS_MAX = 512
GOT_CHARS_MAX = 60
MINOR_UNITS_MAX = 10**12
QUANTITY_MAX = 10**9
EARLIEST_MS = 946_684_800_000
_NUMBER_CHARS_MAX = 40
_FLOAT_MAX = 1e9
_EXACT_FLOAT = 2**53
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)

_EXPONENTS = {"BHD": 3, "IQD": 3, "JOD": 3, "KWD": 3, "LYD": 3, "OMR": 3, "TND": 3}
_EXPONENTS |= {"BIF": 0, "CLP": 0, "DJF": 0, "GNF": 0, "ISK": 0, "JPY": 0, "KMF": 0, "KRW": 0}
_EXPONENTS |= {"PYG": 0, "RWF": 0, "UGX": 0, "UYI": 0, "VND": 0, "VUV": 0, "XAF": 0, "XOF": 0}
_EXPONENTS |= {"XPF": 0, "CLF": 4, "UYW": 4}

Taken = TypeVar("Taken")


class Rejected(msgspec.Struct, frozen=True):
    """Why a message can't be taken: where in it, what was expected, and what stood there.

    `path` and `expected` hold no personal data; `got` (at most 60 characters) is for the sender.
    """

    path: str
    expected: str
    got: str


class Refusal(ValueError):
    """A Rejected on its way out; each level it leaves adds its part of the path in front."""

    def __init__(self, expected: str, got: object, path: str = "") -> None:
        super().__init__(expected)
        self.expected = expected
        self.got = got
        self.path = path

    def under(self, parent: str) -> "Refusal":
        """Say that the refused value stands under `parent`.

        >>> Refusal("a number", "x", "price").under("products[1]").path
        'products[1].price'
        """
        separator = "." if self.path and not self.path.startswith("[") else ""
        self.path = f"{parent}{separator}{self.path}"
        return self

    def rejected(self) -> Rejected:
        """Write it down for the sender."""
        return Rejected(self.path, self.expected, shown(self.got))


def shown(value: object) -> str:
    """Show a value in at most 60 characters; of an object or a list only what it is.

    >>> shown("x" * 100), shown([1, 2]), shown(None)
    ("'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…", 'a list of 2', 'nothing')
    """
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    if isinstance(value, int) and value.bit_length() > 200:
        return f"a number of {value.bit_length()} bits"
    text = repr(value[:GOT_CHARS_MAX] if isinstance(value, str) else value)
    return text if len(text) <= GOT_CHARS_MAX else text[: GOT_CHARS_MAX - 1] + "…"


def object_of(value: Any) -> dict[str, Any]:
    """Take an object; nothing counts as an empty one."""
    if type(value) is dict:
        return value
    if value is None:
        return {}
    raise Refusal("an object", value)


def identifier(value: Any) -> str:
    """Take an id: text of 1 to 512 characters; numbers become text.

    >>> identifier(12), identifier(12.0), identifier("c 1")
    ('12', '12', 'c 1')
    """
    if type(value) is not str:
        value = _number_as_text(value)
    if not value or value.isspace():
        raise Refusal("text that is not empty", value)
    if len(value) > ID_CHARS_MAX:
        raise Refusal(f"at most {ID_CHARS_MAX} characters", f"{len(value)} characters")
    return str(value)


def _number_as_text(value: Any) -> str:
    if type(value) is int and value.bit_length() <= 512:
        return str(value)
    if type(value) is float and math.isfinite(value):
        whole = value.is_integer() and abs(value) < _EXACT_FLOAT
        return str(int(value)) if whole else repr(value)
    raise Refusal("text or a number", value)


def label(value: Any) -> str:
    """Take descriptive text or a number; what is longer than 512 characters is cut."""
    if type(value) is not str:
        value = _number_as_text(value)
    return str(value[:LABEL_CHARS_MAX])


def decimal_of(value: Any) -> Decimal:
    """Take a finite number, or text that is one.

    >>> decimal_of("12.50"), decimal_of(3)
    (Decimal('12.50'), Decimal('3'))
    """
    if type(value) is str and len(value) > _NUMBER_CHARS_MAX:
        raise Refusal("a number", value)
    if type(value) not in (int, float, str) or (type(value) is int and value.bit_length() > 128):
        raise Refusal("a number", value)
    try:
        number = Decimal(repr(value) if type(value) is float else value)
    except InvalidOperation:
        raise Refusal("a number", value) from None
    if not number.is_finite() or number.adjusted() > 30:
        raise Refusal("a number", value)
    return number


def quantity_of(value: Any) -> float:
    """Take how many, parts allowed; 0 to a thousand million."""
    if type(value) is int and 0 <= value <= QUANTITY_MAX:
        return float(value)
    number = float(decimal_of(value))
    if not 0 <= number <= QUANTITY_MAX:
        raise Refusal(f"a quantity from 0 to {QUANTITY_MAX}", value)
    return number


def rating_of(value: Any) -> float:
    """Take a rating from 1 to 5."""
    number = float(decimal_of(value))
    if not 1 <= number <= 5:
        raise Refusal("a rating from 1 to 5", value)
    return number


def currency_of(value: Any) -> str:
    """Take a currency's three letters.

    >>> currency_of("eur")
    'EUR'
    """
    if type(value) is str and len(value) == 3 and value.isascii() and value.isalpha():
        return value.upper()
    raise Refusal("a currency of three letters (ISO 4217)", value)


def exponent_of(currency: str) -> int:
    """How many digits the currency's minor unit has.

    >>> exponent_of("JPY"), exponent_of("USD"), exponent_of("KWD")
    (0, 2, 3)
    """
    return _EXPONENTS.get(currency, 2)


def minor_units(value: Any, exponent: int, times: float = 1.0) -> int:
    """Take an amount of money, `times` it, in minor units, halves rounded up; never negative.

    >>> minor_units("12.345", 2), minor_units(7, 0), minor_units("2.899", 2, times=3)
    (1235, 7, 870)
    """
    number = _float_of(value)
    if 0 <= number < _FLOAT_MAX:
        scaled = number * times * 10**exponent
        units = int(scaled + 0.5)
        # Floats err far less than this: only near a half may they round otherwise than decimals.
        if abs(scaled - units) < 0.49 and units <= MINOR_UNITS_MAX:
            return units
    return _exact_minor_units(value, exponent, times)


def _float_of(value: Any) -> float:
    """Take a number quickly; -1 for what must be looked at closely."""
    if type(value) is float:
        return value
    if type(value) is int and value.bit_length() < 64:
        return float(value)
    if type(value) is str and len(value) <= _NUMBER_CHARS_MAX:
        try:
            return float(value)
        except ValueError:
            return -1.0
    return -1.0


def _exact_minor_units(value: Any, exponent: int, times: float) -> int:
    amount = decimal_of(value)
    if times != 1.0:
        amount *= Decimal(repr(times))
    if amount < 0:
        raise Refusal("an amount of 0 or more", value)
    if amount.adjusted() + exponent > 12:
        raise Refusal(f"at most {MINOR_UNITS_MAX} minor units", value)
    units = int(amount.scaleb(exponent).to_integral_value(ROUND_HALF_UP))
    if units > MINOR_UNITS_MAX:
        raise Refusal(f"at most {MINOR_UNITS_MAX} minor units", value)
    return units


def time_ms(value: Any) -> int:
    """Take an ISO 8601 time, UTC where it names no zone, in milliseconds since the epoch.

    >>> time_ms("1970-01-01T01:00:00.5+01:00"), time_ms("1970-01-02")
    (500, 86400000)
    """
    if type(value) is not str:
        raise Refusal("a time in ISO 8601", value)
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise Refusal("a time in ISO 8601", value) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - _EPOCH) // _MS


class Reader:
    """Takes values out of one object by name; what nobody took is left.

    Several names for one value are tried in order; null counts as absent.
    """

    __slots__ = ("_left",)

    def __init__(self, values: dict[str, Any]) -> None:
        self._left = dict(values)

    def find(self, *names: str) -> tuple[str, Any]:
        """Take the first that is there, with its name; (first name, None) when none is."""
        left = self._left
        for name in names:
            if name in left:
                value = left.pop(name)
                if value is not None:
                    return name, value
        return names[0], None

    def peek(self, *names: str) -> Any:
        """Look at the first that is there without taking it."""
        for name in names:
            value = self._left.get(name)
            if value is not None:
                return value
        return None

    def identifier(self, *names: str) -> str:
        """Take an id that must be there."""
        name, value = self.find(*names)
        if type(value) is str and 0 < len(value) <= ID_CHARS_MAX and not value.isspace():
            return value
        return _taken(name, value, identifier)

    def optional_identifier(self, *names: str) -> str:
        """Take an id, or empty text."""
        name, value = self.find(*names)
        if value is None:
            return ""
        if type(value) is str and len(value) <= ID_CHARS_MAX and not value.isspace():
            return value
        return _taken(name, value, identifier)

    def label(self, *names: str) -> str:
        """Take descriptive text, or empty text."""
        name, value = self.find(*names)
        if value is None:
            return ""
        if type(value) is str and len(value) <= LABEL_CHARS_MAX:
            return value
        return _taken(name, value, label)

    def plain_texts(self, names: tuple[str, ...], others: frozenset[str]) -> list[str] | None:
        """Take these at once, absent ones as empty text.

        None, and nothing is taken, where one is no short text, or one of `others` is there too.
        """
        left = self._left
        if not others.isdisjoint(left):
            return None
        texts = [left.get(name, "") for name in names]
        for text in texts:
            if type(text) is not str or len(text) > LABEL_CHARS_MAX or text.isspace():
                return None
        for name in names:
            left.pop(name, None)
        return texts

    def money(self, exponent: int, *names: str) -> int | None:
        """Take an amount in minor units, or None."""
        name, value = self.find(*names)
        if value is None or value == "":
            return None
        try:
            return minor_units(value, exponent)
        except Refusal as refusal:
            raise refusal.under(name) from None

    def rating(self, *names: str) -> float:
        """Take a rating that must be there."""
        return _taken(*self.find(*names), rating_of)

    def quantity(self, *names: str) -> float:
        """Take how many; 1 where nothing is said."""
        name, value = self.find(*names)
        return 1.0 if value is None or value == "" else _taken(name, value, quantity_of)

    def time_ms(self, *names: str) -> int:
        """Take a time, or 0."""
        name, value = self.find(*names)
        return 0 if value is None or value == "" else _taken(name, value, time_ms)

    def drop(self, *names: str) -> None:
        """Take these and keep nothing of them."""
        for name in names:
            self._left.pop(name, None)

    def rest(self) -> dict[str, Any]:
        """List what nobody took; nulls are nothing."""
        return {name: value for name, value in self._left.items() if value is not None}


def _taken(name: str, value: Any, take: Callable[[Any], Taken]) -> Taken:
    try:
        return take(value)
    except Refusal as refusal:
        raise refusal.under(name) from None
