"""A Redis client for many coroutines at once: what they ask in one turn travels as one pipeline."""

import asyncio
from typing import Any

from redis.asyncio import Redis

_Asked = tuple[tuple[Any, ...], dict[str, Any], asyncio.Future[Any]]


class BundledRedis(Redis):
    """Used like any client; commands keep the order in which they were asked.

    While one pipeline is on its way the next one fills, so a lone command waits for nothing. A
    connection that fails fails every command of its pipeline.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._asked: list[_Asked] = []
        self._sending: asyncio.Task[None] | None = None

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        """Let one command wait for the next pipeline, and await its answer."""
        answer = asyncio.get_running_loop().create_future()
        self._asked.append((args, options, answer))
        if self._sending is None:
            self._sending = asyncio.create_task(self._send())
        return await answer

    async def _send(self) -> None:
        while self._asked:
            asked, self._asked = self._asked, []
            pipeline = self.pipeline(transaction=False)
            for args, options, _ in asked:
                pipeline.execute_command(*args, **options)
            try:
                answers = await pipeline.execute(raise_on_error=False)
            except Exception as error:
                # Whoever asked is told, whatever it is; nobody must wait for ever.
                answers = [error] * len(asked)
            for (_, _, waiting), answer in zip(asked, answers, strict=True):
                _settle(waiting, answer)
        self._sending = None


def _settle(waiting: asyncio.Future[Any], answer: Any) -> None:
    if waiting.done():
        return
    if isinstance(answer, Exception):
        waiting.set_exception(answer)
    else:
        waiting.set_result(answer)
