"""A table as sinks write it: its columns, and rows turned into one block with a fitting token."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import xxhash
from clickhouse_connect.driver.client import Client

from sinks.clickhouse import INSERT_SETTINGS
from sinks.port import Record

Row = tuple[Any, ...]
"""Values in the order of the table's columns, then the record's partition and offset."""

TEXT = pa.string()
MOMENT = pa.timestamp("ms", tz="UTC")
FLAG = pa.bool_()
COUNT = pa.uint32()
CENTS = pa.int64()
NUMBER = pa.float64()
POSITION = (("_partition", pa.uint16()), ("_offset", pa.uint64()))

VALUE_ERRORS = (pa.ArrowException, OverflowError, TypeError, ValueError)


@dataclass(frozen=True)
class Table:
    """Name and columns, without `incarnation` and the position, which every table has."""

    name: str
    columns: tuple[tuple[str, pa.DataType], ...]

    def block(self, rows: Sequence[Row], incarnation: int) -> pa.Table:
        """Turn rows into columns; one of VALUE_ERRORS when a value does not fit."""
        kinds = [kind for _, kind in (*self.columns, *POSITION)]
        columns = zip(*rows, strict=True)
        arrays = [pa.array(values, kind) for values, kind in zip(columns, kinds, strict=True)]
        arrays.append(pa.repeat(pa.scalar(incarnation, pa.uint16()), len(rows)))
        names = [name for name, _ in (*self.columns, *POSITION)]
        return pa.table(arrays, [*names, "incarnation"])

    def fits(self, row: Row) -> bool:
        """Whether every value of a row can be held by its column."""
        try:
            self.block([row], 0)
        except VALUE_ERRORS:
            return False
        return True


@dataclass(frozen=True)
class NestedTable(Table):
    """A table with a row for each part of a record: its rows hold a sequence of parts at the end.

    `columns` are the record's and repeat for each part, `parts` name the parts' own attributes,
    `number` the column that counts them. Repeating is done on whole columns, which is what makes
    nine lines an order affordable.
    """

    parts: tuple[tuple[str, pa.DataType], ...] = ()
    number: str = "line"

    def block(self, rows: Sequence[Row], incarnation: int) -> pa.Table:
        """Turn records with their parts into columns, a row a part."""
        held: list[Sequence[Any]] = [row[-3] for row in rows]
        block = super().block([(*row[:-3], *row[-2:]) for row in rows], incarnation)
        counts = [len(parts) for parts in held]
        block = block.take(pa.array(np.repeat(np.arange(len(rows)), counts)))
        flat = [part for parts in held for part in parts]
        for name, kind in self.parts:
            block = block.append_column(
                name, pa.array([getattr(part, name) for part in flat], kind)
            )
        numbers = [number for count in counts for number in range(count)]
        return block.append_column(self.number, pa.array(numbers, pa.uint16()))


@dataclass(frozen=True)
class Shape:
    """How the records of one kind of topic become rows.

    `read` adds the rows of one record to lists by table name; a ValueError (msgspec's are) when
    the record is not readable, before it has added any.
    """

    tables: tuple[Table, ...]
    read: Callable[[Record, Mapping[str, list[Row]]], None]


def spans_of(block: pa.Table) -> dict[int, tuple[int, int]]:
    """First and last offset of each partition in a block."""
    found = block.group_by("_partition").aggregate([("_offset", "min"), ("_offset", "max")])
    return {
        row["_partition"]: (row["_offset_min"], row["_offset_max"]) for row in found.to_pylist()
    }


def after(block: pa.Table, landed: Mapping[int, int]) -> pa.Table:
    """Keep the rows beyond the greatest landed offset of their partition."""
    for partition, offset in landed.items():
        beyond = pc.or_(
            pc.not_equal(block["_partition"], partition), pc.greater(block["_offset"], offset)
        )
        block = block.filter(beyond)
    return block


def insert(client: Client, table: Table, topic: str, block: pa.Table, salt: str = "") -> None:
    """Insert a block, which is there whole or not at all.

    The token makes the engine drop a second try, ours or one the client makes by itself after a
    broken connection. It holds the content's hash: the same token over other rows would silently
    lose them. `salt` makes it another one.
    """
    body = _body(block)
    held = sorted(spans_of(block).items())
    spans = ",".join(f"{p}:{first}-{last}" for p, (first, last) in held)
    client.raw_insert(
        table.name,
        block.column_names,
        insert_block=body,
        fmt="ArrowStream",
        settings={
            **INSERT_SETTINGS,
            "log_comment": comment_of(topic, (partition for partition, _ in held)),
            "insert_deduplication_token": "|".join(
                (table.name, topic, spans, xxhash.xxh3_128_hexdigest(body), salt)
            ),
        },
    )


def comment_of(topic: str, partitions: Iterable[int]) -> str:
    """Mark a running insert with whose rows it brings.

    >>> comment_of("facts", [0, 3])
    'facts 0 3'
    """
    return " ".join([topic, *map(str, partitions)])


def inserts_under_way(client: Client, topic: str, partitions: Iterable[int]) -> int:
    """Count the inserts of these partitions that the engine is still working on."""
    found = client.query(
        "SELECT Settings['log_comment'] FROM system.processes "
        "WHERE query_kind = 'Insert' AND current_database = currentDatabase()"
    )
    wanted = set(map(str, partitions))
    comments = [str(comment).split(" ") for (comment,) in found.result_rows]
    return sum(comment[0] == topic and not wanted.isdisjoint(comment[1:]) for comment in comments)


def _body(block: pa.Table) -> bytes:
    """Encode a block as one batch of an Arrow stream: the same rows give the same bytes."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, block.schema) as stream:
        stream.write_table(block.combine_chunks())
    return bytes(sink.getvalue())
