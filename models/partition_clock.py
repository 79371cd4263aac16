"""What a partition remembers besides its customers: its time, its adoptions, its running hour."""

from copy import copy

import msgspec

from models.budget import Slice
from models.clock import DAY_MS, HOUR_MS, day_of
from models.effects import DayEnded, HourEnded
from models.events import ClockMark
from models.hour_counts import HourCounts

HOURS_SAID_AT_MOST = 48


class Share(Slice, array_like=True, gc=False):
    """A partition's slice of a purse, and what it knows of the purse.

    `budget` is the whole of it in the edition that was looked at last, `scarce` whether the purse
    gives nothing ahead of need any more, `called` its last call for what is not spent.
    """

    budget: int = 0
    scarce: bool = False
    called: int = 0


class PartitionClock(msgspec.Struct, array_like=True):
    """The partition's own row, kept in the changelog beside its customers'.

    `versions` are the adopted ones of the models beside the hazard, `refused` the version that each
    model's newest adoption could not be given, and since when. `orders_before` and
    `revenue_before_cents` are the running hour's from a release that counted nothing else,
    `refused_version` and `refused_at_ms` the hazard's from one that had no other model. `slices` is
    what this partition has of each purse (models/partition_budgets.py), `adoptions` counts those of
    a playbook, `woken` names what customers wait for that was answered. `arming` names the last
    customer whose row was armed for an edition that was adopted, None once all are.
    `coupons_issued` numbers the coupon codes.
    """

    now_ms: int = 0
    wall_offset_ms: int | None = None
    hazard_version: int = 0
    orders_before: int = 0
    revenue_before_cents: int = 0
    running: HourCounts = msgspec.field(default_factory=HourCounts)
    refused_version: int = 0
    refused_at_ms: int = 0
    versions: dict[str, int] = {}
    refused: dict[str, tuple[int, int]] = {}
    slices: dict[str, Share] = {}
    arming: str | None = None
    coupons_issued: int = 0
    adoptions: int = 0
    woken: list[str] = []


def restored(row: bytes) -> PartitionClock:
    """Read a partition's row, of this or an earlier release."""
    clock = msgspec.msgpack.decode(row, type=PartitionClock)
    if clock.refused_version:
        clock.refused.setdefault("hazard", (clock.refused_version, clock.refused_at_ms))
        clock.refused_version = clock.refused_at_ms = 0
    return clock


def adopted(clock: PartitionClock) -> dict[str, int]:
    """Every model's adopted version, 0 where none was ever named."""
    return {"hazard": clock.hazard_version, **clock.versions}


def adopt(clock: PartitionClock, model: str, version: int) -> None:
    """Use a version from here on."""
    if model == "hazard":
        clock.hazard_version = version
    else:
        clock.versions[model] = version


def next_coupon(clock: PartitionClock) -> int:
    """Give the next coupon's number in this partition; no other coupon has or had it."""
    clock.coupons_issued += 1
    return clock.coupons_issued - 1


def copied(clock: PartitionClock) -> PartitionClock:
    """Give a clock of its own, counts and all."""
    counts = clock.running
    own = HourCounts(counts.orders, counts.revenue_cents, dict(counts.others), dict(counts.slices))
    return msgspec.structs.replace(
        clock,
        running=own,
        versions=dict(clock.versions),
        refused=dict(clock.refused),
        slices={key: copy(share) for key, share in clock.slices.items()},
        woken=list(clock.woken),
    )


def is_news(clock: PartitionClock, mark: ClockMark) -> bool:
    """Whether the mark moves this partition's time; one at or before it does nothing."""
    return mark.at_ms > clock.now_ms


def advance(
    clock: PartitionClock, mark: ClockMark, partition: int, partitions: int
) -> list[HourEnded | DayEnded]:
    """Move to the mark's time and say which hours and which day that ended.

    After a jump over several days only the newest ended day is said: it stands for those before.
    Of the hours the running one and the last HOURS_SAID_AT_MOST are.
    """
    before_ms, clock.now_ms = clock.now_ms, mark.at_ms
    if mark.wall_offset_ms is not None:
        clock.wall_offset_ms = mark.wall_offset_ms
    if not before_ms:
        return []
    ended: list[HourEnded | DayEnded] = []
    running_hour, new_hour = before_ms // HOUR_MS, mark.at_ms // HOUR_MS
    if new_hour > running_hour:
        running, clock.running = clock.running, HourCounts()
        orders = clock.orders_before + running.orders
        revenue_cents = clock.revenue_before_cents + running.revenue_cents
        clock.orders_before = clock.revenue_before_cents = 0
        ended.append(
            HourEnded(
                partition=partition,
                partitions=partitions,
                hour_ms=running_hour * HOUR_MS,
                orders=orders,
                revenue_cents=revenue_cents,
                others=running.others,
                slices=running.slices,
            )
        )
    for hour in range(max(running_hour + 1, new_hour - HOURS_SAID_AT_MOST), new_hour):
        ended.append(
            HourEnded(
                partition=partition,
                partitions=partitions,
                hour_ms=hour * HOUR_MS,
                orders=0,
                revenue_cents=0,
            )
        )
    if day_of(mark.at_ms) > day_of(before_ms):
        ended.append(
            DayEnded(partition=partition, partitions=partitions, day=mark.at_ms // DAY_MS - 1)
        )
    return ended
