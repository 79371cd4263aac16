"""A history as purchase days: purchases of a customer on one day (UTC) are one.

What takes something back (a negative amount or quantity, or an invoice that starts with C, as in
the UCI sets) is no purchase. Without an amount, quantity times price is one. Days are counted
from the history's first.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from models.clock import DAY_MS
from streams.evaluate.drive import Drive
from streams.evaluate.history import Column, read
from streams.evaluate.outcome import BadQuestion, Say

INVOICES = ("Invoice", "InvoiceNo")
PRICES = ("Price", "UnitPrice")
CANCELLED_INVOICE = "C"


class Purchase(NamedTuple):
    """One purchase day of a customer; `day` since the epoch, `at_ms` its first moment."""

    customer: str
    day: int
    at_ms: int
    cents: int


class History(NamedTuple):
    """All purchase days, in time order; `firsts` and `days` are per customer, days ascending."""

    purchases: list[Purchase]
    days: dict[str, "np.ndarray[tuple[int], np.dtype[np.int64]]"]
    first_day: int
    last_day: int


def columns(customer: str, time: str, amount: str) -> list[Column]:
    """Columns of a history, the amount and an invoice number if there are any."""
    return [
        Column("customer", customer, "text"),
        Column("at", time, "moment"),
        Column("amount", amount, "number", required=False),
        *(Column(name.lower(), name, "text", required=False) for name in INVOICES),
        Column("quantity", "Quantity", "number", required=False),
        *(Column("price", name, "number", required=False) for name in PRICES),
    ]


def read_history(path: Path, customer: str, time: str, amount: str, say: Say) -> History:
    """Read a file's purchase days."""
    history = history_of(read(path, columns(customer, time, amount), say))
    say(f"{len(history.purchases)} purchase days of {len(history.days)} customers")
    return history


def history_of(frame: pd.DataFrame) -> History:
    """Make purchase days of rows with `customer`, `at` and perhaps the other `columns`."""
    for name in INVOICES:
        if name.lower() in frame:
            cancels = frame[name.lower()].fillna("").str.startswith(CANCELLED_INVOICE)
            frame = frame[~cancels]
    for name in ("amount", "quantity"):
        if name in frame:
            frame = frame[frame[name] >= 0]
    if frame.empty:
        raise BadQuestion("no purchase is left: every row takes something back")
    at_ms = frame["at"].astype("datetime64[ns, UTC]").astype("int64") // 10**6
    amount = frame["amount"] if "amount" in frame else _worth(frame)
    rows = pd.DataFrame({"customer": frame["customer"], "at_ms": at_ms, "amount": amount})
    rows["day"] = rows["at_ms"] // DAY_MS
    joined = rows.groupby(["customer", "day"], sort=True).agg({"at_ms": "min", "amount": "sum"})
    joined = joined.reset_index().sort_values(["at_ms", "customer"], kind="stable")
    purchases = [
        Purchase(str(customer), int(day), int(at), round(float(amount) * 100))
        for customer, day, at, amount in joined.itertuples(index=False, name=None)
    ]
    by_customer = joined.sort_values(["customer", "day"]).groupby("customer")["day"]
    days = {str(name): one.to_numpy() for name, one in by_customer}
    return History(purchases, days, int(joined["day"].min()), int(joined["day"].max()))


def _worth(frame: pd.DataFrame) -> Any:
    has_both = "quantity" in frame and "price" in frame
    return frame["quantity"] * frame["price"] if has_both else 0.0


def played(drive: Drive, history: History, say: Say) -> Iterator[int]:
    """Play the history; each day that is over is given, with the clock at its end."""
    at, purchases = 0, history.purchases
    drive.advance(history.first_day * DAY_MS)
    for day in range(history.first_day, history.last_day + 1):
        while at < len(purchases) and purchases[at].day == day:
            one = purchases[at]
            drive.order(
                one.customer, one.at_ms, basket=f"{one.customer}:{day}", total_cents=one.cents
            )
            at += 1
        drive.advance((day + 1) * DAY_MS)
        if (day - history.first_day) % 56 == 55:  # a word every eight weeks
            say(f"day {day - history.first_day + 1}: {at} purchase days played")
        yield day
