"""Pauses of a worker, seen from outside: the times at which the broker appended its facts."""

import time
from itertools import pairwise

from aiokafka import AIOKafkaConsumer, TopicPartition

from streams import topics
from streams.settings import Settings
from tests.bench.speed import Window

QUIET_S = 2.0


async def longest_pause_ms(chosen: Settings, found: Window) -> float:
    """The longest time within a window in which no partition appended a fact."""
    moments = sorted(
        {found.began_s * 1000, *await _appended_ms(chosen, found), found.ended_s * 1000}
    )
    return max(later - earlier for earlier, later in pairwise(moments))


async def _appended_ms(chosen: Settings, found: Window) -> set[float]:
    name, appended = chosen.named(topics.FACTS), set()
    began_ms, ended_ms = int(found.began_s * 1000), int(found.ended_s * 1000)
    consumer = AIOKafkaConsumer(
        bootstrap_servers=chosen.kafka_bootstrap,
        enable_auto_commit=False,
        max_partition_fetch_bytes=8_000_000,
    )
    async with consumer:
        places = [TopicPartition(name, one) for one in range(chosen.partitions)]
        consumer.assign(places)
        starts = await consumer.offsets_for_times(dict.fromkeys(places, began_ms))
        reading = {place for place, start in starts.items() if start is not None}
        for place in places:
            if place in reading:
                consumer.seek(place, starts[place].offset)
            else:
                consumer.pause(place)
        quiet_since = time.monotonic()
        while reading and time.monotonic() - quiet_since < QUIET_S:
            for place, records in (await consumer.getmany(timeout_ms=200)).items():
                quiet_since = time.monotonic()
                appended.update(one.timestamp for one in records if one.timestamp <= ended_ms)
                if records[-1].timestamp > ended_ms:
                    reading.discard(place)
                    consumer.pause(place)
    return appended
