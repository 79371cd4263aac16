"""The way into the log on a real broker: confirmed or refused, in order, through its absences."""

import asyncio
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from models import events
from models.effects import DeadLetter
from models.events import Adopted, ClockMark, OrderCancelled
from models.tokens import partition_of, token_of
from sinks.log import EVENT_BYTES_MAX, EventTooLarge, LogError, LogSlow, LogUnreachable, LogWriter
from streams.prepare import ensure_topics
from streams.servers.kafka import Kafka
from streams.servers.ports import free_port
from streams.settings import Settings

pytestmark = pytest.mark.real


def cancelled(number: int, customer: str = "") -> OrderCancelled:
    token = token_of(b"k" * 32, "customer", customer or f"c{number % 50}")
    return OrderCancelled(
        id=f"m{number}",
        customer=token,
        occurred_at_ms=number + 1,
        received_at_ms=number + 1,
        order_id=f"o{number}",
    )


@asynccontextmanager
async def a_writer(
    settings: Settings, confirm_timeout_ms: int = 30_000, partitions: int | None = None
) -> AsyncIterator[LogWriter]:
    writer = LogWriter(
        bootstrap=settings.kafka_bootstrap,
        topic_events=settings.named("events"),
        topic_dead_letters=settings.named("dead-letters"),
        partitions=partitions or settings.partitions,
        confirm_timeout_ms=confirm_timeout_ms,
    )
    await writer.start()
    try:
        yield writer
    finally:
        await writer.stop()


async def read_all(settings: Settings, topic: str) -> list[ConsumerRecord]:
    """Every record of a topic, partition by partition."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=settings.kafka_bootstrap, isolation_level="read_committed"
    )
    await consumer.start()
    try:
        partitions = [
            TopicPartition(settings.named(topic), one) for one in range(settings.partitions)
        ]
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        ends = await consumer.end_offsets(partitions)
        found: list[ConsumerRecord] = []
        for partition in partitions:
            while await consumer.position(partition) < ends[partition]:
                fetched = await consumer.getmany(partition, timeout_ms=500)
                found.extend(fetched.get(partition, ()))
        return found
    finally:
        await consumer.stop()


async def until_stopped(pid: int) -> None:
    threads = list(Path(f"/proc/{pid}/task").iterdir())
    async with asyncio.timeout(5):
        while not all(") T " in (thread / "stat").read_text() for thread in threads):
            await asyncio.sleep(0.005)


@pytest.fixture
async def prepared(settings: Settings) -> Settings:
    await ensure_topics(settings)
    return settings


async def test_events_land_in_their_customers_partition_in_order(prepared: Settings) -> None:
    written = [cancelled(number) for number in range(1000)]
    async with a_writer(prepared) as writer:
        for start in range(0, 1000, 250):
            await writer.write(written[start : start + 250])
        assert writer.pending_bytes == 0
    records = await read_all(prepared, "events")
    assert len(records) == 1000
    for record in records:
        assert record.partition == partition_of(record.key.decode(), prepared.partitions)
        assert events.decode(record.value).customer == record.key.decode()
    for customer in {record.key for record in records}:
        times = [events.decode(r.value).occurred_at_ms for r in records if r.key == customer]
        assert times == sorted(times)


async def test_many_writers_at_once_share_requests_and_lose_nothing(prepared: Settings) -> None:
    async with a_writer(prepared) as writer:
        await asyncio.gather(*(writer.write([cancelled(number)]) for number in range(2000)))
    found = [events.decode(record.value).id for record in await read_all(prepared, "events")]
    assert sorted(found) == sorted(f"m{number}" for number in range(2000))


async def test_more_than_a_request_holds_goes_in_several(prepared: Settings) -> None:
    large = [cancelled(number, "one") for number in range(40)]
    for event in large:
        event.extra = {"much": "x" * 100_000}
    async with a_writer(prepared) as writer:
        await writer.write(large)
    found = [events.decode(record.value).id for record in await read_all(prepared, "events")]
    assert found == [f"m{number}" for number in range(40)]


async def test_an_event_too_large_is_refused_before_anything_is_written(
    prepared: Settings,
) -> None:
    large = cancelled(2)
    large.extra = {"much": "x" * EVENT_BYTES_MAX}
    async with a_writer(prepared) as writer:
        with pytest.raises(EventTooLarge) as raised:
            await writer.write([cancelled(1), large])
        assert raised.value.index == 1
        await writer.write([cancelled(3)])
    assert [events.decode(r.value).id for r in await read_all(prepared, "events")] == ["m3"]


async def test_marks_and_adoptions_go_to_whole_partitions(prepared: Settings) -> None:
    async with a_writer(prepared) as writer:
        await writer.write_to_partitions(ClockMark(at_ms=7))
        await writer.write_to_partitions(Adopted("hazard", 3, "ab"), [1])
    found = [
        (record.partition, record.key, events.decode(record.value))
        for record in await read_all(prepared, "events")
    ]
    assert found == [
        (0, None, ClockMark(at_ms=7)),
        (1, None, ClockMark(at_ms=7)),
        (1, None, Adopted("hazard", 3, "ab")),
    ]


async def test_dead_letters_have_a_topic_of_their_own(prepared: Settings) -> None:
    letters = [
        DeadLetter(source="gateway", reason=f"r{i}", at_ms=i, sealed_raw="x") for i in range(5)
    ]
    async with a_writer(prepared) as writer:
        await writer.write_dead_letters(letters)
    assert len(await read_all(prepared, "dead-letters")) == 5
    assert await read_all(prepared, "events") == []


async def test_nothing_written_is_nothing_waited_for(prepared: Settings) -> None:
    async with a_writer(prepared) as writer:
        await writer.write([])
        await writer.write_dead_letters([])


async def test_a_topic_with_other_partitions_is_refused_by_name(prepared: Settings) -> None:
    async with a_writer(prepared, confirm_timeout_ms=1_000, partitions=5) as writer:
        with pytest.raises(LogUnreachable):
            await writer.write([cancelled(1)])
        assert "has 2 partitions, expected 5" in writer.trouble


async def test_no_broker_is_said_quickly(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, kafka=f"127.0.0.1:{free_port()}")
    async with a_writer(settings, confirm_timeout_ms=2_000) as writer:
        with pytest.raises(LogUnreachable):
            await writer.write([cancelled(1)])
        began = time.monotonic()
        with pytest.raises(LogUnreachable):
            await writer.write([cancelled(1)])
        assert time.monotonic() - began < 0.1
        assert writer.trouble


@pytest.mark.skipif(sys.platform != "linux", reason="stops the broker thread by thread: /proc")
async def test_what_nobody_waits_for_any_more_does_not_pile_up(tmp_path: Path) -> None:
    """A broker that takes the connection and never answers: ten seconds of not knowing yet."""

    async def listen(reader: asyncio.StreamReader, answers: asyncio.StreamWriter) -> None:
        await reader.read()
        answers.close()

    silent = await asyncio.start_server(listen, "127.0.0.1", free_port())
    port = silent.sockets[0].getsockname()[1]
    settings = Settings(data_dir=tmp_path, kafka=f"127.0.0.1:{port}", partitions=2)
    async with a_writer(settings, confirm_timeout_ms=50) as writer:
        for _ in range(5):
            with pytest.raises(LogUnreachable):
                await writer.write([cancelled(number) for number in range(20)])
        assert sum(len(lane._waiting) for lane in writer._lanes.values()) == 0
        assert writer.pending_bytes == 0
    silent.close()
    await silent.wait_closed()


async def test_a_broker_that_stalls_or_dies_costs_errors_but_no_confirmed_event(
    tmp_path: Path,
) -> None:
    server = Kafka(tmp_path, free_port(), free_port())
    settings = Settings(
        data_dir=tmp_path, kafka=server.address, partitions=2, namespace=f"t-{uuid4().hex[:8]}-"
    )
    confirmed: list[str] = []
    refused = 0

    async def write(writer: LogWriter, number: int) -> None:
        nonlocal refused
        try:
            await writer.write([cancelled(number)])
            confirmed.append(f"m{number}")
        except LogError:
            refused += 1

    async def recovered(writer: LogWriter, start: int) -> None:
        before, number = len(confirmed), start
        until = time.monotonic() + 40
        while len(confirmed) == before:
            assert time.monotonic() < until
            await write(writer, number)
            await asyncio.sleep(0.05)
            number += 1

    with server.running() as child:
        await ensure_topics(settings)
        async with a_writer(settings, confirm_timeout_ms=700) as writer:
            await recovered(writer, 0)
            refused = 0
            child.signal(signal.SIGSTOP)
            await until_stopped(child.pid)
            with pytest.raises(LogSlow):
                await writer.write([cancelled(100)])
            began = time.monotonic()
            with pytest.raises(LogSlow):
                await writer.write([cancelled(101)])
            assert time.monotonic() - began < 0.1
            child.signal(signal.SIGCONT)
            await recovered(writer, 200)
            child.signal(signal.SIGKILL)
            await write(writer, 20_000)
            assert refused > 0
            with server.running():
                await recovered(writer, 30_000)
                found = [events.decode(r.value).id for r in await read_all(settings, "events")]
    assert set(confirmed) <= set(found)
    assert len(found) == len(set(found))
