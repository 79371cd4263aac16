"""The page's rehearsals play aside: one at a time, ended when they take too long."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from models.playbook.edition import Edition
from sinks.web.rehearsal_room import Busy, Wish
from streams.rehearsal_desk import AsideRehearser
from streams.settings import Settings
from tests.models.triggers.playing import BROWSE, HEAD
from tests.streams.rehearse.test_aside import SCENARIO

BOOK = HEAD + BROWSE
WISH = Wish("a", {"a": BOOK}, SCENARIO, 30, Edition(1, "a", {"a": BOOK}))


async def told_by(rehearser: AsideRehearser, wish: Wish = WISH) -> list[dict[str, Any]]:
    return [told async for told in rehearser.play(wish)]


async def test_a_draft_is_played_in_a_process_of_its_own(tmp_path: Path) -> None:
    rehearser = AsideRehearser(Settings(data_dir=tmp_path))
    [told] = await told_by(rehearser)
    assert told["found"]["comparison"]["same"]
    assert {one["rule"] for one in told["found"]["decided"]} == {"browse"}


async def test_what_takes_too_long_is_ended_and_the_next_one_may_begin(tmp_path: Path) -> None:
    rehearser = AsideRehearser(Settings(data_dir=tmp_path), within_s=0.05)
    assert await told_by(rehearser) == [{"stopped": "time"}]
    assert await told_by(rehearser) == [{"stopped": "time"}]


async def test_two_at_once_are_one_too_many(tmp_path: Path) -> None:
    rehearser = AsideRehearser(Settings(data_dir=tmp_path))
    first = asyncio.create_task(told_by(rehearser))
    await asyncio.sleep(0)
    with pytest.raises(Busy):
        await told_by(rehearser)
    [told] = await first
    assert "found" in told


async def test_what_breaks_is_said_to_have_gone_wrong(tmp_path: Path) -> None:
    broken = WISH._replace(files={"a": "triggers: ["})
    assert await told_by(AsideRehearser(Settings(data_dir=tmp_path)), broken) == [
        {"stopped": "fault"}
    ]


def test_ready_scenarios_are_those_of_the_packs_without_their_expectations(tmp_path: Path) -> None:
    ready = AsideRehearser(Settings(data_dir=tmp_path)).scenarios()
    assert "birthday" in ready
    assert all("until:" in text for text in ready.values())
    assert not any("expect" in line for text in ready.values() for line in text.splitlines())
