"""Coupon codes: never the same twice, not to be guessed from each other, hard to type wrongly.

A code is a serial number that a keyed permutation (ten Feistel rounds) has scattered over all codes
there can be: two serials never share one, and who knows any number of codes but not the shop's
secret can tell no other. Nothing of a customer is in it. The last character checks the others by
weights modulo a prime: every single wrong character and every swap of two is caught, wherever it
is. There are no vowels, so no words, and of characters that look alike at most one.
"""

import unicodedata
from functools import lru_cache
from hashlib import blake2b

ALPHABET = "23456789CDFHJKMNPQRTWXY"
CODE_CHARS = 12
PARTITIONS_AT_MOST = 2**13
_BASE = len(ALPHABET)
_COUNT_BITS = 36
_LEFT, _RIGHT = _BASE**5, _BASE**6
CODES = _LEFT * _RIGHT
_ROUNDS = 10
_DIGITS = {char: digit for digit, char in enumerate(ALPHABET)}
# What a hand or an eye makes of a character that codes have; the look-alikes are in no code.
_LOOK_ALIKES = str.maketrans("ZSGB", "2568")
# The check character's weight is one more than the others' highest.
_CHECK_INVERSE = pow(CODE_CHARS, -1, _BASE)
_SECRET_BYTES = (16, 64)
_TYPED_AT_MOST = 64


def serial_of(partition: int, count: int) -> int:
    """Give the serial of a partition's `count`th code; no other partition has it.

    ValueError beyond 8,192 partitions or 68 billion codes each.
    """
    if not (0 <= partition < PARTITIONS_AT_MOST and 0 <= count < 2**_COUNT_BITS):
        raise ValueError(f"no serial for code {count} of partition {partition}")
    return partition << _COUNT_BITS | count


def code_of(secret: bytes, serial: int) -> str:
    """Give the code of a serial number.

    >>> code_of(b"a secret of the shop", 1)
    '87RXFYNX5H7C'
    """
    if not 0 <= serial < CODES:
        raise ValueError(f"no code for serial {serial}")
    key = _key_of(secret)
    left, right = divmod(serial, _RIGHT)
    for number in range(_ROUNDS):
        if number % 2:
            right = (right + _scatter(key, number, left)) % _RIGHT
        else:
            left = (left + _scatter(key, number, right)) % _LEFT
    scattered, weighed, code = left * _RIGHT + right, 0, ""
    for at in range(1, CODE_CHARS):
        scattered, digit = divmod(scattered, _BASE)
        weighed += at * digit
        code += ALPHABET[digit]
    return code + ALPHABET[-weighed * _CHECK_INVERSE % _BASE]


def serial_in(secret: bytes, code: str) -> int:
    """Serial number of a code that was read; any other code has one, too, but hardly a given one.

    >>> serial_in(b"a secret of the shop", code_of(b"a secret of the shop", 77))
    77
    """
    key, scattered = _key_of(secret), 0
    for char in reversed(code[:-1]):
        scattered = scattered * _BASE + _DIGITS[char]
    left, right = divmod(scattered, _RIGHT)
    for number in reversed(range(_ROUNDS)):
        if number % 2:
            right = (right - _scatter(key, number, left)) % _RIGHT
        else:
            left = (left - _scatter(key, number, right)) % _LEFT
    return left * _RIGHT + right


def spelled(code: str) -> str:
    """Spell a code for people.

    >>> spelled("87RXFYNX5H7C")
    '87RX-FYNX-5H7C'
    """
    return "-".join([code[at : at + 4] for at in range(0, len(code), 4)])


def read_code(typed: str) -> str | None:
    """Give the code that somebody typed, in any case and spacing; None when it can be none.

    >>> read_code(" b7rx fynx-sh7c ")
    '87RXFYNX5H7C'
    >>> read_code("87RX-FYNX-H57C") is None
    True
    """
    code = _plain(typed).translate(_LOOK_ALIKES)
    if len(code) != CODE_CHARS or not all(char in _DIGITS for char in code):
        return None
    return code if _weighed(code) % _BASE == 0 else None


def key_of(typed: str) -> str:
    """Under which key a coupon is kept: one of ours as it is read, a shop's own in capitals.

    Letters and digits alone count. Empty for what is no code at all.

    >>> key_of("Welcome-10"), key_of("87rx fynx 5h7c")
    ('WELCOME10', '87RXFYNX5H7C')
    """
    return read_code(typed) or _plain(typed)


def _plain(typed: str) -> str:
    """Keep letters and digits, as capitals in the one form that stays what it is."""
    if len(typed) > _TYPED_AT_MOST:
        return ""
    before, text = "", typed
    while text != before:
        before = text
        text = "".join(filter(str.isalnum, unicodedata.normalize("NFKC", text.upper())))
    return text if len(text) <= _TYPED_AT_MOST else ""


def _weighed(text: str) -> int:
    return sum(at * _DIGITS[char] for at, char in enumerate(text, 1))


@lru_cache(maxsize=16)
def _key_of(secret: bytes) -> bytes:
    least, most = _SECRET_BYTES
    if not least <= len(secret) <= most:
        raise ValueError(f"a coupon secret has {least} to {most} bytes, this one {len(secret)}")
    return secret


def _scatter(key: bytes, number: int, half: int) -> int:
    digest = _begun(key)[number].copy()
    digest.update(half.to_bytes(4, "big"))
    return int.from_bytes(digest.digest(), "big")


@lru_cache(maxsize=16)
def _begun(key: bytes) -> tuple[blake2b, ...]:
    """Give each round's hash as it is before it takes anything in."""
    return tuple(blake2b(key=key, digest_size=16, salt=bytes([one])) for one in range(_ROUNDS))
