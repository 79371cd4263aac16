"""Materialized views that follow their tables even over a crash between the two.

An insert commits a table's part and then the parts of its views. A process or server that dies in
between leaves them apart. So whoever takes over a partition compares what its views would say of
the table now with what is in their targets, and writes the difference: one atomic insert, and
nothing when there is none. Nobody else writes this partition's sums meanwhile.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import structlog
from clickhouse_connect.driver.client import Client

from sinks.clickhouse import insert_selected
from sinks.port import Record


@dataclass(frozen=True)
class SumsKept:
    """Keeps a summing view equal to its table: `feed` is the view, `target` where its sums are."""

    feed: str
    target: str
    incarnation: int

    def resume(self, client: Client, partitions: Iterable[int]) -> None:
        """Write what the target lacks or has too much of these partitions."""
        among = ", ".join(str(int(one)) for one in partitions)
        written = insert_selected(
            client,
            f"INSERT INTO {self.target} "  # noqa: S608
            f"SELECT * FROM ({self._difference(client, among)}) AS d",
        )
        if written:
            structlog.get_logger().warning("sums mended", target=self.target, rows=written)

    def written(self, client: Client, batch: Sequence[Record]) -> None:
        """Nothing: the view has followed."""

    def differences(self, client: Client, partitions: Iterable[int]) -> int:
        """Count the groups of these partitions in which table and sums are apart."""
        among = ", ".join(str(int(one)) for one in partitions)
        counted = client.query(f"SELECT count() FROM ({self._difference(client, among)}) AS d")  # noqa: S608
        return int(counted.result_rows[0][0])

    def _difference(self, client: Client, among: str) -> str:
        keys, sums = _columns(client, self.target)
        view = _definition(client, self.feed)
        here = f"WHERE incarnation = {int(self.incarnation)} AND _partition IN ({among})"
        grouped = ", ".join(keys)
        ours = ", ".join(sums)
        minus = ", ".join(f"-{name}" for name in sums)
        both = (
            f"SELECT {grouped}, {ours} FROM ({view}) AS v {here} UNION ALL "  # noqa: S608
            f"SELECT {grouped}, {minus} FROM {self.target} {here}"
        )
        added = ", ".join(f"sum(b.{name}) AS {name}" for name in sums)
        apart = " OR ".join(f"{name} != 0" for name in sums)
        return (
            f"SELECT {grouped}, {added} FROM ({both}) AS b "  # noqa: S608
            f"GROUP BY {grouped} HAVING {apart}"
        )


@dataclass(frozen=True)
class NewestKept:
    """Keeps `customers_now` at the newest rows of `profile_history`."""

    incarnation: int

    def resume(self, client: Client, partitions: Iterable[int]) -> None:
        """Bring in again what is newer than the newest row of each partition."""
        view = _definition(client, "customers_now_feed")
        for partition in partitions:
            written = insert_selected(
                client,
                f"INSERT INTO customers_now SELECT * FROM ({view}) AS v "  # noqa: S608
                f"WHERE _partition = {int(partition)} AND version > "
                f"(SELECT max(version) FROM customers_now WHERE _partition = {int(partition)} "
                f"AND bitShiftRight(version, 48) = {int(self.incarnation)})",
            )
            if written:
                structlog.get_logger().warning("newest rows mended", rows=written)

    def written(self, client: Client, batch: Sequence[Record]) -> None:
        """Nothing: the view has followed."""


def fact_sums(incarnation: int) -> tuple[SumsKept, ...]:
    """List the sums over the tables of facts."""
    return tuple(
        SumsKept(f"{name}_feed", f"{name}_sums", incarnation)
        for name in ("orders_hourly", "events_hourly", "categories_daily")
    )


def _columns(client: Client, table: str) -> tuple[list[str], list[str]]:
    found = client.query(
        "SELECT name, is_in_sorting_key FROM system.columns "
        "WHERE database = currentDatabase() AND table = {table:String} ORDER BY position",
        parameters={"table": table},
    ).result_rows
    return [name for name, key in found if key], [name for name, key in found if not key]


def _definition(client: Client, view: str) -> str:
    found = client.query(
        "SELECT as_select FROM system.tables "
        "WHERE database = currentDatabase() AND name = {view:String}",
        parameters={"view": view},
    ).result_rows
    if not found:
        raise LookupError(f"view {view} is missing: the migrations were not applied")
    return str(found[0][0])
