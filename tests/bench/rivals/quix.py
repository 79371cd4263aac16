"""Quix Streams, the closest rival in Python, at both of its guarantees."""

from streams.servers.child import Child
from tests.bench.broker import Counter
from tests.bench.rig import PROJECT
from tests.bench.rivals import quix_fold
from tests.bench.rivals.environment import PYTHON, absent
from tests.bench.rounds import Engine, Running, Work

VERSION = "3.28.1"


class Quix(Engine):
    """A stateful data frame with a changelog and an output topic."""

    def __init__(self, name: str, guarantee: str, setup: str) -> None:
        self.name = name
        self.title = f"Quix Streams {VERSION}"
        self.guarantee = guarantee
        self.setup = setup
        self._exactly_once = guarantee == "exactly once"
        self.counted_by = (
            "committed source offsets" if self._exactly_once else "records in the output topic"
        )

    def missing(self) -> str:
        return absent()

    async def start(self, work: Work, counter: Counter) -> Running:
        home = work.directory / work.name
        home.mkdir()
        command = [
            str(PYTHON),
            "-m",
            quix_fold.__name__,
            *(work.kafka, work.name, work.topic, work.output, str(home / "state")),
            "exactly-once" if self._exactly_once else "at-least-once",
        ]
        child = Child.start(home, self.name, command, cwd=PROJECT)
        if self._exactly_once:
            return Running(child, lambda: counter.committed(work.name, work.topic))
        return Running(child, lambda: counter.ends(work.output, work.partitions))


SETUP = "stateful apply on RocksDB, changelog, output; commits every 5 s (default)"
QUIX = Quix("quix", "at least once", SETUP)
QUIX_EOS = Quix("quix_eos", "exactly once", SETUP)
