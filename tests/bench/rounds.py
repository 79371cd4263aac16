"""Engines measured in turns: warm-up, window, the next; then the next round in another order.

An engine is an `Engine` of this file; the rivals in `tests/bench/rivals` are, and the product's
own lane in `fold.py` is.
"""

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import psutil

from streams.servers.child import Child
from tests.bench.broker import Counter, create_topics, delete_topics
from tests.bench.rig import CannotRun, Options, median

FIRST_PROGRESS_WITHIN_S = 180.0
LOOK_EVERY_S = 0.1
CHANGES_AT_LEAST = 2
PATIENCE_S = 30.0
WARM_MOST_S = 60.0
CPU = "_cpu_us_per_event"


@dataclass(frozen=True)
class Work:
    """A topic to fold. `name` is new for every run: group, output, changelog and files bear it."""

    kafka: str
    topic: str
    events: int
    partitions: int
    directory: Path
    name: str = "run"

    def renewed(self, engine: str) -> "Work":
        """The same work under a name nobody has used."""
        name = f"{engine}-{uuid4().hex[:8]}"
        return Work(self.kafka, self.topic, self.events, self.partitions, self.directory, name)

    @property
    def output(self) -> str:
        """Topic of the results; it is there when the engine starts."""
        return f"{self.name}-output"

    @property
    def changelog(self) -> str:
        """Topic of the rows, for an engine that may name it; the engine makes it."""
        return f"{self.name}-changelog"


class Running:
    """An engine at work: `count` gives the events it has done."""

    def __init__(self, child: Child, count: Callable[[], Awaitable[int]]) -> None:
        self.child = child
        self.progress = count

    def cpu_s(self) -> float:
        """Processor time it has used so far."""
        times = psutil.Process(self.child.pid).cpu_times()
        return float(times.user + times.system)

    async def stop(self) -> None:
        """End it."""
        await asyncio.to_thread(self.child.stop, 10.0)


class Reading(NamedTuple):
    """What one window showed."""

    events_per_s: float
    cpu_us_per_event: float

    def __str__(self) -> str:
        return f"{self.events_per_s:,.0f} events/s, {self.cpu_us_per_event:.1f} CPU µs each"


class Step(NamedTuple):
    """The count when it moved, and the processor time used until then."""

    at_s: float
    events: int
    cpu_s: float


class Engine(ABC):
    """Something that folds a topic: count, sum and last time of each customer.

    `guarantee`, `setup` and `counted_by` stand in the table of results. Its window does not begin
    before `warm_events`, within reason.
    """

    name: str
    title: str
    guarantee: str
    setup: str
    counted_by: str
    warm_events: int = 0

    def missing(self) -> str:
        """Why it can't run here; empty when it can."""
        return ""

    @abstractmethod
    async def start(self, work: Work, counter: Counter) -> Running:
        """Begin at the start of the topic."""

    def facts(self) -> dict[str, str]:
        """What the table says about it."""
        return {
            "engine": self.title,
            "guarantee": self.guarantee,
            "setup": self.setup,
            "counted_by": self.counted_by,
        }


async def rounds_of(
    contestants: Sequence[tuple[Engine, Work]], options: Options
) -> list[dict[str, float]]:
    """Let each engine run once a round, every second round backwards.

    A round holds under the engine's name its events/s, and under `<name>_cpu_us_per_event` what its
    own process used (the broker's share is not in it). Engines that are `missing` are left out, and
    a rival that dies or does nothing is left out of that round, which is said. CannotRun when it is
    the first of them, ours.
    """
    able = [(engine, work) for engine, work in contestants if not engine.missing()]
    rounds = []
    for number in range(options.rounds):
        found: dict[str, float] = {}
        for engine, work in able if number % 2 == 0 else reversed(able):
            try:
                reading = await measured(engine, work, options)
            except CannotRun as error:
                if engine is contestants[0][0]:
                    raise
                options.say(f"round {number + 1}: left out: {error}")
                continue
            found[engine.name] = round(reading.events_per_s)
            found[f"{engine.name}{CPU}"] = round(reading.cpu_us_per_event, 2)
            options.say(f"round {number + 1}: {engine.title}, {engine.guarantee}: {reading}")
        rounds.append(found)
    return rounds


async def measured(engine: Engine, work: Work, options: Options) -> Reading:
    """Speed and processor time of one engine in one window after its warm-up."""
    mine = work.renewed(engine.name)
    await create_topics(work.kafka, [mine.output], mine.partitions)
    async with Counter(work.kafka) as counter:
        running = await engine.start(mine, counter)
        try:
            return await _rate(engine, running, mine, options)
        finally:
            await running.stop()
            await delete_topics(work.kafka, mine.name)


async def _rate(engine: Engine, running: Running, work: Work, options: Options) -> Reading:
    await _until_begun(engine, running)
    await _warm(engine, running, options)
    steps = await _steps(engine, running, work, options)
    first, last = steps[0], steps[-1]
    if last.events == first.events:
        raise CannotRun(
            f"{engine.title} was at the end of the {work.events} events before its window was "
            "over: a longer topic or a shorter warm-up is needed"
        )
    events = last.events - first.events
    cpu_us = (last.cpu_s - first.cpu_s) * 1e6
    return Reading(events / (last.at_s - first.at_s), cpu_us / events)


async def _until_begun(engine: Engine, running: Running) -> None:
    deadline = time.monotonic() + FIRST_PROGRESS_WITHIN_S
    while await running.progress() == 0:
        _require_life(engine, running)
        if time.monotonic() > deadline:
            raise CannotRun(f"{engine.title} did nothing:\n{running.child.last_words()}")
        await asyncio.sleep(LOOK_EVERY_S)


async def _warm(engine: Engine, running: Running, options: Options) -> None:
    """For the time that was asked for, and for a JVM until its compiler has seen enough."""
    await asyncio.sleep(options.warm_s)
    deadline = time.monotonic() + (0.0 if options.small else WARM_MOST_S)
    while await running.progress() < engine.warm_events and time.monotonic() < deadline:
        _require_life(engine, running)
        await asyncio.sleep(LOOK_EVERY_S)


async def _steps(engine: Engine, running: Running, work: Work, options: Options) -> list[Step]:
    """Every move of the count within the window.

    From step to step: an engine that commits every few seconds is neither given nor robbed of the
    part of an interval that the window's edges cut off.
    """
    began = time.monotonic()
    before = await running.progress()
    steps: list[Step] = []
    while before < work.events:
        elapsed_s = time.monotonic() - began
        enough = len(steps) >= CHANGES_AT_LEAST
        if elapsed_s > (options.window_s if enough else options.window_s + PATIENCE_S):
            break
        await asyncio.sleep(LOOK_EVERY_S)
        _require_life(engine, running)
        now = await running.progress()
        if now != before:
            steps.append(Step(time.monotonic(), now, running.cpu_s()))
            before = now
    if not steps:
        raise CannotRun(f"{engine.title} stood still:\n{running.child.last_words()}")
    return steps


def _require_life(engine: Engine, running: Running) -> None:
    if not running.child.is_alive():
        code = running.child.exit_code
        raise CannotRun(f"{engine.title} ended with code {code}:\n{running.child.last_words()}")


def ratio(rounds: list[dict[str, float]], ours: str, theirs: str) -> float | None:
    """Median over the rounds of how many times faster `ours` was; None when one did not run."""
    both = [one for one in rounds if ours in one and theirs in one]
    return round(median([one[ours] / one[theirs] for one in both]), 2) if both else None


def summary(engines: Sequence[Engine], rounds: list[dict[str, float]]) -> list[dict[str, Any]]:
    """A row per engine: what it promises, how it was set up, its median and extremes."""
    rows: list[dict[str, Any]] = []
    for engine in engines:
        speeds = [one[engine.name] for one in rounds if engine.name in one]
        row: dict[str, Any] = dict(engine.facts())
        if speeds:
            row |= {
                "events_per_s": round(median(speeds)),
                "lowest_events_per_s": round(min(speeds)),
                "highest_events_per_s": round(max(speeds)),
                "cpu_us_per_event": median([one[engine.name + CPU] for one in rounds]),
            }
        else:
            row["skipped"] = engine.missing() or "it failed in every round"
        rows.append(row)
    return rows
