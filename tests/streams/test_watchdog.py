"""What stands still ends the process; what moves, or rests, does not (defects 11 and 19)."""

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from streams import watchdog as watchdog_module
from streams.exit import FAILED
from streams.lanes import Lane, Lanes
from streams.partition import LanePartition, LaneSpec
from streams.watchdog import Watchdog

PROJECT = Path(__file__).parents[2]
PLACE = ("events", 0)
AS_SHIPPED_S = watchdog_module.STUCK_AFTER_S
STUCK_S = 0.15
LONG_S = 5 * STUCK_S


@pytest.fixture(autouse=True)
def ended(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Reasons for which the process would have ended."""
    reasons: list[str] = []
    monkeypatch.setattr(watchdog_module, "end_process", reasons.append)
    monkeypatch.setattr(watchdog_module, "STUCK_AFTER_S", STUCK_S)
    return reasons


def spec() -> LaneSpec:
    return LaneSpec(
        bootstrap="",
        group="",
        source="events",
        changelog="customers",
        transactional_prefix="",
        commit_interval_ms=20,
    )


def lanes_with_a_partition() -> tuple[Lanes, Any]:
    lanes = Lanes([])
    partition = SimpleNamespace(commits=3)
    lanes.open[PLACE] = partition  # type: ignore[assignment]
    lanes.ready.set()
    return lanes, partition


async def behind(topic: str, partition: int) -> bool:
    return False


async def at_the_end(topic: str, partition: int) -> bool:
    return True


@asynccontextmanager
async def watched(
    lanes: Lanes, caught_up: Callable[[str, int], Awaitable[bool]] = behind
) -> AsyncIterator[None]:
    watching = asyncio.create_task(Watchdog(lanes, caught_up).run())
    try:
        yield
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


async def until_it_ends(ended: list[str]) -> None:
    async with asyncio.timeout(5):
        while not ended:
            await asyncio.sleep(0.01)


def test_all_is_noticed_within_a_minute() -> None:
    """Seen first at one look, long enough at another, the consumer slow to answer."""
    assert AS_SHIPPED_S + 3 * watchdog_module.LOOKS_S <= 60


async def test_lag_without_commits_ends_the_process(ended: list[str]) -> None:
    lanes, _ = lanes_with_a_partition()
    async with watched(lanes):
        await until_it_ends(ended)
    assert ended[0].startswith("events[0]: no commit for")


async def test_lag_with_commits_may_last(ended: list[str]) -> None:
    lanes, partition = lanes_with_a_partition()
    async with watched(lanes):
        until = time.monotonic() + LONG_S
        while time.monotonic() < until:
            partition.commits += 1
            await asyncio.sleep(STUCK_S / 10)
    assert ended == []


async def test_a_partition_without_lag_may_rest(ended: list[str]) -> None:
    lanes, _ = lanes_with_a_partition()
    async with watched(lanes, at_the_end):
        await asyncio.sleep(LONG_S)
    assert ended == []


async def test_rest_is_not_held_against_a_partition_when_records_come(ended: list[str]) -> None:
    """Just fetched after hours of nothing: behind for a moment, the last commit long ago."""
    lanes, partition = lanes_with_a_partition()
    is_behind = False

    async def caught_up(topic: str, number: int) -> bool:
        return not is_behind

    async with watched(lanes, caught_up):
        await asyncio.sleep(LONG_S)
        is_behind = True
        await asyncio.sleep(STUCK_S / 2)
        partition.commits += 1
        is_behind = False
        await asyncio.sleep(STUCK_S)
    assert ended == []


async def test_a_consumer_that_does_not_answer_counts_as_lag(
    ended: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watchdog_module, "LOOKS_S", 0.02)
    lanes, _ = lanes_with_a_partition()

    async def silent(topic: str, number: int) -> bool:
        await asyncio.Event().wait()
        return True

    async with watched(lanes, silent):
        await until_it_ends(ended)
    assert "no commit for" in ended[0]


class Opening(LanePartition):
    """A partition whose recovery goes as far as the test says."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.go_on = asyncio.Event()

    async def open(self) -> None:
        await self.go_on.wait()


@pytest.fixture
def opening(monkeypatch: pytest.MonkeyPatch) -> list[Opening]:
    made: list[Opening] = []

    def make(*arguments: Any) -> Opening:
        made.append(Opening(*arguments))
        return made[-1]

    monkeypatch.setattr("streams.lanes.LanePartition", make)
    return made


async def test_a_recovery_without_progress_ends_the_process(
    ended: list[str], opening: list[Opening]
) -> None:
    lanes = Lanes([Lane(spec(), lambda number: SimpleNamespace())])  # type: ignore[arg-type,return-value]
    assigning = asyncio.create_task(lanes.assign({PLACE}, 1))
    async with watched(lanes):
        await asyncio.sleep(STUCK_S / 3)
        opening[0].recovered_to = 7
        await until_it_ends(ended)
    assert ended[0].startswith("recovery got no further for")
    assert ended[0].endswith("events[0] at 7")
    assigning.cancel()


async def test_a_recovery_with_progress_may_last_and_then_folding_is_watched(
    ended: list[str], opening: list[Opening]
) -> None:
    lanes = Lanes([Lane(spec(), lambda number: SimpleNamespace())])  # type: ignore[arg-type,return-value]
    assigning = asyncio.create_task(lanes.assign({PLACE}, 1))
    async with watched(lanes):
        until = time.monotonic() + LONG_S
        while time.monotonic() < until:
            await asyncio.sleep(STUCK_S / 10)
            opening[0].recovered_to += 1
        assert ended == []
        opening[0].go_on.set()
        await assigning
        await until_it_ends(ended)
    assert ended[0].startswith("events[0]: no commit")


async def test_before_anything_is_assigned_there_is_nothing_to_hurry(ended: list[str]) -> None:
    """A worker whose broker is away waits, however long."""
    async with watched(Lanes([])):
        await asyncio.sleep(LONG_S)
    assert ended == []


ENDLESS = """
import asyncio
from streams import watchdog
from streams.lanes import Lanes

watchdog.STUCK_AFTER_S = 0.3

def never_returns():
    while True:
        pass

async def main():
    watching = asyncio.create_task(watchdog.Watchdog(Lanes([]), None).run())
    await asyncio.sleep({pause})
    {then}

asyncio.run(main())
"""


@pytest.mark.parametrize("then", ["never_returns()", "import time; time.sleep(60)"])
def test_a_rule_that_never_returns_ends_the_process_and_its_place_is_told(then: str) -> None:
    code = ENDLESS.format(pause=0.1, then=then)
    run = subprocess.run(
        [sys.executable, "-c", code],
        check=False,
        cwd=PROJECT,
        timeout=30,
        capture_output=True,
        text=True,
    )
    assert run.returncode == FAILED
    assert "the event loop stood still for" in run.stdout + run.stderr
    assert "<string>:" in run.stdout + run.stderr


def test_a_loop_that_turns_may_run_for_long() -> None:
    code = ENDLESS.format(pause=1.5, then="watching.cancel()")
    run = subprocess.run([sys.executable, "-c", code], check=False, cwd=PROJECT, timeout=30)
    assert run.returncode == 0
