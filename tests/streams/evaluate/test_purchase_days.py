"""A history as purchase days."""

import pandas as pd
import pytest

from models.clock import DAY_MS
from streams.evaluate.drive import Drive
from streams.evaluate.outcome import BadQuestion
from streams.evaluate.purchase_days import history_of, played


def frame(*rows: tuple[str, str], **more: list[object]) -> pd.DataFrame:
    told = pd.DataFrame(rows, columns=["customer", "at"])
    told["at"] = pd.to_datetime(told["at"], utc=True)
    return told.assign(**more)


def test_purchases_of_a_customer_on_one_day_are_one() -> None:
    told = frame(
        ("a", "2026-01-01 23:59"),
        ("a", "2026-01-01 08:00"),
        ("b", "2026-01-01 09:00"),
        ("a", "2026-01-02 00:00"),
        amount=[1.5, 2.0, 3.0, 4.0],
    )
    history = history_of(told)
    assert [
        (one.customer, one.day - history.first_day, one.cents) for one in history.purchases
    ] == [
        ("a", 0, 350),
        ("b", 0, 300),
        ("a", 1, 400),
    ]
    assert history.purchases[0].at_ms % DAY_MS == 8 * 3_600_000
    assert [day - history.first_day for day in history.days["a"]] == [0, 1]


@pytest.mark.parametrize(
    "taken_back",
    [
        {"amount": [1.0, -1.0]},
        {"quantity": [1.0, -1.0]},
        {"invoice": ["5001", "C5002"]},
        {"invoiceno": ["5001", "C5002"]},
    ],
)
def test_what_is_taken_back_is_no_purchase(taken_back: dict[str, list[object]]) -> None:
    told = frame(("a", "2026-01-01"), ("b", "2026-01-02"), **taken_back)
    assert list(history_of(told).days) == ["a"]


def test_without_an_amount_quantity_times_price_is_one() -> None:
    told = frame(("a", "2026-01-01"), quantity=[3.0], price=[1.25])
    assert history_of(told).purchases[0].cents == 375


def test_a_history_of_returns_alone_cannot_be_asked() -> None:
    with pytest.raises(BadQuestion, match="takes something back"):
        history_of(frame(("a", "2026-01-01"), amount=[-1.0]))


def test_each_day_is_given_when_it_is_over_with_what_came_in_it() -> None:
    told = frame(("a", "2026-01-01 10:00"), ("b", "2026-01-03 10:00"))
    history, drive = history_of(told), Drive()
    known = []
    for day in played(drive, history, lambda _: None):
        known.append((day - history.first_day, len(dict(drive.rows()))))
        assert drive.view.now_ms == (day + 1) * DAY_MS
    assert known == [(0, 1), (1, 1), (2, 2)]
