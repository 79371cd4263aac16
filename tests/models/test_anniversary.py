"""Birthdays and anniversaries of customers, wherever they live and whatever was typed."""

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.anniversary import (
    Anniversary,
    LeapDay,
    Origin,
    Unread,
    birthday_of,
    day_in,
    is_on,
    next_anniversary,
    origin_at,
)
from models.clock import DAY_MS, HOUR_MS
from models.local_time import date_of, day_on, local_day, local_minute, moment_of, zone_of

TAIPEI, NEW_YORK = zone_of("Asia/Taipei"), zone_of("America/New_York")
MARCH = Origin(1990, 3, 5)
LEAP = Origin(2004, 2, 29)


def on(text: str) -> int:
    return day_on(date.fromisoformat(text))


NOW_MS = moment_of(TAIPEI, on("2026-06-01"))


@pytest.mark.parametrize(
    "text",
    [
        "1990-03-05",
        "1990/3/5",
        "1990.03.05",
        "19900305",
        " 1990-03-05 ",
        "1990年3月5日",
        "1990年03月05號",
        "1990-03-05T00:00:00Z",
        "1990-03-05T00:00:00",
        "1990-03-05 00:00:00+08:00",
        "1990-03-05T12:30:00Z",
        # A midnight in Taipei, as a browser there writes it.
        "1990-03-04T16:00:00.000Z",
        19900305,
    ],
)
def test_a_birthday_is_read_as_people_and_machines_write_it(text: object) -> None:
    assert birthday_of(text, TAIPEI, NOW_MS) == MARCH


@pytest.mark.parametrize(
    "text", ["03-05", "--03-05", "0000-03-05", "1604-03-05", "0004-03-05", "3月5日", "03月05号"]
)
def test_a_birthday_without_a_year_has_its_day(text: str) -> None:
    assert birthday_of(text, TAIPEI, NOW_MS) == Origin(0, 3, 5)


@pytest.mark.parametrize("text", ["02-29", "--02-29", "1604-02-29", "2月29日"])
def test_the_leap_day_needs_no_year(text: str) -> None:
    assert birthday_of(text, TAIPEI, NOW_MS) == Origin(0, 2, 29)


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("", Unread.NO_DATE),
        ("yesterday", Unread.NO_DATE),
        ("03/05/1990", Unread.NO_DATE),
        ("05.03.1990", Unread.NO_DATE),
        ("1990-3/5", Unread.NO_DATE),
        ("1990-13-05", Unread.NO_DATE),
        ("1990-02-30", Unread.NO_DATE),
        ("1990-02-29", Unread.NO_DATE),
        ("02-30", Unread.NO_DATE),
        ("0000-00-00", Unread.NO_DATE),
        ("1990-03", Unread.NO_DATE),
        ("90-03-05", Unread.NO_DATE),
        ("１９９０-03-05", Unread.NO_DATE),
        ("1990-03-05T99:00:00Z", Unread.NO_DATE),
        ("1990-03-05\n1990-03-06", Unread.NO_DATE),
        ("1990-03-05" + " " * 5_000, Unread.NO_DATE),
        (636_595_200_000, Unread.NO_DATE),
        (19900305.0, Unread.NO_DATE),
        (True, Unread.NO_DATE),
        (None, Unread.NO_DATE),
        (["1990-03-05"], Unread.NO_DATE),
        ("1970-01-01", Unread.PLACEHOLDER),
        ("1970-01-01T00:00:00Z", Unread.PLACEHOLDER),
        ("1900-01-01", Unread.PLACEHOLDER),
        ("0001-01-01T00:00:00", Unread.PLACEHOLDER),
        ("1899-12-30", Unread.PLACEHOLDER),
        ("1905-03-05", Unread.IMPLAUSIBLE),
        ("2026-06-02", Unread.IMPLAUSIBLE),
        ("9999-12-31T23:59:59-12:00", Unread.IMPLAUSIBLE),
        ("2190-03-05", Unread.IMPLAUSIBLE),
    ],
)
def test_what_is_no_birthday_says_why(value: object, why: Unread) -> None:
    assert birthday_of(value, TAIPEI, NOW_MS) is why


def test_who_is_born_today_or_long_ago_has_a_birthday() -> None:
    assert birthday_of("2026-06-01", TAIPEI, NOW_MS) == Origin(2026, 6, 1)
    # On the other side of the world it is still the last of May.
    assert birthday_of("2026-06-01", NEW_YORK, NOW_MS) is Unread.IMPLAUSIBLE
    assert birthday_of("1906-03-05", TAIPEI, NOW_MS) == Origin(1906, 3, 5)


@settings(deadline=None)
@given(st.one_of(st.text(max_size=50), st.integers(), st.floats(), st.none(), st.booleans()))
def test_whatever_is_typed_is_read_or_refused(value: object) -> None:
    found = birthday_of(value, TAIPEI, NOW_MS)
    assert isinstance(found, Origin | Unread)
    if isinstance(found, Origin):
        assert next_anniversary(found, TAIPEI, NOW_MS, 600).at_ms > NOW_MS


@pytest.mark.parametrize(
    ("year", "leap_day", "expected"),
    [
        (2024, LeapDay.FEBRUARY_28, "2024-02-29"),
        (2024, LeapDay.MARCH_1, "2024-02-29"),
        (2025, LeapDay.FEBRUARY_28, "2025-02-28"),
        (2025, LeapDay.MARCH_1, "2025-03-01"),
        (2100, LeapDay.FEBRUARY_28, "2100-02-28"),
        (2100, LeapDay.MARCH_1, "2100-03-01"),
        (2000, LeapDay.MARCH_1, "2000-02-29"),
    ],
)
def test_the_leap_day_comes_round_every_year(year: int, leap_day: LeapDay, expected: str) -> None:
    assert day_in(LEAP, year, leap_day) == on(expected)


@pytest.mark.parametrize(
    ("origin", "after", "days_before", "at", "year", "years"),
    [
        (MARCH, "2026-03-04", 0, "2026-03-05", 2026, 36),
        (MARCH, "2026-03-06", 0, "2027-03-05", 2027, 37),
        (MARCH, "2026-02-20", 7, "2026-02-26", 2026, 36),
        (MARCH, "2026-03-01", 7, "2027-02-26", 2027, 37),
        (Origin(0, 3, 5), "2026-03-04", 0, "2026-03-05", 2026, 0),
        # Told of on New Year's Eve: the day is next year's.
        (Origin(1990, 1, 1), "2026-12-30", 1, "2026-12-31", 2027, 37),
        (Origin(1990, 1, 3), "2026-06-01", 7, "2026-12-27", 2027, 37),
        (Origin(1990, 12, 31), "2026-06-01", 0, "2026-12-31", 2026, 36),
        (LEAP, "2026-01-01", 0, "2026-02-28", 2026, 22),
        (LEAP, "2028-01-01", 0, "2028-02-29", 2028, 24),
        # A first order's own year brings none, nor does its own day.
        (Origin(2026, 6, 1), "2026-06-01", 0, "2027-06-01", 2027, 1),
        (Origin(2026, 6, 1), "2026-01-01", 0, "2027-06-01", 2027, 1),
    ],
)
def test_the_next_time_it_comes_round(
    origin: Origin, after: str, days_before: int, at: str, year: int, years: int
) -> None:
    for zone in (TAIPEI, NEW_YORK):
        found = next_anniversary(origin, zone, moment_of(zone, on(after)), 600, days_before)
        day = on(at) + days_before
        assert found == Anniversary(moment_of(zone, on(at), 600), day, year, years)


def test_at_its_very_moment_it_is_over() -> None:
    first = next_anniversary(MARCH, TAIPEI, NOW_MS, 600)
    assert next_anniversary(MARCH, TAIPEI, first.at_ms - 1, 600) == first
    assert next_anniversary(MARCH, TAIPEI, first.at_ms, 600).year == first.year + 1


def test_a_birthday_on_the_day_clocks_change_is_said_that_day() -> None:
    born = Origin(1990, 3, 8)
    found = next_anniversary(born, NEW_YORK, moment_of(NEW_YORK, on("2026-03-01")), 150)
    assert found.at_ms == moment_of(NEW_YORK, on("2026-03-08"), 180)
    assert local_day(NEW_YORK, found.at_ms) == on("2026-03-08")


@settings(deadline=None, max_examples=200)
@given(
    st.dates(date(1910, 1, 1), date(2026, 5, 31)),
    st.integers(0, 1_439),
    st.integers(0, 60),
    st.sampled_from(["Asia/Taipei", "America/New_York", "Pacific/Apia", "Europe/Berlin"]),
    st.sampled_from(LeapDay),
)
def test_it_comes_once_in_every_year(
    born: date, minute: int, days_before: int, name: str, leap_day: LeapDay
) -> None:
    origin, zone = Origin(born.year, born.month, born.day), zone_of(name)
    at_ms, years = NOW_MS, []
    for _ in range(9):
        found = next_anniversary(origin, zone, at_ms, minute, days_before, leap_day)
        assert found.at_ms > at_ms
        assert date_of(found.day).year == found.year == found.years + born.year
        assert local_day(zone, found.at_ms) == found.day - days_before
        at_ms = found.at_ms
        years.append(found.year)
    assert years == list(range(years[0], years[0] + 9))


def test_a_first_orders_day_is_the_one_on_the_customers_wall() -> None:
    at_ms = moment_of(TAIPEI, on("2026-03-01"), 7 * 60)
    assert origin_at(TAIPEI, at_ms) == Origin(2026, 3, 1)
    assert origin_at(NEW_YORK, at_ms) == Origin(2026, 2, 28)


@pytest.mark.parametrize(
    ("at", "expected"),
    [("2026-03-05", True), ("2026-03-04", False), ("2026-03-06", False), ("1990-03-05", False)],
)
def test_it_is_the_day_from_midnight_to_midnight(at: str, expected: bool) -> None:
    start_ms = moment_of(TAIPEI, on(at))
    for at_ms in (start_ms, start_ms + 9 * HOUR_MS, start_ms + DAY_MS - 1):
        assert is_on(MARCH, TAIPEI, at_ms) is expected
    assert local_minute(TAIPEI, start_ms) == 0
