"""A message provider over real HTTP, with real ones' moods, and a sender that speaks to it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import aiohttp
from aiohttp import web

from sinks.senders import Message, SendFailed, SendRefused, SendResult

Mood = Callable[[str, int], str]
"""(customer, how often this key was tried before) -> "well", "late", "500", "refuse",
"never" (takes nothing, answers nothing) or "deaf" (takes it, answers nothing)."""


def well(_customer: str, _tries: int) -> str:
    """Always answer at once."""
    return "well"


class Provider:
    """Takes messages by POST; the same Idempotency-Key never reaches the customer twice."""

    def __init__(self, mood: Mood = well, late_s: float = 0.0) -> None:
        self.mood = mood
        self.late_s = late_s
        self.requests: list[tuple[str, str]] = []
        self.delivered: list[dict[str, str]] = []
        self.url = ""
        self._answers: dict[str, str] = {}
        self._closing = asyncio.Event()

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Provider"]:
        """Listen on a free port."""
        app = web.Application()
        app.router.add_post("/messages", self._take)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        self.url = f"http://{host}:{port}/messages"
        try:
            yield self
        finally:
            self._closing.set()
            await runner.cleanup()

    async def _take(self, request: web.Request) -> web.Response:
        key = request.headers["Idempotency-Key"]
        body = await request.json()
        tries = sum(known == key for _, known in self.requests)
        self.requests.append((body["customer"], key))
        mood = self.mood(body["customer"], tries)
        if mood == "500":
            return web.Response(status=500)
        if mood == "refuse":
            return web.Response(status=422)
        if mood == "never":
            await self._closing.wait()
        self._deliver(key, body)
        if mood == "deaf":
            # It took the message, and its answer is lost.
            await self._closing.wait()
        if mood == "late":
            await asyncio.sleep(self.late_s)
        return web.json_response({"id": self._answers[key]})

    def _deliver(self, key: str, body: dict[str, str]) -> None:
        if key not in self._answers:
            self._answers[key] = f"provider-{len(self._answers)}"
            self.delivered.append(body)


class HttpSender:
    """Sends to a Provider; reaches people, so it takes no history."""

    takes_history = False

    def __init__(self, url: str) -> None:
        self._url = url

    async def send(self, message: Message, idempotency_key: str) -> SendResult:
        """Post one message."""
        body = {
            "customer": message.customer,
            "action_id": message.action_id,
            "to": message.address,
            "text": message.text,
        }
        headers = {"Idempotency-Key": idempotency_key}
        async with (
            aiohttp.ClientSession() as session,
            session.post(self._url, json=body, headers=headers) as answer,
        ):
            if answer.status == 422:
                raise SendRefused("refused by the provider")
            if answer.status != 200:
                raise SendFailed(f"status {answer.status}")
            return SendResult(provider_id=(await answer.json())["id"])

    async def close(self) -> None:
        """Nothing stays open."""
