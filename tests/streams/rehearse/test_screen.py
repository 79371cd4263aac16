"""Rehearsals are shown to people as tables and sentences."""

from typing import Any

from rich.console import Console

from streams.rehearse.comparison import Comparison
from streams.rehearse.screen import show_log, show_packs

HISTORY: dict[str, Any] = {
    "playbook": "p.yaml",
    "source": "shop",
    "from": "2026-01-01T00:00:00+00:00",
    "until": "2026-02-01T00:00:00+00:00",
    "events": 1_234,
    "refused": 0,
    "customers": 56,
    "currency": "JPY",
    "messages": 3,
    "customers_reached": 1,
    "most_messages_to_one": 3,
    "statuses": {"capped": 2, "sent": 3},
    "worst_cost_cents": 1_500,
    "unpriced_offers": 0,
    "rules": {
        "r": {
            "messages": 3,
            "customers": 1,
            "statuses": {"sent": 3, "capped": 2},
            "worst_cost_cents": 1_500,
            "unpriced_offers": 0,
        }
    },
    "days": {"2026-01-05": {"r": 1}, "2026-01-06": {"r": 2}},
    "collisions": [{"rules": ["r", "s"], "times": 4}],
}


def printed(lines: Any) -> str:
    console = Console(width=140, highlight=False, color_system=None)
    with console.capture() as captured:
        for line in lines:
            console.print(line)
    return captured.get()


def test_a_history_is_told_with_its_busiest_day_and_its_collisions() -> None:
    shown = printed(show_log(HISTORY))
    assert "1,234 events of 56 customers" in shown
    assert "3 messages to 1 customer, 3 at most to one; offers cost at worst 1,500 JPY" in shown
    assert "busiest day: 2026-01-06 with 2 messages" in shown
    assert "r and s wanted the same moment 4 times" in shown


def test_a_comparison_shows_more_and_fewer_by_rule() -> None:
    comparison = Comparison("a.yaml", "b.yaml")
    said = {"at": "2026-02-01", "customer_id": "c1", "rule": "r", "status": "sent"}
    said |= {"kind": "message", "channel": "email", "offer": None, "coupon": None, "reason": ""}
    comparison.take([], [said])
    shown = printed(show_log({"playbooks": [HISTORY], "comparison": comparison.as_dict()}))
    assert "first: a.yaml; second: b.yaml" in shown
    assert "decisions differ for 1 customer" in shown


def test_packs_are_told_with_what_failed_and_the_counts() -> None:
    played = [
        {"pack": "browse", "language": "en", "actions": 1, "passed": True, "differences": []},
        {
            "pack": "browse",
            "language": "zh-TW",
            "actions": 0,
            "passed": False,
            "differences": ["x"],
        },
    ]
    counts = {"packs": 1, "languages": 2, "scenarios": 2, "passed": 1}
    shown = printed(show_packs({"played": played, **counts}))
    assert "browse zh-TW: x" in shown
    assert "1 packs, 2 languages, 2 scenarios, 1 passed" in shown
