"""Puts the simulation's clock, clients and process end in place of the real ones."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from sinks import patience, runner
from streams import exit as ending
from streams import lanes, marks, partition, tables, watchdog
from tests.simulation.clients import SimulatedConsumer, SimulatedProducer
from tests.simulation.poison import Quiet, rules_that_break

MODULES: tuple[Any, ...] = (partition, lanes, marks, tables, watchdog, ending, runner, patience)
BATCH_BYTES = 3_000
PENDING_AT_MOST = 8


class _Time:
    """Module `time`, told by the running loop."""

    @staticmethod
    def time() -> float:
        return asyncio.get_running_loop().time()

    monotonic = perf_counter = time

    @staticmethod
    def time_ns() -> int:
        return int(asyncio.get_running_loop().time() * 1_000_000_000)


def _end_process(reason: str, error: BaseException | None = None) -> None:
    asyncio.get_running_loop().world.end_process(reason, error)  # type: ignore[attr-defined]


_NO_THREADS = SimpleNamespace(
    Event=lambda: SimpleNamespace(set=lambda: None),
    Thread=lambda **_: SimpleNamespace(start=lambda: None),
    get_ident=lambda: 0,
)
_STANDS_FOR = {
    "AIOKafkaProducer": SimulatedProducer,
    "AIOKafkaConsumer": SimulatedConsumer,
    "end_process": _end_process,
    "time": _Time,
    "log": Quiet(),
    "threading": _NO_THREADS,
}


@contextmanager
def simulated() -> Iterator[None]:
    """Run the product on simulated servers and time, with limits small enough to be met."""
    with ExitStack() as stack:
        stack.enter_context(rules_that_break())
        for module in MODULES:
            for name, other in _STANDS_FOR.items():
                if name in vars(module) and (name != "time" or module.time is time):
                    stack.enter_context(patch.object(module, name, other))
        stack.enter_context(patch.object(partition, "MAX_BATCH_BYTES", BATCH_BYTES))
        stack.enter_context(patch.object(runner, "POLL_S", 0.3))
        stack.enter_context(patch.object(partition, "PENDING_AT_MOST", PENDING_AT_MOST))
        yield
