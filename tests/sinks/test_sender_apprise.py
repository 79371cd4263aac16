"""Apprise URLs, tried with apprise's own json:// against a real HTTP server."""

import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.util import find_spec

import pytest
from aiohttp import web

from models.events import MessageChannel
from sinks.sender_apprise import AppriseMissing, AppriseSender
from sinks.senders import SendFailed, SendRefused
from tests.sinks.test_sender_email import message

MISSING = "apprise is not installed: pip install 'huitou[apprise]'"
needs_apprise = pytest.mark.skipif(find_spec("apprise") is None, reason=MISSING)


class Told:
    """A server as json:// speaks to it; `got` are the paths with their texts."""

    def __init__(self, status: int = 200) -> None:
        self.status = status
        self.got: list[tuple[str, str]] = []

    async def take(self, request: web.Request) -> web.Response:
        said = json.loads(await request.text())
        if self.status == 200:
            self.got.append((request.match_info["to"], said["message"]))
        return web.Response(status=self.status)


@asynccontextmanager
async def running(told: Told) -> AsyncIterator[str]:
    app = web.Application(client_max_size=10**6)
    app.router.add_post("/{to}", told.take)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"json://127.0.0.1:{runner.addresses[0][1]}/{{to}}"
    finally:
        await runner.cleanup()


@needs_apprise
async def test_the_address_stands_in_the_url_whatever_is_in_it() -> None:
    told = Told()
    async with running(told) as url:
        sender = AppriseSender(url)
        one = message(channel=MessageChannel.SMS, address="+49 1/2?x=3#y", html="")
        assert (await sender.send(one, "k1")).provider_id == "k1"
        await sender.close()
    assert [to for to, _ in told.got] == ["+49 1/2?x=3#y"]


@needs_apprise
async def test_what_the_service_does_not_take_is_tried_again() -> None:
    told = Told(status=500)
    async with running(told) as url:
        sender = AppriseSender(url)
        with pytest.raises(SendFailed, match="did not take it"):
            await sender.send(message(), "k1")
        told.status = 200
        await sender.send(message(), "k1")
        await sender.close()
    assert len(told.got) == 1


@needs_apprise
async def test_without_an_address_or_a_service_nothing_is_sent() -> None:
    with pytest.raises(SendRefused, match="no address"):
        await AppriseSender("json://127.0.0.1:9/{to}").send(message(address=""), "k1")
    with pytest.raises(SendRefused, match="no such service"):
        await AppriseSender("nothing://secret-token").send(message(), "k1")


def test_without_the_library_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    with pytest.raises(AppriseMissing, match=r"huitou\[apprise\]"):
        AppriseSender("json://127.0.0.1:9/{to}")
