"""Role `sinks` and the places it lands in, killed at bad moments: nothing lost, nothing twice."""

import asyncio
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

from sinks.clickhouse import connect
from sinks.clickhouse_queries import POSITIONED, sums_apart, table_counts
from sinks.port import Record
from streams import topics
from streams.prepare import ensure_topics, prepare
from streams.servers.child import Child
from streams.servers.clickhouse import ClickHouse
from streams.servers.kafka import Kafka
from streams.servers.ports import free_port
from streams.servers.status import READY, StatusFile
from streams.settings import Settings
from streams.sink_roles import clickhouse_address
from tests.contract.memory import MemorySink
from tests.contract.records import dead_letters, facts, rows
from tests.real.rig import PROJECT, Crew, environment, until
from tests.real.sink_rig import committed, ends, fill, runner_of, running

pytestmark = pytest.mark.real

FACTS = 480
EVENTS_PER_EIGHT, ORDERS_PER_EIGHT, LINES_PER_EIGHT = 5, 2, 4


@pytest.fixture
async def ready(settings: Settings) -> Settings:
    """An installation with its topics and schema, merging stopped."""
    await asyncio.to_thread(prepare, settings)
    stop_merges(settings)
    return settings


def stop_merges(settings: Settings) -> None:
    with client_of(settings) as client:
        for table in POSITIONED:
            client.command(f"SYSTEM STOP MERGES {settings.clickhouse_database}.{table}")


@contextmanager
def client_of(settings: Settings) -> Iterator[Client]:
    client = connect(clickhouse_address(settings))
    yield client
    client.close()


async def write_history(settings: Settings, count: int = FACTS) -> None:
    for partition in range(settings.partitions):
        await fill(settings, topics.FACTS, facts(partition, range(count)))
        await fill(settings, topics.CUSTOMERS, rows(partition, range(count // 4)))


async def all_landed(settings: Settings) -> bool:
    """Whether the sinks have committed everything the topics hold."""
    for group, topic in (
        ("sink-clickhouse-facts", topics.FACTS),
        ("sink-clickhouse-profile-history", topics.CUSTOMERS),
        ("sink-redis-profiles", topics.CUSTOMERS),
    ):
        if await committed(settings, group, topic) != await ends(settings, topic):
            return False
    return True


def assert_each_row_once(settings: Settings, count: int = FACTS) -> None:
    eighths = count // 8 * settings.partitions
    with client_of(settings) as client:
        counts = table_counts(client)
        assert counts["events"].rows == eighths * EVENTS_PER_EIGHT
        assert counts["orders"].rows == eighths * ORDERS_PER_EIGHT
        assert counts["order_lines"].rows == eighths * LINES_PER_EIGHT
        assert counts["profile_history"].rows == count // 4 * settings.partitions
        for table, counted in counts.items():
            assert counted.rows == counted.different, table
        assert sums_apart(client, settings.incarnation, settings.partitions) == 0
        newest = client.query("SELECT count(), max(value_cents) FROM customers").result_rows
        assert newest == [(5 * settings.partitions, 100 + count // 4 - 1)]


@pytest.mark.parametrize("moment", ["before-commit", "between-tables"])
async def test_a_role_killed_at_the_worst_moment_lands_everything_once(
    ready: Settings, moment: str
) -> None:
    await write_history(ready)
    victim = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "tests.real.sink_victim", moment],
        cwd=PROJECT,
        env=environment(ready),
        timeout=120,
        capture_output=True,
        check=False,
    )
    assert victim.returncode == -9, victim.stderr[-2_000:]
    with client_of(ready) as client:
        assert table_counts(client)["orders"].rows > 0
    assert await committed(ready, "sink-clickhouse-facts", topics.FACTS) == {}
    with Crew(ready) as crew:
        crew.start("sinks")
        await until(lambda: all_landed(ready), "everything landed", 120)
    assert_each_row_once(ready)


async def test_a_role_killed_again_and_again_lands_everything_once(ready: Settings) -> None:
    filling = asyncio.create_task(write_history(ready))
    with Crew(ready) as crew:
        for seed in range(3):
            role = crew.start("sinks")
            await until(lambda: _is_ready(ready, role.process.pid), "a role at work", 120)  # noqa: B023
            await asyncio.sleep(random.Random(seed).random())
            role.kill()
        await filling
        crew.start("sinks")
        await until(lambda: all_landed(ready), "everything landed", 120)
    assert_each_row_once(ready)


async def _is_ready(settings: Settings, pid: int) -> bool:
    status = StatusFile(settings.data_dir, "sinks", 1).read()
    return status is not None and status.state == READY and status.is_by(pid)


async def test_a_role_that_is_told_to_stop_ends_well_and_goes_on_later(ready: Settings) -> None:
    await write_history(ready, 80)
    with Crew(ready) as crew:
        role = crew.start("sinks")
        await until(lambda: _is_ready(ready, role.process.pid), "a role at work", 120)
        assert await asyncio.to_thread(role.stop) == 0, role.output[-2_000:]
        crew.start("sinks")
        await until(lambda: all_landed(ready), "everything landed", 120)
    assert_each_row_once(ready, 80)


async def test_sinks_live_through_a_broker_that_is_killed(
    settings: Settings, tmp_path: Path
) -> None:
    server = Kafka(tmp_path / "own", free_port(), free_port())
    child = server.launch()
    server.await_answer(child)
    here = settings.model_copy(update={"kafka": server.address})
    store: list[Record] = []
    try:
        await ensure_topics(here)
        runner = runner_of(here, MemorySink(store), topics.DEAD_LETTERS)
        async with running(runner):
            for number in range(3):
                made = dead_letters(0, range(number * 40, (number + 1) * 40))
                await fill(here, topics.DEAD_LETTERS, made)
                await until(lambda: _holds(store, (number + 1) * 40), "records landed", 120)  # noqa: B023
                child.stop(grace_s=0.0)
                child = server.launch()
                server.await_answer(child)
            await until(lambda: _is_committed(here), "positions at the end", 120)
    finally:
        child.stop()
    assert len({one.offset for one in store}) == len(store) == 120


async def _holds(store: list[Record], wanted: int) -> bool:
    return len(store) >= wanted


async def _is_committed(settings: Settings) -> bool:
    topic = topics.DEAD_LETTERS
    return await committed(settings, "sink-memory", topic) == await ends(settings, topic)


@pytest.fixture
def own_clickhouse(tmp_path: Path) -> ClickHouse:
    return ClickHouse(tmp_path / "own", free_port())


async def test_an_engine_killed_while_rows_come_in_has_them_all_once(
    settings: Settings, own_clickhouse: ClickHouse
) -> None:
    here = settings.model_copy(update={"clickhouse_url": own_clickhouse.address})
    child = own_clickhouse.launch()
    own_clickhouse.await_answer(child)
    try:
        await asyncio.to_thread(prepare, here)
        stop_merges(here)
        with Crew(here) as crew:
            role = crew.start("sinks")
            await until(lambda: _is_ready(here, role.process.pid), "a role at work", 120)
            filling = asyncio.create_task(write_history(here))
            for seed in range(3):
                await until(lambda: _has_more(here, seed * 200), "rows that come in", 120)  # noqa: B023
                await asyncio.sleep(random.Random(seed).random() / 5)
                child = _killed_and_started(own_clickhouse, child)
                stop_merges(here)
            await filling
            await until(lambda: all_landed(here), "everything landed", 120)
            assert role.process.poll() is None
        assert_each_row_once(here)
    finally:
        child.stop()


async def _has_more(settings: Settings, rows: int) -> bool:
    try:
        with client_of(settings) as client:
            return table_counts(client)["events"].rows > rows
    except (ClickHouseError, OSError):
        return False


def _killed_and_started(server: ClickHouse, child: Child) -> Child:
    child.stop(grace_s=0.0)
    again = server.launch()
    server.await_answer(again)
    return again
