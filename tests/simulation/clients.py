"""aiokafka's producer and consumer as the product uses them, talking to the simulated broker."""

import asyncio
import contextlib
from types import SimpleNamespace
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import (
    ConcurrentTransactions,
    ConsumerStoppedError,
    IllegalOperation,
    IllegalStateError,
    KafkaError,
    ProducerFenced,
)

from models.tokens import POSITION_KEY
from tests.simulation.broker import Logged, SimulatedBroker
from tests.simulation.group import STABLE, UNKNOWN
from tests.simulation.loop import SimulatedLoop

RETRY_S = 0.01
LOOK_S = 0.0005
RECORDS_A_FETCH = (500, 500, 7, 3, 1)
OVERHEAD_BYTES = 20


class _Client:
    """What both have: the loop they were made in, which knows the broker."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, SimulatedLoop)
        self._loop = loop

    @property
    def _broker(self) -> SimulatedBroker:
        broker: SimulatedBroker = self._loop.world.broker
        return broker

    async def _ask(self, act: Any, *args: Any) -> Any:
        return await self._loop.ask(act, *args)

    async def _ask_patiently(self, act: Any, *args: Any) -> Any:
        """Ask again when the connection is dropped, as aiokafka does behind its own calls."""
        while True:
            try:
                return await self._ask(act, *args)
            except asyncio.CancelledError:
                task = asyncio.current_task()
                if task is None or task.cancelling():
                    raise
                await asyncio.sleep(RETRY_S)

    async def _ask_until_free(self, act: Any, *args: Any) -> Any:
        """Ask again while the last transaction is being finished, as aiokafka does."""
        while True:
            try:
                return await self._ask(act, *args)
            except ConcurrentTransactions:
                await asyncio.sleep(RETRY_S)


class SimulatedBatch:
    """aiokafka's BatchBuilder."""

    def __init__(self, size_max: int) -> None:
        self.records: list[tuple[bytes | None, bytes | None]] = []
        self._size = 0
        self._size_max = size_max
        self._closed = False

    def append(
        self, *, timestamp: int | None, key: bytes | None, value: bytes | None, headers: Any = ()
    ) -> Any:
        size = len(key or b"") + len(value or b"") + OVERHEAD_BYTES
        if self._closed or self._size + size > self._size_max:
            self._closed = True
            return None
        self._size += size
        self.records.append((key, value))
        return SimpleNamespace(offset=len(self.records) - 1, size=size, timestamp=timestamp)

    def close(self) -> None:
        self._closed = True

    def closed(self) -> bool:
        return self._closed

    def size(self) -> int:
        return self._size

    def record_count(self) -> int:
        return len(self.records)


class SimulatedProducer(_Client):
    """aiokafka's AIOKafkaProducer."""

    def __init__(
        self,
        *,
        bootstrap_servers: Any = "",
        transactional_id: str | None = None,
        transaction_timeout_ms: int = 60_000,
        max_batch_size: int = 16_384,
        **_: Any,
    ) -> None:
        super().__init__()
        self._id = transactional_id
        if transactional_id is not None and self._loop.world.lacks("fencing"):
            self._id = f"{transactional_id}-{self._loop.steps}"
        self._timeout_s = transaction_timeout_ms / 1_000
        self._batch_size = max_batch_size
        self._epoch = -1
        self._in_transaction = False
        self._known: set[TopicPartition] = set()
        self._queue: list[tuple[TopicPartition, Any, asyncio.Future[Any]]] = []
        self._sender: asyncio.Task[None] | None = None
        self._error: BaseException | None = None
        self._broken = False

    async def start(self) -> None:
        if self._id is not None:
            self._epoch = await self._ask_until_free(self._broker.start_writer, self._id)
        else:
            await self._ask(lambda: None)

    async def stop(self) -> None:
        """As aiokafka's: what runs is left to run out, nothing is aborted."""
        if self._loop.buried:
            return
        await self._flush()
        await self._ask(lambda: None)

    async def __aenter__(self) -> "SimulatedProducer":
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def create_batch(self) -> SimulatedBatch:
        return SimulatedBatch(self._batch_size)

    async def begin_transaction(self) -> None:
        if self._broken or self._in_transaction:
            raise AssertionError("Invalid state transition")
        self._in_transaction = True
        self._error = None
        self._known = set()

    async def send_batch(
        self, batch: SimulatedBatch, topic: str, *, partition: int
    ) -> "asyncio.Future[Any]":
        self._check_writable()
        return self._put(TopicPartition(topic, partition), batch.records)

    async def send(
        self,
        topic: str,
        value: bytes | None = None,
        key: bytes | None = None,
        partition: int = 0,
        timestamp_ms: int | None = None,
    ) -> "asyncio.Future[Any]":
        self._check_writable()
        return self._put(TopicPartition(topic, partition), [(key, value)])

    async def send_and_wait(self, *args: Any, **options: Any) -> Any:
        return await (await self.send(*args, **options))

    async def send_offsets_to_transaction(
        self, offsets: dict[TopicPartition, int], group_id: str
    ) -> None:
        if not self._in_transaction:
            raise IllegalOperation("Not in the middle of a transaction")
        try:
            await self._ask_until_free(
                self._broker.add_offsets, self._id, self._epoch, group_id, offsets, self._timeout_s
            )
        except KafkaError as error:
            self._fail(error)
            raise

    async def commit_transaction(self) -> None:
        await self._end(commit=True)

    async def abort_transaction(self) -> None:
        await self._end(commit=False)

    async def _end(self, *, commit: bool) -> None:
        if not self._in_transaction:
            raise AssertionError("Invalid state transition")
        await self._flush()
        if self._error is not None and (commit or self._broken):
            raise self._error
        try:
            await self._ask_until_free(self._broker.end_transaction, self._id, self._epoch, commit)
        except KafkaError as error:
            self._fail(error)
            raise
        self._in_transaction = False

    def _check_writable(self) -> None:
        if self._id is not None and not self._in_transaction:
            raise IllegalOperation("Can't send messages while not in transaction")

    def _put(self, tp: TopicPartition, records: Any) -> "asyncio.Future[Any]":
        delivered = self._loop.create_future()
        self._queue.append((tp, list(records), delivered))
        if self._sender is None or self._sender.done():
            self._sender = asyncio.create_task(self._send_all())
        return delivered

    async def _flush(self) -> None:
        if self._sender is not None and not self._sender.done():
            await asyncio.wait([self._sender])

    async def _send_all(self) -> None:
        # In one turn what was given in one turn, as one request takes it.
        await asyncio.sleep(0)
        while self._queue:
            tp, records, delivered = self._queue.pop(0)
            try:
                base = await self._deliver(tp, records)
            except (KafkaError, asyncio.CancelledError) as error:
                self._fail(error)
                if isinstance(error, asyncio.CancelledError):
                    delivered.cancel()
                elif not delivered.done():
                    delivered.set_exception(error)
                    delivered.exception()
            else:
                if not delivered.done():
                    delivered.set_result(SimpleNamespace(offset=base, partition=tp.partition))

    async def _deliver(self, tp: TopicPartition, records: Any) -> int:
        if self._loop.world.fails_now():
            raise KafkaError("the broker did not take it")
        if self._id is None:
            return int(await self._ask(self._broker.append, tp, records))
        if tp not in self._known:
            new = [tp, *(one for one, _, _ in self._queue if one not in self._known)]
            await self._ask_until_free(
                self._broker.add_partitions, self._id, self._epoch, new, self._timeout_s
            )
            self._known.update(new)
        return int(await self._ask(self._broker.write, self._id, self._epoch, tp, records))

    def _fail(self, error: BaseException) -> None:
        self._error = error
        self._broken = self._broken or isinstance(error, ProducerFenced)


class SimulatedConsumer(_Client):
    """aiokafka's AIOKafkaConsumer, assigned by hand or subscribed within a group."""

    def __init__(
        self,
        *topics: str,
        bootstrap_servers: Any = "",
        group_id: str | None = None,
        isolation_level: str = "read_uncommitted",
        session_timeout_ms: int = 10_000,
        heartbeat_interval_ms: int = 3_000,
        rebalance_timeout_ms: int = 60_000,
        **_: Any,
    ) -> None:
        super().__init__()
        self._group_id = group_id
        self._committed_only = isolation_level == "read_committed" and not self._loop.world.lacks(
            "read-committed"
        )
        self._session_s = session_timeout_ms / 1_000
        self._heartbeat_s = heartbeat_interval_ms / 1_000
        self._rebalance_s = rebalance_timeout_ms / 1_000
        self._topics = list(topics)
        self._listener: Any = None
        self._positions: dict[TopicPartition, int | None] = {}
        self._stables: dict[TopicPartition, int] = {}
        self._version = 0
        self._member_id = ""
        self.generation = -1
        self._closed = False
        self._assigned = asyncio.Event()
        self._rejoin = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def subscribe(self, topics: list[str], listener: Any = None) -> None:
        self._topics, self._listener = list(topics), listener

    def assign(self, tps: list[TopicPartition]) -> None:
        self._positions = dict.fromkeys(tps, 0)
        self._assigned.set()

    def assignment(self) -> set[TopicPartition]:
        return set(self._positions)

    async def start(self) -> None:
        await self._ask(lambda: None)
        if self._topics:
            self._tasks = [asyncio.create_task(self._take_part())]
            self._tasks.append(asyncio.create_task(self._beat()))
            await self._assigned.wait()

    async def stop(self) -> None:
        if self._closed or self._loop.buried:
            return
        self._closed = True
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        if self._member_id:
            await self._ask(self._group.leave, self._member_id)

    async def __aenter__(self) -> "SimulatedConsumer":
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def end_offsets(self, tps: list[TopicPartition]) -> dict[TopicPartition, int]:
        return {tp: await self._ask(self._end_of, tp) for tp in tps}

    async def beginning_offsets(self, tps: list[TopicPartition]) -> dict[TopicPartition, int]:
        return {tp: await self._ask(lambda: 0) for tp in tps}

    async def seek_to_beginning(self, *tps: TopicPartition) -> bool:
        for tp in tps:
            self.seek(tp, 0)
        return True

    def seek(self, tp: TopicPartition, offset: int) -> None:
        if tp not in self._positions:
            raise IllegalStateError(f"Partition {tp} is not assigned")
        self._positions[tp] = offset
        self._version += 1

    async def position(self, tp: TopicPartition) -> int:
        while True:
            if tp not in self._positions:
                raise IllegalStateError(f"Partition {tp} is not assigned")
            position = self._positions[tp]
            if position is not None:
                return position
            await self._find_positions()

    def highwater(self, tp: TopicPartition) -> int | None:
        # aiokafka learns it by fetching ahead, whether anybody takes the records or not.
        return self._broker.log(tp).end if tp in self._positions else None

    def last_stable_offset(self, tp: TopicPartition) -> int | None:
        return self._stables.get(tp)

    async def committed(self, tp: TopicPartition) -> int | None:
        found: dict[TopicPartition, int | None] = await self._ask(self._group.committed, [tp])
        return found[tp]

    async def commit(self, offsets: dict[TopicPartition, int]) -> None:
        for tp in offsets:
            if tp not in self._positions:
                raise IllegalStateError(f"Partition {tp} is not assigned")
        await self._ask(self._group.commit, self._member_id, self.generation, dict(offsets))

    async def getmany(
        self,
        *tps: TopicPartition,
        timeout_ms: int = 0,
        max_records: int | None = None,
    ) -> dict[TopicPartition, list[Logged]]:
        until = self._loop.time() + timeout_ms / 1_000
        while True:
            if self._closed:
                raise ConsumerStoppedError
            # No record leaves aiokafka between two assignments.
            await self._assigned.wait()
            found = await self._fetch(tps, max_records) if self._is_behind(tps) else {}
            left_s = until - self._loop.time()
            if left_s < LOOK_S:
                # Even to look takes a while, or whoever looks again and again stops time.
                await asyncio.sleep(LOOK_S)
            if found or left_s < LOOK_S:
                return found
            if not self._is_behind(tps):
                await self._arrival(left_s)

    def _is_behind(self, tps: tuple[TopicPartition, ...]) -> bool:
        """Whether a fetch would bring anything, or move a position."""
        return any(
            at is None or at < self._end_of(tp)
            for tp, at in self._positions.items()
            if not tps or tp in tps
        )

    async def _arrival(self, limit_s: float) -> None:
        arrival = self._broker.arrival(list(self._positions))
        limit = self._loop.call_later(limit_s, _wake, arrival)
        await arrival
        limit.cancel()

    async def _fetch(
        self, tps: tuple[TopicPartition, ...], max_records: int | None
    ) -> dict[TopicPartition, list[Logged]]:
        await self._find_positions()
        wanted = {
            tp: at
            for tp, at in self._positions.items()
            if at is not None and (not tps or tp in tps)
        }
        version = self._version
        count = min(self._loop.choose(RECORDS_A_FETCH), max_records or 500)
        if not wanted:
            await asyncio.sleep(RETRY_S)
            return {}
        fetched = await self._ask_patiently(self._fetched, wanted, count)
        if version != self._version or not self._assigned.is_set():
            # Sought or given away meanwhile: what comes is from elsewhere.
            return {}
        found: dict[TopicPartition, list[Logged]] = {}
        left = max_records or 100_000
        for tp, (records, position, stable) in fetched.items():
            if len(records) > left:
                continue
            left -= len(records)
            self._positions[tp] = position
            self._stables[tp] = stable
            if records:
                found[tp] = records
        return found

    def _fetched(self, wanted: dict[TopicPartition, int], count: int) -> Any:
        fetched = self._broker.fetch(wanted, count, committed=self._committed_only)
        if self._loop.world.lacks("table-position"):
            fetched = {
                tp: ([one for one in records if one.key != POSITION_KEY], end)
                for tp, (records, end) in fetched.items()
            }
        return {tp: (*one, self._broker.log(tp).stable) for tp, one in fetched.items()}

    def _end_of(self, tp: TopicPartition) -> int:
        return self._broker.end_of(tp, committed=self._committed_only)

    async def _find_positions(self) -> None:
        """Begin where the group has committed, else at the beginning."""
        unknown = [tp for tp, at in self._positions.items() if at is None]
        if not unknown:
            return
        version = self._version
        found = await self._ask_patiently(self._group.committed, unknown)
        if version == self._version:
            for tp in unknown:
                self._positions[tp] = found[tp] or 0

    @property
    def _group(self) -> Any:
        assert self._group_id is not None
        return self._broker.group(self._group_id)

    async def _take_part(self) -> None:
        """Join; at each rebalance give up, join again, take over."""
        while True:
            await self._join()
            await self._rejoin.wait()
            self._assigned.clear()
            if self._listener is not None:
                with contextlib.suppress(Exception):
                    await self._listener.on_partitions_revoked(set(self._positions))

    async def _join(self) -> None:
        joined = self._loop.create_future()
        self._member_id = await self._ask_patiently(
            self._group.join,
            self._member_id,
            self._topics,
            self._session_s,
            self._rebalance_s,
            joined,
        )
        self._member_id, self.generation, partitions = await joined
        # What a heartbeat heard while we joined was of the rebalance that is over now.
        self._rejoin.clear()
        self._positions = dict.fromkeys(partitions)
        self._version += 1
        self._assigned.set()
        await asyncio.sleep(0)
        if self._listener is not None:
            # aiokafka logs what a listener raises, and goes on.
            with contextlib.suppress(Exception):
                await self._listener.on_partitions_assigned(set(partitions))

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(self._heartbeat_s)
            if self.generation < 0:
                continue
            generation = self.generation
            answer = await self._ask_patiently(self._group.heartbeat, self._member_id, generation)
            if answer != STABLE and generation == self.generation:
                if answer == UNKNOWN:
                    self._member_id = ""
                self._rejoin.set()


def _wake(arrival: "asyncio.Future[None]") -> None:
    if not arrival.done():
        arrival.set_result(None)
