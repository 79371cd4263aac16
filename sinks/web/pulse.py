"""The page's one timer: asks what is due, keeps the last reading of each panel, tells every page.

Nothing is asked while nobody looks. A panel that is slow is asked less often, one that fails keeps
its last rows and says why, and none waits for another.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import orjson

from sinks.web.arrivals import Arrivals
from sinks.web.broadcast import Broadcast
from sinks.web.engine import Engine, QueryFailed, Row
from sinks.web.macros import Scope
from sinks.web.panels import Panel

BEAT_S = 1.0
_QUICK_S = 0.6
_REST_TIMES_COST = 4.0
_QUICK_EVERY_S = 2.0
_FIRST_PAINT_S = 4.0
_LANDED_BUDGET_MS = 1_000
# The newest thing that happened in the shop; receipts are stamped by the clock, ahead of it.
_LANDED = """
SELECT occurred_at AS at FROM events
WHERE NOT startsWith(type, 'message_')
ORDER BY occurred_at DESC
LIMIT 1
"""
_HOUR_S = 3600

LabelsOf = Callable[[set[str]], Awaitable[dict[str, str]]]


class LogTime(Protocol):
    """The log's clock as the page needs it."""

    def now_ms(self) -> int:
        """Log time now."""

    def standing(self) -> dict[str, Any]:
        """What the page says about the clock: `mode`, and the running replay's `progress`."""


@dataclass
class Reading:
    """The last answer to one panel; `took_ms` is what it cost, `error` empty when it went well."""

    panel: Panel
    query: str
    rows: list[Row] = field(default_factory=list)
    error: str = ""
    at_ms: int = 0
    took_ms: int = 0
    due_s: float = 0.0
    asked: asyncio.Task[None] | None = None
    said: bytes = b""

    def body(self) -> dict[str, Any]:
        """What the page gets of it."""
        return {"at_ms": self.at_ms, "rows": self.rows, "error": self.error or None}


class Pulse:
    """All readings, and the beat that renews them."""

    def __init__(
        self,
        panels: tuple[Panel, ...],
        engine: Engine,
        clock: LogTime,
        broadcast: Broadcast,
        labels_of: LabelsOf,
        *,
        currency: str,
        timezone: str,
    ) -> None:
        self._readings = {one.id: Reading(one, one.query()) for one in panels}
        self._engine = engine
        self._clock = clock
        self._broadcast = broadcast
        self._labels_of = labels_of
        self._currency = currency
        self._timezone = timezone
        self._landed_ms: int | None = None
        self._unhurried = asyncio.Semaphore(1)
        self.arrivals = Arrivals()

    @property
    def readings(self) -> dict[str, Reading]:
        """Last readings by panel id."""
        return self._readings

    def now_ms(self) -> int:
        """Log time as the page tells it.

        A replay's clock runs days ahead of what has landed; the page speaks of what is there.
        """
        now_ms = self._clock.now_ms()
        return now_ms if self._landed_ms is None else min(now_ms, self._landed_ms)

    async def run(self) -> None:
        """Beat until cancelled."""
        try:
            while True:
                await self._broadcast.somebody()
                started_s = time.monotonic()
                await self._renew(_QUICK_S)
                self._broadcast.say(await self._news())
                await asyncio.sleep(max(0.0, BEAT_S - (time.monotonic() - started_s)))
        finally:
            for reading in self._readings.values():
                if reading.asked is not None:
                    reading.asked.cancel()

    async def snapshot(self) -> dict[str, Any]:
        """Everything a page needs to begin; what is overdue is asked first."""
        await self._renew(_FIRST_PAINT_S)
        readings = list(self._readings.values())
        return await self._message(readings)

    async def _look_what_landed(self) -> None:
        if self._clock.standing()["mode"] != "replay":
            self._landed_ms = None
            return
        try:
            rows = await self._engine.rows(_LANDED, {}, _LANDED_BUDGET_MS)
        except QueryFailed:
            # Panels ask the same engine, and say what is wrong with it.
            return
        self._landed_ms = rows[0]["at"] if rows else None

    async def _renew(self, patience_s: float) -> None:
        await self._look_what_landed()
        now_s = time.monotonic()
        for reading in self._readings.values():
            if reading.asked is None and reading.due_s <= now_s:
                reading.asked = asyncio.create_task(self._read(reading))
        asked = {one.asked for one in self._readings.values() if one.asked is not None}
        if not asked:
            return
        done, _ = await asyncio.wait(asked, timeout=patience_s)
        for task in done:
            task.result()

    async def _read(self, reading: Reading) -> None:
        started_s, cost_s = time.monotonic(), 0.0
        try:
            if reading.panel.every_s > _QUICK_EVERY_S:
                # One at a time, so that what moves never waits behind what may come later.
                async with self._unhurried:
                    cost_s = await self._ask(reading)
            else:
                cost_s = await self._ask(reading)
        except QueryFailed as error:
            reading.error = str(error)
            cost_s = time.monotonic() - started_s
        finally:
            reading.took_ms = round(cost_s * 1000)
            reading.at_ms = self.now_ms()
            # A little early: the beat that comes next is to find it due.
            rest_s = max(reading.panel.every_s, cost_s * _REST_TIMES_COST) - BEAT_S / 10
            reading.due_s = time.monotonic() + rest_s
            reading.asked = None

    async def _ask(self, reading: Reading) -> float:
        panel = reading.panel
        parameters = self._scope(panel).parameters()
        answer = await self._engine.ask(reading.query, parameters, panel.budget_ms)
        reading.rows, reading.error = answer.rows, ""
        if panel.kind == "events":
            self.arrivals.saw(answer.rows, round(time.time() * 1000), time.monotonic())
        return answer.took_s

    def _scope(self, panel: Panel) -> Scope:
        to_s = -(-self.now_ms() // 1000)
        return Scope(
            from_s=max(0, to_s - panel.hours * _HOUR_S),
            to_s=to_s,
            timezone=self._timezone,
            currency=self._currency,
        )

    async def _news(self) -> bytes:
        changed = []
        for reading in self._readings.values():
            # The first answer is news even when it is empty: the page waits for it.
            body = orjson.dumps([reading.rows, reading.error, reading.at_ms > 0])
            if body != reading.said:
                reading.said = body
                changed.append(reading)
        return orjson.dumps(await self._message(changed))

    async def _message(self, readings: list[Reading]) -> dict[str, Any]:
        customers = {row["customer"] for one in readings for row in one.rows if row.get("customer")}
        return {
            "now_ms": self.now_ms(),
            "clock": self._clock.standing(),
            "arrivals": self.arrivals.summary(),
            "labels": await self._labels_of(customers),
            "panels": {one.panel.id: one.body() for one in readings},
        }
