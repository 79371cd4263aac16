"""Sums follow their tables, also over a crash between the two."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from structlog.testing import capture_logs

from sinks.clickhouse_sums import NewestKept, SumsKept, fact_sums
from sinks.clickhouse_table import insert, inserts_under_way
from tests.builders import named
from tests.contract.records import Made, customer, fact, fact_record, placed, row
from tests.contract.warehouse import Warehouse, fresh_warehouse, written

pytestmark = pytest.mark.real

SUMS = fact_sums(1)


@pytest.fixture
def warehouse(clickhouse: str) -> Iterator[Warehouse]:
    with fresh_warehouse(clickhouse) as made:
        made.stop_merges()
        yield made


def apart(warehouse: Warehouse) -> list[int]:
    return [sums.differences(warehouse.client, [0, 1]) for sums in SUMS]


def orders_in_sums(warehouse: Warehouse) -> tuple[int, int]:
    [found] = warehouse.ask("SELECT sum(orders), sum(revenue_cents) FROM orders_hourly")
    return found  # type: ignore[return-value]


@contextmanager
def a_crash_before(warehouse: Warehouse, feed: str) -> Iterator[None]:
    """What lands inside is in the table, and its view's part is not."""
    warehouse.client.command(f"DETACH TABLE {feed}")
    yield
    warehouse.client.command(f"ATTACH TABLE {feed}")


async def test_sums_are_those_of_the_table(warehouse: Warehouse) -> None:
    await warehouse.land(*(fact(0, offset) for offset in range(16)))
    await warehouse.land(*(fact(1, offset) for offset in range(16)), partition=1)
    assert apart(warehouse) == [0, 0, 0]
    placed_once = warehouse.ask(
        "SELECT count(), sum(total_cents) FROM orders WHERE order_state != 'repeated'"
    )
    assert [orders_in_sums(warehouse)] == placed_once


async def test_equal_blocks_are_both_summed(warehouse: Warehouse) -> None:
    """Two inserts whose sums are alike must not pass for a repetition of one."""
    await warehouse.land(placed("o1"))
    await warehouse.land(placed("o2"), first=1)
    assert orders_in_sums(warehouse) == (2, 4_000)


@pytest.mark.parametrize("sums", SUMS, ids=lambda one: one.target)
async def test_rows_whose_sums_were_lost_are_added_at_the_next_start(
    warehouse: Warehouse, sums: SumsKept
) -> None:
    """A process dies after the table's part was committed and before the view's."""
    await warehouse.land(*(fact(0, offset) for offset in range(8)))
    with a_crash_before(warehouse, sums.feed):
        await warehouse.land(
            *(fact(0, offset) for offset in range(8, 16)), first=8, taking_over=False
        )
    assert sums.differences(warehouse.client, [0]) > 0
    with capture_logs() as logs:
        sums.resume(warehouse.client, [0, 1])
        sums.resume(warehouse.client, [0, 1])
    assert apart(warehouse) == [0, 0, 0]
    assert [line["target"] for line in logs if line["event"] == "sums mended"] == [sums.target]


async def test_sums_without_their_rows_are_taken_off_at_the_next_start(
    warehouse: Warehouse,
) -> None:
    """The view's part was committed and the table's was not."""
    await warehouse.land(placed("o1"))
    warehouse.client.command(
        "INSERT INTO orders_hourly_sums SELECT * FROM orders_hourly_sums "
        "SETTINGS insert_deduplicate = 0"
    )
    assert orders_in_sums(warehouse) == (2, 4_000)
    await warehouse.land(placed("o2"), first=1)
    assert orders_in_sums(warehouse) == (2, 4_000)
    assert apart(warehouse) == [0, 0, 0]


async def test_a_write_that_failed_is_mended_before_it_is_tried_again(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The engine dies after the table's part, comes back, and the sink has lived on."""
    sink = warehouse.facts_sink()
    await sink.open()
    await sink.resume([0])
    batch = [fact_record(placed("o1"), 0, 0)]

    def broken(*arguments: Any) -> None:
        with a_crash_before(warehouse, "orders_hourly_feed"):
            insert(*arguments)
        if arguments[1].name == "orders":
            raise ConnectionError("the engine is gone")

    with monkeypatch.context() as patched:
        patched.setattr("sinks.clickhouse_sink.insert", broken)
        with pytest.raises(ConnectionError):
            await sink.write(batch)
    assert orders_in_sums(warehouse) == (0, 0)
    await sink.write(batch)
    await sink.close()
    assert orders_in_sums(warehouse) == (1, 2_000)
    assert apart(warehouse) == [0, 0, 0]


async def test_a_new_owner_waits_for_what_the_engine_still_inserts(warehouse: Warehouse) -> None:
    """The former owner was killed, and the insert it had sent is still running."""
    warehouse.client.command(
        "CREATE MATERIALIZED VIEW slow ENGINE = Null AS "
        "SELECT order_id FROM orders WHERE sleepEachRow(1.0) = 0"
    )
    orphan = asyncio.create_task(warehouse.land(placed("o1"), taking_over=False))
    while not inserts_under_way(warehouse.client, "facts", [0]):
        await asyncio.sleep(0.01)
    assert inserts_under_way(warehouse.client, "facts", [1]) == 0
    assert inserts_under_way(warehouse.client, "actions", [0]) == 0
    successor = warehouse.facts_sink()
    await successor.open()
    assert await successor.resume([0]) == {0: 1}
    await successor.close()
    await orphan


async def test_the_same_mending_twice_is_done_twice(warehouse: Warehouse) -> None:
    for first in (0, 1):
        with a_crash_before(warehouse, SUMS[0].feed):
            await warehouse.land(placed(f"o{first}"), first=first, taking_over=False)
        SUMS[0].resume(warehouse.client, [0])
        assert orders_in_sums(warehouse) == (first + 1, (first + 1) * 2_000)


async def test_other_partitions_are_left_to_those_who_own_them(warehouse: Warehouse) -> None:
    with a_crash_before(warehouse, SUMS[0].feed):
        await warehouse.land(placed("o1"), taking_over=False)
        await warehouse.land(placed("o2"), partition=1, taking_over=False)
    SUMS[0].resume(warehouse.client, [1])
    assert orders_in_sums(warehouse) == (1, 2_000)
    assert SUMS[0].differences(warehouse.client, [0]) == 1


def history(first: int, count: int) -> list[Made]:
    return [row(0, at, named("anna"), customer(at)) for at in range(first, first + count)]


async def test_the_newest_row_of_a_customer_is_found_though_the_view_missed_it(
    warehouse: Warehouse,
) -> None:
    await written(warehouse.history_sink(), history(0, 3))
    with a_crash_before(warehouse, "customers_now_feed"):
        await written(warehouse.history_sink(), history(3, 3), taking_over=False)
    asked = "SELECT value_cents FROM customers"
    assert warehouse.value(asked) == 102
    NewestKept(1).resume(warehouse.client, [0])
    assert warehouse.value(asked) == 105
    with capture_logs() as logs:
        NewestKept(1).resume(warehouse.client, [0, 1])
    assert logs == []


def test_a_missing_schema_is_said(warehouse: Warehouse) -> None:
    warehouse.client.command("DROP TABLE orders_hourly_feed")
    with pytest.raises(LookupError, match="orders_hourly_feed is missing"):
        SUMS[0].resume(warehouse.client, [0])
