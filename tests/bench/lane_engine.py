"""The product's lane with the counting fold, as an engine among its rivals."""

from streams.settings import Settings
from streams.topics import CUSTOMERS, TOPICS
from tests.bench import counting_fold
from tests.bench.broker import Counter, create_topics
from tests.bench.rig import start_module
from tests.bench.rounds import Engine, Running, Work

COMMIT_INTERVAL_MS = 50


class LaneEngine(Engine):
    """Runs `tests.bench.counting_fold` in a process of its own."""

    name = "fold"
    title = "Huitou's lane"
    guarantee = "exactly once"
    setup = f"a transaction per partition and {COMMIT_INTERVAL_MS} ms; changelog, output"
    counted_by = "committed source offsets"

    async def start(self, work: Work, counter: Counter) -> Running:
        config = next(topic.config() for topic in TOPICS if topic.name == CUSTOMERS)
        await create_topics(work.kafka, [work.changelog], work.partitions, config)
        dead = f"{work.name}-dead-letters"
        await create_topics(work.kafka, [dead], work.partitions)
        chosen = Settings(
            data_dir=work.directory / work.name,
            kafka=work.kafka,
            namespace=f"{work.name}-",
            commit_interval_ms=COMMIT_INTERVAL_MS,
        )
        child = start_module(
            chosen,
            counting_fold.__name__,
            *(work.topic, work.changelog, work.output, dead),
            name="fold-1",
        )
        group = chosen.named(counting_fold.ROLE)
        return Running(child, lambda: counter.committed(group, work.topic))


LANE = LaneEngine()
