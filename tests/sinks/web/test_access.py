"""Who may come in."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from sinks.web.access import COOKIE, Access, add_security_headers, from_here

KEY = "a-long-secret"
Client = TestClient[web.Request, web.Application]


@asynccontextmanager
async def guarded(access: Access) -> AsyncIterator[Client]:
    async def inside(_: web.Request) -> web.Response:
        return web.Response(text="inside")

    async def trade(request: web.Request) -> web.Response:
        response = web.Response(text="in")
        access.let_in(response, secure=request.secure)
        return response

    app = web.Application(middlewares=[access.middleware])
    app.add_routes([web.get("/{anything:.*}", inside), web.post("/login", trade)])
    app.on_response_prepare.append(add_security_headers)
    async with TestClient(TestServer(app)) as client:
        yield client


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("localhost:8471", 200),
        ("127.0.0.1:9999", 200),
        ("[::1]:8471", 200),
        ("evil.example", 421),
        ("127.0.0.1.evil.example", 421),
        ("localhost.evil.example:8471", 421),
        ("0.0.0.0:8471", 421),
        ("[::1", 421),
    ],
)
async def test_without_a_key_only_loopback_names_are_answered(host: str, status: int) -> None:
    async with guarded(Access("", loopback=True)) as client:
        answer = await client.get("/v1/customers/1", headers={"Host": host})
        assert answer.status == status


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"Authorization": "Bearer wrong"}, 401),
        ({"Authorization": "Basic YTpi"}, 401),
        ({"Authorization": "Bearer"}, 401),
        ({"Authorization": "Bearer schlüssel"}, 401),
        ({"Authorization": f"Bearer {KEY}"}, 200),
        ({"Authorization": f"bearer  {KEY} "}, 200),
        ({"Cookie": f"{COOKIE}=9999999999.nonce.forged"}, 401),
        ({"Cookie": f"{COOKIE}=.."}, 401),
        ({"Cookie": f"{COOKIE}=x"}, 401),
    ],
)
async def test_with_a_key_programs_show_it(headers: dict[str, str], status: int) -> None:
    async with guarded(Access(KEY, loopback=False)) as client:
        answer = await client.get("/v1/customers/1", headers=headers)
        assert answer.status == status


async def test_a_browser_without_a_session_is_led_to_the_form() -> None:
    async with guarded(Access(KEY, loopback=False)) as client:
        answer = await client.get("/", headers={"Accept": "text/html"}, allow_redirects=False)
        assert (answer.status, answer.headers["Location"]) == (303, "/login")


@pytest.mark.parametrize("path", ["/healthz", "/login", "/static/app.css", "/words/en.json"])
async def test_what_the_form_needs_is_open(path: str) -> None:
    async with guarded(Access(KEY, loopback=False)) as client:
        assert (await client.get(path)).status == 200


async def test_a_session_opens_the_door_and_its_cookie_is_out_of_reach_of_scripts() -> None:
    async with guarded(Access(KEY, loopback=False)) as client:
        answer = await client.post("/login")
        cookie = answer.cookies[COOKIE]
        assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Strict", "/")
        assert KEY not in cookie.value
        headers = {"Cookie": f"{COOKIE}={cookie.value}"}
        assert (await client.get("/v1/customers/1", headers=headers)).status == 200


async def test_a_session_ends_and_none_survives_another_key(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with guarded(Access(KEY, loopback=False)) as client:
        value = (await client.post("/login")).cookies[COOKIE].value
        headers = {"Cookie": f"{COOKIE}={value}"}
        with monkeypatch.context() as later:
            later.setattr("sinks.web.access.time.time", lambda: 4e9)
            assert (await client.get("/x", headers=headers)).status == 401
    async with guarded(Access("another-secret", loopback=False)) as client:
        assert (await client.get("/x", headers=headers)).status == 401


def test_guessing_is_noticed_and_forgiven_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    access = Access(KEY, loopback=False)
    for _ in range(9):
        access.note_failure()
    assert not access.too_many_failures()
    access.note_failure()
    assert access.too_many_failures()
    monkeypatch.setattr("sinks.web.access.time.monotonic", lambda: 1e12)
    assert not access.too_many_failures()


async def test_every_answer_carries_the_policy() -> None:
    async with guarded(Access("", loopback=True)) as client:
        headers = (await client.get("/")).headers
        assert "script-src 'self'" in headers["Content-Security-Policy"]
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "Server" not in headers


@pytest.mark.parametrize(
    ("headers", "ours"),
    [
        ({}, True),
        ({"Sec-Fetch-Site": "same-origin"}, True),
        ({"Sec-Fetch-Site": "none"}, True),
        ({"Sec-Fetch-Site": "cross-site"}, False),
        ({"Sec-Fetch-Site": "same-site"}, False),
        ({"Origin": "http://localhost:8471", "Host": "localhost:8471"}, True),
        ({"Origin": "http://evil.example", "Host": "localhost:8471"}, False),
        ({"Origin": "null", "Host": "localhost:8471"}, False),
    ],
)
async def test_forms_of_foreign_pages_are_told_apart(headers: dict[str, str], ours: bool) -> None:
    async def say(request: web.Request) -> web.Response:
        return web.Response(text=str(from_here(request)))

    app = web.Application()
    app.add_routes([web.post("/", say)])
    async with TestClient(TestServer(app)) as client:
        assert await (await client.post("/", headers=headers)).text() == str(ours)
