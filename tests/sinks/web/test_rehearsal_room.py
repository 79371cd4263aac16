"""Rehearsals over HTTP: told line by line, only to our own page, and nothing is changed."""

from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import ClientSession

import models.playbook
from sinks.web.rehearsal_room import SCENARIO_CHARS
from tests.sinks.web.shop import Shop, served
from tests.sinks.web.test_playbook_room import jarred, token

pytestmark = pytest.mark.real

TEXT = Path(models.playbook.__file__).with_name("starter.yaml").read_text("utf-8")
DRAFT = {"main": "playbook.yaml", "files": {"playbook.yaml": TEXT}}
PLACE = "/v1/playbook/rehearse"


async def rehearsed(
    client: ClientSession, body: dict[str, Any], headers: dict[str, str] | None = None
) -> tuple[int, Any]:
    async with client.post(PLACE, json=body, headers=headers) as answer:
        raw = await answer.read()
        if answer.status != 200:
            return answer.status, orjson.loads(raw)
        return answer.status, [orjson.loads(line) for line in raw.splitlines()]


async def test_how_far_it_is_and_what_was_found_come_line_by_line(empty_shop: Shop) -> None:
    await empty_shop.desk.apply("a.yaml", {"a.yaml": TEXT}, "first", 0)
    async with served(empty_shop.config()) as plain, jarred(str(plain._base_url)) as client:
        headers = await token(client)
        told = await rehearsed(client, DRAFT | {"days": 90}, headers)
        assert told == (200, [{"progress": 0.5}, {"stopped": "history"}])
        empty_shop.rehearser.says = [{"found": {"decided": []}}]
        told = await rehearsed(client, DRAFT | {"scenario": "until: now"}, headers)
        assert told == (200, [{"found": {"decided": []}}])
    over_log, over_scenario = empty_shop.rehearser.wishes
    assert (over_log.days, over_log.scenario, over_log.files) == (90, "", DRAFT["files"])
    assert over_log.in_use is not None
    assert over_log.in_use.version == 1
    assert over_scenario.scenario == "until: now"
    assert len(empty_shop.desk.known) == 1


async def test_another_page_can_not_make_the_shop_rehearse(empty_shop: Shop) -> None:
    async with served(empty_shop.config()) as plain, jarred(str(plain._base_url)) as client:
        headers = await token(client)
        assert (await rehearsed(client, DRAFT))[0] == 403
        foreign = headers | {"Origin": "http://evil.example"}
        assert (await rehearsed(client, DRAFT, foreign))[0] == 403
    assert empty_shop.rehearser.wishes == []


async def test_what_can_not_be_played_is_told_before_anything_is(empty_shop: Shop) -> None:
    async with served(empty_shop.config()) as plain, jarred(str(plain._base_url)) as client:
        headers = await token(client)
        wrong = {"files": {"playbook.yaml": TEXT.replace("triggers:", "trigers:")}}
        status, told = await rehearsed(client, wrong, headers)
        assert (status, told["error"]) == (422, "it has mistakes")
        assert "triggers" in [one["suggestion"] for one in told["problems"]]
        for other in ({"days": 0}, {"days": "30"}, {"scenario": "x" * (SCENARIO_CHARS + 1)}):
            assert (await rehearsed(client, DRAFT | other, headers))[0] == 400
        empty_shop.rehearser.is_busy = True
        assert (await rehearsed(client, DRAFT, headers))[0] == 429
    assert empty_shop.rehearser.wishes == []


async def test_ready_scenarios_are_there_to_begin_with(empty_shop: Shop) -> None:
    async with (
        served(empty_shop.config()) as client,
        client.get("/v1/playbook/scenarios") as answer,
    ):
        assert await answer.json() == {"birthday": "until: 2026-01-02T00:00:00Z"}
