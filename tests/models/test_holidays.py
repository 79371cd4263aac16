"""Holidays by market, and the moment before them on the customer's wall."""

from datetime import date

import pytest

from models.holidays import (
    ALIASES,
    MARKETS,
    NAMES,
    Absent,
    Coming,
    easter,
    holiday_in,
    horizon_of,
    kept_in,
    market_of,
    next_before,
)
from models.local_time import Zone, date_of, day_on, local_day, local_minute, moment_of, zone_of
from models.lunar_dates import FIRST_YEAR, LAST_YEAR

TAIPEI, NEW_YORK, LONDON = zone_of("Asia/Taipei"), zone_of("America/New_York"), zone_of("GB")
LUNAR = {
    "spring_festival",
    "lantern",
    "qingming",
    "dragon_boat",
    "qixi",
    "mid_autumn",
    "double_ninth",
    "winter_solstice",
}


def on(text: str) -> int:
    return day_on(date.fromisoformat(text))


@pytest.mark.parametrize(
    ("name", "market", "expected"),
    [
        ("new_year", "DE", "2026-01-01"),
        ("spring_festival", "CN", "2026-02-17"),
        ("spring_festival", "TW", "2026-02-17"),
        ("spring_festival", "KR", "2027-02-07"),
        ("spring_festival", "CN", "2027-02-06"),
        ("lantern", "TW", "2026-03-03"),
        ("valentines", "US", "2026-02-14"),
        ("white_day", "JP", "2026-03-14"),
        ("qingming", "HK", "2026-04-05"),
        ("good_friday", "DE", "2026-04-03"),
        ("easter", "GB", "2025-04-20"),
        ("labour_day", "CN", "2026-05-01"),
        ("labour_day", "US", "2026-09-07"),
        ("labour_day", "GB", "2026-05-04"),
        ("labour_day", "NZ", "2026-10-26"),
        ("childrens_day", "CN", "2026-06-01"),
        ("childrens_day", "TW", "2026-04-04"),
        ("childrens_day", "JP", "2026-05-05"),
        ("mothers_day", "TW", "2026-05-10"),
        ("mothers_day", "GB", "2026-03-15"),
        ("mothers_day", "FR", "2026-05-31"),
        # Pentecost is the last Sunday of May: the first of June.
        ("mothers_day", "FR", "2023-06-04"),
        ("mothers_day", "SE", "2026-05-31"),
        ("fathers_day", "TW", "2026-08-08"),
        ("fathers_day", "US", "2026-06-21"),
        ("fathers_day", "DE", "2026-05-14"),
        ("fathers_day", "AU", "2026-09-06"),
        ("dragon_boat", "TW", "2026-06-19"),
        ("qixi", "CN", "2026-08-19"),
        ("mid_autumn", "TW", "2026-09-25"),
        ("mid_autumn", "KR", "2040-09-21"),
        ("double_ninth", "HK", "2026-10-18"),
        ("national_day", "CN", "2026-10-01"),
        ("national_day", "TW", "2026-10-10"),
        ("national_day", "US", "2026-07-04"),
        ("national_day", "DE", "2026-10-03"),
        ("national_day", "JP", "2026-02-11"),
        ("double_11", "CN", "2026-11-11"),
        ("thanksgiving", "US", "2026-11-26"),
        ("thanksgiving", "CA", "2026-10-12"),
        ("black_friday", "DE", "2026-11-27"),
        # Not the fourth Friday of the month when the month begins on one.
        ("black_friday", "US", "2024-11-29"),
        ("cyber_monday", "US", "2025-12-01"),
        ("winter_solstice", "TW", "2026-12-22"),
        ("christmas", "JP", "2026-12-25"),
        ("boxing_day", "GB", "2026-12-26"),
    ],
)
def test_a_holiday_has_its_day_in_each_market(name: str, market: str, expected: str) -> None:
    assert holiday_in(name, market, int(expected[:4])) == on(expected)


@pytest.mark.parametrize(
    ("name", "market", "year", "expected"),
    [
        ("thanksgiving", "TW", 2026, Absent.NOT_KEPT),
        ("spring_festival", "US", 2026, Absent.NOT_KEPT),
        ("mid_autumn", "JP", 2026, Absent.NOT_KEPT),
        ("labour_day", "AU", 2026, Absent.NOT_KEPT),
        ("national_day", "ZZ", 2026, Absent.NOT_KEPT),
        ("spring_festival", "TW", LAST_YEAR + 1, Absent.BEYOND_HORIZON),
        ("spring_festival", "TW", FIRST_YEAR - 1, Absent.BEYOND_HORIZON),
        ("lantern", "CN", LAST_YEAR + 1, Absent.BEYOND_HORIZON),
        ("sprig_festival", "TW", 2026, Absent.UNKNOWN),
        ("", "TW", 2026, Absent.UNKNOWN),
    ],
)
def test_where_there_is_no_date_it_says_why(
    name: str, market: str, year: int, expected: Absent
) -> None:
    assert holiday_in(name, market, year) is expected
    assert str(expected.value)


def test_every_holiday_that_a_market_keeps_has_a_date_every_year() -> None:
    looked_at = 0
    for market in MARKETS:
        for name in kept_in(market):
            for year in range(FIRST_YEAR, LAST_YEAR + 1):
                day = holiday_in(name, market, year)
                assert isinstance(day, int), (market, name)
                assert date_of(day).year == year
                looked_at += 1
    assert looked_at > 20_000


def test_other_names_mean_the_same_day() -> None:
    for alias, name in ALIASES.items():
        assert alias not in NAMES
        for market in MARKETS:
            assert holiday_in(alias, market, 2026) == holiday_in(name, market, 2026)


def test_only_what_goes_by_the_moon_has_a_horizon() -> None:
    assert set(NAMES) >= LUNAR
    for name in NAMES:
        for market in MARKETS:
            if name not in kept_in(market):
                assert horizon_of(name, market) is Absent.NOT_KEPT
            else:
                assert horizon_of(name, market) == (LAST_YEAR if name in LUNAR else None)
    assert horizon_of("sprig_festival", "TW") is Absent.UNKNOWN


@pytest.mark.parametrize(
    ("year", "expected"),
    [(1818, "03-22"), (1943, "04-25"), (2000, "04-23"), (2019, "04-21"), (2024, "03-31"),
     (2025, "04-20"), (2026, "04-05"), (2027, "03-28"), (2038, "04-25"), (2285, "03-22")],
)  # fmt: skip
def test_easter_is_when_the_churches_say(year: int, expected: str) -> None:
    assert easter(year).isoformat() == f"{year}-{expected}"


@pytest.mark.parametrize(
    ("name", "market", "zone", "after", "at", "expected"),
    [
        ("mid_autumn", "TW", TAIPEI, "2026-09-01", "2026-09-24", "2026-09-25"),
        ("spring_festival", "CN", TAIPEI, "2026-02-15", "2026-02-16", "2026-02-17"),
        # The eve itself is over in the evening: next year's.
        ("spring_festival", "CN", TAIPEI, "2026-02-17", "2027-02-05", "2027-02-06"),
        # The eve of a year's first day lies in the year before.
        ("new_year", "US", NEW_YORK, "2026-12-30", "2026-12-31", "2027-01-01"),
        ("new_year", "US", NEW_YORK, "2027-01-01", "2027-12-31", "2028-01-01"),
        ("christmas", "DE", LONDON, "2026-12-24T12:00", "2027-12-24", "2027-12-25"),
    ],
)
def test_the_eve_is_the_day_before_at_that_minute(
    name: str, market: str, zone: Zone, after: str, at: str, expected: str
) -> None:
    after_ms = moment_of(zone, on(after[:10]), int(after[11:13] or 0) * 60)
    coming = next_before(name, market, zone, after_ms, 600)
    assert coming == Coming(moment_of(zone, on(at), 600), on(expected), int(expected[:4]))


def test_two_zones_have_one_eve_at_two_moments() -> None:
    after_ms = moment_of(zone_of("UTC"), on("2026-09-20"))
    in_taipei = next_before("mid_autumn", "TW", TAIPEI, after_ms, 600)
    in_new_york = next_before("mid_autumn", "TW", NEW_YORK, after_ms, 600)
    assert isinstance(in_taipei, Coming)
    assert isinstance(in_new_york, Coming)
    assert in_taipei.day == in_new_york.day == on("2026-09-25")
    assert in_new_york.at_ms - in_taipei.at_ms == 12 * 3_600_000
    for coming, zone in ((in_taipei, TAIPEI), (in_new_york, NEW_YORK)):
        assert local_day(zone, coming.at_ms) == on("2026-09-24")
        assert local_minute(zone, coming.at_ms) == 600


def test_an_eve_at_its_very_moment_is_over() -> None:
    first = next_before("christmas", "US", NEW_YORK, moment_of(NEW_YORK, on("2026-06-01")), 600)
    assert isinstance(first, Coming)
    again = next_before("christmas", "US", NEW_YORK, first.at_ms, 600)
    assert isinstance(again, Coming)
    assert (first.year, again.year) == (2026, 2027)
    assert next_before("christmas", "US", NEW_YORK, first.at_ms - 1, 600) == first


@pytest.mark.parametrize("days_before", [0, 1, 7, 30, 365])
def test_a_holiday_may_be_told_of_days_ahead(days_before: int) -> None:
    after_ms = moment_of(TAIPEI, on("2025-11-20"))
    coming = next_before("spring_festival", "TW", TAIPEI, after_ms, 540, days_before)
    assert isinstance(coming, Coming)
    assert coming.at_ms == moment_of(TAIPEI, coming.day - days_before, 540) > after_ms
    assert coming.day == on("2026-02-17" if days_before < 60 else "2027-02-06")


def test_every_next_eve_of_a_century_is_later_or_beyond_the_horizon() -> None:
    at_ms, seen = moment_of(TAIPEI, on("2020-01-01")), []
    while isinstance(coming := next_before("spring_festival", "TW", TAIPEI, at_ms, 0), Coming):
        assert coming.at_ms > at_ms
        seen.append(coming.year)
        at_ms = coming.at_ms
    assert seen == list(range(2020, LAST_YEAR + 1))
    assert coming is Absent.BEYOND_HORIZON
    late_ms = moment_of(TAIPEI, on("1990-01-01"))
    late = next_before("spring_festival", "TW", TAIPEI, late_ms, 0)
    assert late is Absent.BEYOND_HORIZON
    assert isinstance(next_before("christmas", "TW", TAIPEI, late_ms, 0), Coming)


def test_an_eve_that_is_not_kept_is_said_so() -> None:
    assert next_before("thanksgiving", "TW", TAIPEI, 0, 600) is Absent.NOT_KEPT
    assert next_before("sprig_festival", "TW", TAIPEI, 0, 600) is Absent.UNKNOWN


@pytest.mark.parametrize(
    ("country", "expected"),
    [("TW", "TW"), (" us ", "US"), ("Taiwan", "CN"), ("", "CN"), (None, "CN"), (7, "CN"),
     ("*", "CN"), ("XX", "CN")],
)  # fmt: skip
def test_a_customers_market_is_the_country_or_the_shops(country: object, expected: str) -> None:
    assert market_of(country, "CN") == expected


LIBRARY = {
    "new_year": ("New Year's Day", "US DE FR JP HK SG KR VN AU NZ GB"),
    "spring_festival": ("New Year", "CN TW MO SG MY KR VN"),
    "qingming": ("Tomb-Sweeping Day", "CN TW HK MO"),
    "dragon_boat": ("Dragon Boat", "CN TW HK"),
    "mid_autumn": ("Mid-Autumn", "CN TW"),
    "double_ninth": ("Double Ninth", "HK MO"),
    "good_friday": ("Good Friday", "DE GB AU NZ SG"),
    "labour_day": ("Labo", "CN SG US CA NZ VN DE"),
    "thanksgiving": ("Thanksgiving", "US"),
    "christmas": ("Christmas Day", "US DE HK SG AU NZ GB KR"),
    "boxing_day": ("Boxing Day", "GB AU NZ"),
}


def test_the_library_keeps_the_same_days() -> None:
    """Not a dependency: it would take python-dateutil back below 3. Asked where it is installed."""
    library = pytest.importorskip("holidays")
    for name, (word, markets) in LIBRARY.items():
        for market in markets.split():
            theirs = library.country_holidays(
                market, years=range(2015, 2041), language="en_US", observed=False
            )
            for year in range(2015, 2041):
                day = holiday_in(name, market, year)
                assert isinstance(day, int)
                assert word in theirs.get(date_of(day), ""), (name, market, date_of(day))
