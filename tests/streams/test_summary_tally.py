from collections import defaultdict

import pytest

from models.customer import Customer
from models.tokens import token_of
from streams.replay.demo import DemoYear
from streams.summary_tally import LogTally, SourceTally, missing_and_surplus, read_source

KEY = b"k" * 32


def log_of(*events: tuple[str, str, str], erased: tuple[str, ...] = ()) -> LogTally:
    """A tally of (customer, event id, order id or nothing)."""
    tally = LogTally(erased=set(erased))
    for customer, event_id, order_id in events:
        tally.ids[customer].add(event_id)
        if order_id:
            tally.orders[customer].add(order_id)
    return tally


def source_of(*events: tuple[str, str, str]) -> SourceTally:
    log = log_of(*events)
    return SourceTally("source", log.ids, log.orders)


def row(events: int, orders: int = 0, cancelled: int = 0, merged_into: str = "") -> Customer:
    return Customer(
        events=events, orders=orders, cancelled_orders=cancelled, merged_into=merged_into
    )


ORDER = ("anna", "e1", "o1")
LOOK = ("anna", "e2", "")


@pytest.mark.parametrize(
    ("rows", "log", "source", "expected"),
    [
        ({"anna": row(2, 1)}, [ORDER, LOOK], [], (0, 0)),
        ({"anna": row(2, 0, cancelled=1)}, [ORDER, LOOK], [], (0, 0)),
        ({"anna": row(1, 1)}, [ORDER, LOOK], [], (1, 0)),
        ({"anna": row(3, 1)}, [ORDER, LOOK], [], (0, 1)),
        ({"anna": row(2, 2)}, [ORDER, LOOK], [], (0, 1)),
        ({}, [ORDER, LOOK], [], (3, 0)),
        ({"bo": row(1, 1)}, [], [], (0, 2)),
        # A loss here does not make up for a surplus there.
        ({"anna": row(1, 1), "bo": row(2)}, [ORDER, LOOK, ("bo", "e3", "")], [], (1, 1)),
        # The same id twice is one event.
        ({"anna": row(1)}, [LOOK, LOOK], [], (0, 0)),
        # What the source says and the log never got is lost all the same.
        ({"anna": row(1)}, [LOOK], [ORDER, LOOK], (2, 0)),
        ({"anna": row(3, 1)}, [ORDER, LOOK, ("anna", "receipt", "")], [ORDER, LOOK], (0, 0)),
    ],
)
def test_what_came_in_and_what_was_counted_are_compared_customer_by_customer(
    rows: dict[str, Customer],
    log: list[tuple[str, str, str]],
    source: list[tuple[str, str, str]],
    expected: tuple[int, int],
) -> None:
    found = missing_and_surplus(rows, log_of(*log), source_of(*source) if source else None)
    assert found == expected


def test_merged_customers_are_one() -> None:
    rows = {
        "device": row(0, merged_into="tablet"),
        "tablet": row(0, merged_into="anna"),
        "anna": row(3, 1),
    }
    log = log_of(("device", "e1", ""), ("tablet", "e2", ""), ("anna", "e3", "o1"))
    assert missing_and_surplus(rows, log, None) == (0, 0)


def test_nothing_is_expected_of_who_was_erased() -> None:
    log = log_of(ORDER, LOOK, ("bo", "e3", ""), erased=("anna",))
    assert missing_and_surplus({"anna": row(0), "bo": row(1)}, log, None) == (0, 0)


def test_the_demo_is_read_again_from_its_own_files() -> None:
    tally = read_source("complete-journey:2-days:personas:reviews", KEY)
    assert tally is not None
    named = list(DemoYear(2).named())
    ids: dict[str, set[str]] = defaultdict(set)
    for one in named:
        ids[token_of(KEY, "customer", one.customer_id)].add(one.message_id)
    assert tally.ids == ids
    assert sum(map(len, tally.orders.values())) == sum(bool(one.order_id) for one in named) > 400


def test_a_source_that_cannot_be_read_again_says_nothing() -> None:
    assert read_source("shop:0123", KEY) is None
