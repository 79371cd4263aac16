"""What a partition remembers besides its customers: its time, its adoptions, its running hour."""

import msgspec

from models.clock import DAY_MS, HOUR_MS, day_of
from models.effects import DayEnded, HourEnded
from models.events import ClockMark

HOURS_SAID_AT_MOST = 48


class PartitionClock(msgspec.Struct, array_like=True):
    """The partition's own row, kept in the changelog beside its customers'."""

    now_ms: int = 0
    wall_offset_ms: int | None = None
    hazard_version: int = 0
    orders_this_hour: int = 0
    revenue_this_hour_cents: int = 0


def count_order(clock: PartitionClock, total_cents: int) -> None:
    """Count an order in the running hour."""
    clock.orders_this_hour += 1
    clock.revenue_this_hour_cents += total_cents


def is_news(clock: PartitionClock, mark: ClockMark) -> bool:
    """Whether the mark moves this partition's time; one at or before it does nothing."""
    return mark.at_ms > clock.now_ms


def advance(
    clock: PartitionClock, mark: ClockMark, partition: int, partitions: int
) -> list[HourEnded | DayEnded]:
    """Move to the mark's time and say which hours and which day that ended.

    After a jump over several days only the newest ended day is said: it stands for those before.
    """
    before_ms, clock.now_ms = clock.now_ms, mark.at_ms
    if mark.wall_offset_ms is not None:
        clock.wall_offset_ms = mark.wall_offset_ms
    if not before_ms:
        return []
    ended: list[HourEnded | DayEnded] = []
    first_hour = before_ms // HOUR_MS
    last_hour = mark.at_ms // HOUR_MS
    for hour in range(max(first_hour, last_hour - HOURS_SAID_AT_MOST), last_hour):
        is_running = hour == first_hour
        ended.append(
            HourEnded(
                partition=partition,
                partitions=partitions,
                hour_ms=hour * HOUR_MS,
                orders=clock.orders_this_hour if is_running else 0,
                revenue_cents=clock.revenue_this_hour_cents if is_running else 0,
            )
        )
    if last_hour > first_hour:
        clock.orders_this_hour = clock.revenue_this_hour_cents = 0
    if day_of(mark.at_ms) > day_of(before_ms):
        ended.append(
            DayEnded(partition=partition, partitions=partitions, day=mark.at_ms // DAY_MS - 1)
        )
    return ended
