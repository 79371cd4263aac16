"""The watchdog of a role with lanes: what stands still for long ends the process and says why.

Three things can: records wait and nothing is committed; a recovery gets no further; the event
loop itself turns no more (a rule that never returns), which only a thread can see. Each is noticed
within a minute; the supervisor starts the role again.
"""

import asyncio
import os
import sys
import threading
import time
import traceback
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

from streams.exit import FAILED, end_process
from streams.lanes import Lanes

STUCK_AFTER_S = 45.0
LOOKS_S = 5.0
LAST_WORDS_S = 5.0

CaughtUp = Callable[[str, int], Awaitable[bool]]


class Watchdog:
    """Watches one role's lanes and the event loop they live in."""

    def __init__(self, lanes: Lanes, caught_up: CaughtUp) -> None:
        self._lanes = lanes
        self._caught_up = caught_up
        self._behind: dict[tuple[str, int], tuple[int, float]] = {}
        self._stand: tuple[tuple[str, int, int], ...] | None = None
        self._stood_since = time.monotonic()
        self._turned_at = time.monotonic()
        self._loop_thread = threading.get_ident()

    async def run(self) -> None:
        """Watch until cancelled; the process may end meanwhile."""
        ended = threading.Event()
        self._turned_at = time.monotonic()
        threading.Thread(
            target=self._watch_loop, args=(ended,), name="watchdog", daemon=True
        ).start()
        try:
            while True:
                await asyncio.sleep(min(LOOKS_S, STUCK_AFTER_S / 3))
                self._turned_at = time.monotonic()
                if self._lanes.ready.is_set():
                    self._stand = None
                    await self._look_for_lag()
                else:
                    self._behind = {}
                    self._look_at_recovery()
        finally:
            ended.set()

    async def _look_for_lag(self) -> None:
        """End the process when a partition had records waiting and no commit for long."""
        behind: dict[tuple[str, int], tuple[int, float]] = {}
        for place, partition in list(self._lanes.open.items()):
            if await self._has_caught_up(place):
                continue
            # From the first look that found it behind: it may have rested for hours before.
            now = time.monotonic()
            commits, since = self._behind.get(place, (partition.commits, now))
            behind[place] = (commits, since)
            if commits != partition.commits:
                behind[place] = (partition.commits, now)
            elif now - since > STUCK_AFTER_S:
                end_process(f"{place[0]}[{place[1]}]: no commit for {now - since:.0f} s, lag left")
        self._behind = behind

    async def _has_caught_up(self, place: tuple[str, int]) -> bool:
        # Whoever is asked may be what is stuck.
        with suppress(TimeoutError):
            async with asyncio.timeout(LOOKS_S):
                return await self._caught_up(*place)
        return False

    def _look_at_recovery(self) -> None:
        """End the process when no partition that is being opened got any further for long."""
        now = time.monotonic()
        stand = self._lanes.recovery_stand()
        if stand is None or stand != self._stand:
            self._stand, self._stood_since = stand, now
        elif now - self._stood_since > STUCK_AFTER_S:
            places = ", ".join(f"{topic}[{number}] at {at}" for topic, number, at in stand)
            end_process(
                f"recovery got no further for {now - self._stood_since:.0f} s: "
                + (places or "letting go of partitions")
            )

    def _watch_loop(self, ended: threading.Event) -> None:
        while not ended.wait(min(LOOKS_S, STUCK_AFTER_S / 3)):
            stood_s = time.monotonic() - self._turned_at
            if stood_s > STUCK_AFTER_S:
                # What holds the loop may hold the log's lock as well.
                last = threading.Timer(LAST_WORDS_S, os._exit, (FAILED,))
                last.daemon = True
                last.start()
                end_process(f"the event loop stood still for {stood_s:.0f} s in {self._where()}")
                return

    def _where(self) -> str:
        """Name the places the loop's thread stands at, innermost first; never what it works on."""
        frame = sys._current_frames().get(self._loop_thread)  # noqa: SLF001  # no public way
        stack = traceback.extract_stack(frame)[-4:] if frame else []
        return " < ".join(f"{Path(one.filename).name}:{one.lineno}" for one in reversed(stack))
