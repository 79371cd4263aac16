"""Benchmark `replay`: the table made anew from the whole log, against the live worker's speed.

`huitou rebuild` folds the log with effects off, by a process a core, into a fresh topic and
compares it with the live table; its events a second count all of that, from its start as a command
to its end. Live is one worker folding the same log in the same run, with everything it does.
"""

import asyncio
import json
import os
import subprocess
import sys
import time
from typing import Any

from streams.settings import Settings
from tests.bench.broker import Counter
from tests.bench.installations import folded_by, prepare, role
from tests.bench.rig import PROJECT, CannotRun, Options, environment, median, servers, settings
from tests.bench.shop import Shop, opened
from tests.bench.speed import first_change, require_life

MUST = [("ratio_live", ">=", 2.0), ("rows_different", "==", 0)]
LOOK_EVERY_S = 0.05
FOLDED_WITHIN_S = 900.0


def run(options: Options) -> dict[str, Any]:
    """Let a worker fold the log, rebuild from it, in one installation after the other."""
    shop = opened(options.small, options.customers or (None if options.small else 12_000))
    with servers() as running:
        rounds, different = [], 0
        for number in range(options.rounds):
            chosen = settings(running, f"replay-{number}", partitions=shop.partitions)
            live = asyncio.run(_folded_live(chosen, shop))
            found = _rebuilt(chosen)
            different += found["different"] + found["missing"] + found["surplus"]
            rounds.append(_figures(live, found))
            options.say(
                f"round {number + 1}: live {live:,.0f} events/s, "
                f"rebuilt {rounds[-1]['events_per_s']:,.0f}"
            )
    return {
        "ratio_live": round(median([one["ratio_live"] for one in rounds]), 2),
        "events_per_s": round(median([one["events_per_s"] for one in rounds])),
        "live_events_per_s": round(median([one["live_events_per_s"] for one in rounds])),
        "rows_different": different,
        "rounds": rounds,
    }


async def _folded_live(chosen: Settings, shop: Shop) -> float:
    """Fold the whole log with a live worker; records a second from its first commit on."""
    records = await prepare(chosen, shop.log())
    async with Counter(chosen.kafka_bootstrap) as counter:
        progress = folded_by(counter, chosen)
        with role(chosen, "worker") as child:
            began_s = await first_change(progress, child, 0)
            began = await progress()
            deadline = time.monotonic() + FOLDED_WITHIN_S
            while (now := await progress()) < records:
                require_life(child)
                if time.monotonic() > deadline:
                    raise CannotRun(f"{now} of {records} records were folded in time")
                await asyncio.sleep(LOOK_EVERY_S)
            # What merges add to the log comes behind the history; it is not counted.
            return (records - began) / (time.time() - began_s)


def _rebuilt(chosen: Settings) -> dict[str, Any]:
    """Run the command; what it found, and how long all of it took."""
    began = time.monotonic()
    command = [sys.executable, "-m", "streams.cli", "rebuild", "--json"]
    done = subprocess.run(
        command,
        check=False,
        cwd=PROJECT,
        env=environment_of(chosen),
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise CannotRun(f"huitou rebuild ended with {done.returncode}:\n{done.stderr[-2_000:]}")
    found: dict[str, Any] = json.loads(done.stdout)
    return {**found, "command_s": time.monotonic() - began}


def environment_of(chosen: Settings) -> dict[str, str]:
    """The settings, beside what else is in the environment."""
    return {**os.environ, **environment(chosen)}


def _figures(live: float, found: dict[str, Any]) -> dict[str, float]:
    per_s = found["events"] / found["command_s"]
    return {
        "ratio_live": round(per_s / live, 3),
        "events_per_s": round(per_s),
        "live_events_per_s": round(live),
        "command_s": round(found["command_s"], 2),
        "rows_same": found["same"],
    }
