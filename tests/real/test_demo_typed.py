"""The demo runs, somebody types a rule into its page, and the next event is answered by it."""

import asyncio
from typing import Any

import pytest
from aiohttp import ClientError, ClientSession, CookieJar, encode_basic_auth

from sinks.web.forgery import HEADER
from streams.prepare import begin
from streams.settings import Settings
from tests.real.replay_rig import Play, is_done, is_past
from tests.real.rig import Crew, Log, until

pytestmark = pytest.mark.real

ROLES = ("gateway", "worker", "sinks", "web")
DOOR = {"Authorization": encode_basic_auth("demo", "")}
TYPED = """triggers:
  typed_in:
    when: {event: product_viewed, if: event.product_id == "typed-1"}
    then: [{message: typed_in, channels: email}]
    guard: {holdout: false, quiet_hours: ignore, caps: false}
"""
WORDS = """messages:
  typed_in:
    consent: service
    words:
      en:
        defaults: {first_name: friend}
        subject: "You looked, {{ first_name }}"
        paragraphs: ["Here it is again."]
      zh-TW: {subject: "您看過了", paragraphs: ["在這裡。"]}
      zh-CN: {subject: "您看过了", paragraphs: ["在这里。"]}
"""


class Visitor:
    """Somebody with a browser on the page, and a channel that sends events."""

    def __init__(self, settings: Settings, http: ClientSession) -> None:
        self._page = f"http://127.0.0.1:{settings.web_port}"
        self._door = f"http://127.0.0.1:{settings.gateway_port}"
        self._http = http

    async def get(self, path: str) -> Any:
        async with self._http.get(self._page + path) as answer:
            return await answer.json() if answer.status == 200 else None

    async def is_open(self) -> bool:
        try:
            return await self.get("/v1/playbook") is not None
        except ClientError:
            return False

    async def apply(self, draft: dict[str, Any], token: str) -> int:
        """Send the form as a browser does."""
        own = {"Origin": self._page, "Sec-Fetch-Site": "same-origin", HEADER: token}
        async with self._http.post(f"{self._page}/v1/playbook", json=draft, headers=own) as answer:
            return answer.status

    async def post(self, kind: str, body: dict[str, Any]) -> None:
        url = f"{self._door}/v1/{kind}"
        async with self._http.post(url, json=body, headers=DOOR) as answer:
            assert answer.status == 200, await answer.text()

    async def look(self, message_id: str) -> None:
        """Be a new customer who looks at the product that the rule is about."""
        who = {"userId": f"visitor-{message_id}"}
        traits = {"firstName": "Ada", "email": "ada@example.com", "locale": "en"}
        await self.post("identify", {**who, "traits": traits})
        viewed = {"event": "Product Viewed", "properties": {"product_id": "typed-1"}}
        await self.post("track", {**who, **viewed, "messageId": message_id})

    async def letters(self) -> list[dict[str, Any]]:
        """Messages of the typed rule."""
        found = await self.get("/v1/mailbox?limit=200")
        return [one for one in found["letters"] if one["rule"] == "typed_in"]


async def test_a_rule_typed_into_the_page_of_a_running_demo_acts_on_the_next_event(
    settings: Settings,
) -> None:
    await asyncio.to_thread(begin, settings.model_copy(update={"awaits_history": True}))
    jar = CookieJar(unsafe=True)
    async with Log(settings) as log, ClientSession(cookie_jar=jar) as http:
        visitor = Visitor(settings, http)
        with Crew(settings) as crew, Play.demo(settings, 40, speed=0.2):
            roles = [crew.start(role) for role in ROLES]
            await until(visitor.is_open, "the page")
            await until(lambda: is_past(log, 0.002), "the demo to begin")
            await visitor.look("before")
            told = await visitor.get("/v1/playbook")
            assert told["edition"]["main"] == "demo.yaml"
            files = dict(told["edition"]["files"])
            text = files["demo.yaml"]
            text = text.replace("triggers:\n", TYPED, 1).replace("messages:\n", WORDS, 1)
            draft = {
                "main": "demo.yaml",
                "files": files | {"demo.yaml": text},
                "based_on": told["newest"],
            }
            assert await visitor.apply(draft, "forged") == 403
            assert await visitor.apply(draft, told["form_token"]) == 201
            await visitor.look("after")
            await until(lambda: _came(visitor), "the message of the typed rule")
            [letter] = await visitor.letters()
            assert letter["subject"] == "You looked, Ada"
            assert all(role.process.poll() is None for role in roles)
            assert not await is_done(log)


async def _came(visitor: Visitor) -> bool:
    return bool(await visitor.letters())
