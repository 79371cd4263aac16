"""A follower of small topics on a real broker: everything once, also over an outage."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from sinks.follower import Follower
from streams.servers.kafka import Kafka
from streams.servers.ports import free_port

pytestmark = pytest.mark.real


class Listener(Follower):
    """Keeps what comes."""

    def __init__(self, bootstrap: str, *topics: str) -> None:
        super().__init__(bootstrap, *topics)
        self.taken: list[tuple[str, bytes]] = []

    def take(self, record: Any) -> None:
        self.taken.append((record.topic, record.value))

    async def until(self, count: int) -> None:
        async with asyncio.timeout(60):
            while len(self.taken) < count:
                await asyncio.sleep(0.02)


async def created(bootstrap: str, *topics: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, 1, 1) for topic in topics])
    finally:
        await admin.close()


async def write(bootstrap: str, topic: str, *values: bytes) -> None:
    async with AIOKafkaProducer(bootstrap_servers=bootstrap) as producer:
        for value in values:
            await producer.send_and_wait(topic, value)


async def test_it_takes_what_stands_there_and_then_what_comes(kafka: str) -> None:
    one, other, empty = (f"follow-{name}" for name in ("one", "other", "empty"))
    await created(kafka, one, other, empty)
    await write(kafka, one, b"1", b"2")
    await write(kafka, other, b"3")
    listener = Listener(kafka, one, other, empty)
    await listener.start()
    try:
        assert listener.current
        assert sorted(listener.taken) == [(one, b"1"), (one, b"2"), (other, b"3")]
        await write(kafka, empty, b"4")
        await listener.until(4)
    finally:
        await listener.stop()


async def test_over_an_outage_every_record_comes_once(tmp_path: Path) -> None:
    server = Kafka(tmp_path, free_port(), free_port())
    listener = None
    try:
        with server.running():
            await created(server.address, "topic")
            await write(server.address, "topic", b"1")
            listener = Listener(server.address, "topic")
            await listener.start()
        with server.running():
            await write(server.address, "topic", b"2")
            await listener.until(2)
            await asyncio.sleep(0.5)
            assert listener.taken == [("topic", b"1"), ("topic", b"2")]
            await listener.stop()
            listener = None
    finally:
        if listener is not None:
            await listener.stop()
