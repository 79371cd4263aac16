"""Holidays that shops write for, by market, and the moment before them on the customer's own wall.

A market is a country by its two letters (ISO 3166). What falls on a fixed day, on the nth weekday
of a month or by Easter is worked out for any year; what goes by the moon stands in a table
(models/lunar_dates.py) that has an end, and beyond it the answer is `BEYOND_HORIZON`, never a guess
and never silence. Days are the feast's own, not the days off that a government moves around.
"""

from collections.abc import Callable
from datetime import date, timedelta
from enum import Enum
from functools import lru_cache
from typing import NamedTuple

from models.local_time import Zone, date_of, day_on, local_day, moment_of
from models.lunar_dates import FIRST_YEAR, LAST_YEAR, Festival, lunar_date

_EVERYWHERE = "*"
_MONDAY, _THURSDAY, _SUNDAY = 0, 3, 6
_LAST = -1
_CHINESE = "CN TW HK MO SG MY"
# This year's may be over, and next year's, too, where somebody is told a year ahead.
_YEARS_AHEAD = 3


class Absent(Enum):
    """Why there is no date."""

    UNKNOWN = "there is no holiday of that name"
    NOT_KEPT = "it is not kept in that market"
    BEYOND_HORIZON = f"the moon's dates are known from {FIRST_YEAR} to {LAST_YEAR} only"


class Coming(NamedTuple):
    """A moment ahead of a holiday: `day` is the holiday's own (models/local_time.py)."""

    at_ms: int
    day: int
    year: int


Rule = Callable[[int, str], date | None]
"""Date in a year and market; None beyond the horizon."""


def _fixed(month: int, day: int) -> Rule:
    return lambda year, _: date(year, month, day)


def _weekday(month: int, weekday: int, nth: int, plus_days: int = 0) -> Callable[[int, str], date]:
    """Give the nth weekday of a month, or a day so many later; the last where `nth` is -1."""

    def find(year: int, _: str) -> date:
        if nth == _LAST:
            end = date(year + month // 12, month % 12 + 1, 1) - timedelta(days=1)
            return end - timedelta(days=(end.weekday() - weekday) % 7 - plus_days)
        first = date(year, month, 1)
        days = (weekday - first.weekday()) % 7 + 7 * (nth - 1) + plus_days
        return first + timedelta(days=days)

    return find


def _by_easter(plus_days: int) -> Rule:
    return lambda year, _: easter(year) + timedelta(days=plus_days)


def _lunar(festival: Festival, plus_days: int = 0) -> Rule:
    def find(year: int, market: str) -> date | None:
        found = lunar_date(festival, year, market)
        return None if found is None else date(year, *found) + timedelta(days=plus_days)

    return find


def _french_mothers(year: int, _: str) -> date:
    """Give the last Sunday of May; a week later when that is Pentecost."""
    sunday = _weekday(5, _SUNDAY, _LAST)(year, "FR")
    return sunday + timedelta(days=7 if sunday == easter(year) + timedelta(days=49) else 0)


def easter(year: int) -> date:
    """Easter Sunday of the Gregorian calendar (Meeus, Jones, Butcher).

    >>> easter(2026).isoformat()
    '2026-04-05'
    """
    century, of_century = divmod(year, 100)
    moon = (19 * (year % 19) + century - century // 4 - (8 * century + 13) // 25 + 15) % 30
    week = (32 + 2 * (century % 4) + 2 * (of_century // 4) - moon - of_century % 4) % 7
    late = (year % 19 + 11 * moon + 22 * week) // 451
    month, day = divmod(moon + week - 7 * late + 114, 31)
    return date(year, month, day + 1)


_RULES: tuple[tuple[str, str, Rule], ...] = (
    ("new_year", _EVERYWHERE, _fixed(1, 1)),
    ("spring_festival", f"{_CHINESE} ID PH KR VN", _lunar(Festival.SPRING)),
    ("lantern", _CHINESE, _lunar(Festival.SPRING, 14)),
    ("valentines", _EVERYWHERE, _fixed(2, 14)),
    ("womens_day", _EVERYWHERE, _fixed(3, 8)),
    ("white_day", "JP KR TW CN HK", _fixed(3, 14)),
    ("qingming", _CHINESE, _lunar(Festival.QINGMING)),
    ("good_friday", _EVERYWHERE, _by_easter(-2)),
    ("easter", _EVERYWHERE, _by_easter(0)),
    ("golden_week", "JP", _fixed(4, 29)),
    ("labour_day", "CN TW HK MO SG MY KR VN DE AT FR IT ES IN BR MX PL SE", _fixed(5, 1)),
    ("labour_day", "US CA", _weekday(9, _MONDAY, 1)),
    ("labour_day", "GB IE", _weekday(5, _MONDAY, 1)),
    ("labour_day", "NZ", _weekday(10, _MONDAY, 4)),
    ("childrens_day", "TW HK", _fixed(4, 4)),
    ("childrens_day", "JP KR", _fixed(5, 5)),
    ("childrens_day", "CN VN", _fixed(6, 1)),
    (
        "mothers_day",
        f"{_CHINESE} US CA JP DE AT CH IT NL AU NZ IN BR PH",
        _weekday(5, _SUNDAY, 2),
    ),
    ("mothers_day", "GB IE", _by_easter(-21)),
    ("mothers_day", "ES", _weekday(5, _SUNDAY, 1)),
    ("mothers_day", "SE", _weekday(5, _SUNDAY, _LAST)),
    ("mothers_day", "FR", _french_mothers),
    ("mothers_day", "KR", _fixed(5, 8)),
    ("mothers_day", "MX", _fixed(5, 10)),
    ("mothers_day", "PL", _fixed(5, 26)),
    ("may_20", "CN TW HK", _fixed(5, 20)),
    ("june_18", "CN TW HK", _fixed(6, 18)),
    ("fathers_day", "US CA GB IE FR NL CN HK SG MY JP IN MX PH", _weekday(6, _SUNDAY, 3)),
    ("fathers_day", "TW", _fixed(8, 8)),
    ("fathers_day", "DE", _by_easter(39)),
    ("fathers_day", "AT", _weekday(6, _SUNDAY, 2)),
    ("fathers_day", "CH", _weekday(6, _SUNDAY, 1)),
    ("fathers_day", "AU NZ", _weekday(9, _SUNDAY, 1)),
    ("fathers_day", "BR", _weekday(8, _SUNDAY, 2)),
    ("fathers_day", "SE", _weekday(11, _SUNDAY, 2)),
    ("fathers_day", "IT ES", _fixed(3, 19)),
    ("fathers_day", "KR", _fixed(5, 8)),
    ("fathers_day", "PL", _fixed(6, 23)),
    ("dragon_boat", _CHINESE, _lunar(Festival.DRAGON_BOAT)),
    ("qixi", _CHINESE, _lunar(Festival.QIXI)),
    ("mid_autumn", f"{_CHINESE} KR VN", _lunar(Festival.MID_AUTUMN)),
    ("double_ninth", _CHINESE, _lunar(Festival.DOUBLE_NINTH)),
    ("winter_solstice", _CHINESE, _lunar(Festival.WINTER_SOLSTICE)),
    ("national_day", "CN HK MO", _fixed(10, 1)),
    ("national_day", "TW", _fixed(10, 10)),
    ("national_day", "SG", _fixed(8, 9)),
    ("national_day", "MY", _fixed(8, 31)),
    ("national_day", "KR DE", _fixed(10, 3)),
    ("national_day", "VN", _fixed(9, 2)),
    ("national_day", "JP", _fixed(2, 11)),
    ("national_day", "US", _fixed(7, 4)),
    ("national_day", "CA", _fixed(7, 1)),
    ("national_day", "AT", _fixed(10, 26)),
    ("national_day", "CH", _fixed(8, 1)),
    ("national_day", "FR", _fixed(7, 14)),
    ("national_day", "IT", _fixed(6, 2)),
    ("national_day", "ES", _fixed(10, 12)),
    ("national_day", "SE", _fixed(6, 6)),
    ("national_day", "PL", _fixed(11, 11)),
    ("national_day", "IE", _fixed(3, 17)),
    ("national_day", "AU", _fixed(1, 26)),
    ("national_day", "NZ", _fixed(2, 6)),
    ("national_day", "IN", _fixed(8, 15)),
    ("national_day", "BR", _fixed(9, 7)),
    ("national_day", "MX", _fixed(9, 16)),
    ("national_day", "PH", _fixed(6, 12)),
    ("national_day", "ID", _fixed(8, 17)),
    ("halloween", _EVERYWHERE, _fixed(10, 31)),
    ("double_11", _EVERYWHERE, _fixed(11, 11)),
    ("thanksgiving", "US", _weekday(11, _THURSDAY, 4)),
    ("thanksgiving", "CA", _weekday(10, _MONDAY, 2)),
    ("black_friday", _EVERYWHERE, _weekday(11, _THURSDAY, 4, plus_days=1)),
    ("cyber_monday", _EVERYWHERE, _weekday(11, _THURSDAY, 4, plus_days=4)),
    ("double_12", _EVERYWHERE, _fixed(12, 12)),
    ("christmas", _EVERYWHERE, _fixed(12, 25)),
    ("boxing_day", "GB IE CA AU NZ HK", _fixed(12, 26)),
)
_BY_NAME: dict[str, dict[str, Rule]] = {}
for _name, _markets, _rule in _RULES:
    for _market in _markets.split():
        _BY_NAME.setdefault(_name, {})[_market] = _rule
MARKETS = frozenset(market for rules in _BY_NAME.values() for market in rules) - {_EVERYWHERE}
NAMES = tuple(_BY_NAME)
ALIASES = {
    "chinese_new_year": "spring_festival",
    "lunar_new_year": "spring_festival",
    "seollal": "spring_festival",
    "tet": "spring_festival",
    "chuseok": "mid_autumn",
    "moon_festival": "mid_autumn",
    "singles_day": "double_11",
    "tomb_sweeping": "qingming",
    "valentines_day": "valentines",
}


def market_of(country: object, shop: str) -> str:
    """Market of a customer's country; the shop's where the country is none of two known letters.

    >>> market_of("tw", "CN"), market_of("Taiwan", "CN"), market_of(None, "CN")
    ('TW', 'CN', 'CN')
    """
    code = country.strip().upper() if isinstance(country, str) else ""
    return code if code in MARKETS else shop


def kept_in(market: str) -> tuple[str, ...]:
    """Names of all holidays that a market keeps.

    >>> "thanksgiving" in kept_in("US"), "thanksgiving" in kept_in("TW")
    (True, False)
    """
    return tuple(
        name for name, rules in _BY_NAME.items() if market in rules or _EVERYWHERE in rules
    )


@lru_cache(maxsize=4_096)
def holiday_in(name: str, market: str, year: int) -> int | Absent:
    """Day of a holiday in a year of the common calendar, or why there is none.

    >>> date_of(holiday_in("mid_autumn", "TW", 2026)).isoformat()
    '2026-09-25'
    >>> holiday_in("mid_autumn", "US", 2026).name, holiday_in("mid_autumn", "TW", 2051).name
    ('NOT_KEPT', 'BEYOND_HORIZON')
    """
    rules = _BY_NAME.get(ALIASES.get(name, name))
    if rules is None:
        return Absent.UNKNOWN
    rule = rules.get(market) or rules.get(_EVERYWHERE)
    if rule is None:
        return Absent.NOT_KEPT
    found = rule(year, market)
    return Absent.BEYOND_HORIZON if found is None else day_on(found)


def next_before(
    name: str, market: str, zone: Zone, after_ms: int, minute: int, days_before: int = 1
) -> Coming | Absent:
    """First moment later than `after_ms` that is so many days before the holiday, at that minute.

    The eve is `days_before` 1, the holiday itself 0. The days are those of the customer's wall:
    two customers in two zones have the same eve at two moments. At most a year of days before.
    """
    year = date_of(local_day(zone, after_ms)).year
    for one in range(year, year + _YEARS_AHEAD):
        day = holiday_in(name, market, one)
        if isinstance(day, Absent):
            return day
        at_ms = moment_of(zone, day - days_before, minute)
        if at_ms > after_ms:
            return Coming(at_ms, day, one)
    return Absent.BEYOND_HORIZON


def horizon_of(name: str, market: str) -> int | Absent | None:
    """Last year whose date is known; None where there is no last one, or why there is no date.

    >>> horizon_of("spring_festival", "TW"), horizon_of("christmas", "TW")
    (2050, None)
    """
    found = holiday_in(name, market, LAST_YEAR)
    if isinstance(found, Absent):
        return found
    beyond = holiday_in(name, market, LAST_YEAR + 1)
    return LAST_YEAR if isinstance(beyond, Absent) else None
