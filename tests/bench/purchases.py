"""The events that every engine of the `fold` benchmark reads: seeded purchases of 150 bytes."""

import asyncio
from collections.abc import Iterator

import numpy as np

from tests.bench.broker import Record, create_topics, fill
from tests.bench.rig import Servers
from tests.bench.rounds import Work

PARTITIONS = 4
SEED = 20_170_101
FIRST_AT_MS = 1_700_000_000_000
DRAWN_AT_ONCE = 100_000


def purchases(events: int, customers: int) -> Iterator[Record]:
    """Draw purchases, a millisecond apart, of customers that are all equally likely."""
    dice = np.random.default_rng(SEED)
    for start in range(0, events, DRAWN_AT_ONCE):
        count = min(DRAWN_AT_ONCE, events - start)
        who = dice.integers(0, customers, count).tolist()
        cents = dice.integers(100, 50_000, count).tolist()
        for number, (customer, amount) in enumerate(zip(who, cents, strict=True), start):
            value = (
                f'{{"event_id":"e{number:010d}","kind":"order_placed","customer":"c{customer:07d}",'
                f'"amount_cents":{amount},"currency":"EUR","channel":"shop",'
                f'"occurred_at_ms":{FIRST_AT_MS + number}}}'
            )
            yield customer % PARTITIONS, b"c%07d" % customer, value.encode()


def filled(running: Servers, events: int, customers: int) -> Work:
    """Write the purchases into a topic of their own."""
    topic = f"purchases-{customers}"

    async def write() -> None:
        await create_topics(running.kafka, [topic], PARTITIONS)
        await fill(running.kafka, topic, purchases(events, customers))

    asyncio.run(write())
    return Work(running.kafka, topic, events, PARTITIONS, running.directory)
