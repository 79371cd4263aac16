"""What a message recommends, and what the shop knows of the product that it is about.

The customer's memory of items comes from the profile in Redis, the shop's knowledge from the
learner's table, which is as large as the shop's assortment: who never asks does not read it. Where
anything is away there is nothing to recommend, and the message goes out without.
"""

import asyncio
from base64 import b64decode
from collections.abc import Callable
from typing import Any

import msgspec
import orjson
import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from models.item_memory import ItemMemory
from models.item_reviews import QUOTED, Quote, words_about
from models.recommendation import recommend
from models.segment_values import exponent_of
from sinks.keys import KeyDestroyed, KeyMissing
from sinks.model_shelf import ModelShelf
from sinks.sealing import SealBroken

Unseal = Callable[[str, str, str], str]
MUTED_TRAIT = "muted_categories"
SHELF_LIMIT_S = 5.0
_HOPS_MAX = 8

_log = structlog.get_logger(__name__)


def money(cents: int, currency: str) -> str:
    """An amount as a message shows it; empty for none.

    >>> money(1990, "EUR"), money(500, "JPY"), money(0, "EUR")
    ('19.90 EUR', '500 JPY', '')
    """
    digits = exponent_of(currency)
    return f"{cents / 10**digits:.{digits}f} {currency}".strip() if cents > 0 else ""


class Recommended:
    """Recommends for messages; begins to follow the learner's table when it is first asked.

    `unseal` opens words of a review by their author, field and ciphertext.
    """

    def __init__(self, redis: Redis, namespace: str, shelf: ModelShelf, unseal: Unseal) -> None:
        self._redis = redis
        self._unseal = unseal
        self._prefix = f"{namespace}profile:"
        self._shelf = shelf
        self._starting: asyncio.Task[None] | None = None

    async def of(self, customer: str, n: int, at_ms: int) -> list[dict[str, Any]]:
        """Up to `n` items for the customer; none where nothing is known."""
        try:
            profile, memory = await self._memory(customer)
        except (RedisError, OSError, ValueError, msgspec.MsgspecError) as error:
            _log.warning("nothing_recommended", reason=type(error).__name__)
            return []
        if not await self._is_ready():
            _log.warning("nothing_recommended", reason="the learner's table is not read yet")
            return []
        muted = str(profile.get("traits", {}).get(MUTED_TRAIT, ""))
        found = recommend(
            memory,
            self._shelf.knowledge,
            self._shelf.weights,
            at_ms,
            n,
            muted_categories=frozenset(one.strip() for one in muted.split(",") if one.strip()),
        )
        currency = str(profile.get("currency", ""))
        return [
            {
                "name": one.name or one.product_id,
                "product_id": one.product_id,
                "category": one.category,
                "price": money(one.price_cents, currency),
            }
            for one in found
        ]

    async def about(self, product_id: str, quotes: int, locale: str) -> dict[str, Any]:
        """Give a product's name, rating and up to so many words of reviews, as far as known.

        `locale` is the language of the message that quotes them.
        """
        if not await self._is_ready():
            _log.warning("nothing_said_of_a_product", reason="the learner's table is not read yet")
            return {}
        name = self._shelf.name_of(product_id)
        row = self._shelf.reviews.of(product_id)
        # The keys of authors lie on the disk.
        said = await asyncio.to_thread(words_about, row, quotes, self._opened, locale)
        return {"product": name, **said} if name else said

    def _opened(self, quote: Quote) -> str:
        try:
            return self._unseal(quote.author, QUOTED, quote.sealed)
        except (KeyDestroyed, KeyMissing, SealBroken) as error:
            _log.info("review_left_out", reason=type(error).__name__)
            return ""

    async def stop(self) -> None:
        """Stop following."""
        if self._starting is not None:
            self._starting.cancel()
            await asyncio.gather(self._starting, return_exceptions=True)
            await self._shelf.stop()

    async def _is_ready(self) -> bool:
        if self._starting is None:
            self._starting = asyncio.create_task(self._shelf.start())
        await asyncio.wait([self._starting], timeout=SHELF_LIMIT_S)
        return self._starting.done() and self._shelf.current

    async def _memory(self, customer: str) -> tuple[dict[str, Any], ItemMemory]:
        profile: dict[str, Any] = {}
        for _ in range(_HOPS_MAX):
            raw, packed = await self._redis.hmget(self._prefix + customer, ["json", "items"])
            profile = orjson.loads(raw) if raw else {}
            customer = profile.get("merged_into") or ""
            if not customer:
                memory = packed and msgspec.msgpack.decode(b64decode(packed), type=ItemMemory)
                return profile, memory or ItemMemory()
        return profile, ItemMemory()
