"""The six sabotages: a fixed plan at the moment made for each, with the guard and without it.

Each act: a small history, the moment, what comes after it, calm, the same verdict as a storm's.
"""

import asyncio
import signal
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from streams import topics
from tests.builders import HOUSE_RULES
from tests.chaos import rules
from tests.chaos.drain import calm
from tests.chaos.driver import Report, opened, report_of
from tests.chaos.harvest import Warehouse
from tests.chaos.offsets import Offsets
from tests.chaos.shop import Shop
from tests.chaos.stage import LOOK_EVERY_S, Ground, Kept, Stage
from tests.chaos.verdict import judge

CALM_WITHIN_S = 90.0
MOMENT_WITHIN_S = 120.0
SESSION_MS = 2_000
BATCHES = 6
SEED = "sabotage"
REGULARS = 3


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
    partitions: int = 2


async def play(ground: Ground, name: str, *, guarded: bool) -> Report:
    """Play one act. Masks are away in both, so that only the guard makes the difference."""
    act = ACTS[name]
    without = [*act.masks, *([] if guarded else [name])]
    stage = Stage(
        ground,
        f"{name}-{'guarded' if guarded else 'sabotaged'}",
        seed=SEED,
        cast=act.cast,
        partitions=act.partitions,
        session_timeout_ms=SESSION_MS,
        without=without,
    )
    shop = Shop(SEED, stage.settings.gateway_port, channels=2, batch_size=12, plain=True)
    async with stage:
        if stage.of("sinks"):
            await asyncio.to_thread(_stop_merges, stage)
        stage.begin(act.later)
        await opened(stage)
        await rules.apply(stage, HOUSE_RULES, 1)
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


async def _worker_dies_before_the_effects(stage: Stage, shop: Shop) -> None:
    """Rows are with the broker, and with them the table's position, effects are not: it dies."""
    await _worker_dies_at("effects", stage, shop)


async def _worker_dies_before_the_offset(stage: Stage, shop: Shop) -> None:
    """Rows and effects are with the broker, the offset is not: the worker dies."""
    await _worker_dies_at("offsets", stage, shop)


async def _worker_dies_at(moment: str, stage: Stage, shop: Shop) -> None:
    worker = stage.roles["worker-1"]
    await shop.sell(BATCHES)
    worker.arm(moment, 1)
    selling = asyncio.create_task(shop.sell(BATCHES))
    await _must_hit(worker)
    await selling


async def _zombie_wakes(stage: Stage, shop: Shop) -> None:
    """A worker freezes with a sealed interval in its hand; another goes on; it wakes and commits.

    Then it dies, before it can read on and so mend what it has done, and the other worker, whose
    memory is right, with it. In the interval are regulars alone, and everybody orders once after
    it: who recovers from the offset that was put back counts the others twice; if the other worker
    has moved that on, the regulars' rows lack an order. Nobody orders later.
    """
    first = stage.roles["worker-1"]
    await shop.sell(BATCHES)
    await _all_folded(stage)
    first.arm("sealed", 1, signal.SIGSTOP, then="rows committed")
    async with asyncio.timeout(MOMENT_WITHIN_S):
        while first.moment_path.exists():
            await shop.take_orders(REGULARS)
            await asyncio.sleep(LOOK_EVERY_S)
    stage.roles["worker-2"].begin()
    await shop.take_orders()
    await _all_folded(stage)
    first.tell(signal.SIGCONT)
    async with asyncio.timeout(MOMENT_WITHIN_S):
        while not first.exits:
            await asyncio.sleep(LOOK_EVERY_S)
    stage.roles["worker-2"].tell(signal.SIGKILL)


async def _all_folded(stage: Stage) -> None:
    offsets = Offsets(stage.settings)
    ends = await offsets.ends((topics.EVENTS,))
    async with asyncio.timeout(MOMENT_WITHIN_S):
        while await offsets.lag({"worker"}, ends):
            await asyncio.sleep(LOOK_EVERY_S)


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
    "transaction": Act(("lost",), ("worker-1", "gateway"), _worker_dies_before_the_effects),
    "fencing": Act(
        ("state_mismatches",),
        ("worker-1", "worker-2", "gateway"),
        _zombie_wakes,
        masks=("event-ids",),
        later=("worker-2",),
        # A second partition's transaction, frozen at any point, could be the one that commits.
        partitions=1,
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
