"""The one way into the log from outside the fold: confirmed by the broker, or an error.

Records wait in one lane per partition; while a lane's batch is on its way the next one fills. So a
single event goes out at once, and thousands share few requests. The producer is idempotent: a
broker that comes back gets each batch once. Producers of other kinds (the worker's and the replay's
transactions) have their own way.
"""

import asyncio
import time
from collections import deque
from collections.abc import Iterable, Sequence
from itertools import count
from typing import Any

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from models import coupon_words, effects, events
from models.coupon_words import CouponWord, home_of, partition_of_coupon
from models.effects import DeadLetter
from models.events import Adopted, ClockMark, Event
from models.tokens import partition_of
from sinks.patience import cancelled_means_failed

EVENT_BYTES_MAX = 900_000
_BATCH_BYTES = 1_000_000
_RECONNECT_S = 0.5
_RECONNECT_S_MAX = 5.0
_CLOSE_S = 3.0

_log = structlog.get_logger("log")

Record = tuple[bytes | None, bytes]
Prepared = dict[int, list[Record]]


class LogError(RuntimeError):
    """The log did not confirm; what was to be written may or may not be in it."""


class LogSlow(LogError):
    """The broker confirms too slowly, or too much waits for it already."""


class LogUnreachable(LogError):
    """No broker, or not the topics that were expected."""


class EventTooLarge(ValueError):
    """An encoded event is too large for the log; `index` is its place in what was to be written."""

    def __init__(self, index: int, size_bytes: int) -> None:
        super().__init__(
            f"an event of {size_bytes} bytes; the log takes {EVENT_BYTES_MAX} at the most"
        )
        self.index = index


class _Parcel:
    """Records of one call for one partition; `confirmed` is set when the last of them is."""

    __slots__ = ("confirmed", "left")

    def __init__(self, left: int) -> None:
        self.left = left
        self.confirmed: asyncio.Future[None] = asyncio.get_running_loop().create_future()


class _Lane:
    """What waits for one partition, and the task that sends it batch by batch."""

    def __init__(self, writer: "LogWriter", topic: str, partition: int) -> None:
        self._writer = writer
        self._topic = topic
        self._partition = partition
        self._waiting: deque[tuple[Record, _Parcel]] = deque()
        self._wake = asyncio.Event()
        self.sent_at: float | None = None
        self.task = asyncio.create_task(self._run())

    def put(self, records: list[Record]) -> _Parcel:
        """Let records wait in their order."""
        parcel = _Parcel(len(records))
        self._waiting.extend((record, parcel) for record in records)
        self._wake.set()
        return parcel

    def forget_abandoned(self) -> None:
        """Drop from the front what nobody waits for any more: it must not pile up for a broker."""
        while self._waiting and self._waiting[0][1].confirmed.done():
            self._waiting.popleft()

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting:
                await self._send_one_batch()

    async def _send_one_batch(self) -> None:
        producer = await self._writer.producer()
        self.sent_at = time.monotonic()
        batch, parcels = self._fill(producer)
        try:
            if parcels:
                with cancelled_means_failed():
                    send = producer.send_batch(batch, self._topic, partition=self._partition)
                    await (await send)
        except Exception as error:
            for parcel in parcels:
                _fail(parcel, error)
            self._writer.lose(producer, error)
        else:
            for parcel, sent in parcels.items():
                parcel.left -= sent
                if not parcel.left and not parcel.confirmed.done():
                    parcel.confirmed.set_result(None)
        finally:
            self.sent_at = None

    def _fill(self, producer: AIOKafkaProducer) -> tuple[Any, dict[_Parcel, int]]:
        """Put as much as one batch takes into it; what nobody waits for any more is dropped."""
        batch = producer.create_batch()
        at_ms = int(time.time() * 1000)
        parcels: dict[_Parcel, int] = {}
        while self._waiting:
            (key, value), parcel = self._waiting[0]
            if not parcel.confirmed.done():
                if batch.append(key=key, value=value, timestamp=at_ms) is None:
                    break
                parcels[parcel] = parcels.get(parcel, 0) + 1
            self._waiting.popleft()
        return batch, parcels


def _fail(parcel: _Parcel, error: BaseException) -> None:
    if not parcel.confirmed.done():
        parcel.confirmed.set_exception(LogUnreachable(f"the broker refused: {error!r}"))
        # Its writer may have given up already; an exception nobody reads would be reported.
        parcel.confirmed.exception()


class LogWriter:
    """Writes events to the partition of their customer, and dead letters beside them.

    Record times are the wall's. Construct inside a running event loop.
    """

    def __init__(
        self,
        *,
        bootstrap: str,
        topic_events: str,
        topic_dead_letters: str,
        topic_coupons: str = "",
        partitions: int,
        confirm_timeout_ms: int = 5_000,
        pending_bytes_max: int = 64_000_000,
    ) -> None:
        self._bootstrap = bootstrap
        self._topic_events = topic_events
        self._topic_dead_letters = topic_dead_letters
        self._topic_coupons = topic_coupons
        self._partitions = partitions
        self._confirm_timeout_s = confirm_timeout_ms / 1000
        self._pending_bytes_max = pending_bytes_max
        self._pending_bytes = 0
        self._lanes: dict[tuple[str, int], _Lane] = {}
        self._turns = count()
        self._producer: AIOKafkaProducer | None = None
        self._connected = asyncio.Event()
        self._failure = ""
        self._connecting: asyncio.Task[None] | None = None
        self._closing: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Begin to connect, and keep at it for as long as it takes; returns at once."""
        self._connecting = asyncio.create_task(self._connect())

    async def stop(self) -> None:
        """Give what waits the time to be confirmed, then let go of the broker."""
        until = time.monotonic() + self._confirm_timeout_s
        while self._pending_bytes and self._connected.is_set() and time.monotonic() < until:
            await asyncio.sleep(0.01)
        tasks = [lane.task for lane in self._lanes.values()]
        if self._connecting is not None:
            tasks.append(self._connecting)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._producer is not None:
            self._retire(self._producer)
        await asyncio.gather(*self._closing)

    @property
    def trouble(self) -> str:
        """Why nothing can be written now; empty when all is well."""
        if not self._connected.is_set():
            return self._failure or "not connected yet"
        now = time.monotonic()
        waits = [now - lane.sent_at for lane in self._lanes.values() if lane.sent_at is not None]
        if waits and max(waits) > self._confirm_timeout_s:
            return f"the broker has confirmed nothing for {max(waits):.0f} s"
        return ""

    @property
    def pending_bytes(self) -> int:
        """Bytes that wait for the broker's word."""
        return self._pending_bytes

    async def write(self, written: Sequence[Event]) -> None:
        """Write events, each to its customer's partition; returns when all are confirmed.

        Raises EventTooLarge before anything is written, else LogSlow or LogUnreachable.
        """
        await self.write_prepared(self.prepared(written))

    def prepared(self, written: Sequence[Event]) -> Prepared:
        """Encode events for `write_prepared`; raises EventTooLarge for the first that is."""
        groups: Prepared = {}
        for index, event in enumerate(written):
            value = events.encode(event)  # type: ignore[arg-type]
            if len(value) > EVENT_BYTES_MAX:
                raise EventTooLarge(index, len(value))
            partition = partition_of(event.customer, self._partitions)
            groups.setdefault(partition, []).append((event.customer.encode(), value))
        return groups

    async def write_prepared(self, groups: Prepared) -> None:
        """Write encoded events; raises LogSlow or LogUnreachable."""
        await self._write(self._topic_events, groups)

    async def write_to_partitions(
        self, record: ClockMark | Adopted, partitions: Iterable[int] | None = None
    ) -> None:
        """Write a record that concerns whole partitions to these, or to all."""
        value = events.encode(record)
        chosen = range(self._partitions) if partitions is None else partitions
        await self._write(self._topic_events, {one: [(None, value)] for one in chosen})

    async def write_dead_letters(self, letters: Sequence[DeadLetter]) -> None:
        """Write dead letters to their topic; raises as `write` does."""
        groups: Prepared = {}
        for index, letter in enumerate(letters):
            value = effects.encode(letter)
            if len(value) > EVENT_BYTES_MAX:
                raise EventTooLarge(index, len(value))
            partition = next(self._turns) % self._partitions
            groups.setdefault(partition, []).append((None, value))
        await self._write(self._topic_dead_letters, groups)

    async def write_coupon_words(self, words: Sequence[CouponWord]) -> None:
        """Write words to the partitions of their codes; raises LogSlow or LogUnreachable."""
        groups: Prepared = {}
        for word in words:
            partition = partition_of_coupon(word.key, self._partitions)
            record = home_of(word.key).encode(), coupon_words.encode(word)
            groups.setdefault(partition, []).append(record)
        await self._write(self._topic_coupons, groups)

    async def producer(self) -> AIOKafkaProducer:
        """Wait for a connected producer."""
        while self._producer is None:
            await self._connected.wait()
        return self._producer

    def lose(self, producer: AIOKafkaProducer, error: BaseException) -> None:
        """Part with a producer that failed and connect anew, once for all lanes."""
        if producer is not self._producer:
            return
        _log.warning("producer_failed", error=repr(error))
        self._producer = None
        self._connected.clear()
        self._retire(producer)
        self._connecting = asyncio.create_task(self._connect())

    async def _write(self, topic: str, groups: Prepared) -> None:
        if not groups:
            return
        if self._failure:
            raise LogUnreachable(self._failure)
        if self._connected.is_set() and (trouble := self.trouble):
            raise LogSlow(trouble)
        size = sum(len(value) for records in groups.values() for _, value in records)
        if self._pending_bytes and self._pending_bytes + size > self._pending_bytes_max:
            raise LogSlow(f"{self._pending_bytes} bytes wait for the broker already")
        self._pending_bytes += size
        parcels = [
            self._lane(topic, partition).put(records) for partition, records in groups.items()
        ]
        try:
            async with asyncio.timeout(self._confirm_timeout_s):
                for parcel in parcels:
                    await parcel.confirmed
        except TimeoutError:
            if not self._connected.is_set():
                raise LogUnreachable(self._failure or "no broker answered in time") from None
            raise LogSlow(f"not confirmed within {self._confirm_timeout_s:g} s") from None
        finally:
            self._pending_bytes -= size
            for parcel in parcels:
                parcel.confirmed.cancel()
            for partition in groups:
                self._lane(topic, partition).forget_abandoned()

    def _lane(self, topic: str, partition: int) -> _Lane:
        lane = self._lanes.get((topic, partition))
        if lane is None:
            lane = self._lanes[topic, partition] = _Lane(self, topic, partition)
        return lane

    async def _connect(self) -> None:
        pause_s = _RECONNECT_S
        while True:
            producer = AIOKafkaProducer(
                bootstrap_servers=self._bootstrap,
                enable_idempotence=True,
                acks="all",
                linger_ms=0,
                max_batch_size=_BATCH_BYTES,
                max_request_size=2 * _BATCH_BYTES,
                request_timeout_ms=10_000,
                retry_backoff_ms=50,
            )
            try:
                with cancelled_means_failed():
                    async with asyncio.timeout(10):
                        await producer.start()
                        await self._check_topics(producer)
            except asyncio.CancelledError:
                self._retire(producer)
                raise
            except (KafkaError, LogUnreachable, TimeoutError, OSError) as error:
                self._failure = str(error) or repr(error)
                _log.warning("broker_unreachable", broker=self._bootstrap, error=self._failure)
                self._retire(producer)
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, _RECONNECT_S_MAX)
            else:
                self._producer, self._failure = producer, ""
                self._connected.set()
                return

    async def _check_topics(self, producer: AIOKafkaProducer) -> None:
        wanted = (self._topic_events, self._topic_dead_letters, self._topic_coupons)
        for topic in filter(None, wanted):
            found = await producer.partitions_for(topic)
            if len(found) != self._partitions:
                raise LogUnreachable(
                    f"topic {topic} has {len(found)} partitions, expected {self._partitions}"
                )

    def _retire(self, producer: AIOKafkaProducer) -> None:
        task = asyncio.create_task(_close(producer))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)


async def _close(producer: AIOKafkaProducer) -> None:
    try:
        async with asyncio.timeout(_CLOSE_S):
            await producer.stop()
    except TimeoutError:
        # aiokafka has no public way to give up what it cannot deliver.
        sender = producer._sender.sender_task  # noqa: SLF001
        if sender is not None:
            sender.cancel()
            await asyncio.wait([sender], timeout=_CLOSE_S)
        await producer.client.close()
