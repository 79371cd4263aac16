"""The log's own time, read from the control topic of a real broker."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import pytest
from aiokafka import AIOKafkaProducer

from models.clock import LogClock
from sinks.log_clock import ClockUnknown, LogClockReader
from streams.prepare import ensure_topics
from streams.servers.ports import free_port
from streams.settings import Settings

pytestmark = pytest.mark.real


@asynccontextmanager
async def a_reader(settings: Settings) -> AsyncIterator[LogClockReader]:
    reader = LogClockReader(settings.kafka_bootstrap, settings.named("control"))
    await reader.start()
    try:
        yield reader
    finally:
        await reader.stop()


async def publish(settings: Settings, *values: bytes, key: bytes = b"clock") -> None:
    producer = AIOKafkaProducer(
        bootstrap_servers=settings.kafka_bootstrap, transactional_id=settings.named("test")
    )
    await producer.start()
    try:
        async with producer.transaction():
            for value in values:
                await producer.send_and_wait(settings.named("control"), value, key=key)
    finally:
        await producer.stop()


async def until(reader: LogClockReader, clock: LogClock) -> None:
    async with asyncio.timeout(10):
        while reader.clock != clock:
            await asyncio.sleep(0.01)


@pytest.fixture
async def prepared(settings: Settings) -> Settings:
    await ensure_topics(settings)
    return settings


async def test_a_fresh_installation_runs_on_the_wall_clock(prepared: Settings) -> None:
    async with a_reader(prepared) as reader:
        assert abs(reader.now_ms() - time.time() * 1000) < 5_000


async def test_the_last_clock_record_is_known_at_the_start(prepared: Settings) -> None:
    clocks = [LogClock(mode="replay", at_ms=at) for at in (10, 20, 30)]
    await publish(prepared, *(msgspec.json.encode(clock) for clock in clocks))
    await publish(prepared, b"{}", key=b"learner")
    async with a_reader(prepared) as reader:
        assert reader.now_ms() == 30


async def test_a_change_arrives_while_reading(prepared: Settings) -> None:
    async with a_reader(prepared) as reader:
        replaying = LogClock(mode="replay", at_ms=77)
        await publish(prepared, msgspec.json.encode(replaying))
        await until(reader, replaying)
        assert reader.now_ms() == 77
        year_back = LogClock(mode="wall", wall_offset_ms=-365 * 86_400_000)
        await publish(prepared, msgspec.json.encode(year_back))
        await until(reader, year_back)
        assert abs(time.time() * 1000 - 365 * 86_400_000 - reader.now_ms()) < 5_000


async def test_a_spoiled_record_leaves_the_time_as_it_was(prepared: Settings) -> None:
    good = LogClock(mode="replay", at_ms=5)
    await publish(prepared, b"not json", msgspec.json.encode(good), b"{", b'{"mode": 3}')
    async with a_reader(prepared) as reader:
        assert reader.clock == good


async def test_before_the_topic_is_read_nobody_knows_the_time() -> None:
    reader = LogClockReader(f"127.0.0.1:{free_port()}", "control")
    await reader.start(wait=False)
    assert not reader.current
    with pytest.raises(ClockUnknown):
        reader.now_ms()
    await reader.stop()
