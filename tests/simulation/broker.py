"""A transactional broker in memory: logs with markers, fencing, stable ends, groups' offsets.

What it does at once is what one request does to a real one; what a real one does behind a
request's back (markers, time-outs) it does later here too. `tests/real/test_simulated_broker.py`
holds it to Apache Kafka.
"""

from collections import defaultdict
from functools import partial
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import ConcurrentTransactions, ProducerFenced

from tests.simulation.group import Group
from tests.simulation.loop import SimulatedLoop

MARKERS_LATE_S = (0.0, 0.0, 0.0005, 0.002, 0.02, 0.2)


class Transaction:
    """One transaction: open until each of its partitions has its marker."""

    __slots__ = ("committed",)

    def __init__(self) -> None:
        self.committed: bool | None = None


class Logged:
    """One place in a log: a record as consumers get it, or a transaction's marker."""

    __slots__ = (
        "is_marker",
        "key",
        "offset",
        "partition",
        "timestamp",
        "topic",
        "transaction",
        "value",
        "writer_id",
    )

    def __init__(
        self,
        tp: TopicPartition,
        offset: int,
        timestamp: int,
        key: bytes | None,
        value: bytes | None,
        transaction: Transaction | None,
        writer_id: str | None = None,
        is_marker: bool = False,
    ) -> None:
        self.writer_id = writer_id
        self.topic, self.partition = tp
        self.offset = offset
        self.timestamp = timestamp
        self.key = key
        self.value = value
        self.transaction = transaction
        self.is_marker = is_marker


class PartitionLog:
    """The log of one partition."""

    def __init__(self, tp: TopicPartition) -> None:
        self.tp = tp
        self.entries: list[Logged] = []
        self.open: dict[Transaction, int] = {}

    @property
    def end(self) -> int:
        return len(self.entries)

    @property
    def stable(self) -> int:
        """Where the first transaction begins that has not ended."""
        return min(self.open.values(), default=self.end)

    def append(
        self,
        at_ms: int,
        key: bytes | None,
        value: bytes | None,
        transaction: Transaction | None = None,
        writer_id: str | None = None,
    ) -> int:
        offset = self.end
        if transaction is not None:
            self.open.setdefault(transaction, offset)
        self.entries.append(Logged(self.tp, offset, at_ms, key, value, transaction, writer_id))
        return offset

    def mark(self, at_ms: int, transaction: Transaction) -> None:
        """End a transaction here."""
        self.open.pop(transaction, None)
        self.entries.append(
            Logged(self.tp, self.end, at_ms, None, None, transaction, is_marker=True)
        )

    def read(self, start: int, count: int, *, committed: bool) -> tuple[list[Logged], int]:
        """Records from `start` on, at most `count`, and the position after them."""
        end = self.stable if committed else self.end
        found: list[Logged] = []
        at = start
        while at < end and len(found) < count:
            entry = self.entries[at]
            at += 1
            if entry.is_marker:
                continue
            if committed and entry.transaction is not None and not entry.transaction.committed:
                continue
            found.append(entry)
        return found, max(at, start)


class Writer:
    """What the coordinator knows of one transactional id."""

    def __init__(self) -> None:
        self.epoch = -1
        self.transaction: Transaction | None = None
        self.partitions: set[TopicPartition] = set()
        self.offsets: dict[str, dict[TopicPartition, int]] = {}
        self.markers_left = 0

    @property
    def is_ending(self) -> bool:
        return self.markers_left > 0


class SimulatedBroker:
    """All topics, transactions and groups. Every method is one request, done at once."""

    def __init__(self, loop: SimulatedLoop, topics: dict[str, int]) -> None:
        self.topics = topics
        self.writers: dict[str, Writer] = defaultdict(Writer)
        self.aborted = self.fenced = 0
        # Taken away by sabotage.
        self.has_transactions = True
        self._loop = loop
        self._logs: dict[TopicPartition, PartitionLog] = {}
        self._groups: dict[str, Group] = {}
        self._arrivals: dict[TopicPartition, list[Any]] = defaultdict(list)

    def log(self, tp: TopicPartition) -> PartitionLog:
        if tp not in self._logs:
            if tp.partition >= self.topics.get(tp.topic, 0):
                raise KeyError(f"no such partition: {tp}")
            self._logs[tp] = PartitionLog(tp)
        return self._logs[tp]

    def group(self, name: str) -> Group:
        if name not in self._groups:
            self._groups[name] = Group(self._loop, self.topics)
        return self._groups[name]

    def now_ms(self) -> int:
        return int(self._loop.time() * 1_000)

    def committed(self, topic: str, partition: int) -> list[Logged]:
        """All that a read_committed reader would see."""
        log = self.log(TopicPartition(topic, partition))
        return log.read(0, log.end, committed=True)[0]

    def arrival(self, tps: list[TopicPartition]) -> Any:
        """A future that is done as soon as more can be read of one of these."""
        future = self._loop.create_future()
        for tp in tps:
            self._arrivals[tp].append(future)
        return future

    def fetch(
        self, positions: dict[TopicPartition, int], count: int, *, committed: bool
    ) -> dict[TopicPartition, tuple[list[Logged], int]]:
        return {
            tp: self.log(tp).read(start, count, committed=committed)
            for tp, start in positions.items()
        }

    def end_of(self, tp: TopicPartition, *, committed: bool) -> int:
        log = self.log(tp)
        return log.stable if committed else log.end

    def append(self, tp: TopicPartition, records: list[tuple[bytes | None, bytes | None]]) -> int:
        """Append outside of any transaction; the first record's offset."""
        return self._append(tp, records, None)

    def start_writer(self, writer_id: str) -> int:
        """Fence whoever wrote under this id; the new epoch."""
        writer = self.writers[writer_id]
        if writer.is_ending:
            raise ConcurrentTransactions
        writer.epoch += 1
        if writer.transaction is not None:
            self._end(writer, commit=False)
            if writer.is_ending:
                raise ConcurrentTransactions
        return writer.epoch

    def add_partitions(
        self, writer_id: str, epoch: int, tps: list[TopicPartition], timeout_s: float
    ) -> None:
        if not self.has_transactions:
            return
        writer = self._writer(writer_id, epoch)
        self._begin(writer, timeout_s)
        writer.partitions.update(tps)

    def write(
        self,
        writer_id: str,
        epoch: int,
        tp: TopicPartition,
        records: list[tuple[bytes | None, bytes | None]],
    ) -> int:
        """Append within the transaction; the first record's offset."""
        if not self.has_transactions:
            return self._append(tp, records, None, writer_id)
        writer = self._writer(writer_id, epoch)
        if writer.transaction is None or tp not in writer.partitions:
            raise ProducerFenced
        return self._append(tp, records, writer.transaction, writer_id)

    def add_offsets(
        self,
        writer_id: str,
        epoch: int,
        group: str,
        offsets: dict[TopicPartition, int],
        timeout_s: float,
    ) -> None:
        if not self.has_transactions:
            self.group(group).offsets.update(offsets)
            return
        writer = self._writer(writer_id, epoch)
        self._begin(writer, timeout_s)
        writer.offsets.setdefault(group, {}).update(offsets)

    def end_transaction(self, writer_id: str, epoch: int, commit: bool) -> None:
        """Decide; the markers follow when they follow."""
        if not self.has_transactions:
            return
        writer = self._writer(writer_id, epoch)
        if writer.transaction is not None:
            self._end(writer, commit=commit)

    def _writer(self, writer_id: str, epoch: int) -> Writer:
        writer = self.writers[writer_id]
        if writer.epoch != epoch:
            self.fenced += 1
            raise ProducerFenced
        if writer.is_ending:
            raise ConcurrentTransactions
        return writer

    def _begin(self, writer: Writer, timeout_s: float) -> None:
        if writer.transaction is None:
            writer.transaction = Transaction()
            expire = partial(self._expire, writer, writer.transaction)
            self._loop.outside_later(timeout_s, expire)

    def _expire(self, writer: Writer, transaction: Transaction) -> None:
        if writer.transaction is transaction and not writer.is_ending:
            writer.epoch += 1
            self._end(writer, commit=False)

    def _end(self, writer: Writer, *, commit: bool) -> None:
        transaction = writer.transaction
        assert transaction is not None
        transaction.committed = commit
        self.aborted += not commit
        writer.markers_left = len(writer.partitions) + len(writer.offsets)
        for tp in sorted(writer.partitions):
            self._later(partial(self._mark, writer, tp, transaction))
        for group, offsets in writer.offsets.items():
            self._later(partial(self._mark_offsets, writer, group, offsets, commit))
        if not writer.markers_left:
            writer.transaction = None

    def _later(self, act: Any) -> None:
        self._loop.outside_later(self._loop.choose(MARKERS_LATE_S), act)

    def _mark(self, writer: Writer, tp: TopicPartition, transaction: Transaction) -> None:
        self.log(tp).mark(self.now_ms(), transaction)
        self._wake(tp)
        self._marked(writer)

    def _mark_offsets(
        self, writer: Writer, group: str, offsets: dict[TopicPartition, int], commit: bool
    ) -> None:
        if commit:
            self.group(group).offsets.update(offsets)
        self._marked(writer)

    def _marked(self, writer: Writer) -> None:
        writer.markers_left -= 1
        if not writer.markers_left:
            writer.transaction = None
            writer.partitions.clear()
            writer.offsets = {}

    def _append(
        self,
        tp: TopicPartition,
        records: list[tuple[bytes | None, bytes | None]],
        transaction: Transaction | None,
        writer_id: str | None = None,
    ) -> int:
        log, at_ms = self.log(tp), self.now_ms()
        base = log.end
        for key, value in records:
            log.append(at_ms, key, value, transaction, writer_id)
        self._wake(tp)
        return base

    def _wake(self, tp: TopicPartition) -> None:
        waiting, self._arrivals[tp] = self._arrivals[tp], []
        for future in waiting:
            if not future.done():
                future.set_result(None)
