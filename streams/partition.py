"""One partition of a lane: folds, and commits rows, effects and offset in one Kafka transaction.

The offset is committed to the group, and written as a row of the table (`POSITION_KEY`): of the two
the larger counts, for a broker that has just come back may not know the group's. While one interval
is being committed the next is folded. The transactional id is the partition's, so a former owner is
fenced by the broker as soon as a new one starts (decision 4). A transaction that fails leaves
memory ahead of the log: the worker ends, and whoever comes next recovers.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from models.tokens import POSITION_KEY
from sinks.patience import Opened, pause, stopped
from streams.exit import end_process
from streams.fold import Fold, Interval, Output, PoisonError, placed
from streams.measures import LaneMeasures

log = structlog.get_logger(__name__)

MAX_BATCH_BYTES = 900_000
PENDING_AT_MOST = 40_000
ENOUGH_FOR_A_TRANSACTION = 10_000
RECOVERY_POLL_MS = 500
TRANSACTION_TIMEOUT_MS = 60_000
BACKLOG_INTERVALS = 4
SLICE_RECORDS, SLICE_RECORDS_AT_LEAST = 256, 16
SLICE_S = 0.003
"""How long one partition may fold before the others, and transactions under way, have a turn."""
SLICES_PER_TRANSACTION = 100
"""Slices of one mark after which a transaction must end, lest effects heap up."""


class PositionError(Exception):
    """A table is made of records that its log does not have."""


class LaneSpec:
    """What the partitions of one lane share."""

    def __init__(
        self,
        *,
        bootstrap: str,
        group: str,
        source: str,
        changelog: str,
        transactional_prefix: str,
        commit_interval_ms: int,
    ) -> None:
        self.bootstrap = bootstrap
        self.group = group
        self.source = source
        self.changelog = changelog
        self.transactional_prefix = transactional_prefix
        self.commit_interval_ms = commit_interval_ms
        self.measures = LaneMeasures()


class LanePartition:
    """Folds the records of one source partition, exactly once."""

    def __init__(self, spec: LaneSpec, partition: int, fold: Fold) -> None:
        self.spec = spec
        self.partition = partition
        self.fold = fold
        self.generation = 0
        self.next_offset = 0
        self.committed_at = 0.0
        self.opened_at = 0.0
        self.folded_events = 0
        self.commits = 0
        self.changelog_end = 0
        self.recovered_to = 0
        self._newest_ms = 0
        self._careful_before = 0
        self._is_behind = False
        self._slice_records = SLICE_RECORDS
        self._producer: AIOKafkaProducer | None = None
        self._dirty = False
        self._interval_records: list[Any] = []
        self._left_out: dict[int, set[bytes]] = defaultdict(set)
        self._dead_letters: list[Output] = []
        self._wake = asyncio.Event()
        self._below = asyncio.Event()
        self._enough = asyncio.Event()
        self._committing = asyncio.Lock()
        self._committer: asyncio.Task[None] | None = None
        self._closed = False

    async def open(self) -> None:
        """Fence the former owner, then read the table up to its end."""
        started = time.monotonic()
        self._producer = AIOKafkaProducer(
            bootstrap_servers=self.spec.bootstrap,
            transactional_id=f"{self.spec.transactional_prefix}-{self.partition}",
            transaction_timeout_ms=TRANSACTION_TIMEOUT_MS,
            max_batch_size=MAX_BATCH_BYTES,
            max_request_size=MAX_BATCH_BYTES + 100_000,
            linger_ms=0,
            # The broker answers "not enough replicas" while the last commit is being
            # finished; the client waits this long before it asks again.
            retry_backoff_ms=10,
        )
        try:
            await self._producer.start()
            rows = await self._recover()
        except BaseException:
            await stopped(self._producer)
            raise
        self.fold.restored()
        self.opened_at = time.monotonic()
        self.spec.measures.recovered(rows, self.opened_at - started)
        self._committer = asyncio.create_task(self._commit_when_due())
        self._committer.add_done_callback(_end_if_failed)
        log.info(
            "partition opened",
            topic=self.spec.source,
            partition=self.partition,
            rows=rows,
            seconds=round(time.monotonic() - started, 3),
        )

    async def _recover(self) -> int:
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.spec.bootstrap,
            group_id=self.spec.group,
            enable_auto_commit=False,
            isolation_level="read_committed",
            auto_offset_reset="earliest",
            max_partition_fetch_bytes=8_000_000,
            check_crcs=False,
        )
        async with Opened(consumer):
            tp = TopicPartition(self.spec.changelog, self.partition)
            consumer.assign([tp])
            end = (await consumer.end_offsets([tp]))[tp]
            await consumer.seek_to_beginning(tp)
            rows = at = 0
            # The position also passes the commit markers, which are never delivered as records.
            while await consumer.position(tp) < end:
                fetched = await consumer.getmany(timeout_ms=RECOVERY_POLL_MS)
                for record in fetched.get(tp, ()):
                    if record.key == POSITION_KEY:
                        at = int(record.value)
                    else:
                        self.fold.restore(record.key, record.value)
                    rows += 1
                self.recovered_to = await consumer.position(tp)
            self.changelog_end = end
            self.next_offset = await self._position(consumer, at)
            return rows

    async def _position(self, consumer: AIOKafkaConsumer, of_table: int) -> int:
        """Where the table stands in the log: asked after the fencing, so nobody can move it.

        Raises PositionError when the log ends before that.
        """
        source = TopicPartition(self.spec.source, self.partition)
        committed: int | None = await consumer.committed(source)
        if of_table > (committed or 0):
            log.warning(
                "the group's position is behind the table's",
                topic=source.topic,
                partition=source.partition,
                committed=committed,
                position=of_table,
            )
        if not of_table and committed is None:
            first: int = (await consumer.beginning_offsets([source]))[source]
            return first
        position = max(of_table, committed or 0)
        end = (await consumer.end_offsets([source]))[source]
        if position > end:
            raise PositionError(
                f"{source.topic}[{source.partition}] ends at {end}, but the table in "
                f"{self.spec.changelog} is made of all before {position}: the log was cut or made "
                "anew. Bring it back, or begin with no table under another HUITOU_NAMESPACE"
            )
        return position

    async def take(self, records: list[Any], *, is_backlog: bool = False) -> None:
        """Fold records; those before the partition's offset are already folded and are skipped.

        While a backlog is read transactions are longer: nobody waits for its effects, and they
        write each row once.
        """
        self._is_behind = is_backlog
        if records[0].offset < self.next_offset:
            records = [record for record in records if record.offset >= self.next_offset]
        if not records:
            return
        began = time.perf_counter()
        await self.fold.prepare(records)
        prepared = time.perf_counter()
        folded = 0
        while folded < len(records):
            some, at_most = 0, self._slice_records
            if records[folded].offset >= self._careful_before:
                some = self._fold_slice(records[folded : folded + at_most])
                folded += some
                if some == at_most:
                    # Transactions under way have steps to take; each waits for its turn here.
                    await asyncio.sleep(0)
            if folded < len(records) and some < at_most:
                await self._fold_one(records[folded])
                folded += 1
            if self._closed:
                return
        self.folded_events += len(records)
        self._newest_ms = records[-1].timestamp
        self.spec.measures.folded(len(records), prepared - began, time.perf_counter() - prepared)
        self._wake.set()
        is_urgent = self.fold.is_urgent() and not is_backlog
        if is_urgent or len(self._interval_records) >= ENOUGH_FOR_A_TRANSACTION:
            self._enough.set()
        if len(self._interval_records) > PENDING_AT_MOST:
            self._below.clear()
            await self._below.wait()

    def _fold_slice(self, records: list[Any]) -> int:
        """Fold what needs no care; the next slice is smaller, or larger, as this one took long."""
        began = time.perf_counter()
        folded = self._fold_many(records)
        if folded == self._slice_records:
            took_s = time.perf_counter() - began
            if took_s > SLICE_S:
                self._slice_records = max(SLICE_RECORDS_AT_LEAST, folded // 2)
            elif took_s < SLICE_S / 4:
                self._slice_records = min(SLICE_RECORDS, folded * 2)
        return folded

    def _fold_many(self, records: list[Any]) -> int:
        """Fold what needs no care, from the first on; how many that was."""
        try:
            folded = self.fold.fold_many(records)
        except PoisonError:
            # Which one it is, and what it must leave out, is found one by one.
            self._careful_before = records[-1].offset + 1
            self.fold.rollback()
            self._fold_again(self._interval_records)
            return 0
        if folded:
            self._interval_records += records[:folded]
            self.next_offset = records[folded - 1].offset + 1
            self._dirty = True
        return folded

    async def _fold_one(self, record: Any) -> None:
        # Known before the record is folded: a mark may commit before it is whole.
        self.next_offset = record.offset
        for slices, _ in enumerate(self._fold_safely(record), 1):
            self._dirty = True
            self._wake.set()
            if slices % SLICES_PER_TRANSACTION == 0:
                await self._commit()
            else:
                await asyncio.sleep(0)
        self.next_offset = record.offset + 1
        self._dirty = True

    def _fold_safely(self, record: Any) -> Any:
        """Fold one record; what raises is left out, written down, and the interval folded again."""
        self._interval_records.append(record)
        while True:
            left_out = frozenset(self._left_out.get(record.offset, ()))
            try:
                for _ in self.fold.fold(record, left_out):
                    yield
                    if not self._interval_records:
                        # A transaction ended within the record: a rollback begins with it again.
                        self._interval_records.append(record)
            except PoisonError as poison:
                self._leave_out(record, poison)
            else:
                return

    def _leave_out(self, record: Any, poison: PoisonError) -> None:
        log.error(
            "record left out", partition=self.partition, offset=record.offset, reason=poison.reason
        )
        self._left_out[record.offset].add(poison.key)
        self.spec.measures.left_out += 1
        self._dead_letters.append(self.fold.dead_letter(record, poison))
        self.fold.rollback()
        again, self._interval_records = self._interval_records[:-1], [record]
        self._fold_again(again)
        self._interval_records = [*again, record]

    def _fold_again(self, records: list[Any]) -> None:
        for record in records:
            left_out = frozenset(self._left_out.get(record.offset, ()))
            for _ in self.fold.fold(record, left_out):
                pass

    async def _commit_when_due(self) -> None:
        interval_s = self.spec.commit_interval_ms / 1000
        while not self._closed:
            await self._wake.wait()
            self._wake.clear()
            await self._rest(self.committed_at + interval_s - time.monotonic())
            patient_until = self.committed_at + BACKLOG_INTERVALS * interval_s
            while self._is_behind and time.monotonic() < patient_until:
                if self._enough.is_set():
                    break
                await self._rest(interval_s)
            await self._commit()

    async def _rest(self, seconds: float) -> None:
        """Wait, unless there is enough for a transaction: the fold must never wait for that."""
        if seconds > 0:
            await pause(self._enough, seconds)

    async def _commit(self) -> None:
        async with self._committing:
            if not self._dirty:
                return
            measures, began = self.spec.measures, time.perf_counter()
            interval = self.fold.seal()
            measures.stage_seconds["seal"] += time.perf_counter() - began
            letters, self._dead_letters = self._dead_letters, []
            outputs = interval.outputs
            for place, pairs in placed(letters).items():
                outputs.setdefault(place, []).extend(pairs)
            offset, newest_ms = self.next_offset, self._newest_ms
            self._newest_ms = 0
            self._dirty = False
            self._interval_records = []
            self._enough.clear()
            for folded in [at for at in self._left_out if at < self.next_offset]:
                del self._left_out[folded]
            self._below.set()
            try:
                await self._send(Interval(interval.rows, outputs), offset)
            except BaseException:
                measures.failed += 1
                raise
            self.committed_at = time.monotonic()
            self.commits += 1
            age_s = time.time() - newest_ms / 1000 if newest_ms else None
            written = sum(map(len, outputs.values()))
            measures.committed(len(interval.rows), written, time.perf_counter() - began, age_s)

    async def _send(self, interval: Interval, offset: int) -> None:
        producer = self._producer
        assert producer is not None  # noqa: S101  # opened before the first record
        began = time.perf_counter()
        await producer.begin_transaction()
        delivered = []
        for (topic, partition), records in self._places(interval, offset):
            for batch in _batches(producer, records):
                future = await producer.send_batch(batch, topic, partition=partition)
                delivered.append((topic, batch.record_count(), future))
        sent = time.perf_counter()
        source = TopicPartition(self.spec.source, self.partition)
        await producer.send_offsets_to_transaction({source: offset}, self.spec.group)
        await producer.commit_transaction()
        self.spec.measures.stage_seconds["send"] += sent - began
        self.spec.measures.stage_seconds["commit"] += time.perf_counter() - sent
        for topic, count, future in delivered:
            base = (await future).offset
            if topic == self.spec.changelog:
                # the last row, and the commit marker behind it
                self.changelog_end = base + count + 1

    def _places(
        self, interval: Interval, offset: int
    ) -> Iterator[tuple[tuple[str, int], Sequence[Any]]]:
        """Rows and outputs by topic and partition."""
        rows = [*interval.rows, (POSITION_KEY, b"%d" % offset)]
        yield (self.spec.changelog, self.partition), rows
        for (topic, partition), records in interval.outputs.items():
            yield (topic, self.partition if partition is None else partition), records

    async def flush(self) -> None:
        """Commit all that is folded."""
        await self._commit()

    async def close(self) -> None:
        """Commit and let go."""
        if self._closed:
            return
        await self._commit()
        self._closed = True
        if self._committer is not None:
            self._committer.remove_done_callback(_end_if_failed)
            self._committer.cancel()
        if self._producer is not None:
            await self._producer.stop()


def _batches(producer: AIOKafkaProducer, records: Sequence[Any]) -> Any:
    batch = producer.create_batch()
    for key, value in records:
        if batch.append(key=key, value=value, timestamp=None) is None:
            batch.close()
            yield batch
            batch = producer.create_batch()
            if batch.append(key=key, value=value, timestamp=None) is None:
                raise ValueError(f"a record of {len(value or b'')} bytes exceeds a whole batch")
    batch.close()
    yield batch


def _end_if_failed(committer: "asyncio.Task[None]") -> None:
    # aiokafka cancels what waits for an answer when it drops a connection; close() takes this
    # callback away before it cancels the committer itself.
    if committer.cancelled():
        end_process("a transaction was cut off")
    elif committer.exception() is not None:
        end_process("a transaction failed", committer.exception())
