"""START HERE: the web server put together: pages, profile API, panels, one timer."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from redis.asyncio import Redis
from redis.exceptions import RedisError

from sinks.clickhouse import ClickHouseAddress
from sinks.keys import SqliteKeyStore
from sinks.mailbox import Mailbox
from sinks.model_shelf import ModelShelf
from sinks.sealing import Sealer
from sinks.web.access import Access, add_security_headers
from sinks.web.api import Api
from sinks.web.broadcast import Broadcast
from sinks.web.engine import Engine
from sinks.web.forgery import Forgery
from sinks.web.lift import Lifts
from sinks.web.log_time import LogTimeReader
from sinks.web.meters import Meters
from sinks.web.pages import Pages, Shop
from sinks.web.panels import load_panels
from sinks.web.playbook_room import Desk, PlaybookRoom
from sinks.web.profiles import Forgotten, Profiles, Unknown
from sinks.web.pulse import Pulse
from sinks.web.recommendations import Recommendations
from sinks.web.rehearsal_room import RehearsalRoom, Rehearser
from sinks.web.site import Site
from sinks.web.story import Stories
from sinks.web.words import load_words

BODY_BYTES = 64 * 1024
_STOP_WITHIN_S = 3.0
CANCEL_AGAIN_S = 0.5

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class PageConfig:
    """Addresses, keys and words of one web server; `loopback`: only this machine reaches `host`."""

    host: str
    port: int
    loopback: bool
    api_key: str = field(repr=False)
    bootstrap: str
    control_topic: str
    learner_topic: str
    snapshots_topic: str
    redis_url: str = field(repr=False)
    namespace: str
    clickhouse: ClickHouseAddress
    key_store: Path
    master_key: bytes = field(repr=False)
    token_key: bytes = field(repr=False)
    shop: Shop
    desk: Desk
    rehearser: Rehearser


async def serve(config: PageConfig, stop: asyncio.Event, ready: Callable[[], None]) -> None:
    """Listen until `stop`; calls `ready` when the server answers."""
    app = build_app(config)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=_STOP_WITHIN_S)
    await runner.setup()
    try:
        await web.TCPSite(runner, config.host, config.port).start()
        ready()
        beat = app[BEAT]
        stopped = asyncio.create_task(stop.wait())
        await asyncio.wait({beat, stopped}, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if beat.done():
            beat.result()
    finally:
        await runner.cleanup()


BEAT: web.AppKey[asyncio.Task[None]] = web.AppKey("beat", asyncio.Task)


def build_app(config: PageConfig) -> web.Application:
    """Wire everything; connections are opened when the application starts."""
    panels, words = load_panels(), load_words()
    access = Access(config.api_key, loopback=config.loopback)
    redis = Redis.from_url(config.redis_url, socket_timeout=3, socket_connect_timeout=3)
    store = SqliteKeyStore(config.key_store, config.master_key)
    sealer = Sealer(store)
    clock = LogTimeReader(config.bootstrap, config.control_topic)
    shelf = ModelShelf(
        config.bootstrap, config.learner_topic, config.snapshots_topic, config.control_topic
    )
    engine, broadcast = Engine(config.clickhouse), Broadcast()
    meters = Meters(lambda: len(broadcast))
    profiles = Profiles(redis, sealer, config.token_key, config.namespace, shelf)
    pulse = Pulse(
        panels,
        engine,
        clock,
        broadcast,
        profiles.labels,
        currency=config.shop.currency,
        timezone=config.shop.timezone,
    )
    api = Api(
        profiles=profiles,
        stories=Stories(engine),
        recommendations=Recommendations(profiles, shelf, clock),
        mailbox=Mailbox(redis, sealer, config.namespace),
        lifts=Lifts(engine, clock, config.shop.currency),
        pulse=pulse,
        broadcast=broadcast,
        panels=panels,
        clock=clock,
        meters=meters,
    )
    pages = Pages(words, panels, config.shop, can_sign_out=access.asks_for_key)
    site = Site(pages, words, profiles, access)
    forgery = Forgery()
    room = PlaybookRoom(config.desk, forgery, config.shop.currency)
    rehearsals = RehearsalRoom(config.desk, config.rehearser, forgery)

    async def run(app: web.Application) -> AsyncIterator[None]:
        await clock.start()
        # Pages and profiles need not wait for every item of a large shop.
        await shelf.start(wait=False)
        app[BEAT] = asyncio.create_task(pulse.run())
        yield
        await ended(app[BEAT])
        await shelf.stop()
        await clock.stop()
        await redis.aclose()
        engine.close()
        store.close()

    app = web.Application(
        middlewares=[errors_answered(meters), access.middleware], client_max_size=BODY_BYTES
    )
    app.add_routes([*api.routes(), *room.routes(), *rehearsals.routes(), *site.routes()])
    app.on_response_prepare.append(add_security_headers)
    app.on_shutdown.append(api.hang_up)
    app.cleanup_ctx.append(run)
    return app


async def ended(task: asyncio.Task[None]) -> None:
    """Cancel until it is over: what is just being waited for may swallow a cancellation."""
    while not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=CANCEL_AGAIN_S)
    await asyncio.gather(task, return_exceptions=True)


def errors_answered(meters: Meters) -> Middleware:
    """Make a middleware that turns what goes wrong into an answer that says so."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            response = await handler(request)
        except Unknown as error:
            response = _failed(404, str(error))
        except Forgotten as error:
            response = _failed(410, str(error))
        except web.HTTPException as error:
            response = _failed(error.status, error.text or error.reason)
        except RedisError as error:
            log.warning("redis_failed", error=str(error))
            response = _failed(503, "profiles can't be read right now")
            response.headers["Retry-After"] = "1"
        except Exception:
            log.exception("request_failed", route=_route(request))
            response = _failed(500, "this went wrong here; the log says how")
        meters.answers.labels(str(response.status)).inc()
        return response

    return middleware


def _failed(status: int, text: str) -> web.Response:
    return web.Response(
        text=json.dumps({"error": text}),
        status=status,
        content_type="application/json",
        headers={"Cache-Control": "no-store"},
    )


def _route(request: web.Request) -> str:
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else "none"
