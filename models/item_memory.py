"""Which items a customer bought, looked at and wished for: a bounded memory in the row.

A record of 12 bytes an item, side by side in one string of bytes: a line of an order changes its
record in place, and a ranking reads all of them as columns. Weights are forward-decayed (Cormode
et al., ICDE 2009): what is new weighs more, so nothing is ever faded one by one and items compare
without looking at the time.
"""

from functools import lru_cache
from math import exp, log
from struct import Struct
from typing import Any, NamedTuple

import msgspec
import numpy as np
import xxhash
from numpy.typing import NDArray

from models.clock import DAY_MS

KEPT_ITEMS = 112
SPARE_ITEMS = 16
HALF_LIFE_DAYS = 45.0
LANDMARK_DAYS = 128
REACH_DAYS = 4_000.0
"""So long after its landmark a weight can still be told."""
RATE_PER_DAY = log(2) / HALF_LIFE_DAYS
VIEWED, CARTED, WISHED, SPOILT = 1, 2, 4, 8
"""Bits of `marks`; SPOILT: returned, complained about or rated badly."""

RECORD = np.dtype(
    [
        ("ref", "<u4"),
        ("weight", "<f2"),
        ("last_day", "<u2"),
        ("first_day", "<u2"),
        ("times", "u1"),
        ("marks", "u1"),
    ]
)
"""`weight`: orders with the item, as of the landmark; `times`: all of them, at most 255.

Of an item that was only wanted, `times` is 0 and `last_day` when it was wanted last.
"""
ONE, WEIGHT, LAST_DAY, FIRST_DAY, TIMES = 0, 2, 3, 4, 5
"""Columns of `Sheet.numbers`."""
_RECORD = Struct("<IeHHBB")
_BYTES = RECORD_BYTES = _RECORD.size
read_record = _RECORD.unpack_from
"""Read the record that begins at a byte: its fields in the order of RECORD."""
_LAST_DAY, _LAST_DAY_AT = Struct("<H"), 6
_TIMES_AT, _MARKS_AT = _BYTES - 2, _BYTES - 1
_REF, _WEIGHT = np.dtype("<u4"), np.dtype("<f2")
_HALVES = np.dtype(("<u2", (_BYTES // 2,)))
# Room to grow in, so that the least is looked for once in several orders.
_MOST_BYTES = (KEPT_ITEMS + SPARE_ITEMS) * _BYTES
_MOST_TIMES = 255
# Beyond what two bytes of a float hold, and never reached by a person.
_MOST_WEIGHT = 60_000.0
_WANTED_WEIGHT = 0.25


class ItemMemory(msgspec.Struct, array_like=True, gc=False):
    """The memory; `orders` decays as the weights do.

    `lines` counts the different items of all orders after the first, `repeats` those among them
    that were bought before.
    """

    records: bytearray = msgspec.field(default_factory=bytearray)
    landmark_day: int = 0
    orders: float = 0.0
    lines: int = 0
    repeats: int = 0


@lru_cache(maxsize=100_000)
def item_ref(product_id: str) -> int:
    """Name an item in four bytes; of a hundred thousand items about one pair shares its name.

    >>> item_ref("1082185") == item_ref("1082185")
    True
    """
    return xxhash.xxh32_intdigest(product_id.encode())


def scale(memory: ItemMemory, at_ms: int) -> float:
    """What one order of that time weighs; weights over it are decayed counts of that time."""
    days = at_ms / DAY_MS - memory.landmark_day
    return exp(RATE_PER_DAY * min(days, REACH_DAYS))


def columns(memory: ItemMemory) -> NDArray[Any]:
    """Give the records as columns, of a copy: a string of bytes that is looked at can't grow."""
    return np.frombuffer(bytes(memory.records), dtype=RECORD)


class Sheet(NamedTuple):
    """The records as numbers, a row each, and what can be told of them without reading each.

    In `numbers` stand ONE, of no meaning, and WEIGHT, LAST_DAY, FIRST_DAY, TIMES.
    """

    raw: bytes
    refs: NDArray[np.uint32]
    numbers: NDArray[np.float64]
    marks: bytes
    all_bought: bool
    any_marked: bool

    @property
    def weights(self) -> NDArray[np.float64]:
        """Weight of each record."""
        return self.numbers[:, WEIGHT]

    @property
    def last_day(self) -> NDArray[np.float64]:
        """When each item was bought last, or wanted last."""
        return self.numbers[:, LAST_DAY]

    @property
    def times(self) -> NDArray[np.float64]:
        """How many times each item was bought."""
        return self.numbers[:, TIMES]

    def only(self, kept: NDArray[np.bool_]) -> "Sheet":
        """Leave out the other records."""
        return _sheet(np.frombuffer(self.raw, RECORD)[kept].tobytes())

    def part(self, begin: int, end: int) -> "Sheet":
        """Give some of the records, which may look less plain than they are."""
        return Sheet(
            self.raw[begin * _BYTES : end * _BYTES],
            self.refs[begin:end],
            self.numbers[begin:end],
            self.marks[begin:end],
            self.all_bought,
            self.any_marked,
        )

    def has(self, ref: int) -> bool:
        """Whether there is a record of the item."""
        return _find(self.raw, ref) >= 0


def sheet_of(memory: ItemMemory) -> Sheet:
    """Give the records as they are now."""
    return _sheet(bytes(memory.records))


def joint_sheet(memories: list[ItemMemory]) -> Sheet:
    """Give the records of many, one memory's after the other's."""
    return _sheet(b"".join(one.records for one in memories))


def _sheet(raw: bytes) -> Sheet:
    # All two-byte fields at once, some of them meaningless: one by one they take longer.
    numbers = np.frombuffer(raw, _HALVES).astype(np.float64)
    numbers[:, ONE] = 1.0
    numbers[:, WEIGHT] = np.frombuffer(raw, _WEIGHT)[2 :: _BYTES // 2]
    times, marks = raw[_TIMES_AT::_BYTES], raw[_MARKS_AT::_BYTES]
    if any_marked := bool(marks.strip(b"\0")):
        numbers[:, TIMES] = np.frombuffer(times, np.uint8)
    refs = np.frombuffer(raw, _REF)[:: _BYTES // 4]
    return Sheet(raw, refs, numbers, marks, 0 not in times, any_marked)


class Bought(NamedTuple):
    """What is remembered of one item; days since the epoch, UTC."""

    first_day: int
    last_day: int
    times: int
    marks: int


def bought(memory: ItemMemory, ref: int) -> Bought | None:
    """Look one item up; None when it was never bought.

    >>> memory = ItemMemory()
    >>> buy(memory, [7], 20 * DAY_MS), bought(memory, 7), bought(memory, 8)
    ([-1], Bought(first_day=20, last_day=20, times=1, marks=0), None)
    """
    at = _find(memory.records, ref)
    if at < 0:
        return None
    _, _, last, first, times, marks = _RECORD.unpack_from(memory.records, at)
    return Bought(first, last, times, marks) if times else None


def buy(memory: ItemMemory, refs: list[int], at_ms: int) -> list[int]:
    """Remember an order's different items; gives the days since each was bought, -1 for never."""
    day = at_ms // DAY_MS
    _move_landmark(memory, day)
    records, added = memory.records, min(scale(memory, at_ms), _MOST_WEIGHT)
    knew_any, repeats, gaps = memory.orders > 0.0, 0, []
    for ref in refs:
        at = _find(records, ref)
        if at < 0:
            records += _RECORD.pack(ref, added, day, day, 1, 0)
            gaps.append(-1)
            continue
        _, weight, last, first, times, _ = _RECORD.unpack_from(records, at)
        weight += added
        repeats += times > 0
        gaps.append(abs(day - last) if times else -1)
        _RECORD.pack_into(
            records,
            at,
            ref,
            weight if weight < _MOST_WEIGHT else _MOST_WEIGHT,
            day if day > last or not times else last,
            day if day < first or not times else first,
            times + 1 if times < _MOST_TIMES else times,
            # It is had now, and who buys it again has forgiven it.
            0,
        )
    memory.orders += added
    if knew_any:
        memory.lines += len(refs)
        memory.repeats += repeats
    if len(records) > _MOST_BYTES:
        _forget_least(memory)
    return gaps


def mark(memory: ItemMemory, ref: int, at_ms: int, bit: int) -> bool:
    """Remember that the item was looked at, put into a cart, wished for, or turned out bad.

    Says whether it was not remembered before.
    """
    day = at_ms // DAY_MS
    _move_landmark(memory, day)
    records = memory.records
    at = _find(records, ref)
    if at < 0:
        records += _RECORD.pack(ref, 0.0, day, day, 0, bit)
        if len(records) > _MOST_BYTES:
            _forget_least(memory)
        return True
    records[at + _MARKS_AT] |= bit
    if not records[at + _TIMES_AT] and day > _LAST_DAY.unpack_from(records, at + _LAST_DAY_AT)[0]:
        _LAST_DAY.pack_into(records, at + _LAST_DAY_AT, day)
    return False


def unmark(memory: ItemMemory, ref: int, bit: int) -> None:
    """Take a mark back, where there is one."""
    records = memory.records
    at = _find(records, ref)
    if at >= 0:
        records[at + _MARKS_AT] &= ~bit & 0xFF


def join(memory: ItemMemory, other: ItemMemory) -> None:
    """Add another history's memory."""
    latest = max(memory.landmark_day, other.landmark_day)
    for one in (memory, other):
        _rescale(one, latest)
    records = memory.records
    for theirs in _RECORD.iter_unpack(other.records):
        at = _find(records, theirs[0])
        if at < 0:
            records += _RECORD.pack(*theirs)
        else:
            _RECORD.pack_into(records, at, *_joined(_RECORD.unpack_from(records, at), theirs))
    memory.orders += other.orders
    memory.lines += other.lines
    memory.repeats += other.repeats
    if len(records) > _MOST_BYTES:
        _forget_least(memory)


def _joined(mine: tuple[Any, ...], theirs: tuple[Any, ...]) -> tuple[Any, ...]:
    """Make one record of two of one item; days of a purchase go before those of a wish."""
    ref, weight, last, first, times, marks = mine
    _, their_weight, their_last, their_first, their_times, their_marks = theirs
    if bool(times) == bool(their_times):
        last, first = max(last, their_last), min(first, their_first)
    elif their_times:
        last, first = their_last, their_first
    weight, times = min(weight + their_weight, _MOST_WEIGHT), min(times + their_times, _MOST_TIMES)
    return ref, weight, last, first, times, marks | their_marks


def _find(records: bytes | bytearray, ref: int) -> int:
    """Where the item's record begins; below 0: nowhere."""
    name = ref.to_bytes(4, "little")
    at = records.find(name)
    while at > 0 and at % _BYTES:
        at = records.find(name, at + 1)
    return at


def _forget_least(memory: ItemMemory) -> None:
    """Keep the items of most weight; what was only wanted weighs a little of an order then."""
    rows = columns(memory)
    worth = rows["weight"].astype(np.float64)
    wanted = rows["times"] == 0
    days_on = rows["last_day"][wanted].astype(np.float64) - memory.landmark_day
    worth[wanted] = _WANTED_WEIGHT * np.exp(RATE_PER_DAY * days_on)
    kept = np.sort(np.argsort(-worth, kind="stable")[:KEPT_ITEMS])
    memory.records = bytearray(rows[kept].tobytes())


def _move_landmark(memory: ItemMemory, day: int) -> None:
    if day >= memory.landmark_day + LANDMARK_DAYS:
        _rescale(memory, day - day % LANDMARK_DAYS)


def _rescale(memory: ItemMemory, landmark_day: int) -> None:
    if landmark_day == memory.landmark_day:
        return
    factor = exp(RATE_PER_DAY * (memory.landmark_day - landmark_day))
    memory.orders *= factor
    if memory.records:
        rows = columns(memory).copy()
        rows["weight"] *= factor
        memory.records = bytearray(rows.tobytes())
    memory.landmark_day = landmark_day
