"""The log as a replay uses it: one transactional producer, the control topic, the fold's progress.

Records, marks, the replay's progress and the log's clock enter in one transaction, so a replay that
dies anywhere goes on exactly behind what is there. The transactional id is the installation's: a
second replay fences the first.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, NamedTuple, Self

import msgspec
import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from models.clock import LogClock
from models.events import Adopted, BudgetAnswered, ClockMark, decode, encode
from sinks.patience import Opened
from streams import topics
from streams.replay.progress import (
    CLOCK_KEY,
    LEARNER_KEY,
    REPLAY_KEY,
    Considered,
    ReplayProgress,
    word,
)
from streams.settings import Settings

MAX_BATCH_BYTES = 900_000
TRANSACTION_TIMEOUT_MS = 60_000
_COMMIT_WITHIN_S = 45.0
_CLOSE_WITHIN_S = 3.0
_FIRST_LOOK_S = 0.005
_LOOK_EVERY_S = 0.05
_SAY_EVERY_S = 30.0
_LOOKED_INTO = 100
"""A log with more records than this holds events, whatever its first ones are."""

_log = structlog.get_logger(__name__)


class Record(NamedTuple):
    """A key and a value for one partition."""

    key: bytes | None
    value: bytes


class HistoryLog:
    """Opened, it has fenced every other replay; use it as an async context.

    Raises KafkaError or TimeoutError when the broker does not answer; then open a new one.
    """

    def __init__(self, settings: Settings) -> None:
        named = settings.named
        self._settings = settings
        self._events = named(topics.EVENTS)
        self._dead_letters = named(topics.DEAD_LETTERS)
        self._coupons = named(topics.COUPONS)
        self._control = TopicPartition(named(topics.CONTROL), 0)
        self._worker_group = named("worker")
        self._partitions = range(settings.partitions)
        self._producer = AIOKafkaProducer(
            bootstrap_servers=settings.kafka_bootstrap,
            transactional_id=named("replay"),
            transaction_timeout_ms=TRANSACTION_TIMEOUT_MS,
            max_batch_size=MAX_BATCH_BYTES,
            max_request_size=MAX_BATCH_BYTES + 100_000,
            linger_ms=0,
            # The broker answers "not enough replicas" while the last commit is being
            # finished; the client waits this long before it asks again.
            retry_backoff_ms=10,
        )
        self._consumer = _control_consumer(settings)
        self._admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap)
        self._coordinator: int | None = None
        self._said: dict[bytes, bytes] = {}

    async def __aenter__(self) -> Self:
        try:
            # First of all: what the last replay left open is aborted now, and can be read past.
            await self._producer.start()
            await self._consumer.start()
            await self._admin.start()
            self._consumer.assign([self._control])
            await self._consumer.seek_to_beginning(self._control)
            await self._read_control()
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._close()

    async def _close(self) -> None:
        await _within(self._admin.close)
        await _within(self._consumer.stop)
        await _within(self._producer.stop)

    @property
    def progress(self) -> ReplayProgress | None:
        """What the last replay left behind; None when there was none."""
        return word(self._said.get(REPLAY_KEY), ReplayProgress)

    @property
    def clock(self) -> LogClock | None:
        """The log's clock; None when nobody has set it yet."""
        return word(self._said.get(CLOCK_KEY), LogClock)

    async def is_empty(self) -> bool:
        """Whether no event was ever written; a first playbook and its budgets alone are no time."""
        places = [TopicPartition(self._events, partition) for partition in self._partitions]
        ends = await self._consumer.end_offsets(places)
        if not any(ends.values()):
            return True
        if max(ends.values()) > _LOOKED_INTO:
            return False
        async with _control_consumer(self._settings) as consumer:
            consumer.assign(places)
            await consumer.seek_to_beginning(*places)
            for place in places:
                while await consumer.position(place) < ends[place]:
                    fetched = await consumer.getmany(place, timeout_ms=100)
                    if any(
                        type(decode(one.value)) not in (Adopted, BudgetAnswered)
                        for one in fetched.get(place, ())
                    ):
                        return False
        return True

    async def write(
        self,
        records: dict[int, list[Record]],
        letters: Sequence[bytes],
        progress: ReplayProgress,
        clock: LogClock,
        *,
        coupons_ms: int | None = None,
    ) -> ReplayProgress:
        """Commit records by partition, dead letters, progress and clock as one.

        `coupons_ms`: with a mark of that time for the coupons, of which what is over ends by it.
        Gives the progress as written, with the offset of the last record of every partition.
        """
        async with asyncio.timeout(_COMMIT_WITHIN_S):
            await self._producer.begin_transaction()
            sent = {
                partition: [
                    (await self._producer.send_batch(batch, self._events, partition=partition), n)
                    for batch, n in self._batches(found)
                ]
                for partition, found in records.items()
            }
            await self._send_letters(letters)
            if coupons_ms is not None:
                await self._send_coupon_marks(coupons_ms)
            offsets = list(progress.offsets) or [-1 for _ in self._partitions]
            for partition, deliveries in sent.items():
                for delivery, count in deliveries:
                    offsets[partition] = (await delivery).offset + count - 1
            written = msgspec.structs.replace(progress, offsets=tuple(offsets))
            await self._send_control({REPLAY_KEY: written, CLOCK_KEY: clock})
            await self._producer.commit_transaction()
        return written

    async def await_folded(self, offsets: Sequence[int], is_over: Callable[[], bool]) -> None:
        """Wait until the workers' group has committed past these offsets, or `is_over`."""
        wait = _Wait("the worker folds what is there")
        while not is_over():
            committed = await self._committed()
            behind = {
                partition: offset + 1 - committed.get(partition, 0)
                for partition, offset in enumerate(offsets)
                if committed.get(partition, 0) < offset + 1
            }
            if not behind:
                return
            await wait.look_again(records_behind=behind)

    async def await_considered(self, day: int, is_over: Callable[[], bool]) -> None:
        """Wait until the learner has considered adopting after log day `day`, or `is_over`."""
        wait = _Wait("the learner considers the day")
        while not is_over():
            await self._read_control()
            last = word(self._said.get(LEARNER_KEY), Considered)
            if last is not None and last.considered_day >= day:
                return
            await wait.look_again(log_day=day, considered=last and last.considered_day)

    async def _committed(self) -> dict[int, int]:
        try:
            if self._coordinator is None:
                self._coordinator = await self._admin.find_coordinator(self._worker_group)
            found = await self._admin.list_consumer_group_offsets(
                self._worker_group,
                self._coordinator,
                [TopicPartition(self._events, partition) for partition in self._partitions],
            )
        except KafkaError:
            self._coordinator = None
            raise
        return {place.partition: kept.offset for place, kept in found.items()}

    async def _read_control(self) -> None:
        self._said.update(await _read_on(self._consumer, self._control))

    async def _send_letters(self, letters: Sequence[bytes]) -> None:
        spread: dict[int, list[Record]] = defaultdict(list)
        for turn, letter in enumerate(letters):
            spread[turn % len(self._partitions)].append(Record(None, letter))
        for partition, found in spread.items():
            for batch, _ in self._batches(found):
                await self._producer.send_batch(batch, self._dead_letters, partition=partition)

    async def _send_coupon_marks(self, at_ms: int) -> None:
        mark = Record(None, encode(ClockMark(at_ms)))
        for partition in self._partitions:
            for batch, _ in self._batches([mark]):
                await self._producer.send_batch(batch, self._coupons, partition=partition)

    async def _send_control(self, said: dict[bytes, msgspec.Struct]) -> None:
        words = {key: msgspec.json.encode(one) for key, one in said.items()}
        for batch, _ in self._batches([Record(key, value) for key, value in words.items()]):
            await self._producer.send_batch(batch, self._control.topic, partition=0)
        self._said.update(words)

    def _batches(self, records: Sequence[Record]) -> list[tuple[Any, int]]:
        """Pack records with the wall's time; a new batch where one is full."""
        at_ms = time.time_ns() // 1_000_000
        packed = []
        batch = self._producer.create_batch()
        for key, value in records:
            if batch.append(key=key, value=value, timestamp=at_ms) is None:
                batch.close()
                packed.append((batch, batch.record_count()))
                batch = self._producer.create_batch()
                if batch.append(key=key, value=value, timestamp=at_ms) is None:
                    raise ValueError(f"a record of {len(value)} bytes exceeds a whole batch")
        batch.close()
        packed.append((batch, batch.record_count()))
        return packed


async def read_control(settings: Settings) -> dict[bytes, bytes]:
    """Read the last word under every key of the control topic."""
    place = TopicPartition(settings.named(topics.CONTROL), 0)
    async with Opened(_control_consumer(settings)) as consumer:
        consumer.assign([place])
        await consumer.seek_to_beginning(place)
        return await _read_on(consumer, place)


def _control_consumer(settings: Settings) -> AIOKafkaConsumer:
    return AIOKafkaConsumer(
        bootstrap_servers=settings.kafka_bootstrap,
        enable_auto_commit=False,
        isolation_level="read_committed",
        auto_offset_reset="earliest",
        fetch_max_wait_ms=100,
    )


async def _read_on(consumer: AIOKafkaConsumer, place: TopicPartition) -> dict[bytes, bytes]:
    """Read up to the end; commit markers count, so by position."""
    said: dict[bytes, bytes] = {}
    end = (await consumer.end_offsets([place]))[place]
    while await consumer.position(place) < end:
        fetched = await consumer.getmany(place, timeout_ms=100)
        for record in fetched.get(place, ()):
            if record.value is not None:
                said[record.key] = record.value
    return said


class _Wait:
    """A wait that looks often at first and says so when it becomes long."""

    def __init__(self, what_for: str) -> None:
        self._what_for = what_for
        self._pause_s = _FIRST_LOOK_S
        self._say_at = time.monotonic() + _SAY_EVERY_S

    async def look_again(self, **seen: object) -> None:
        if time.monotonic() > self._say_at:
            self._say_at += _SAY_EVERY_S
            _log.warning("the replay waits", until=self._what_for, **seen)
        await asyncio.sleep(self._pause_s)
        self._pause_s = min(1.5 * self._pause_s, _LOOK_EVERY_S)


async def _within(close: Callable[[], Any]) -> None:
    """Close politely, but do not wait for a broker that is gone."""
    try:
        async with asyncio.timeout(_CLOSE_WITHIN_S):
            await close()
    except (TimeoutError, KafkaError, OSError) as error:
        _log.info("closed without the broker", error=repr(error))
