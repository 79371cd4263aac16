"""One voice, many listeners: what the page's clock says reaches every open page, or is caught up.

A listener that reads too slowly loses what does not fit its queue and is told to read everything
anew, so that a page is never wrong for longer than its own slowness.
"""

import asyncio
from collections import deque

QUEUED_AT_MOST = 8
LISTENERS_AT_MOST = 500


class Full(RuntimeError):
    """More pages are open than this server serves."""


class Over(RuntimeError):
    """The server stops; nothing more will be said."""


class Listener:
    """One open page's queue."""

    def __init__(self, queued_at_most: int) -> None:
        self._queue: deque[bytes] = deque()
        self._queued_at_most = queued_at_most
        self._news = asyncio.Event()
        self.missed = False
        self.over = False

    def end(self) -> None:
        """Say nothing more."""
        self.over = True
        self._news.set()

    def hear(self, message: bytes) -> None:
        """Queue a message; with a full queue drop everything and note that something was missed."""
        if len(self._queue) >= self._queued_at_most:
            self._queue.clear()
            self.missed = True
        else:
            self._queue.append(message)
        self._news.set()

    async def next(self) -> bytes | None:
        """Wait for the next message; None: something was missed, read everything anew.

        Raises Over when the server stops.
        """
        await self._news.wait()
        if self.over:
            raise Over
        if self.missed:
            self.missed = False
            self._queue.clear()
        message = self._queue.popleft() if self._queue else None
        if not self._queue:
            self._news.clear()
        return message


class Broadcast:
    """All listeners of one server."""

    def __init__(
        self, queued_at_most: int = QUEUED_AT_MOST, listeners_at_most: int = LISTENERS_AT_MOST
    ) -> None:
        self._listeners: set[Listener] = set()
        self._queued_at_most = queued_at_most
        self._listeners_at_most = listeners_at_most
        self._arrival = asyncio.Event()

    def __len__(self) -> int:
        return len(self._listeners)

    def join(self) -> Listener:
        """Add a listener; raises Full."""
        if len(self._listeners) >= self._listeners_at_most:
            raise Full(f"{self._listeners_at_most} pages are open already")
        listener = Listener(self._queued_at_most)
        self._listeners.add(listener)
        self._arrival.set()
        return listener

    def leave(self, listener: Listener) -> None:
        """Forget a listener."""
        self._listeners.discard(listener)
        if not self._listeners:
            self._arrival.clear()

    def say(self, message: bytes) -> None:
        """Give a message to every listener without waiting for any."""
        for listener in self._listeners:
            listener.hear(message)

    def end(self) -> None:
        """Say to every listener that it is over."""
        for listener in self._listeners:
            listener.end()

    async def somebody(self) -> None:
        """Wait until at least one listener is there."""
        await self._arrival.wait()
