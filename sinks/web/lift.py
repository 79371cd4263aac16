"""What rules brought, for the page and the API; asked of ClickHouse once in a while."""

from time import monotonic
from typing import Any

from models.lift import WINDOWS_DAYS
from sinks.clickhouse_lift import LIFT, answer_of, parameters_of
from sinks.web.engine import Engine
from sinks.web.log_time import LogTimeReader

BUDGET_MS = 10_000
KEPT_S = 30.0
RULES_KEPT = 64


class Lifts:
    """Answers are kept for KEPT_S: a question reads every receipt and order."""

    def __init__(self, engine: Engine, clock: LogTimeReader, currency: str) -> None:
        self._engine = engine
        self._clock = clock
        self._currency = currency
        self._kept: dict[tuple[str, int], tuple[float, dict[str, Any]]] = {}

    async def of(self, rule: str, days: int) -> dict[str, Any]:
        """What `rule` brought, every rule where it is "", within `days`; raises QueryFailed."""
        assert days in WINDOWS_DAYS  # noqa: S101  # the caller's to refuse
        kept = self._kept.get((rule, days))
        if kept is not None and monotonic() - kept[0] < KEPT_S:
            return kept[1]
        now_ms = self._clock.now_ms()
        asked = parameters_of(rule, days, now_ms, self._currency)
        rows = await self._engine.rows(LIFT, asked, BUDGET_MS)
        answer = {"at_ms": now_ms, **answer_of(rows, days, self._currency)}
        if len(self._kept) >= RULES_KEPT:
            self._kept.clear()
        self._kept[rule, days] = monotonic(), answer
        return answer
