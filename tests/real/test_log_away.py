"""The log is away or slow: what was accepted stays, what can't be taken is refused, all go on."""

import asyncio
import signal
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import psutil
import pytest
from aiohttp import ClientError, ClientSession, ClientTimeout, TCPConnector

from models.events import decode
from streams import topics
from streams.servers.kafka import Kafka
from streams.servers.ports import free_port
from streams.settings import Settings
from tests.real.open_gateway import basic
from tests.real.rig import Crew, Log, Role, until

pytestmark = pytest.mark.real

CLIENTS = 300
EVENTS_A_BATCH = 20
CUSTOMERS = 100
MORE_BYTES_AT_MOST = 250_000_000


@pytest.fixture
def broker(tmp_path: Path) -> Kafka:
    """A broker of the test's own, not started."""
    return Kafka(tmp_path, free_port(), free_port())


@pytest.fixture
def lone(broker: Kafka, tmp_path: Path) -> Settings:
    return Settings(
        data_dir=tmp_path,
        kafka=broker.address,
        partitions=2,
        gateway_port=free_port(),
        session_timeout_ms=6_000,
        mark_interval_ms=100,
    )


@asynccontextmanager
async def a_session() -> AsyncIterator[ClientSession]:
    async with ClientSession(
        connector=TCPConnector(limit=0), timeout=ClientTimeout(60), headers=basic()
    ) as session:
        yield session


def order(name: str, customer: str = "", filling: str = "") -> dict[str, Any]:
    properties = {"order_id": name, "total": 5, "coupon": filling}
    common = {"messageId": name, "userId": customer or f"c-{name}", "event": "Order Completed"}
    return {"type": "track", **common, "properties": properties}


async def until_ready(settings: Settings, session: ClientSession) -> None:
    async def ready() -> bool:
        try:
            async with session.get(f"http://127.0.0.1:{settings.gateway_port}/readyz") as answer:
                return answer.status == 200
        except ClientError:
            return False

    await until(ready, "a gateway that is ready", 90)


async def ids_in_the_log(log: Log) -> set[str]:
    events = [decode(record.value) for record in await log.records(topics.EVENTS)]
    return {event.id for event in events if hasattr(event, "id")}


async def holds(log: Log, accepted: Iterable[str]) -> bool:
    """Whether all of them are there; a broker that was just woken may show nothing at first."""
    return set(accepted) <= await ids_in_the_log(log)


async def test_a_broker_that_comes_late_and_dies_loses_nothing_that_was_accepted(
    broker: Kafka, lone: Settings
) -> None:
    accepted: set[str] = set()
    refused: Counter[str] = Counter()
    enough = asyncio.Event()

    async def shop(session: ClientSession) -> None:
        """Send one order after the other, and each again until it is taken, as shops do."""
        number = 0
        url = f"http://127.0.0.1:{lone.gateway_port}/v1/batch"
        while not enough.is_set():
            name = f"o{number}"
            async with session.post(url, data=orjson.dumps({"batch": [order(name)]})) as answer:
                if answer.status == 200:
                    assert (await answer.json())["rejected"] == []
                    accepted.add(name)
                    number += 1
                    continue
                assert (answer.status, int(answer.headers["Retry-After"]) >= 1) == (503, True)
                refused[await answer.text()] += 1
            await asyncio.sleep(0.05)

    async def has_accepted(count: int) -> bool:
        return len(accepted) >= count

    async def is_refused() -> bool:
        return bool(refused)

    with Crew(lone) as crew:
        worker = crew.start("worker")
        gateway = crew.start("gateway")
        await until(lambda: _waits(worker), "a worker that says what it waits for", 60)
        assert worker.process.poll() is None, "it waits: nobody has to start it again"
        async with a_session() as session:
            with broker.running() as child:
                async with Log(lone):
                    pass
                await until_ready(lone, session)
                shopping = asyncio.create_task(shop(session))
                await until(lambda: has_accepted(20), "orders accepted", 60)
                child.signal(signal.SIGKILL)
                child.wait(5)
                await until(is_refused, "orders refused", 60)
            before = len(accepted)
            with broker.running():
                await until(lambda: has_accepted(before + 20), "orders accepted again", 90)
                enough.set()
                await shopping
                async with Log(lone) as log:
                    # As the supervisor does: a cut-off transaction ends a worker.
                    await until(lambda: _all_folded(log, crew, worker, accepted), "the worker", 90)
                    await until(lambda: holds(log, accepted), "what was accepted to be there", 60)
                    found = await ids_in_the_log(log)
                    rows = await log.customers()
        assert gateway.process.poll() is None
    orders = sorted(row.orders for row in rows.values())
    assert orders == [1] * len(found), "counted once each, those sent twice too"


async def _waits(worker: Role) -> bool:
    return "waits for the broker" in worker.output


async def _all_folded(log: Log, crew: Crew, first: Role, accepted: set[str]) -> bool:
    if first.process.poll() is not None and first.name == "worker":
        first.name = "worker that ended"
        crew.start("worker", 2)
    return len(await log.customers()) >= len(accepted)


async def test_a_log_that_stands_still_is_pushed_back_before_memory_grows(
    broker: Kafka, lone: Settings
) -> None:
    answers: Counter[int] = Counter()
    accepted: list[str] = []
    told_when: list[bool] = []
    over = asyncio.Event()
    url = f"http://127.0.0.1:{lone.gateway_port}/v1/batch"
    filling = "x" * 400

    async def client(number: int, session: ClientSession) -> None:
        turn = 0
        while not over.is_set():
            names = [f"{number}-{turn}-{one}" for one in range(EVENTS_A_BATCH)]
            customer = f"c-{number % CUSTOMERS}"
            body = orjson.dumps({"batch": [order(name, customer, filling) for name in names]})
            turn += 1
            async with session.post(url, data=body) as answer:
                answers[answer.status] += 1
                if answer.status == 200:
                    assert (await answer.json())["rejected"] == []
                    accepted.extend(names)
                else:
                    told_when.append("Retry-After" in answer.headers)
            await asyncio.sleep(0.2)

    async def has_answered(status: int, count: int) -> bool:
        return answers[status] >= count

    with Crew(lone) as crew, broker.running() as child:
        async with Log(lone) as log, a_session() as session:
            gateway = psutil.Process(crew.start("gateway").process.pid)
            await until_ready(lone, session)
            clients = [asyncio.create_task(client(n, session)) for n in range(20)]
            await until(lambda: has_answered(200, 40), "batches accepted", 60)
            clients += [asyncio.create_task(client(n, session)) for n in range(20, CLIENTS)]
            peak_bytes = usual_bytes = gateway.memory_info().rss
            child.signal(signal.SIGSTOP)

            async def have_been_refused() -> bool:
                nonlocal peak_bytes
                peak_bytes = max(peak_bytes, gateway.memory_info().rss)
                return min(answers[429], answers[503]) > CLIENTS // 2

            await until(have_been_refused, "many to be refused, at once and after waiting", 90)
            child.signal(signal.SIGCONT)
            good = answers[200]
            await until(lambda: has_answered(200, good + 20), "batches accepted again", 90)
            over.set()
            await asyncio.gather(*clients)
            await until(lambda: holds(log, accepted), "what was accepted to be there", 60)
    print(f"{dict(answers)}, {usual_bytes=}, {peak_bytes=}, {len(accepted)=}")
    assert set(answers) <= {200, 429, 503}
    assert told_when
    assert all(told_when)
    assert peak_bytes - usual_bytes < MORE_BYTES_AT_MOST
