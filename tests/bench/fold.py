"""`fold`: count, sum and last time of each customer, the product's lane against its rivals.

All on one broker, one topic, the same partitions and events, one process each, in turns. Ours is
exactly once; the targets hold it against the rivals' weaker guarantees.
"""

import asyncio
from typing import Any

from tests.bench.lane_engine import LANE
from tests.bench.purchases import filled
from tests.bench.rig import Options, Target, servers
from tests.bench.rivals.line_up import ALL
from tests.bench.rounds import ratio, rounds_of, summary

FEW, MANY = 5_000, 500_000
# More than any engine here folds in a second, so that none comes to the end of the topic.
EVENTS_PER_S_AT_MOST = 300_000


def _few(options: Options) -> bool:
    return (options.customers or FEW) < MANY


def _many(options: Options) -> bool:
    return not _few(options)


MUST = [
    Target("ratio_quix", ">=", 5.0, _few),
    Target("ratio_kafka_streams", ">=", 2.0, _few),
    Target("ratio_bytewax", ">=", 1.5, _few),
    Target("ratio_quix", ">=", 3.0, _many),
]


def run(options: Options) -> dict[str, Any]:
    customers = options.customers or FEW
    events = int((options.warm_s + options.window_s) * EVENTS_PER_S_AT_MOST)
    engines = [LANE, *ALL]
    with servers() as running:
        options.say(f"writing {events:,} purchases of {customers:,} customers")
        work = filled(running, events, customers)
        rounds = asyncio.run(rounds_of([(engine, work) for engine in engines], options))
    table = summary(engines, rounds)
    ratios = {
        f"ratio_{rival.name}": found
        for rival in ALL
        if (found := ratio(rounds, LANE.name, rival.name)) is not None
    }
    return {
        "customers": customers,
        "events_per_s": table[0]["events_per_s"],
        **ratios,
        "rounds": rounds,
        "engines": table,
    }
