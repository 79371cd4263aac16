"""The dispatcher killed at every step, and the servers taken away from under it."""

import asyncio
import pickle
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from models.customer import Customer
from models.events import encode, type_of
from models.step import step
from models.view import View
from streams.servers.child import Child
from streams.servers.kafka import Kafka
from streams.servers.ports import free_port
from streams.servers.server import Server
from streams.servers.valkey import Valkey
from tests.real.dispatch_rig import House, config_of, pair, settings_of
from tests.real.dispatch_victim import POINTS
from tests.real.rig import PROJECT, until

pytestmark = pytest.mark.real


@pytest.fixture
async def house(kafka: str, valkey: str, tmp_path: Path) -> AsyncIterator[House]:
    async with House(settings_of(kafka, valkey, tmp_path)) as opened:
        yield opened


async def die_at(house: House, point: str) -> None:
    """Run a dispatcher until it is killed at the point."""
    config = house.settings.data_dir / "config.pickle"
    config.write_bytes(pickle.dumps(config_of(house.settings)))
    log_path = house.settings.data_dir / "victim.log"
    with log_path.open("wb") as log_file:
        victim = subprocess.Popen(
            [sys.executable, "-m", "tests.real.dispatch_victim", point, str(config)],
            cwd=PROJECT,
            stdout=log_file,
            stderr=subprocess.STDOUT,
        )
    try:
        code = await asyncio.to_thread(victim.wait, 30)
    finally:
        victim.kill()
        victim.wait()
    assert code == -signal.SIGKILL, log_path.read_text()


@contextmanager
def stopped_at_the_end(server: Server) -> Iterator[Callable[[], Child]]:
    """Start a server, and again after it was stopped; stop it at the end."""
    children: list[Child] = []

    def start() -> Child:
        children.append(server.launch())
        server.await_answer(children[-1])
        return children[-1]

    try:
        yield start
    finally:
        children[-1].stop()


async def folded(house: House) -> Customer:
    """Anna's row after a fold of every receipt."""
    customer = Customer()
    for event in await house.receipts():
        step(customer, event, encode(event), View(1, 0, 1))  # type: ignore[arg-type]
    return customer


@pytest.mark.parametrize(
    "point", [f"{when} {name}" for name in POINTS for when in ("before", "after")]
)
async def test_a_dispatcher_killed_anywhere_sends_once(house: House, point: str) -> None:
    action = house.action()
    await house.decide(action)
    await die_at(house, point)
    async with house.dispatcher():
        await house.drained()
    assert len(await house.letters()) == 1
    assert sorted(set(await house.receipt_ids())) == sorted(pair(action))
    customer = await folded(house)
    assert (customer.messages_sent, [one.status for one in customer.messages]) == (1, ["delivered"])
    assert (await house.ledger(action))["state"] == "receipted"


async def test_what_was_sent_stays_sent_whatever_is_said_before_its_receipts(house: House) -> None:
    action = house.action()
    await house.decide(action)
    await die_at(house, "after outcome")
    await house.set_profile("anna", unsubscribed=["email"])
    async with house.dispatcher():
        await house.drained()
    assert len(await house.letters()) == 1
    assert await house.receipt_ids() == pair(action)


@pytest.mark.parametrize("lost", ["cache", "broker"])
async def test_a_server_that_goes_away_and_comes_back_costs_nothing_but_time(
    kafka: str, valkey: str, tmp_path: Path, lost: str
) -> None:
    server: Server = Valkey(tmp_path, free_port())
    if lost == "broker":
        server = Kafka(tmp_path, free_port(), free_port())
    with stopped_at_the_end(server) as start:
        child = start()
        address = f"127.0.0.1:{server.port}"
        settings = settings_of(
            address if lost == "broker" else kafka,
            f"redis://{address}/0" if lost == "cache" else valkey,
            tmp_path / "house",
        )
        async with House(settings) as house:
            actions = [house.action(f"c{n}", f"o{n}") for n in range(300)]
            await house.decide(*actions)
            async with house.dispatcher(concurrency=2):

                async def some_are_sent() -> bool:
                    return len(await house.mailbox.recent(5)) == 5

                await until(some_are_sent, "the first messages")
                await asyncio.to_thread(child.stop)
                child = await asyncio.to_thread(start)
                await house.drained(patience_s=120)
            receipts = {f"{type_of(one)} {one.id}" for one in await house.receipts()}  # type: ignore[arg-type]
            assert receipts == {line for action in actions for line in pair(action)}
            for n in range(300):
                assert len(await house.letters(f"c{n}")) == 1
