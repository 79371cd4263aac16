"""`huitou rebuild`: the table of customers made anew from the whole log, beside the live one.

Every partition is folded from its first record up to where the live workers have committed, with
effects off, by as many processes as there are cores. The result stands in a topic of its own
(`customers-rebuilt`) and is compared with the live table, row by row. Nothing live is touched, and
the workers may go on; rows that they change meanwhile are then counted as different.
"""

import asyncio
import logging
import multiprocessing
import os
import time
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, for_code

from sinks.patience import Opened
from streams import topics
from streams.logging import configure
from streams.rebuild_partition import Rebuilt, rebuild
from streams.servers.errors import ServerError
from streams.settings import Settings

ROLE = "rebuild"
REBUILT = "customers-rebuilt"
TOPIC_WITHIN_S = 30.0

log = structlog.get_logger(__name__)


class RebuildTrouble(ServerError):
    """The table can't be rebuilt; the text says why."""


def run(settings: Settings, *, processes: int | None = None) -> dict[str, Any]:
    """Rebuild, compare, and say what was found: counts of rows, and how fast it went.

    RebuildTrouble when the broker is away or a partition could not be folded.
    """
    try:
        ends = asyncio.run(_begin(settings))
    except KafkaError as error:
        raise RebuildTrouble(
            f"the log at {settings.kafka_bootstrap} can't be read: {error!r}"
        ) from error
    began = time.monotonic()
    found = _fold_all(settings, ends, processes or os.cpu_count() or 1)
    seconds = time.monotonic() - began
    moved = asyncio.run(_committed(settings)) != ends
    return {**_summed(found), "seconds": round(seconds, 3), "workers_went_on": moved}


async def _begin(settings: Settings) -> dict[int, int]:
    """Make the empty topic; up to which offset each partition is to be folded."""
    ends = await _committed(settings)
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap)
    async with Opened(admin):
        await _create_afresh(settings, admin, settings.named(REBUILT))
    return ends


async def _create_afresh(settings: Settings, admin: AIOKafkaAdminClient, name: str) -> None:
    """Make a topic like the live table's; what an earlier rebuild left there goes."""
    table = next(topic for topic in topics.TOPICS if topic.name == topics.CUSTOMERS)
    wanted = NewTopic(name, settings.partitions, settings.replication, topic_configs=table.config())
    if name in await admin.list_topics():
        await admin.delete_topics([name])
        await _until(admin, name, is_there=False)
    answer = await admin.create_topics([wanted])
    for _, code, *_ in answer.topic_errors:
        if code:
            raise for_code(code)(f"{name} was not created")
    await _until(admin, name, is_there=True)


async def _until(admin: AIOKafkaAdminClient, name: str, *, is_there: bool) -> None:
    deadline = time.monotonic() + TOPIC_WITHIN_S
    while (name in await admin.list_topics()) != is_there:
        if time.monotonic() > deadline:
            wanted = "appear" if is_there else "go"
            raise RebuildTrouble(f"topic {name} did not {wanted} within {TOPIC_WITHIN_S:.0f} s")
        await asyncio.sleep(0.05)


async def _committed(settings: Settings) -> dict[int, int]:
    """Where the workers have committed; a partition nobody has folded yet: its end."""
    places = [
        TopicPartition(settings.named(topics.EVENTS), one) for one in range(settings.partitions)
    ]
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap)
    async with Opened(admin):
        found = await admin.list_consumer_group_offsets(settings.named("worker"), partitions=places)
    consumer = AIOKafkaConsumer(
        bootstrap_servers=settings.kafka_bootstrap, isolation_level="read_committed"
    )
    async with Opened(consumer):
        ends = await consumer.end_offsets(places)
    return {
        place.partition: found[place].offset if found[place].offset >= 0 else ends[place]
        for place in places
    }


def _fold_all(settings: Settings, ends: dict[int, int], processes: int) -> list[Rebuilt]:
    """Fold all partitions, each in one of the processes, the longest first."""
    context = multiprocessing.get_context("spawn")
    ordered = sorted(ends, key=lambda partition: -ends[partition])
    workers = min(processes, len(ordered))
    target = settings.named(REBUILT)
    with ProcessPoolExecutor(workers, context, _quiet, (settings.log_level,)) as pool:
        folding = [
            pool.submit(_fold_one, settings, partition, ends[partition], target)
            for partition in ordered
        ]
        try:
            return [one.result() for one in folding]
        except (KafkaError, OSError, BrokenProcessPool) as error:
            pool.shutdown(cancel_futures=True)
            raise RebuildTrouble(f"a partition could not be rebuilt: {error!r}") from error


def _quiet(log_level: str) -> None:
    configure(ROLE, log_level)
    logging.getLogger("aiokafka").setLevel(logging.WARNING)


def _fold_one(settings: Settings, partition: int, end: int, target: str) -> Rebuilt:
    found = asyncio.run(rebuild(settings, partition, end, target))
    log.info("partition rebuilt", **found._asdict())
    return found


def _summed(found: Iterable[Rebuilt]) -> dict[str, int]:
    counts = [one._asdict() for one in found]
    return {
        name: sum(one[name] for one in counts) for name in Rebuilt._fields if name != "partition"
    }
