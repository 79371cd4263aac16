"""Faust as its documentation advises, without the lane."""

import sys

from streams.servers.child import Child
from tests.bench.broker import Counter
from tests.bench.rig import PROJECT
from tests.bench.rounds import Engine, Running, Work


class PlainFaust(Engine):
    """An agent that writes a table."""

    name = "faust"
    title = "Faust 0.15.3"
    guarantee = "at least once"
    setup = "agent and table in memory, changelog; commits every 2.8 s (default); no output topic"
    counted_by = "committed source offsets"

    async def start(self, work: Work, counter: Counter) -> Running:
        home = work.directory / work.name
        home.mkdir()
        arguments = [work.kafka, work.name, work.topic, str(home), str(work.partitions)]
        # By name: importing it would put a Faust record type into this process for nothing.
        command = [sys.executable, "-m", "tests.bench.rivals.faust_fold", *arguments]
        child = Child.start(home, self.name, command, cwd=PROJECT)
        return Running(child, lambda: counter.committed(work.name, work.topic))


FAUST = PlainFaust()
