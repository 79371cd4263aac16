"""One wire of the network: a TCP proxy on loopback whose troubles the driver chooses."""

import asyncio
import contextlib
from enum import Enum
from typing import Self

PIECE_BYTES = 65_536
SLOW_S = 0.08


class Trouble(Enum):
    """What is wrong with a wire."""

    NONE = "none"
    CUT = "cut"  # connections break, new ones are refused
    DEAD = "dead"  # connections stay and nothing comes through, either way
    DEAF = "deaf"  # requests arrive, answers do not
    SLOW = "slow"  # every piece takes its time


class Wire:
    """Passes bytes to a port of this machine; `trouble` may be changed at any time."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.target_port = 0
        self.port = 0
        self._trouble = Trouble.NONE
        self._healed = asyncio.Event()
        self._healed.set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self

    async def __aexit__(self, *error: object) -> None:
        self._server.close()
        self._break_all()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def trouble(self) -> Trouble:
        """What is wrong now."""
        return self._trouble

    @trouble.setter
    def trouble(self, trouble: Trouble) -> None:
        was, self._trouble = self._trouble, trouble
        if trouble is Trouble.NONE:
            self._healed.set()
        else:
            self._healed.clear()
        # What was swallowed is gone: a wire that heals must not go on in the middle of an answer.
        if trouble is Trouble.CUT or was in (Trouble.DEAD, Trouble.DEAF):
            self._break_all()

    def _break_all(self) -> None:
        for task in list(self._tasks):
            task.cancel()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            with contextlib.suppress(OSError, asyncio.CancelledError):
                if self._trouble is not Trouble.CUT:
                    await self._join(reader, writer)
        finally:
            self._tasks.discard(task)
            writer.transport.abort()

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream, upstream_writer = await asyncio.open_connection("127.0.0.1", self.target_port)
        try:
            ways = [
                asyncio.ensure_future(self._pass(reader, upstream_writer, Trouble.DEAD)),
                asyncio.ensure_future(self._pass(upstream, writer, Trouble.DEAD, Trouble.DEAF)),
            ]
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)
        finally:
            upstream_writer.transport.abort()

    async def _pass(
        self, source: asyncio.StreamReader, target: asyncio.StreamWriter, *stopped_by: Trouble
    ) -> None:
        while piece := await source.read(PIECE_BYTES):
            if self._trouble in stopped_by:
                await self._healed.wait()
                return
            if self._trouble is Trouble.SLOW:
                await asyncio.sleep(SLOW_S)
            target.write(piece)
            await target.drain()
