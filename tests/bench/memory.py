"""Benchmark `memory`: a million customers in one worker, against ten thousand.

Both worlds are new installations in each round, with a playbook of all ready packs (`--no-packs`:
without): rows in the changelog, the hours after in the log. A worker recovers the rows and folds
on, in turns with the other world's. What is measured is whole days of the log, from the first
hour's mark on, however long that takes: of many the first day, of few that week, for they fold a
day faster than its transactions can be told apart. The windows differ, so the ratio is not quite
of like with like (.67 customers are due an event on that day, .58 over the four days from it on). A
window of some seconds would not do: for a million it is an hour or less, and at night there are
hours with ninety times as many timers an event as the day has (all that quiet hours held in half
the countries goes out at nine), where for ten thousand it is weeks. Copies live by one clock, as
the customers of a shop do: what is due for everybody of a country at once is due so here.

A customer's memory is what the one process holds at the end of a window beyond the other, by the
customers it knows beyond it; names that were merged into customers are not counted as customers,
but weigh. A pause is the longest time between two appends to the facts, over all partitions, within
a window.
"""

import asyncio
from contextlib import ExitStack
from typing import Any

import psutil

from streams.servers.child import Child
from streams.settings import Settings
from tests.bench.broker import Counter, delete_topics
from tests.bench.crowd import PARTITIONS, Crowd, crowd
from tests.bench.installations import folded_by, prepare, role, until_ready
from tests.bench.pauses import longest_pause_ms
from tests.bench.rig import Options, Servers, median, servers, settings
from tests.bench.speed import Window, first_change, window_between

MUST = [
    ("bytes_per_customer", "<=", 2_048),
    ("throughput_ratio", ">=", 0.85),
    ("longest_pause_ms", "<=", 250),
]
PEOPLE, DAYS, HOURS_OF_MANY, HOURS_OF_FEW = 5_000, 45, 24, 168
SMALL_PEOPLE, SMALL_DAYS, SMALL_HOURS = 50, 15, 96
MANY, FEW = 1_000_000, 10_000
SMALL_MANY, SMALL_FEW = 2_000, 1_000
WARM_HOURS, SPARE_HOURS = 1, 1


class World:
    """A crowd in an installation of its own, and what was measured of it."""

    def __init__(self, name: str, crowd_of: Crowd, hours: int, running: Servers) -> None:
        self.name = name
        self.crowd = crowd_of
        self.hours = hours
        self._running = running
        self.windows: list[Window] = []
        self.rss_bytes: list[int] = []
        self.pauses_ms: list[float] = []

    async def measure(self, number: int) -> None:
        """Fill an installation, let a worker recover and fold on, and look."""
        chosen = settings(self._running, f"{self.name}-{number}", partitions=PARTITIONS)
        until = WARM_HOURS + self.hours
        first, last = self.crowd.records_of(WARM_HOURS), self.crowd.records_of(until)
        log = self.crowd.log_of(until + SPARE_HOURS)
        await prepare(chosen, log, self.crowd.changelog())
        async with Counter(chosen.kafka_bootstrap) as counter:
            progress = folded_by(counter, chosen)
            with role(chosen, "worker") as child:
                await first_change(progress, child, 0)
                found = await window_between(progress, child, first, last)
                self.rss_bytes.append(rss_of(child))
        self.windows.append(found)
        self.pauses_ms.append(await longest_pause_ms(chosen, found))
        await delete_topics(chosen.kafka_bootstrap, chosen.namespace)


def run(options: Options) -> dict[str, Any]:
    """Measure both worlds in turns."""
    many = options.customers or (SMALL_MANY if options.small else MANY)
    few = min(many, SMALL_FEW if options.small else FEW)
    people, days, of_few, of_many = (
        (SMALL_PEOPLE, SMALL_DAYS, SMALL_HOURS, SMALL_HOURS)
        if options.small
        else (min(PEOPLE, few), DAYS, HOURS_OF_FEW, HOURS_OF_MANY)
    )
    hours = max(of_few, of_many) + WARM_HOURS + SPARE_HOURS
    one = crowd(people, days, -(-hours // 24), packs=options.packs)
    with servers() as running:
        worlds = [
            World("few", one.sized(few), of_few, running),
            World("many", one.sized(many), of_many, running),
        ]
        empty_bytes = asyncio.run(_empty_bytes(settings(running, "nobody", partitions=PARTITIONS)))
        asyncio.run(_rounds(worlds, options))
    return _figures(worlds, empty_bytes)


async def _rounds(worlds: list[World], options: Options) -> None:
    for number in range(options.rounds):
        for world in worlds if number % 2 == 0 else reversed(worlds):
            await world.measure(number)
            options.say(
                f"round {number + 1}: {world.crowd.customers} customers: "
                f"{world.windows[-1].per_s:,.0f} events/s"
            )


def _figures(worlds: list[World], empty_bytes: int) -> dict[str, Any]:
    few, many = worlds
    grown_bytes = max(many.rss_bytes) - max(few.rss_bytes)
    more_rows = len(many.crowd.rows) * (many.crowd.copies - few.crowd.copies)
    return {
        "bytes_per_customer": round(grown_bytes / (many.crowd.customers - few.crowd.customers)),
        "throughput_ratio": round(
            median(
                [
                    ours.per_s / theirs.per_s
                    for ours, theirs in zip(many.windows, few.windows, strict=True)
                ]
            ),
            3,
        ),
        "longest_pause_ms": round(max(many.pauses_ms)),
        "customers": many.crowd.customers,
        "rows": len(many.crowd.rows) * many.crowd.copies,
        "mean_row_bytes": round(sum(map(len, many.crowd.rows.values())) / len(many.crowd.rows)),
        "bytes_per_row": round(grown_bytes / more_rows),
        "empty_worker_bytes": empty_bytes,
        "events_per_s": round(median([one.per_s for one in many.windows])),
        "events_per_s_few": round(median([one.per_s for one in few.windows])),
        "longest_pause_few_ms": round(max(few.pauses_ms)),
        "rounds": [
            {
                f"{world.name}_{what}": value
                for world in worlds
                for what, value in (
                    ("events_per_s", round(world.windows[number].per_s)),
                    ("rss_bytes", world.rss_bytes[number]),
                    ("longest_pause_ms", round(world.pauses_ms[number])),
                )
            }
            for number in range(len(many.windows))
        ],
    }


async def _empty_bytes(chosen: Settings) -> int:
    """Memory of a worker that knows nobody."""
    await prepare(chosen)
    with ExitStack() as stack:
        child = stack.enter_context(role(chosen, "worker"))
        await until_ready(chosen, child)
        return rss_of(child)


def rss_of(child: Child) -> int:
    """Resident bytes of a role, without the leash it runs on."""
    found = psutil.Process(child.pid)
    return max(one.memory_info().rss for one in (found, *found.children(recursive=True)))
