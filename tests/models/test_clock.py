"""The log's own time."""

import msgspec
import pytest

from models.clock import DAY_MS, LogClock, day_of


@pytest.mark.parametrize(
    ("clock", "wall_ms", "now_ms"),
    [
        (LogClock(), 5_000, 5_000),
        (LogClock(mode="wall", wall_offset_ms=-1_000), 5_000, 4_000),
        (LogClock(mode="wall", wall_offset_ms=-1_000, at_ms=77), 5_000, 4_000),
        (LogClock(mode="replay", at_ms=77), 5_000, 77),
        (LogClock(mode="replay", at_ms=77, wall_offset_ms=9), 6_000, 77),
    ],
)
def test_a_replay_stops_the_clock_and_the_wall_runs_it(
    clock: LogClock, wall_ms: int, now_ms: int
) -> None:
    assert clock.now_ms(wall_ms) == now_ms


def test_the_clock_goes_over_the_control_topic() -> None:
    clock = LogClock(mode="replay", at_ms=77)
    assert msgspec.json.decode(msgspec.json.encode(clock), type=LogClock) == clock
    assert msgspec.json.decode(b"{}", type=LogClock) == LogClock()


@pytest.mark.parametrize(("at_ms", "day"), [(0, 0), (DAY_MS - 1, 0), (DAY_MS, 1), (-1, -1)])
def test_a_day_is_a_day_of_utc(at_ms: int, day: int) -> None:
    assert day_of(at_ms) == day
