"""Days of the year that are a customer's own: birthdays, and the day of the first order.

They come round on the customer's wall (models/local_time.py). 29 February is kept on 28 February
in years without it, or on 1 March where a shop prefers it. The day itself, the day it began, is no
anniversary. A birthday is read only where it can mean but one day: year first, or month and day
alone; "03/05/1990" is March to some and May to others, and what systems write for "unknown" (the
first of January of 1, 1900 or 1970) would congratulate thousands on one day.
"""

import re
from datetime import UTC, date, datetime, timedelta
from enum import Enum
from typing import NamedTuple

from models.local_time import Zone, date_of, day_on, local_day, moment_of

_OLDEST_YEARS = 120
# Apple's and others' years of a birthday whose year was not told; both have a 29 February.
_YEARS_UNTOLD = (0, 4, 1604)
_PLACEHOLDERS = {(1, 1, 1), (1900, 1, 1), (1970, 1, 1), (1899, 12, 30), (1899, 12, 31)}
_CHARS_AT_MOST = 40
_SEPARATED = re.compile(r"([0-9]{4})([-/.])([0-9]{1,2})\2([0-9]{1,2})")
_TOGETHER = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})")
_CHINESE = re.compile(r"(?:([0-9]{4})年)?([0-9]{1,2})月([0-9]{1,2})[日号號]")
_WITHOUT_YEAR = re.compile(r"(?:--)?([0-9]{2})-([0-9]{2})")
_TIMED = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:.+")


class LeapDay(Enum):
    """When 29 February is kept in a year without one."""

    FEBRUARY_28 = "02-28"
    MARCH_1 = "03-01"


class Origin(NamedTuple):
    """The day that comes round; `year` 0: not told."""

    year: int
    month: int
    day: int


class Unread(Enum):
    """Why a birthday is none."""

    NO_DATE = "it is no date that can be read in one way only"
    PLACEHOLDER = "it is what systems write for an unknown date"
    IMPLAUSIBLE = "nobody alive was born then"


class Anniversary(NamedTuple):
    """A moment ahead of or on the day; `years` since the origin (an age), 0 where not told.

    `year` is the calendar year of the day itself: with it an occasion is once a year.
    """

    at_ms: int
    day: int
    year: int
    years: int


def birthday_of(value: object, zone: Zone, now_ms: int) -> Origin | Unread:
    """Read a birthday as customers' traits hold it.

    A date with a time is taken for a midnight somewhere: where it is midnight on the customer's
    wall, that day; else the day as it is written.

    >>> from models.local_time import zone_of
    >>> taipei = zone_of("Asia/Taipei")
    >>> birthday_of("1990-03-05", taipei, 1_770_000_000_000)
    Origin(year=1990, month=3, day=5)
    >>> birthday_of("1990-03-04T16:00:00Z", taipei, 1_770_000_000_000).day
    5
    >>> birthday_of("05/03/1990", taipei, 1_770_000_000_000)
    <Unread.NO_DATE: 'it is no date that can be read in one way only'>
    """
    parts = _parts_of(value, zone)
    if parts is None:
        return Unread.NO_DATE
    year, month, day = parts
    if (year, month, day) in _PLACEHOLDERS:
        return Unread.PLACEHOLDER
    if year in _YEARS_UNTOLD:
        year = 0
    try:
        born = date(year or 2000, month, day)
    except ValueError:
        return Unread.NO_DATE
    today = date_of(local_day(zone, now_ms))
    if year and not (today.year - _OLDEST_YEARS <= year and born <= today):
        return Unread.IMPLAUSIBLE
    return Origin(year, month, day)


def _parts_of(value: object, zone: Zone) -> tuple[int, int, int] | None:
    """Year, month and day as written; year 0 where there is none."""
    if type(value) is int:
        value = str(value)
    if not isinstance(value, str) or len(value) > _CHARS_AT_MOST:
        return None
    text = value.strip()
    if _TIMED.fullmatch(text):
        return _day_of_time(text, zone)
    if found := _SEPARATED.fullmatch(text):
        return int(found[1]), int(found[3]), int(found[4])
    if found := _TOGETHER.fullmatch(text):
        return int(found[1]), int(found[2]), int(found[3])
    if found := _CHINESE.fullmatch(text):
        return int(found[1] or 0), int(found[2]), int(found[3])
    if found := _WITHOUT_YEAR.fullmatch(text):
        return 0, int(found[1]), int(found[2])
    return None


def _day_of_time(text: str, zone: Zone) -> tuple[int, int, int] | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if moment.tzinfo is not None and moment.time() != datetime.min.time():
        at_ms = int(moment.timestamp() * 1_000)
        try:
            local = moment.astimezone(UTC) + timedelta(milliseconds=zone.offset_ms(at_ms))
        except OverflowError:
            local = moment
        if local.time() == datetime.min.time():
            moment = local
    return moment.year, moment.month, moment.day


def origin_at(zone: Zone, at_ms: int) -> Origin:
    """Give the day of a moment, such as a first order, on the customer's wall.

    >>> from models.local_time import zone_of
    >>> origin_at(zone_of("Asia/Taipei"), 1_770_000_000_000)
    Origin(year=2026, month=2, day=2)
    """
    on = date_of(local_day(zone, at_ms))
    return Origin(on.year, on.month, on.day)


def day_in(origin: Origin, year: int, leap_day: LeapDay = LeapDay.FEBRUARY_28) -> int:
    """Day on which it comes round in a year (models/local_time.py).

    >>> date_of(day_in(Origin(2004, 2, 29), 2027)).isoformat()
    '2027-02-28'
    >>> date_of(day_in(Origin(2004, 2, 29), 2027, LeapDay.MARCH_1)).isoformat()
    '2027-03-01'
    """
    if (origin.month, origin.day) == (2, 29):
        march = day_on(date(year, 3, 1))
        # The day before March is the 29th where there is one.
        is_leap = date_of(march - 1).day == 29
        return march if leap_day is LeapDay.MARCH_1 and not is_leap else march - 1
    return day_on(date(year, origin.month, origin.day))


def next_anniversary(
    origin: Origin,
    zone: Zone,
    after_ms: int,
    minute: int,
    days_before: int = 0,
    leap_day: LeapDay = LeapDay.FEBRUARY_28,
) -> Anniversary:
    """First moment later than `after_ms` that is so many days before the day, at that minute.

    Whether a customer had it in the year (a zone that changed, a day told late) is the caller's to
    remember, by `year`. The origin's own day is none.
    """
    year = max(date_of(local_day(zone, after_ms)).year, origin.year + 1 if origin.year else 0)
    while True:
        day = day_in(origin, year, leap_day)
        at_ms = moment_of(zone, day - days_before, minute)
        if at_ms > after_ms:
            return Anniversary(at_ms, day, year, year - origin.year if origin.year else 0)
        year += 1


def is_on(origin: Origin, zone: Zone, at_ms: int, leap_day: LeapDay = LeapDay.FEBRUARY_28) -> bool:
    """Whether it is the day now on the customer's wall; never on the origin's own day."""
    today = local_day(zone, at_ms)
    year = date_of(today).year
    return year != origin.year and day_in(origin, year, leap_day) == today
