"""Whether a customer still wants to be written to, as the profile in Redis knows it now."""

from typing import Any

import orjson
from redis.asyncio import Redis

from models.events import MessageChannel

MARKETING = "marketing"
_HOPS_MAX = 8


class Consents:
    """Asks the profiles; they follow the log within about a second."""

    def __init__(self, redis: Redis, namespace: str) -> None:
        self._redis = redis
        self._prefix = f"{namespace}profile:"

    async def withdrawn(
        self, customer: str, channel: MessageChannel, consent: str = MARKETING
    ) -> bool:
        """Whether the customer, or whom they merged into, unsubscribed from `channel`.

        News of an order ("service") is none of what they unsubscribed from. Without a profile the
        fold's own answer stands: it asked before it decided.
        """
        if consent != MARKETING:
            return False
        asked: set[str] = set()
        while customer and customer not in asked and len(asked) < _HOPS_MAX:
            asked.add(customer)
            profile = await self._profile(customer)
            if channel.value in profile.get("unsubscribed", ()):
                return True
            customer = profile.get("merged_into") or ""
        return False

    async def _profile(self, customer: str) -> dict[str, Any]:
        raw = await self._redis.hget(self._prefix + customer, "json")
        profile: dict[str, Any] = orjson.loads(raw) if raw is not None else {}
        return profile
