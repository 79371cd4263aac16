"""Installations for benchmarks: the product's topics, filled; its roles as processes."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from aiohttp import ClientError, ClientSession, ClientTimeout

from streams import logging as logs
from streams import topics
from streams.prepare import ensure_topics
from streams.servers.child import Child, log_path
from streams.servers.status import READY, StatusFile
from streams.settings import Settings
from tests.bench.broker import Counter, Record, fill
from tests.bench.histories import PACKS_RECORD, PLAIN_RECORD, SNAPSHOT_RECORD
from tests.bench.rig import CannotRun, start_role

LOOK_EVERY_S = 0.02
PATIENCE_S = 300.0


async def prepare(
    chosen: Settings, records: Iterable[Record] = (), rows: Iterable[Record] = ()
) -> int:
    """Make the topics, publish snapshot and playbooks, write rows and events; how many events."""
    keep_quiet()
    await ensure_topics(chosen)
    bootstrap, named = chosen.kafka_bootstrap, chosen.named
    published = (SNAPSHOT_RECORD, PACKS_RECORD, PLAIN_RECORD)
    await fill(bootstrap, named(topics.SNAPSHOTS), [(0, None, one) for one in published])
    await fill(bootstrap, named(topics.CUSTOMERS), rows)
    return await fill(bootstrap, named(topics.EVENTS), records)


def keep_quiet() -> None:
    """Keep what preparation says away from standard output, which is for the figures."""
    logs.configure("bench", "error")


@contextmanager
def role(chosen: Settings, name: str, number: int = 1) -> Iterator[Child]:
    """A role in a process of its own, ended at the end; its last words stand in the trouble."""
    child = start_role(chosen, name, number)
    try:
        yield child
    except TimeoutError as error:
        raise CannotRun(f"{error}; {name} said:\n{child.last_words()}") from error
    finally:
        child.stop(10.0)


def folded_by(counter: Counter, chosen: Settings) -> Callable[[], Awaitable[int]]:
    """Ask how many records of the log the workers have committed."""
    group, topic = chosen.named("worker"), chosen.named(topics.EVENTS)
    return lambda: counter.committed(group, topic)


async def until(
    condition: Callable[[], Awaitable[bool]], what: str, patience_s: float = PATIENCE_S
) -> None:
    """Wait for a condition; TimeoutError says for what in vain."""
    deadline = time.monotonic() + patience_s
    while not await condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {patience_s:.0f} s in vain until {what}")
        await asyncio.sleep(LOOK_EVERY_S)


async def until_ready(
    chosen: Settings, child: Child, name: str = "worker", number: int = 1
) -> None:
    """Wait until a role, as this process, says that it is ready."""

    async def is_ready() -> bool:
        status = StatusFile(chosen.data_dir, name, number).read()
        return status is not None and status.is_by(child.pid) and status.state == READY

    await until(is_ready, f"{name} is ready")


async def until_answering(url: str) -> None:
    """Wait until an address answers with 200."""
    async with ClientSession(timeout=ClientTimeout(5)) as session:

        async def is_answering() -> bool:
            try:
                async with session.get(url) as response:
                    return response.status == 200
            except (OSError, TimeoutError, ClientError):
                # Also before anybody listens: a connection may then meet itself on its own port.
                return False

        await until(is_answering, f"{url} answers")


def said(child: Child, event: str) -> list[dict[str, Any]]:
    """What a role has logged under one event name, all its starts together."""
    found = []
    for line in log_path(child.data_dir, child.name).read_text(errors="replace").splitlines():
        if line.startswith("{") and event in line:
            entry = json.loads(line)
            if entry.get("event") == event:
                found.append(entry)
    return found
