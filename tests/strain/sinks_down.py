"""ClickHouse and Redis away for a while under load, on the whole path: gateway, worker, sinks.

What must go on goes on (state, decisions, alerts), memory stays where it was, and when the places
are back everything lands once. Reached through proxies, so that nothing is lost by the places' own
deaths; those are tests/real/test_sinks_crash.py's.
"""

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import msgspec
import orjson
import psutil
from aiohttp import ClientError, ClientSession, web
from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.structs import TopicPartition
from prometheus_client.parser import text_string_to_metric_families
from redis.asyncio import Redis

from models.customer import Customer
from models.effects import Action, Alert, encode
from models.events import MessageSent, decode
from sinks.alerts import AlertSink, Webhook
from sinks.clickhouse import connect
from sinks.clickhouse_queries import duplicates, sums_apart
from streams import topics
from streams.prepare import prepare
from streams.servers.ports import free_port
from streams.settings import Settings
from streams.sink_roles import clickhouse_address, clickhouse_runners, other_runners
from tests.contract.proxy import Network, Proxy
from tests.real.open_gateway import basic
from tests.real.rig import Log, Role, adopt_house_rules, until

WAIT_OF_THE_RULE_MS = 10 * 60_000
EVENTS_A_BATCH = 20
DRAIN_PATIENCE_S = 180.0
ALWAYS_UNDER_WAY = 20
"""Marks, and the partitions' own rows that follow them, are written for ever."""
MB = 1_000_000


@dataclass
class Figures:
    """What was seen; `ok` says whether it is what is promised."""

    outage_s: float = 0.0
    events: int = 0
    folded_in_outage: int = 0
    actions_in_outage: int = 0
    alerts_in_outage: int = 0
    worker_lag_most: int = 0
    worker_mb_before: float = 0.0
    worker_mb_most: float = 0.0
    sinks_mb_before: float = 0.0
    sinks_mb_most: float = 0.0
    drain_s: float = 0.0
    lost: int = 0
    counted_twice: int = 0
    clickhouse_missing: int = 0
    clickhouse_extra: int = 0
    clickhouse_sums_apart: int = 0
    profiles_missing: int = 0
    messages_missing: int = 0
    messages_twice: int = 0
    alerts: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether all went on, memory stayed and nothing is missing or there twice."""
        went_on = min(self.folded_in_outage, self.actions_in_outage, self.alerts_in_outage) > 0
        wrong = (
            self.lost
            + self.counted_twice
            + self.clickhouse_missing
            + self.clickhouse_extra
            + self.clickhouse_sums_apart
            + self.profiles_missing
            + self.messages_missing
            + self.messages_twice
        )
        return went_on and not wrong and self.memory_stayed

    @property
    def memory_stayed(self) -> bool:
        """New rows take 2 KiB each; a batch and what a client holds of it take a few dozen MB."""
        rows_mb = self.events * 2_048 / MB
        worker = self.worker_mb_most - self.worker_mb_before
        sinks = self.sinks_mb_most - self.sinks_mb_before
        return worker < 60 + rows_mb and sinks < 150

    def told(self) -> dict[str, Any]:
        """As JSON has it."""
        return {**asdict(self), "ok": self.ok}


async def strain(settings: Settings, outage_s: float, events_per_s: int = 200) -> Figures:
    """Run the roles under load, take the places away for `outage_s`, and look at what is there."""
    await asyncio.to_thread(prepare, settings)
    await adopt_house_rules(settings)
    figures = Figures(outage_s=outage_s)
    async with AsyncExitStack() as stack:
        outside = _Outside()
        hook = await stack.enter_async_context(outside.listening())
        places = [
            await stack.enter_async_context(_proxy_of(url))
            for url in (settings.clickhouse_address, settings.redis_address)
        ]
        behind = settings.model_copy(
            update={
                "clickhouse_url": f"http://127.0.0.1:{places[0].port}",
                "redis_url": f"redis://127.0.0.1:{places[1].port}/0",
            }
        )
        metrics_port = free_port()
        more = {"HUITOU_METRICS_PORT": str(metrics_port), "HUITOU_ALERT_WEBHOOK_URL": hook}
        log = await stack.enter_async_context(Log(settings))
        session = await stack.enter_async_context(ClientSession(headers=basic()))
        roles = {}
        for name in ("gateway", "worker", "sinks"):
            role = roles[name] = Role(behind, name, variables=more)
            stack.callback(role.kill)
        run = _Run(settings, figures, log, session, roles, metrics_port, outside)
        await run.through(places, outage_s, events_per_s)
        for name, role in roles.items():
            if role.process.poll() is not None:
                raise AssertionError(f"{name} ended:\n{role.output[-3_000:]}")
    return figures


@asynccontextmanager
async def _proxy_of(url: str) -> AsyncIterator[Proxy]:
    where = urlsplit(url)
    async with Proxy(where.hostname or "", where.port or 0) as proxy:
        yield proxy


class _Outside:
    """Who is told of alerts."""

    def __init__(self) -> None:
        self.told: list[str] = []

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[str]:
        async def take(request: web.Request) -> web.Response:
            self.told.append(await request.text())
            return web.Response()

        app = web.Application()
        app.router.add_post("/", take)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        try:
            yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
        finally:
            await runner.cleanup()


class _Run:
    """One run: the load, the samples, and what is counted afterwards."""

    def __init__(
        self,
        settings: Settings,
        figures: Figures,
        log: Log,
        session: ClientSession,
        roles: dict[str, Role],
        metrics_port: int,
        outside: _Outside,
    ) -> None:
        self._settings = settings
        self._figures = figures
        self._log = log
        self._session = session
        self._roles = roles
        self._metrics_url = f"http://127.0.0.1:{metrics_port}/metrics"
        self._outside = outside
        self._accepted: set[str] = set()
        self.left: dict[str, int] = {}

    async def through(self, places: list[Proxy], outage_s: float, events_per_s: int) -> None:
        """Load, outage, and the time after it."""
        enough = asyncio.Event()
        await until(self._gateway_is_ready, "the gateway", 90)
        shop = asyncio.create_task(self._shop(events_per_s, enough))
        await until(self._letters_come, "the first messages", 90)
        figures = self._figures
        figures.worker_mb_before = figures.worker_mb_most = self._mb("worker")
        figures.sinks_mb_before = figures.sinks_mb_most = self._mb("sinks")
        folded, actions, told = await self._folded(), await self._actions(), self._told()
        for place in places:
            place.network = Network.AWAY
        await self._during(outage_s)
        figures.folded_in_outage = int(await self._folded() - folded)
        figures.actions_in_outage = await self._actions() - actions
        figures.alerts_in_outage = self._told() - told
        for place in places:
            place.network = Network.WHOLE
        back = time.monotonic()
        enough.set()
        await shop
        figures.events = len(self._accepted)
        try:
            await until(self._all_is_read, "the sinks' lag to drain", DRAIN_PATIENCE_S)
        except AssertionError as error:
            raise AssertionError(f"left: {self.left}") from error
        figures.drain_s = round(time.monotonic() - back, 1)
        await self._count()

    async def _during(self, outage_s: float) -> None:
        """Sample once a second; half way an alert is raised."""
        began, figures, raised = time.monotonic(), self._figures, False
        while (passed_s := time.monotonic() - began) < outage_s:
            figures.worker_mb_most = max(figures.worker_mb_most, self._mb("worker"))
            figures.sinks_mb_most = max(figures.sinks_mb_most, self._mb("sinks"))
            found = await self._metrics()
            lag = sum(found[name] for name in found if name.startswith("lag_records"))
            figures.worker_lag_most = max(figures.worker_lag_most, int(lag))
            if not raised and passed_s > outage_s / 2:
                raised = True
                await self._raise_alert()
            await asyncio.sleep(min(0.9, outage_s / 10))

    async def _raise_alert(self) -> None:
        alert = Alert(
            fingerprint="strain",
            status="firing",
            name="orders_per_hour",
            severity="critical",
            starts_at_ms=1,
            summary="raised while the places are away",
        )
        topic = self._settings.named(topics.ALERTS)
        await self._log.producer.send_and_wait(topic, encode(alert), partition=0)

    async def _gateway_is_ready(self) -> bool:
        url = f"http://127.0.0.1:{self._settings.gateway_port}/readyz"
        try:
            async with self._session.get(url) as answer:
                return answer.status == 200
        except ClientError:
            return False

    async def _shop(self, events_per_s: int, enough: asyncio.Event) -> None:
        """Orders of new customers, ten minutes old so that their thank-you is due, and looks."""
        url = f"http://127.0.0.1:{self._settings.gateway_port}/v1/batch"
        began = time.monotonic()
        for turn in itertools.count():
            if enough.is_set():
                return
            messages = [_message(turn, one) for one in range(EVENTS_A_BATCH)]
            async with self._session.post(url, data=orjson.dumps({"batch": messages})) as answer:
                if answer.status != 200:
                    raise AssertionError(f"the gateway answered {answer.status}")
            self._accepted.update(message["messageId"] for message in messages)
            due = began + (turn + 1) * EVENTS_A_BATCH / events_per_s
            await asyncio.sleep(max(0.0, due - time.monotonic()))

    async def _metrics(self) -> dict[str, float]:
        async with self._session.get(self._metrics_url) as answer:
            page = await answer.text()
        return {
            sample.name.removeprefix("huitou_worker_") + "".join(sample.labels.values()): (
                sample.value
            )
            for family in text_string_to_metric_families(page)
            for sample in family.samples
        }

    async def _folded(self) -> float:
        return (await self._metrics())["records_total"]

    async def _actions(self) -> int:
        return len(await self._log.records(topics.ACTIONS))

    def _told(self) -> int:
        return sum("raised while the places are away" in one for one in self._outside.told)

    def _mb(self, role: str) -> float:
        process = psutil.Process(self._roles[role].process.pid)
        return round(process.memory_info().rss / MB, 1)

    async def _letters_come(self) -> bool:
        return any((await self._mailboxes()).values())

    async def _mailboxes(self) -> dict[str, list[str]]:
        """Names of the messages in every customer's mailbox."""
        prefix = f"{self._settings.namespace}mailbox:"
        async with Redis.from_url(self._settings.redis_address) as redis:
            return {
                key.decode(): [
                    orjson.loads(entry)["action_id"] for entry in await redis.lrange(key, 0, -1)
                ]
                async for key in redis.scan_iter(f"{prefix}*", count=1_000)
                if await redis.type(key) == b"list"
            }

    async def _all_is_read(self) -> bool:
        """Whether worker, sinks and dispatcher stand at their topics' ends."""
        if (await self._log.folded()) < len(self._accepted):
            return False
        runners = [*clickhouse_runners(self._settings), *other_runners(self._settings, _nobody())]
        fed = [(runner.feed.group, runner.feed.topic) for runner in runners]
        named = self._settings.named
        fed += [(named("dispatcher"), named(topics.ACTIONS)), (named("worker"), named("events"))]
        lags = {group: await self._lag(group, topic) for group, topic in fed}
        self.left = {group: lag for group, lag in lags.items() if lag}
        return not self.left

    async def _lag(self, group: str, topic: str) -> int:
        """Records left to a group."""
        count = next(
            one.partitions or self._settings.partitions
            for one in topics.TOPICS
            if self._settings.named(one.name) == topic
        )
        places = [TopicPartition(topic, number) for number in range(count)]
        bootstrap = self._settings.kafka_bootstrap
        async with AIOKafkaConsumer(bootstrap_servers=bootstrap) as consumer:
            ends = await consumer.end_offsets(places)
        admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
        await admin.start()
        try:
            found = await admin.list_consumer_group_offsets(group)
        finally:
            await admin.close()
        left = [end - (found[place].offset if place in found else 0) for place, end in ends.items()]
        on_its_way = topic.endswith((topics.EVENTS, topics.CUSTOMERS))
        return sum(one for one in left if one > (ALWAYS_UNDER_WAY if on_its_way else 0))

    async def _count(self) -> None:
        figures = self._figures
        events, ids, rows = await self._events_and_rows()
        figures.lost = len(self._accepted - ids)
        figures.counted_twice = sum(row.events for row in rows.values()) - len(ids)
        await asyncio.to_thread(self._count_clickhouse, await self._facts())
        await until(lambda: self._has_profiles(len(rows)), "the last profiles", 60)
        figures.profiles_missing = len(rows) - await self._profiles()
        await self._count_messages(events)
        figures.alerts = sorted({_name_of(one) for one in self._outside.told})

    async def _events_and_rows(self) -> tuple[list[Any], set[str], dict[str, Customer]]:
        """The log and the table, read while no receipt came in between the two."""
        before, events, ids = -1, *await self._events()
        while len(ids) != before:
            before = len(ids)
            await until(partial(self._are_folded, before), "the last receipts to be folded", 60)
            rows = await self._log.customers()
            events, ids = await self._events()
        return events, ids, rows

    async def _events(self) -> tuple[list[Any], set[str]]:
        events = [decode(record.value) for record in await self._log.records(topics.EVENTS)]
        return events, {event.id for event in events if hasattr(event, "id")}

    async def _profiles(self) -> int:
        async with Redis.from_url(self._settings.redis_address) as redis:
            pattern = f"{self._settings.namespace}profile:*"
            return len([key async for key in redis.scan_iter(pattern, count=1_000)])

    async def _has_profiles(self, count: int) -> bool:
        return await self._profiles() >= count

    async def _are_folded(self, count: int) -> bool:
        return await self._log.folded() >= count

    async def _facts(self) -> int:
        return sum(b'"kind":"event"' in r.value for r in await self._log.records(topics.FACTS))

    def _count_clickhouse(self, facts: int) -> None:
        client = connect(clickhouse_address(self._settings))
        landed = int(client.query("SELECT count() FROM events").result_rows[0][0])
        figures = self._figures
        figures.clickhouse_extra = duplicates(client) + max(0, landed - facts)
        figures.clickhouse_missing = max(0, facts - landed)
        figures.clickhouse_sums_apart = sums_apart(
            client, self._settings.incarnation, self._settings.partitions
        )
        client.close()

    async def _count_messages(self, events: list[Any]) -> None:
        decided = {
            msgspec.json.decode(record.value, type=Action).action_id
            for record in await self._log.records(topics.ACTIONS)
        }
        there = Counter(name for box in (await self._mailboxes()).values() for name in box)
        sent = {one.id for one in events if isinstance(one, MessageSent)}
        self._figures.messages_missing = len(decided - there.keys()) + max(
            0, len(decided) - len(sent)
        )
        self._figures.messages_twice = there.total() - len(there)


def _message(turn: int, one: int) -> dict[str, Any]:
    at_s = time.time() - WAIT_OF_THE_RULE_MS / 1000
    name = f"{turn}-{one}"
    common = {
        "type": "track",
        "messageId": name,
        "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at_s)),
    }
    if one == 0:
        order = {"order_id": name, "total": 5, "currency": "EUR"}
        return {
            **common,
            "userId": f"new-{turn}",
            "event": "Order Completed",
            "properties": order,
            "context": {"traits": {"email": f"{name}@example.com"}},
        }
    viewed = {"product_id": f"p{one}", "name": "Tea"}
    known = f"new-{(turn * 7 + one) % (turn + 1)}"
    return {**common, "userId": known, "event": "Product Viewed", "properties": viewed}


def _name_of(notice: str) -> str:
    for name in ("pipeline_lag", "orders_per_hour", "dead_letters", "broker_unreachable"):
        if name in notice:
            return name
    return "other"


def _nobody() -> Any:
    return AlertSink(Webhook("", ""))
