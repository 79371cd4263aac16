"""Benchmark `latency`: from the moment an event was to be sent until it shows where it must.

All roles run as processes of their own on real servers. 2,000 events/s go through the gateway in an
open loop: each has its moment, fixed beforehand, and waits are counted from it. Watched are

- `action`: the action topic (read committed), for thank-yous due at the moment of their order's
  arrival. The fold fires what is due at a clock mark, so the interval of the marks is in it;
- `decision`: the facts, in the same transactions as actions, for decisions that an event brings
  about at once;
- `clickhouse`: a query that finds the event by its id, asked again and again;
- `page`: the page's own stream, for every event: the first message whose newest event is not older;
- `recommendation`: one wish after the other, each from before its request to the first answer of
  the web role that recommends what was wished for, because of it.

CPU microseconds an event of each role and server, and of the load with its watchers, stand beside:
where they sum up to more than the cores have, a wait is a wait for a core.
"""

import asyncio
import re
import time
from collections import deque
from contextlib import AsyncExitStack, ExitStack
from typing import Any

import orjson
from aiohttp import ClientSession, ClientTimeout, encode_basic_auth
from aiokafka import AIOKafkaConsumer, TopicPartition

from streams import prepare as preparation
from streams import topics
from streams.playbook_editions import apply_files
from streams.secrets import load_secrets
from streams.servers.ports import free_port
from streams.settings import Settings
from tests.bench.cpu_by_part import cpu_s_by_part, cpu_us_between
from tests.bench.histories import PLAIN
from tests.bench.installations import keep_quiet, role, until_answering
from tests.bench.live_feed import LiveFeed, is_thanked, name_of
from tests.bench.open_loop import OpenLoop
from tests.bench.rig import Options, servers, settings
from tests.bench.spans import Arrivals, quantile

MUST = [
    ("action_p99_ms", "<=", 100.0),
    ("clickhouse_p99_ms", "<=", 2_000.0),
    ("page_p99_ms", "<=", 3_000.0),
    ("recommendation_p99_ms", "<=", 1_000.0),
]
RATE, SECONDS, WARM_S = 2_000, 60.0, 10.0
SMALL_RATE, SMALL_SECONDS, SMALL_WARM_S = 200, 4.0, 1.0
ASK_EVERY = 50
LOOK_EVERY_S = 0.05
DRAIN_S = 20.0
WISHES_A_CUSTOMER = 20
WISH_EVERY_S = 1.0
WATCHED = ("action", "decision", "clickhouse", "page", "recommendation")
ROLES = ("gateway", "worker", "learner", "sinks", "web")
_ORDER = re.compile(rb'"occasion":"bench-order-(\d+)"')
_LOOK = re.compile(rb'"occasion":"bench-look-(\d+)@')


def run(options: Options) -> dict[str, Any]:
    """Start everything, feed it, and look where the events arrive."""
    with servers(valkey=True, clickhouse=True) as running, ExitStack() as roles:
        chosen = settings(running, "latency", gateway_port=free_port(), web_port=free_port())
        load_secrets(chosen)
        keep_quiet()
        preparation.prepare(chosen)
        asyncio.run(apply_files(chosen, PLAIN.main, PLAIN.files, by="bench"))
        for name in ROLES:
            roles.enter_context(role(chosen, name))
        return asyncio.run(_measured(chosen, options))


async def _measured(chosen: Settings, options: Options) -> dict[str, Any]:
    rate = SMALL_RATE if options.small else RATE
    warm_s = SMALL_WARM_S if options.small else WARM_S
    seconds = SMALL_SECONDS if options.small else max(SECONDS, options.window_s)
    feed = LiveFeed(rate, people=100 if options.small else 1_000)
    gateway = f"http://{chosen.gateway_host}:{chosen.gateway_port}"
    await until_answering(f"{gateway}/readyz")
    await until_answering(f"http://{chosen.web_host}:{chosen.web_port}/healthz")
    loop = OpenLoop(gateway, chosen.write_key.get_secret_value(), feed)
    events = int((warm_s + seconds) * rate)
    async with Watchers(chosen, feed, range(int(warm_s * rate), events)) as watchers:
        options.say(f"{rate} events/s for {warm_s:.0f} + {seconds:.0f} s")
        before = cpu_s_by_part()
        await loop.run(events)
        await watchers.drain()
        after = cpu_s_by_part()
        gave_up_s = time.time()
    return {
        **watchers.figures(gave_up_s),
        "events_per_s": rate,
        "seconds": seconds,
        "answer_p50_ms": round(quantile(loop.answered_s, 0.5) * 1000, 1),
        "answer_p99_ms": round(quantile(loop.answered_s, 0.99) * 1000, 1),
        "sent_late_p99_ms": round(quantile(loop.late_s, 0.99) * 1000, 1),
        "requests_failed": len(loop.failed),
        **cpu_us_between(before, after, events),
        "mark_interval_ms": chosen.mark_interval_ms,
        "commit_interval_ms": chosen.commit_interval_ms,
    }


class Watchers:
    """Everything that looks for arrivals; only the events of these `numbers` are watched."""

    def __init__(self, chosen: Settings, feed: LiveFeed, numbers: range) -> None:
        self._chosen = chosen
        self._feed = feed
        self._numbers = numbers
        self._arrivals = {name: Arrivals() for name in WATCHED}
        self._seen_on_page: list[tuple[float, float]] = []
        self._wished = asyncio.Event()
        self._stack = AsyncExitStack()
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> "Watchers":
        self._session = await self._stack.enter_async_context(
            ClientSession(timeout=ClientTimeout(None, sock_connect=10), read_bufsize=2**20)
        )
        self._tasks = [
            asyncio.create_task(self._read(topics.ACTIONS, "action", _ORDER)),
            asyncio.create_task(self._read(topics.FACTS, "decision", _LOOK)),
            asyncio.create_task(self._ask_clickhouse()),
            asyncio.create_task(self._watch_page()),
            asyncio.create_task(self._wish_and_ask()),
        ]
        return self

    async def __aexit__(self, *error: object) -> None:
        for task in self._tasks:
            task.cancel()
        ended = await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._stack.aclose()
        for one in ended:
            if isinstance(one, Exception):
                raise one

    async def drain(self) -> None:
        """Wait for what is still on its way, for a while."""
        for number in self._numbers:
            meant_s = self._feed.meant_for_s(number)
            if is_thanked(number):
                self._arrivals["action"].expect(number, meant_s)
            if self._feed.is_decided_at_once(number):
                self._arrivals["decision"].expect(number, meant_s)
            self._arrivals["page"].expect(number, meant_s)
        deadline = time.monotonic() + DRAIN_S
        while time.monotonic() < deadline:
            self._settle_page()
            is_over = self._wished.is_set()
            if is_over and not any(one.outstanding for one in self._arrivals.values()):
                return
            await asyncio.sleep(LOOK_EVERY_S)

    def figures(self, gave_up_s: float) -> dict[str, float]:
        """All waits."""
        return {
            name: figure
            for what, arrivals in self._arrivals.items()
            for name, figure in arrivals.figures(what, gave_up_s).items()
        }

    async def _read(self, topic: str, what: str, occasion: "re.Pattern[bytes]") -> None:
        """A consumer for each partition: a fetch that waits for one holds up no other."""
        name = self._chosen.named(topic)
        async with asyncio.TaskGroup() as readers:
            for one in range(self._chosen.partitions):
                readers.create_task(self._read_one(TopicPartition(name, one), what, occasion))

    async def _read_one(
        self, place: TopicPartition, what: str, occasion: "re.Pattern[bytes]"
    ) -> None:
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._chosen.kafka_bootstrap,
            isolation_level="read_committed",
            enable_auto_commit=False,
            fetch_max_wait_ms=100,
        )
        async with consumer:
            consumer.assign([place])
            await consumer.seek_to_beginning(place)
            while True:
                for records in (await consumer.getmany(timeout_ms=100)).values():
                    at_s = time.time()
                    for record in records:
                        found = occasion.search(record.value)
                        if found is not None:
                            self._arrivals[what].note(int(found[1]), at_s)

    async def _ask_clickhouse(self) -> None:
        """Look for every so-manieth event by its id until it is there."""
        arrivals = self._arrivals["clickhouse"]
        waiting = deque(self._numbers[::ASK_EVERY])
        while True:
            while waiting and 0 < self._feed.begins_s <= time.time() - waiting[0] / self._feed.rate:
                number = waiting.popleft()
                arrivals.expect(number, self._feed.meant_for_s(number))
            outstanding = arrivals.outstanding
            if outstanding:
                names = ",".join(f"'{name_of(number)}'" for number in outstanding)
                query = f"SELECT event_id FROM events WHERE event_id IN ({names}) FORMAT TSV"
                for name in (await self._rows(query)).split():
                    arrivals.note(int(name.rpartition("-")[2]), time.time())
            await asyncio.sleep(LOOK_EVERY_S)

    async def _rows(self, query: str) -> str:
        where = {"database": self._chosen.clickhouse_database}
        async with self._session.post(
            self._chosen.clickhouse_address, params=where, data=query
        ) as response:
            text = await response.text()
            if response.status != 200:
                raise RuntimeError(f"ClickHouse refused the benchmark's query: {text[:300]}")
            return text

    async def _watch_page(self) -> None:
        """Note the newest event each message of the stream shows, and when it came."""
        url = f"http://{self._chosen.web_host}:{self._chosen.web_port}/api/stream"
        async with self._session.get(url) as response:
            async for line in response.content:
                if not line.startswith(b"data: "):
                    continue
                at_s = time.time()
                panel = orjson.loads(line[6:])["panels"].get("last_events")
                shown = [
                    row["at"] / 1000
                    for row in (panel or {"rows": []})["rows"]
                    if not row["type"].startswith("message_")
                ]
                if shown:
                    self._seen_on_page.append((at_s, max(shown)))

    async def _wish_and_ask(self) -> None:
        """Wish for an item nobody knows, and ask until it is recommended for that."""
        arrivals, number, measured = self._arrivals["recommendation"], 0, 0
        while not self._feed.begins_s:
            await asyncio.sleep(LOOK_EVERY_S)
        # The first wish finds everything cold and may outlast a short run: one more is measured.
        while time.time() < self._feed.meant_for_s(self._numbers[-1]) or not measured:
            customer, item = f"bench-wisher-{number // WISHES_A_CUSTOMER}", f"bench-wish-{number}"
            if time.time() >= self._feed.meant_for_s(self._numbers[0]):
                arrivals.expect(number, time.time())
                measured += 1
            await self._wish(customer, item)
            while not await self._is_recommended(customer, item):
                await asyncio.sleep(LOOK_EVERY_S)
            arrivals.note(number, time.time())
            number += 1
            await asyncio.sleep(WISH_EVERY_S)
        self._wished.set()

    async def _wish(self, customer: str, item: str) -> None:
        url = f"http://{self._chosen.gateway_host}:{self._chosen.gateway_port}/v1/track"
        body = {
            "userId": customer,
            "event": "Product Added to Wishlist",
            "properties": {"product_id": item, "name": item, "price": 9.5},
        }
        door = {"Authorization": encode_basic_auth(self._chosen.write_key.get_secret_value(), "")}
        async with self._session.post(url, json=body, headers=door) as response:
            if response.status != 200:
                raise RuntimeError(f"the gateway refused a wish: {await response.text()}")

    async def _is_recommended(self, customer: str, item: str) -> bool:
        web = f"http://{self._chosen.web_host}:{self._chosen.web_port}"
        asked = {"n": "100"}
        url = f"{web}/v1/customers/{customer}/recommendations"
        async with self._session.get(url, params=asked) as response:
            if response.status != 200:
                return False
            found = orjson.loads(await response.read())["items"]
        return any(one["product_id"] == item and one["reason"]["name"] == "wished" for one in found)

    def _settle_page(self) -> None:
        """Let each event have come with the first message that shows it or a later one."""
        waiting = iter(self._numbers)
        number = next(waiting, None)
        for at_s, newest_s in self._seen_on_page:
            while number is not None and self._feed.meant_for_s(number) <= newest_s + 0.001:
                self._arrivals["page"].note(number, at_s)
                number = next(waiting, None)
