"""What the page is told of a rehearsal: over a scenario, and over the own log's last days."""

import asyncio
from typing import Any

import pytest

from models.clock import DAY_MS, HOUR_MS
from streams.rehearse import aside
from streams.rehearse.aside import play
from streams.rehearse.asked import Asked
from streams.settings import Settings
from tests.builders import START_MS, identified, named, viewed
from tests.models.triggers.playing import BROWSE, HEAD
from tests.real.rig import Log

BOOK = HEAD + BROWSE
LATER = BOOK.replace("24h", "48h")
SCENARIO = """
events:
  - at: 2026-02-01T10:00:00Z
    identify: {userId: ada, traits: {email: ada@example.com}}
  - at: 2026-02-01T10:05:00Z
    track: {event: Product Viewed, userId: ada, properties: {product_id: sku1}}
until: 2026-02-05T00:00:00Z
"""


def asked(scenario: str = "", **other: Any) -> Asked:
    filled: dict[str, Any] = {
        "main": "a",
        "files": {"a": LATER},
        "in_use": ("a", {"a": BOOK}),
        "scenario": scenario,
        "days": 2,
        "settings": {},
    }
    return Asked(**(filled | other))


def told_of(one: Asked) -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = []
    play(one, told.append)
    return told


def test_a_scenario_says_what_the_draft_does_and_how_the_edition_in_use_differs() -> None:
    [told] = told_of(asked(SCENARIO))
    found = told["found"]
    [sent] = [one for one in found["decided"] if one["status"] == "sent"]
    assert (sent["customer_id"], sent["rule"], sent["at"][:16]) == (
        "ada",
        "browse",
        "2026-02-03T10:05",
    )
    sides = {one["only_in"]: one["at"][:10] for one in found["comparison"]["examples"]}
    assert sides == {"in use": "2026-02-02", "draft": "2026-02-03"}
    [same] = told_of(asked(SCENARIO, files={"a": BOOK}))
    assert same["found"]["comparison"]["same"]


def test_without_an_edition_in_use_all_is_the_drafts_alone() -> None:
    [told] = told_of(asked(SCENARIO, in_use=None))
    examples = told["found"]["comparison"]["examples"]
    assert {(one["rule"], one["only_in"]) for one in examples} == {("browse", "draft")}


def test_a_scenario_with_mistakes_is_told_them() -> None:
    [told] = told_of(asked("events: []\nuntl: 2026-02-05"))
    assert "until" in [one["suggestion"] for one in told["problems"]]


def test_a_scenario_of_many_years_is_not_begun() -> None:
    assert told_of(asked(SCENARIO.replace("until: 2026", "until: 2090"))) == [{"stopped": "events"}]


async def written(settings: Settings, days: int) -> None:
    """A view a day, each of another customer, and the log's own clock at the end."""
    async with Log(settings) as log:
        await log.mark(START_MS)
        for day in range(days):
            who, at_ms = {"customer": named(str(day))}, START_MS + day * DAY_MS
            sealed = {"email": "x", "id": "y"}
            first = identified(at_ms=at_ms + 1, sealed=sealed, **who)
            await log.write([first, viewed("sku1", at_ms=at_ms + HOUR_MS, **who)])
            await log.mark(at_ms + 2 * HOUR_MS)
        await log.mark(START_MS + days * DAY_MS)


@pytest.mark.real
def test_of_the_own_log_the_last_days_count_alone(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    asyncio.run(written(settings, 8))
    monkeypatch.setattr(aside, "_asked_of_log", lambda _: (START_MS + 8 * DAY_MS, 40))
    known = {"kafka": settings.kafka_bootstrap, "namespace": settings.namespace, "partitions": 2}
    *progress, told = told_of(asked(settings=known, days=3))
    assert all(0 <= one["progress"] <= 1 for one in progress)
    found = told["found"]
    # Two days after a look instead of one: of eight, the last two come too late for it.
    assert (found["messages"], found["before"]["messages"]) == (3, 3)
    assert list(found["by_day"]) == ["2022-01-13", "2022-01-14", "2022-01-15"]
    assert (found["customers"], found["one_in"]) == (8, 1)
    monkeypatch.setattr(aside, "RECORDS_AT_ONCE", 20)
    *_, told = told_of(asked(settings=known, days=3))
    assert told["found"]["one_in"] == 2
    assert 0 < told["found"]["customers"] < 8


@pytest.mark.real
def test_without_a_log_it_is_said_that_there_is_none(settings: Settings) -> None:
    nowhere = {"kafka": "127.0.0.1:9", "namespace": "", "partitions": 2}
    assert told_of(asked(settings=nowhere)) == [{"stopped": "history"}]
