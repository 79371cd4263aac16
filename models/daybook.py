"""Orders per day of the last year, packed into eight bytes a day.

Days are UTC days since the epoch. Entries are sorted, so a window is a tail of the arrays, and sums
run in C. Adding is commutative: orders may arrive in any sequence (S33).
"""

from array import array
from bisect import bisect_left

import msgspec

KEPT_DAYS = 365
BYTES_A_DAY = 2
_FEW_ORDERS = 255
_MOST_ORDERS = 2**16 - 1
_SMALL_CENTS = 2**31 - 1


class DayBook(msgspec.Struct, array_like=True, gc=False):
    """Sorted days with their order counts and values in cents, as packed arrays.

    Days take two bytes; counts one and values four, or two and eight once a day needs it.
    """

    days: bytes = b""
    counts: bytes = b""
    values_cents: bytes = b""


def _unpack(book: DayBook) -> tuple["array[int]", "array[int]", "array[int]"]:
    days, counts, values = book.days, book.counts, book.values_cents
    size = len(days)
    return (
        array("H", days),
        array("H" if len(counts) == size and size else "B", counts),
        array("i" if len(values) == 2 * size else "q", values),
    )


def add(book: DayBook, day: int, orders: int, value_cents: int) -> None:
    """Count `orders` (negative to take back) and their value on `day`; days left empty go.

    Days older than a year before the newest are dropped; of one day at most 65,535 are counted.
    """
    days, counts, values = _unpack(book)
    at = bisect_left(days, day)
    is_there = at < len(days) and days[at] == day
    if is_there:
        orders, value_cents = counts[at] + orders, values[at] + value_cents
        del days[at], counts[at], values[at]
    if orders > 0:
        if orders > _FEW_ORDERS:
            # A till that sells under one name must not be refused for selling too well.
            orders = min(orders, _MOST_ORDERS)
            counts = array("H", counts)
        if abs(value_cents) > _SMALL_CENTS and values.typecode == "i":
            values = array("q", values)
        days.insert(at, day)
        counts.insert(at, orders)
        values.insert(at, value_cents)
    if days:
        stale = bisect_left(days, max(0, days[-1] - KEPT_DAYS + 1))
        del days[:stale], counts[:stale], values[:stale]
    # Always as narrow as can be: the same history is then the same bytes.
    if counts.typecode == "H" and max(counts, default=0) <= _FEW_ORDERS:
        counts = array("B", counts)
    if values.typecode == "q" and max(map(abs, values), default=0) <= _SMALL_CENTS:
        values = array("i", values)
    book.days, book.counts, book.values_cents = (
        days.tobytes(),
        counts.tobytes(),
        values.tobytes(),
    )


def window(book: DayBook, today: int, length_days: int) -> tuple[int, int, int]:
    """Order days, orders and value in cents of the `length_days` days that end with `today`.

    >>> book = DayBook()
    >>> add(book, 100, 1, 500); add(book, 130, 2, 900)
    >>> window(book, 130, 30), window(book, 130, 31)
    ((1, 2, 900), (2, 3, 1400))
    """
    days, counts, values = _unpack(book)
    start = bisect_left(days, max(0, today - length_days + 1))
    return len(days) - start, sum(counts[start:]), sum(values[start:])


def holds_until(book: DayBook, today: int, length_days: int, days: int, value_cents: float) -> int:
    """First day whose window of `length_days` has fewer order days or less value, without orders.

    >>> book = DayBook()
    >>> add(book, 100, 1, 500); add(book, 110, 1, 500); add(book, 120, 2, 900)
    >>> holds_until(book, 125, 30, 2, 1000), holds_until(book, 125, 30, 2, 1500)
    (140, 130)
    >>> holds_until(book, 125, 30, 4, 0)
    125
    """
    at, _, values = _unpack(book)
    first = bisect_left(at, max(0, today - length_days + 1))
    left_cents = sum(values[first:])
    while first < len(at) and len(at) - first >= days and left_cents >= value_cents:
        today = at[first] + length_days
        left_cents -= values[first]
        first += 1
    return today


def year_and_tail(book: DayBook, length_days: int) -> tuple[int, int, int, int]:
    """Order days and value in cents of all days kept, and of the last `length_days` of them.

    Both end with the newest order day; nothing is in a book without one.

    >>> book = DayBook()
    >>> add(book, 100, 1, 500); add(book, 130, 2, 900)
    >>> year_and_tail(book, 30)
    (2, 1400, 1, 900)
    """
    days = array("H", book.days)
    if not days:
        return 0, 0, 0, 0
    packed, size = book.values_cents, len(days)
    values = array("i" if len(packed) == 4 * size else "q", packed)
    start = bisect_left(days, days[-1] - length_days + 1)
    return size, sum(values), size - start, sum(values[start:])


def first_day(book: DayBook) -> int | None:
    """Oldest day that is still kept."""
    return array("H", book.days[:2])[0] if book.days else None


def last_day(book: DayBook) -> int | None:
    """Newest day with orders."""
    return array("H", book.days[-2:])[0] if book.days else None


def merged(one: DayBook, other: DayBook) -> DayBook:
    """Both histories in one book."""
    result = DayBook(one.days, one.counts, one.values_cents)
    for day, orders, value_cents in zip(*_unpack(other), strict=True):
        add(result, day, orders, value_cents)
    return result


def extent(book: DayBook) -> tuple[int, int]:
    """Number of order days, and days from the first to the last of them."""
    days = array("H", book.days)
    return (len(days), days[-1] - days[0]) if days else (0, 0)


def orders_between(book: DayBook, first: int, last: int) -> int:
    """Orders of the days from `first` to `last`, both counted.

    >>> book = DayBook()
    >>> add(book, 100, 1, 500); add(book, 130, 2, 900)
    >>> orders_between(book, 100, 129), orders_between(book, 101, 130)
    (1, 2)
    """
    days, counts, _ = _unpack(book)
    return sum(counts[bisect_left(days, max(0, first)) : bisect_left(days, max(0, last + 1))])
