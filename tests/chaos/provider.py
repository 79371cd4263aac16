"""A message provider that answers late, twice or never, and counts what it delivers."""

import asyncio
import random
from collections import Counter

from aiohttp import web

from tests.sinks.provider import Provider

TROUBLED = (("well", 3), ("late", 3), ("twice", 2), ("500", 1), ("never", 1), ("deaf", 2))
LATE_S = 0.5


class CountingProvider(Provider):
    """Honours idempotency keys; `troubled` says whether it is in one of its moods."""

    def __init__(self, seed: str) -> None:
        super().__init__(late_s=LATE_S)
        self.troubled = False
        self._chance = random.Random(seed)
        self.moods: Counter[str] = Counter()

    @property
    def deliveries(self) -> Counter[str]:
        """How often each action reached its customer."""
        return Counter(body["action_id"] for body in self.delivered)

    async def _take(self, request: web.Request) -> web.Response:
        mood = "well"
        if self.troubled:
            words, weights = zip(*TROUBLED, strict=True)
            mood = self._chance.choices(words, weights)[0]
        self.moods[mood] += 1
        self.mood = lambda _customer, _tries: "well" if mood == "twice" else mood
        response = await super()._take(request)
        if mood == "twice" and request.transport is not None:
            body = response.body
            assert isinstance(body, bytes)
            head = (
                f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
            )
            request.transport.write((head + "\r\n\r\n").encode() + body)
            await asyncio.sleep(0)
        return response
