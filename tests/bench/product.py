"""Benchmark `product`: the whole product against its rivals' bare folds, in the same rounds.

The worker folds the invented shop's history (about 370 bytes an event: views, carts, orders with
lines, complaints, receipts, a mark an hour) with all that belongs to it, by a playbook of all ready
packs, and beside it the same log without a playbook (`--no-packs`: that alone). The rivals count,
sum and remember the last time of 5,000 customers over purchases of 150 bytes, and no more; so the
ratio says what the product costs compared with no product at all.
"""

import asyncio
from typing import Any

from tests.bench.purchases import filled
from tests.bench.rig import Options, servers
from tests.bench.rivals.kafka_streams import KAFKA_STREAMS
from tests.bench.rivals.quix import QUIX
from tests.bench.rounds import Engine, Work, ratio, rounds_of, summary
from tests.bench.shop import opened
from tests.bench.worker_engine import WorkerEngine

MUST = [("ratio_quix", ">=", 1.5), ("ratio_kafka_streams", ">=", 0.7)]
# More than a rival here folds in a second, so that none comes to the end of the topic.
PURCHASES_PER_S = 150_000
BUYERS = 5_000
WITHOUT = "without_playbook"


def run(options: Options) -> dict[str, Any]:
    """Measure the product and its rivals in turns."""
    shop = opened(options.small, options.customers, packs=options.packs)
    options.say(f"{shop.records} records of {shop.customers} customers are at hand")
    with servers() as running:
        seconds = options.warm_s + options.window_s
        bare = filled(running, int(seconds * PURCHASES_PER_S), BUYERS)
        own = Work(running.kafka, "", shop.records, bare.partitions, running.directory)
        ours = [WorkerEngine(shop, packs=packs) for packs in (True, False)[not options.packs :]]
        product = ours[0]
        contestants: list[tuple[Engine, Work]] = [
            *((engine, own) for engine in ours),
            (QUIX, bare),
            (KAFKA_STREAMS, bare),
        ]
        rounds = asyncio.run(rounds_of(contestants, options))
    engines = summary([engine for engine, _ in contestants], rounds)
    figures = {
        "events_per_s": engines[0]["events_per_s"],
        "ratio_quix": ratio(rounds, product.name, QUIX.name),
        "ratio_kafka_streams": ratio(rounds, product.name, KAFKA_STREAMS.name),
        "ratio_without_playbook": ratio(rounds, product.name, WITHOUT) if options.packs else None,
    }
    return {
        **{name: figure for name, figure in figures.items() if figure is not None},
        "customers": shop.customers,
        "engines": engines,
        "rounds": rounds,
    }
