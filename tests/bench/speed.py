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


def require_life(child: Child) -> None:
    """CannotRun when the process has ended."""
    if not child.is_alive():
        raise CannotRun(f"{child.name} ended with {child.exit_code}:\n{child.last_words()}")
