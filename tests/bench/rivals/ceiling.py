"""The bare ceiling: what this machine's Python reaches with nothing but client and dictionary."""

import sys

from streams.servers.child import Child
from tests.bench.broker import Counter, create_topics
from tests.bench.rig import PROJECT
from tests.bench.rounds import Engine, Running, Work

INTERVAL_MS = 50


class Ceiling(Engine):
    """aiokafka, a dictionary, a transaction per partition."""

    name = "ceiling"
    title = "bare aiokafka"
    guarantee = "exactly once, but no recovery and no rebalance"
    setup = f"a transaction per partition and {INTERVAL_MS} ms; changelog, output; uvloop"
    counted_by = "committed source offsets"

    async def start(self, work: Work, counter: Counter) -> Running:
        await create_topics(
            work.kafka, [work.changelog], work.partitions, {"cleanup.policy": "compact"}
        )
        arguments = [work.kafka, work.name, work.topic, work.changelog, work.output]
        command = [
            *(sys.executable, "-m", "tests.bench.rivals.ceiling_fold"),
            *(*arguments, str(work.partitions), str(INTERVAL_MS)),
        ]
        child = Child.start(work.directory / work.name, self.name, command, cwd=PROJECT)
        return Running(child, lambda: counter.committed(work.name, work.topic))


CEILING = Ceiling()
