"""A database of its own for a test, and rows put into it as a sink would."""

import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from clickhouse_connect.driver.client import Client

from models.effects import FactBase
from sinks.clickhouse import ClickHouseAddress, connect
from sinks.clickhouse_coupons import COUPON_SHAPE
from sinks.clickhouse_erasure import Erasure
from sinks.clickhouse_facts import FACTS
from sinks.clickhouse_migrations import migrate
from sinks.clickhouse_queries import POSITIONED
from sinks.clickhouse_shapes import ACTION_SHAPE, CUSTOMER_SHAPE
from sinks.clickhouse_sink import ClickHouseSink
from sinks.clickhouse_sums import NewestKept, fact_sums
from sinks.port import Record
from tests.contract.records import Made, fact_record

FED_BY_FACTS = tuple(table.name for table in FACTS.tables if table.name != "forgotten")


@dataclass
class Warehouse:
    """One database with its schema."""

    address: ClickHouseAddress
    client: Client

    def facts_sink(self) -> ClickHouseSink:
        sums = fact_sums(1)
        swept = Erasure(1, FED_BY_FACTS, sums=sums, keeps_book=True)
        return ClickHouseSink("facts", self.address, "facts", 1, FACTS, [*sums, swept])

    def history_sink(self) -> ClickHouseSink:
        swept = Erasure(1, ("profile_history",), derived=("customers_now",))
        care = [NewestKept(1), swept]
        return ClickHouseSink("history", self.address, "customers", 1, CUSTOMER_SHAPE, care)

    def actions_sink(self) -> ClickHouseSink:
        swept = Erasure(1, ("actions",))
        return ClickHouseSink("actions", self.address, "actions", 1, ACTION_SHAPE, [swept])

    def coupons_sink(self) -> ClickHouseSink:
        swept = Erasure(1, ("coupon_verdicts",))
        return ClickHouseSink("coupons", self.address, "verdicts", 1, COUPON_SHAPE, [swept])

    async def land(
        self, *facts: FactBase, partition: int = 0, first: int = 0, taking_over: bool = True
    ) -> list[Made]:
        """Land facts one after another in a partition."""
        made = [
            fact_record(fact, partition, offset) for offset, fact in enumerate(facts, start=first)
        ]
        await written(self.facts_sink(), made, taking_over=taking_over)
        return made

    def ask(self, query: str, **parameters: Any) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in self.client.query(query, parameters=parameters).result_rows]

    def value(self, query: str, **parameters: Any) -> Any:
        [[only]] = self.ask(query, **parameters)
        return only

    def stop_merges(self) -> None:
        for table in POSITIONED:
            self.client.command(f"SYSTEM STOP MERGES {self.address.database}.{table}")


async def written(
    sink: ClickHouseSink, batch: Sequence[Record], *, taking_over: bool = True
) -> None:
    """Open a sink, take over, write, close: the whole life of a process."""
    await sink.open()
    if taking_over:
        await sink.resume({one.partition for one in batch})
    await sink.write(batch)
    await sink.close()


@contextmanager
def fresh_warehouse(url: str) -> Iterator[Warehouse]:
    """Make a database with the whole schema; it goes at the end."""
    database = f"t_{uuid4().hex}"
    migrate(url, "default", "", database)
    address = ClickHouseAddress(url, database=database)
    client = connect(address)
    yield Warehouse(address, client)
    client.command(f"DROP DATABASE {database}")
    client.close()


def drop_database(url: str, name: str) -> None:
    """Drop what a test may have made: the engine looks after each table for as long as it runs."""
    statement = f"DROP DATABASE IF EXISTS {name} SYNC".encode()
    urllib.request.urlopen(url, statement, timeout=60).close()
