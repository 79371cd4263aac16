"""What comes back about messages: providers' reports, and customers who want no more.

POST /v1/receipts/{source}    a signed delivery of reports (models/provider_receipts.py)
GET  /u/{name}                the page that asks whether to end a channel's messages
POST /u/{name}                ends them: the page's button, or a mail program (RFC 8058)
"""

import asyncio
from typing import Any

from aiohttp import web
from jinja2 import Environment, StrictUndefined
from redis.asyncio import Redis
from redis.exceptions import RedisError

from models.events import Event, MessageChannel
from models.provider_receipts import Report, event_of, farewell, read
from models.unsubscribing import WayOut, key_of, opened
from sinks.dispatch_ledger import owner_of
from sinks.keys import KeyDestroyed, KeyMissing, KeyStore
from sinks.log import LogWriter
from sinks.log_clock import LogClockReader
from sinks.templates import nearest_locale
from streams.gateway_requests import (
    Refused,
    answer,
    json_of,
    read_sent,
    read_signed,
    retry_later,
)
from streams.settings import Settings

FORM_BYTES_MAX = 10_000
OUTSIDE = ("/u/", "/v1/receipts/")
"""Paths that are reached under the installation's public name; each shows a seal of its own."""
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex",
}
_WORDS = {
    "en": ("No more messages?", "Stop these messages", "Done: you get no more of them."),
    "zh-TW": ("不想再收到訊息嗎？", "停止接收", "完成了，您不會再收到這類訊息。"),
    "zh-CN": ("不想再收到消息吗？", "停止接收", "完成了，您不会再收到这类消息。"),
}
_GONE = {
    "en": "This link is not valid.",
    "zh-TW": "這個連結無效。",
    "zh-CN": "这个链接无效。",
}
_PAGE = Environment(autoescape=True, undefined=StrictUndefined).from_string("""<!doctype html>
<html lang="{{ lang }}"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>{{ said }}</title>
<style>body{font:18px/1.6 system-ui,sans-serif;max-width:32em;margin:15vh auto;padding:0 1em}
button{font:inherit;padding:.5em 1.2em}</style></head>
<body><p>{{ said }}</p>{% if button %}<form method="post"><button>{{ button }}</button></form>
{% endif %}</body></html>
""")


class MessageDoor:
    """The routes; `redis` holds the dispatcher's ledger, which knows whose an action is."""

    def __init__(
        self,
        settings: Settings,
        token_key: bytes,
        *,
        writer: LogWriter,
        clock: LogClockReader,
        store: KeyStore,
        redis: Redis,
    ) -> None:
        self._settings = settings
        self._key = key_of(token_key)
        self._writer = writer
        self._clock = clock
        self._store = store
        self._redis = redis

    def add_to(self, router: web.UrlDispatcher) -> None:
        """Add the routes."""
        router.add_post("/v1/receipts/{source}", self._reports)
        router.add_get("/u/{name}", self._ask)
        router.add_post("/u/{name}", self._leave)

    async def _reports(self, request: web.Request) -> web.StreamResponse:
        sent = await read_signed(request, self._settings)
        body = json_of(sent)
        bodies = body if isinstance(body, list) else [body]
        limit = self._settings.max_batch_events
        if len(bodies) > limit:
            raise Refused(413, f"expected at most {limit} reports, got {len(bodies)}")
        events: list[Event] = []
        rejected: list[dict[str, Any]] = []
        for index, one in enumerate(bodies):
            found = await self._event(one)
            if isinstance(found, Event):
                events.append(found)
            elif found is not None:
                rejected.append({"index": index, **found})
        await self._writer.write(events)
        return answer({"accepted": len(events), "rejected": rejected})

    async def _event(self, body: Any) -> Event | dict[str, str] | None:
        """The event of a report, or why there is none; None for a customer who was erased."""
        report = read(body)
        if not isinstance(report, Report):
            return {"path": report.path, "expected": report.expected}
        try:
            customer, name = await owner_of(self._redis, self._settings.namespace, report.action_id)
        except (RedisError, OSError):
            raise retry_later(503, "the ledger is away; send it again", 5) from None
        if not customer or name not in {one.value for one in MessageChannel}:
            return {"path": "data.action_id", "expected": "a message that was sent"}
        if await self._is_erased(customer):
            return None
        return event_of(report, customer, MessageChannel(name), self._clock.now_ms())

    async def _ask(self, request: web.Request) -> web.StreamResponse:
        locale = _locale(request)
        way = opened(request.match_info["name"], self._key)
        said, button, _ = _WORDS[locale]
        return _page(locale, said, button) if way else _page(locale, _GONE[locale], status=404)

    async def _leave(self, request: web.Request) -> web.StreamResponse:
        await read_sent(request, FORM_BYTES_MAX)
        locale = _locale(request)
        way = opened(request.match_info["name"], self._key)
        if way is None:
            return _page(locale, _GONE[locale], status=404)
        if not await self._is_erased(way.customer):
            await self._writer.write([self._farewell(way)])
        return _page(locale, _WORDS[locale][2])

    def _farewell(self, way: WayOut) -> Event:
        return farewell(way.customer, way.channel, way.action_id, self._clock.now_ms())

    async def _is_erased(self, customer: str) -> bool:
        try:
            await asyncio.to_thread(self._store.get, customer)
        except KeyDestroyed:
            return True
        except KeyMissing:
            return False
        return False


def _locale(request: web.Request) -> str:
    """Language of the page: the first that the browser asks for."""
    asked = request.headers.get("Accept-Language", "").partition(",")[0].partition(";")[0]
    return nearest_locale(asked, _WORDS)


def _page(locale: str, said: str, button: str = "", *, status: int = 200) -> web.Response:
    text = _PAGE.render(lang=locale, said=said, button=button)
    return web.Response(text=text, content_type="text/html", status=status, headers=HEADERS)
