"""The playbook's room over HTTP: shown, checked, applied, put back; nobody else's page can."""

from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, CookieJar

import models.playbook
from sinks.web.forgery import HEADER
from sinks.web.playbook_room import BODY_BYTES, rules_of
from tests.sinks.web.shop import Shop, served

pytestmark = pytest.mark.real

TEXT = Path(models.playbook.__file__).with_name("starter.yaml").read_text("utf-8")
DRAFT = {"main": "playbook.yaml", "files": {"playbook.yaml": TEXT}}
CHANGED = {"main": "playbook.yaml", "files": {"playbook.yaml": TEXT.replace("24h", "48h")}}


async def token(client: ClientSession) -> dict[str, str]:
    """Header of a page that was loaded; the client keeps the cookie."""
    async with client.get("/v1/playbook") as answer:
        cookie = answer.headers["Set-Cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie
        return {HEADER: (await answer.json())["form_token"]}


async def post(
    client: ClientSession, path: str, body: Any, headers: dict[str, str] | None = None
) -> tuple[int, Any]:
    async with client.post(path, json=body, headers=headers) as answer:
        return answer.status, await answer.json()


def jarred(address: str) -> ClientSession:
    """A client that keeps cookies of an address without a name, as browsers do."""
    return ClientSession(address, cookie_jar=CookieJar(unsafe=True))


async def test_a_draft_is_checked_and_changes_nothing(empty_shop: Shop) -> None:
    async with served(empty_shop.config()) as client:
        status, told = await post(client, "/v1/playbook/check", DRAFT)
        assert (status, told["ok"], told["problems"]) == (200, True, [])
        assert {one["kind"] for one in told["changes"]} == {"added"}
        foreign = {"files": {"playbook.yaml": TEXT.replace("currency: EUR", "currency: TWD")}}
        status, told = await post(client, "/v1/playbook/check", foreign)
        assert (status, told["ok"]) == (200, True)
        [doubt] = told["problems"]
        assert (doubt["severity"], doubt["value"]) == ("warning", "TWD")
        assert doubt["message"] == "events that name no currency are read in EUR"
        wrong = {"files": {"playbook.yaml": TEXT.replace("triggers:", "trigers:")}}
        status, told = await post(client, "/v1/playbook/check", wrong)
        assert (status, told["ok"], told["changes"]) == (200, False, None)
        problem = next(one for one in told["problems"] if one["suggestion"] == "triggers")
        assert problem["value"] == "trigers"
    assert empty_shop.desk.known == []


async def test_an_edition_is_applied_shown_and_put_back(empty_shop: Shop) -> None:
    async with served(empty_shop.config()) as plain, jarred(str(plain._base_url)) as client:
        headers = await token(client)
        first = DRAFT | {"note": "first", "based_on": 0}
        assert (await post(client, "/v1/playbook", first, headers))[0] == 201
        assert (await post(client, "/v1/playbook", CHANGED | {"based_on": 1}, headers))[0] == 201
        async with client.get("/v1/playbook") as answer:
            told = await answer.json()
        assert (told["in_use"], told["newest"], len(told["editions"])) == (2, 2, 2)
        assert told["edition"]["files"] == CHANGED["files"]
        status, _ = await post(client, "/v1/playbook/rollback", {"version": 1}, headers)
        assert status == 200
        _, told = await post(client, "/v1/playbook/check", CHANGED)
        assert [one["name"] for one in told["changes"]] == ["browse_reminder"]
        async with client.get("/v1/playbook/editions/1") as answer:
            assert (await answer.json())["note"] == "first"
        async with client.get("/v1/playbook/editions/7") as answer:
            assert answer.status == 404
        status, told = await post(client, "/v1/playbook/rollback", {"version": 9}, headers)
        assert (status, told["error"]) == (503, "there is no edition 9")


async def test_of_two_editors_the_second_is_shown_both(empty_shop: Shop) -> None:
    async with served(empty_shop.config()) as plain, jarred(str(plain._base_url)) as client:
        headers = await token(client)
        await post(client, "/v1/playbook", DRAFT | {"based_on": 0}, headers)
        status, told = await post(client, "/v1/playbook", CHANGED | {"based_on": 0}, headers)
    assert status == 409
    assert told["theirs"]["files"] == DRAFT["files"]
    assert told["yours"]["files"] == CHANGED["files"]
    assert len(empty_shop.desk.known) == 1


@pytest.mark.parametrize("path", ["/v1/playbook", "/v1/playbook/rollback", "/v1/playbook/check"])
@pytest.mark.parametrize(
    "forged",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
    ],
)
async def test_what_anothers_page_sends_is_refused_and_changes_nothing(
    empty_shop: Shop, path: str, forged: dict[str, str]
) -> None:
    async with served(empty_shop.config()) as plain, jarred(str(plain._base_url)) as client:
        headers = await token(client)
        await post(client, "/v1/playbook", DRAFT | {"based_on": 0}, headers)
        body = CHANGED | {"based_on": 1, "version": 1}
        assert (await post(client, path, body, headers | forged))[0] == 403
    assert (len(empty_shop.desk.known), len(empty_shop.desk.adoptions)) == (1, 1)


async def test_without_a_token_of_this_very_cookie_nothing_is_changed(empty_shop: Shop) -> None:
    async with served(empty_shop.config()) as plain, jarred(str(plain._base_url)) as client:
        body = DRAFT | {"based_on": 0}
        headers = await token(client)
        for path in ("/v1/playbook", "/v1/playbook/rollback"):
            assert (await post(client, path, body))[0] == 403
            assert (await post(client, path, body, {HEADER: "x"}))[0] == 403
            # The token of somebody else's cookie is none of ours.
            assert (await post(plain, path, body, headers))[0] == 403
    assert empty_shop.desk.known == []


async def test_only_json_is_read_and_no_get_changes_anything(empty_shop: Shop) -> None:
    async with served(empty_shop.config()) as plain, jarred(str(plain._base_url)) as client:
        headers = await token(client)
        for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
            for path in ("/v1/playbook", "/v1/playbook/check", "/v1/playbook/rollback"):
                typed = headers | {"Content-Type": kind}
                async with client.post(path, data=b'{"based_on": 0}', headers=typed) as answer:
                    assert answer.status == 415
        for path in ("/v1/playbook/rollback?version=1", "/v1/playbook/check"):
            async with client.get(path, headers=headers) as answer:
                assert answer.status == 405
    assert empty_shop.desk.adoptions == []


async def test_a_page_that_points_its_own_name_here_is_refused(empty_shop: Shop) -> None:
    async with served(empty_shop.config()) as plain, jarred(str(plain._base_url)) as client:
        headers = await token(client)
        rebound = headers | {"Host": "evil.example", "Origin": "http://evil.example"}
        body = DRAFT | {"based_on": 0}
        assert (await post(client, "/v1/playbook", body, rebound))[0] == 421
        async with client.get("/v1/playbook", headers=rebound) as answer:
            assert answer.status == 421
    assert empty_shop.desk.known == []


async def test_with_a_key_nobody_reads_or_writes_without_it(empty_shop: Shop) -> None:
    async with served(empty_shop.config(api_key="secret")) as client:
        async with client.get("/v1/playbook") as answer:
            assert answer.status == 401
        assert (await post(client, "/v1/playbook", DRAFT | {"based_on": 0}))[0] == 401
    assert empty_shop.desk.known == []


async def test_what_is_too_large_or_no_draft_is_refused(empty_shop: Shop) -> None:
    async with served(empty_shop.config()) as plain, jarred(str(plain._base_url)) as client:
        headers = await token(client)
        large = b'{"files": {"playbook.yaml": "' + b"#" * BODY_BYTES + b'"}}'
        typed = headers | {"Content-Type": "application/json"}
        for path in ("/v1/playbook/check", "/v1/playbook"):
            async with client.post(path, data=BytesIO(large), headers=typed) as answer:
                assert answer.status == 413
        for body in (
            [],
            {},
            {"files": {}},
            {"files": {"a.yaml": 1}},
            {"files": {"a.yaml": ""}, "main": "b.yaml"},
            {"files": {"a.yaml": ""}, "main": []},
            DRAFT,
            DRAFT | {"based_on": "1"},
            DRAFT | {"based_on": 0, "note": "x" * 501},
        ):
            assert (await post(client, "/v1/playbook", body, headers))[0] == 400, body
        mistaken = {"files": {"playbook.yaml": "trigers: {}"}, "based_on": 0}
        status, told = await post(client, "/v1/playbook", mistaken, headers)
        assert (status, bool(told["problems"])) == (422, True)
    assert empty_shop.desk.known == []


def test_rules_are_told_as_they_are_written() -> None:
    rules = rules_of({"a.yaml": TEXT})
    assert [one["name"] for one in rules] == [
        "thank_you",
        "browse_reminder",
        "thirty_days_of_silence",
    ]
    assert rules[1]["when"]["wait"] == "24h"
    assert all(one["enabled"] for one in rules)
    assert rules_of({"a.yaml": "a: ["}) == []
    off = rules_of({"a.yaml": "triggers: {a: {enabled: false, when: {silence: 1d}, then: []}}"})
    assert [one["enabled"] for one in off] == [False]
