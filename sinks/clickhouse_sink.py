"""The sink into ClickHouse: any topic, by its shape; each row once, whatever happens.

A row's identity is where its record stands in the topic. Before blocks are inserted the tables are
asked how far they have come in these partitions, and what is there is skipped: blocks are atomic
and follow one another in each partition, so the greatest offset says it all. Where a block may have
been tried before they are asked again afterwards: an engine that lost it then may still know its
token, and drop the next try as a repetition.
"""

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol
from uuid import uuid4

import msgspec
import pyarrow as pa
import structlog
from clickhouse_connect.driver.client import Client

from sinks.clickhouse import ClickHouseAddress, connect
from sinks.clickhouse_table import (
    TEXT,
    VALUE_ERRORS,
    Row,
    Shape,
    Table,
    after,
    insert,
    inserts_under_way,
    spans_of,
)
from sinks.port import Record

UNREADABLE = Table("unreadable", (("topic", TEXT), ("reason", TEXT)))
CHUNK_BYTES = 32_000_000
CHUNK_ROWS = 200_000
"""Far below the block size at which the engine would part an insert."""
CHECK_EVERY = 64
TRIED_AHEAD = 50_000
"""Offsets behind the last landed one that a predecessor may have tried: more than a batch holds."""
QUIET_LIMIT_S = 30.0
QUIET_POLL_S = 0.05

Landed = Mapping[tuple[str, int], int]
"""Greatest offset by (table, partition)."""


class Aftercare(Protocol):
    """What else must be true of the tables, besides holding the rows."""

    def resume(self, client: Client, partitions: Iterable[int]) -> None:
        """Mend what a crash may have left."""

    def written(self, client: Client, batch: Sequence[Record]) -> None:
        """Follow up on a batch that has landed; must bear repetition."""


class ClickHouseSink:
    """Lands one topic in the tables of its shape."""

    def __init__(
        self,
        name: str,
        address: ClickHouseAddress,
        topic: str,
        incarnation: int,
        shape: Shape,
        aftercare: Sequence[Aftercare] = (),
        *,
        skip_landed: bool = True,
    ) -> None:
        self.name = name
        self._address = address
        self._topic = topic
        self._incarnation = incarnation
        self._shape = shape
        self._aftercare = aftercare
        self._skip_landed = skip_landed
        self._tables = {table.name: table for table in (*shape.tables, UNREADABLE)}
        self._client: Client | None = None
        self._unsure: set[int] = set()
        self._tried_to: dict[int, int] = {}
        self._log = structlog.get_logger().bind(sink=name)

    async def open(self) -> None:
        """Connect."""
        if self._client is None:
            self._client = await asyncio.to_thread(connect, self._address)

    async def resume(self, partitions: Iterable[int]) -> Mapping[int, int]:
        """Mend sums, and tell the first offset of each partition that is in no table."""
        return await asyncio.to_thread(self._resume, sorted(partitions))

    async def write(self, batch: Sequence[Record]) -> None:
        """Land a batch, in chunks where it is large."""
        await asyncio.to_thread(self._write, batch)

    async def close(self) -> None:
        """Close the connection."""
        if self._client is not None:
            await asyncio.to_thread(self._client.close)
            self._client = None

    @property
    def _open_client(self) -> Client:
        if self._client is None:
            raise RuntimeError(f"sink {self.name} is not open")
        return self._client

    def _resume(self, partitions: Sequence[int]) -> Mapping[int, int]:
        self._mend(partitions)
        landed = self._landed(list(self._tables), dict.fromkeys(partitions, 0))
        known = {
            partition: max(
                (offset + 1 for (_, owner), offset in landed.items() if owner == partition),
                default=0,
            )
            for partition in partitions
        }
        self._tried_to |= {one: offset + TRIED_AHEAD for one, offset in known.items()}
        return known

    def _mend(self, partitions: Iterable[int]) -> None:
        """Find firm ground after a write of which nobody knows how far it came.

        Whoever began it may be gone while the engine is still at it. Until it is done neither the
        greatest offset nor a sum says anything.
        """
        partitions = sorted(partitions)
        deadline = time.monotonic() + QUIET_LIMIT_S
        while inserts_under_way(self._open_client, self._topic, partitions):
            if time.monotonic() > deadline:
                raise TimeoutError(f"the engine still inserts what {self.name} sent before")
            time.sleep(QUIET_POLL_S)
        for care in self._aftercare:
            care.resume(self._open_client, partitions)

    def _write(self, batch: Sequence[Record]) -> None:
        if self._unsure:
            self._mend(self._unsure)
            for record in batch:
                tried_to = self._tried_to.get(record.partition, 0)
                self._tried_to[record.partition] = max(tried_to, record.offset + 1)
        self._unsure |= {record.partition for record in batch}
        self._write_chunks(batch)
        for care in self._aftercare:
            care.written(self._open_client, batch)
        self._unsure.clear()

    def _write_chunks(self, batch: Sequence[Record]) -> None:
        rows = self._no_rows()
        size_bytes = 0
        for number, record in enumerate(batch):
            self._read(record, rows)
            size_bytes += len(record.value or b"")
            if number % CHECK_EVERY == 0 and (
                size_bytes > CHUNK_BYTES or max(map(len, rows.values())) > CHUNK_ROWS
            ):
                self._land(rows)
                rows = self._no_rows()
                size_bytes = 0
        self._land(rows)

    def _no_rows(self) -> dict[str, list[Row]]:
        return {name: [] for name in self._tables}

    def _read(self, record: Record, rows: dict[str, list[Row]]) -> None:
        try:
            self._shape.read(record, rows)
        except (ValueError, msgspec.MsgspecError) as error:
            self._put_aside(record.partition, record.offset, str(error), rows)

    def _put_aside(
        self, partition: int, offset: int, reason: str, rows: dict[str, list[Row]]
    ) -> None:
        self._log.error(
            "unreadable record",
            topic=self._topic,
            partition=partition,
            offset=offset,
            reason=reason,
        )
        rows[UNREADABLE.name].append((self._topic, reason, partition, offset))

    def _land(self, rows: dict[str, list[Row]]) -> None:
        blocks = self._blocks(rows)
        if not self._skip_landed:
            self._insert(blocks)
            return
        absent = self._absent(blocks)
        self._insert(absent)
        if dropped := self._absent(self._tried(absent)):
            self._log.warning("blocks taken for repetitions inserted again", tables=list(dropped))
            self._insert(dropped, salt=uuid4().hex)

    def _insert(self, blocks: Mapping[str, pa.Table], salt: str = "") -> None:
        for name, block in blocks.items():
            insert(self._open_client, self._tables[name], self._topic, block, salt)

    def _absent(self, blocks: Mapping[str, pa.Table]) -> dict[str, pa.Table]:
        """Keep of each block what lies beyond its table's greatest offsets, and no empty block."""
        landed: dict[str, dict[int, int]] = {name: {} for name in blocks}
        for (name, partition), offset in self._landed_from(blocks).items():
            landed[name][partition] = offset
        left = {name: after(block, landed[name]) for name, block in blocks.items()}
        return {name: block for name, block in left.items() if block.num_rows}

    def _tried(self, blocks: Mapping[str, pa.Table]) -> dict[str, pa.Table]:
        """Keep the blocks whose tokens may come from a try before, ours or a predecessor's."""
        return {
            name: block
            for name, block in blocks.items()
            if any(
                first < self._tried_to.get(partition, first + 1)
                for partition, (first, _) in spans_of(block).items()
            )
        }

    def _blocks(self, rows: dict[str, list[Row]]) -> dict[str, pa.Table]:
        try:
            return {
                name: table.block(rows[name], self._incarnation)
                for name, table in self._tables.items()
                if rows[name]
            }
        except VALUE_ERRORS:
            self._part_unfit(rows)
            return self._blocks(rows)

    def _part_unfit(self, rows: dict[str, list[Row]]) -> None:
        """Put aside every record that has a value its column can't hold."""
        for table in self._shape.tables:
            unfit = {row[-2:] for row in rows[table.name] if not table.fits(row)}
            for other in self._shape.tables:
                rows[other.name] = [row for row in rows[other.name] if row[-2:] not in unfit]
            for partition, offset in sorted(unfit):
                self._put_aside(partition, offset, f"a value does not fit table {table.name}", rows)

    def _landed_from(self, blocks: Mapping[str, pa.Table]) -> Landed:
        firsts: dict[int, int] = {}
        for block in blocks.values():
            for partition, (first, _) in spans_of(block).items():
                firsts[partition] = min(first, firsts.get(partition, first))
        return self._landed(list(blocks), firsts)

    def _landed(self, names: Sequence[str], firsts: Mapping[int, int]) -> Landed:
        """Ask the tables for their greatest offset in each partition, from `firsts` on."""
        if not names or not firsts:
            return {}
        among = " OR ".join(
            f"(_partition = {int(p)} AND _offset >= {int(first)})" for p, first in firsts.items()
        )
        asked = " UNION ALL ".join(
            f"SELECT '{name}', _partition, max(_offset) FROM {name} "  # noqa: S608
            f"WHERE incarnation = {int(self._incarnation)} AND ({among})"
            + (" AND topic = {topic:String}" if name == UNREADABLE.name else "")
            + " GROUP BY _partition"
            for name in names
        )
        found = self._open_client.query(asked, parameters={"topic": self._topic})
        return {(name, partition): offset for name, partition, offset in found.result_rows}
