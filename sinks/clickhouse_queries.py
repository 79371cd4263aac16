"""Numbers that the page, the summary and tests ask of ClickHouse, each defined once."""

from datetime import date
from typing import NamedTuple

from clickhouse_connect.driver.client import Client

from sinks.clickhouse_sums import fact_sums

POSITIONED = {
    "events": "",
    "orders": "",
    "order_lines": ", line",
    "order_voids": "",
    "tier_changes": "",
    "decisions": "",
    "merges": "",
    "forgotten": ", name",
    "actions": "",
    "profile_history": "",
    "alerts": "",
    "dead_letters": "",
    "coupon_verdicts": "",
    "unreadable": ", topic",
}
"""Tables that are fed from topics, with what tells rows of one record apart."""
OF_THE_LOG = (
    "events",
    "orders",
    "order_lines",
    "order_voids",
    "tier_changes",
    "decisions",
    "merges",
    "forgotten",
    "actions",
)
"""Tables whose rows follow from the log alone, not from when it was read or what broke."""


class OrderDay(NamedTuple):
    """What was ordered on one day (UTC), without repeated orders; before cancellations."""

    day: date
    orders: int
    revenue_cents: int


class OfferLiability(NamedTuple):
    """What the coupons of one offer may yet cost, and what became of the others.

    `open_cents` is the most that the open ones can cost but for `open_unlimited`, which have no
    limit. Always issued = open + redeemed + expired + revoked. Cents are by currency, empty: not
    known; a currency without any is left out.
    """

    offer: str
    issued: int
    open: int
    open_cents: dict[str, int]
    open_unlimited: int
    redeemed: int
    redeemed_cents: dict[str, int]
    expired: int
    revoked: int


class TableCount(NamedTuple):
    """Physical rows of a table, and how many different ones there are."""

    rows: int
    different: int


def repurchase_rate(client: Client, days: int, now_ms: int) -> float | None:
    """Share of customers who ordered again within `days` days; None when nobody is eligible.

    Eligible: first order at least `days` days before the log's time `now_ms`. Again: on a later day
    (UTC). Cancelled orders and unknown devices don't count; merged customers are one.
    """
    found = client.query(
        "SELECT rate FROM repurchase(days = {days:UInt16}, now_ms = {now_ms:Int64})",
        parameters={"days": days, "now_ms": now_ms},
    )
    rate = found.result_rows[0][0]
    return None if rate is None else float(rate)


def orders_per_day(client: Client) -> list[OrderDay]:
    """Count orders and their revenue by day, over all currencies."""
    found = client.query(
        "SELECT day, sum(orders), sum(revenue_cents) FROM orders_daily GROUP BY day ORDER BY day"
    )
    return [OrderDay(*row) for row in found.result_rows]


def coupon_liability(client: Client) -> list[OfferLiability]:
    """Sum up each offer's coupons, those with most open ones first."""
    found = client.query(
        "SELECT offer, issued, open, mapFilter((_, cents) -> cents != 0, open_cents), "
        "open_unlimited, redeemed, mapFilter((_, cents) -> cents != 0, redeemed_cents), "
        "expired, revoked FROM coupon_liability ORDER BY open DESC, offer"
    )
    return [OfferLiability(*row) for row in found.result_rows]


def tiers(client: Client) -> dict[str, int]:
    """Count known customers by the tier they are in."""
    found = client.query("SELECT tier, customers FROM tier_now ORDER BY tier")
    return {str(tier): int(customers) for tier, customers in found.result_rows}


def table_counts(client: Client) -> dict[str, TableCount]:
    """Count physical rows, without FINAL, and different ones, for every table fed from a topic."""
    asked = " UNION ALL ".join(
        f"SELECT '{table}', count(), "  # noqa: S608
        f"uniqExact(incarnation, _partition, _offset{parts}) FROM {table}"
        for table, parts in POSITIONED.items()
    )
    return {
        str(table): TableCount(int(rows), int(different))
        for table, rows, different in client.query(asked).result_rows
    }


def duplicates(client: Client) -> int:
    """Count rows that are there more than once; merging must be stopped to be sure of it."""
    return sum(one.rows - one.different for one in table_counts(client).values())


def sums_apart(client: Client, incarnation: int, partitions: int) -> int:
    """Count groups in which a materialized sum differs from its table."""
    return sum(one.differences(client, range(partitions)) for one in fact_sums(incarnation))


def latency_ms(client: Client, quantile: float) -> float | None:
    """Quantile of the time from the log to the row, over all events there are; None without any."""
    found = client.query(
        "SELECT quantileTDigestOrNull({quantile:Float64})("
        "greatest(0, toUnixTimestamp64Milli(inserted_at) - toUnixTimestamp64Milli(logged_at))) "
        "FROM events",
        parameters={"quantile": quantile},
    )
    value = found.result_rows[0][0]
    return None if value is None else float(value)
