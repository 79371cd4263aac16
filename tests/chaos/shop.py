"""The channels at work: they post batches to the gateway and send again until it says yes."""

import asyncio
import time
from collections import Counter

import orjson
from aiohttp import ClientError, ClientSession, ClientTimeout, encode_basic_auth

from tests.chaos.history import GARBAGE, Batch, Channel

DOOR = {"Authorization": encode_basic_auth("demo", ""), "Content-Type": "application/json"}
ANSWER_LIMIT_S = 3.0
AGAIN_AFTER_S = 0.2
REFUSED = 400


class Shop:
    """Channels that post at a steady pace; remembers what was taken and what was garbage."""

    def __init__(
        self, seed: str, gateway_port: int, *, channels: int, batch_size: int, plain: bool = False
    ) -> None:
        self._url = f"http://127.0.0.1:{gateway_port}/v1/batch"
        self._channels = [Channel(seed, f"s{n}", plain=plain) for n in range(channels)]
        self._batch_size = batch_size
        self.ahead_ms = 0
        self.taken: set[str] = set()
        self.garbage_tries: Counter[str] = Counter()
        self.garbage_taken: set[str] = set()
        self.repeats = 0

    async def trade(self, stop: asyncio.Event, pause_s: float) -> None:
        """Post batches until `stop`; returns when every begun batch has been taken."""
        async with _door() as http, asyncio.TaskGroup() as group:
            for channel in self._channels:
                group.create_task(self._trade(channel, http, stop, pause_s))

    async def sell(self, batches: int) -> None:
        """Post so many batches of every channel."""
        stop = asyncio.Event()
        async with _door() as http, asyncio.TaskGroup() as group:
            for channel in self._channels:
                group.create_task(self._trade(channel, http, stop, 0.0, batches))

    async def take_orders(self, customers: int | None = None) -> None:
        """Let the first so many customers of every channel order once; None: all of them."""
        async with _door() as http:
            for channel in self._channels:
                await self._insist(channel.orders(self.now_ms, customers), http)

    async def _trade(
        self,
        channel: Channel,
        http: ClientSession,
        stop: asyncio.Event,
        pause_s: float,
        batches: int = -1,
    ) -> None:
        while not stop.is_set() and batches != 0:
            batches -= 1
            await self._insist(channel.batch(self.now_ms, self._batch_size), http)
            if pause_s:
                await asyncio.sleep(pause_s)

    @property
    def now_ms(self) -> int:
        """The log's time, by the clock that the roles are given."""
        return int(time.time() * 1000) + self.ahead_ms

    async def _insist(self, batch: Batch, http: ClientSession) -> None:
        body = batch.raw or orjson.dumps({"batch": batch.messages})
        buried = list(batch.garbage)
        if batch.raw is None:
            names = [one.get("messageId", "") for one in batch.messages]
            buried = [name for name in names if name.startswith(GARBAGE)]
        while True:
            self.garbage_tries.update(buried)
            try:
                async with http.post(self._url, data=body, headers=DOOR) as answer:
                    await answer.read()
                    if answer.status in (200, REFUSED):
                        self.taken.update(batch.ids)
                        self.garbage_taken.update(buried)
                        return
            except (ClientError, TimeoutError, OSError):
                pass
            self.repeats += 1
            await asyncio.sleep(AGAIN_AFTER_S)


def _door() -> ClientSession:
    return ClientSession(timeout=ClientTimeout(total=ANSWER_LIMIT_S))
