"""Where a customer is at home, and until when it is quiet there."""

from random import Random
from typing import Any

import pytest

from models.clock import DAY_MS, HOUR_MS, MINUTE_MS
from models.customer import Customer
from models.local_time import moment_of, zone_of
from models.playbook.fields import MESSAGE_CHANNELS
from models.playbook.playbook import Playbook
from models.playbook.shop import QuietHours, Shop
from models.triggers.places import ShopPlace, shop_place
from tests.builders import on

NIGHT = QuietHours(from_minutes=21 * 60, to_minutes=9 * 60)


def shop(*quiet: QuietHours, zone: str = "Asia/Taipei", **more: Any) -> ShopPlace:
    return shop_place(Playbook(shop=Shop(zone, "TWD", **more), quiet_hours=quiet))


def of(**traits: Any) -> Customer:
    return Customer(traits=traits)


@pytest.mark.parametrize(
    ("traits", "expected"),
    [
        ({}, ("Asia/Taipei", "zh-TW")),
        ({"timezone": "Europe/Berlin"}, ("Europe/Berlin", "zh-TW")),
        ({"time_zone": "Europe/Berlin"}, ("Europe/Berlin", "zh-TW")),
        (
            {"timezone": "America/New_York", "time_zone": "Europe/Berlin"},
            ("America/New_York", "zh-TW"),
        ),
        ({"timezone": "Mars/Olympus"}, ("Asia/Taipei", "zh-TW")),
        ({"timezone": "../etc/passwd"}, ("Asia/Taipei", "zh-TW")),
        ({"timezone": ""}, ("Asia/Taipei", "zh-TW")),
        ({"timezone": 8}, ("Asia/Taipei", "zh-TW")),
        ({"timezone": True}, ("Asia/Taipei", "zh-TW")),
        ({"locale": "en-GB"}, ("Asia/Taipei", "en-GB")),
        ({"language": "de"}, ("Asia/Taipei", "de")),
        ({"locale": 3, "language": "de"}, ("Asia/Taipei", "zh-TW")),
    ],
)
def test_a_customers_place_is_the_shops_where_its_own_is_unknown(
    traits: dict[str, Any], expected: tuple[str, str]
) -> None:
    found = shop(locale="zh-TW").of(of(**traits))
    assert (found.zone.name, found.locale) == expected


def test_customers_of_one_place_share_it() -> None:
    home = shop()
    assert home.of(of(timezone="Europe/Berlin")) is home.of(of(timezone="Europe/Berlin"))
    # The next playbook's shop may be elsewhere.
    assert shop(zone="Asia/Tokyo").of(of()).zone.name == "Asia/Tokyo"


def test_a_playbook_that_says_nothing_lives_in_utc_and_is_never_quiet() -> None:
    home = shop_place(Playbook())
    assert home.of(of()) == (zone_of("UTC"), "en")
    assert all(home.quiet_until(of(), name, 0) is None for name in MESSAGE_CHANNELS)


@pytest.mark.parametrize(
    ("day", "clock", "until"),
    [
        ("2026-02-10", (20, 59), None),
        ("2026-02-10", (21, 0), ("2026-02-11", (9, 0))),
        ("2026-02-10", (23, 59), ("2026-02-11", (9, 0))),
        ("2026-02-11", (0, 0), ("2026-02-11", (9, 0))),
        ("2026-02-11", (8, 59), ("2026-02-11", (9, 0))),
        ("2026-02-11", (9, 0), None),
        ("2026-12-31", (22, 0), ("2027-01-01", (9, 0))),
    ],
)
@pytest.mark.parametrize("zone", ["Asia/Taipei", "America/New_York", "Pacific/Apia"])
def test_quiet_hours_over_midnight_hold_until_the_morning(
    zone: str, day: str, clock: tuple[int, int], until: tuple[str, tuple[int, int]] | None
) -> None:
    at_ms = on(zone, day, *clock)
    expected = None if until is None else on(zone, until[0], *until[1])
    assert shop(NIGHT).quiet_until(of(timezone=zone), "email", at_ms) == expected


def test_the_last_millisecond_before_quiet_hours_and_of_them() -> None:
    home, evening, morning = shop(NIGHT), on("UTC", "2026-02-10", 13), on("UTC", "2026-02-11", 1)
    assert home.quiet_until(of(), "email", evening - 1) is None
    assert home.quiet_until(of(), "email", evening) == morning
    assert home.quiet_until(of(), "email", morning - 1) == morning
    assert home.quiet_until(of(), "email", morning) is None


@pytest.mark.parametrize(
    ("quiet", "at_utc", "until_utc"),
    [
        # New York, 8 March 2026: 02:00 EST is 03:00 EDT, at 07:00 UTC; the night lasts 11 hours.
        ((21, 9), ("2026-03-08", 2, 0), ("2026-03-08", 13, 0)),
        # Quiet until 02:30, which the wall skips: over at the first moment after the gap.
        ((22, 2.5), ("2026-03-08", 6, 0), ("2026-03-08", 7, 0)),
        # Quiet hours that fall into the gap whole never come that night.
        ((2, 3), ("2026-03-08", 7, 0), None),
        # 1 November 2026: 02:00 EDT is 01:00 EST, at 06:00 UTC; the night lasts 13 hours.
        ((21, 9), ("2026-11-01", 1, 0), ("2026-11-01", 14, 0)),
        # Quiet until 01:30, which comes twice: over at the first, at 05:30 UTC ...
        ((22, 1.5), ("2026-11-01", 4, 0), ("2026-11-01", 5, 30)),
        # ... and quiet again from the repeated 01:00 to the second 01:30.
        ((22, 1.5), ("2026-11-01", 6, 10), ("2026-11-01", 6, 30)),
        ((22, 1.5), ("2026-11-01", 5, 45), None),
    ],
)
def test_quiet_hours_are_what_the_wall_shows_when_clocks_change(
    quiet: tuple[float, float],
    at_utc: tuple[str, int, int],
    until_utc: tuple[str, int, int] | None,
) -> None:
    hours = QuietHours(from_minutes=int(quiet[0] * 60), to_minutes=int(quiet[1] * 60))
    expected = None if until_utc is None else on("UTC", *until_utc)
    found = shop(hours).quiet_until(of(timezone="America/New_York"), "sms", on("UTC", *at_utc))
    assert found == expected


def test_quiet_hours_go_by_the_shops_wall_where_it_is_said() -> None:
    by_shop = QuietHours(from_minutes=21 * 60, to_minutes=9 * 60, clock="shop")
    berlin = of(timezone="Europe/Berlin")
    # Taipei's noon is Berlin's early morning.
    noon = on("Asia/Taipei", "2026-02-10", 12)
    assert shop(by_shop).quiet_until(berlin, "email", noon) is None
    assert shop(NIGHT).quiet_until(berlin, "email", noon) == on("Europe/Berlin", "2026-02-10", 9)


def test_each_channel_has_its_own_quiet_hours() -> None:
    loud = QuietHours(from_minutes=18 * 60, to_minutes=10 * 60, channels=("sms", "push"))
    home, evening = shop(NIGHT, loud), on("Asia/Taipei", "2026-02-10", 19)
    assert home.quiet_until(of(), "email", evening) is None
    assert home.quiet_until(of(), "sms", evening) == on("Asia/Taipei", "2026-02-11", 10)
    assert shop(loud).quiet_until(of(), "email", evening + 4 * HOUR_MS) is None
    assert home.quiet_until(of(), "no such channel", evening + 4 * HOUR_MS) is None


def test_windows_that_touch_are_one() -> None:
    lunch = QuietHours(from_minutes=9 * 60, to_minutes=10 * 60)
    late = QuietHours(from_minutes=10 * 60, to_minutes=10 * 60 + 30)
    for windows in ((NIGHT, lunch, late), (late, lunch, NIGHT)):
        found = shop(*windows).quiet_until(of(), "email", on("Asia/Taipei", "2026-02-10", 22))
        assert found == on("Asia/Taipei", "2026-02-11", 10, 30)


def test_windows_that_leave_no_minute_free_keep_holding() -> None:
    day = QuietHours(from_minutes=9 * 60, to_minutes=21 * 60)
    home, at_ms = shop(NIGHT, day), on("Asia/Taipei", "2026-02-10", 22)
    until_ms = home.quiet_until(of(), "email", at_ms)
    assert until_ms is not None
    assert at_ms + 2 * DAY_MS <= until_ms <= at_ms + 3 * DAY_MS
    assert home.quiet_until(of(), "email", until_ms) is not None


def test_quiet_hours_of_no_length_are_none() -> None:
    nothing = QuietHours(from_minutes=9 * 60, to_minutes=9 * 60)
    for minute in range(0, 1_440, 30):
        at_ms = moment_of(zone_of("Asia/Taipei"), 20_000, minute)
        assert shop(nothing).quiet_until(of(), "email", at_ms) is None


def test_what_is_held_is_free_when_it_comes_up_again() -> None:
    home = shop(NIGHT, QuietHours(from_minutes=12 * 60, to_minutes=13 * 60, clock="shop"))
    for zone in ("Asia/Taipei", "America/New_York", "Europe/Berlin", "Australia/Lord_Howe"):
        customer = of(timezone=zone)
        # A year of quarter hours, so both changes of clocks are among them.
        for at_ms in range(on("UTC", "2026-01-01"), on("UTC", "2027-01-01"), 47 * 15 * MINUTE_MS):
            until_ms = home.quiet_until(customer, "email", at_ms)
            if until_ms is not None:
                assert until_ms > at_ms
                assert home.quiet_until(customer, "email", until_ms) is None
                assert home.quiet_until(customer, "email", until_ms - 1) == until_ms


@pytest.mark.parametrize(
    "zone", ["Asia/Taipei", "Europe/Berlin", "America/New_York", "Pacific/Apia"]
)
def test_what_was_found_of_a_channel_before_changes_no_answer(zone: str) -> None:
    windows = NIGHT, QuietHours(from_minutes=12 * 60, to_minutes=13 * 60, clock="shop")
    home, chance = shop(*windows, zone="Asia/Tokyo"), Random(1)
    at_ms = on("UTC", "2011-10-20")
    for _ in range(4_000):
        # Hours on, with steps back as of late events; over a year of changed clocks.
        at_ms += chance.choice((-5 * HOUR_MS, 0, 30 * MINUTE_MS - 1, 3 * HOUR_MS, 14 * HOUR_MS))
        fresh = shop(*windows, zone="Asia/Tokyo")
        asked = of(timezone=zone)
        assert home.quiet_until(asked, "email", at_ms) == fresh.quiet_until(asked, "email", at_ms)
    assert at_ms > on("UTC", "2012-10-20")
