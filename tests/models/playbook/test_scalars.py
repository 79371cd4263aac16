"""Words and their meaning, at their edges."""

from typing import Any

import pytest

from models.clock import DAY_MS, SECOND_MS
from models.playbook.closeness import closest
from models.playbook.scalars import (
    CLOCK,
    DURATION,
    DURATION_MAX_MS,
    FLAG,
    MONEY,
    OFFSET,
    ONCE,
    SHARE,
    TEXT,
    TEXT_CHARS_MAX,
    Kind,
    Misread,
    one_of,
    whole,
)


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        (DURATION, "1s", SECOND_MS),
        (DURATION, " 30 d ", 30 * DAY_MS),
        (DURATION, "3650d", DURATION_MAX_MS),
        (OFFSET, "0", 0),
        (OFFSET, "1d", DAY_MS),
        (MONEY, "0", 0),
        (MONEY, "0.01", 1),
        (MONEY, "999999999", 99_999_999_900),
        (SHARE, "0%", 0.0),
        (SHARE, "100%", 1.0),
        (SHARE, "1", 1.0),
        (SHARE, "0.5%", 0.005),
        (CLOCK, "0:00", 0),
        (CLOCK, "23:59", 1_439),
        (FLAG, "Yes", True),
        (FLAG, "off", False),
        (ONCE, "item", "item"),
        (ONCE, "7d", 7 * DAY_MS),
        (TEXT, "a" * TEXT_CHARS_MAX, "a" * TEXT_CHARS_MAX),
        (whole(1, 3), "3", 3),
        (one_of("tier", ["a", "b"]), "b", "b"),
    ],
)
def test_a_word_has_its_meaning(kind: Kind, text: str, expected: Any) -> None:
    assert kind.parse(text, "EUR") == expected


@pytest.mark.parametrize(
    ("kind", "text", "meant"),
    [
        (DURATION, "30", "30d"),
        (DURATION, "30D", "30d"),
        (DURATION, "30 days", "30d"),
        (DURATION, "5 minutes", "5m"),
        (DURATION, "2 hours", "2h"),
        (DURATION, "10 sec", "10s"),
        (DURATION, "3 months", "90d"),
        (DURATION, "1y", "365d"),
        (DURATION, "soon", ""),
        (DURATION, "-1d", ""),
        (DURATION, "1.5h", ""),
        (DURATION, "٣d", ""),
        (DURATION, "3651d", ""),
        (OFFSET, "-1d", ""),
        (MONEY, "1e9", ""),
        (MONEY, "1,000", ""),
        (MONEY, "10 USD", "10 EUR"),
        (MONEY, "0.001", ""),
        (MONEY, "9999999999", ""),
        (SHARE, "101%", ""),
        (SHARE, "-1%", ""),
        (SHARE, "20", "20%"),
        (CLOCK, "24:00", ""),
        (CLOCK, "9:5", ""),
        (FLAG, "1", ""),
        (ONCE, "cusomer", "customer"),
        (ONCE, "30 days", "30d"),
        (TEXT, "a" * (TEXT_CHARS_MAX + 1), ""),
        (whole(1, 3), "4", ""),
        (whole(1, 3), "0x3", ""),
        (one_of("tier", ["new", "dormant"]), "dormnat", "dormant"),
    ],
)
def test_a_word_that_is_none_is_refused_with_what_was_meant(
    kind: Kind, text: str, meant: str
) -> None:
    with pytest.raises(Misread) as raised:
        kind.parse(text, "EUR")
    assert raised.value.suggestion == meant
    assert raised.value.expected


def test_a_currency_without_small_coins_has_none() -> None:
    assert MONEY.parse("500", "JPY") == 500
    with pytest.raises(Misread, match="small coins"):
        MONEY.parse("1.5", "JPY")


@pytest.mark.parametrize(
    ("word", "known", "expected"),
    [
        ("tirer", ["tier", "offers"], "tier"),
        ("Quiet Hours", ["quiet_hours", "caps"], "quiet_hours"),
        ("", ["tier"], ""),
        ("x" * 100_000, ["tier"], ""),
    ],
)
def test_the_closest_word_was_probably_meant(word: str, known: list[str], expected: str) -> None:
    assert closest(word, known) == expected
