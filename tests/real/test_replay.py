"""Histories into a real log: once, in order, held back until folded, and then live."""

import asyncio
import re
import shutil
import signal
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from models.clock import DAY_MS, HOUR_MS
from models.customer import Customer
from models.effects import DeadLetter
from models.events import Adopted, ClockMark, LogRecord, decode
from models.tokens import partition_of
from streams import topics
from streams.replay.contract import Contract
from streams.replay.demo import DemoYear
from streams.replay.progress import Considered
from streams.replay.slices import slices_of
from streams.secrets import load_secrets, open_key_store
from streams.servers.kafka import Kafka
from streams.servers.ports import free_port, is_free
from streams.settings import Settings
from tests.real.replay_rig import Play, clock_of, is_done, is_past, progress_of, said, shop
from tests.real.rig import Crew, Log, adopt_house_rules, until

pytestmark = pytest.mark.real

DAYS = 4


def planned(settings: Settings, days: int) -> dict[int, list[str]]:
    """What must stand in every partition, by the history itself: ids and marks in their order."""
    store = open_key_store(settings, load_secrets(settings).master_key)
    contract = Contract(
        token_key=load_secrets(settings).token_key,
        store=store,
        partitions=settings.partitions,
        source="complete-journey",
        currency="USD",
    )
    places: dict[int, list[str]] = {partition: [] for partition in range(settings.partitions)}
    for part in slices_of(DemoYear(days)):
        for arrival in part.arrivals:
            for event in contract.outline(arrival):
                places[partition_of(event.customer, settings.partitions)].append(event.id)
        for words in places.values():
            words.append(f"mark {part.mark_ms}")
    store.close()
    return places


def as_planned(records: list[Any], until_ms: int) -> dict[int, list[str]]:
    """The log in the words of `planned`: without adoptions and the marks of the live clock."""
    places: dict[int, list[str]] = {}
    for record in records:
        found: LogRecord = decode(record.value)
        if isinstance(found, Adopted):
            continue
        if isinstance(found, ClockMark):
            if found.at_ms > until_ms:
                continue
            word = f"mark {found.at_ms}"
        else:
            word = found.id
        places.setdefault(record.partition, []).append(word)
    return places


async def test_a_replay_killed_again_and_again_writes_every_record_once_and_then_is_live(
    settings: Settings,
) -> None:
    expected = planned(settings, DAYS)
    async with Log(settings) as log:
        with Crew(settings) as crew:
            crew.start("worker")
            crew.start("learner")
            for fraction in (0.0, 0.3, 0.6):
                with Play.demo(settings, DAYS, speed=3.0):
                    await until(lambda at=fraction: is_past(log, at), f"{fraction:.0%} played")
            await Play.demo(settings, DAYS).succeed()
            progress = await progress_of(log)
            assert progress is not None
            await until(lambda: _is_live(log, progress.until_ms + 1), "the worker's own marks")
        clock = await clock_of(log)
        records = await log.records(topics.EVENTS)
    found = as_planned(records, progress.until_ms)
    assert found == expected
    assert (progress.state, progress.progress, progress.rejected) == ("done", 1.0, 0)
    assert progress.events == sum(
        not word.startswith("mark ") for words in expected.values() for word in words
    )
    assert clock.mode == "wall"
    assert 0 < clock.now_ms(time.time_ns() // 1_000_000) - progress.until_ms < 120_000
    live = [one for one in marks_in(records) if one.at_ms > progress.until_ms]
    assert {one.wall_offset_ms for one in live} == {clock.wall_offset_ms}


def marks_in(records: list[Any]) -> list[ClockMark]:
    decoded = [decode(record.value) for record in records]
    return [one for one in decoded if isinstance(one, ClockMark)]


async def _is_live(log: Log, after_ms: int) -> bool:
    later = [one for one in marks_in(await log.records(topics.EVENTS)) if one.at_ms > after_ms]
    return len(later) >= 2 * log.settings.partitions


async def test_a_day_waits_for_the_worker_and_then_for_the_learner(settings: Settings) -> None:
    every_day = settings.model_copy(update={"adopt_every_days": 1})
    async with Log(every_day) as log:
        with Play.demo(every_day, days=2), Crew(every_day) as crew:
            await until(lambda: is_past(log, 0.1), "the first day to be played")
            first = await progress_of(log)
            assert first is not None
            assert first.until_ms == DemoYear(1).last_ms + 1
            crew.start("worker")
            await until(lambda: _is_ended(log, every_day), "the day to be folded")
            assert await progress_of(log) == first
            crew.start("learner")
            await until(lambda: is_done(log), "the second day to be played")
        word = await said(log, b"learner")
    assert word is not None
    considered = msgspec.json.decode(word, type=Considered).considered_day
    assert considered >= first.until_ms // DAY_MS - 1


async def _is_ended(log: Log, settings: Settings) -> bool:
    ended = [r for r in await log.records(topics.LESSONS) if b'"day_ended"' in r.value]
    return len(ended) >= settings.partitions


async def test_a_history_that_is_in_the_log_already_is_not_written_again(
    settings: Settings, tmp_path: Path
) -> None:
    file, mapping = shop(tmp_path, "1,2018-01-01 10:00,anna,hat,5.00")
    async with Log(settings) as log:
        await Play.file(settings, file, mapping).succeed()
        before = await log.records(topics.EVENTS)
        again = Play.file(settings, file, mapping)
        await again.succeed()
        assert await log.records(topics.EVENTS) == before
    assert "is in the log already" in again.output


async def test_another_history_must_be_later_than_the_logs_own_time(
    settings: Settings, tmp_path: Path
) -> None:
    async with Log(settings) as log:
        await Play.file(settings, *shop(tmp_path, "1,2018-01-01 10:30,anna,hat,5")).succeed()
        with Play.file(settings, *shop(tmp_path, "2,2018-01-01 10:40,anna,hat,5")) as earlier:
            assert await earlier.end() == 1
        await Play.file(settings, *shop(tmp_path, "3,2018-01-01 23:40,anna,hat,5")).succeed()
        orders = [r for r in await log.records(topics.EVENTS) if b'"order_completed"' in r.value]
    assert "begins at 2018-01-01 10:00" in earlier.output
    assert "--data-dir" in earlier.output
    assert len(orders) == 2


async def test_another_history_must_wait_for_the_end_of_the_one_that_runs(
    settings: Settings, tmp_path: Path
) -> None:
    rows = ("1,2018-01-01 10:30,anna,hat,5.00", "2,2018-01-02 10:30,anna,hat,5.00")
    async with Log(settings) as log:
        # Nobody folds, so it waits at the end of its first day.
        with Play.file(settings, *shop(tmp_path, *rows)) as first:
            await until(lambda: is_past(log, 0.1), "the first day to be played")
            with Play.file(settings, *shop(tmp_path, *rows)) as same_time:
                assert await same_time.end() == 1
            assert first.stop() == 130
        with Play.file(settings, *shop(tmp_path, "3,2019-01-01,anna,hat,5.00")) as other:
            assert await other.end() == 1
    assert "a replay or a simulation is running" in same_time.output
    assert "the same command goes on where it stopped" in first.output
    assert re.search(r"shop:\w+ is still being replayed \(\d+% of it\)", other.output)


async def test_bad_rows_and_bad_messages_become_dead_letters_with_their_reason(
    settings: Settings, tmp_path: Path
) -> None:
    long_id = "x" * 600
    file, mapping = shop(
        tmp_path,
        "1,2018-01-01 10:00,anna@example.com,hat,5.00",
        "2,soon,bo@example.com,hat,5.00",
        f"3,2018-01-01 11:00,{long_id},hat,5.00",
    )
    async with Log(settings) as log:
        await Play.file(settings, file, mapping).succeed()
        letters = [
            msgspec.json.decode(r.value, type=DeadLetter)
            for r in await log.records(topics.DEAD_LETTERS)
        ]
        raw = b"".join(r.value for r in await log.records(topics.DEAD_LETTERS))
        events = [r for r in await log.records(topics.EVENTS) if r.key is not None]
    assert sorted((one.source, one.reason, one.path) for one in letters) == [
        ("replay", "at: a time (iso)", "shop.csv:3:at"),
        ("replay", "userId: at most 512 characters", "userId"),
    ]
    assert len(events) == 1
    assert b"example.com" not in raw + b"".join(r.value for r in events)


async def test_a_clock_that_was_held_at_the_end_is_let_go_by_the_same_command(
    settings: Settings, tmp_path: Path
) -> None:
    file, mapping = shop(tmp_path, "1,2018-01-01 10:00,anna,hat,5.00")
    async with Log(settings) as log:
        await Play.file(settings, file, mapping, live=False).succeed()
        held = await clock_of(log)
        await Play.file(settings, file, mapping).succeed()
        let_go = await clock_of(log)
    assert (held.mode, held.at_ms % HOUR_MS) == ("replay", 0)
    assert (let_go.mode, let_go.at_ms) == ("wall", held.at_ms + 1)


def rows_of(customers: dict[str, Customer]) -> dict[str, Customer]:
    """What was decided of everybody, without what is sealed under a fresh nonce."""
    return {token: msgspec.structs.replace(row, sealed={}) for token, row in customers.items()}


def story_of(records: list[Any]) -> dict[str, list[dict[str, Any]]]:
    """Each customer's facts in their order, without where and when they were read."""
    story: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for record in records:
        fact = msgspec.json.decode(record.value)
        for name in ("offset", "partition", "logged_at_ms", "event"):
            fact.pop(name, None)
        story[fact["customer"]].append(fact)
    return story


async def decided(settings: Settings, workers: int, speed: float | None) -> tuple[Any, Any]:
    """Play some days with so many workers; what is in the table and what was decided."""
    async with Log(settings) as log:
        await adopt_house_rules(settings)
        with Crew(settings) as crew:
            for number in range(1, workers + 1):
                crew.start("worker", number)
            crew.start("learner")
            await Play.demo(settings, 44, speed, live=False).succeed()
            progress = await progress_of(log)
            assert progress is not None

            async def is_folded() -> bool:
                return await log.folded() == progress.events

            await until(is_folded, "everything to be folded")
        return rows_of(await log.customers()), story_of(await log.records(topics.FACTS))


async def test_decisions_depend_neither_on_the_speed_nor_on_the_number_of_workers(
    settings: Settings, tmp_path: Path
) -> None:
    one = settings.model_copy(update={"adopt_every_days": 2, "partitions": 3})
    fast = await decided(one, workers=1, speed=None)
    other = one.model_copy(
        update={"namespace": f"{one.namespace}b-", "data_dir": tmp_path / "other"}
    )
    shutil.copytree(one.data_dir / "keys", other.data_dir / "keys")
    slow = await decided(other, workers=3, speed=8.0)
    assert fast[0].keys() == slow[0].keys()
    assert [token for token in fast[0] if fast[0][token] != slow[0][token]] == []
    assert [token for token in fast[1] if fast[1][token] != slow[1][token]] == []
    assert max(row.hazard_version for row in fast[0].values()) > 0
    assert any(fact["kind"] == "decided" for story in fast[1].values() for fact in story)


class Broker:
    """A broker of this test's own, which may be killed and started again."""

    def __init__(self, folder: Path) -> None:
        self._server = Kafka(folder, free_port(), free_port())
        self.address = self._server.address
        self.start()

    def start(self) -> None:
        self._child = self._server.launch()
        self._server.await_answer(self._child)

    def kill(self) -> None:
        self._child.signal(signal.SIGKILL)
        assert self._child.wait(10.0)
        self._child.forget()

    async def is_gone(self) -> bool:
        return is_free(self._server.port) and is_free(self._server.controller_port)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    broker = Broker(tmp_path / "broker")
    yield broker
    broker.kill()


async def test_a_replay_outlives_its_broker(broker: Broker, tmp_path: Path) -> None:
    settings = Settings(
        data_dir=tmp_path / "installation",
        kafka=broker.address,
        namespace="t-",
        partitions=2,
        commit_interval_ms=20,
        session_timeout_ms=3_000,
    )
    expected = planned(settings, DAYS)
    async with Log(settings):
        pass
    with Crew(settings) as crew, Play.demo(settings, DAYS, speed=1.5) as play:
        crew.start("worker")
        crew.start("learner")
        async with Log(settings) as log:
            await until(lambda: is_past(log, 0.2), "a part to be played")
        broker.kill()
        await until(broker.is_gone, "the broker's ports to be free")
        await asyncio.to_thread(broker.start)
        # The old ones end with their broker; a supervisor would start new ones.
        crew.start("worker", 2)
        crew.start("learner", 2)
        assert await play.end() == 0
        async with Log(settings) as log:
            progress = await progress_of(log)
            assert progress is not None
            found = as_planned(await log.records(topics.EVENTS), progress.until_ms)
    assert found == expected
