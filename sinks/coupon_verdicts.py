"""Waits for the verdicts on words that were put on topic `coupons`."""

import asyncio
from collections import defaultdict
from typing import Any

import msgspec
import structlog

from models.coupon_words import CouponJudged, CouponWord, decode_judged, home_of
from sinks.follower import Follower

_log = structlog.get_logger("coupon_verdicts")

Asked = tuple[str, str]
"""A code and a request about it."""


class NotAnswered(TimeoutError):
    """No verdict came in time; what was asked may yet be decided, and asked again it is told."""


class VerdictReader(Follower):
    """Follows topic `coupon-verdicts` from where it ends; older ones nobody here waits for."""

    def __init__(self, bootstrap: str, topic: str, partitions: int) -> None:
        super().__init__(bootstrap, topic, partitions=partitions, from_end=True)
        self._waiting: dict[Asked, set[asyncio.Future[CouponJudged]]] = defaultdict(set)

    def expect(self, word: CouponWord) -> "asyncio.Future[CouponJudged]":
        """Begin to listen for the verdict on a word; to be called before it is written."""
        awaited: asyncio.Future[CouponJudged] = asyncio.get_running_loop().create_future()
        asked = home_of(word.key), word.request
        self._waiting[asked].add(awaited)
        awaited.add_done_callback(lambda done: self._forget(asked, done))
        return awaited

    async def judged(
        self, awaited: "asyncio.Future[CouponJudged]", within_s: float
    ) -> CouponJudged:
        """Wait for a verdict; raises NotAnswered."""
        try:
            async with asyncio.timeout(within_s):
                return await awaited
        except TimeoutError:
            raise NotAnswered from None

    @property
    def waiting(self) -> int:
        """How many verdicts are waited for."""
        return sum(map(len, self._waiting.values()))

    def take(self, record: Any) -> None:
        """Tell whoever waits for this verdict; of several on one word the first is it."""
        try:
            judged = decode_judged(record.value or b"")
        except msgspec.DecodeError as error:
            _log.error("verdict_unreadable", error=str(error))
            return
        for awaited in list(self._waiting.get((judged.code, judged.request), ())):
            if not awaited.done():
                awaited.set_result(judged)

    def _forget(self, asked: Asked, awaited: "asyncio.Future[CouponJudged]") -> None:
        waiting = self._waiting.get(asked)
        if waiting is not None:
            waiting.discard(awaited)
            if not waiting:
                del self._waiting[asked]
