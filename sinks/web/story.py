"""A customer's story from ClickHouse: what was decided and why, how the tier moved."""

import asyncio
from typing import Any

from sinks.web.engine import Engine

BUDGET_MS = 3_000

DECISIONS = """
SELECT at, rule, occasion, action_id, verdict, reason, hazard, hazard_version, inputs,
    status, action, message_channel, offer, coupon, arm, propensity, held_until, playbook_version,
    passed, rivals
FROM decisions
WHERE customer = {customer:String}
ORDER BY at DESC
LIMIT 50
"""
TIERS = """
SELECT at, from_tier, to_tier, reason
FROM tier_changes
WHERE customer = {customer:String}
ORDER BY at DESC
LIMIT 50
"""


class Stories:
    """Reads stories."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def of(self, customer: str) -> dict[str, Any]:
        """Decisions with their receipts and tier changes, newest first; raises QueryFailed."""
        asked = {"customer": customer}
        decisions, tiers = await asyncio.gather(
            self._engine.rows(DECISIONS, asked, BUDGET_MS),
            self._engine.rows(TIERS, asked, BUDGET_MS),
        )
        return {"decisions": decisions, "tier_changes": tiers}
