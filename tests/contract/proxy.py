"""A network that fails on purpose: a TCP proxy on loopback, with several ways to go wrong."""

import asyncio
import contextlib
from enum import Enum
from types import TracebackType
from typing import Self


class Network(Enum):
    """What happens to connections."""

    WHOLE = "whole"
    AWAY = "away"  # connections are closed at once
    MUTE = "mute"  # requests arrive, answers are lost
    CUT = "cut"  # requests break off in the middle


CUT_AFTER_BYTES = 600


class Proxy:
    """Passes bytes to `host:port`; `network` says what goes wrong from now on."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self.network = Network.WHOLE
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        try:
            with contextlib.suppress(OSError):
                if self.network is not Network.AWAY:
                    await self._join(reader, writer)
        finally:
            await _end(writer)

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream, upstream_writer = await asyncio.open_connection(*self._target)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._request(reader, upstream_writer))
                group.create_task(self._answer(upstream, writer))
        except* (OSError, _BrokenOff):
            pass
        finally:
            await _end(upstream_writer)

    async def _request(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        passed = 0
        while piece := await source.read(65_536):
            if self.network is Network.AWAY:
                raise _BrokenOff
            if self.network is Network.CUT:
                target.write(piece[: max(0, CUT_AFTER_BYTES - passed)])
                passed += len(piece)
                if passed >= CUT_AFTER_BYTES:
                    await target.drain()
                    raise _BrokenOff
            else:
                target.write(piece)
            await target.drain()
        raise _BrokenOff

    async def _answer(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        while piece := await source.read(65_536):
            if self.network is Network.MUTE:
                raise _BrokenOff
            target.write(piece)
            await target.drain()
        raise _BrokenOff


async def _end(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


class _BrokenOff(Exception):
    """One side is gone: the other goes too."""
