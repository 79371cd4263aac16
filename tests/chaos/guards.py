"""The six sabotages: a fixed plan at the moment made for each, with the guard and without it.

Each act: a small history, the moment, what comes after it, calm, the same verdict as a storm's.
"""

import asyncio
import signal
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tests.chaos.drain import calm
from tests.chaos.driver import Report, opened, report_of
from tests.chaos.harvest import Warehouse
from tests.chaos.offsets import Offsets
from tests.chaos.shop import Shop
from tests.chaos.stage import Ground, Kept, Stage
from tests.chaos.verdict import judge

CALM_WITHIN_S = 90.0
MOMENT_WITHIN_S = 30.0
SESSION_MS = 2_000
BATCHES = 6
SEED = "sabotage"
ATTEMPTS = 3


class MomentNeverCame(Exception):
    """The plan did not reach the moment it was made for, so it proves nothing."""


@dataclass(frozen=True)
class Act:
    """A guard, what else must be away for its absence to show, and the plan that shows it."""

    counters: tuple[str, ...]
    cast: tuple[str, ...]
    play: Callable[[Stage, Shop], Awaitable[None]]
    masks: tuple[str, ...] = ()
    later: tuple[str, ...] = ()


async def play(ground: Ground, name: str, *, guarded: bool) -> Report:
    """Play one act. Masks are away in both, so that only the guard makes the difference.

    A busy machine may let the damage pass by, as when everybody a zombie harmed buys once more. So
    a sabotaged act is played again until it shows, a guarded one never.
    """
    if guarded:
        return await _play(ground, name, "guarded", [])
    for number in range(ATTEMPTS):
        report = await _play(ground, name, f"sabotaged-{number}", [name])
        if any(report.verdict.counters.numbers[one] for one in ACTS[name].counters):
            break
    return report


async def _play(ground: Ground, name: str, version: str, taken_away: list[str]) -> Report:
    act = ACTS[name]
    without = [*act.masks, *taken_away]
    stage = Stage(
        ground,
        f"{name}-{version}",
        seed=SEED,
        cast=act.cast,
        partitions=2,
        session_timeout_ms=SESSION_MS,
        without=without,
    )
    shop = Shop(SEED, stage.settings.gateway_port, channels=2, batch_size=12, plain=True)
    async with stage:
        if stage.of("sinks"):
            await asyncio.to_thread(_stop_merges, stage)
        stage.begin(act.later)
        await opened(stage)
        await act.play(stage, shop)
        folded_to = await calm(stage, Offsets(stage.settings), CALM_WITHIN_S)
        return report_of(stage, await judge(stage, shop, folded_to), Counter())


def _stop_merges(stage: Stage) -> None:
    warehouse = Warehouse(stage.settings, stage.ground.clickhouse)
    try:
        warehouse.stop_merges()
    finally:
        warehouse.close()


async def _must_hit(kept: Kept) -> None:
    if not await kept.hit(MOMENT_WITHIN_S):
        raise MomentNeverCame(kept.name)


async def _worker_dies_before_the_offset(stage: Stage, shop: Shop) -> None:
    """Rows and effects are with the broker, the offset is not: the worker dies."""
    worker = stage.roles["worker-1"]
    await shop.sell(BATCHES)
    worker.arm("offsets", 1)
    selling = asyncio.create_task(shop.sell(BATCHES))
    await _must_hit(worker)
    await selling


async def _zombie_wakes(stage: Stage, shop: Shop) -> None:
    """A worker freezes in the middle of an interval; another goes on; it wakes and commits."""
    first = stage.roles["worker-1"]
    await shop.sell(BATCHES)
    first.arm("fold", 30, signal.SIGSTOP)
    await shop.sell(BATCHES)
    await _must_hit(first)
    offsets = Offsets(stage.settings)
    stage.roles["worker-2"].begin()
    await shop.sell(BATCHES)
    ends = await offsets.ends(("events",))
    async with asyncio.timeout(MOMENT_WITHIN_S):
        while await offsets.lag({"worker"}, ends):
            await asyncio.sleep(0.1)
    first.tell(signal.SIGCONT)
    # Until it is in the group again: whoever then owns the partition has read what it wrote.
    await asyncio.sleep(stage.session_s * 1.5)


async def _gateway_dies_before_its_answer(stage: Stage, shop: Shop) -> None:
    """The log has confirmed, the client never hears of it and sends again."""
    stage.roles["gateway"].arm("confirmed", 3)
    selling = asyncio.create_task(shop.sell(BATCHES))
    await _must_hit(stage.roles["gateway"])
    await selling


async def _sink_dies_after_a_block(stage: Stage, shop: Shop) -> None:
    """A block has landed, its position is not committed: the sinks die."""
    sinks = stage.roles["sinks"]
    await shop.sell(BATCHES)
    sinks.arm("landed", 1)
    selling = asyncio.create_task(shop.sell(BATCHES))
    await _must_hit(sinks)
    await selling


async def _dispatcher_dies_after_a_send(stage: Stage, shop: Shop) -> None:
    """The provider has the message, the ledger does not know it: the dispatcher dies."""
    sinks = stage.roles["sinks"]
    await shop.sell(BATCHES)
    sinks.arm("sent", 1)
    stage.step_clock(12 * 60_000)
    await _must_hit(sinks)


ACTS: dict[str, Act] = {
    "transaction": Act(
        ("lost", "duplicated"),
        ("worker-1", "gateway"),
        _worker_dies_before_the_offset,
        masks=("event-ids",),
    ),
    "fencing": Act(
        ("state_mismatches",),
        ("worker-1", "worker-2", "gateway"),
        _zombie_wakes,
        masks=("event-ids",),
        later=("worker-2",),
    ),
    "read-committed": Act(
        ("clickhouse_extra",), ("worker-1", "gateway", "sinks"), _worker_dies_before_the_offset
    ),
    "event-ids": Act(("duplicated",), ("worker-1", "gateway"), _gateway_dies_before_its_answer),
    "sink-offsets": Act(
        ("clickhouse_extra",),
        ("worker-1", "gateway", "sinks"),
        _sink_dies_after_a_block,
        masks=("sums-mended",),
    ),
    "idempotency-key": Act(
        ("actions_twice",), ("worker-1", "gateway", "sinks"), _dispatcher_dies_after_a_send
    ),
}
