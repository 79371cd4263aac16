"""`huitou simulate`: an invented shop, for what real histories lack; everything is labelled so.

It enters the log in one of two ways. As a history (`live` False) it goes through the replayer, at
any speed, behind what the log holds already. Live it goes through the gateway's own door, as a
shop's would, `HURRY` times faster than people live, so that the page moves while one looks.
"""

import asyncio
import signal
import time
from collections.abc import Iterator

import structlog
from aiohttp import BasicAuth, ClientError, ClientSession, ClientTimeout

from models.clock import DAY_MS, HOUR_MS, LogClock
from streams.replay.command import ReplayTrouble, only_one, play
from streams.replay.history import Arrival, BadHistory, Body, hour_at_or_before
from streams.replay.history_log import read_control
from streams.replay.progress import CLOCK_KEY, REPLAY_KEY, ReplayProgress, word
from streams.replay.simulated_shop import SimulatedShop, prefix
from streams.settings import Settings

HURRY = 200.0
BODIES_AT_ONCE = 100
_TICK_S = 0.25
_RETRY_S = 1.0
_PATIENCE_S = 60.0

_log = structlog.get_logger(__name__)


def run(
    settings: Settings,
    *,
    seed: int = 1,
    customers: int = 1_000,
    days: int = 90,
    speed: float | None = None,
    live: bool = False,
) -> None:
    """Play a simulated shop into the log: `days` days of `customers` people.

    `speed` in log days per second, None: as fast as it goes; live it is the wall's, so `speed` is
    refused. Raises ReplayTrouble.
    """
    if live and speed is not None:
        raise ReplayTrouble("a live simulation goes at the wall clock's speed: leave out --speed")
    if live:
        asyncio.run(_live(settings, seed, customers, days))
        return
    with only_one(settings):
        start_ms = asyncio.run(find_start(settings, prefix(seed, customers, days), days))
        shop = SimulatedShop(seed=seed, customers=customers, days=days, start_ms=start_ms)
        try:
            play(settings, shop, speed=speed, live=True)
        except BadHistory as error:
            raise ReplayTrouble(str(error)) from None


async def find_start(settings: Settings, name_prefix: str, days: int) -> int:
    """Find where a simulated history begins.

    An interrupted one goes on with its own beginning, another begins after the log's time; in an
    empty log it ends today.
    """
    said = await read_control(settings)
    progress = word(said.get(REPLAY_KEY), ReplayProgress)
    if progress and not progress.is_done and progress.source.startswith(name_prefix):
        return int(progress.source.removeprefix(name_prefix))
    clock = word(said.get(CLOCK_KEY), LogClock)
    wall_ms = time.time_ns() // 1_000_000
    if clock is None or clock.mode == "unset":
        return wall_ms - wall_ms % DAY_MS - days * DAY_MS
    # The hour that is running may still get marks before the first of the history's own.
    return hour_at_or_before(clock.now_ms(wall_ms)) + 2 * HOUR_MS


async def _live(settings: Settings, seed: int, customers: int, days: int) -> None:
    """Send what happens when it happens, until the shop's time is over or a signal comes."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    start_ms = time.time_ns() // 1_000_000
    shop = SimulatedShop(seed=seed, customers=customers, days=days, start_ms=start_ms)
    auth = BasicAuth(settings.write_key.get_secret_value(), "")
    async with ClientSession(auth=auth, timeout=ClientTimeout(total=30)) as session:
        door = f"http://{settings.gateway_host}:{settings.gateway_port}/v1/batch"
        sent = 0
        for batch in batches(hurried(shop, HURRY)):
            await _rest(stop, (batch[-1].at_ms - time.time_ns() // 1_000_000) / 1000)
            if stop.is_set():
                break
            await _send(session, door, [_of_now(one.body) for one in batch], stop)
            sent += len(batch)
    _log.info("simulation ended", sent=sent)


def hurried(shop: SimulatedShop, hurry: float) -> Iterator[Arrival]:
    """Let a shop's days pass so many times faster, from its own beginning on."""
    for arrival in shop.arrivals():
        if isinstance(arrival, Arrival):
            at_ms = shop.first_ms + int((arrival.at_ms - shop.first_ms) / hurry)
            yield Arrival(at_ms, arrival.body)


def batches(arrivals: Iterator[Arrival]) -> Iterator[list[Arrival]]:
    """Put together what arrives within a moment, at most so many at once."""
    batch: list[Arrival] = []
    for arrival in arrivals:
        if batch and (
            len(batch) >= BODIES_AT_ONCE or arrival.at_ms > batch[0].at_ms + _TICK_S * 1000
        ):
            yield batch
            batch = []
        batch.append(arrival)
    if batch:
        yield batch


def _of_now(body: Body) -> Body:
    """Leave the time to the gateway: in a hurried life a body's own one means nothing."""
    return {key: value for key, value in body.items() if key != "timestamp"}


async def _send(session: ClientSession, door: str, bodies: list[Body], stop: asyncio.Event) -> None:
    """Post a batch until the gateway has taken it; a repeat is recognised by its ids."""
    give_up_at = time.monotonic() + _PATIENCE_S
    while not stop.is_set():
        try:
            async with session.post(door, json={"batch": bodies}) as answer:
                if answer.status == 200:
                    found = await answer.json()
                    if found.get("rejected"):
                        _log.warning("gateway rejected", rejected=len(found["rejected"]))
                    return
                if answer.status not in (429, 503):
                    raise ReplayTrouble(f"{door} answered {answer.status}: {await answer.text()}")
                pause_s = float(answer.headers.get("Retry-After", _RETRY_S))
        except (ClientError, TimeoutError) as error:
            if time.monotonic() > give_up_at:
                raise ReplayTrouble(
                    f"no gateway at {door} ({error!r}): start `huitou up` first"
                ) from None
            pause_s = _RETRY_S
        await _rest(stop, pause_s)


async def _rest(stop: asyncio.Event, seconds: float) -> None:
    if seconds > 0:
        try:
            await asyncio.wait_for(stop.wait(), seconds)
        except TimeoutError:
            return
