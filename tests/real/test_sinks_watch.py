"""The watch over the pipeline on a real broker: what it says, keeps, and tells without one."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from models.effects import Alert, DeadLetter, encode
from sinks.pipeline_judge import Rule, Rules
from sinks.pipeline_watch import PipelineWatch, WatchConfig
from streams import topics
from streams.prepare import ensure_topics
from streams.servers.kafka import Kafka
from streams.servers.ports import free_port
from streams.settings import Settings
from streams.sink_roles import watch_config
from tests.contract.records import Made, dead_letters
from tests.contract.warehouse import Warehouse, fresh_warehouse
from tests.real.rig import until
from tests.real.sink_rig import AlertsRead, fill

pytestmark = pytest.mark.real

QUICK = Rules(
    lag=Rule("pipeline_lag", "warning", 300, 0, 100, 200),
    dead_letters=Rule("dead_letters", "warning", 10, 0, 2, 200),
    # A broker on a busy machine may be slow to answer, and is not what these tests are about.
    broker=Rule("broker_unreachable", "critical", 600_000, 0, 1_000, 300),
)
QUICK_BROKER = replace(QUICK, broker=Rule("broker_unreachable", "critical", 1_500, 0, 1_000, 300))


@pytest.fixture
async def settings(settings: Settings) -> Settings:
    await ensure_topics(settings)
    return settings


@pytest.fixture
def warehouse(clickhouse: str) -> Iterator[Warehouse]:
    with fresh_warehouse(clickhouse) as made:
        yield made


@pytest.fixture
def config(settings: Settings, warehouse: Warehouse) -> WatchConfig:
    return replace(
        watch_config(settings),
        clickhouse=warehouse.address,
        interval_s=0.1,
        rules=QUICK,
    )


@asynccontextmanager
async def watching(config: WatchConfig, told: list[Alert] | None = None) -> AsyncIterator[None]:
    heard = told if told is not None else []

    async def tell(alert: Alert) -> None:
        heard.append(alert)

    stop = asyncio.Event()
    task = asyncio.create_task(PipelineWatch(config, tell).run(stop))
    try:
        yield
    finally:
        stop.set()
        await asyncio.wait_for(task, 20)


async def commit(settings: Settings, group: str, topic: str, offset: int) -> None:
    """Let a group stand at an offset of partition 0, as if it had read so far."""
    place = TopicPartition(settings.named(topic), 0)
    consumer = AIOKafkaConsumer(
        bootstrap_servers=settings.kafka, group_id=settings.named(group), enable_auto_commit=False
    )
    await consumer.start()
    consumer.assign([place])
    await consumer.commit({place: offset})
    await consumer.stop()


def saying(alerts: AlertsRead, *wanted: str) -> Callable[[], object]:
    async def said() -> bool:
        return [one.status for one in await alerts.read()] == list(wanted)

    return said


async def test_a_consumer_that_stands_still_is_named_until_it_goes_on(
    settings: Settings, config: WatchConfig
) -> None:
    await fill(settings, topics.DEAD_LETTERS, dead_letters(0, range(5)))
    await commit(settings, "sleeper", topics.DEAD_LETTERS, 2)
    async with AlertsRead(settings) as alerts, watching(config):
        await until(saying(alerts, "firing"), "an alert")  # type: ignore[arg-type]
        await commit(settings, "sleeper", topics.DEAD_LETTERS, 5)
        await until(saying(alerts, "firing", "resolved"), "its end")  # type: ignore[arg-type]
    fired, ended = alerts.said
    assert fired.labels == {"consumer": settings.named("sleeper")}
    assert "4 records unread" in fired.summary  # three, and the transaction's marker
    assert fired.fingerprint == ended.fingerprint
    assert ended.ends_at_ms > fired.starts_at_ms


async def test_markers_of_transactions_are_nothing_unread(
    settings: Settings, config: WatchConfig, warehouse: Warehouse
) -> None:
    await fill(settings, topics.DEAD_LETTERS, dead_letters(0, range(5)))
    await commit(settings, "done", topics.DEAD_LETTERS, 5)

    async def seen() -> bool:
        asked = "SELECT lag FROM pipeline WHERE consumer = {name:String} ORDER BY at"
        lags = [lag for (lag,) in warehouse.ask(asked, name=settings.named("done"))]
        return len(lags) > 6 and lags[-3:] == [0, 0, 0]

    async with AlertsRead(settings) as alerts, watching(config):
        await until(seen, "readings without lag")
        assert await alerts.read() == []


async def test_what_fires_outlives_the_watch_and_is_ended_by_the_next(
    settings: Settings, config: WatchConfig
) -> None:
    await fill(settings, topics.DEAD_LETTERS, dead_letters(0, range(5)))
    await commit(settings, "sleeper", topics.DEAD_LETTERS, 0)
    async with AlertsRead(settings) as alerts:
        async with watching(config):
            await until(saying(alerts, "firing"), "an alert")  # type: ignore[arg-type]
        await commit(settings, "sleeper", topics.DEAD_LETTERS, 5)
        async with watching(config):
            await until(saying(alerts, "firing", "resolved"), "its end")  # type: ignore[arg-type]
    assert len({one.fingerprint for one in alerts.said}) == 1


async def test_of_two_watches_one_speaks(settings: Settings, config: WatchConfig) -> None:
    await fill(settings, topics.DEAD_LETTERS, dead_letters(0, range(5)))
    async with AlertsRead(settings) as alerts, watching(config), watching(config):
        await commit(settings, "sleeper", topics.DEAD_LETTERS, 0)
        await until(saying(alerts, "firing"), "an alert")  # type: ignore[arg-type]
        await commit(settings, "sleeper", topics.DEAD_LETTERS, 5)
        await until(saying(alerts, "firing", "resolved"), "its end")  # type: ignore[arg-type]


async def test_dead_letters_are_reported_by_source_and_reason(
    settings: Settings, config: WatchConfig
) -> None:
    letters = [
        DeadLetter(source="gateway", reason=reason, at_ms=1, sealed_raw="")
        for reason in ["no event"] * 12 + ["too large"] * 3
    ]
    async with AlertsRead(settings) as alerts, watching(config):
        made = [Made(0, number, None, encode(one)) for number, one in enumerate(letters)]
        await fill(settings, topics.DEAD_LETTERS, made)
        await until(saying(alerts, "firing"), "an alert")  # type: ignore[arg-type]
    [fired] = alerts.said
    assert fired.labels == {"source": "gateway", "reason": "no event"}
    assert fired.values["value"] >= 10


async def test_a_watch_without_clickhouse_still_speaks(
    settings: Settings, config: WatchConfig
) -> None:
    nowhere = replace(config.clickhouse, url=f"http://127.0.0.1:{free_port()}")
    await fill(settings, topics.DEAD_LETTERS, dead_letters(0, range(5)))
    await commit(settings, "sleeper", topics.DEAD_LETTERS, 0)
    async with AlertsRead(settings) as alerts, watching(replace(config, clickhouse=nowhere)):
        await until(saying(alerts, "firing"), "an alert")  # type: ignore[arg-type]


async def test_a_broker_that_is_away_is_told_of_without_it(
    tmp_path: Path, config: WatchConfig, settings: Settings, warehouse: Warehouse
) -> None:
    server = Kafka(tmp_path / "own", free_port(), free_port())
    child = server.launch()
    server.await_answer(child)
    told: list[Alert] = []
    here = settings.model_copy(update={"kafka": server.address})
    await ensure_topics(here)
    await commit(here, "somebody", topics.DEAD_LETTERS, 0)

    async def heard(*wanted: str) -> bool:
        return [one.status for one in told] == list(wanted)

    try:
        impatient = replace(
            config, bootstrap=server.address, answer_limit_s=2.0, rules=QUICK_BROKER
        )
        async with watching(impatient, told):
            await until(lambda: _has_readings(warehouse), "a watch in office")
            child.stop(grace_s=0.0)
            await until(lambda: heard("firing"), "a word while the broker is away")
            child = server.launch()
            server.await_answer(child)
            await until(lambda: heard("firing", "resolved"), "a word when it is back")
            async with AlertsRead(here) as alerts:
                await until(saying(alerts, "firing", "resolved"), "the same in the topic")  # type: ignore[arg-type]
        assert [one.fingerprint for one in told] == [one.fingerprint for one in alerts.said]
        assert {one.name for one in told} == {"broker_unreachable"}
    finally:
        child.stop()


async def _has_readings(warehouse: Warehouse) -> bool:
    return bool(warehouse.value("SELECT count() FROM pipeline"))
