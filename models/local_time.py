"""What a clock on the wall shows in a time zone, and when it will show something again.

Moments are milliseconds since the epoch, UTC; days are counted from 1970-01-01 in the zone; minutes
from local midnight. Where clocks are changed:

- a time that is skipped in spring counts as the first moment after the gap;
- a time that comes twice in autumn counts once, the first time;
- a day that a zone skipped whole (Samoa, 30 December 2011) is no day on which anything falls;
- quiet hours are what the wall shows: they may end twice in a night in which an hour comes twice.

The time zone database is the one that comes with the release (package tzdata), never the machine's:
two machines must not differ about a log they both replay.

A zone's offset is looked up once for a period of weeks, day by day: in none of the database's zones
did one ever change within a day of another change since 1970.
"""

import re
from bisect import bisect_right
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from importlib.resources import files
from io import BytesIO
from typing import NamedTuple
from zoneinfo import ZoneInfo

from models.clock import DAY_MS, MINUTE_MS

DAY_MINUTES = 1_440
_PERIOD_MS = 32 * DAY_MS
# More than a century and a half of a zone; what is asked beyond that only costs time.
_PERIODS_KEPT = 2_048
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
_FIRST_MS = -62_135_000_000_000
_LAST_MS = 253_402_000_000_000
# No "localtime" (it is the machine's), no "posix/" and "right/" (they count leap seconds).
_NAME = re.compile(r"[A-Z][A-Za-z0-9_+-]{0,31}(/[A-Za-z0-9_+-]{1,31}){0,2}")
_TIME_OF_DAY = re.compile(r"([01]?[0-9]|2[0-4]):([0-5][0-9])")


class _Span(NamedTuple):
    """Offsets within a period: `offsets_ms[i]` holds from `from_ms[i]` on."""

    from_ms: list[int]
    offsets_ms: list[int]


class Zone:
    """One time zone with what was looked up of it; the same object serves every customer there."""

    __slots__ = ("_info", "_periods", "name")

    def __init__(self, name: str, info: ZoneInfo) -> None:
        self.name = name
        self._info = info
        self._periods: dict[int, int | _Span] = {}

    def offset_ms(self, at_ms: int) -> int:
        """How far the wall is ahead of UTC at a moment.

        >>> zone_of("Asia/Taipei").offset_ms(0) // 3_600_000
        8
        """
        found = self._periods.get(at_ms // _PERIOD_MS)
        if found is None:
            found = self._look_up(at_ms // _PERIOD_MS)
        if isinstance(found, int):
            return found
        return found.offsets_ms[bisect_right(found.from_ms, at_ms) - 1]

    def next_change_ms(self, at_ms: int, until_ms: int) -> int | None:
        """First moment later than `at_ms`, and not later than `until_ms`, with another offset."""
        before = self.offset_ms(at_ms)
        for period in range(at_ms // _PERIOD_MS, until_ms // _PERIOD_MS + 1):
            start_ms = max(at_ms, period * _PERIOD_MS)
            if self.offset_ms(start_ms) != before:
                return start_ms
            found = self._periods[period]
            if isinstance(found, _Span):
                at = bisect_right(found.from_ms, start_ms)
                if at < len(found.from_ms):
                    return found.from_ms[at] if found.from_ms[at] <= until_ms else None
        return None

    def _look_up(self, period: int) -> "int | _Span":
        start_ms = period * _PERIOD_MS
        from_ms, offsets = [start_ms], [self._ask(start_ms)]
        for day in range(1, _PERIOD_MS // DAY_MS + 1):
            before_ms, day_ms = start_ms + (day - 1) * DAY_MS, start_ms + day * DAY_MS
            offset = self._ask(day_ms)
            if offset != offsets[-1]:
                change_ms = self._bisect(before_ms, day_ms, offset)
                if change_ms < start_ms + _PERIOD_MS:
                    from_ms.append(change_ms)
                    offsets.append(offset)
        found = offsets[0] if len(offsets) == 1 else _Span(from_ms, offsets)
        if len(self._periods) >= _PERIODS_KEPT:
            self._periods.clear()
        self._periods[period] = found
        return found

    def _bisect(self, low_ms: int, high_ms: int, offset_ms: int) -> int:
        """First moment with the new offset; changes fall on whole seconds."""
        low, high = low_ms // 1000, high_ms // 1000
        while high - low > 1:
            middle = (low + high) // 2
            if self._ask(middle * 1000) == offset_ms:
                high = middle
            else:
                low = middle
        return high * 1000

    def _ask(self, at_ms: int) -> int:
        """Ask the time zone database; beyond the years 1 to 9999 the last offset stays."""
        moment = _EPOCH + timedelta(milliseconds=min(max(at_ms, _FIRST_MS), _LAST_MS))
        offset = moment.astimezone(self._info).utcoffset()
        return 0 if offset is None else offset // timedelta(milliseconds=1)


@lru_cache(maxsize=4_096)
def zone_of(name: str, shop: str = "UTC") -> Zone:
    """Give the zone of that IANA name; the shop's where the name is none, else UTC.

    >>> zone_of("Mars/Olympus", shop="Asia/Taipei").name
    'Asia/Taipei'
    """
    return _zone_named(name) or _zone_named(shop) or _load("UTC")


def is_zone(name: str) -> bool:
    """Whether there is such a zone.

    >>> is_zone("Europe/Berlin"), is_zone("Berlin"), is_zone("../etc/passwd")
    (True, False, False)
    """
    return _zone_named(name) is not None


def zone_names() -> tuple[str, ...]:
    """All zones there are, by name."""
    return tuple(sorted(_names()))


def _zone_named(name: str) -> Zone | None:
    return _load(name) if _NAME.fullmatch(name) and name in _names() else None


@lru_cache(maxsize=1_024)
def _load(name: str) -> Zone:
    raw = files("tzdata").joinpath("zoneinfo", *name.split("/")).read_bytes()
    return Zone(name, ZoneInfo.from_file(BytesIO(raw), key=name))


@lru_cache(maxsize=1)
def _names() -> frozenset[str]:
    return frozenset(files("tzdata").joinpath("zones").read_text().split())


def minute_of(text: str) -> int | None:
    """Take a time of day, "HH:MM", as minutes since midnight; None for what is none.

    "24:00" is the midnight that ends a day, and so the same as "00:00".

    >>> minute_of("09:30"), minute_of("24:00"), minute_of("9.30")
    (570, 0, None)
    """
    found = _TIME_OF_DAY.fullmatch(text)
    if not found:
        return None
    minute = int(found[1]) * 60 + int(found[2])
    return minute % DAY_MINUTES if minute <= DAY_MINUTES else None


def local_day(zone: Zone, at_ms: int) -> int:
    """Day on the wall's calendar, counted from 1970-01-01."""
    return (at_ms + zone.offset_ms(at_ms)) // DAY_MS


def local_minute(zone: Zone, at_ms: int) -> int:
    """Minute of the day on the wall, 0 to 1439."""
    return (at_ms + zone.offset_ms(at_ms)) % DAY_MS // MINUTE_MS


def date_of(day: int) -> date:
    """Calendar date of a day.

    >>> date_of(day_on(date(2026, 2, 17))).isoformat()
    '2026-02-17'
    """
    return date.fromordinal(day + _EPOCH_ORDINAL)


def day_on(on: date) -> int:
    """Day of a calendar date."""
    return on.toordinal() - _EPOCH_ORDINAL


def moment_of(zone: Zone, day: int, minute: int = 0) -> int:
    """When the wall shows that day and minute: first time of two, first moment after a gap.

    >>> moment_of(zone_of("Asia/Taipei"), 0, 480)
    0
    """
    return _moment(zone, day * DAY_MS + minute * MINUTE_MS)


def next_time(zone: Zone, after_ms: int, minute: int) -> int:
    """First moment later than `after_ms` at which it is that time of day.

    On a day that skips the time it is the first moment after the gap.

    >>> next_time(zone_of("Asia/Taipei"), 0, 480) == DAY_MS
    True
    """
    day = local_day(zone, after_ms)
    while True:
        moment_ms = moment_of(zone, day, minute)
        if moment_ms > after_ms and (local_day(zone, moment_ms) == day or exists(zone, day)):
            return moment_ms
        day += 1


def exists(zone: Zone, day: int) -> bool:
    """Whether the zone had that day: not one that it skipped to change sides of the date line."""
    return local_day(zone, moment_of(zone, day)) == day


def same_time_next_day(zone: Zone, at_ms: int) -> int:
    """When the wall shows the same time on the next day of its calendar: 23, 24 or 25 hours on."""
    return _moment(zone, at_ms + zone.offset_ms(at_ms) + DAY_MS)


class QuietHours(NamedTuple):
    """Minutes of the day from which and until which nobody is written to; may pass midnight.

    The end itself is not quiet. Where both are the same no hour is.
    """

    from_minute: int
    until_minute: int


def is_quiet(quiet: QuietHours, minute: int) -> bool:
    """Whether a minute of the day is within quiet hours.

    >>> night = QuietHours(22 * 60, 8 * 60)
    >>> [is_quiet(night, hour * 60) for hour in (21, 22, 0, 7, 8)]
    [False, True, True, True, False]
    """
    start, end = quiet
    if start <= end:
        return start <= minute < end
    return minute >= start or minute < end


def held_until(zone: Zone, at_ms: int, quiet: QuietHours) -> int:
    """First moment from `at_ms` on that is not quiet there: `at_ms` itself when it is not."""
    while is_quiet(quiet, local_minute(zone, at_ms)):
        wall_ms = at_ms + zone.offset_ms(at_ms)
        left_ms = (quiet.until_minute * MINUTE_MS - wall_ms) % DAY_MS
        change_ms = zone.next_change_ms(at_ms, at_ms + left_ms)
        at_ms = at_ms + left_ms if change_ms is None else change_ms
    return at_ms


def free_until(zone: Zone, at_ms: int, quiet: QuietHours) -> int:
    """Until when it surely stays free there, from a moment that is not quiet.

    No later than clocks are changed, and a day at most: who asks again then hears the rest.
    """
    wall_ms = at_ms + zone.offset_ms(at_ms)
    left_ms = (quiet.from_minute * MINUTE_MS - wall_ms) % DAY_MS or DAY_MS
    change_ms = zone.next_change_ms(at_ms, at_ms + left_ms)
    return at_ms + left_ms if change_ms is None else change_ms


def _moment(zone: Zone, wall_ms: int) -> int:
    """When the wall shows so many milliseconds since its own 1970-01-01 00:00."""
    early = zone.offset_ms(wall_ms - DAY_MS)
    late = zone.offset_ms(wall_ms + DAY_MS)
    if early == late:
        return wall_ms - early
    if zone.offset_ms(wall_ms - early) == early:
        return wall_ms - early
    if zone.offset_ms(wall_ms - late) == late:
        return wall_ms - late
    change_ms = zone.next_change_ms(wall_ms - DAY_MS, wall_ms + DAY_MS)
    return wall_ms - late if change_ms is None else change_ms
