"""The page's timer, with an engine that is slow, broken or well on demand."""

import asyncio
import json
from collections.abc import Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest

from sinks.web.broadcast import Broadcast, Listener
from sinks.web.engine import Answer, QueryFailed
from sinks.web.panels import Panel
from sinks.web.pulse import Pulse
from tests.sinks.web.shop import NOW_MS


class Clock:
    def now_ms(self) -> int:
        return NOW_MS

    def standing(self) -> dict[str, Any]:
        return {"mode": "wall", "replay": None}


class ScriptedEngine:
    """Answers each query as its script says, and counts what it was asked."""

    def __init__(self) -> None:
        self.asked: dict[str, int] = {}
        self.broken: set[str] = set()
        self.stuck: set[str] = set()
        self.late: dict[str, asyncio.Event] = {}
        self.parameters: Mapping[str, Any] = {}

    async def ask(self, sql: str, parameters: Mapping[str, Any], budget_ms: int) -> Answer:
        self.asked[sql] = self.asked.get(sql, 0) + 1
        self.parameters = parameters
        if sql in self.stuck:
            await asyncio.sleep(budget_ms / 1000)
            raise QueryFailed(f"no answer within {budget_ms} ms")
        if sql in self.late:
            await self.late[sql].wait()
            return Answer([], 0.0)
        if sql in self.broken:
            raise QueryFailed("table gone")
        return Answer([{"n": self.asked[sql]}], 0.0)

    async def rows(self, sql: str, parameters: Mapping[str, Any], budget_ms: int) -> list[Any]:
        return (await self.ask(sql, parameters, budget_ms)).rows


def panel(name: str, every_s: float = 0.0) -> Panel:
    words = {"en": "A", "zh-TW": "B", "zh-CN": "C"}
    return Panel(
        id=name, title=words, definition=words, kind="rates", unit="count", sql=name,
        every_s=every_s, budget_ms=200, hours=2,
    )  # fmt: skip


async def no_labels(_: set[str]) -> dict[str, str]:
    return {}


@asynccontextmanager
async def beating(engine: ScriptedEngine, *panels: Panel) -> Any:
    broadcast = Broadcast()
    pulse = Pulse(
        panels, engine, Clock(), broadcast, no_labels, currency="EUR", timezone="UTC"  # type: ignore[arg-type]
    )  # fmt: skip
    running = asyncio.create_task(pulse.run())
    yield pulse, broadcast
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def heard(listener: Listener) -> dict[str, Any]:
    message = await asyncio.wait_for(listener.next(), 5)
    assert message is not None
    told: dict[str, Any] = json.loads(message)
    return told


@pytest.fixture(autouse=True)
def quick_beat(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sinks.web.pulse.BEAT_S", 0.05)
    monkeypatch.setattr("sinks.web.pulse._QUICK_S", 0.04)


async def test_nothing_is_asked_while_nobody_looks() -> None:
    engine = ScriptedEngine()
    async with beating(engine, panel("a")) as (_, broadcast):
        await asyncio.sleep(0.2)
        assert engine.asked == {}
        listener = broadcast.join()
        assert (await heard(listener))["panels"]["a"]["rows"] == [{"n": 1}]


async def test_a_panel_that_gets_stuck_holds_up_no_other() -> None:
    engine = ScriptedEngine()
    engine.stuck.add("stuck")
    async with beating(engine, panel("stuck"), panel("well")) as (_, broadcast):
        listener = broadcast.join()
        for _ in range(3):
            assert "well" in (await heard(listener))["panels"]


async def test_a_first_answer_that_is_late_and_empty_is_said_all_the_same() -> None:
    engine = ScriptedEngine()
    engine.late["empty"] = asyncio.Event()
    async with beating(engine, panel("quick"), panel("empty", every_s=60.0)) as (_, broadcast):
        listener = broadcast.join()
        first = await heard(listener)
        assert not first["panels"]["empty"]["at_ms"]
        engine.late["empty"].set()
        later = first
        async with asyncio.timeout(10):
            while not later["panels"].get("empty", {}).get("at_ms"):
                later = await heard(listener)
        assert later["panels"]["empty"]["rows"] == []


async def test_a_panel_that_fails_says_why_and_keeps_its_last_rows() -> None:
    engine = ScriptedEngine()
    async with beating(engine, panel("a")) as (_, broadcast):
        listener = broadcast.join()
        before = (await heard(listener))["panels"]["a"]
        engine.broken.add("a")
        after = before
        while after["error"] is None:
            before, after = after, (await heard(listener))["panels"].get("a", after)
        assert after["error"] == "table gone"
        assert after["rows"] == before["rows"]
        engine.broken.clear()
        while after["error"] is not None:
            after = (await heard(listener))["panels"].get("a", after)
        assert after["rows"] != before["rows"]


async def test_only_what_changed_is_said_but_the_time_always() -> None:
    engine = ScriptedEngine()
    async with beating(engine, panel("calm", every_s=60.0)) as (_, broadcast):
        listener = broadcast.join()
        assert set((await heard(listener))["panels"]) == {"calm"}
        later = await heard(listener)
        assert later["panels"] == {}
        assert later["now_ms"] == NOW_MS


async def test_a_first_paint_has_every_panel_and_asks_only_what_is_overdue() -> None:
    engine = ScriptedEngine()
    async with beating(engine, panel("calm", every_s=60.0)) as (pulse, _):
        first, again = await pulse.snapshot(), await pulse.snapshot()
    assert first["panels"] == again["panels"]
    assert engine.asked == {"calm": 1}


async def test_the_range_of_a_query_ends_at_the_log_time_now() -> None:
    engine = ScriptedEngine()
    async with beating(engine, panel("a")) as (pulse, _):
        await pulse.snapshot()
    now_s = NOW_MS // 1000
    assert engine.parameters == {
        "from_s": now_s - 7_200, "to_s": now_s, "timezone": "UTC", "currency": "EUR",
    }  # fmt: skip
