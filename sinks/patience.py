"""How to wait for what is away, and to tell its failures from our own end."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Generic, TypeVar

from aiokafka.admin import AIOKafkaAdminClient

_Client = TypeVar("_Client", bound=Any)

FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 15.0
METADATA_AGE_MS = 10_000
"""How often a member of a group looks at its topics anew.

A broker that starts may answer before it knows its topics: a group that shares out then gives
everybody nothing, and by itself the client would look again only after five minutes.
"""


def pauses() -> Iterator[float]:
    """Seconds to wait after the first failure, the second, and so on.

    >>> [next(waits) for waits in [pauses()] for _ in range(4)]
    [0.2, 0.4, 0.8, 1.6]
    """
    pause_s = FIRST_PAUSE_S
    while True:
        yield pause_s
        pause_s = min(pause_s * 2, LONGEST_PAUSE_S)


async def pause(until: asyncio.Event, seconds: float) -> None:
    """Wait for the event, or for `seconds` to pass."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(until.wait(), seconds)


@contextlib.contextmanager
def cancelled_means_failed() -> Iterator[None]:
    """Turn a cancellation that nobody asked of this task into a ConnectionError.

    aiokafka cancels what waits for an answer when it drops a connection; left alone, that ends the
    waiting task without a word.
    """
    try:
        yield
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise ConnectionError("a connection was dropped while we waited for it") from None


class Opened(Generic[_Client]):
    """A client of the broker, started and stopped, also when its start is cut off."""

    def __init__(self, client: _Client) -> None:
        self._client = client

    async def __aenter__(self) -> _Client:
        try:
            await self._client.start()
        except BaseException:
            await stopped(self._client)
            raise
        return self._client

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        # Where the loop is gone before its tasks have ended, nothing can be waited for.
        if kind is not GeneratorExit:
            await stopped(self._client)


async def stopped(client: Any) -> None:
    """Stop a client of the broker; a cancellation on the way leaves no connection open.

    In a task apart: aiokafka's own stop may end cancelled after an outage, or be cut off by ours.
    """
    stop = client.close if isinstance(client, AIOKafkaAdminClient) else client.stop
    stopping = asyncio.create_task(stop())
    stopping.add_done_callback(_heard)
    await asyncio.wait([stopping])


def _heard(stopping: "asyncio.Task[None]") -> None:
    if not stopping.cancelled():
        stopping.exception()


async def close_each(*ends: Callable[[], Awaitable[object]]) -> None:
    """End several connections, each whatever becomes of the others: what is gone is gone."""
    for end in ends:
        with contextlib.suppress(Exception), cancelled_means_failed():
            await end()
