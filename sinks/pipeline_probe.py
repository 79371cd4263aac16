"""Ask the broker how far every consumer group is, and what was refused lately."""

import asyncio
import contextlib
import time
from collections import Counter, deque

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from models.effects import DeadLetter
from sinks.patience import close_each
from sinks.pipeline_lag import Place, Reading

Answer = tuple[list[Reading], dict[tuple[str, str], int]]
"""Readings, and dead letters of the last minute by source and reason."""

PROBE_S = 1.0
LETTERS_WINDOW_MS = 60_000
LETTERS_KEPT = 10_000

_letter = msgspec.json.Decoder(DeadLetter)


class PipelineProbe:
    """Reads positions of the groups that begin with `prefix` in `topics`, and dead letters.

    Opened and closed around a connection's life; every method may raise KafkaError.
    """

    def __init__(
        self, bootstrap: str, prefix: str, topics: frozenset[str], dead_letters: str
    ) -> None:
        self._prefix = prefix
        self._topics = topics
        self._dead_letters = dead_letters
        self._admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
        common = {"bootstrap_servers": bootstrap, "isolation_level": "read_committed"}
        self._ends = AIOKafkaConsumer(**common, enable_auto_commit=False)
        self._letters = AIOKafkaConsumer(**common, enable_auto_commit=False)
        self._recent: deque[tuple[int, str, str]] = deque(maxlen=LETTERS_KEPT)
        self._only_markers: dict[tuple[Place, int], int] = {}
        self._still: dict[Place, Reading] = {}

    async def open(self) -> None:
        """Connect, and begin with the dead letters of the last minute."""
        await self._admin.start()
        await self._ends.start()
        await self._letters.start()
        await self._seek_recent_letters()

    async def close(self) -> None:
        """Close every connection; what is gone already is no matter."""
        await close_each(self._letters.stop, self._ends.stop, self._admin.close)

    async def readings(self) -> list[Reading]:
        """Read, for each consumer's partition, its committed position and its end."""
        committed = await self._committed()
        partitions = {TopicPartition(place.topic, place.partition) for place in committed}
        ends = await self._ends.end_offsets(partitions) if partitions else {}
        readings = []
        for place, position in committed.items():
            end = ends[TopicPartition(place.topic, place.partition)]
            reading = Reading(place, end, position)
            if position < end and await self._ends_in_markers(reading):
                reading = Reading(place, end, end)
            readings.append(reading)
        return readings

    async def dead_letters_a_minute(self) -> dict[tuple[str, str], int]:
        """Count the dead letters of the last minute by source and reason."""
        found = await self._letters.getmany(timeout_ms=10, max_records=LETTERS_KEPT)
        for records in found.values():
            for record in records:
                with contextlib.suppress(msgspec.DecodeError):  # counted by the sink as unreadable
                    letter = _letter.decode(record.value or b"")
                    self._recent.append((record.timestamp, letter.source, letter.reason))
        now_ms = int(time.time() * 1000)
        while self._recent and self._recent[0][0] < now_ms - LETTERS_WINDOW_MS:
            self._recent.popleft()
        return Counter((source, reason) for _, source, reason in self._recent)

    async def _committed(self) -> dict[Place, int]:
        groups = [name for name, *_ in await self._admin.list_consumer_groups()]
        committed = {}
        for group in sorted(name for name in groups if name.startswith(self._prefix)):
            offsets = await self._admin.list_consumer_group_offsets(group)
            for partition, position in offsets.items():
                if partition.topic in self._topics and position.offset >= 0:
                    place = Place(group, partition.topic, partition.partition)
                    committed[place] = position.offset
        return committed

    async def _ends_in_markers(self, reading: Reading) -> bool:
        """Whether nothing but transaction markers lies between a position and the end.

        Asked of partitions that stand still only, and once for each position and end.
        """
        known = (reading.place, reading.committed)
        if self._only_markers.get(known) == reading.end:
            return True
        still = self._still.get(reading.place) == reading
        self._still[reading.place] = reading
        if not still or not await self._nothing_to_read(reading):
            return False
        self._only_markers = {
            key: end for key, end in self._only_markers.items() if key[0] != reading.place
        }
        self._only_markers[known] = reading.end
        return True

    async def _nothing_to_read(self, reading: Reading) -> bool:
        partition = TopicPartition(reading.place.topic, reading.place.partition)
        self._ends.assign([partition])
        self._ends.seek(partition, reading.committed)
        deadline = time.monotonic() + PROBE_S
        try:
            while time.monotonic() < deadline:
                found = await self._ends.getmany(partition, timeout_ms=100, max_records=1)
                if found:
                    return False
                if await self._ends.position(partition) >= reading.end:
                    return True
            return False
        finally:
            self._ends.assign([])

    async def _seek_recent_letters(self) -> None:
        count = await self._partition_count(self._dead_letters)
        partitions = [TopicPartition(self._dead_letters, number) for number in range(count)]
        self._letters.assign(partitions)
        since_ms = int(time.time() * 1000) - LETTERS_WINDOW_MS
        found = await self._letters.offsets_for_times(dict.fromkeys(partitions, since_ms))
        ends = await self._letters.end_offsets(partitions)
        for partition in partitions:
            first = found[partition]
            self._letters.seek(partition, first.offset if first else ends[partition])

    async def _partition_count(self, topic: str) -> int:
        [described] = await self._admin.describe_topics([topic])
        return len(described["partitions"])


async def within(limit_s: float, probe: PipelineProbe) -> Answer:
    """Read everything; TimeoutError when the broker does not answer within `limit_s`."""
    async with asyncio.timeout(limit_s):
        return await probe.readings(), await probe.dead_letters_a_minute()
