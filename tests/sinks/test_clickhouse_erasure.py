"""A forgotten person has no row in any table, under any of their names, whatever came when."""

from collections.abc import Iterator

import pytest

from models import coupon_words
from sinks.clickhouse_erasure import NotErased, _delete, tables_of_customers
from sinks.clickhouse_queries import sums_apart
from tests.builders import ANNA, START_MS, named
from tests.contract.records import (
    Made,
    action,
    customer,
    encode,
    fact,
    fact_record,
    forgotten,
    judged,
    merged,
    placed,
    row,
)
from tests.contract.warehouse import Warehouse, fresh_warehouse, written

pytestmark = pytest.mark.real

BERT, PHONE, TABLET = named("bert"), named("a phone"), named("a tablet")


@pytest.fixture
def warehouse(clickhouse: str) -> Iterator[Warehouse]:
    with fresh_warehouse(clickhouse) as made:
        yield made


def rows_of(warehouse: Warehouse, *customers: str) -> dict[str, int]:
    asked = "SELECT count() FROM {table:Identifier} WHERE customer IN {names:Array(String)}"
    counts = {
        table: warehouse.value(asked, table=table, names=list(customers))
        for table in tables_of_customers(warehouse.client)
    }
    return {table: count for table, count in counts.items() if count}


def action_record(token: str, offset: int) -> Made:
    return Made(0, offset, token.encode(), encode(action(0, offset, customer=token)))


def coupon_record(token: str, offset: int) -> Made:
    return Made(0, offset, b"CODE", coupon_words.encode(judged(offset, customer=token)))


def test_every_table_with_customers_is_known(warehouse: Warehouse) -> None:
    assert set(tables_of_customers(warehouse.client)) >= {
        "events", "orders", "order_lines", "order_voids", "tier_changes", "decisions", "merges",
        "actions", "profile_history", "customers_now", "coupon_verdicts",
    }  # fmt: skip
    assert "forgotten" not in tables_of_customers(warehouse.client)


async def test_every_table_forgets_and_others_stay(warehouse: Warehouse) -> None:
    await warehouse.land(*(fact(0, at, ANNA) for at in range(8)))
    await warehouse.land(*(fact(0, at, BERT) for at in range(8, 16)), first=8)
    both = [row(0, 0, ANNA, customer(0)), row(0, 1, BERT, customer(1))]
    await written(warehouse.history_sink(), both)
    await written(warehouse.actions_sink(), [action_record(ANNA, 0), action_record(BERT, 1)])
    coupons = [coupon_record(ANNA, 0), coupon_record(BERT, 1)]
    await written(warehouse.coupons_sink(), coupons)
    before = rows_of(warehouse, BERT)
    assert (
        rows_of(warehouse, ANNA).keys()
        == before.keys()
        == set(tables_of_customers(warehouse.client))
    )
    await written(warehouse.facts_sink(), [forgotten(ANNA, 0, 16)])
    assert rows_of(warehouse, ANNA) == {}
    assert rows_of(warehouse, BERT) == before
    names = warehouse.ask("SELECT customer, name FROM forgotten WHERE name = customer")
    assert names == [(ANNA, ANNA)]
    assert sums_apart(warehouse.client, 1, 1) == 0
    assert warehouse.value("SELECT sum(orders) FROM orders_hourly") == 1


async def test_the_files_are_rewritten_without_the_rows(warehouse: Warehouse) -> None:
    await warehouse.land(placed("o1", customer=ANNA), placed("o2", customer=BERT))
    await written(warehouse.facts_sink(), [forgotten(ANNA, 0, 2)])
    warehouse.client.command(
        "ALTER TABLE orders DELETE WHERE 0 SETTINGS mutations_sync = 1"
    )  # mutations run in their order: when this one is done the sink's are
    assert (
        warehouse.value(
            "SELECT sum(rows) FROM system.parts "
            "WHERE database = currentDatabase() AND table = 'orders' AND active"
        )
        == 1
    )


async def test_every_name_that_became_theirs_is_forgotten_too(warehouse: Warehouse) -> None:
    await warehouse.land(
        placed("o1", customer=TABLET),
        placed("o2", customer=PHONE),
        merged(TABLET, PHONE),
        merged(PHONE, ANNA),
        merged(named("a stranger's phone"), BERT),
    )
    await written(warehouse.facts_sink(), [forgotten(ANNA, 0, 5)])
    assert rows_of(warehouse, ANNA, PHONE, TABLET) == {}
    assert rows_of(warehouse, BERT) == {"merges": 1}
    names = warehouse.ask("SELECT name FROM forgotten WHERE customer = {anna:String}", anna=ANNA)
    assert sorted(names) == sorted([(ANNA,), (PHONE,), (TABLET,)])


async def test_what_lands_after_the_erasure_it_preceded_goes_too(warehouse: Warehouse) -> None:
    await warehouse.land(merged(PHONE, ANNA))
    await written(warehouse.facts_sink(), [forgotten(ANNA, 0, 1)])
    late = [row(0, 0, ANNA, customer(0)), row(0, 1, BERT, customer(1))]
    await written(warehouse.history_sink(), late)
    late_actions = [action_record(PHONE, 0), action_record(BERT, 1)]
    await written(warehouse.actions_sink(), late_actions)
    assert rows_of(warehouse, ANNA, PHONE) == {}
    assert rows_of(warehouse, BERT) == {"actions": 1, "customers_now": 1, "profile_history": 1}


async def test_an_erasure_read_again_changes_nothing(warehouse: Warehouse) -> None:
    batch = [
        fact_record(placed("o1", customer=ANNA), 0, 0),
        fact_record(merged(PHONE, ANNA), 0, 1),
        forgotten(ANNA, 0, 2),
        fact_record(placed("o2", customer=BERT), 0, 3),
    ]
    for _ in range(3):
        await written(warehouse.facts_sink(), batch)
    assert rows_of(warehouse, ANNA, PHONE) == {}
    assert warehouse.value("SELECT count() FROM orders") == 1
    assert warehouse.value("SELECT count() FROM forgotten") == 2
    assert sums_apart(warehouse.client, 1, 1) == 0


async def test_an_erased_state_leaves_no_row_in_the_history(warehouse: Warehouse) -> None:
    await warehouse.land()
    empty = customer(0, events=0)
    await written(warehouse.history_sink(), [row(0, 0, ANNA, empty), row(0, 1, ANNA, None)])
    assert rows_of(warehouse, ANNA) == {}


async def test_rows_that_stay_are_an_error(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    await warehouse.land(placed("o1", customer=ANNA, at_ms=START_MS))
    await written(warehouse.facts_sink(), [forgotten(BERT, 0, 1)])
    monkeypatch.setattr("sinks.clickhouse_erasure._count", lambda *_: 1)
    with pytest.raises(NotErased, match="orders still has 1 rows"):
        _delete(warehouse.client, "orders")
