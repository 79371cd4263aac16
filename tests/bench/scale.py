"""Benchmark `scale`: what an event costs with one and with two workers, and 200 on paper.

On two cores two workers can't be twice as fast beside the broker, so what is compared is CPU time:
seconds of the workers an event, which must not grow with the number of workers. A third run spreads
the same log over more partitions: more transactions, each with fewer events. What an event costs
where two share the log gives a model of many workers, each with a core's events and four partitions
of its own.
"""

import asyncio
from contextlib import ExitStack
from typing import Any, NamedTuple

import psutil
from aiohttp import ClientSession
from prometheus_client.parser import text_string_to_metric_families

from streams.servers.child import Child
from streams.servers.ports import free_port, is_free
from streams.settings import Settings
from tests.bench.broker import Counter
from tests.bench.installations import folded_by, prepare, role, until_answering, until_ready
from tests.bench.rig import Options, Servers, median, servers, settings
from tests.bench.shop import Shop, opened
from tests.bench.speed import first_change, require_life, window

MUST = [("cpu_ratio_two_workers", "<=", 1.1)]
PARTITIONS, MORE_PARTITIONS = 4, 16
SMALL_CUSTOMERS = 3_000
WORKERS_ON_PAPER = (1, 2, 10, 50, 200)
BUSY = 0.8
_RECORDS = "huitou_worker_records_total"
_COMMITS = "huitou_worker_transactions_total"


class Cost(NamedTuple):
    """What one window took: CPU seconds of the workers and of the broker, and what was done."""

    seconds: float
    records: float
    commits: float
    worker_cpu_s: float
    broker_cpu_s: float

    @property
    def worker_us(self) -> float:
        """CPU microseconds of the workers an event."""
        return self.worker_cpu_s * 1e6 / self.records

    @property
    def broker_us(self) -> float:
        """CPU microseconds of the broker an event."""
        return self.broker_cpu_s * 1e6 / self.records


class Trial(NamedTuple):
    """One way to spread the log."""

    name: str
    workers: int
    partitions: int


ONE = Trial("one_worker", 1, PARTITIONS)
TWO = Trial("two_workers", 2, PARTITIONS)
SPREAD = Trial("more_partitions", 1, MORE_PARTITIONS)
TRIALS = (ONE, TWO, SPREAD)


def run(options: Options) -> dict[str, Any]:
    """Measure the trials in turns, then reckon."""
    shop = opened(options.small, options.customers or (SMALL_CUSTOMERS if options.small else None))
    rounds: list[dict[str, Cost]] = []
    with servers() as running:
        for number in range(options.rounds):
            trials = TRIALS if number % 2 == 0 else TRIALS[::-1]
            found = {}
            for trial in trials:
                cost = _measured(trial, number, shop, running, options)
                found[trial.name] = cost
                options.say(f"round {number + 1}: {trial.name} {cost.worker_us:.1f} µs an event")
            rounds.append(found)
    return _figures(rounds)


def _measured(trial: Trial, number: int, shop: Shop, running: Servers, options: Options) -> Cost:
    chosen = settings(
        running,
        f"scale-{number}-{trial.name.replace('_', '-')}",
        partitions=trial.partitions,
        metrics_port=_ports_in_a_row(trial.workers),
    )
    spread = Shop(shop.hours, shop.people, shop.copies, trial.partitions)
    asyncio.run(prepare(chosen, spread.log()))
    with ExitStack() as stack:
        children = [
            stack.enter_context(role(chosen, "worker", one + 1)) for one in range(trial.workers)
        ]
        return asyncio.run(_cost(chosen, children, options))


def _ports_in_a_row(count: int) -> int:
    """The first of so many free ports: each worker tells its numbers on the next one."""
    while True:
        first = free_port()
        if all(is_free(first + number) for number in range(1, count)):
            return first


async def _cost(chosen: Settings, children: list[Child], options: Options) -> Cost:
    for number, child in enumerate(children, 1):
        await until_ready(chosen, child, number=number)
        await until_answering(_metrics_url(chosen, number - 1))
    async with Counter(chosen.kafka_bootstrap) as counter:
        progress = folded_by(counter, chosen)
        await first_change(progress, children[0], 0)
        await asyncio.sleep(0.0 if options.small else options.warm_s)
        broker_s = _broker_cpu_s()
        before = [await _standing(chosen, *one) for one in enumerate(children)]
        found = await window(progress, children[0], 0.0, options.window_s)
        after = [await _standing(chosen, *one) for one in enumerate(children)]
        broker_s = _broker_cpu_s() - broker_s
    for child in children:
        require_life(child)
    done = [
        tuple(now - then for then, now in zip(*both, strict=True))
        for both in zip(before, after, strict=True)
    ]
    records, commits, worker_s = (sum(column) for column in zip(*done, strict=True))
    return Cost(found.ended_s - found.began_s, records, commits, worker_s, broker_s)


def _metrics_url(chosen: Settings, number: int) -> str:
    return f"http://127.0.0.1:{chosen.metrics_port + number}/metrics"


async def _standing(chosen: Settings, number: int, child: Child) -> tuple[float, float, float]:
    """Records a worker has folded, transactions it has committed, CPU seconds it has taken."""
    url = _metrics_url(chosen, number)
    async with ClientSession() as session, session.get(url) as response:
        page = await response.text()
    found = {
        sample.name: sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
        if sample.labels.get("outcome", "committed") == "committed"
    }
    return found[_RECORDS], found[_COMMITS], sum(psutil.Process(child.pid).cpu_times()[:2])


def _broker_cpu_s() -> float:
    """CPU seconds of the Java processes that this process has started."""
    children = psutil.Process().children(recursive=True)
    return sum(sum(one.cpu_times()[:2]) for one in children if "java" in one.name())


def _figures(rounds: list[dict[str, Cost]]) -> dict[str, Any]:
    costs = {trial.name: [one[trial.name] for one in rounds] for trial in TRIALS}
    per_event = {name: median([one.worker_us for one in found]) for name, found in costs.items()}
    shared = summed(costs[TWO.name])
    return {
        "cpu_ratio_two_workers": round(per_event[TWO.name] / per_event[ONE.name], 3),
        **{f"cpu_us_{name}": round(value, 2) for name, value in per_event.items()},
        **{
            f"events_per_s_{name}": round(median([one.records / one.seconds for one in found]))
            for name, found in costs.items()
        },
        "broker_cpu_us_two_workers": round(shared.broker_us, 2),
        "events_per_transaction": round(shared.records / shared.commits),
        "on_paper": [on_paper(workers, shared) for workers in WORKERS_ON_PAPER],
        "rounds": [
            {name: round(cost.worker_us, 2) for name, cost in one.items()} for one in rounds
        ],
    }


def summed(costs: list[Cost]) -> Cost:
    """Several windows as one."""
    return Cost(*(sum(column) for column in zip(*costs, strict=True)))


def on_paper(workers: int, shared: Cost) -> dict[str, Any]:
    """Reckon an installation of so many workers, each busy for BUSY of a core.

    Partitions know nothing of each other, so an event costs what it cost where two workers shared
    the log, and transactions hold as many events. `broker_cores` says how many cores of brokers
    that asks for.
    """
    events_per_s = workers * BUSY * 1e6 / shared.worker_us
    return {
        "workers": workers,
        "partitions": workers * PARTITIONS,
        "events_per_s": round(events_per_s),
        "transactions_per_s": round(events_per_s * shared.commits / shared.records),
        "broker_cores": round(events_per_s * shared.broker_us / 1e6, 1),
    }
