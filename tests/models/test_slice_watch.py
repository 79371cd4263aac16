"""Which slices drive a fall or a rise."""

import msgspec

from models.clock import HOUR_MS
from models.count_alarm import CountAlarm
from models.slice_watch import DRIVERS, KEPT_SLICES, Slice, drivers, take

MONDAY_MS = 4 * 24 * HOUR_MS


def watched(hours: int, counts: dict[str, int]) -> dict[str, Slice]:
    slices: dict[str, Slice] = {}
    for hour in range(hours):
        take(slices, MONDAY_MS + hour * HOUR_MS, counts, CountAlarm())
    return slices


def test_what_lacks_most_comes_first() -> None:
    slices = watched(400, {"a": 20, "b": 10, "c": 5})
    take(slices, MONDAY_MS + 400 * HOUR_MS, {"a": 2, "b": 5, "c": 5}, CountAlarm())
    assert [one.name for one in drivers(slices, of_a_fall=True)] == ["a", "b"]
    assert drivers(slices, of_a_fall=False) == []


def test_a_slice_that_is_not_told_had_none() -> None:
    slices = watched(400, {"a": 20})
    take(slices, MONDAY_MS + 400 * HOUR_MS, {}, CountAlarm())
    (driver,) = drivers(slices, of_a_fall=True)
    assert driver.actual == 0.0


def test_slices_and_drivers_are_bounded() -> None:
    many = {f"s{number}": 10 for number in range(2 * KEPT_SLICES)}
    slices = watched(300, many)
    assert len(slices) == KEPT_SLICES
    take(slices, MONDAY_MS + 300 * HOUR_MS, {}, CountAlarm())
    assert len(drivers(slices, of_a_fall=True)) == DRIVERS


def test_slices_are_the_same_bytes_once_they_were_packed() -> None:
    packed = msgspec.msgpack.encode(watched(3, {"a": 2}))
    again = msgspec.msgpack.decode(packed, type=dict[str, Slice])
    assert msgspec.msgpack.encode(again) == packed
