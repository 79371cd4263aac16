"""The ceiling: `ceiling_fold.py KAFKA GROUP SOURCE CHANGELOG OUTPUT PARTITIONS INTERVAL_MS`.

aiokafka, a dictionary per partition and one transaction per partition and interval; no Faust, no
poison records, no rebalance, no recovery. What Python can do here with nothing around it.
"""

import asyncio
import sys
import time
from typing import Any

import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from tests.bench.counting_fold import NOTHING, Row, Tally, decode_purchase, encode_row, encode_tally

BATCH_BYTES = 900_000
RECORDS_AT_ONCE = 2_000


class Partition:
    """Rows of one partition, its producer, and what the next transaction takes."""

    def __init__(self, place: TopicPartition, producer: AIOKafkaProducer, group: str) -> None:
        self._place = place
        self._producer = producer
        self._group = group
        self._rows: dict[bytes, Row] = {}
        self._touched: dict[bytes, Row] = {}
        self._outputs: list[tuple[bytes, bytes]] = []
        self._offset = 0
        self.committed_at = time.monotonic()
        self.committing: asyncio.Task[None] | None = None

    def fold(self, records: list[Any]) -> None:
        rows, touched, outputs = self._rows, self._touched, self._outputs
        for record in records:
            purchase = decode_purchase(record.value)
            key = record.key
            events, total_cents, last_at_ms = rows.get(key, NOTHING)
            row = (
                events + 1,
                total_cents + purchase.amount_cents,
                max(last_at_ms, purchase.occurred_at_ms),
            )
            rows[key] = touched[key] = row
            outputs.append((key, encode_tally(Tally(purchase.customer, *row))))
        self._offset = records[-1].offset + 1

    async def commit(self, changelog: str, output: str) -> None:
        rows = [(key, encode_row(row)) for key, row in self._touched.items()]
        outputs, offset = self._outputs, self._offset
        self._touched, self._outputs = {}, []
        await self._producer.begin_transaction()
        await self._send(changelog, rows)
        await self._send(output, outputs)
        await self._producer.send_offsets_to_transaction({self._place: offset}, self._group)
        await self._producer.commit_transaction()

    async def _send(self, topic: str, records: list[tuple[bytes, bytes]]) -> None:
        number = self._place.partition
        batch = self._producer.create_batch()
        for key, value in records:
            if batch.append(key=key, value=value, timestamp=None) is None:
                await self._producer.send_batch(batch, topic, partition=number)
                batch = self._producer.create_batch()
                batch.append(key=key, value=value, timestamp=None)
        await self._producer.send_batch(batch, topic, partition=number)


async def run(
    kafka: str, group: str, source: str, changelog: str, output: str, count: int, interval_s: float
) -> None:
    """Fold until the process is ended."""
    places = [TopicPartition(source, number) for number in range(count)]
    consumer = AIOKafkaConsumer(
        bootstrap_servers=kafka,
        group_id=group,
        enable_auto_commit=False,
        isolation_level="read_committed",
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=4_000_000,
        check_crcs=False,
    )
    await consumer.start()
    consumer.assign(places)
    partitions = {}
    for place in places:
        producer = AIOKafkaProducer(
            bootstrap_servers=kafka,
            transactional_id=f"{group}-{place.partition}",
            max_batch_size=BATCH_BYTES,
            max_request_size=BATCH_BYTES + 100_000,
            linger_ms=0,
            retry_backoff_ms=10,
        )
        await producer.start()
        partitions[place] = Partition(place, producer, group)
    while True:
        fetched = await consumer.getmany(timeout_ms=20, max_records=RECORDS_AT_ONCE)
        for place, records in fetched.items():
            partition = partitions[place]
            partition.fold(records)
            if time.monotonic() - partition.committed_at >= interval_s:
                if partition.committing is not None:
                    await partition.committing
                partition.committed_at = time.monotonic()
                partition.committing = asyncio.create_task(partition.commit(changelog, output))
        await asyncio.sleep(0)


def main(
    kafka: str, group: str, source: str, changelog: str, output: str, count: str, interval_ms: str
) -> None:
    interval_s = int(interval_ms) / 1000
    uvloop.run(run(kafka, group, source, changelog, output, int(count), interval_s))


if __name__ == "__main__":
    main(*sys.argv[1:])
