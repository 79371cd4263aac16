"""A closed loop: so many connections, each sending the next request when the last is answered.

Requests are made beforehand and sent as they are, so that the client costs next to nothing beside
the server that is measured.
"""

import asyncio
import time
from base64 import b64encode
from collections.abc import Sequence
from itertools import cycle

CONNECTIONS = 8


def request_of(path: str, write_key: str, content: bytes) -> bytes:
    """A whole HTTP request as it goes over the wire."""
    key = b64encode(f"{write_key}:".encode()).decode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Basic {key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content


class ClosedLoop:
    """Sends prepared requests; `answered` counts those that were taken in whole."""

    def __init__(self, port: int, requests: Sequence[bytes]) -> None:
        self._port = port
        self._requests = cycle(requests)
        self._until_s = 0.0
        self.answered = 0

    async def run(self, seconds: float) -> float:
        """Send for so long; answered requests a second."""
        self.answered = 0
        began_s = time.monotonic()
        self._until_s = began_s + seconds
        await asyncio.gather(*(self._converse() for _ in range(CONNECTIONS)))
        return self.answered / (time.monotonic() - began_s)

    async def _converse(self) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            while time.monotonic() < self._until_s:
                writer.write(next(self._requests))
                await _take_answer(reader)
                self.answered += 1
        finally:
            writer.close()
            await writer.wait_closed()


async def _take_answer(reader: asyncio.StreamReader) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    length = 0
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    body = await reader.readexactly(length)
    if not head.startswith(b"HTTP/1.1 200") or b'"rejected":[{' in body:
        raise RuntimeError(f"a request was not taken: {head[:40]!r} {body[:300]!r}")
