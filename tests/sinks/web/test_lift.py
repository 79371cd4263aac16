"""How often the page asks what rules brought."""

from typing import Any

import pytest

from sinks.web import lift
from sinks.web.lift import Lifts
from tests.builders import START_MS


class Asked:
    """Stands for ClickHouse and the log's time; `questions` are what was asked."""

    def __init__(self) -> None:
        self.questions: list[dict[str, Any]] = []

    async def rows(self, sql: str, asked: dict[str, Any], budget_ms: int) -> list[Any]:
        self.questions.append(asked)
        return []

    def now_ms(self) -> int:
        return START_MS


async def test_an_answer_is_kept_for_a_while_by_rule_and_days(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wall_s = [100.0]
    monkeypatch.setattr(lift, "monotonic", lambda: wall_s[0])
    asked = Asked()
    lifts = Lifts(asked, asked, "EUR")  # type: ignore[arg-type]
    first = await lifts.of("", 30)
    assert await lifts.of("", 30) is first
    assert first["at_ms"] == START_MS
    await lifts.of("win_back", 30)
    await lifts.of("", 14)
    assert [(one["rule"], one["days"]) for one in asked.questions] == [
        ("", 30),
        ("win_back", 30),
        ("", 14),
    ]
    wall_s[0] += lift.KEPT_S
    await lifts.of("", 30)
    assert len(asked.questions) == 4


async def test_what_is_kept_is_bounded() -> None:
    asked = Asked()
    lifts = Lifts(asked, asked, "EUR")  # type: ignore[arg-type]
    for number in range(lift.RULES_KEPT * 3):
        await lifts.of(f"rule_{number}", 30)
    assert len(lifts._kept) <= lift.RULES_KEPT
