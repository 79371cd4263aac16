"""Rehearsals on the page: a draft played before anyone gets anything, beside the edition in use.

It is played over a scenario or over what the shop's own log holds. What plays is given from
outside (`Rehearser`): it works in a process of its own, within limits of time and memory.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any, NamedTuple, Protocol

import orjson
from aiohttp import web

from models.playbook.edition import Edition
from sinks.web.api import answer
from sinks.web.forgery import Forgery
from sinks.web.playbook_room import Desk, Refused, checked_draft, draft_of, read_body

SCENARIO_CHARS = 200_000
DAYS_AT_MOST = 366

Told = dict[str, Any]


class Wish(NamedTuple):
    """What is to be rehearsed: a scenario's text, or where it is "", so many last days.

    `in_use` is the edition to compare with, if there is one.
    """

    main: str
    files: Mapping[str, str]
    scenario: str
    days: int
    in_use: Edition | None


class Rehearser(Protocol):
    """Plays drafts."""

    def scenarios(self) -> dict[str, str]:
        """Give ready scenarios by name, as texts to begin with."""

    def play(self, wish: Wish) -> AsyncIterator[Told]:
        """Give now and then {"progress": 0 to 1}, at last what was found, or why nothing was.

        That is one of {"found": ...}, {"problems": [...]} (of the scenario) and {"stopped": WHY}
        with WHY in STOPPED. Raises Busy while another one is played.
        """


STOPPED = ("time", "memory", "size", "events", "history", "fault")


class Busy(Exception):
    """One rehearsal at a time."""


class RehearsalRoom:
    """Handlers of rehearsals."""

    def __init__(self, desk: Desk, rehearser: Rehearser, forgery: Forgery) -> None:
        self._desk = desk
        self._rehearser = rehearser
        self._forgery = forgery

    def routes(self) -> list[web.RouteDef]:
        """Every route with its handler."""
        return [
            web.get("/v1/playbook/scenarios", self.scenarios),
            web.post("/v1/playbook/rehearse", self.rehearse),
        ]

    async def scenarios(self, _: web.Request) -> web.Response:
        """Answer ready scenarios."""
        return answer(await asyncio.to_thread(self._rehearser.scenarios))

    async def rehearse(self, request: web.Request) -> web.StreamResponse:
        """Answer lines of JSON while a draft is played; 422 with its mistakes, 429 when busy.

        It changes nothing, but costs much: so it needs the token too. Who hangs up ends it.
        """
        self._forgery.refuse_forged(request)
        body = await read_body(request)
        main, files = draft_of(body)
        scenario, days = _scenario(body), _days(body)
        checked = await asyncio.to_thread(checked_draft, main, files)
        if checked.errors:
            problems = [one.told() for one in checked.problems]
            return answer({"error": "it has mistakes", "problems": problems}, status=422)
        playing = self._rehearser.play(Wish(main, files, scenario, days, await self._in_use()))
        try:
            first = await anext(playing)
        except Busy:
            raise web.HTTPTooManyRequests(text="another rehearsal is being played") from None
        response = web.StreamResponse(headers={"Cache-Control": "no-store"})
        response.content_type = "application/x-ndjson"
        await response.prepare(request)
        try:
            await response.write(orjson.dumps(first) + b"\n")
            async for told in playing:
                await response.write(orjson.dumps(told) + b"\n")
        except ConnectionResetError:
            return response
        finally:
            await playing.aclose()  # type: ignore[attr-defined]
        await response.write_eof()
        return response

    async def _in_use(self) -> Edition | None:
        try:
            known, in_use, _ = await self._desk.editions()
        except Refused as refused:
            raise web.HTTPServiceUnavailable(text=str(refused)) from None
        return next((one for one in known if one.version == in_use), None)


def _scenario(body: Mapping[str, Any]) -> str:
    scenario = body.get("scenario", "")
    if not isinstance(scenario, str) or len(scenario) > SCENARIO_CHARS:
        raise web.HTTPBadRequest(
            text=f"scenario: expected a text of {SCENARIO_CHARS} characters at most"
        )
    return scenario


def _days(body: Mapping[str, Any]) -> int:
    days = body.get("days", 30)
    if type(days) is not int or not 1 <= days <= DAYS_AT_MOST:
        raise web.HTTPBadRequest(text=f"days: expected 1 to {DAYS_AT_MOST}")
    return days
