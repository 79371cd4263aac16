"""One filled shop for all tests of a module, and a server of its own for each test."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from aiohttp import ClientSession

from models.clock import DAY_MS, HOUR_MS
from models.effects import Alert, DeadLetter
from models.events import Channel, Line
from tests.builders import order, viewed
from tests.contract.records import judged
from tests.sinks.web.shop import NOW_MS, Shop, named, served

HOSTILE = "<img src=x onerror=\"document.title='taken'\">"

LANDED_MS = NOW_MS - 90_000


async def fill(shop: Shop) -> None:
    """Anna orders weekly, Bo falls asleep, Sam sleeps, Carl is new; an alert, two dead letters."""
    await shop.open()
    await shop.fold(
        shop.identified(
            "anna",
            at_ms=NOW_MS - 60 * DAY_MS,
            name=f"Anna {HOSTILE}",
            email="anna@example.com",
            phone="+4930123456",
        ),
        *(
            order(
                f"a{week}",
                cents=20_000 + week,
                at_ms=NOW_MS - week * 7 * DAY_MS - HOUR_MS,
                customer=named("anna"),
                channel=Channel.STORE,
                lines=(Line("p1", 20_000 + week, category="Tea", name="Oolong"),),
            )
            for week in range(8)
        ),
        *(
            order(f"b{day}", at_ms=NOW_MS - day * DAY_MS, customer=named("bo"))
            for day in (100, 80, 22)
        ),
        order("c1", at_ms=NOW_MS - 3 * DAY_MS - HOUR_MS, customer=named("carl")),
        order("s1", at_ms=NOW_MS - 300 * DAY_MS, customer=named("sam")),
        viewed("p9", at_ms=LANDED_MS, line={"name": HOSTILE}, customer=named("anna")),
    )
    await shop.alert(
        Alert(
            fingerprint="orders_per_hour:1",
            status="firing",
            name="orders_per_hour",
            severity="warning",
            starts_at_ms=NOW_MS - 2 * HOUR_MS,
            summary="3 orders in 2 h where 9 were expected (33%)",
        )
    )
    await shop.lag(worker=[0, 3], facts=[7, 0])
    for number in range(2):
        await shop.dead_letter(
            DeadLetter(source="gateway", reason="not JSON", at_ms=NOW_MS - number, sealed_raw="x")
        )
    await shop.coupon(judged(currency="EUR"))
    await shop.coupon(judged(1, offer="spring", open_cents=0, open_unlimited=1))


@pytest.fixture(scope="module")
def shop(
    kafka: str, valkey: str, clickhouse: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Shop]:
    """A shop that tests of this module read."""
    shop = Shop(kafka, valkey, clickhouse, tmp_path_factory.mktemp("shop"))
    asyncio.run(fill(shop))
    yield shop
    shop.close()


@pytest.fixture(scope="module")
def fresh_shop(
    kafka: str, valkey: str, clickhouse: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Shop]:
    """A shop in which nothing ever happens."""
    shop = Shop(kafka, valkey, clickhouse, tmp_path_factory.mktemp("fresh"))
    asyncio.run(shop.open())
    yield shop
    shop.close()


@pytest.fixture
def empty_shop(kafka: str, valkey: str, clickhouse: str, tmp_path: Path) -> Iterator[Shop]:
    """A fresh installation that one test may fill."""
    shop = Shop(kafka, valkey, clickhouse, tmp_path)
    asyncio.run(shop.open())
    yield shop
    shop.close()


@pytest.fixture
async def client(shop: Shop) -> AsyncIterator[ClientSession]:
    """A client of a server without a key."""
    async with served(shop.config()) as client:
        yield client
