"""A rebuild on a real broker: the log alone gives the live table back, and sends nothing."""

import asyncio
from typing import Any

import pytest

from models.customer import decode_row, encode_row
from models.events import Event, Released
from models.tokens import POSITION_KEY, is_customer_key, token_of
from streams import rebuild, topics
from streams.rebuild_partition import write_rows
from streams.settings import Settings
from tests.real.rig import Crew, Log, until
from tests.real.test_worker import BASE_MS, CUSTOMERS, feed, shopping

pytestmark = pytest.mark.real

EVENTS = 3_000
SILENT = (topics.EVENTS, topics.FACTS, topics.ACTIONS, topics.LESSONS, topics.METRICS)


async def rebuilt(settings: Settings) -> dict[str, Any]:
    return await asyncio.to_thread(rebuild.run, settings, processes=2)


async def fold_a_shop(log: Log, settings: Settings) -> None:
    """A history with merges and a record that can't be read, folded to its end."""
    events = shopping(EVENTS)
    with Crew(settings) as crew:
        worker = crew.start("worker")
        await feed(log, events[: EVENTS // 2])
        await log.raw(0, b"no event")
        await log.write(merge(number) for number in range(10))
        await until(lambda: _folded(log, EVENTS // 3), "some progress")
        worker.kill()
        crew.start("worker", 2)
        await feed(log, events[EVENTS // 2 :])
        await until(lambda: _folded(log, EVENTS), "all events to be folded")
        await until(lambda: _merged(log, 10), "all merges to arrive")


def merge(number: int) -> Event:
    """The customer of this number turns out to be the one a hundred further."""
    return Released(
        id=f"merge-{number}",
        customer=CUSTOMERS[number],
        occurred_at_ms=BASE_MS + EVENTS * 30_000,
        received_at_ms=BASE_MS + EVENTS * 30_000,
        target=CUSTOMERS[number + 100],
    )


async def _folded(log: Log, count: int) -> bool:
    # The customers' own counts, without what merges carried from one to another.
    facts = await log.records(topics.FACTS)
    return sum(b'"kind":"event"' in record.value for record in facts) >= count


async def _merged(log: Log, count: int) -> bool:
    facts = await log.records(topics.FACTS)
    return sum(b'"kind":"merged"' in record.value for record in facts) >= count


async def _table(log: Log, topic: str) -> dict[tuple[int, bytes], bytes]:
    # Each partition has a row of its own under the same key; what is rebuilt has no position.
    return {
        (one.partition, one.key): one.value
        for one in await log.records(topic)
        if one.key != POSITION_KEY
    }


async def _ends(log: Log) -> dict[str, int]:
    return {topic: len(await log.records(topic)) for topic in SILENT}


async def test_the_log_alone_gives_the_live_table_back(settings: Settings) -> None:
    async with Log(settings) as log:
        await fold_a_shop(log, settings)
        before = await _ends(log)
        found = await rebuilt(settings)
        after = await _ends(log)
        live = await _table(log, topics.CUSTOMERS)
        made = await _table(log, rebuild.REBUILT)
    assert made == live
    assert found["rows"] == found["same"] == len(live)
    assert (found["different"], found["missing"], found["surplus"]) == (0, 0, 0)
    assert found["left_out"] == 1
    assert found["events"] >= EVENTS
    assert not found["workers_went_on"]
    assert after == before


async def test_a_live_row_that_the_log_does_not_give_is_seen(settings: Settings) -> None:
    async with Log(settings) as log:
        await fold_a_shop(log, settings)
        rows = {one.key: one for one in await log.records(topics.CUSTOMERS)}
        spoilt = next(one for key, one in rows.items() if is_customer_key(key))
        row = decode_row(spoilt.value)
        row.orders += 1
        stranger = token_of(b"k" * 32, "customer", "stranger").encode()
        wrong = [(spoilt.key, encode_row(row)), (stranger, encode_row(row))]
        await write_rows(settings, settings.named(topics.CUSTOMERS), spoilt.partition, wrong)
        found = await rebuilt(settings)
    assert (found["different"], found["surplus"], found["missing"]) == (1, 1, 0)
    assert found["same"] == found["rows"] - 1


async def test_a_second_rebuild_begins_with_an_empty_table(settings: Settings) -> None:
    async with Log(settings) as log:
        await log.write(shopping(50))
        first = await rebuilt(settings)
        second = await rebuilt(settings)
        made = await log.records(rebuild.REBUILT)
    assert first["rows"] == second["rows"] == first["missing"]
    assert len({(one.partition, one.key) for one in made}) == len(made) == second["rows"]


async def test_a_broker_that_is_away_is_one_clear_sentence(settings: Settings) -> None:
    away = settings.model_copy(update={"kafka": "127.0.0.1:1"})
    with pytest.raises(rebuild.RebuildTrouble, match="can't be read"):
        await rebuilt(away)
