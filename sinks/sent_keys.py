"""Idempotency keys for providers that know none: remembered while the process lives.

A crash between the provider's word and the ledger's sends once more; whoever sends this way is at
least once, and says so.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from typing import Any

from sinks.senders import SendResult

KEYS_REMEMBERED = 20_000
Sending = Callable[[], Coroutine[Any, Any, SendResult]]


class SentKeys:
    """What is being sent, or was; what failed may be tried again."""

    def __init__(self) -> None:
        self._sent: OrderedDict[str, asyncio.Task[SendResult]] = OrderedDict()

    async def send(self, key: str, sending: Sending) -> SendResult:
        """Send under a key; whoever comes with it again, or meanwhile, gets the same answer."""
        task = self._sent.get(key)
        if task is None:
            task = self._sent[key] = asyncio.ensure_future(sending())
            task.add_done_callback(lambda done: self._heard(key, done))
        # Cut off by its time limit, what is under way may arrive all the same: its answer is kept.
        return await asyncio.shield(task)

    async def close(self) -> None:
        """Cut off what is under way."""
        under_way = [one for one in self._sent.values() if not one.done()]
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)

    def _heard(self, key: str, task: "asyncio.Task[SendResult]") -> None:
        if task.cancelled() or task.exception() is not None:
            self._sent.pop(key, None)
        while len(self._sent) > KEYS_REMEMBERED and next(iter(self._sent.values())).done():
            self._sent.popitem(last=False)
