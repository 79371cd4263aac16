"""What to recommend to a customer: the memory of items as it stands in Redis, the shop's knowledge.

Both are current within a moment of the last event: the memory comes with the profile, the knowledge
from the learner's table (`sinks/item_shelf.py`).
"""

from typing import Any, Literal

import msgspec
from models.recommendation import recommend

from sinks.item_shelf import ItemShelf
from sinks.web.log_time import LogTimeReader
from sinks.web.profiles import Profiles

Slot = Literal["mixed", "repeat", "explore"]
MUTED_TRAIT = "muted_categories"


class Recommendations:
    """Answers with the best items for a customer, each with its reason."""

    def __init__(self, profiles: Profiles, shelf: ItemShelf, clock: LogTimeReader) -> None:
        self._profiles = profiles
        self._shelf = shelf
        self._clock = clock

    async def of(
        self, token: str, n: int, slot: Slot, out_of_stock: frozenset[str]
    ) -> dict[str, Any]:
        """Recommend up to `n` items now; raises Unknown or Forgotten.

        Items of `out_of_stock` are left out, and those of the categories that the customer's trait
        `muted_categories` names, separated by commas.
        """
        profile, memory = await self._profiles.with_items(token)
        now_ms = self._clock.now_ms()
        muted = str(profile["traits"].get(MUTED_TRAIT, ""))
        found = recommend(
            memory,
            self._shelf.knowledge,
            self._shelf.weights,
            now_ms,
            n,
            slot=slot,
            muted_categories=frozenset(one.strip() for one in muted.split(",") if one.strip()),
            out_of_stock=out_of_stock,
        )
        return {
            "token": token,
            "at_ms": now_ms,
            "slot": slot,
            "model": "ranking",
            "model_version": self._shelf.version,
            "currency": profile["currency"],
            "items": [msgspec.to_builtins(one) for one in found],
        }
