"""A broker in memory and partitions that die: the lane's own logic, without servers."""

import os
import random
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable
from typing import Any

from streams import topics
from streams.fold import Fold, Interval
from streams.partition import LanePartition, LaneSpec
from tests.builders import Record, listed

SEED = int(os.environ.get("SIMULATION_SEED", "20170101"))


async def seen_in(
    schedules: int, check: Callable[[int, Counter[str]], Awaitable[None]]
) -> Counter[str]:
    """Check so many schedules and count what was seen in them; says which seed fails."""
    seen: Counter[str] = Counter()
    for seed in range(SEED, SEED + schedules):
        try:
            await check(seed, seen)
        except BaseException:
            print(f"seed {seed}")
            raise
    return seen


class Died(Exception):
    """The process ended, before or after the broker took its transaction."""


class Broker:
    """Logs by (topic, partition), and committed offsets; a transaction is all or nothing."""

    def __init__(self) -> None:
        self.logs: dict[tuple[str, int], list[Record]] = defaultdict(list)
        self.committed: dict[int, int] = defaultdict(int)

    def append(self, topic: str, partition: int, key: bytes | None, value: bytes | None) -> None:
        log = self.logs[topic, partition]
        log.append(Record(len(log), value, key=key, timestamp=len(log), partition=partition))

    def commit(self, partition: int, interval: Interval, offset: int) -> None:
        for key, row in interval.rows:
            self.append(topics.CUSTOMERS, partition, key, row)
        for topic, key, value, place in listed(interval.outputs):
            self.append(topic, partition if place is None else place, key, value)
        self.committed[partition] = offset

    def values(self, topic: str, partition: int) -> list[bytes]:
        return [record.value or b"" for record in self.logs[topic, partition]]

    def rows(self, partition: int) -> dict[bytes, bytes | None]:
        return {r.key or b"": r.value for r in self.logs[topics.CUSTOMERS, partition]}

    def lag(self, partition: int) -> int:
        return len(self.logs[topics.EVENTS, partition]) - self.committed[partition]


def serverless_spec() -> LaneSpec:
    """The customers' lane without a broker."""
    return LaneSpec(
        bootstrap="",
        group="",
        source=topics.EVENTS,
        changelog=topics.CUSTOMERS,
        transactional_prefix="",
        commit_interval_ms=0,
    )


class SimulatedPartition(LanePartition):
    """A lane's partition whose transactions go to the broker in memory, or die on the way."""

    def __init__(self, broker: Broker, partition: int, fold: Fold, chance: random.Random) -> None:
        super().__init__(serverless_spec(), partition, fold)
        self._broker = broker
        self._chance = chance
        self.dies_with_chance = 0.0
        for record in broker.logs[topics.CUSTOMERS, partition]:
            fold.restore(record.key or b"", record.value)
        fold.restored()
        self._began = self.position = self.next_offset = broker.committed[partition]

    async def _send(self, interval: Interval, offset: int) -> None:
        if self._chance.random() < self.dies_with_chance:
            raise Died
        self._broker.commit(self.partition, interval, offset)
        if self._chance.random() < self.dies_with_chance:
            raise Died

    async def work(self) -> None:
        """Fetch some records, fold them, and perhaps commit."""
        log = self._broker.logs[topics.EVENTS, self.partition]
        count = self._chance.choice((1, 2, 3, 7, 20))
        # Now and then a fetch brings what this owner folded already.
        start = max(self._began, self.position - self._chance.choice((0, 0, 0, 2)))
        records: list[Any] = log[start : self.position + count]
        if records:
            await self.take(records)
            self.position = records[-1].offset + 1
        if self._chance.random() < 0.5:
            await self.flush()


class Owners:
    """One owner per partition; who dies is followed by another."""

    def __init__(
        self,
        broker: Broker,
        partitions: int,
        make_fold: Callable[[int], Fold],
        chance: random.Random,
    ) -> None:
        self._broker = broker
        self._make_fold = make_fold
        self._chance = chance
        self.deaths = 0
        self._owners = [self._recovered(partition) for partition in range(partitions)]

    def _recovered(self, partition: int) -> SimulatedPartition:
        fold = self._make_fold(partition)
        return SimulatedPartition(self._broker, partition, fold, self._chance)

    async def work(self, *, dies_with_chance: float) -> None:
        """Let one owner work, and die of it perhaps."""
        at = self._chance.randrange(len(self._owners))
        owner = self._owners[at]
        owner.dies_with_chance = dies_with_chance
        try:
            await owner.work()
            if self._chance.random() < dies_with_chance:
                raise Died
        except Died:
            self.deaths += 1
            self._owners[at] = self._recovered(at)

    async def drain(self) -> None:
        """Work without accidents until nothing is left, or for ever: that fails the test."""
        partitions = range(len(self._owners))
        for _ in range(5_000):
            if not any(self._broker.lag(partition) for partition in partitions):
                return
            await self.work(dies_with_chance=0.0)
        raise AssertionError("something goes round without end")
