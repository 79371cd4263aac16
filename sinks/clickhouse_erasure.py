"""Forgetting a person in ClickHouse: no table keeps a row under any of their tokens.

Sinks of different topics run apart, so an action may land after the erasure that followed it. That
is why each sink looks into `forgotten` after each batch and sweeps what came late; whatever the
order, the later of the two sees the other.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import structlog
from clickhouse_connect.driver.client import Client

from sinks.clickhouse import insert_selected
from sinks.clickhouse_sums import SumsKept
from sinks.port import Record

ERASED = "customer IN (SELECT name FROM forgotten)"
ERASED_MERGES = f"({ERASED} OR origin IN (SELECT name FROM forgotten))"  # noqa: S608


class NotErased(Exception):
    """Rows of an erased customer are still there."""


@dataclass(frozen=True)
class Erasure:
    """Sweeps out who is forgotten.

    `fed` are the tables this sink writes, `derived` those that views fill from them, `sums` what
    must go down with their rows. With `keeps_book` the sink writes `forgotten` itself, and sweeps
    every table when somebody new stands in it.
    """

    incarnation: int
    fed: tuple[str, ...]
    derived: tuple[str, ...] = ()
    sums: tuple[SumsKept, ...] = ()
    keeps_book: bool = False

    def resume(self, client: Client, partitions: Iterable[int]) -> None:
        """Nothing: a batch that was not swept was not committed either."""

    def written(self, client: Client, batch: Sequence[Record]) -> None:
        """Sweep, if the batch forgot somebody or brought rows of somebody who is forgotten."""
        here = self._place_of(batch)
        if self.keeps_book and _count(client, "forgotten", here):
            self._note_merged_names(client)
            self._sweep(client, tables_of_customers(client), batch)
        elif _count(client, "forgotten", "1") and self._came_late(client, here):
            self._sweep(client, [*self.fed, *self.derived], batch)

    def _place_of(self, batch: Sequence[Record]) -> str:
        spans: dict[int, tuple[int, int]] = {}
        for record in batch:
            first, last = spans.get(record.partition, (record.offset, record.offset))
            spans[record.partition] = (min(first, record.offset), max(last, record.offset))
        among = " OR ".join(
            f"(_partition = {partition} AND _offset BETWEEN {first} AND {last})"
            for partition, (first, last) in spans.items()
        )
        return f"incarnation = {int(self.incarnation)} AND ({among or '0'})"

    def _came_late(self, client: Client, here: str) -> bool:
        return any(_count(client, table, f"{here} AND {_erased(table)}") for table in self.fed)

    def _sweep(self, client: Client, tables: Sequence[str], batch: Sequence[Record]) -> None:
        swept = [table for table in tables if _count(client, table, _erased(table))]
        for table in swept:
            _delete(client, table)
        if swept:
            structlog.get_logger().info("erased", tables=swept)
        for sums in self.sums:
            sums.resume(client, {record.partition for record in batch})

    def _note_merged_names(self, client: Client) -> None:
        """Write down every token whose history had become a forgotten customer's.

        The merges themselves are deleted afterwards, so this must be kept first.
        """
        while insert_selected(
            client,
            "INSERT INTO forgotten (at, customer, name, incarnation, _partition, _offset) "
            "SELECT DISTINCT f.at, f.customer, m.origin, f.incarnation, f._partition, f._offset "
            "FROM merges AS m INNER JOIN forgotten AS f ON m.customer = f.name "
            "WHERE m.origin NOT IN (SELECT name FROM forgotten)",
        ):
            pass


def tables_of_customers(client: Client) -> list[str]:
    """Name every table that has rows by customer, but for the book of the forgotten."""
    found = client.query(
        "SELECT c.table FROM system.columns AS c INNER JOIN system.tables AS t "
        "ON t.name = c.table AND t.database = c.database "
        "WHERE c.database = currentDatabase() AND c.name = 'customer' "
        "AND t.engine LIKE '%MergeTree' AND c.table != 'forgotten' ORDER BY c.table"
    ).result_rows
    return [str(name) for (name,) in found]


def _erased(table: str) -> str:
    return ERASED_MERGES if table == "merges" else ERASED


def _count(client: Client, table: str, condition: str) -> int:
    counted = client.query(f"SELECT count() FROM {table} WHERE {condition}")  # noqa: S608
    return int(counted.result_rows[0][0])


def _delete(client: Client, table: str) -> None:
    """Hide the rows at once, have the engine rewrite its files without them, and look.

    A plain ALTER … DELETE would not do: it takes hidden rows for gone and leaves their files alone.
    """
    condition = _erased(table)
    client.command(f"DELETE FROM {table} WHERE {condition}")  # noqa: S608
    client.command(f"ALTER TABLE {table} APPLY DELETED MASK")
    remaining = _count(client, table, condition)
    if remaining:
        raise NotErased(f"table {table} still has {remaining} rows of forgotten customers")
