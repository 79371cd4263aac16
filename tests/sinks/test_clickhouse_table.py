"""Blocks: rows to columns, spans, what is beyond, and the token that drops a second try."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest

from sinks.clickhouse_facts import TIER_CHANGES
from sinks.clickhouse_table import (
    COUNT,
    TEXT,
    VALUE_ERRORS,
    NestedTable,
    Table,
    after,
    insert,
    spans_of,
)
from tests.contract.warehouse import Warehouse, fresh_warehouse

TABLE = Table("things", (("name", TEXT), ("count", COUNT)))


@pytest.fixture(scope="module")
def warehouse(clickhouse: str) -> Iterator[Warehouse]:
    with fresh_warehouse(clickhouse) as made:
        made.stop_merges()
        yield made


def changes(partition: int, offsets: range, reason: str = "r") -> pa.Table:
    rows = [(offset, "anna", "new", "regular", reason, partition, offset) for offset in offsets]
    return TIER_CHANGES.block(rows, 1)


def test_a_block_has_the_columns_of_the_table_and_the_place_of_each_row() -> None:
    block = TABLE.block([("茶", 3, 1, 7), (None, 4, 0, 9)], 2)
    assert block.to_pylist() == [
        {"name": "茶", "count": 3, "_partition": 1, "_offset": 7, "incarnation": 2},
        {"name": None, "count": 4, "_partition": 0, "_offset": 9, "incarnation": 2},
    ]


@pytest.mark.parametrize(
    "row", [("a", -1, 0, 0), ("a", 2**32, 0, 0), ("a", "b", 0, 0), (1, 1, 0, 0)], ids=str
)
def test_a_value_its_column_can_not_hold_is_an_error_of_the_known_kinds(row: Any) -> None:
    assert not TABLE.fits(row)
    with pytest.raises(VALUE_ERRORS):
        TABLE.block([("fine", 1, 0, 0), row], 1)


def test_a_nested_table_repeats_the_record_for_each_part() -> None:
    table = NestedTable("lines", (("order", TEXT),), (("product", TEXT),), number="line")
    tea, cup = SimpleNamespace(product="tea"), SimpleNamespace(product="cup")
    block = table.block([("o1", (tea, cup), 0, 5), ("o2", (cup,), 1, 6)], 1)
    assert block.select(["order", "product", "line", "_offset"]).to_pylist() == [
        {"order": "o1", "product": "tea", "line": 0, "_offset": 5},
        {"order": "o1", "product": "cup", "line": 1, "_offset": 5},
        {"order": "o2", "product": "cup", "line": 0, "_offset": 6},
    ]


def test_spans_tell_the_first_and_last_offset_of_each_partition() -> None:
    block = TABLE.block([("a", 1, 0, 5), ("b", 1, 1, 3), ("c", 1, 0, 9)], 1)
    assert spans_of(block) == {0: (5, 9), 1: (3, 3)}


@pytest.mark.parametrize(
    ("landed", "kept"),
    [
        ({}, [5, 3, 9]),
        ({0: 4}, [5, 3, 9]),
        ({0: 5}, [3, 9]),
        ({0: 9, 1: 2}, [3]),
        ({0: 9, 1: 3}, []),
        ({2: 99}, [5, 3, 9]),
    ],
    ids=str,
)
def test_only_rows_beyond_what_has_landed_are_kept(landed: dict[int, int], kept: list[int]) -> None:
    block = TABLE.block([("a", 1, 0, 5), ("b", 1, 1, 3), ("c", 1, 0, 9)], 1)
    assert after(block, landed)["_offset"].to_pylist() == kept


def counted(warehouse: Warehouse, partition: int) -> int:
    asked = "SELECT count() FROM tier_changes WHERE _partition = {partition:UInt16}"
    return int(warehouse.value(asked, partition=partition))


@pytest.mark.real
def test_the_same_block_again_is_dropped_by_the_engine(warehouse: Warehouse) -> None:
    for _ in range(3):
        insert(warehouse.client, TIER_CHANGES, "facts", changes(0, range(10)))
    assert counted(warehouse, 0) == 10


@pytest.mark.real
def test_other_rows_at_the_same_place_are_not_taken_for_the_same_block(
    warehouse: Warehouse,
) -> None:
    insert(warehouse.client, TIER_CHANGES, "facts", changes(1, range(10), "one"))
    insert(warehouse.client, TIER_CHANGES, "facts", changes(1, range(10), "other"))
    assert counted(warehouse, 1) == 20


@pytest.mark.real
def test_blocks_cut_otherwise_are_beyond_the_token(warehouse: Warehouse) -> None:
    """The reason for asking the table before each insert."""
    insert(warehouse.client, TIER_CHANGES, "facts", changes(2, range(10)))
    insert(warehouse.client, TIER_CHANGES, "facts", changes(2, range(5, 15)))
    assert counted(warehouse, 2) == 20


@pytest.mark.real
def test_a_large_block_is_one_part(warehouse: Warehouse) -> None:
    insert(warehouse.client, TIER_CHANGES, "facts", changes(3, range(300_000)))
    parts = warehouse.ask(
        "SELECT rows FROM system.parts WHERE database = currentDatabase() "
        "AND table = 'tier_changes' AND active AND rows > 1000"
    )
    assert parts == [(300_000,)]
