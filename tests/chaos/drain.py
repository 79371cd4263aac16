"""From chaos to calm: everything heals, everything is read, and then everything stands still."""

import asyncio
import time

from models.clock import DAY_MS, HOUR_MS
from streams import topics
from tests.chaos.network import Trouble
from tests.chaos.offsets import Offsets, Places
from tests.chaos.stage import Stage

OUTPUTS = (
    topics.FACTS,
    topics.ACTIONS,
    topics.CUSTOMERS,
    topics.COUPON_VERDICTS,
    topics.DEAD_LETTERS,
)
INPUTS = (topics.EVENTS, topics.COUPONS, topics.LESSONS, topics.METRICS, topics.ACTIONS)
STOP_WITHIN_S = 20.0
LOOK_EVERY_S = 0.2
LAST_STEP_MS = 25 * HOUR_MS
LEAP_MS = 31 * DAY_MS


class NeverCalm(Exception):
    """What was to be read or delivered is not, long after the last fault."""


async def heal(stage: Stage) -> None:
    """Take every fault away that lasts; start servers that lie dead."""
    ground = stage.ground
    for wire in (*ground.kafka_wires.values(), ground.valkey_wire, ground.clickhouse_wire):
        wire.trouble = Trouble.NONE
    ground.disk.free()
    stage.provider.troubled = False
    for kept in stage.roles.values():
        kept.moment_path.unlink(missing_ok=True)
    for name in ground.servers.by_name:
        if not ground.servers.is_alive(name):
            stage.note("found dead", server=name)
            ground.servers.kill(name)
            await ground.servers.start(name)


async def calm(stage: Stage, offsets: Offsets, limit_s: float) -> Places:
    """Drain and stop all roles; the worker group's last positions. Raises NeverCalm."""
    deadline = time.monotonic() + limit_s
    await _step(stage, offsets, LAST_STEP_MS, deadline)
    if "learner" in stage.roles:
        # A month later every lesson is due, a day later learned, with two deaths in the midst.
        stage.roles["learner"].arm("offsets", 1)
        stage.of("worker")[0].arm("commit", 2)
        await _step(stage, offsets, LEAP_MS, deadline)
        await _step(stage, offsets, LAST_STEP_MS, deadline)
    while True:
        await _caught_up(stage, offsets, deadline)
        codes = await asyncio.gather(*(kept.stop(STOP_WITHIN_S) for kept in stage.of("worker")))
        stage.note("workers stopped", codes=codes)
        done = await offsets.committed("worker")
        places = {place: at for place, at in done.items() if place[0] == topics.EVENTS}
        if len(places) == stage.settings.partitions and await offsets.only_marks_since(places):
            break
        stage.note("workers again: something came in last")
        for kept in stage.of("worker"):
            kept.again()
    await _sinks_read_up(stage, offsets, deadline)
    await asyncio.gather(*(kept.stop(STOP_WITHIN_S) for kept in stage.roles.values()))
    return places


async def _step(stage: Stage, offsets: Offsets, by_ms: int, deadline: float) -> None:
    """Step the clock, and wait until every partition has a mark of the new time and is read."""
    ends = await offsets.ends((topics.EVENTS,))
    at_ms = int(time.time() * 1000) + stage.ahead_ms + by_ms
    stage.step_clock(by_ms)
    while not await offsets.marked(ends, at_ms):
        await _look_again(stage, deadline, {"marks": 0})
    await _caught_up(stage, offsets, deadline)


async def _caught_up(stage: Stage, offsets: Offsets, deadline: float) -> None:
    """Until events, lessons and actions are read and nothing follows from them but marks."""
    roles = {kept.role for kept in stage.roles.values()}
    while True:
        ends = await offsets.ends(INPUTS)
        while lags := await _lags(stage, offsets, roles, ends):
            await _look_again(stage, deadline, lags)
        if await offsets.only_marks_since(ends):
            return
        await _look_again(stage, deadline, {"worker": 0})


async def _lags(stage: Stage, offsets: Offsets, roles: set[str], ends: Places) -> dict[str, int]:
    lags = await offsets.lag(roles, ends)
    return {g: n for g, n in lags.items() if g in ("worker", "learner", "dispatcher")}


async def _sinks_read_up(stage: Stage, offsets: Offsets, deadline: float) -> None:
    if not stage.of("sinks"):
        return
    ends = await offsets.ends(OUTPUTS)
    while lags := await offsets.lag({"sinks"}, ends):
        await _look_again(stage, deadline, lags)


async def _look_again(stage: Stage, deadline: float, lags: dict[str, int]) -> None:
    if time.monotonic() > deadline:
        raise NeverCalm(f"still to be read: {lags}; logs in {stage.folder}")
    await asyncio.sleep(LOOK_EVERY_S)
