"""A run: roles up, a shop that trades, faults one after another, calm, and the verdict."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from aiohttp import ClientError, ClientSession
from aiokafka import AIOKafkaProducer

from streams import topics
from tests.chaos import rules
from tests.chaos.drain import calm, heal
from tests.chaos.faults import Fault, happen
from tests.chaos.offsets import Offsets
from tests.chaos.shop import Shop
from tests.chaos.stage import Ground, Stage
from tests.chaos.verdict import Verdict, judge

OPEN_WITHIN_S = 90.0
AT_ONCE = 3
FAULT_LIMIT_S = 90.0
CALM_WITHIN_S = 240.0
CHANNELS = 3
BATCH_SIZE = 10
PAUSE_S = 0.35
GARBAGE_EVERY_S = 5.0
HURRY_EVERY_S = 0.5
HURRY_MS = 20_000


@dataclass
class Report:
    """What a run was like; `verdict` says how it ended."""

    verdict: Verdict
    told: Counter[str] = field(default_factory=Counter)
    exits: dict[str, dict[str, int]] = field(default_factory=dict)
    moods: dict[str, int] = field(default_factory=dict)


async def storm(ground: Ground, name: str, seed: int, plan: Sequence[Fault]) -> Report:
    """Let the faults of a plan happen to a whole installation at work."""
    stage = Stage(ground, name, seed=str(seed))
    shop = Shop(str(seed), stage.settings.gateway_port, channels=CHANNELS, batch_size=BATCH_SIZE)
    async with stage:
        stage.begin()
        await opened(stage)
        await asyncio.wait_for(shop.give_coupons(), OPEN_WITHIN_S)
        first, second = rules.editions()
        await rules.apply(stage, first, 1)
        closing = asyncio.Event()
        trading = asyncio.create_task(shop.trade(closing, PAUSE_S))
        littering = asyncio.create_task(_litter(stage, seed, closing))
        watching = asyncio.create_task(_keep_time(stage, shop, closing))
        try:
            told = await _faults(stage, plan)
            stage.note("faults are over")
            await heal(stage)
            await rules.apply(stage, second, 2)
            closing.set()
            await asyncio.wait_for(trading, CALM_WITHIN_S)
            await asyncio.gather(littering, watching)
            folded_to = await calm(stage, Offsets(stage.settings), CALM_WITHIN_S)
        finally:
            for task in (trading, littering, watching):
                task.cancel()
        stage.note("calm")
        await heal(stage)
        return report_of(stage, await judge(stage, shop, folded_to), told)


def report_of(stage: Stage, verdict: Verdict, told: Counter[str]) -> Report:
    """Put together what is told of a run."""
    exits = {
        kept.name: {str(code): number for code, number in sorted(kept.exits.items())}
        for kept in stage.roles.values()
    }
    exits |= {name: {"by itself": n} for name, n in stage.ground.servers.restarts.items()}
    return Report(verdict, told, exits, dict(stage.provider.moods))


async def opened(stage: Stage) -> None:
    """Wait until the gateway takes events."""
    url = f"http://127.0.0.1:{stage.settings.gateway_port}/readyz"
    deadline = time.monotonic() + OPEN_WITHIN_S
    async with ClientSession() as http:
        while time.monotonic() < deadline:
            try:
                async with http.get(url) as answer:
                    if answer.status == 200:
                        return
            except (ClientError, OSError):
                pass
            await asyncio.sleep(0.1)
    raise TimeoutError(f"the gateway did not open; logs in {stage.folder}")


async def _faults(stage: Stage, plan: Sequence[Fault]) -> Counter[str]:
    told: Counter[str] = Counter()
    room = asyncio.Semaphore(AT_ONCE)

    async def one(fault: Fault) -> None:
        try:
            async with asyncio.timeout(FAULT_LIMIT_S):
                word = await happen(fault, stage)
        finally:
            room.release()
        stage.note("fault", kind=fault.kind, target=fault.target, moment=fault.moment, word=word)
        told[f"{fault.kind} {fault.moment}".strip() + f": {word.split(' by ')[0]}"] += 1

    async with asyncio.TaskGroup() as group:
        for fault in plan:
            await asyncio.sleep(fault.pause_s)
            await room.acquire()
            group.create_task(one(fault))
    return told


async def _keep_time(stage: Stage, shop: Shop, closing: asyncio.Event) -> None:
    """Let log time pass quickly, so that timers come due all along; the shop goes by it too."""
    while not closing.is_set():
        await asyncio.sleep(HURRY_EVERY_S)
        stage.step_clock(HURRY_MS)
        shop.ahead_ms = stage.ahead_ms


async def _litter(stage: Stage, seed: int, closing: asyncio.Event) -> None:
    """Put records into the log that nobody can read."""
    chance = random.Random(f"{seed}:litter")
    topic = stage.settings.named(topics.EVENTS)
    number = 0
    while not closing.is_set():
        producer = AIOKafkaProducer(bootstrap_servers=stage.settings.kafka, enable_idempotence=True)
        try:
            async with asyncio.timeout(10):
                await producer.start()
            while not closing.is_set():
                number += 1
                values: list[Any] = [b"\xff garbage", b'{"type":"order_completed","id":1}', b""]
                partition = chance.randrange(stage.settings.partitions)
                await producer.send_and_wait(topic, chance.choice(values), partition=partition)
                try:
                    await asyncio.wait_for(closing.wait(), GARBAGE_EVERY_S)
                except TimeoutError:
                    continue
        except Exception as error:
            stage.note("litter", error=repr(error))
            await asyncio.sleep(0.5)
        finally:
            await asyncio.wait([asyncio.create_task(producer.stop())], timeout=5)
