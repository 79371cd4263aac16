"""Verdicts in ClickHouse, and the sums of offers over them."""

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
from clickhouse_connect.driver.client import Client

from models import coupon_words
from models.coupon_words import CouponJudged
from models.effects import Forgotten
from sinks.clickhouse import ClickHouseAddress, connect
from sinks.clickhouse_migrations import DIRECTORY, migrate
from sinks.clickhouse_queries import OfferLiability, coupon_liability
from tests.builders import START_MS, named
from tests.contract.records import Made, judged
from tests.contract.warehouse import Warehouse, drop_database, fresh_warehouse, written


@pytest.fixture
def warehouse(clickhouse: str) -> Iterator[Warehouse]:
    with fresh_warehouse(clickhouse) as made:
        yield made


@pytest.fixture
def client(warehouse: Warehouse) -> Iterator[Client]:
    made = connect(warehouse.address)
    yield made
    made.close()


async def land(warehouse: Warehouse, *verdicts: CouponJudged, first: int = 0) -> None:
    made = [
        Made(0, first + at, one.code.encode(), coupon_words.encode(one))
        for at, one in enumerate(verdicts)
    ]
    await written(warehouse.coupons_sink(), made)


@pytest.mark.real
async def test_a_verdict_is_a_row_and_a_look_is_none(warehouse: Warehouse) -> None:
    verdict = judged(
        3,
        outcome="redeemed",
        status="redeemed",
        order_id="o1",
        action_id="a",
        goods_cents=400,
        shipping_cents=50,
        gift="p",
        currency="EUR",
        expires_at_ms=START_MS,
        redeemed=1,
        redeemed_cents=450,
    )
    await land(warehouse, judged(1, outcome="looked_at"), verdict)
    [row] = warehouse.ask("SELECT * EXCEPT (inserted_at) FROM coupon_verdicts")
    assert row == (
        datetime.fromtimestamp((START_MS + 3) / 1000, UTC), "CODE3", "welcome", named("c3"),
        "issued", "redeemed", "redeemed", False, "o1", "a", 400, 50, "p", "EUR",
        datetime.fromtimestamp(START_MS / 1000, UTC), 1, 1, 500, 0, 1, 450, 0, 0,
        0, 1_003, 0, 1, 0, 1,
    )  # fmt: skip


@pytest.mark.real
async def test_an_offers_sums_are_those_of_its_verdicts(
    warehouse: Warehouse, client: Client
) -> None:
    await land(
        warehouse,
        judged(0),
        judged(1),
        judged(2, offer="spring", open_cents=0, open_unlimited=1),
        judged(0, outcome="redeemed", issued=0, open=-1, open_cents=-500, redeemed=1,
               redeemed_cents=450),
        judged(9, offer="", outcome="unknown", issued=0, open=0, open_cents=0),
    )  # fmt: skip
    assert coupon_liability(client) == [
        OfferLiability("spring", 1, 1, {}, 1, 0, {}, 0, 0),
        OfferLiability("welcome", 2, 1, {"": 500}, 0, 1, {"": 450}, 0, 0),
    ]


@pytest.mark.real
async def test_cents_of_two_currencies_are_never_added_up(
    warehouse: Warehouse, client: Client
) -> None:
    used = {"outcome": "redeemed", "issued": 0, "open": -1, "redeemed": 1}
    await land(
        warehouse,
        judged(0, currency="EUR"),
        judged(1, currency="EUR"),
        judged(2, currency="JPY", open_cents=9_000),
        # From before currencies were kept.
        judged(3),
        judged(0, currency="EUR", open_cents=-500, redeemed_cents=500, **used),
        judged(4, currency="EUR", open_cents=0, open_unlimited=1),
        judged(4, currency="JPY", open_cents=0, open_unlimited=-1, redeemed_cents=900, **used),
    )
    assert coupon_liability(client) == [
        OfferLiability(
            "welcome", 5, 3, {"": 500, "EUR": 500, "JPY": 9_000}, 0, 2, {"EUR": 500, "JPY": 900},
            0, 0,
        )
    ]  # fmt: skip


@pytest.mark.real
async def test_verdicts_from_before_currencies_were_kept_stay_in_the_sums(
    clickhouse: str, tmp_path: Path
) -> None:
    for file in DIRECTORY.glob("000[1-7]*.sql"):
        shutil.copy(file, tmp_path)
    database = f"t_{uuid4().hex}"
    try:
        migrate(clickhouse, "default", "", database, tmp_path)
        client = connect(ClickHouseAddress(clickhouse, database=database))
        client.command(
            "INSERT INTO coupon_verdicts (code, offer, outcome, issued, open, open_cents) "
            "VALUES ('A1', 'welcome', 'issued', 1, 1, 500)"
        )
        assert migrate(clickhouse, "default", "", database)[0] == "0008_coupon_currencies.sql"
        assert coupon_liability(client) == [
            OfferLiability("welcome", 1, 1, {"": 500}, 0, 0, {}, 0, 0)
        ]
        client.close()
    finally:
        drop_database(clickhouse, database)


@pytest.mark.real
async def test_a_forgotten_customers_coupons_are_swept_and_the_sums_still_add_up(
    warehouse: Warehouse, client: Client
) -> None:
    await land(warehouse, judged(0), judged(1))
    gone = Forgotten(
        incarnation=1, partition=0, offset=1, index=0, customer=named("c0"), at_ms=START_MS
    )
    await warehouse.land(gone)
    await land(warehouse, judged(0, outcome="expired", issued=0, open=-1, expired=1), first=2)
    assert [one[0] for one in warehouse.ask("SELECT code FROM coupon_verdicts")] == ["CODE1"]
    assert coupon_liability(client) == [OfferLiability("welcome", 1, 1, {"": 500}, 0, 0, {}, 0, 0)]
