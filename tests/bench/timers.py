"""Benchmark `timers`: a million pending timers, and one moment at which a tenth of them is due.

Each customer has looked at a product once; a reminder waits. While the timers fire, other
customers' events enter the log at a steady rate, each at its own moment; `others_delayed_ms` is the
worst wait of any of them until its fact could be read (committed), counted from that moment.
"""

import asyncio
import re
import time
from collections.abc import Iterator
from typing import Any

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from models.clock import DAY_MS, HOUR_MS, MINUTE_MS, LogClock
from models.events import CustomerIdentified, Line, PageViewed, ProductViewed, encode
from models.tokens import partition_of, token_of
from sinks.log_clock import CLOCK_KEY
from streams import topics
from streams.settings import Settings
from tests.bench.crowd import PARTITIONS
from tests.bench.histories import (
    FIRST_DAY,
    FoldedShop,
    Hour,
    Told,
    placed_rows,
)
from tests.bench.installations import prepare, role, until_ready
from tests.bench.rig import Options, servers, settings
from tests.bench.spans import Arrivals, quantile

MUST = [("others_delayed_ms", "<=", 1_000.0)]
CUSTOMERS, SMALL_CUSTOMERS = 1_000_000, 5_000
TEMPLATES, DUE_TEMPLATES = 1_000, 100
RATE, SMALL_RATE = 400, 100
BEFORE_S, AFTER_S = 5.0, 20.0
SMALL_BEFORE_S, SMALL_AFTER_S = 1.0, 3.0
DRAIN_S = 60.0
LOOKED_MS = FIRST_DAY * DAY_MS + 9 * HOUR_MS
MARK_MS = LOOKED_MS + DAY_MS + MINUTE_MS
_OTHER = re.compile(rb'"id":"other-(\d+)"')


def run(options: Options) -> dict[str, Any]:
    """Fill the table, let the moment come, and watch the others."""
    customers = options.customers or (SMALL_CUSTOMERS if options.small else CUSTOMERS)
    copies = max(1, customers // TEMPLATES)
    shop = waiting_shop()
    with servers() as running:
        chosen = settings(running, "timers", partitions=PARTITIONS)
        rows = placed_rows(shop.rows(), shop.clock_row(), PARTITIONS, copies)
        asyncio.run(prepare(chosen, (), rows))
        options.say(f"{copies * TEMPLATES} timers wait, {copies * DUE_TEMPLATES} of them come due")
        with role(chosen, "worker") as child:
            asyncio.run(until_ready(chosen, child))
            figures = asyncio.run(_watched(chosen, copies * DUE_TEMPLATES, options))
    return {**figures, "pending": copies * TEMPLATES, "due": copies * DUE_TEMPLATES}


def waiting_shop() -> FoldedShop:
    """A thousand customers, known, who looked at something; a tenth of them this morning."""
    told = [one for number in range(TEMPLATES) for one in _looks(number, number < DUE_TEMPLATES)]
    return FoldedShop([Hour(told, LOOKED_MS + 12 * HOUR_MS)])


def _looks(number: int, is_due: bool) -> Iterator[Told]:
    token = token_of(b"k" * 32, "customer", f"timers-{number}")
    at_ms = LOOKED_MS if is_due else LOOKED_MS + 6 * HOUR_MS
    common = {"customer": token, "occurred_at_ms": at_ms, "received_at_ms": at_ms}
    sealed = {"id": "A" * 56, "email": "B" * 72, "first_name": "C" * 56}
    identified = CustomerIdentified(
        id=f"i-{number}", **common, sealed=sealed, traits={"locale": "en", "country": "US"}
    )
    line = Line(f"S{number:04d}", 1_999, name="coffee classic", category="coffee")
    viewed = ProductViewed(id=f"v-{number}", **common, line=line)
    return iter([Told(token, encode(identified)), Told(token, encode(viewed))])


async def _watched(chosen: Settings, due: int, options: Options) -> dict[str, Any]:
    rate = SMALL_RATE if options.small else RATE
    before_s, after_s = (SMALL_BEFORE_S, SMALL_AFTER_S) if options.small else (BEFORE_S, AFTER_S)
    others = Others(chosen, rate)
    watching = asyncio.create_task(others.watch())
    fired = asyncio.create_task(_until_fired(chosen, due))
    await asyncio.sleep(1.0 if not options.small else 0.5)
    async with AIOKafkaProducer(bootstrap_servers=chosen.kafka_bootstrap, linger_ms=0) as producer:
        mark = asyncio.create_task(_due_later(producer, chosen, before_s))
        await others.send(producer, int((before_s + after_s) * rate))
        marked_s = await mark
    deadline = time.monotonic() + DRAIN_S
    while others.arrivals.outstanding and time.monotonic() < deadline:
        await asyncio.sleep(0.05)
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    waits = others.waits(time.time())
    calm = [wait_ms for meant_s, wait_ms in waits if meant_s < marked_s - 0.5]
    storm = [wait_ms for meant_s, wait_ms in waits if meant_s >= marked_s - 0.5]
    fired_s = await asyncio.wait_for(fired, DRAIN_S)
    return {
        "others_delayed_ms": round(max(storm), 1),
        "others_p99_ms": round(quantile(storm, 0.99), 1),
        "calm_p50_ms": round(quantile(calm, 0.5), 1),
        "calm_p99_ms": round(quantile(calm, 0.99), 1),
        "calm_max_ms": round(max(calm), 1),
        "all_fired_s": round(fired_s - marked_s, 2),
        "others_per_s": rate,
        "others_missing": len(others.arrivals.outstanding),
    }


async def _due_later(producer: AIOKafkaProducer, chosen: Settings, wait_s: float) -> float:
    """Set the log's clock to when the timers are due; from when on, in wall seconds.

    The worker writes its marks by it, as on every day.
    """
    await asyncio.sleep(wait_s)
    at_s = time.time()
    clock = LogClock(mode="wall", wall_offset_ms=MARK_MS - int(at_s * 1000))
    await producer.send_and_wait(
        chosen.named(topics.CONTROL), msgspec.json.encode(clock), CLOCK_KEY, partition=0
    )
    return at_s


class Others:
    """Events of customers without timers, at a fixed rate whatever happens."""

    def __init__(self, chosen: Settings, rate: int) -> None:
        self._chosen = chosen
        self._rate = rate
        self._meant_s: dict[int, float] = {}
        self.arrivals = Arrivals()

    async def send(self, producer: AIOKafkaProducer, events: int) -> None:
        """Send each at its moment."""
        begins_s = time.time()
        topic = self._chosen.named(topics.EVENTS)
        sent = 0
        while sent < events:
            due = min(events, int((time.time() - begins_s) * self._rate) + 1)
            for number in range(sent, due):
                meant_s = begins_s + number / self._rate
                self._meant_s[number] = meant_s
                self.arrivals.expect(number, meant_s)
                token = token_of(b"k" * 32, "customer", f"other-{number % 997}")
                event = PageViewed(
                    id=f"other-{number}",
                    customer=token,
                    occurred_at_ms=MARK_MS,
                    received_at_ms=MARK_MS,
                    path="/",
                )
                await producer.send(
                    topic,
                    encode(event),
                    token.encode(),
                    partition=partition_of(token, self._chosen.partitions),
                )
            sent = due
            await asyncio.sleep(0.005)

    async def watch(self) -> None:
        """Note each event when its fact can be read."""
        async for at_s, value in appearing(self._chosen, topics.FACTS):
            found = _OTHER.search(value)
            if found is not None:
                self.arrivals.note(int(found[1]), at_s)

    def waits(self, gave_up_s: float) -> list[tuple[float, float]]:
        """When each was meant, and how long it took in milliseconds."""
        waits_ms = self.arrivals.waits_ms(gave_up_s)
        return list(zip(self._meant_s.values(), waits_ms, strict=True))


async def _until_fired(chosen: Settings, due: int) -> float:
    """When the last of the due timers' actions could be read, wall seconds."""
    seen = 0
    async for at_s, _ in appearing(chosen, topics.ACTIONS):
        seen += 1
        if seen >= due:
            return at_s
    raise AssertionError("a topic has no end")


async def appearing(chosen: Settings, topic: str) -> Any:
    """Committed records of a topic as they come: (wall seconds, value)."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=chosen.kafka_bootstrap,
        isolation_level="read_committed",
        enable_auto_commit=False,
        fetch_max_wait_ms=100,
    )
    async with consumer:
        places = [TopicPartition(chosen.named(topic), one) for one in range(chosen.partitions)]
        consumer.assign(places)
        await consumer.seek_to_beginning(*places)
        while True:
            for records in (await consumer.getmany(timeout_ms=100)).values():
                at_s = time.time()
                for record in records:
                    yield at_s, record.value
