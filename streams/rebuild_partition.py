"""One partition of the log folded anew: state without effects, rows kept until the end.

Everything but where rows and effects go is the worker's own: the fold, and `LanePartition` with its
dealing with what raises. Messages, facts and lessons were sent when the events came first, and what
merges added to the log stands in it.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from models.effects import DayEnded, HourEnded
from models.step import Effect
from models.tokens import POSITION_KEY
from sinks.patience import Opened
from streams import topics
from streams.customer_fold import CustomerFold
from streams.fold import Interval
from streams.lane import RECORDS_PER_BATCH
from streams.partition import MAX_BATCH_BYTES, LanePartition, LaneSpec
from streams.secrets import load_secrets
from streams.settings import Settings
from streams.snapshots import SnapshotReader

RECORDS_PER_INTERVAL = 16_000
POLL_MS = 500
FETCH_BYTES = 8_000_000

Rows = dict[bytes, bytes]


class Rebuilt(NamedTuple):
    """A partition's table as the log makes it, beside the one that is live.

    `same` rows are equal byte for byte; `different` ones have another content there, `missing`
    ones are only in the log's making, `surplus` ones only in the live table.
    """

    partition: int
    events: int
    rows: int
    same: int
    different: int
    missing: int
    surplus: int
    left_out: int


class SilentFold(CustomerFold):
    """The customers' fold with its effects off."""

    def _put(self, key: bytes, effects: list[Effect]) -> None:
        """They were sent when this was folded first."""

    def _say_ended(self, ended: HourEnded | DayEnded) -> None:
        """It was said then."""


class RebuiltPartition(LanePartition):
    """A lane's partition that keeps the rows instead of sending anything."""

    def __init__(self, spec: LaneSpec, partition: int, fold: SilentFold) -> None:
        super().__init__(spec, partition, fold)
        self.rows: Rows = {}

    async def open(self) -> None:
        """Begin with an empty table; nobody is fenced."""

    async def settle(self) -> None:
        """Pack what is touched, once there is much of it."""
        if len(self._interval_records) >= RECORDS_PER_INTERVAL:
            await self.flush()

    async def _send(self, interval: Interval, offset: int) -> None:
        for key, row in interval.rows:
            if row is None:
                self.rows.pop(key, None)
            else:
                self.rows[key] = row


async def rebuild(settings: Settings, partition: int, end: int, target: str) -> Rebuilt:
    """Fold a partition of the log up to offset `end`, write its table to `target`, compare.

    KafkaError when the broker is away.
    """
    snapshots = SnapshotReader(settings.kafka_bootstrap, settings.named(topics.SNAPSHOTS))
    await snapshots.start()
    try:
        folded = await _fold(settings, partition, end, snapshots)
    finally:
        await snapshots.stop()
    await write_rows(settings, target, partition, folded.rows.items())
    live = await read_table(settings, settings.named(topics.CUSTOMERS), partition)
    return compared(folded, live)


def compared(folded: RebuiltPartition, live: Rows) -> Rebuilt:
    """Count what is the same in the rebuilt and in the live table, and what is not."""
    rows = folded.rows
    both = [key for key in rows if key in live]
    same = sum(rows[key] == live[key] for key in both)
    return Rebuilt(
        partition=folded.partition,
        events=folded.folded_events,
        rows=len(rows),
        same=same,
        different=len(both) - same,
        missing=len(rows) - len(both),
        surplus=len(live) - len(both),
        left_out=folded.spec.measures.left_out,
    )


async def _fold(
    settings: Settings, partition: int, end: int, snapshots: SnapshotReader
) -> RebuiltPartition:
    folded = RebuiltPartition(
        _spec(settings), partition, _silent_fold(settings, partition, snapshots)
    )
    place = TopicPartition(settings.named(topics.EVENTS), partition)
    async with _reader(settings) as consumer:
        consumer.assign([place])
        await consumer.seek_to_beginning(place)
        while await consumer.position(place) < end:
            fetched = await consumer.getmany(
                place, timeout_ms=POLL_MS, max_records=RECORDS_PER_BATCH
            )
            records = [one for one in fetched.get(place, ()) if one.offset < end]
            if records:
                await folded.take(records)
                await folded.settle()
    await folded.flush()
    return folded


def _silent_fold(settings: Settings, partition: int, snapshots: SnapshotReader) -> SilentFold:
    return SilentFold(
        partition=partition,
        partitions=settings.partitions,
        incarnation=settings.incarnation,
        topic_of=settings.named,
        load_snapshot=snapshots.load,
        # Dead letters go nowhere either: they were written when this was folded first.
        seal_raw=lambda _: "",
        coupon_key=load_secrets(settings).coupon_key,
    )


def _spec(settings: Settings) -> LaneSpec:
    return LaneSpec(
        bootstrap=settings.kafka_bootstrap,
        group="",
        source=settings.named(topics.EVENTS),
        changelog="",
        transactional_prefix="",
        commit_interval_ms=settings.commit_interval_ms,
    )


async def read_table(settings: Settings, topic: str, partition: int) -> Rows:
    """Read a table's rows from its changelog, up to the end it has now."""
    rows: Rows = {}
    place = TopicPartition(topic, partition)
    async with _reader(settings) as consumer:
        consumer.assign([place])
        end = (await consumer.end_offsets([place]))[place]
        await consumer.seek_to_beginning(place)
        while await consumer.position(place) < end:
            for record in (await consumer.getmany(place, timeout_ms=POLL_MS)).get(place, ()):
                if record.key == POSITION_KEY:
                    continue
                if record.value is None:
                    rows.pop(record.key, None)
                else:
                    rows[record.key] = record.value
    return rows


async def write_rows(
    settings: Settings, topic: str, partition: int, rows: Iterable[tuple[bytes, bytes]]
) -> None:
    """Write rows to one partition of a table's topic; returns when the broker has them all."""
    producer = AIOKafkaProducer(
        bootstrap_servers=settings.kafka_bootstrap,
        enable_idempotence=True,
        max_batch_size=MAX_BATCH_BYTES,
        max_request_size=MAX_BATCH_BYTES + 100_000,
        linger_ms=0,
    )
    async with Opened(producer):
        batch = producer.create_batch()
        for key, row in rows:
            if batch.append(key=key, value=row, timestamp=None) is None:
                await _deliver(producer, batch, topic, partition)
                batch = producer.create_batch()
                batch.append(key=key, value=row, timestamp=None)
        await _deliver(producer, batch, topic, partition)


async def _deliver(producer: AIOKafkaProducer, batch: Any, topic: str, partition: int) -> None:
    if batch.record_count():
        await (await producer.send_batch(batch, topic, partition=partition))


def _reader(settings: Settings) -> AIOKafkaConsumer:
    return AIOKafkaConsumer(
        bootstrap_servers=settings.kafka_bootstrap,
        enable_auto_commit=False,
        isolation_level="read_committed",
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=FETCH_BYTES,
        check_crcs=False,
    )
