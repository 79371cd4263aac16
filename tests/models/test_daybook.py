"""Orders per day of a year, packed."""

from itertools import permutations

import pytest

from models.daybook import KEPT_DAYS, DayBook, add, extent, first_day, last_day, merged, window


def booked(*entries: tuple[int, int, int]) -> DayBook:
    book = DayBook()
    for day, orders, value_cents in entries:
        add(book, day, orders, value_cents)
    return book


@pytest.mark.parametrize(
    ("length_days", "expected"),
    [
        (1, (1, 2, 900)),
        (30, (1, 2, 900)),
        (31, (2, 3, 1_400)),
        (200, (2, 3, 1_400)),
        (1_000, (2, 3, 1_400)),
    ],
)
def test_a_window_ends_with_today_and_holds_its_days(
    length_days: int, expected: tuple[int, int, int]
) -> None:
    book = booked((100, 1, 500), (130, 2, 900))
    assert window(book, 130, length_days) == expected


def test_an_empty_book_has_nothing_to_say() -> None:
    book = DayBook()
    assert window(book, 100, 30) == (0, 0, 0)
    assert (extent(book), first_day(book), last_day(book)) == ((0, 0), None, None)


def test_first_and_last_day_and_the_span_between() -> None:
    book = booked((130, 1, 1), (100, 1, 1), (107, 1, 1))
    assert (extent(book), first_day(book), last_day(book)) == ((3, 30), 100, 130)


def test_what_is_taken_back_leaves_no_empty_day() -> None:
    book = booked((100, 1, 500), (100, 1, 300), (130, 1, 900), (130, -1, -900), (100, -1, -500))
    assert window(book, 130, 365) == (1, 1, 300)
    assert last_day(book) == 100


def test_money_taken_back_without_an_order_stays_on_its_day() -> None:
    assert window(booked((100, 1, 500), (100, 0, -200)), 100, 1) == (1, 1, 300)


def test_money_taken_back_on_a_day_that_is_gone_is_nothing() -> None:
    assert booked((100, 0, -200), (100, -1, -200)) == DayBook()


@pytest.mark.parametrize(("day", "kept"), [(KEPT_DAYS + 99, 2), (KEPT_DAYS + 100, 1)])
def test_days_a_year_before_the_newest_are_dropped(day: int, kept: int) -> None:
    for entries in permutations([(100, 1, 5), (day, 1, 7)]):
        assert extent(booked(*entries))[0] == kept


def test_any_sequence_gives_the_same_book() -> None:
    entries = [(100, 1, 5), (100, 2, 7), (103, 1, 9), (99, 1, 1)]
    books = {
        (b.days, b.counts, b.values_cents) for b in (booked(*e) for e in permutations(entries))
    }
    assert len(books) == 1


@pytest.mark.parametrize("value_cents", [2**31 - 1, 2**31, -(2**31), 10**12, -(10**12)])
def test_large_values_are_exact(value_cents: int) -> None:
    book = booked((99, 1, -3), (100, 1, value_cents), (101, 1, 4))
    assert window(book, 101, 2) == (2, 2, value_cents + 4)
    assert window(book, 101, 3) == (3, 3, value_cents + 1)


def test_values_that_grow_large_on_one_day_are_exact() -> None:
    book = booked((100, 1, 2**31 - 1), (100, 1, 2**31 - 1), (100, 1, 2))
    assert window(book, 100, 1) == (1, 3, 2**32)


@pytest.mark.parametrize("orders", [255, 256, 65_535])
def test_many_orders_on_a_day_are_exact(orders: int) -> None:
    book = booked((99, 3, 1), (100, orders - 1, 1), (100, 1, 1), (101, 4, 1))
    assert window(book, 101, 2) == (2, orders + 4, 3)
    assert window(book, 101, 3) == (3, orders + 7, 4)


def test_what_was_wide_for_a_while_is_narrow_again() -> None:
    book = booked((100, 300, 2**40), (101, 1, 5), (100, -299, 7 - 2**40))
    assert book == booked((100, 1, 7), (101, 1, 5))


def test_two_books_become_one() -> None:
    one, other = booked((100, 1, 5), (103, 1, 7)), booked((101, 1, 2**40), (103, 2, 1))
    both = booked((100, 1, 5), (103, 3, 8), (101, 1, 2**40))
    for joined in (merged(one, other), merged(other, one)):
        assert [window(joined, 103, days) for days in (1, 3, 4)] == [
            window(both, 103, days) for days in (1, 3, 4)
        ]
    assert merged(one, DayBook()) == one


def test_a_usual_day_takes_seven_bytes() -> None:
    book = booked(*((day, 1, 5_000) for day in range(60)))
    assert len(book.days) + len(book.counts) + len(book.values_cents) == 7 * 60


def test_a_day_past_what_two_bytes_hold_is_refused() -> None:
    with pytest.raises(OverflowError):
        add(DayBook(), 2**16, 1, 1)


def test_a_day_of_more_orders_than_can_be_counted_is_full() -> None:
    book = booked(*((100, 40_000, 1) for _ in range(3)), (101, 1, 5))
    assert window(book, 101, 30) == (2, 65_536, 8)
