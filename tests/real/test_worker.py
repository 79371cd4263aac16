"""The worker on a real broker: exactly once, whatever dies."""

import asyncio
import random
import signal

import msgspec
import pytest

from models.effects import Action, DeadLetter, Fact
from models.events import Event, Line, OrderCompleted, ProductViewed
from models.tokens import token_of
from streams import topics
from streams.settings import Settings
from tests.real.rig import Crew, Log, adopt_house_rules, until

pytestmark = pytest.mark.real

BASE_MS = 1_700_000_000_000
DAY_MS = 86_400_000
PART = 3_000
CUSTOMERS = [token_of(b"k" * 32, "customer", f"c{number}") for number in range(200)]


def shopping(count: int, seed: int = 7) -> list[Event]:
    """A seeded history: looks and orders of two hundred customers, a minute apart."""
    chance = random.Random(seed)
    events: list[Event] = []
    for number in range(count):
        common = {
            "id": f"e{number}",
            "customer": chance.choice(CUSTOMERS),
            "occurred_at_ms": BASE_MS + number * 60_000,
            "received_at_ms": BASE_MS + number * 60_000,
        }
        line = Line(f"sku{number % 30}", total_cents=100 + number % 50, category=f"c{number % 7}")
        if number % 3:
            events.append(ProductViewed(line=line, **common))
        else:
            order = {"order_id": f"o{number}", "total_cents": line.total_cents, "currency": "USD"}
            events.append(OrderCompleted(lines=(line,), **order, **common))
    return events


async def feed(log: Log, events: list[Event], hours_per_mark: int = 6) -> None:
    """Write a history with its marks."""
    await log.mark(BASE_MS)
    for start in range(0, len(events), 60 * hours_per_mark):
        chunk = events[start : start + 60 * hours_per_mark]
        await log.write(chunk)
        await log.mark(chunk[-1].occurred_at_ms + 60_000)


async def test_each_event_is_folded_once_while_workers_are_killed(settings: Settings) -> None:
    events = shopping(4 * PART)
    async with Log(settings) as log:
        with Crew(settings) as crew:
            workers = [crew.start("worker", 1), crew.start("worker", 2)]
            # In parts, or a quick machine would have folded everything before the first death.
            parts = [events[start : start + PART] for start in range(0, len(events), PART)]
            for number, victim in enumerate((0, 1, 0)):
                feeding = asyncio.create_task(feed(log, parts[number]))
                begun = number * PART + PART // 10
                await until(lambda begun=begun: _more(log, begun), "progress")
                workers[victim].kill()
                workers[victim] = crew.start("worker", victim + 1)
                await feeding
            await feed(log, parts[-1])
            await until(lambda: _more(log, len(events)), "all events to be folded")
        rows = await log.customers()
        facts = [msgspec.json.decode(r.value, type=Fact) for r in await log.records(topics.FACTS)]
    per_customer: dict[str, int] = {}
    for event in events:
        per_customer[event.customer] = per_customer.get(event.customer, 0) + 1
    assert {token: row.events for token, row in rows.items()} == per_customer
    ids = [(f.partition, f.offset, f.customer, f.index) for f in facts]
    assert len(ids) == len(set(ids))
    assert sum(1 for fact in facts if fact.__struct_config__.tag == "event") == len(events)


async def _more(log: Log, count: int) -> bool:
    return await log.folded() >= count


async def test_a_zombie_that_wakes_changes_nothing(settings: Settings) -> None:
    events = shopping(6_000)
    async with Log(settings) as log:
        with Crew(settings) as crew:
            zombie = crew.start("worker", 1)
            await feed(log, events[:3_000])
            await until(lambda: _more(log, 3_000), "the first half")
            zombie.signal(signal.SIGSTOP)
            crew.start("worker", 2)
            await feed(log, events[3_000:])
            await until(lambda: _more(log, 6_000), "the heir to fold the second half")
            zombie.signal(signal.SIGCONT)
            await log.write(shopping(7_000)[6_000:])
            await until(lambda: _more(log, 7_000), "the rest after the zombie woke")
            rows = await log.customers()
    assert sum(row.events for row in rows.values()) == 7_000


async def test_three_workers_decide_what_one_decides(settings: Settings) -> None:
    events = shopping(6_000)
    decided = []
    for workers, name in ((1, "one-"), (3, "three-")):
        own = settings.model_copy(
            update={
                "namespace": settings.namespace + name,
                "data_dir": settings.data_dir / name,
                "partitions": 3,
            }
        )
        async with Log(own) as log:
            await adopt_house_rules(own)
            with Crew(own) as crew:
                for number in range(workers):
                    crew.start("worker", number + 1)
                await feed(log, events)
                await log.mark(BASE_MS + 40 * DAY_MS)
                await until(lambda log=log: _all_asleep(log), "the last mark to be folded")
            actions = [
                msgspec.json.decode(r.value, type=Action) for r in await log.records(topics.ACTIONS)
            ]
            rows = await log.customers()
            decided.append((sorted(actions, key=lambda a: a.action_id), rows))
    assert decided[0][0], "the history must lead to actions"
    assert decided[0] == decided[1]


async def _all_asleep(log: Log) -> bool:
    rows = await log.customers()
    return len(rows) == len(CUSTOMERS) and all(row.tier == "dormant" for row in rows.values())


async def test_a_record_that_cannot_be_read_is_dead_lettered_and_the_rest_goes_on(
    settings: Settings,
) -> None:
    events = shopping(200)
    async with Log(settings) as log:
        with Crew(settings) as crew:
            crew.start("worker")
            await log.write(events[:100])
            for partition in range(settings.partitions):
                await log.raw(partition, b'{"type":"order_completed","id":1}')
                await log.raw(partition, b"\xff\x00 not JSON")
            await log.write(events[100:])
            await until(lambda: _more(log, 200), "all readable events")
            await until(lambda: _letters(log, 2 * settings.partitions), "the dead letters")
        letters = [
            msgspec.json.decode(r.value, type=DeadLetter)
            for r in await log.records(topics.DEAD_LETTERS)
        ]
    assert {letter.source for letter in letters} == {"worker"}
    assert all(letter.reason.startswith("undecodable") for letter in letters)
    assert all(b"not JSON" not in letter.sealed_raw.encode() for letter in letters)


async def _letters(log: Log, count: int) -> bool:
    return len(await log.records(topics.DEAD_LETTERS)) >= count


async def test_a_worker_that_is_told_to_stop_commits_and_ends_with_zero(
    settings: Settings,
) -> None:
    events = shopping(3_000)
    async with Log(settings) as log:
        with Crew(settings) as crew:
            worker = crew.start("worker")
            await feed(log, events)
            await until(lambda: _more(log, 1), "the first commit")
            assert worker.stop() == 0
            crew.start("worker")
            await until(lambda: _more(log, len(events)), "the successor")
            rows = await log.customers()
    assert sum(row.events for row in rows.values()) == len(events)
