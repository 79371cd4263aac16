"""Sinks fed from a real broker: outages, shared work, restarts, and places that were emptied."""

from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

import pytest
from redis import Redis

from sinks.clickhouse import ClickHouseAddress
from sinks.clickhouse_queries import duplicates, sums_apart
from sinks.port import Record
from sinks.redis_profiles import RedisProfileSink
from sinks.runner import SinkRunner
from streams import topics
from streams.prepare import ensure_topics
from streams.settings import Settings
from tests.contract.memory import MemorySink
from tests.contract.proxy import Network, Proxy
from tests.contract.records import dead_letters, facts, rows
from tests.contract.warehouse import Warehouse, fresh_warehouse
from tests.real.rig import until
from tests.real.sink_rig import committed, ends, fill, runner_of, running

pytestmark = pytest.mark.real


@pytest.fixture
async def settings(settings: Settings) -> Settings:
    await ensure_topics(settings)
    return settings


@pytest.fixture
def warehouse(clickhouse: str) -> Iterator[Warehouse]:
    with fresh_warehouse(clickhouse) as made:
        made.stop_merges()
        yield made


def memory_runner(settings: Settings, store: list[Record], **more: int) -> SinkRunner:
    return runner_of(settings, MemorySink(store), topics.DEAD_LETTERS, **more)


def places(store: Sequence[Record]) -> list[tuple[int, int]]:
    return sorted((one.partition, one.offset) for one in store)


async def has_landed(store: list[Record], wanted: int) -> bool:
    return len(store) >= wanted


async def is_read_up(settings: Settings, runner: SinkRunner, topic: str) -> bool:
    return await committed(settings, f"sink-{runner.sink.name}", topic) == await ends(
        settings, topic
    )


async def test_everything_lands_and_the_lag_ends_at_nothing(settings: Settings) -> None:
    batch = [*dead_letters(0, range(120)), *dead_letters(1, range(70))]
    await fill(settings, topics.DEAD_LETTERS, batch)
    store: list[Record] = []
    async with running(memory_runner(settings, store)) as runner:
        await until(lambda: has_landed(store, 190), "190 records")
        await until(
            lambda: is_read_up(settings, runner, topics.DEAD_LETTERS), "positions at the end"
        )
        assert (runner.status.state, runner.status.lag) == ("running", 0)
    assert len(places(store)) == len(set(places(store))) == 190
    assert runner.status.state == "stopped"


async def test_what_was_never_committed_never_lands(settings: Settings) -> None:
    store: list[Record] = []
    await fill(settings, topics.DEAD_LETTERS, dead_letters(0, range(10)), commit=False)
    await fill(settings, topics.DEAD_LETTERS, dead_letters(0, range(7)))
    async with running(memory_runner(settings, store)) as runner:
        await until(
            lambda: is_read_up(settings, runner, topics.DEAD_LETTERS), "positions at the end"
        )
    assert len(store) == 7


async def test_a_restart_goes_on_where_it_was(settings: Settings) -> None:
    first: list[Record] = []
    await fill(settings, topics.DEAD_LETTERS, dead_letters(0, range(30)))
    async with running(memory_runner(settings, first)) as runner:
        await until(
            lambda: is_read_up(settings, runner, topics.DEAD_LETTERS), "positions at the end"
        )
    await fill(settings, topics.DEAD_LETTERS, dead_letters(0, range(30, 50)))
    later: list[Record] = list(first)
    async with running(memory_runner(settings, later)):
        await until(lambda: has_landed(later, 50), "50 records")
    assert len(set(places(later))) == 50


async def test_stopping_lands_and_commits_what_is_under_way(settings: Settings) -> None:
    store: list[Record] = []
    await fill(settings, topics.DEAD_LETTERS, dead_letters(0, range(40)))
    async with running(memory_runner(settings, store, batch_ms=60_000)) as runner:
        await until(lambda: _holds(runner, 40), "a batch that is far from due")
        assert store == []
    assert len(store) == 40
    assert await is_read_up(settings, runner, topics.DEAD_LETTERS)


async def _holds(runner: SinkRunner, wanted: int) -> bool:
    return len(runner._batch) == wanted


async def test_a_full_batch_is_written_before_its_time(settings: Settings) -> None:
    store: list[Record] = []
    await fill(settings, topics.DEAD_LETTERS, dead_letters(0, range(45)))
    async with running(memory_runner(settings, store, batch_ms=60_000, batch_records=20)) as runner:
        await until(lambda: has_landed(store, 40), "two full batches")
        await until(lambda: _holds(runner, 5), "the rest, waiting")
    assert len(store) == 45


async def test_a_sink_that_is_down_holds_little_and_catches_up(settings: Settings) -> None:
    store: list[Record] = []
    sink = MemorySink(store)
    sink.is_down = True
    runner = runner_of(settings, sink, topics.DEAD_LETTERS, batch_records=20)
    await fill(settings, topics.DEAD_LETTERS, dead_letters(0, range(200)))
    async with running(runner):
        await until(lambda: _state_is(runner, "failing"), "a failing sink")
        assert runner.status.error == "the memory is down"
        assert runner.status.lag > 150
        assert len(runner._batch) <= 20
        assert not any((await committed(settings, "sink-memory", topics.DEAD_LETTERS)).values())
        sink.is_down = False
        await until(lambda: has_landed(store, 200), "200 records")
        await until(lambda: _state_is(runner, "running"), "a sink that is well")
    assert len(set(places(store))) == len(store) == 200


async def _state_is(runner: SinkRunner, state: str) -> bool:
    return runner.status.state == state


async def test_a_sink_that_is_down_can_be_stopped(settings: Settings) -> None:
    store: list[Record] = []
    sink = MemorySink(store)
    sink.is_down = True
    runner = runner_of(settings, sink, topics.DEAD_LETTERS)
    await fill(settings, topics.DEAD_LETTERS, dead_letters(0, range(20)))
    async with running(runner):
        await until(lambda: _state_is(runner, "failing"), "a failing sink")
    assert runner.status.state == "stopped"
    assert store == []
    assert not any((await committed(settings, "sink-memory", topics.DEAD_LETTERS)).values())


async def test_an_outage_of_clickhouse_stops_nothing_else_and_leaves_no_duplicate(
    settings: Settings, warehouse: Warehouse
) -> None:
    url = urlsplit(warehouse.address.url)
    async with Proxy(url.hostname or "", url.port or 0) as proxy:
        behind = ClickHouseAddress(
            f"http://127.0.0.1:{proxy.port}", database=warehouse.address.database
        )
        warehouse.address = behind
        runner = runner_of(settings, warehouse.facts_sink(), topics.FACTS, batch_records=100)
        profiles = RedisProfileSink(settings.redis_url, settings.namespace, 1)
        others = runner_of(settings, profiles, topics.CUSTOMERS)
        async with running(runner), running(others):
            for number, network in enumerate([Network.WHOLE, Network.MUTE, Network.AWAY]):
                proxy.network = network
                offsets = range(number * 160, (number + 1) * 160)
                await fill(settings, topics.FACTS, [*facts(0, offsets), *facts(1, offsets)])
                await fill(settings, topics.CUSTOMERS, rows(0, offsets))
                if network is not Network.WHOLE:
                    await until(lambda: _state_is(runner, "failing"), "a failing sink")
                await until(
                    lambda: is_read_up(settings, others, topics.CUSTOMERS), "profiles go on"
                )
            proxy.network = Network.WHOLE
            await until(lambda: is_read_up(settings, runner, topics.FACTS), "the lag has drained")
    counted = "SELECT count() FROM events"
    assert warehouse.value(counted) == 2 * 3 * 160 * 5 // 8
    assert duplicates(warehouse.client) == 0
    assert sums_apart(warehouse.client, 1, 2) == 0


async def test_two_share_the_work_and_the_one_that_stays_takes_it_over(
    settings: Settings, warehouse: Warehouse
) -> None:
    one, other = (
        runner_of(settings, warehouse.facts_sink(), topics.FACTS, batch_records=40)
        for _ in range(2)
    )
    written = 0

    async def fill_more() -> None:
        nonlocal written
        offsets = range(written, written + 80)
        written += 80
        await fill(settings, topics.FACTS, [*facts(0, offsets), *facts(1, offsets)])

    async def shared() -> bool:
        await fill_more()
        return other.status.written > 0

    async with running(one):
        await fill_more()
        async with running(other):
            # The first may have read all there is before the second has its share.
            await until(shared, "the second has its share")
            await fill_more()
        await fill_more()
        await until(lambda: is_read_up(settings, one, topics.FACTS), "positions at the end")
    assert warehouse.value("SELECT count() FROM events") == 2 * written * 5 // 8
    assert duplicates(warehouse.client) == 0
    assert sums_apart(warehouse.client, 1, 2) == 0


async def _has_written(runner: SinkRunner) -> bool:
    return runner.status.written > 0


async def test_a_place_that_was_emptied_is_filled_again(
    settings: Settings, valkey: str, warehouse: Warehouse
) -> None:
    await fill(settings, topics.CUSTOMERS, [*rows(0, range(40)), *rows(1, range(40))])
    redis = Redis.from_url(valkey)

    def profiles() -> list[bytes]:
        return list(redis.scan_iter(f"{settings.namespace}profile:*"))

    for _ in range(2):
        for key in redis.scan_iter(f"{settings.namespace}*"):
            redis.delete(key)
        warehouse.client.command("TRUNCATE TABLE profile_history")
        sink = RedisProfileSink(settings.redis_url, settings.namespace, 1)
        runners = [
            runner_of(settings, sink, topics.CUSTOMERS),
            runner_of(settings, warehouse.history_sink(), topics.CUSTOMERS),
        ]
        async with running(runners[0]), running(runners[1]):
            for runner in runners:
                await until(lambda r=runner: _has_written(r), "something written")  # type: ignore[misc]
                await until(
                    lambda r=runner: is_read_up(settings, r, topics.CUSTOMERS),  # type: ignore[misc]
                    "positions at the end",
                )
        assert len(profiles()) == 10
        assert warehouse.value("SELECT count() FROM profile_history") == 80
    redis.close()
