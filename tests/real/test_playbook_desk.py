"""A rule written over HTTP while a worker runs acts on the next event, without a restart."""

import msgspec
import pytest
from aiohttp import ClientSession, CookieJar, web

from models.effects import Action
from sinks.web.forgery import HEADER, Forgery
from sinks.web.playbook_room import PlaybookRoom
from streams import topics
from streams.playbook_desk import LogDesk
from streams.playbook_editions import read_editions
from streams.servers.ports import free_port
from streams.settings import Settings
from tests.builders import viewed
from tests.real.rig import Crew, Log, until

pytestmark = pytest.mark.real

AT_MS = 1_500_000_000_000
SHOP = "shop: {time_zone: UTC, currency: EUR}\n"
RULE = (
    "triggers:\n  call:\n    when: {event: product_viewed}\n"
    "    then: [{task: Call the customer}]\n    guard: {holdout: false}\n"
)


async def test_a_rule_that_is_typed_in_acts_on_the_next_event(settings: Settings) -> None:
    app, port = web.Application(), free_port()
    app.add_routes(PlaybookRoom(LogDesk(settings), Forgery(), settings.currency).routes())
    runner = web.AppRunner(app, access_log=None)
    address = f"http://127.0.0.1:{port}"
    async with Log(settings) as log, ClientSession(address, cookie_jar=CookieJar(unsafe=True)) as c:
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        try:
            with Crew(settings) as crew:
                crew.start("worker")
                await log.write([viewed("p1", at_ms=AT_MS)])
                await until(lambda: _folded(log, 1), "the first event")
                async with c.get("/v1/playbook") as answer:
                    token = {HEADER: (await answer.json())["form_token"]}
                draft = {"files": {"playbook.yaml": SHOP + RULE}}
                async with c.post("/v1/playbook", json=draft | {"based_on": 0}) as answer:
                    assert answer.status == 403
                body = draft | {"based_on": 0, "note": "calls"}
                async with c.post("/v1/playbook", json=body, headers=token) as answer:
                    assert answer.status == 201, await answer.text()
                async with c.post("/v1/playbook", json=body, headers=token) as answer:
                    assert answer.status == 409
                await log.write([viewed("p2", at_ms=AT_MS + 1_000)])
                await until(lambda: _acted(log), "the rule to act", 60)
        finally:
            await runner.cleanup()
    editions = await read_editions(settings)
    assert [(one.version, one.by, one.note) for one in editions.known] == [(1, "page", "calls")]


async def _folded(log: Log, count: int) -> bool:
    return await log.folded() >= count


async def _acted(log: Log) -> bool:
    actions = [
        msgspec.json.decode(one.value, type=Action) for one in await log.records(topics.ACTIONS)
    ]
    return [(one.rule, one.playbook_version) for one in actions] == [("call", 1)]
