"""Where simulated sinks land: a list in memory, which processes share as servers are shared."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sinks.port import Record

LANDS_AT_ONCE = 3


class Place:
    """What has landed, in its order; `skips_landed` is the guard of promise 2 (sinks/port.py)."""

    def __init__(self, *, knows_its_end: bool, skips_landed: bool = True) -> None:
        self.rows: list[tuple[int, int, bytes]] = []
        self.landed: dict[int, int] = {}
        self.is_down = False
        self._knows_its_end = knows_its_end
        self._skips_landed = skips_landed

    def take(self, records: Sequence[Record]) -> None:
        """One insert: all of it, or nothing when it is down."""
        if self.is_down:
            raise ConnectionError("the place is down")
        for one in records:
            if self._skips_landed and one.offset <= self.landed.get(one.partition, -1):
                continue
            self.rows.append((one.partition, one.offset, one.value or b""))
            self.landed[one.partition] = max(one.offset, self.landed.get(one.partition, -1))

    def first_missing(self, partitions: Iterable[int]) -> dict[int, int]:
        if self.is_down:
            raise ConnectionError("the place is down")
        if not self._knows_its_end:
            return {}
        return {one: self.landed.get(one, -1) + 1 for one in partitions}


class PlacedSink:
    """A sink that keeps the contract over a network: its inserts arrive late or are cut off."""

    def __init__(self, name: str, place: Place) -> None:
        self.name = name
        self._place = place

    async def open(self) -> None:
        await self._loop.ask(lambda: None)

    async def resume(self, partitions: Iterable[int]) -> Mapping[int, int]:
        known: dict[int, int] = await self._loop.ask(self._place.first_missing, sorted(partitions))
        return known

    async def write(self, batch: Sequence[Record]) -> None:
        """Land a batch in several inserts, so that it may be cut in the middle."""
        for start in range(0, len(batch), LANDS_AT_ONCE):
            await self._loop.ask(self._place.take, batch[start : start + LANDS_AT_ONCE])

    async def close(self) -> None:
        """Nothing to close."""

    @property
    def _loop(self) -> Any:
        return asyncio.get_running_loop()
