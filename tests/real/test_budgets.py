"""An offer's budget over four partitions, asked by everybody at once, on a real broker."""

import asyncio
import time
from collections import Counter
from typing import Any

import msgspec
import pytest

from models.effects import Decided
from models.events import BudgetAnswered, decode
from models.tokens import partition_of
from streams import topics
from streams.playbook_editions import apply_files
from streams.settings import Settings
from tests.builders import named, viewed
from tests.models.triggers.playing import HEAD
from tests.real.rig import Crew, Log, until

pytestmark = pytest.mark.real

PARTITIONS = 4
NAMES = [named(str(number)) for number in range(40)]


def playbook(coupons: int) -> str:
    offer = f"offers:\n  won: {{amount: 5, budget: {{coupons: {coupons}}}}}"
    rule = "triggers: {give: {when: {event: product_viewed}, then: [{give: won}]}}\n"
    return HEAD.replace("offers:", offer) + rule


async def apply(settings: Settings, coupons: int) -> None:
    await apply_files(settings, "p.yaml", {"p.yaml": playbook(coupons)}, by="ann")


async def decided(log: Log) -> list[Decided]:
    decoder = msgspec.json.Decoder(Decided)
    facts = [one.value for one in await log.records(topics.FACTS)]
    return [decoder.decode(one) for one in facts if b'"kind":"decided"' in one]


async def want(log: Log, *names: str) -> None:
    """Every one of them wants a coupon, at once."""
    now_ms = int(time.time() * 1000)
    await log.write(viewed(f"p {now_ms}", customer=name, id=name, at_ms=now_ms) for name in names)


async def outcomes(log: Log, count: int) -> Counter[str]:
    async def all_decided() -> bool:
        return len(await decided(log)) >= count

    await until(all_decided, f"{count} decisions")
    await asyncio.sleep(0.5)
    return Counter(one.status for one in await decided(log))


def names_in(partition: int, count: int) -> list[str]:
    return [name for name in NAMES if partition_of(name, PARTITIONS) == partition][:count]


@pytest.mark.parametrize("workers", [1, 2])
async def test_of_twelve_who_want_one_of_three_at_once_three_get_one(
    settings: Settings, workers: int
) -> None:
    settings = settings.model_copy(update={"partitions": PARTITIONS})
    names = [name for place in range(PARTITIONS) for name in names_in(place, 3)]
    assert len(names) == 12
    async with Log(settings) as log:
        await apply(settings, 3)
        with Crew(settings) as crew:
            for number in range(1, workers + 1):
                crew.start("worker", number)
            await want(log, *names)
            found = await outcomes(log, 12)
    assert found == {"sent": 3, "out_of_budget": 9}


@pytest.mark.parametrize("partition", range(PARTITIONS))
async def test_the_only_one_is_had_wherever_the_customer_is(
    settings: Settings, partition: int
) -> None:
    settings = settings.model_copy(update={"partitions": PARTITIONS})
    first, second = names_in(partition, 2)
    async with Log(settings) as log:
        await apply(settings, 1)
        with Crew(settings) as crew:
            crew.start("worker")
            await want(log, first)
            assert await outcomes(log, 1) == {"sent": 1}
            await want(log, second)
            assert await outcomes(log, 2) == {"sent": 1, "out_of_budget": 1}


async def test_who_asked_is_answered_by_whoever_comes_after_a_death(settings: Settings) -> None:
    settings = settings.model_copy(update={"partitions": PARTITIONS})
    names = [name for place in range(PARTITIONS) for name in names_in(place, 5)]
    async with Log(settings) as log:
        await apply(settings, 7)
        with Crew(settings) as crew:
            worker: Any = crew.start("worker")
            await want(log, *names)

            async def asked() -> bool:
                return bool(await log.records(topics.COUPONS))

            await until(asked, "a purse that is asked")
            worker.kill()
            crew.start("worker", 2)
            found = await outcomes(log, len(names))
            answers = [decode(one.value) for one in await log.records(topics.EVENTS)]
    assert found == {"sent": 7, "out_of_budget": len(names) - 7}
    said = [one for one in answers if isinstance(one, BudgetAnswered)]
    assert len({(one.purse, one.granted, one.number, one.recall) for one in said}) > 1
