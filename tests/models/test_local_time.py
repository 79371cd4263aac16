"""What the clock on the wall shows, and when."""

import os
import random
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from importlib.resources import files
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from models import local_time
from models.clock import DAY_MS, HOUR_MS, MINUTE_MS
from models.local_time import (
    QuietHours,
    Zone,
    date_of,
    day_on,
    exists,
    free_until,
    held_until,
    is_quiet,
    is_zone,
    local_day,
    local_minute,
    minute_of,
    moment_of,
    next_time,
    same_time_next_day,
    zone_of,
)

NAMES = files("tzdata").joinpath("zones").read_text().split()
NEW_YORK, BERLIN, TAIPEI = "America/New_York", "Europe/Berlin", "Asia/Taipei"
NIGHT = QuietHours(22 * 60, 8 * 60)


def ms(text: str) -> int:
    """A moment written with its offset, or in UTC."""
    moment = datetime.fromisoformat(text)
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def minute(text: str) -> int:
    found = minute_of(text)
    assert found is not None
    return found


def day(text: str) -> int:
    return day_on(date.fromisoformat(text))


def database(name: str) -> ZoneInfo:
    with files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as file:
        return ZoneInfo.from_file(file, key=name)


def test_a_zone_is_the_releases_and_not_the_machines(tmp_path: Path) -> None:
    """A machine where Taipei is somewhere else replays a log as all others do."""
    (tmp_path / "Asia").mkdir()
    tokyo = files("tzdata").joinpath("zoneinfo", "Asia", "Tokyo").read_bytes()
    (tmp_path / "Asia" / "Taipei").write_bytes(tokyo)
    code = (
        "from zoneinfo import ZoneInfo; from datetime import datetime;"
        "from models.local_time import zone_of;"
        "print(datetime(2026, 1, 1, tzinfo=ZoneInfo('Asia/Taipei')).utcoffset().seconds // 3600,"
        " zone_of('Asia/Taipei').offset_ms(0) // 3_600_000)"
    )
    environment = os.environ | {"PYTHONTZPATH": str(tmp_path)}
    said = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert said.stdout.split() == ["9", "8"]


def test_every_zone_shows_what_the_database_says() -> None:
    chance = random.Random(5)
    for name in NAMES:
        zone, info = zone_of(name), database(name)
        assert zone.name == name
        for _ in range(10):
            at_ms = chance.randrange(ms("1970-01-01"), ms("2060-01-01"))
            wall = datetime.fromtimestamp(at_ms // 1000, info)
            assert local_day(zone, at_ms) == day_on(wall.date())
            assert local_minute(zone, at_ms) == wall.hour * 60 + wall.minute


@pytest.mark.parametrize("name", [*NAMES[::25], "Africa/Casablanca", "Asia/Gaza", "America/Recife"])
def test_every_change_of_a_zone_is_found_to_the_second(name: str) -> None:
    zone, info = zone_of(name), database(name)
    at_ms, end_ms = ms("1999-01-01"), ms("2030-01-01")
    while (change_ms := zone.next_change_ms(at_ms, end_ms)) is not None:
        before, after = (
            datetime.fromtimestamp(second, info).utcoffset()
            for second in (change_ms // 1000 - 1, change_ms // 1000)
        )
        assert before != after
        hours = range(at_ms, change_ms, 12 * HOUR_MS)
        assert {datetime.fromtimestamp(one // 1000, info).utcoffset() for one in hours} == {before}
        at_ms = change_ms
    hours = range(at_ms, end_ms, 12 * HOUR_MS)
    assert len({datetime.fromtimestamp(one // 1000, info).utcoffset() for one in hours}) == 1


@pytest.mark.parametrize("hour", [-1, 0, 1])
def test_a_change_beyond_the_asked_time_is_not_there_yet(hour: int) -> None:
    change_ms = ms("2026-03-08T07:00")
    found = zone_of(NEW_YORK).next_change_ms(ms("2026-02-01"), change_ms + hour * HOUR_MS)
    assert found == (None if hour < 0 else change_ms)


def test_no_two_changes_are_so_near_that_a_day_could_hide_them() -> None:
    for name in NAMES[::20]:
        zone, at_ms = zone_of(name), ms("1995-01-01")
        while (change_ms := zone.next_change_ms(at_ms, ms("2015-01-01"))) is not None:
            after_ms = zone.next_change_ms(change_ms, change_ms + 2 * DAY_MS)
            assert after_ms is None, name
            at_ms = change_ms


@pytest.mark.parametrize(
    ("zone", "on", "at", "expected"),
    [
        (TAIPEI, "2026-02-16", "10:00", "2026-02-16T10:00+08:00"),
        (BERLIN, "2026-07-01", "00:00", "2026-07-01T00:00+02:00"),
        # The hour from two to three is skipped: the first moment after it.
        (NEW_YORK, "2026-03-08", "01:59", "2026-03-08T01:59-05:00"),
        (NEW_YORK, "2026-03-08", "02:00", "2026-03-08T03:00-04:00"),
        (NEW_YORK, "2026-03-08", "02:59", "2026-03-08T03:00-04:00"),
        (NEW_YORK, "2026-03-08", "03:00", "2026-03-08T03:00-04:00"),
        (BERLIN, "2026-03-29", "02:30", "2026-03-29T03:00+02:00"),
        # The hour from one to two comes twice: the first time.
        (NEW_YORK, "2026-11-01", "00:59", "2026-11-01T00:59-04:00"),
        (NEW_YORK, "2026-11-01", "01:00", "2026-11-01T01:00-04:00"),
        (NEW_YORK, "2026-11-01", "01:59", "2026-11-01T01:59-04:00"),
        (NEW_YORK, "2026-11-01", "02:00", "2026-11-01T02:00-05:00"),
        (BERLIN, "2026-10-25", "02:30", "2026-10-25T02:30+02:00"),
        # Half an hour, and a midnight that is skipped or comes twice.
        ("Australia/Lord_Howe", "2026-10-04", "02:10", "2026-10-04T02:30+11:00"),
        ("America/Sao_Paulo", "2018-11-04", "00:00", "2018-11-04T01:00-02:00"),
        ("America/Havana", "2026-11-01", "00:30", "2026-11-01T00:30-04:00"),
        ("America/Nuuk", "2026-03-28", "23:30", "2026-03-29T00:00-01:00"),
        # A day that was skipped whole.
        ("Pacific/Apia", "2011-12-30", "10:00", "2011-12-31T00:00+14:00"),
        ("Asia/Kathmandu", "2026-01-01", "12:00", "2026-01-01T12:00+05:45"),
    ],
)
def test_a_time_on_the_wall_is_one_moment(zone: str, on: str, at: str, expected: str) -> None:
    assert moment_of(zone_of(zone), day(on), minute(at)) == ms(expected)


@pytest.mark.parametrize(
    ("zone", "after", "at", "expected"),
    [
        (TAIPEI, "2026-02-16T09:59:59.999+08:00", "10:00", "2026-02-16T10:00+08:00"),
        (TAIPEI, "2026-02-16T10:00+08:00", "10:00", "2026-02-17T10:00+08:00"),
        (TAIPEI, "2026-12-31T23:30+08:00", "00:00", "2027-01-01T00:00+08:00"),
        (NEW_YORK, "2026-03-08T01:30-05:00", "02:30", "2026-03-08T03:00-04:00"),
        (NEW_YORK, "2026-03-08T03:00-04:00", "02:30", "2026-03-09T02:30-04:00"),
        (NEW_YORK, "2026-10-31T12:00-04:00", "01:30", "2026-11-01T01:30-04:00"),
        # Said once although the time comes twice.
        (NEW_YORK, "2026-11-01T01:30-04:00", "01:30", "2026-11-02T01:30-05:00"),
        (NEW_YORK, "2026-11-01T01:10-05:00", "01:30", "2026-11-02T01:30-05:00"),
        ("America/Sao_Paulo", "2018-11-03T12:00-03:00", "00:00", "2018-11-04T01:00-02:00"),
        ("America/Nuuk", "2026-03-28T22:30-02:00", "23:30", "2026-03-29T00:00-01:00"),
        # The day that Samoa skipped has no ten o'clock.
        ("Pacific/Apia", "2011-12-29T11:00-10:00", "10:00", "2011-12-31T10:00+14:00"),
        ("Pacific/Kwajalein", "1993-08-19T12:00-12:00", "08:00", "1993-08-20T08:00-12:00"),
        ("Pacific/Kwajalein", "1993-08-20T12:00-12:00", "08:00", "1993-08-22T08:00+12:00"),
    ],
)
def test_the_next_time_it_is_so_late_there(zone: str, after: str, at: str, expected: str) -> None:
    assert next_time(zone_of(zone), ms(after), minute(at)) == ms(expected)


def test_a_cadence_by_the_wall_comes_once_a_day_in_every_zone() -> None:
    chance = random.Random(9)
    for name in NAMES[::5]:
        zone, at = zone_of(name), chance.randrange(1_380)
        moment_ms = ms("2026-01-01") + chance.randrange(DAY_MS)
        days = []
        for _ in range(400):
            moment_ms = next_time(zone, moment_ms, at)
            days.append(local_day(zone, moment_ms))
        assert days == list(range(days[0], days[0] + 400)), (name, at)


def test_only_a_day_skipped_whole_does_not_exist() -> None:
    apia = zone_of("Pacific/Apia")
    found = [exists(apia, day("2011-12-28") + more) for more in range(5)]
    assert found == [True, True, False, True, True]
    assert exists(zone_of("America/Sao_Paulo"), day("2018-11-04"))


@pytest.mark.parametrize(
    ("zone", "at", "expected"),
    [
        (TAIPEI, "2026-02-16T10:00:00.123+08:00", "2026-02-17T10:00:00.123+08:00"),
        (NEW_YORK, "2026-03-07T12:00-05:00", "2026-03-08T12:00-04:00"),
        (NEW_YORK, "2026-03-07T02:30-05:00", "2026-03-08T03:00-04:00"),
        (NEW_YORK, "2026-10-31T12:00-04:00", "2026-11-01T12:00-05:00"),
        (NEW_YORK, "2026-11-01T01:30-05:00", "2026-11-02T01:30-05:00"),
        ("Pacific/Apia", "2011-12-29T10:00-10:00", "2011-12-31T00:00+14:00"),
    ],
)
def test_the_same_time_tomorrow_is_the_walls(zone: str, at: str, expected: str) -> None:
    assert same_time_next_day(zone_of(zone), ms(at)) == ms(expected)


@pytest.mark.parametrize(
    ("zone", "at", "expected"),
    [
        (TAIPEI, "2026-02-16T21:59:59.999+08:00", "2026-02-16T21:59:59.999+08:00"),
        (TAIPEI, "2026-02-16T22:00+08:00", "2026-02-17T08:00+08:00"),
        (TAIPEI, "2026-02-17T00:00+08:00", "2026-02-17T08:00+08:00"),
        (TAIPEI, "2026-02-17T07:59:59.999+08:00", "2026-02-17T08:00+08:00"),
        (TAIPEI, "2026-02-17T08:00+08:00", "2026-02-17T08:00+08:00"),
        # The night is an hour shorter, or longer.
        (NEW_YORK, "2026-03-07T23:00-05:00", "2026-03-08T08:00-04:00"),
        (NEW_YORK, "2026-10-31T23:00-04:00", "2026-11-01T08:00-05:00"),
        ("Australia/Lord_Howe", "2026-10-03T23:00+10:30", "2026-10-04T08:00+11:00"),
        ("Pacific/Apia", "2011-12-29T23:00-10:00", "2011-12-31T08:00+14:00"),
    ],
)
def test_nobody_is_written_to_at_night(zone: str, at: str, expected: str) -> None:
    assert held_until(zone_of(zone), ms(at), NIGHT) == ms(expected)


@pytest.mark.parametrize(
    ("quiet", "at", "expected"),
    [
        # The end is skipped: the first moment after the gap is not quiet.
        (("22:00", "02:30"), "2026-03-08T01:30-05:00", "2026-03-08T03:00-04:00"),
        # Quiet begins and ends within the gap: there are no quiet hours that night.
        (("02:00", "03:00"), "2026-03-08T01:59-05:00", "2026-03-08T01:59-05:00"),
        # The end comes twice: it is loud from 01:30 to 02:00 and quiet again from 01:00 to 01:30.
        (("22:00", "01:30"), "2026-11-01T00:30-04:00", "2026-11-01T01:30-04:00"),
        (("22:00", "01:30"), "2026-11-01T01:45-04:00", "2026-11-01T01:45-04:00"),
        (("22:00", "01:30"), "2026-11-01T01:00-05:00", "2026-11-01T01:30-05:00"),
        # Quiet until two: the hour that comes twice is quiet both times.
        (("22:00", "02:00"), "2026-11-01T01:59-04:00", "2026-11-01T02:00-05:00"),
        # At 01:45 the clock goes back before the end, into what is not quiet yet.
        (("01:30", "05:00"), "2026-11-01T01:45-04:00", "2026-11-01T01:00-05:00"),
    ],
)
def test_quiet_hours_are_what_the_wall_shows(
    quiet: tuple[str, str], at: str, expected: str
) -> None:
    hours = QuietHours(minute(quiet[0]), minute(quiet[1]))
    assert held_until(zone_of(NEW_YORK), ms(at), hours) == ms(expected)


def test_what_is_held_is_let_go_at_the_first_moment_that_is_not_quiet() -> None:
    chance = random.Random(11)
    for name in NAMES[::20]:
        zone = zone_of(name)
        for around in ("2026-03-08", "2026-03-29", "2026-10-25", "2026-11-01"):
            quiet = QuietHours(chance.randrange(1_440), chance.randrange(1_440))
            at_ms = ms(around) + chance.randrange(DAY_MS) // MINUTE_MS * MINUTE_MS
            until_ms = held_until(zone, at_ms, quiet)
            assert not is_quiet(quiet, local_minute(zone, until_ms))
            before = range(at_ms, until_ms, MINUTE_MS)
            assert all(is_quiet(quiet, local_minute(zone, one)) for one in before)


def test_what_is_free_stays_so_for_as_long_as_is_said_and_ends_with_the_night() -> None:
    chance = random.Random(12)
    ended = 0
    for name in NAMES[::20]:
        zone = zone_of(name)
        for around in ("2026-03-08", "2026-03-29", "2026-10-25", "2026-11-01"):
            quiet = QuietHours(chance.randrange(1_440), chance.randrange(1_440))
            at_ms = held_until(zone, ms(around) + chance.randrange(DAY_MS), quiet)
            until_ms = free_until(zone, at_ms, quiet)
            assert at_ms < until_ms <= at_ms + DAY_MS
            during = [*range(at_ms, until_ms, MINUTE_MS), until_ms - 1]
            assert not any(is_quiet(quiet, local_minute(zone, one)) for one in during)
            ended += is_quiet(quiet, local_minute(zone, until_ms))
    assert ended > 100


def test_quiet_hours_of_no_length_hold_nothing() -> None:
    at_ms = ms("2026-02-16T22:00+08:00")
    for hour in range(24):
        assert held_until(zone_of(TAIPEI), at_ms, QuietHours(hour * 60, hour * 60)) == at_ms


@pytest.mark.parametrize(
    "name",
    [
        "",
        "Mars/Olympus",
        "asia/taipei",
        "America",
        "/etc/localtime",
        "localtime",
        "posixrules",
        "right/UTC",
        "posix/UTC",
        "../../etc/passwd",
        "Asia/../Asia/Taipei",
        "Asia/Taipei\n",
        "Asia/Tai\x00pei",
        "A" * 5_000,
        "台北",
        "+08:00",
    ],
)
def test_an_unknown_zone_is_the_shops(name: str) -> None:
    assert zone_of(name, TAIPEI).name == TAIPEI
    assert not is_zone(name)


def test_without_any_known_zone_it_is_utc() -> None:
    assert zone_of("Nowhere", "Nowhere/Else").name == "UTC"


def test_a_zone_is_looked_up_once() -> None:
    assert zone_of(TAIPEI, "UTC") is zone_of(TAIPEI, BERLIN)


def test_what_a_zone_remembers_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_time, "_PERIODS_KEPT", 8)
    zone = Zone(BERLIN, database(BERLIN))
    for month in range(100):
        assert zone.offset_ms(ms("2000-01-01") + month * 30 * DAY_MS) in (HOUR_MS, 2 * HOUR_MS)
        assert len(zone._periods) <= 8


@pytest.mark.parametrize("at_ms", [-(10**15), -62_135_596_800_000, 253_402_300_799_999, 10**15])
def test_times_that_no_calendar_has_do_no_harm(at_ms: int) -> None:
    zone = zone_of(TAIPEI)
    assert abs(local_day(zone, at_ms) - at_ms // DAY_MS) <= 1
    assert at_ms < next_time(zone, at_ms, 600) <= at_ms + 2 * DAY_MS


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("00:00", 0),
        ("8:05", 485),
        ("23:59", 1_439),
        ("24:00", 0),
        ("24:01", None),
        ("25:00", None),
        ("12:60", None),
        ("12", None),
        ("12:5", None),
        ("12:05 ", None),
        ("１２:05", None),
        ("-1:00", None),
        ("", None),
    ],
)
def test_a_time_of_day_is_hours_and_minutes(text: str, expected: int | None) -> None:
    assert minute_of(text) == expected


def test_a_day_has_its_date_and_a_date_its_day() -> None:
    assert day_on(date(1970, 1, 1)) == 0
    for one in range(-800, 30_000, 17):
        assert day_on(date_of(one)) == one
