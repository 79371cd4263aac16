"""What to recommend to a customer: the memory of items as it stands in Redis, the shop's knowledge.

Both are current within a moment of the last event: the memory comes with the profile, the knowledge
from the learner's table (`sinks/model_shelf.py`).
"""

from typing import Any

from models.item_memory import item_ref
from models.recommendation import Recommended, Slot, recommend
from sinks.model_shelf import ModelShelf
from sinks.web.log_time import LogTimeReader
from sinks.web.profiles import Profiles

MUTED_TRAIT = "muted_categories"


class Recommendations:
    """Answers with the best items for a customer, each with its reason."""

    def __init__(self, profiles: Profiles, shelf: ModelShelf, clock: LogTimeReader) -> None:
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
            "model_version": self._shelf.ranking.version,
            "currency": profile["currency"],
            "items": [self._told(one) for one in found],
        }

    def _told(self, one: Recommended) -> dict[str, Any]:
        reason = one.reason
        told: dict[str, Any] = {"name": reason.name, **reason.numbers}
        if reason.product_id:
            told["with"] = self._name_of(reason.product_id)
        return {
            "product_id": one.product_id,
            "name": one.name,
            "category": one.category,
            "price_cents": one.price_cents,
            "score": round(one.score, 4),
            "reason": told,
        }

    def _name_of(self, product_id: str) -> str:
        knowledge = self._shelf.knowledge
        place = knowledge.index.get(item_ref(product_id))
        return product_id if place is None else knowledge.facts[place].name or product_id
