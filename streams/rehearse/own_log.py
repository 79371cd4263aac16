"""The installation's own log as a history: what customers did, without what it did.

Its partitions are read side by side and put into one order of time; a little of each is held. Left
out are records of the whole partition, what merges passed on (the rehearsal passes it on anew) and
what the dispatcher said of messages and the coupons' fold of coupons, which were another
playbook's. What is sealed stays sealed.
"""

import asyncio
from collections.abc import Iterator
from heapq import merge
from typing import Any
from zlib import crc32

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from models.events import Absorbed, Adopted, BudgetAnswered, ClockMark, CustomerEvent, decode
from models.held_coupons import OURS as COUPONS
from sinks.dispatch_receipts import SOURCE as DISPATCHER
from sinks.patience import Opened
from streams import topics
from streams.replay.history import BadHistory
from streams.settings import Settings

LIVE = "live"
_POLL_MS = 500
_OWN = frozenset({DISPATCHER, COUPONS})


class OwnLog:
    """Events of topic `events` up to the end it has when it is opened.

    `last_ms` is, once it is read, the log's own time at that end. With `one_in` only so many of the
    customers are read, chosen by their tokens, the same every time.
    """

    name = "the log of this installation"

    def __init__(self, settings: Settings, *, one_in: int = 1) -> None:
        self._settings = settings
        self._one_in = one_in
        self._topic = settings.named(topics.EVENTS)
        self.last_ms = 0

    def events(self) -> Iterator[CustomerEvent]:
        """Customers' events in the order of time.

        Raises BadHistory where no broker answers or the log is empty.
        """
        loop = asyncio.new_event_loop()
        consumers: list[AIOKafkaConsumer] = []
        try:
            readers = [
                self._partition(loop, number, consumers)
                for number in range(self._settings.partitions)
            ]
            yield from merge(*readers, key=_when)
        except KafkaError as error:
            where = self._settings.kafka_bootstrap
            raise BadHistory(f"no broker at {where} ({error!r}): start `huitou up` first") from None
        finally:
            for consumer in consumers:
                loop.run_until_complete(consumer.stop())
            loop.close()

    def _partition(
        self, loop: asyncio.AbstractEventLoop, number: int, consumers: list[AIOKafkaConsumer]
    ) -> Iterator[CustomerEvent]:
        place = TopicPartition(self._topic, number)
        consumer = loop.run_until_complete(self._opened(place, consumers))
        end = loop.run_until_complete(consumer.end_offsets([place]))[place]
        while loop.run_until_complete(consumer.position(place)) < end:
            fetched: Any = loop.run_until_complete(consumer.getmany(place, timeout_ms=_POLL_MS))
            for record in fetched.get(place, ()):
                event = self._of_a_customer(record.value) if record.offset < end else None
                if event is not None:
                    yield event

    def _of_a_customer(self, raw: bytes | None) -> CustomerEvent | None:
        try:
            event = decode(raw or b"")
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
        if isinstance(event, ClockMark):
            self.last_ms = max(self.last_ms, event.at_ms)
        if isinstance(event, ClockMark | Adopted | Absorbed | BudgetAnswered):
            return None
        if event.via or event.source in _OWN:
            return None
        return None if crc32(event.customer.encode()) % self._one_in else event

    async def _opened(
        self, place: TopicPartition, consumers: list[AIOKafkaConsumer]
    ) -> AIOKafkaConsumer:
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._settings.kafka_bootstrap,
            enable_auto_commit=False,
            isolation_level="read_committed",
        )
        consumers.append(consumer)
        await consumer.start()
        consumer.assign([place])
        await consumer.seek_to_beginning(place)
        return consumer


async def records_in(settings: Settings) -> int:
    """How many records the log holds, marks among them; raises KafkaError."""
    topic = settings.named(topics.EVENTS)
    places = [TopicPartition(topic, number) for number in range(settings.partitions)]
    consumer = AIOKafkaConsumer(bootstrap_servers=settings.kafka_bootstrap)
    async with Opened(consumer):
        begins, ends = await consumer.beginning_offsets(places), await consumer.end_offsets(places)
    return sum(ends[place] - begins[place] for place in places)


def _when(event: CustomerEvent) -> int:
    return event.received_at_ms
