"""The simulated broker and Apache Kafka, put through the same scenario: readers see the same.

What `tests/simulation` proves is worth what its broker is worth.
"""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from streams import topics
from streams.prepare import ensure_topics
from streams.settings import Settings
from tests.real.rig import until
from tests.simulation.broker import SimulatedBroker
from tests.simulation.clients import SimulatedConsumer, SimulatedProducer
from tests.simulation.loop import SimulatedLoop, run

pytestmark = pytest.mark.real


class Scenario:
    """Transactions committed, aborted, left open and fenced, and what readers see of them."""

    def __init__(self, kafka: str, name: str, producer: Any, consumer: Any) -> None:
        self._kafka = kafka
        self._name = name
        self._producer, self._consumer = producer, consumer
        self._source = TopicPartition(f"{name}{topics.EVENTS}", 0)
        self._rows = TopicPartition(f"{name}{topics.CUSTOMERS}", 0)
        self.seen: list[Any] = []

    async def play(self) -> list[Any]:
        """Everything that was seen, in its order."""
        await self._append_outside(b"first", b"second")
        owner = await self._owner()
        await self._look("empty")
        await self._commit(owner, [b"one", b"two"], offset=1)
        await self._look("committed")
        await owner.begin_transaction()
        await (await self._send(owner, [b"never"]))
        await owner.abort_transaction()
        await self._look("aborted")
        await owner.begin_transaction()
        await owner.send_offsets_to_transaction({self._source: 2}, self._group)
        base = await (await self._send(owner, [b"left open"]))
        self.seen.append(("open at", base.offset))
        await self._look("open", settled=False)
        heir = await self._owner()
        await self._look("fenced")
        self.seen.append(("zombie", await self._error_of(owner)))
        await self._commit(heir, [b"three"], offset=2)
        await self._look("heir committed")
        for one in (owner, heir):
            await one.stop()
        return self.seen

    @property
    def _group(self) -> str:
        return f"{self._name}worker"

    async def _owner(self) -> Any:
        owner = self._producer(
            bootstrap_servers=self._kafka,
            transactional_id=f"{self._name}customers-0",
            linger_ms=0,
            retry_backoff_ms=10,
        )
        await owner.start()
        return owner

    async def _append_outside(self, *values: bytes) -> None:
        async with self._producer(bootstrap_servers=self._kafka) as producer:
            for value in values:
                await producer.send_and_wait(self._source.topic, value, partition=0)

    async def _send(self, owner: Any, values: list[bytes]) -> Any:
        batch = owner.create_batch()
        for value in values:
            assert batch.append(key=b"k", value=value, timestamp=None) is not None
        batch.close()
        assert batch.record_count() == len(values)
        return await owner.send_batch(batch, self._rows.topic, partition=0)

    async def _commit(self, owner: Any, values: list[bytes], offset: int) -> None:
        await owner.begin_transaction()
        delivered = await self._send(owner, values)
        await owner.send_offsets_to_transaction({self._source: offset}, self._group)
        await owner.commit_transaction()
        self.seen.append(("delivered at", (await delivered).offset))

    async def _error_of(self, zombie: Any) -> str:
        try:
            await zombie.send_offsets_to_transaction({self._source: 99}, self._group)
            await zombie.commit_transaction()
        except KafkaError as error:
            return type(error).__name__
        return "none"

    async def _look(self, when: str, *, settled: bool = True) -> None:
        """What two readers and the group see; markers are waited for when `settled`."""
        async with (
            self._consumer(
                bootstrap_servers=self._kafka,
                isolation_level="read_committed",
                enable_auto_commit=False,
                group_id=self._group,
            ) as committed,
            self._consumer(bootstrap_servers=self._kafka, enable_auto_commit=False) as all_of_it,
        ):

            async def are_settled() -> bool:
                return await self._end(committed) == await self._end(all_of_it)

            if settled:
                await until(are_settled, "the markers")
            self.seen.append(
                (
                    when,
                    ("committed", await self._read(committed)),
                    ("all", await self._read(all_of_it)),
                    ("group", await committed.committed(self._source)),
                )
            )

    async def _end(self, consumer: Any) -> int:
        return int((await consumer.end_offsets([self._rows]))[self._rows])

    async def _read(self, consumer: Any) -> Any:
        """Records up to the end that this reader knows, and that end."""
        end = await self._end(consumer)
        consumer.assign([self._rows])
        await consumer.seek_to_beginning(self._rows)
        found: list[Any] = []
        while await consumer.position(self._rows) < end:
            for fetched in (await consumer.getmany(timeout_ms=200)).values():
                found.extend((one.offset, one.value) for one in fetched)
        return end, found


def simulated_seen() -> list[Any]:
    """Play the scenario on the simulated broker, in a loop of its own."""
    loop = SimulatedLoop(None)
    names = {topics.EVENTS: 1, topics.CUSTOMERS: 1}

    async def main() -> Any:
        loop.world = SimpleNamespace(
            broker=SimulatedBroker(loop, names), lacks=lambda _: False, fails_now=lambda: False
        )
        return await Scenario("", "", SimulatedProducer, SimulatedConsumer).play()

    seen: list[Any] = run(loop, main)
    return seen


async def test_readers_see_the_same_on_the_simulated_broker_as_on_kafka(
    settings: Settings,
) -> None:
    await ensure_topics(settings)
    real = await Scenario(
        settings.kafka, settings.namespace, AIOKafkaProducer, AIOKafkaConsumer
    ).play()
    assert await asyncio.to_thread(simulated_seen) == real
    assert len(real) > 8
