"""How fast a worker that is already running folds, from one change of its count to another."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from streams.servers.child import Child
from tests.bench.rig import CannotRun

LOOK_EVERY_S = 0.05
FIRST_CHANGE_WITHIN_S = 240.0
PATIENT_WINDOWS, PATIENT_S = 5, 10.0
STANDS_STILL_AFTER_S = 120.0

Progress = Callable[[], Awaitable[int]]


class Window(NamedTuple):
    """What was folded between two moments; both in wall seconds."""

    began_s: float
    ended_s: float
    records: int

    @property
    def per_s(self) -> float:
        """Records a second."""
        return self.records / (self.ended_s - self.began_s)


async def first_change(progress: Progress, child: Child, before: int) -> float:
    """Wait until more than `before` is folded; when that was seen, wall seconds."""
    deadline = time.monotonic() + FIRST_CHANGE_WITHIN_S
    while await progress() <= before:
        require_life(child)
        if time.monotonic() > deadline:
            raise CannotRun(f"{child.name} folds nothing:\n{child.last_words()}")
        await asyncio.sleep(LOOK_EVERY_S)
    return time.time()


async def window(progress: Progress, child: Child, warm_s: float, window_s: float) -> Window:
    """Let it run warm, then measure; CannotRun when it stands still, being at the log's end.

    On a busy machine a window may pass between two commits: it is then prolonged.
    """
    await asyncio.sleep(warm_s)
    began_s, began = time.time(), await progress()
    ended_s, ended = began_s, began
    patience_s = max(window_s * PATIENT_WINDOWS, PATIENT_S)
    while time.time() - began_s < (window_s if ended > began else patience_s):
        await asyncio.sleep(LOOK_EVERY_S)
        require_life(child)
        now = await progress()
        if now > ended:
            ended_s, ended = time.time(), now
    if ended == began:
        raise CannotRun(
            f"{child.name} folded nothing beyond {began} records:\n{child.last_words()}"
        )
    return Window(began_s, ended_s, ended - began)


async def window_between(progress: Progress, child: Child, first: int, last: int) -> Window:
    """Measure from when so many records are folded until so many are."""
    began_s, began = await _reached(progress, child, first)
    ended_s, ended = await _reached(progress, child, last)
    return Window(began_s, ended_s, ended - began)


async def _reached(progress: Progress, child: Child, wanted: int) -> tuple[float, int]:
    """Wall seconds, and the count, as soon as that is not below what is wanted."""
    before, since_s = -1, time.monotonic()
    while (now := await progress()) < wanted:
        require_life(child)
        if now > before:
            before, since_s = now, time.monotonic()
        if time.monotonic() - since_s > STANDS_STILL_AFTER_S:
            raise CannotRun(f"{child.name} stands still at {now} of {wanted} records")
        await asyncio.sleep(LOOK_EVERY_S)
    return time.time(), now


def require_life(child: Child) -> None:
    """CannotRun when the process has ended."""
    if not child.is_alive():
        raise CannotRun(f"{child.name} ended with {child.exit_code}:\n{child.last_words()}")
