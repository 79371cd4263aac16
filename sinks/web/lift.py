"""What rules brought, for the page and the API; asked of ClickHouse once in a while."""

import asyncio
from time import monotonic
from typing import Any

from models.lift import WINDOWS_DAYS
from sinks.clickhouse_lift import LIFT, answer_of, parameters_of
from sinks.web.engine import Engine
from sinks.web.log_time import LogTimeReader

BUDGET_MS = 20_000
KEPT_S = 30.0
RULES_KEPT = 64


class Lifts:
    """Answers are kept for KEPT_S: a question reads every receipt and order."""

    def __init__(self, engine: Engine, clock: LogTimeReader, currency: str) -> None:
        self._engine = engine
        self._clock = clock
        self._currency = currency
        self._asking = asyncio.Lock()
        self._kept: dict[tuple[str, int], tuple[float, dict[str, Any]]] = {}

    async def of(self, rule: str, days: int) -> dict[str, Any]:
        """What `rule` brought, every rule where it is "", within `days`; raises QueryFailed."""
        assert days in WINDOWS_DAYS  # noqa: S101  # the caller's to refuse
        # One at a time: several pages that are open ask for the same.
        async with self._asking:
            kept = self._kept.get((rule, days))
            if kept is None or monotonic() - kept[0] >= KEPT_S:
                if len(self._kept) >= RULES_KEPT:
                    self._kept.clear()
                kept = monotonic(), await self._ask(rule, days)
                self._kept[rule, days] = kept
            return kept[1]

    async def _ask(self, rule: str, days: int) -> dict[str, Any]:
        now_ms = self._clock.now_ms()
        asked = parameters_of(rule, days, now_ms, self._currency)
        rows = await self._engine.rows(LIFT, asked, BUDGET_MS)
        return {"at_ms": now_ms, **answer_of(rows, days, self._currency)}
