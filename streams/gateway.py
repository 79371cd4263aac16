"""The role `gateway`: Segment's HTTP API, signed webhooks and an intake topic, all into the log.

    POST /v1/track /v1/identify /v1/alias /v1/page /v1/screen /v1/group    one message
    POST /v1/batch                                                         {"batch": [messages]}
    POST /v1/webhooks/{source}                                             a signed delivery
    /v1/coupons/...                                                        see gateway_coupons.py
    POST /v1/receipts/{source}, GET and POST /u/{name}                     gateway_messages.py
    GET  /healthz /readyz /metrics

Success is answered only after the broker has confirmed. Browsers of other origins get no permission
(CORS): a shop's page sends through its own server, so that the write key stays there.
"""

import asyncio
import logging
import signal
import time
import traceback
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import structlog
from aiohttp import web
from redis.asyncio import Redis

from sinks.coupon_verdicts import VerdictReader
from sinks.keys import KeyDestroyed, KeyStoreBusy
from sinks.log import LogError, LogWriter
from sinks.log_clock import ClockUnknown, LogClockReader
from sinks.order_owners import OrderOwners
from streams.gateway_admission import Admission, Verdict
from streams.gateway_coupons import CouponDoor
from streams.gateway_messages import OUTSIDE, MessageDoor
from streams.gateway_metrics import GatewayMetrics
from streams.gateway_requests import (
    Refused,
    answer,
    json_of,
    read_sent,
    read_signed,
    require_local_name,
    require_write_key,
    retry_later,
    unpacked,
)
from streams.intake import follow_intake
from streams.loop import run_role
from streams.secrets import KEYS_DIR, load_secrets, open_key_store
from streams.servers.status import READY, STARTING, StatusFile
from streams.settings import Settings, is_loopback
from streams.topics import CONTROL, COUPON_VERDICTS, COUPONS, DEAD_LETTERS, EVENTS
from streams.webhooks import batch_of, order_of, owned_order, said

IN_FLIGHT_MAX = 256
SHUTDOWN_WITHIN_S = 10.0
LINGER_S = 1.0
STATUS_EVERY_S = 0.5
REDIS_LIMIT_S = 3.0
KINDS = ("track", "identify", "alias", "page", "screen", "group")
SOURCE = "gateway"

_log = structlog.get_logger("gateway")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Gateway:
    """The HTTP side of the door; `admission` is what lies behind it."""

    def __init__(
        self,
        settings: Settings,
        *,
        admission: Admission,
        writer: LogWriter,
        clock: LogClockReader,
        owners: OrderOwners,
        metrics: GatewayMetrics,
        coupons: CouponDoor,
        messages: MessageDoor,
    ) -> None:
        self._coupons = coupons
        self._messages = messages
        self._settings = settings
        self._write_key = settings.write_key.get_secret_value()
        self._local = is_loopback(settings.gateway_host)
        self._admission = admission
        self._writer = writer
        self._clock = clock
        self._owners = owners
        self._metrics = metrics
        self._in_flight = 0
        self._idle = asyncio.Event()
        self._closing = False
        metrics.watch(lambda: self._in_flight, lambda: writer.pending_bytes)

    def app(self) -> web.Application:
        """Build the application."""
        app = web.Application(middlewares=[self._answer_always])
        for kind in KINDS:
            app.router.add_post(f"/v1/{kind}", self._one(kind))
        app.router.add_post("/v1/batch", self._batch)
        app.router.add_post("/v1/webhooks/{source}", self._webhook)
        self._coupons.add_to(app.router)
        self._messages.add_to(app.router)
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/readyz", self._readyz)
        app.router.add_get("/metrics", self._page_of_metrics)
        return app

    @property
    def trouble(self) -> str:
        """Why nothing can be taken in now; empty when all is well."""
        return self._writer.trouble or ("" if self._clock.current else "the log's time is unknown")

    async def drain(self) -> None:
        """Finish what is in flight, as far as it comes in time; send away what comes now."""
        self._closing = True
        try:
            async with asyncio.timeout(SHUTDOWN_WITHIN_S):
                while self._in_flight:
                    self._idle.clear()
                    await self._idle.wait()
        except TimeoutError:
            _log.warning("requests_abandoned", requests=self._in_flight)

    @web.middleware
    async def _answer_always(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Turn every outcome into an answer of one form, and count it."""
        began = time.perf_counter()
        try:
            response = await self._guarded(request, handler)
        except Refused as refused:
            response = refused.response()
        except web.HTTPException as error:
            allowed = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else None
            response = answer({"error": error.reason}, status=error.status, headers=allowed)
        except (LogError, ClockUnknown, KeyStoreBusy) as error:
            _log.warning("not_taken", reason=str(error))
            response = retry_later(503, "the log is slow or away; send it again", 5).response()
        except Exception as error:
            # An error's text may quote what was sent: where it happened has to do.
            _log.error("failed", error=type(error).__name__, at=_places(error))
            response = answer({"error": "internal error"}, status=500)
        resource = request.match_info.route.resource
        route = resource.canonical if resource is not None else "unknown"
        self._metrics.requests.labels(route, response.status).inc()
        self._metrics.seconds.labels(route).observe(time.perf_counter() - began)
        response.headers["Server"] = "huitou"
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Cache-Control"] = "no-store"
        return response

    async def _guarded(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        # A signed delivery, or a customer, may come through a tunnel that keeps its own name.
        if self._local and not request.path.startswith(("/v1/webhooks/", *OUTSIDE)):
            require_local_name(request)
        if request.method != "POST":
            return await handler(request)
        if self._closing:
            raise retry_later(503, "this gateway is closing; send it again", 1)
        if self._in_flight >= IN_FLIGHT_MAX:
            raise retry_later(429, f"{self._in_flight} requests are being worked on", 1)
        self._in_flight += 1
        try:
            return await handler(request)
        finally:
            self._in_flight -= 1
            if not self._in_flight:
                self._idle.set()

    def _one(self, kind: str) -> Handler:
        async def take(request: web.Request) -> web.StreamResponse:
            body = await self._read(request)
            message = {**body, "type": kind} if type(body) is dict else body
            return answer((await self._admit([message], SOURCE)).answer())

        return take

    async def _batch(self, request: web.Request) -> web.StreamResponse:
        messages = batch_of(await self._read(request))
        if messages is None:
            raise Refused(400, 'expected an object with a list "batch"')
        return answer((await self._admit(messages, SOURCE)).answer())

    async def _read(self, request: web.Request) -> Any:
        require_write_key(request, self._write_key)
        sent = await read_sent(request, self._settings.max_body_bytes)
        return await self._parse(request, sent, SOURCE)

    async def _parse(self, request: web.Request, sent: bytes, source: str) -> Any:
        """Parse a body that somebody known has sent; what can't be parsed is buried."""
        try:
            return json_of(unpacked(request, sent, self._settings.max_body_bytes))
        except Refused as refused:
            if refused.raw:
                await self._admission.bury(refused.raw, "not JSON", source)
            raise

    async def _admit(self, messages: list[Any], source: str) -> Verdict:
        limit = self._settings.max_batch_events
        if len(messages) > limit:
            raise Refused(413, f"expected at most {limit} messages, got {len(messages)}")
        return await self._admission.admit(messages, source)

    async def _webhook(self, request: web.Request) -> web.StreamResponse:
        source = request.match_info["source"]
        sent = await read_signed(request, self._settings)
        name = f"webhook:{source}"
        body = await self._parse(request, sent, name)
        owner = await self._owner(order_of(source, request.headers, body))
        messages = said(source, request.headers, body, owner)
        verdict = await self._admit(messages, name)
        if verdict.accepted:
            await self._remember(*owned_order(source, request.headers, messages))
        return answer(verdict.answer())

    async def _owner(self, order_id: str) -> str:
        if not order_id:
            return ""
        token = self._admission.token_of("order", order_id)
        try:
            return await asyncio.to_thread(self._owners.owner_of, token)
        except KeyDestroyed:
            return ""

    async def _remember(self, order_id: str, customer_id: str) -> None:
        if not order_id:
            return
        order_token = self._admission.token_of("order", order_id)
        customer = self._admission.token_of("customer", customer_id)
        await asyncio.to_thread(self._owners.remember, order_token, customer, customer_id)

    async def _healthz(self, _: web.Request) -> web.StreamResponse:
        return answer({"status": "alive"})

    async def _readyz(self, _: web.Request) -> web.StreamResponse:
        trouble = self.trouble
        if trouble:
            return answer({"status": "not ready", "reason": trouble}, status=503)
        return answer({"status": "ready"})

    async def _page_of_metrics(self, request: web.Request) -> web.StreamResponse:
        if not self._local:
            require_write_key(request, self._write_key)
        return web.Response(body=self._metrics.page(), content_type="text/plain", charset="utf-8")


def _places(error: BaseException) -> list[str]:
    frames = traceback.extract_tb(error.__traceback__)
    return [f"{Path(frame.filename).name}:{frame.lineno}" for frame in frames]


def run(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; then finish what is in flight and return."""
    run_role(_run(settings))


async def _run(settings: Settings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await serve(settings, stop)


async def serve(settings: Settings, stop: asyncio.Event) -> None:
    """Open the door, keep it open until `stop`, and leave nothing half done."""
    status = StatusFile(settings.data_dir, "gateway")
    status.write(state=STARTING)
    keys = load_secrets(settings)
    metrics = GatewayMetrics()
    async with AsyncExitStack() as stack:
        store = open_key_store(settings, keys.master_key)
        stack.callback(store.close)
        clock = LogClockReader(settings.kafka_bootstrap, settings.named(CONTROL))
        await clock.start(wait=False)
        stack.push_async_callback(clock.stop)
        writer = LogWriter(
            bootstrap=settings.kafka_bootstrap,
            topic_events=settings.named(EVENTS),
            topic_dead_letters=settings.named(DEAD_LETTERS),
            topic_coupons=settings.named(COUPONS),
            partitions=settings.partitions,
        )
        await writer.start()
        stack.push_async_callback(writer.stop)
        admission = Admission(
            writer=writer,
            store=store,
            clock=clock,
            token_key=keys.token_key,
            currency=settings.currency,
            metrics=metrics,
            awaits_history=settings.awaits_history,
        )
        owners = OrderOwners(settings.data_dir / KEYS_DIR / "orders.sqlite", admission.sealer)
        stack.callback(owners.close)
        verdicts = VerdictReader(
            settings.kafka_bootstrap, settings.named(COUPON_VERDICTS), settings.partitions
        )
        await verdicts.start(wait=False)
        stack.push_async_callback(verdicts.stop)
        redis = Redis.from_url(
            settings.redis_address,
            socket_timeout=REDIS_LIMIT_S,
            socket_connect_timeout=REDIS_LIMIT_S,
        )
        stack.push_async_callback(redis.aclose)
        messages = MessageDoor(
            settings, keys.token_key, writer=writer, clock=clock, store=store, redis=redis
        )
        gateway = Gateway(
            settings,
            admission=admission,
            writer=writer,
            clock=clock,
            owners=owners,
            metrics=metrics,
            coupons=CouponDoor(settings, admission, writer, verdicts),
            messages=messages,
        )
        intake = asyncio.create_task(follow_intake(settings, admission, stop))
        stack.push_async_callback(_finish, intake)
        await _listen(settings, gateway, stack)
        _log.info("listening", port=settings.gateway_port)
        await _report_until(stop, status, gateway, intake)
        _log.info("closing")


async def _listen(settings: Settings, gateway: Gateway, stack: AsyncExitStack) -> None:
    # aiohttp quotes requests that are no HTTP, with whatever stands in them.
    silent = logging.getLogger("gateway.http")
    silent.setLevel(logging.CRITICAL)
    runner = web.AppRunner(
        gateway.app(),
        access_log=None,
        logger=silent,
        handle_signals=False,
        shutdown_timeout=LINGER_S,
        lingering_time=LINGER_S,
        auto_decompress=False,
    )
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    site = web.TCPSite(runner, settings.gateway_host, settings.gateway_port)
    await site.start()
    # aiohttp's own clean-up stops reading: bodies on their way must have come before it.
    stack.push_async_callback(gateway.drain)
    stack.push_async_callback(site.stop)


async def _report_until(
    stop: asyncio.Event, status: StatusFile, gateway: Gateway, intake: "asyncio.Task[None]"
) -> None:
    """Keep the status file true until `stop`; what the intake dies of ends the role."""
    written = STARTING
    while not stop.is_set():
        state = STARTING if gateway.trouble else READY
        if state != written:
            status.write(state=state)
            written = state
        if intake.done():
            intake.result()
        try:
            async with asyncio.timeout(STATUS_EVERY_S):
                await stop.wait()
        except TimeoutError:
            continue


async def _finish(task: "asyncio.Task[None]") -> None:
    """Wait for a task; nobody else asks for what it died of when another error comes first."""
    await asyncio.gather(task, return_exceptions=True)
