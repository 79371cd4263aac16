"""Learner and workers on a real broker: a model learned from the log, adopted through the log."""

import asyncio
import random
from typing import Any

import msgspec
import pytest

from models.effects import Alert, Decided, Fact
from models.events import Adopted, Event, Line, OrderCompleted, decode
from models.item_knowledge import ItemKnowledge, ItemRow
from models.item_rows import put_row
from models.ranking_learner import LESSONS_BEFORE_USE
from models.snapshot import SnapshotRecord, checksum, read_record
from models.tokens import token_of
from streams import topics
from streams.learner_fold import DAYS_KEY, DaysRow
from streams.settings import Settings
from tests.real.rig import Crew, Log, adopt_house_rules, until

pytestmark = pytest.mark.real

DAY_MS = 86_400_000
HOUR_MS = 3_600_000
BASE_MS = 1_700_006_400_000  # 2023-11-15 00:00 UTC
DAYS = 100


def a_shop(days: int, seed: int = 3) -> list[list[Event]]:
    """Orders by day of four hundred customers, each with a rhythm of their own."""
    chance = random.Random(seed)
    calendar: list[list[Event]] = [[] for _ in range(days)]
    for number in range(400):
        customer = token_of(b"k" * 32, "customer", f"c{number}")
        gap_days = chance.choice((3, 8, 20, 60))
        day = chance.randrange(gap_days)
        while day < days:
            at_ms = BASE_MS + day * DAY_MS + chance.randrange(DAY_MS)
            name = f"{number}-{day}"
            calendar[day].append(
                OrderCompleted(
                    id=name,
                    customer=customer,
                    occurred_at_ms=at_ms,
                    received_at_ms=at_ms,
                    order_id=name,
                    total_cents=1_000,
                    currency="USD",
                    lines=tuple(
                        Line(f"sku{min(int(chance.expovariate(0.2)), 30)}", total_cents=500)
                        for _ in range(2)
                    ),
                )
            )
            day += max(1, round(chance.expovariate(1 / gap_days)))
    return calendar


async def play(log: Log, settings: Settings) -> None:
    """Play the shop day by day, holding each back until the learner has considered the last."""
    await log.mark(BASE_MS)
    for number, orders in enumerate(a_shop(DAYS)):
        await log.write(sorted(orders, key=lambda event: event.occurred_at_ms))
        await log.mark(BASE_MS + (number + 1) * DAY_MS)
        day = BASE_MS // DAY_MS + number
        if day % settings.adopt_every_days == 0:
            await until(lambda day=day: _considered(log, day), f"day {number} to be considered")


async def _considered(log: Log, day: int) -> bool:
    words = [r.value for r in await log.records(topics.CONTROL) if r.key == b"learner"]
    return bool(words) and int(msgspec.json.decode(words[-1])["considered_day"]) >= day


async def _snapshots(log: Log) -> list[SnapshotRecord]:
    records = await log.records(topics.SNAPSHOTS)
    read = [read_record(record.value) for record in records]
    return [one for one in read if one.model != "playbook"]


async def test_the_same_log_gives_the_same_models_though_the_learner_is_killed(
    settings: Settings,
) -> None:
    learned = []
    for name, is_killed in (("calm-", False), ("killed-", True)):
        own = settings.model_copy(
            update={
                "namespace": settings.namespace + name,
                "data_dir": settings.data_dir / name,
                "adopt_every_days": 20,
                "adopt_segments_every_days": 20,
            }
        )
        async with Log(own) as log:
            await adopt_house_rules(own)
            with Crew(own) as crew:
                crew.start("worker")
                learner = crew.start("learner")
                if is_killed:
                    playing = asyncio.create_task(play(log, own))
                    for count in (1, 2):
                        await until(lambda count=count: _has_snapshots(log, count), "a snapshot")
                        learner.kill()
                        learner = crew.start("learner")
                    await playing
                else:
                    await play(log, own)
                snapshots = await _snapshots(log)
                last = newest(snapshots, "hazard").version
                await until(lambda last=last: _decides_with(log, last), "its use in decisions")
                last_day = BASE_MS // DAY_MS + DAYS - 1
                await until(lambda day=last_day: _closed(log, day), "the last day's end")
            rows = await learned_rows(log)
            adopted = [
                (record.partition, event)
                for record in await log.records(topics.EVENTS)
                if type(event := decode(record.value)) is Adopted and event.model != "playbook"
            ]
        for partition in range(own.partitions):
            versions = [(one.model, one.version) for place, one in adopted if place == partition]
            assert versions == [(one.model, one.snapshot.version) for one in snapshots]
        assert all(checksum(one.snapshot) == one.checksum for one in snapshots)
        learned.append((snapshots, rows))
    assert learned[0] == learned[1]
    snapshots, rows = learned[0]
    assert newest(snapshots, "hazard").lessons > 500
    assert newest(snapshots, "ranking").lessons > LESSONS_BEFORE_USE
    assert len(rows) > 25


def newest(snapshots: list[SnapshotRecord], model: str) -> Any:
    return [one.snapshot for one in snapshots if one.model == model][-1]


async def learned_rows(log: Log) -> dict[int, ItemRow]:
    """Every item as the learner's table has it, as of one time."""
    knowledge = ItemKnowledge()
    for record in await log.records(topics.LEARNER):
        if record.value is not None:
            put_row(knowledge, record.key, record.value)
    return {ref: knowledge.row(place) for ref, place in knowledge.index.items()}


async def _has_snapshots(log: Log, count: int) -> bool:
    return len(await _snapshots(log)) >= count


async def _closed(log: Log, day: int) -> bool:
    """Whether the learner has learned a log day and all before it."""
    words = [r.value for r in await log.records(topics.LEARNER) if r.key == DAYS_KEY]
    return bool(words) and msgspec.msgpack.decode(words[-1], type=DaysRow).closed_day >= day


async def _decides_with(log: Log, version: int) -> bool:
    """An order after the adoption is answered with its version."""
    at_ms = BASE_MS + DAYS * DAY_MS + HOUR_MS
    newcomer = token_of(b"k" * 32, "customer", "newcomer")
    order = OrderCompleted(
        id="first",
        customer=newcomer,
        occurred_at_ms=at_ms,
        received_at_ms=at_ms,
        order_id="first",
        total_cents=100,
        currency="USD",
    )
    await log.write([order])
    await log.mark(at_ms + HOUR_MS)
    facts = [msgspec.json.decode(r.value, type=Fact) for r in await log.records(topics.FACTS)]
    decided = [one for one in facts if type(one) is Decided and one.customer == newcomer]
    return bool(decided) and decided[0].hazard_version == version


async def test_a_drop_of_orders_raises_an_alert_with_its_slices_that_resolves_by_itself(
    settings: Settings,
) -> None:
    """Half of the orders, all shoes, stay away for twelve hours; then all is as before."""
    chance = random.Random(11)
    hours = 24 * 7 * 7
    outage = range(24 * 7 * 6 + 10, 24 * 7 * 6 + 22)
    customers = [token_of(b"k" * 32, "customer", f"c{number}") for number in range(50)]
    async with Log(settings) as log:
        with Crew(settings) as crew:
            crew.start("worker")
            crew.start("learner")
            await log.mark(BASE_MS)
            for hour in range(hours):
                start_ms = BASE_MS + hour * HOUR_MS
                count = 16 + hour % 24 // 4
                await log.write(
                    OrderCompleted(
                        id=f"{hour}-{number}",
                        customer=chance.choice(customers),
                        occurred_at_ms=start_ms + number,
                        received_at_ms=start_ms + number,
                        order_id=f"{hour}-{number}",
                        total_cents=100,
                        currency="USD",
                        lines=(Line("p", 100, category="tea" if number % 2 else "shoes"),),
                    )
                    for number in range(count)
                    if number % 2 or hour not in outage
                )
                await log.mark(start_ms + HOUR_MS)
            await until(lambda: _alerts(log, 2), "the alert and its end")
        alerts = [
            msgspec.json.decode(r.value, type=Alert) for r in await log.records(topics.ALERTS)
        ]
    assert [alert.status for alert in alerts] == ["firing", "resolved"]
    assert alerts[0].fingerprint == alerts[1].fingerprint
    firing, over = alerts
    assert firing.labels["metric"] == "orders_per_hour"
    assert firing.labels["driver_1"] == "category:shoes"
    assert firing.values["category:shoes actual"] == 0
    assert firing.values["expected"] < 5 * 19, "more than five hours of orders before it was said"
    assert firing.starts_at_ms == BASE_MS + outage.start * HOUR_MS
    assert over.ends_at_ms > BASE_MS + outage.stop * HOUR_MS


async def _alerts(log: Log, count: int) -> bool:
    return len(await log.records(topics.ALERTS)) >= count
