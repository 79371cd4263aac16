"""Codes that are unique, say nothing, and catch what is typed wrongly."""

import random
from collections import Counter
from itertools import combinations, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.coupon_codes import (
    ALPHABET,
    CODE_CHARS,
    CODES,
    PARTITIONS_AT_MOST,
    code_of,
    key_of,
    read_code,
    serial_in,
    serial_of,
    spelled,
)

SECRET, OTHER = b"a secret of the shop", b"a secret of another one"
SERIALS = [serial_of(partition, count) for partition in range(4) for count in range(2_500)]
ISSUED = [code_of(SECRET, serial) for serial in SERIALS]
serials = st.integers(0, CODES - 1)


def test_ten_thousand_codes_are_all_different_and_all_read() -> None:
    assert len(set(ISSUED)) == len(SERIALS) == 10_000
    for serial, code in zip(SERIALS, ISSUED, strict=True):
        assert len(code) == CODE_CHARS
        assert read_code(code) == code
        assert serial_in(SECRET, code) == serial


@settings(deadline=None, max_examples=300)
@given(serials, serials)
def test_two_serials_never_share_a_code(one: int, other: int) -> None:
    assert (code_of(SECRET, one) == code_of(SECRET, other)) is (one == other)
    assert serial_in(SECRET, code_of(SECRET, one)) == one


@settings(deadline=None, max_examples=40)
@given(serials)
def test_every_single_wrong_character_is_caught(serial: int) -> None:
    code = code_of(SECRET, serial)
    for at in range(CODE_CHARS):
        for char in set(ALPHABET) - {code[at]}:
            assert read_code(code[:at] + char + code[at + 1 :]) is None


@settings(deadline=None, max_examples=200)
@given(serials)
def test_every_swap_of_two_characters_is_caught(serial: int) -> None:
    code = code_of(SECRET, serial)
    for one, other in combinations(range(CODE_CHARS), 2):
        chars = list(code)
        chars[one], chars[other] = chars[other], chars[one]
        swapped = "".join(chars)
        assert read_code(swapped) == (code if swapped == code else None)


@settings(deadline=None, max_examples=100)
@given(serials, st.integers(0, CODE_CHARS))
def test_a_character_too_many_or_too_few_is_caught(serial: int, at: int) -> None:
    code = code_of(SECRET, serial)
    assert read_code(code[:at] + "7" + code[at:]) is None
    assert read_code(code[:-1]) is None


def test_nothing_looks_like_anything_else() -> None:
    assert len(set(ALPHABET)) == 23
    assert not set("AEIOU01LV") & set(ALPHABET)
    for alike in ("5S", "2Z", "6G", "8B", "0ODQ", "1IL", "UV", "VY"):
        assert len(set(alike) & set(ALPHABET)) <= 1 or alike == "0ODQ"


@pytest.mark.parametrize(
    "typed",
    [
        "87RXFYNX5H7C",
        "87rxfynx5h7c",
        "87RX-FYNX-5H7C",
        " 87RX FYNX 5H7C\n",
        "87RX–FYNX—5H7C",
        "８７ＲＸＦＹＮＸ５Ｈ７Ｃ",
        "B7RXFYNXSH7C",
        "87RX\u200bFYNX5H7C",
        "87RX_FYNX.5H7C",
    ],
)
def test_a_code_is_read_however_it_is_typed(typed: str) -> None:
    assert read_code(typed) == key_of(typed) == "87RXFYNX5H7C"
    assert spelled("87RXFYNX5H7C") == "87RX-FYNX-5H7C"


def test_codes_in_a_row_have_nothing_in_common() -> None:
    """At each place each character is as frequent as any, and neighbours agree by chance alone."""
    expected = len(ISSUED) / len(ALPHABET)
    for at in range(CODE_CHARS):
        counts = Counter(code[at] for code in ISSUED)
        square = sum((counts[char] - expected) ** 2 / expected for char in ALPHABET)
        # Of 22 degrees of freedom: one in 100,000 by chance.
        assert square < 63.0
    pairs = pairwise(ISSUED)
    alike = sum(a == b for one, other in pairs for a, b in zip(one, other, strict=True))
    assert alike / len(ISSUED) == pytest.approx(CODE_CHARS / len(ALPHABET), rel=0.05)


def test_without_the_secret_a_code_tells_no_other() -> None:
    assert not set(ISSUED) & {code_of(OTHER, serial) for serial in SERIALS}
    told = [serial_in(OTHER, code) for code in ISSUED[:100]]
    assert len({abs(a - b) for a, b in pairwise(told)}) == 99
    assert min(abs(a - b) for a, b in pairwise(told)) > 10**6


def test_who_guesses_does_not_hit() -> None:
    """Codes that pass the check are one in 23; of those hardly any was ever issued."""
    chance, issued = random.Random(3), set(ISSUED)
    guesses = ["".join(chance.choices(ALPHABET, k=CODE_CHARS)) for _ in range(40_000)]
    passed = [guess for guess in guesses if read_code(guess)]
    assert len(passed) / len(guesses) == pytest.approx(1 / 23, rel=0.1)
    assert not issued & set(passed)
    assert CODES / 10**7 > 10**7


@pytest.mark.parametrize("typed", ["Welcome-10", "WELCOME 10", "welcome10", "ＷＥＬＣＯＭＥ１０"])
def test_a_shops_own_code_is_kept_in_capitals(typed: str) -> None:
    assert key_of(typed) == "WELCOME10"
    assert read_code(typed) is None


@given(st.text(max_size=80))
def test_whatever_is_typed_has_one_key(typed: str) -> None:
    key = key_of(typed)
    assert key_of(key) == key
    assert len(typed) <= 64 or key == ""


@pytest.mark.parametrize("typed", ["", "   ", "---", "x" * 65])
def test_what_is_no_code_has_no_key(typed: str) -> None:
    assert key_of(typed) == ""


@pytest.mark.parametrize(
    ("partition", "count"), [(-1, 0), (PARTITIONS_AT_MOST, 0), (0, -1), (0, 2**36)]
)
def test_serials_have_their_limits(partition: int, count: int) -> None:
    with pytest.raises(ValueError, match="no serial"):
        serial_of(partition, count)


def test_the_last_serial_of_the_last_partition_has_a_code() -> None:
    assert serial_of(PARTITIONS_AT_MOST - 1, 2**36 - 1) < CODES
    for serial in (-1, CODES):
        with pytest.raises(ValueError, match="no code"):
            code_of(SECRET, serial)


@pytest.mark.parametrize("secret", [b"", b"short", b"x" * 65])
def test_a_secret_must_be_long_enough(secret: bytes) -> None:
    with pytest.raises(ValueError, match="16 to 64 bytes"):
        code_of(secret, 1)
