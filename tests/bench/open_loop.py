"""An open loop: events leave at the moments they were meant for, however slow the answers come.

So a system that stalls is charged for everyone who would have waited (no coordinated omission).
"""

import asyncio
import time
from base64 import b64encode
from collections.abc import Sequence

import orjson
from aiohttp import ClientError, ClientSession, ClientTimeout, TCPConnector

from tests.bench.live_feed import LiveFeed

TICK_S = 0.01
# A gateway refuses more than 500; where the client itself stalls, that much may be due at once.
EVENTS_AT_MOST = 100
PATIENCE_S = 30.0


class OpenLoop:
    """Posts what is due to a gateway's `/v1/batch` every tick, no request waiting for another."""

    def __init__(self, url: str, write_key: str, feed: LiveFeed) -> None:
        self._url = f"{url}/v1/batch"
        self._headers = {"Authorization": "Basic " + b64encode(f"{write_key}:".encode()).decode()}
        self._feed = feed
        self.late_s: list[float] = []
        self.answered_s: list[float] = []
        self.failed: list[str] = []

    async def run(self, events: int) -> None:
        """Send so many at the feed's rate, then wait for the answers under way."""
        self._feed.begins_s = time.time() + TICK_S
        connector = TCPConnector(limit=0)
        async with (
            ClientSession(
                connector=connector, headers=self._headers, timeout=ClientTimeout(PATIENCE_S)
            ) as session,
            asyncio.TaskGroup() as requests,
        ):
            sent = 0
            while sent < events:
                due = min(events, int((time.time() - self._feed.begins_s) * self._feed.rate) + 1)
                for first in range(sent, due, EVENTS_AT_MOST):
                    numbers = range(first, min(due, first + EVENTS_AT_MOST))
                    requests.create_task(self._post(session, numbers))
                sent = due
                await asyncio.sleep(TICK_S)

    async def _post(self, session: ClientSession, numbers: Sequence[int]) -> None:
        meant_s = self._feed.meant_for_s(numbers[0])
        content = orjson.dumps({"batch": [self._feed.body(number) for number in numbers]})
        self.late_s.append(time.time() - meant_s)
        try:
            async with session.post(
                self._url, data=content, headers={"Content-Type": "application/json"}
            ) as response:
                answer = await response.json()
        except (ClientError, TimeoutError) as error:
            self.failed.append(repr(error))
            return
        if response.status != 200 or answer["rejected"]:
            self.failed.append(f"{response.status} {answer}")
        self.answered_s.append(time.time() - meant_s)
