"""The dispatcher: actions out of the log, messages to customers, receipts back into the log.

    actions -> dispatch_session.py (order, offsets) -> dispatch_delivery.py (one action)
            -> dispatch_ledger.py, senders.py -> receipts into `events`

Any number may run; they share the partitions of `actions`. Kafka, Redis or the log may go away: the
dispatcher waits and goes on, and no message goes out twice by it.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import msgspec
import structlog
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from redis.exceptions import RedisError

from models.effects import Action
from models.unsubscribing import WayOut, key_of, named
from sinks.dispatch_consent import Consents
from sinks.dispatch_delivery import Delivery, Patience, Tools, dead_letter
from sinks.dispatch_ledger import Ledger
from sinks.dispatch_rates import Rates
from sinks.dispatch_session import Session, SessionConfig
from sinks.dispatch_words import WaysOut, Wording, no_way_out
from sinks.editions import Editions
from sinks.keys import KeyMissing, KeyStoreBusy, SqliteKeyStore
from sinks.log import LogError, LogWriter
from sinks.log_clock import LogClockReader
from sinks.mailbox import Mailbox, mailbox_for_all
from sinks.model_shelf import ModelShelf
from sinks.patience import close_each
from sinks.recommended import Recommended
from sinks.redis_bundle import BundledRedis
from sinks.sealing import Sealer
from sinks.senders import Senders
from sinks.templates import released_book

log = structlog.get_logger(__name__)

RETRY_S = 1.0
RETRY_S_MAX = 5.0
REDIS_LIMIT_S = 5.0
# As long as a broker takes to restart: who gives up sooner writes the same receipt twice.
RECEIPT_LIMIT_MS = 12_000
NO_ACTION = "not an action"
OUTAGES = (KafkaError, RedisError, LogError, KeyMissing, KeyStoreBusy, OSError)


@dataclass(frozen=True)
class DispatcherConfig:
    """Where everything is; times in milliseconds of the wall.

    `lease_ms` is how long an action stays with a dispatcher that died; it must outlast a send.
    `public_url` is where customers reach the gateway, without it no message links to its way out;
    `per_minute` how much each outlet may send, beside what the playbook says.
    """

    bootstrap: str
    redis_url: str = field(repr=False)
    key_store: Path
    master_key: bytes = field(repr=False)
    partitions: int
    namespace: str = ""
    actions_topic: str = "actions"
    events_topic: str = "events"
    dead_letters_topic: str = "dead-letters"
    control_topic: str = "control"
    snapshots_topic: str = "snapshots"
    learner_topic: str = "learner-changelog"
    group: str = "dispatcher"
    lease_ms: int = 15_000
    patience: Patience = field(default_factory=Patience)
    session_timeout_ms: int = 10_000
    concurrency: int = 64
    window: int = 2_000
    public_url: str = ""
    token_key: bytes = field(repr=False, default=b"")
    per_minute: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.lease_ms <= self.patience.send_limit_ms:
            raise ValueError(
                f"lease_ms={self.lease_ms} must be longer than "
                f"send_limit_ms={self.patience.send_limit_ms}: a message may be under way that long"
            )


async def run_dispatcher(
    config: DispatcherConfig,
    stop: asyncio.Event,
    senders: Callable[[Mailbox], Senders] = mailbox_for_all,
) -> None:
    """Deliver actions until `stop` is set; outages of Kafka, Redis and the log are waited for."""
    store = await asyncio.to_thread(SqliteKeyStore, config.key_store, config.master_key)
    redis = BundledRedis.from_url(
        config.redis_url,
        socket_timeout=REDIS_LIMIT_S,
        socket_connect_timeout=REDIS_LIMIT_S,
        # Without it each pooled connection of a server that came back fails once.
        retry=Retry(ExponentialBackoff(base=0.02, cap=0.2), retries=3),
    )
    writer = LogWriter(
        bootstrap=config.bootstrap,
        topic_events=config.events_topic,
        topic_dead_letters=config.dead_letters_topic,
        partitions=config.partitions,
        confirm_timeout_ms=RECEIPT_LIMIT_MS,
    )
    clock = LogClockReader(config.bootstrap, config.control_topic)
    editions = Editions(config.bootstrap, config.snapshots_topic)
    shelf = ModelShelf(
        config.bootstrap, config.learner_topic, config.snapshots_topic, config.control_topic
    )
    sealer = Sealer(store)
    recommended = Recommended(redis, config.namespace, shelf, sealer.unseal)
    chosen = senders(Mailbox(redis, sealer, config.namespace))
    tools = Tools(
        ledger=Ledger(redis, config.namespace, uuid4().hex, config.lease_ms),
        senders=chosen,
        wording=Wording(released_book(), editions, recommended, ways_out(config)),
        consents=Consents(redis, config.namespace),
        rates=Rates(redis, config.namespace),
        store=store,
        sealer=sealer,
        clock=clock,
        log=writer,
        patience=config.patience,
        per_minute=config.per_minute,
    )
    try:
        await writer.start()
        await editions.start(wait=False)
        if await _unless(stop, clock.start()):
            await _sessions(config, tools, stop)
    finally:
        closing = {id(one): one.close for one in chosen.values()}.values()
        await close_each(
            writer.stop, clock.stop, editions.stop, recommended.stop, *closing, redis.aclose
        )
        store.close()


def ways_out(config: DispatcherConfig) -> WaysOut:
    """How a message finds the page by which its customer ends its channel."""
    if not config.public_url or not config.token_key:
        return no_way_out
    key, address = key_of(config.token_key), config.public_url.rstrip("/")

    def way_out(action: Action) -> str:
        way = WayOut(action.customer, action.message_channel, action.action_id)
        return f"{address}/u/{named(way, key)}"

    return way_out


async def _sessions(config: DispatcherConfig, tools: Tools, stop: asyncio.Event) -> None:
    reading = SessionConfig(
        bootstrap=config.bootstrap,
        topic=config.actions_topic,
        group=config.group,
        session_timeout_ms=config.session_timeout_ms,
        concurrency=config.concurrency,
        window=config.window,
    )
    delivery = Delivery(tools)

    async def advance(partition: TopicPartition, offset: int, value: bytes) -> int | None:
        try:
            action = msgspec.json.decode(value, type=Action)
        except msgspec.DecodeError:
            log.error(NO_ACTION, partition=partition.partition, offset=offset)
            at_ms = tools.clock.now_ms()
            letter = dead_letter(tools.sealer, NO_ACTION, at_ms, value, partition.partition, offset)
            await tools.log.write_dead_letters([letter])
            return None
        return await delivery.advance(action)

    pause_s = RETRY_S
    while not stop.is_set():
        session = Session(reading, advance, stop)
        try:
            await session.run()
        except* OUTAGES as outage:
            log.warning("dispatcher waits", errors=[repr(one) for one in outage.exceptions])
            pause_s = RETRY_S if session.began else min(2 * pause_s, RETRY_S_MAX)
            await _unless(stop, asyncio.sleep(pause_s))


async def _unless(stop: asyncio.Event, work: Awaitable[None]) -> bool:
    """Await `work` unless `stop` comes first; whether it was done."""
    working = asyncio.ensure_future(work)
    stopping = asyncio.ensure_future(stop.wait())
    await asyncio.wait((working, stopping), return_when=asyncio.FIRST_COMPLETED)
    for task in (working, stopping):
        if not task.done():
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
    if working.cancelled():
        return False
    await working
    return True
