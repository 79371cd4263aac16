"""What the installation says of a history equals a batch recompute over the raw data.

Nothing here uses the fold: rates, days and tiers are computed anew from the files, as their
definitions read (ARCHITECTURE.md, words; models/tier.py for the edges alone).
"""

import asyncio
import os
from collections import Counter, defaultdict, deque
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pandas as pd
import pytest

from models.customer import KEPT_ORDERS
from models.tier import PLAYBOOK_EDGES
from models.tokens import token_of
from sinks.clickhouse import connect
from sinks.clickhouse_queries import orders_per_day
from streams.prepare import prepare
from streams.replay.complete_journey import package_directory
from streams.replay.mapping import mappings_shipped
from streams.secrets import load_secrets
from streams.settings import Settings
from streams.sink_roles import clickhouse_address
from streams.summary import collect
from streams.summary_tally import read_table
from tests.real.replay_rig import Play, progress_of
from tests.real.rig import PROJECT, Crew, Log

pytestmark = pytest.mark.real

DAYS = 40
DAY = pd.Timedelta(days=1)
PATIENCE_S = 500.0
RETAIL = (
    PROJECT
    / os.environ.get("HUITOU_TEST_DATA", "../shared/data")
    / "online_retail_2009_2010.parquet"
)


def played(settings: Settings, play: Play) -> tuple[dict[str, Any], pd.Timestamp]:
    """Let the roles take in a history; the summary, and the log's time at its end."""
    with Crew(settings) as crew:
        for role in ("worker", "learner", "sinks"):
            crew.start(role)
        with play:
            assert asyncio.run(play.end(PATIENCE_S)) == 0
        summary = collect(settings, seconds=1.0)
    return summary, asyncio.run(end_of(settings))


async def end_of(settings: Settings) -> pd.Timestamp:
    async with Log(settings) as log:
        progress = await progress_of(log)
    assert progress is not None
    return pd.Timestamp(progress.until_ms, unit="ms")


def repurchase_rate(orders: pd.DataFrame, days: int, now: pd.Timestamp) -> float | None:
    """Of the customers whose first order is that old, the share who came again on a later day."""
    first = orders.groupby("customer").at.min().rename("first")
    joined = orders.join(first, on="customer")
    eligible = joined[joined["first"] + days * DAY <= now]
    again = eligible[
        (eligible["at"].dt.floor("D") > eligible["first"].dt.floor("D"))
        & (eligible["at"] <= eligible["first"] + days * DAY)
    ]
    asked = eligible.customer.nunique()
    return None if not asked else again.customer.nunique() / asked


def per_day(orders: pd.DataFrame) -> dict[Any, tuple[int, int]]:
    """Orders and cents by UTC day."""
    days = orders.groupby(orders["at"].dt.date)
    counted = pd.DataFrame({"orders": days.size(), "cents": days.cents.sum()})
    return {day: (int(row.orders), int(row.cents)) for day, row in counted.iterrows()}


def said_per_day(settings: Settings) -> dict[Any, tuple[int, int]]:
    client = connect(clickhouse_address(settings))
    try:
        return {one.day: (one.orders, one.revenue_cents) for one in orders_per_day(client)}
    finally:
        client.close()


def journey(until: pd.Timestamp) -> pd.DataFrame:
    """Baskets of the demo's raw lines."""
    lines = pd.read_parquet(package_directory() / "transactions.parquet")
    lines["cents"] = (lines.sales_value * 100).round().astype("int64")
    baskets = lines.groupby("basket_id").agg(
        customer=("household_id", "first"),
        at=("transaction_timestamp", "first"),
        cents=("cents", "sum"),
    )
    return baskets[baskets["at"] < until].reset_index()


def tier(orders: pd.DataFrame, now: pd.Timestamp) -> str:
    """Tier of one customer by all of their orders (S4)."""
    if now - orders["at"].max() >= 30 * DAY:
        return "dormant"
    today = max(now, orders["at"].max()).floor("D")
    days = orders["at"].dt.floor("D")
    year = orders[days > today - 365 * DAY]
    year_days = year["at"].dt.floor("D").nunique()
    if (
        year.cents.sum() >= PLAYBOOK_EDGES.high_value_cents
        and year_days >= PLAYBOOK_EDGES.high_value_order_days
    ):
        return "high_value"
    if year_days < 2:
        return "new"
    quarter = orders[days > today - 90 * DAY]
    quarter_days = quarter["at"].dt.floor("D").nunique()
    if (
        quarter.cents.sum() >= PLAYBOOK_EDGES.potential_value_cents
        and quarter_days >= PLAYBOOK_EDGES.potential_order_days
    ):
        return "potential"
    return "regular"


def test_the_demo_equals_a_batch_recompute(settings: Settings) -> None:
    """By the plain rule of 30 days of silence; edges learned would have to be learned here too."""
    # Nothing is asked of clusters here, and each day on which they may be adopted the replay waits
    # for the learner.
    update = {"dormant_after_days": 30, "adopt_segments_every_days": 7}
    settings = settings.model_copy(update=update)
    prepare(settings)
    summary, now = played(settings, Play.demo(settings, DAYS, live=False))
    orders = journey(now)
    assert summary["orders"] == len(orders) > 12_000
    assert (summary["lost"], summary["duplicated"], summary["dead_letters"]) == (0, 0, 0)
    assert summary["customers"] == summary["profiles_in_redis"] == orders.customer.nunique()
    expected = repurchase_rate(orders, 30, now)
    assert expected is not None
    assert summary["repurchase_rate_30d"] == expected
    for days in (60, 90):
        assert summary[f"repurchase_rate_{days}d"] is None, "nobody's first order is that old"
    assert said_per_day(settings) == per_day(orders)
    compare_tiers(settings, summary, orders, now)


def compare_tiers(
    settings: Settings, summary: dict[str, Any], orders: pd.DataFrame, now: pd.Timestamp
) -> None:
    """A tier is as of the customer's last event or timer; dormancy is known at once."""
    token_key = load_secrets(settings).token_key
    rows = asyncio.run(read_table(settings))
    differing = []
    for household, own in orders.groupby("customer"):
        row = rows[token_of(token_key, "customer", str(household))]
        asked = pd.Timestamp(row.hazard_at_ms, unit="ms")
        is_dormant = now - own["at"].max() >= 30 * DAY
        if row.tier != tier(own, asked) or (row.tier == "dormant") != is_dormant:
            differing.append((household, row.tier, tier(own, asked)))
    assert differing == []
    assert Counter(summary["tiers"]) == Counter(row.tier for row in rows.values())


def retail(until: pd.Timestamp) -> tuple[pd.DataFrame, set[str]]:
    """Invoices of the raw file, and those of them whose goods have all come back."""
    rows = pd.read_parquet(RETAIL)
    rows["at"] = (
        pd.to_datetime(rows.InvoiceDate)
        .dt.tz_localize("Europe/London")
        .dt.tz_convert("UTC")
        .dt.tz_localize(None)
        .astype("datetime64[us]")
    )
    rows["back"] = rows.Invoice.str.startswith("C")
    rows = rows[rows.back | ((rows.Quantity >= 0) & ~rows.Invoice.str.startswith("A"))]
    rows["cents"] = [
        int((Decimal(int(quantity)) * Decimal(repr(price)) * 100).quantize(1, ROUND_HALF_UP))
        for quantity, price in zip(rows.Quantity, rows.Price, strict=True)
    ]
    rows["begun"] = rows.groupby("Invoice")["at"].transform("min")
    rows = rows[rows.begun < until]
    sold = rows[~rows.back].groupby("Invoice")
    orders = pd.DataFrame(
        {
            "customer": sold["Customer ID"].first(),
            "at": sold.begun.first(),
            "cents": sold.cents.sum(),
        }
    ).reset_index()
    return orders, emptied(rows)


def emptied(rows: pd.DataFrame) -> set[str]:
    """Invoices of which nothing was kept: goods go back from the newest that still holds them.

    Only so many of a customer's last orders are asked.
    """
    held: dict[int, deque[tuple[str, Counter[str]]]] = defaultdict(
        lambda: deque(maxlen=KEPT_ORDERS)
    )
    gone: set[str] = set()
    rows = rows[rows["Customer ID"].notna()]
    in_time = rows.reset_index().sort_values(["begun", "index"])
    places = in_time.groupby("Invoice", sort=False)
    firsts = places["index"].min()
    sequence = sorted(places, key=lambda one: (one[1].begun.iloc[0], firsts[one[0]]))
    for invoice, lines in sequence:
        customer = int(lines["Customer ID"].iloc[0])
        if not lines.back.iloc[0]:
            goods: Counter[str] = Counter()
            for code, quantity in zip(lines.StockCode, lines.Quantity, strict=True):
                goods[code] += int(quantity)
            held[customer].append((str(invoice), +goods))
            continue
        for code, quantity in zip(lines.StockCode, lines.Quantity, strict=True):
            rest = abs(int(quantity))
            for order, goods in reversed(held[customer]):
                taken = min(rest, goods[code])
                goods[code] -= taken
                rest -= taken
                if taken and not +goods:
                    gone.add(order)
    return gone


@pytest.mark.skipif(
    not RETAIL.exists(),
    reason=f"{RETAIL.name} is not there; HUITOU_TEST_DATA names its directory",
)
def test_online_retail_equals_a_batch_recompute(settings: Settings) -> None:
    prepare(settings)
    mapping = mappings_shipped()["online_retail"]
    play = Play.file(settings, RETAIL, mapping, days=100, live=False)
    summary, now = played(settings, play)
    orders, cancelled = retail(now)
    known = orders[orders.customer.notna() & ~orders.Invoice.isin(cancelled)]
    assert (summary["lost"], summary["duplicated"], summary["dead_letters"]) == (0, 0, 0)
    assert summary["orders"] == len(orders) - len(cancelled) > 4_000
    assert len(cancelled) > 20
    for days in (30, 60, 90):
        expected = repurchase_rate(known, days, now)
        assert expected is not None
        assert summary[f"repurchase_rate_{days}d"] == expected
    assert said_per_day(settings) == per_day(orders)
