"""Benchmark `gateway`: batches of 100 events through the real gateway, against mere forwarding.

The gateway checks, names, seals and writes each event to its customer's partition; the forwarder
(`forwarding.py`) is the same server that puts a request's bytes into the log as they are, and,
as `ratio_forwarding_records`, splits the batch and forwards each event as a record of its own, as
any gateway must whose log is read by the event. Each runs as one process, in turns, fed by the same
connections with the same bodies of the invented shop.
"""

import asyncio
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

import orjson

from models.clock import DAY_MS
from streams import topics
from streams.replay.history import Arrival
from streams.replay.simulated_shop import SimulatedShop
from streams.secrets import load_secrets
from streams.servers.ports import free_port
from streams.settings import Settings
from tests.bench.closed_loop import ClosedLoop, request_of
from tests.bench.histories import FIRST_DAY, SEED
from tests.bench.installations import prepare, role, until_answering
from tests.bench.rig import CannotRun, Options, median, servers, settings, spread, start_module

MUST = [("ratio_forwarding", ">=", 0.4), ("events_per_s", ">=", 10_000)]
EVENTS_PER_REQUEST = 100
PEOPLE, DAYS = 1_000, 20
SMALL_PEOPLE, SMALL_DAYS = 50, 10
OURS, THEIRS, RECORDS = "gateway", "forwarding", "forwarding_records"


def run(options: Options) -> dict[str, Any]:
    """Measure both in turns."""
    people, days = (SMALL_PEOPLE, SMALL_DAYS) if options.small else (PEOPLE, DAYS)
    shop = SimulatedShop(
        seed=SEED,
        customers=options.customers or people,
        days=days,
        start_ms=FIRST_DAY * DAY_MS,
    )
    bodies = [one.body for one in shop.arrivals() if isinstance(one, Arrival)]
    with servers() as running, ExitStack() as stack:
        chosen = settings(running, "gateway", gateway_port=free_port())
        load_secrets(chosen)
        asyncio.run(prepare(chosen))
        asyncio.run(prepare(_forwarded(chosen)))
        stack.enter_context(role(chosen, "gateway"))
        port = free_port()
        _start_forwarding(chosen, port, stack)
        write_key = chosen.write_key.get_secret_value()
        requests = _requests("/v1/batch", bodies, write_key)
        loops = {
            OURS: ClosedLoop(chosen.gateway_port, requests),
            THEIRS: ClosedLoop(port, requests),
            RECORDS: ClosedLoop(port, _requests("/v1/records", bodies, write_key)),
        }
        rounds = asyncio.run(_rounds(loops, (chosen.gateway_port, port), options))
    speeds = {name: [one[name] for one in rounds] for name in loops}
    return {
        "events_per_s": round(median(speeds[OURS])),
        "ratio_forwarding": _ratio(rounds, THEIRS),
        "ratio_forwarding_records": _ratio(rounds, RECORDS),
        "forwarding_events_per_s": round(median(speeds[THEIRS])),
        "forwarding_records_events_per_s": round(median(speeds[RECORDS])),
        "spread": round(spread(speeds[OURS]), 3),
        "bytes_per_event": round(sum(map(len, requests)) / len(requests) / EVENTS_PER_REQUEST),
        "rounds": rounds,
    }


def _forwarded(chosen: Settings) -> Settings:
    """Topics of the same kinds for the forwarder."""
    return chosen.model_copy(update={"namespace": "forwarding-"})


def _start_forwarding(chosen: Settings, port: int, stack: ExitStack) -> None:
    named = _forwarded(chosen).named
    child = start_module(
        chosen,
        "tests.bench.forwarding",
        *(str(port), named(topics.EVENTS), named(topics.DEAD_LETTERS)),
        name="forwarding-1",
    )
    stack.callback(child.stop, 10.0)


def _ratio(rounds: Sequence[dict[str, float]], other: str) -> float:
    return round(median([one[OURS] / one[other] for one in rounds]), 3)


def _requests(path: str, bodies: Sequence[Any], write_key: str) -> list[bytes]:
    """Whole requests of 100 bodies each; what is left over at the end is left out."""
    starts = range(0, len(bodies) - EVENTS_PER_REQUEST + 1, EVENTS_PER_REQUEST)
    contents = [
        orjson.dumps({"batch": bodies[start : start + EVENTS_PER_REQUEST]}) for start in starts
    ]
    return [request_of(path, write_key, content) for content in contents]


async def _rounds(
    loops: dict[str, ClosedLoop], ports: tuple[int, int], options: Options
) -> list[dict[str, float]]:
    for port in ports:
        await until_answering(f"http://127.0.0.1:{port}/readyz")
    rounds = []
    for number in range(options.rounds):
        names = list(loops) if number % 2 == 0 else list(reversed(loops))
        found = {}
        for name in names:
            try:
                await loops[name].run(options.warm_s / 2)
                found[name] = await loops[name].run(options.window_s) * EVENTS_PER_REQUEST
            except (RuntimeError, OSError, EOFError) as error:
                raise CannotRun(f"{name}: {error}") from error
            options.say(f"round {number + 1}: {name} {found[name]:,.0f} events/s")
        rounds.append({name: round(found[name]) for name in loops})
    return rounds
