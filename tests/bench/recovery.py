"""Benchmark `recovery`: a worker is killed with a million rows behind it; the next one takes over.

`recovered_s` runs from the assignment of the partitions to the new owner until it has committed
folded events; `down_s` from the kill (the dead member's session has to run out in between).
"""

import asyncio
import signal
import time
from datetime import datetime
from typing import Any

from streams.servers.child import Child
from tests.bench.broker import Counter
from tests.bench.crowd import PARTITIONS, Crowd, crowd
from tests.bench.installations import folded_by, prepare, role, said
from tests.bench.rig import Options, Servers, median, servers, settings
from tests.bench.speed import first_change

MUST = [("recovered_s", "<=", 15.0)]
ROWS, SMALL_ROWS = 1_000_000, 2_000
PEOPLE, DAYS, DAYS_AFTER = 4_000, 45, 10
SMALL_PEOPLE, SMALL_DAYS, SMALL_DAYS_AFTER = 60, 20, 10
EVENTS = 600_000
SMALL_EVENTS = 80_000
FOLDS_FIRST_S = 2.0


def run(options: Options) -> dict[str, Any]:
    """Kill and look, once a round; `options.customers` is the number of rows."""
    sizes = (
        (SMALL_PEOPLE, SMALL_DAYS, SMALL_DAYS_AFTER)
        if options.small
        else (PEOPLE, DAYS, DAYS_AFTER)
    )
    one = crowd(*sizes)
    rows = options.customers or (SMALL_ROWS if options.small else ROWS)
    everyone = one.sized(-(-rows * one.customers_of_copy // len(one.rows)))
    options.say(f"{len(everyone.rows) * everyone.copies} rows of {everyone.customers} customers")
    with servers() as running:
        rounds = [
            asyncio.run(_round(number, everyone, running, options))
            for number in range(options.rounds)
        ]
    return {name: round(median([one[name] for one in rounds]), 3) for name in rounds[0]} | {
        "rows": len(everyone.rows) * everyone.copies,
        "rounds": rounds,
    }


async def _round(
    number: int, everyone: Crowd, running: Servers, options: Options
) -> dict[str, float]:
    chosen = settings(running, f"recovery-{number}", partitions=PARTITIONS)
    events = SMALL_EVENTS if options.small else EVENTS
    await prepare(chosen, everyone.log(events), everyone.changelog())
    async with Counter(chosen.kafka_bootstrap) as counter:
        progress = folded_by(counter, chosen)
        with role(chosen, "worker") as child:
            await first_change(progress, child, 0)
            await asyncio.sleep(min(FOLDS_FIRST_S, options.window_s))
            _kill(child)
            killed_s = time.time()
        before = await progress()
        with role(chosen, "worker", 2) as heir:
            folding_s = await first_change(progress, heir, before)
            found = _opening(heir)
    figures = {
        "recovered_s": folding_s - found["assigned_s"],
        "rows_per_s": found["rows"] / found["read_s"],
        "down_s": folding_s - killed_s,
        "rows_read": found["rows"],
    }
    options.say(f"round {number + 1}: recovered in {figures['recovered_s']:.2f} s")
    return {name: round(value, 3) for name, value in figures.items()}


def _kill(child: Child) -> None:
    """SIGKILL, as the out-of-memory killer would."""
    child.signal(signal.SIGKILL)
    child.wait(10.0)


def _opening(heir: Child) -> dict[str, float]:
    """When its partitions were assigned, and how long reading their rows took, by its own log."""
    opened = said(heir, "partition opened")
    ends_s = [datetime.fromisoformat(one["timestamp"]).timestamp() for one in opened]
    assigned_s = min(end_s - one["seconds"] for end_s, one in zip(ends_s, opened, strict=True))
    return {
        "assigned_s": assigned_s,
        "read_s": max(ends_s) - assigned_s,
        "rows": sum(one["rows"] for one in opened),
    }
