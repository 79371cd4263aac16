"""Festivals of the lunar calendar, derived anew from the sun and the moon."""

from datetime import date, timedelta
from math import radians, sin

import pytest

from models.lunar_dates import FIRST_YEAR, LAST_YEAR, Festival, lunar_date

YEARS = range(FIRST_YEAR, LAST_YEAR + 1)
# Meeus, Astronomical Algorithms (1998), chapter 49: amplitude in days, power of the Earth's
# eccentricity, multiples of the anomalies of sun and moon and of the moon's latitude.
MOON = (
    (-0.40720, 0, 0, 1, 0),
    (0.17241, 1, 1, 0, 0),
    (0.01608, 0, 0, 2, 0),
    (0.01039, 0, 0, 0, 2),
    (0.00739, 1, -1, 1, 0),
    (-0.00514, 1, 1, 1, 0),
    (0.00208, 2, 2, 0, 0),
    (-0.00111, 0, 0, 1, -2),
    (-0.00057, 0, 0, 1, 2),
    (0.00056, 1, 1, 2, 0),
    (-0.00042, 0, 0, 3, 0),
    (0.00042, 1, 1, 0, 2),
    (0.00038, 1, 1, 0, -2),
    (-0.00024, 1, -1, 2, 0),
    (-0.00007, 0, 2, 1, 0),
)
# The sun's longitude within the month, and the day of the month.
BY_MOON = {
    Festival.SPRING: (330, 1),
    Festival.DRAGON_BOAT: (90, 5),
    Festival.QIXI: (150, 7),
    Festival.MID_AUTUMN: (180, 15),
    Festival.DOUBLE_NINTH: (210, 9),
}
BY_SUN = {Festival.QINGMING: 15, Festival.WINTER_SOLSTICE: 270}
# In the autumn of 2033 and the winter after it the sun's longitude alone misleads (the "2033
# problem"): there the calendar counts its months back from the winter solstice.
MISLED = {
    (2033, Festival.MID_AUTUMN): (9, 8),
    (2033, Festival.DOUBLE_NINTH): (10, 1),
    (2034, Festival.SPRING): (2, 19),
}


def new_moon(number: int) -> float:
    """When the `number`th new moon since 2000-01-06 is, as a Julian day, to a minute or two."""
    century = number / 1236.85
    eccentricity = 1 - 0.002516 * century
    sun = 2.5534 + 29.10535670 * number
    moon = 201.5643 + 385.81693528 * number + 0.0107582 * century**2
    latitude = 160.7108 + 390.67050284 * number
    mean = 2451550.09766 + 29.530588861 * number + 0.00015437 * century**2
    return mean + sum(
        size * eccentricity**power * sin(radians(a * sun + b * moon + c * latitude))
        for size, power, a, b, c in MOON
    )


def sun_longitude(julian: float) -> float:
    """The sun's apparent longitude, to a hundredth of a degree (Meeus, chapter 25)."""
    century = (julian - 2451545) / 36525
    anomaly = radians(357.52911 + 35999.05029 * century)
    centre = (
        (1.914602 - 0.004817 * century) * sin(anomaly)
        + 0.019993 * sin(2 * anomaly)
        + 0.000289 * sin(3 * anomaly)
    )
    wobble = 0.00569 + 0.00478 * sin(radians(125.04 - 1934.136 * century))
    return (280.46646 + 36000.76983 * century + centre - wobble) % 360


def local_date(julian: float, zone_hours: int) -> date:
    """The day a clock shows there; clocks are a minute or so behind the planets' time."""
    year = 2000 + (julian - 2451545) / 365.25
    behind_s = 62.92 + 0.32217 * (year - 2000) + 0.005589 * (year - 2000) ** 2
    days = julian - behind_s / 86_400 + zone_hours / 24 - 2451544.5
    return date(2000, 1, 1) + timedelta(days=int(days // 1))


def sun_reaches(year: int, longitude: int) -> float:
    low = 2451541.5 + (year - 2000) * 365.2425 + ((longitude - 280) % 360) / 360 * 365.2425
    high = low + 8
    while high - low > 1e-5:
        middle = (low + high) / 2
        if (sun_longitude(middle) - longitude + 180) % 360 < 180:
            low = middle
        else:
            high = middle
    return high


def derived(festival: Festival, year: int, zone_hours: int = 8) -> tuple[int, int]:
    if festival in BY_SUN:
        found = local_date(sun_reaches(year, BY_SUN[festival]), zone_hours)
        return found.month, found.day
    longitude, day_of_month = BY_MOON[festival]
    sun_day = local_date(sun_reaches(year, longitude), zone_hours)
    number = round((sun_day - date(2000, 1, 6)).days / 29.530588861) + 1
    while local_date(new_moon(number), zone_hours) > sun_day:
        number -= 1
    found = local_date(new_moon(number), zone_hours) + timedelta(days=day_of_month - 1)
    return found.month, found.day


@pytest.mark.parametrize("festival", Festival)
def test_every_date_is_what_sun_and_moon_make_it(festival: Festival) -> None:
    compared = 0
    for year in YEARS:
        expected = MISLED.get((year, festival)) or derived(festival, year)
        assert lunar_date(festival, year) == expected, year
        compared += 1
    assert compared == 56


@pytest.mark.parametrize(("market", "zone_hours"), [("KR", 9), ("VN", 7)])
@pytest.mark.parametrize("festival", [Festival.SPRING, Festival.MID_AUTUMN])
def test_korea_and_vietnam_reckon_by_their_own_clocks(
    market: str, zone_hours: int, festival: Festival
) -> None:
    for year in YEARS:
        misled = None if (market, year) == ("VN", 2033) else MISLED.get((year, festival))
        expected = misled or derived(festival, year, zone_hours)
        assert lunar_date(festival, year, market) == expected, year


@pytest.mark.parametrize(
    ("festival", "year", "expected"),
    [
        (Festival.SPRING, 2024, (2, 10)),
        (Festival.SPRING, 2025, (1, 29)),
        (Festival.SPRING, 2026, (2, 17)),
        (Festival.QINGMING, 2026, (4, 5)),
        (Festival.DRAGON_BOAT, 2026, (6, 19)),
        (Festival.QIXI, 2025, (8, 29)),
        (Festival.MID_AUTUMN, 2025, (10, 6)),
        (Festival.MID_AUTUMN, 2026, (9, 25)),
        (Festival.DOUBLE_NINTH, 2026, (10, 18)),
        (Festival.WINTER_SOLSTICE, 2026, (12, 22)),
    ],
)
def test_dates_that_everybody_remembers(
    festival: Festival, year: int, expected: tuple[int, int]
) -> None:
    assert lunar_date(festival, year) == expected


@pytest.mark.parametrize("year", [FIRST_YEAR - 1, LAST_YEAR + 1, 0, -5, 9_999])
def test_beyond_the_table_nothing_is_guessed(year: int) -> None:
    for festival in Festival:
        assert lunar_date(festival, year) is None
        assert lunar_date(festival, year, "KR") is None


def test_the_library_says_the_same() -> None:
    """Not a dependency: it would take python-dateutil back below 3. Asked where it is installed."""
    chinese = pytest.importorskip("holidays.calendars.chinese")
    names = {
        Festival.SPRING: "lunar_new_year_date",
        Festival.QINGMING: "qingming_date",
        Festival.DRAGON_BOAT: "dragon_boat_date",
        Festival.MID_AUTUMN: "mid_autumn_date",
        Festival.DOUBLE_NINTH: "double_ninth_date",
        Festival.WINTER_SOLSTICE: "winter_solstice_date",
    }
    for year in YEARS:
        for festival, name in names.items():
            found, _ = getattr(chinese._ChineseLunisolar(), name)(year)
            assert (found.month, found.day) == lunar_date(festival, year)
        for market, calendar, festival in (
            ("KR", "KOREAN_CALENDAR", Festival.SPRING),
            ("KR", "KOREAN_CALENDAR", Festival.MID_AUTUMN),
            ("VN", "VIETNAMESE_CALENDAR", Festival.SPRING),
        ):
            elsewhere = chinese._ChineseLunisolar(calendar)
            found, _ = getattr(elsewhere, names[festival])(year)
            assert (found.month, found.day) == lunar_date(festival, year, market)
