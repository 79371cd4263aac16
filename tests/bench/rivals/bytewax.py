"""Bytewax: quick, and nothing of it is durable."""

from streams.servers.child import Child
from tests.bench.broker import Counter
from tests.bench.rig import PROJECT
from tests.bench.rivals import bytewax_fold
from tests.bench.rivals.environment import PYTHON, absent
from tests.bench.rivals.progress import read_progress
from tests.bench.rounds import Engine, Running, Work


class Bytewax(Engine):
    """A stateful map over its Kafka source, one worker."""

    name = "bytewax"
    title = "Bytewax 0.21.1"
    guarantee = "none: no recovery, no changelog"
    setup = "stateful map, decoding by batches of 1,000 (default), one worker; no output topic"
    counted_by = "itself"

    def missing(self) -> str:
        return absent()

    async def start(self, work: Work, counter: Counter) -> Running:
        home = work.directory / work.name
        home.mkdir()
        progress = home / "progress"
        arguments = [work.kafka, work.topic, str(progress)]
        command = [str(PYTHON), "-m", bytewax_fold.__name__, *arguments]
        child = Child.start(home, self.name, command, cwd=PROJECT)

        async def count() -> int:
            return read_progress(progress)

        return Running(child, count)


BYTEWAX = Bytewax()
