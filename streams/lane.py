"""The lane: Faust's consumer, handing records over by the partition and the thousand.

Faust spends four asyncio tasks on each record it drains. Here a fetch becomes one message per
partition, whose value is the raw records; the agent folds them and the partition commits them in
its own transaction (`streams/partition.py`). Faust commits nothing and writes no changelog. What
it is kept for: the group, assignment, agents, supervision (ARCHITECTURE.md, decisions 2 and 3).
"""

import asyncio
from typing import Any, Protocol

import aiokafka
from aiokafka.consumer import fetcher
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.errors import ConsumerStoppedError, IllegalStateError
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from faust.types.tuples import ConsumerMessage

from sinks.patience import METADATA_AGE_MS

RECORDS_PER_BATCH = 2_000
FETCH_WAIT_MS = 50
"""One fetch is on its way at a time: while it waits for quiet partitions, the others wait too."""
RETRY_S = 0.05
FULL_S = 0.002
NEVER = -1


class Batch:
    """Records of one partition, in the order of the log, fetched under one group generation.

    `is_backlog`: the fetch brought more than one batch, so the partition is behind. `follows` is
    where the batch before it ended: whoever has not come so far lacks that one.
    """

    __slots__ = ("follows", "generation", "is_backlog", "records", "tp")

    def __init__(
        self,
        tp: TP,
        generation: int,
        records: list[Any],
        *,
        is_backlog: bool = False,
        follows: int = 0,
    ) -> None:
        self.follows = follows
        self.tp = tp
        self.generation = generation
        self.records = records
        self.is_backlog = is_backlog


class OpenLanes(Protocol):
    """What the consumer must know of the partitions it feeds (streams/lanes.py)."""

    is_torn: bool
    """Whether a batch was dropped on its way, so that its partition must be read again."""

    @property
    def ready(self) -> asyncio.Event:
        """Set while what is assigned is open."""

    @property
    def generation(self) -> int:
        """Group generation under which it was opened."""

    def places(self) -> dict[tuple[str, int], int]:
        """Next offset of each open partition."""


def as_fetched(key: bytes) -> bytes:
    """Stands for a key's deserializer, and asks for the client's own records (LaneRecords)."""
    return key


class LaneRecords(fetcher.PartitionRecords):  # type: ignore[misc]
    """Records as the client's compiled reader makes them, where `as_fetched` asks for that.

    They have offset, timestamp, key and value; the usual record with eleven fields costs a
    microsecond more, a fifth of all that a small fold costs.
    """

    def _consumer_record(self, tp: Any, record: Any) -> Any:
        if self._key_deserializer is as_fetched:
            return record
        return super()._consumer_record(tp, record)


class LaneConsumerThread(driver.AIOKafkaConsumerThread):
    """The thread that fetches: committed records only, and without Faust's fixed 1.5 s wait."""

    def _create_worker_consumer(self, transport: Any) -> aiokafka.AIOKafkaConsumer:
        conf = self.app.conf
        # The client looks its class of records up here; it takes none from outside.
        fetcher.PartitionRecords = LaneRecords
        self._assignor = RoundRobinPartitionAssignor
        return aiokafka.AIOKafkaConsumer(
            client_id=conf.broker_client_id,
            group_id=conf.id,
            bootstrap_servers=driver.server_list(transport.url, transport.default_port),
            partition_assignment_strategy=[self._assignor],
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_poll_interval_ms=int(conf.broker_max_poll_interval * 1000),
            max_partition_fetch_bytes=conf.consumer_max_fetch_size,
            fetch_max_wait_ms=FETCH_WAIT_MS,
            request_timeout_ms=int(conf.broker_request_timeout * 1000),
            check_crcs=False,
            session_timeout_ms=int(conf.broker_session_timeout * 1000),
            rebalance_timeout_ms=int(conf.broker_rebalance_timeout * 1000),
            heartbeat_interval_ms=int(conf.broker_heartbeat_interval * 1000),
            isolation_level="read_committed",
            metadata_max_age_ms=METADATA_AGE_MS,
            key_deserializer=as_fetched,
        )

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Leave it to the lane's own watchdog: Faust's only logs (defect 19)."""


class LaneConsumer(driver.Consumer):
    """Faust's consumer with the lane in place of `_drain_messages`, and no commits of its own.

    Where reading goes on is the partitions' word alone: after every assignment each is sought to
    the offset its table stands at. Positions that the client finds by itself are read before the
    former owner is fenced, and what was fetched or queued before a rebalance is dropped by Faust.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._begun = NEVER
        self.handed_over: dict[tuple[str, int], int] = {}

    def _new_consumer_thread(self) -> LaneConsumerThread:
        return LaneConsumerThread(self, loop=self.loop, beacon=self.beacon)

    async def commit(self, topics: Any = None, start_new_transaction: bool = True) -> bool:
        """Offsets are committed in the partitions' transactions, never here."""
        return True

    async def force_commit(self, topics: Any = None, start_new_transaction: bool = True) -> bool:
        """Nor by force."""
        return True

    def ack(self, message: Any) -> bool:
        """Forget the message; what counts as done is what a transaction committed."""
        message.acked = True
        self._unacked_messages.discard(message)
        return True

    async def caught_up(self, topic: str, partition: int) -> bool:
        """Whether everything the broker has of this partition was fetched."""
        tp = TP(topic, partition)
        try:
            highwater = self.highwater(tp)
            if highwater is None or tp not in self.assignment():
                return False
            position = await self.position(tp)
        except (AssertionError, IllegalStateError):
            # Given away between two of these questions; the client asserts that it was not.
            return False
        return position is not None and position >= highwater

    @property
    def lanes(self) -> OpenLanes:
        """The partitions that are open, and where they stand."""
        lanes: OpenLanes = self.transport.lanes  # type: ignore[attr-defined]
        return lanes

    async def _drain_messages(self, fetcher: Any) -> None:
        while not (self.should_stop or fetcher.should_stop):
            if not self.flow_active:
                await self.wait(self.can_resume_flow)  # type: ignore[arg-type]
                continue
            generation = self.lanes.generation
            if self.lanes.is_torn:
                self._begun = NEVER
            if generation != self._begun and not await self._begin(generation):
                await asyncio.sleep(RETRY_S)
                continue
            if self._buffered_partitions and not self._get_active_partitions():
                # The agent has plenty to do; Faust would sleep for a second.
                await asyncio.sleep(FULL_S)
                continue
            try:
                records, active = await self._wait_next_records(1.0)
            except self.consumer_stopped_errors:
                if self.app.should_stop:
                    return
                raise
            if records is None or self.should_stop:
                continue
            if not self._goes_on(generation):
                # Nobody can tell under which assignment this was fetched: fetch it again.
                self._begun = NEVER
                continue
            for tp, fetched in records.items():
                if active is None or tp in active or tp in self._buffered_partitions:
                    await self._hand_over(tp, generation, fetched)
            await asyncio.sleep(0)

    async def _begin(self, generation: int) -> bool:
        """Read on where the open partitions stand, whatever was fetched or handed over before."""
        self.lanes.is_torn = False
        for (topic, partition), offset in self.lanes.places().items():
            try:
                await self.seek(TP(topic, partition), offset)
            except (IllegalStateError, ConsumerStoppedError):  # given away again meanwhile
                return False
            self.handed_over[topic, partition] = offset
        if self._goes_on(generation):
            self._begun = generation
        return self._begun == generation

    def _goes_on(self, generation: int) -> bool:
        """Whether nothing was revoked or assigned since the lanes opened `generation`."""
        is_open = self.lanes.ready.is_set() and self.lanes.generation == generation
        return bool(is_open and self.flow_active)

    async def _hand_over(self, tp: TP, generation: int, fetched: list[Any]) -> None:
        is_backlog = len(fetched) >= RECORDS_PER_BATCH
        for start in range(0, len(fetched), RECORDS_PER_BATCH):
            if not self._goes_on(generation):
                self._begun = NEVER
                return
            records = fetched[start : start + RECORDS_PER_BATCH]
            follows = self.handed_over.get((tp.topic, tp.partition), 0)
            self.handed_over[tp.topic, tp.partition] = records[-1].offset + 1
            message = ConsumerMessage(
                tp.topic,
                tp.partition,
                records[0].offset,
                0.0,
                0,
                [],
                None,
                Batch(tp, generation, records, is_backlog=is_backlog, follows=follows),  # type: ignore[arg-type]
                None,
                0,
                0,
                tp,
                generation_id=self.app.consumer_generation_id,
            )
            await self.wait_first(self.callback(message), self.suspend_flow.wait())


class LaneTransport(driver.Transport):
    """Kafka through the lane."""

    Consumer = LaneConsumer

    def __init__(self, url: Any, app: Any, lanes: OpenLanes) -> None:
        super().__init__(url, app)
        self.lanes = lanes
