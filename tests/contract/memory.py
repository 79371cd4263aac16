"""The smallest sink there can be; it shows that the contract is no more than it says."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence

from sinks.port import Record


class MemorySink:
    """Lands records in a list that instances share as servers are shared."""

    name = "memory"

    def __init__(self, store: list[Record]) -> None:
        self._store = store
        self.is_down = False

    async def open(self) -> None:
        """Nothing to connect to."""

    async def resume(self, partitions: Iterable[int]) -> Mapping[int, int]:
        return {partition: self._landed(partition) + 1 for partition in partitions}

    async def write(self, batch: Sequence[Record]) -> None:
        await asyncio.sleep(0)
        if self.is_down:
            raise ConnectionError("the memory is down")
        for record in batch:
            if record.value == b"unreadable":
                continue
            if record.offset > self._landed(record.partition):
                self._store.append(record)

    async def close(self) -> None:
        """Nothing to close."""

    def _landed(self, partition: int) -> int:
        offsets = [one.offset for one in self._store if one.partition == partition]
        return max(offsets, default=-1)
