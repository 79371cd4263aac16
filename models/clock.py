"""The log's own time: marks move it, the wall clock only lends its speed."""

import msgspec

SECOND_MS = 1_000
MINUTE_MS = 60_000
HOUR_MS = 3_600_000
DAY_MS = 86_400_000


class LogClock(msgspec.Struct, frozen=True):
    """How to tell the log's time now; kept under the key `clock` of the control topic.

    While a replay runs (`mode` "replay") it is `at_ms`, the last mark written; afterwards (`mode`
    "wall") it runs on with the wall clock, `wall_offset_ms` away from it. Before the first event or
    replay there is no clock (`mode` "unset"): an empty log may yet be given a history.

    >>> LogClock(mode="wall", wall_offset_ms=-1000).now_ms(5000)
    4000
    >>> LogClock(mode="replay", at_ms=77).now_ms(5000)
    77
    """

    mode: str = "unset"
    wall_offset_ms: int = 0
    at_ms: int = 0

    def now_ms(self, wall_ms: int) -> int:
        """Log time at the wall time `wall_ms`."""
        return self.at_ms if self.mode == "replay" else wall_ms + self.wall_offset_ms


def day_of(at_ms: int) -> int:
    """Days since the epoch, UTC.

    >>> day_of(86_400_000 * 3 + 5)
    3
    """
    return at_ms // DAY_MS
