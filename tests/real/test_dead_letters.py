"""Dead letters on a real broker: told, shown, and put back once, whatever dies when."""

import asyncio
import json
import subprocess
import sys
from collections import Counter
from typing import Any

import msgspec
import orjson
import pytest
from aiokafka import AIOKafkaProducer

from models.effects import DeadLetter, Fact, encode
from models.events import decode
from sinks.sealing import Sealer
from streams import topics
from streams.secrets import load_secrets, open_key_store
from streams.servers.ports import free_port
from streams.settings import Settings
from tests.builders import named, order, viewed
from tests.real.rig import PROJECT, Crew, Log, Role, environment, until

pytestmark = pytest.mark.real

BROKEN = """
from models import step
from streams.settings import Settings
from streams.worker import run

apply = step._apply

def breaking(customer, event, *rest):
    if event.id.startswith("poison"):
        customer.searches += 1_000
        raise ZeroDivisionError("half way")
    return apply(customer, event, *rest)

step._apply = breaking
run(Settings())
"""
DIES = """
import os
from aiokafka import AIOKafkaProducer
from streams.cli import main

commit = AIOKafkaProducer.commit_transaction

async def die(self):
    {before}
    os._exit(9)

AIOKafkaProducer.commit_transaction = die
main()
"""
DIES_BEFORE = DIES.format(before="await self.flush()")
DIES_AFTER = DIES.format(before="await commit(self)")


def deadletters(settings: Settings, *arguments: str, code: str = "") -> Any:
    """Run the command as a person would; JSON where it was asked for."""
    start = ["-c", code] if code else ["-m", "streams.cli"]
    run = subprocess.run(
        [sys.executable, *start, "deadletters", *arguments],
        check=False,
        cwd=PROJECT,
        env=environment(settings),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "Traceback" not in run.stderr, run.stderr
    assert "anna@example.com" not in run.stderr
    return run


async def told(settings: Settings, *arguments: str) -> Any:
    run = await asyncio.to_thread(deadletters, settings, *arguments, "--json")
    return json.loads(run.stdout)


async def letter_count(log: Log, count: int) -> bool:
    return len(await log.records(topics.DEAD_LETTERS)) >= count


async def folded(log: Log, count: int) -> bool:
    return await log.folded() >= count


async def test_poison_is_left_out_with_its_reason_and_counted_once_after_the_fix(
    settings: Settings,
) -> None:
    names = [named(str(number)) for number in range(12)]
    good = [viewed(customer=name, id=f"good-{name}") for name in names * 2]
    good += [viewed(customer=name, id=f"late-{name}") for name in names]
    poison = [order(f"o{name}", id=f"poison-{name}", customer=name) for name in names[:4]]
    async with Log(settings) as log:
        broken = Role(settings, "worker", code=BROKEN)
        try:
            await log.write([*good[:24], *poison, *good[24:]])
            # One of each id twice is a repeat: the good are 24 in all.
            await until(lambda: folded(log, 24), "the partition to go on")
            await until(lambda: letter_count(log, 4), "the letters")
            [first, *_] = await told(settings, "list", "--source", "worker")
            assert first["reason"] == "ZeroDivisionError: half way"
            assert first["retried_at_ms"] == 0
            early = await told(settings, "retry", first["name"])
            assert early == {"put_back": [first["name"]], "before": [], "unfit": {}}
            await until(lambda: letter_count(log, 5), "it failed again: a letter of its own")
        finally:
            broken.kill()
        assert sum(row.orders for row in (await log.customers()).values()) == 0
        with Crew(settings) as crew:
            crew.start("worker")
            mended = await told(settings, "retry", "--all")
            assert (len(mended["put_back"]), mended["before"]) == (4, [first["name"]])
            again = await told(settings, "retry", "--all", "--reason", "half WAY")
            assert (again["put_back"], len(again["before"])) == ([], 5)
            await until(lambda: folded(log, 28), "the poison to be folded")
        rows = await log.customers()
        facts = [msgspec.json.decode(r.value, type=Fact) for r in await log.records(topics.FACTS)]
        listed = await told(settings, "list")
    assert {name: row.orders for name, row in rows.items()} == dict.fromkeys(names[:4], 1) | (
        dict.fromkeys(names[4:], 0)
    )
    assert all(row.searches == 0 for row in rows.values())
    counted = [one for one in facts if getattr(one, "order_state", "") == "counted"]
    assert len(counted) == 4
    assert all(one["retried_at_ms"] for one in listed)
    assert len(listed) == 5


def message(number: int) -> bytes:
    return orjson.dumps(
        {
            "type": "identify",
            "userId": f"c{number}",
            "messageId": f"m{number}",
            "traits": {"email": "anna@example.com"},
        }
    )


async def bury(settings: Settings, bodies: list[bytes], source: str = "gateway") -> None:
    """Put letters there as an earlier release, with a narrower contract, would have."""
    store = open_key_store(settings, load_secrets(settings).master_key)
    sealer = Sealer(store)
    async with AIOKafkaProducer(bootstrap_servers=settings.kafka_bootstrap) as producer:
        for number, body in enumerate(bodies):
            sealed = sealer.seal_system("dead-letters", body)
            letter = DeadLetter(source=source, reason=f"r{number}", at_ms=5, sealed_raw=sealed)
            await producer.send_and_wait(
                settings.named(topics.DEAD_LETTERS),
                encode(letter),
                partition=number % settings.partitions,
            )
    store.close()


async def ids_in_the_log(log: Log) -> Counter[str]:
    return Counter(decode(r.value).id for r in await log.records(topics.EVENTS))  # type: ignore[union-attr]


@pytest.mark.parametrize(("code", "in_the_log"), [(DIES_BEFORE, 0), (DIES_AFTER, 6)])
async def test_a_retry_that_is_killed_is_whole_or_nothing_and_goes_on(
    settings: Settings, code: str, in_the_log: int
) -> None:
    async with Log(settings) as log:
        await bury(settings, [message(number) for number in range(6)])
        died = await asyncio.to_thread(deadletters, settings, "retry", "--all", code=code)
        assert died.returncode == 9
        done = await told(settings, "retry", "--all")
        assert (len(done["before"]), len(done["put_back"])) == (in_the_log, 6 - in_the_log)
        assert await ids_in_the_log(log) == {f"m{number}": 1 for number in range(6)}


async def test_two_retries_at_once_put_each_letter_back_once(settings: Settings) -> None:
    async with Log(settings) as log:
        await bury(settings, [message(number) for number in range(8)])
        both = await asyncio.gather(
            *(asyncio.to_thread(deadletters, settings, "retry", "--all") for _ in range(2))
        )
        assert 0 in [run.returncode for run in both]
        await told(settings, "retry", "--all")
        assert await ids_in_the_log(log) == {f"m{number}": 1 for number in range(8)}


async def test_a_letter_is_shown_to_the_terminal_of_who_holds_the_keys_only(
    settings: Settings,
) -> None:
    async with Log(settings):
        await bury(settings, [message(1), b"\x1b[2J{half"])
        shown = await asyncio.to_thread(deadletters, settings, "show", "0:0")
        assert shown.returncode == 0
        assert "anna@example.com" in shown.stdout
        half = await asyncio.to_thread(deadletters, settings, "show", "1:0")
        assert "\x1b" not in half.stdout
        assert "\\x1b[2J{half" in half.stdout
        listed = await asyncio.to_thread(deadletters, settings, "list", "--source", "gateway")
        assert "r0" in listed.stdout
        assert "anna" not in listed.stdout
        elsewhere = settings.model_copy(update={"data_dir": settings.data_dir / "elsewhere"})
        refused = await asyncio.to_thread(deadletters, elsewhere, "show", "0:0")
        assert (refused.returncode, refused.stdout) == (1, "")
        assert "no keys at" in refused.stderr
        missing = await asyncio.to_thread(deadletters, settings, "show", "0:99")
        assert "there is no letter 0:99" in missing.stderr
        unfit = await told(settings, "retry", "1:0", "0:99")
        assert set(unfit["unfit"]) == {"1:0", "0:99"}


async def test_without_a_broker_it_says_so_in_a_sentence(settings: Settings) -> None:
    away = settings.model_copy(update={"kafka": f"127.0.0.1:{free_port()}"})
    run = await asyncio.to_thread(deadletters, away, "list")
    assert (run.returncode, run.stdout) == (1, "")
    assert run.stderr.startswith("no broker at 127.0.0.1:")
    assert run.stderr.count("\n") == 1
