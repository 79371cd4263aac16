"""What programs and the page's scripts ask: profiles, stories, panels, the stream, the mailbox."""

import asyncio
import time
from typing import Any, get_args

import orjson
from aiohttp import web

from models.lift import WINDOWS_DAYS
from models.recommendation import SLOTS, Slot
from sinks.mailbox import Letter, Mailbox
from sinks.web.access import from_here
from sinks.web.broadcast import Broadcast, Full, Over
from sinks.web.engine import QueryFailed
from sinks.web.lift import Lifts
from sinks.web.meters import Meters
from sinks.web.panels import Panel
from sinks.web.profiles import By, Profiles
from sinks.web.pulse import LogTime, Pulse
from sinks.web.recommendations import Recommendations
from sinks.web.story import Stories
from sinks.web.words import LANGUAGES

LETTERS_AT_MOST = 200
ITEMS_AT_MOST = 100
SEARCH_CHARS = 512
RULE_CHARS = 80
_WRITE_WITHIN_S = 30.0

# A message is another's HTML: it gets its own styles and pictures in the letter, and nothing else.
LETTER_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
    "frame-ancestors 'self'; base-uri 'none'; form-action 'none'; sandbox"
)


class Api:
    """Handlers of everything that answers JSON."""

    def __init__(  # noqa: PLR0913  (one part for each kind of question)
        self,
        *,
        profiles: Profiles,
        stories: Stories,
        recommendations: Recommendations,
        mailbox: Mailbox,
        lifts: Lifts,
        pulse: Pulse,
        broadcast: Broadcast,
        panels: tuple[Panel, ...],
        clock: LogTime,
        meters: Meters,
    ) -> None:
        self._profiles = profiles
        self._stories = stories
        self._recommendations = recommendations
        self._mailbox = mailbox
        self._lifts = lifts
        self._pulse = pulse
        self._broadcast = broadcast
        self._panels = panels
        self._clock = clock
        self._meters = meters

    def routes(self) -> list[web.RouteDef]:
        """Every route with its handler."""
        return [
            web.get("/v1/customers/{what}", self.customer),
            web.get("/v1/customers/{what}/story", self.story),
            web.get("/v1/customers/{what}/recommendations", self.recommendations),
            web.post("/v1/lookup", self.lookup),
            web.get("/v1/mailbox", self.mailbox),
            web.get("/v1/mailbox/{customer}/{message_id}", self.letter),
            web.get("/v1/lift", self.lift),
            web.get("/api/panels", self.panels),
            web.get("/api/stream", self.stream),
            web.get("/api/clock", self.clock),
            web.get("/healthz", self.healthz),
            web.get("/metrics", self.metrics),
        ]

    async def customer(self, request: web.Request) -> web.Response:
        """Answer a profile by id, or `?by=` email, phone or token."""
        started_s = time.perf_counter()
        token = await self._profiles.find(request.match_info["what"], _by(request))
        profile = await self._profiles.read(token, self._clock.now_ms())
        self._meters.unreadable.inc(len(profile["unreadable"]))
        self._meters.profile_seconds.observe(time.perf_counter() - started_s)
        return answer(profile)

    async def story(self, request: web.Request) -> web.Response:
        """Answer what was decided about a customer and why, from ClickHouse."""
        token = await self._profiles.find(request.match_info["what"], _by(request))
        found, _ = await self._profiles.stored(token)
        try:
            return answer(await self._stories.of(found))
        except QueryFailed as error:
            return answer({"error": str(error)}, status=503)

    async def recommendations(self, request: web.Request) -> web.Response:
        """Answer the best `?n=` items for a customer, of `?slot=`, with a reason each.

        Products named in `?out_of_stock=`, separated by commas, are left out.
        """
        started_s = time.perf_counter()
        token = await self._profiles.find(request.match_info["what"], _by(request))
        number = _number(request, "n", 10, ITEMS_AT_MOST)
        gone = request.query.get("out_of_stock", "")
        found = await self._recommendations.of(
            token, number, _slot(request), frozenset(gone.split(",")) if gone else frozenset()
        )
        self._meters.recommendation_seconds.observe(time.perf_counter() - started_s)
        return answer(found)

    async def lookup(self, request: web.Request) -> web.Response:
        """Answer the token of the customer that a text means; the text stands in no address."""
        body = await _json(request)
        what = body.get("what")
        if not isinstance(what, str) or not what.strip() or len(what) > SEARCH_CHARS:
            raise web.HTTPBadRequest(text=f"what: expected 1 to {SEARCH_CHARS} characters")
        return answer({"customer": await self._profiles.search(what)})

    async def mailbox(self, request: web.Request) -> web.Response:
        """Answer the newest messages, of all or of `?customer=`, without their bodies."""
        limit = _number(request, "limit", 50, LETTERS_AT_MOST)
        customer = request.query.get("customer", "")
        if customer:
            letters = await self._mailbox.of(customer, limit)
        else:
            letters = await self._mailbox.recent(limit)
        customers = {one["customer"] for one in letters} | ({customer} if customer else set())
        labels = await self._profiles.labels(customers)
        return answer({"letters": [_without_bodies(one) for one in letters], "labels": labels})

    async def letter(self, request: web.Request) -> web.Response:
        """Answer one message's HTML, shut into a sandbox."""
        for one in await self._mailbox.of(request.match_info["customer"]):
            if one["message_id"] == request.match_info["message_id"]:
                headers = {
                    "Content-Security-Policy": LETTER_POLICY,
                    "X-Frame-Options": "SAMEORIGIN",
                    "Cache-Control": "no-store",
                }
                return web.Response(text=one["html"], content_type="text/html", headers=headers)
        raise web.HTTPNotFound(text="no such message")

    async def lift(self, request: web.Request) -> web.Response:
        """Answer what rules brought, or `?rule=` alone, within `?days=` 14 or 30 of its moment."""
        days = request.query.get("days", str(WINDOWS_DAYS[-1]))
        if days not in map(str, WINDOWS_DAYS):
            known = " or ".join(map(str, WINDOWS_DAYS))
            raise web.HTTPBadRequest(text=f"days: expected {known}")
        try:
            return answer(
                await self._lifts.of(request.query.get("rule", "")[:RULE_CHARS], int(days))
            )
        except QueryFailed as error:
            return answer({"error": str(error)}, status=503)

    async def panels(self, request: web.Request) -> web.Response:
        """Answer every panel with its words and its last rows."""
        language = request.query.get("language", "en")
        if language not in LANGUAGES:
            raise web.HTTPBadRequest(text=f"language: expected one of {', '.join(LANGUAGES)}")
        snapshot = await self._pulse.snapshot()
        for panel in self._panels:
            snapshot["panels"][panel.id].update(
                title=panel.title[language],
                definition=panel.definition[language],
                kind=panel.kind,
                unit=panel.unit,
            )
        return answer(snapshot)

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """Send everything once and then what changes, as server-sent events."""
        try:
            listener = self._broadcast.join()
        except Full as full:
            raise web.HTTPServiceUnavailable(text=str(full)) from full
        response = web.StreamResponse(
            headers={
                "Content-Type": "text/event-stream",
                "Cache-Control": "no-store",
                "X-Accel-Buffering": "no",
            }
        )
        try:
            await response.prepare(request)
            message: bytes | None = None
            while True:
                if message is None:
                    message = orjson.dumps(await self._pulse.snapshot())
                async with asyncio.timeout(_WRITE_WITHIN_S):
                    await response.write(b"data: " + message + b"\n\n")
                message = await listener.next()
        except (ConnectionError, TimeoutError, Over):
            return response
        finally:
            self._broadcast.leave(listener)

    async def hang_up(self, _: web.Application) -> None:
        """End every stream, so that the server can stop."""
        self._broadcast.end()

    async def clock(self, _: web.Request) -> web.Response:
        """Answer the log's time."""
        return answer({"now_ms": self._clock.now_ms(), **self._clock.standing()})

    async def healthz(self, _: web.Request) -> web.Response:
        """Say that the server is up."""
        return answer({"status": "ok"})

    async def metrics(self, _: web.Request) -> web.Response:
        """Answer the server's own meters."""
        return web.Response(
            body=self._meters.text(), headers={"Content-Type": "text/plain; version=0.0.4"}
        )


def answer(content: Any, status: int = 200) -> web.Response:
    """Answer JSON that nobody keeps."""
    return web.Response(
        body=orjson.dumps(content),
        status=status,
        content_type="application/json",
        headers={"Cache-Control": "no-store"},
    )


def _by(request: web.Request) -> By:
    by = request.query.get("by", "id")
    for known in get_args(By):
        if by == known:
            return known  # type: ignore[no-any-return]
    raise web.HTTPBadRequest(text=f"by: expected one of {', '.join(get_args(By))}")


def _slot(request: web.Request) -> Slot:
    slot = request.query.get("slot", "mixed")
    for known in SLOTS:
        if slot == known:
            return known
    raise web.HTTPBadRequest(text=f"slot: expected one of {', '.join(SLOTS)}")


def _number(request: web.Request, name: str, default: int, most: int) -> int:
    text = request.query.get(name, str(default))
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= most:
        raise web.HTTPBadRequest(text=f"{name}: expected a number from 1 to {most}")
    return int(text)


async def _json(request: web.Request) -> dict[str, Any]:
    if not from_here(request):
        raise web.HTTPForbidden(text="this may be sent by our own pages and by programs only")
    try:
        body = orjson.loads(await request.read())
    except orjson.JSONDecodeError as error:
        raise web.HTTPBadRequest(text=f"body: expected JSON: {error}") from error
    if not isinstance(body, dict):
        raise web.HTTPBadRequest(text="body: expected a JSON object")
    return body


def _without_bodies(letter: Letter) -> dict[str, Any]:
    return {name: value for name, value in letter.items() if name not in ("html", "text")}
