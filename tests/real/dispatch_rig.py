"""A house with a dispatcher in it: actions go in, messages and receipts come out."""

import asyncio
import dataclasses
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec
import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from models.clock import HOUR_MS, LogClock
from models.effects import Action, DeadLetter, action_id, encode
from models.events import Event, MessageChannel, decode, type_of
from models.tokens import partition_of, token_of
from sinks.dispatch_delivery import Patience
from sinks.dispatcher import DispatcherConfig, run_dispatcher
from sinks.keys import SqliteKeyStore
from sinks.mailbox import Letter, Mailbox, mailbox_for_all
from sinks.sealing import Sealer
from sinks.senders import Senders
from streams import topics
from streams.prepare import ensure_topics
from streams.settings import Settings
from tests.real.rig import PATIENCE_S, until

MASTER_KEY = bytes(32)
TOKEN_KEY = b"t" * 32
PATIENCE = Patience(failures_max=3, first_wait_ms=20, longest_wait_ms=100, send_limit_ms=600)


def token(customer_id: str) -> str:
    """The customer's token."""
    return token_of(TOKEN_KEY, "customer", customer_id)


def settings_of(kafka: str, valkey: str, folder: Path) -> Settings:
    """An installation of its own on the session's servers."""
    return Settings(
        data_dir=folder,
        kafka=kafka,
        redis_url=valkey,
        namespace=f"d-{uuid4().hex[:12]}-",
        partitions=2,
    )


def config_of(settings: Settings, **changes: Any) -> DispatcherConfig:
    """The dispatcher's configuration with short times."""
    config = DispatcherConfig(
        bootstrap=settings.kafka_bootstrap,
        redis_url=settings.redis_address,
        key_store=settings.data_dir / "keys.sqlite",
        master_key=MASTER_KEY,
        partitions=settings.partitions,
        namespace=settings.namespace,
        actions_topic=settings.named(topics.ACTIONS),
        events_topic=settings.named(topics.EVENTS),
        dead_letters_topic=settings.named(topics.DEAD_LETTERS),
        control_topic=settings.named(topics.CONTROL),
        snapshots_topic=settings.named(topics.SNAPSHOTS),
        learner_topic=settings.named(topics.LEARNER),
        group=settings.named("dispatcher"),
        lease_ms=1_000,
        patience=PATIENCE,
        session_timeout_ms=1_000,
    )
    return dataclasses.replace(config, **changes)


class House:
    """What surrounds a dispatcher; enter it to have topics, keys and connections."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.now_ms = int(time.time() * 1000)
        self._stack = AsyncExitStack()
        self._written: dict[int, int] = {}

    async def __aenter__(self) -> "House":
        await ensure_topics(self.settings)
        self.store = SqliteKeyStore(self.settings.data_dir / "keys.sqlite", MASTER_KEY)
        self._stack.callback(self.store.close)
        self.sealer = Sealer(self.store)
        self.redis = Redis.from_url(
            self.settings.redis_address, retry=Retry(NoBackoff(), retries=1)
        )
        self._stack.push_async_callback(self.redis.aclose)
        self.mailbox = Mailbox(self.redis, self.sealer, self.settings.namespace)
        self.producer = AIOKafkaProducer(
            bootstrap_servers=self.settings.kafka_bootstrap,
            transactional_id=f"{self.settings.namespace}rig",
        )
        await self._stack.enter_async_context(self.producer)
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._stack.aclose()

    def action(
        self,
        customer_id: str = "anna",
        occasion: str = "order-1",
        *,
        personal: dict[str, str] | None = None,
        **fields: Any,
    ) -> Action:
        """A thank-you decided just now, with the customer's name and address sealed."""
        customer = token(customer_id)
        opened = {"first_name": "Anna", "email": "anna@example.com", "phone": "+4912345"}
        sealed = self.sealer.seal_many(customer, opened if personal is None else personal)
        standard: dict[str, Any] = {
            "action_id": action_id(customer, "thank_you", occasion),
            "customer": customer,
            "rule": "thank_you",
            "occasion": occasion,
            "message_channel": MessageChannel.EMAIL,
            "template": "thank_you",
            "decided_at_ms": self.now_ms,
            "expires_at_ms": self.now_ms + HOUR_MS,
            "sealed": sealed,
            "variables": {"order_id": occasion, "offer_percent": 10},
        }
        return Action(**{**standard, **fields})

    async def decide(self, *actions: Action) -> None:
        """Write actions as the worker does: in a transaction, at the customer's partition."""
        async with self.producer.transaction():
            for action in actions:
                await self.write_action(action.customer, encode(action))

    async def write_action(self, customer: str, value: bytes) -> None:
        """Write one record of the actions topic, in the transaction that is open."""
        written = await self.producer.send_and_wait(
            self.settings.named(topics.ACTIONS),
            value,
            key=customer.encode(),
            partition=partition_of(customer, self.settings.partitions),
        )
        self._written[written.partition] = written.offset

    async def set_clock(self, clock: LogClock) -> None:
        """Say how the log tells the time."""
        async with self.producer.transaction():
            await self.producer.send(
                self.settings.named(topics.CONTROL), msgspec.json.encode(clock), key=b"clock"
            )

    async def set_profile(self, customer_id: str, **profile: Any) -> None:
        """Write what the profile sink would."""
        key = f"{self.settings.namespace}profile:{token(customer_id)}"
        await self.redis.hset(key, mapping={"json": orjson.dumps(profile), "position": "1:0:0"})

    @asynccontextmanager
    async def dispatcher(
        self, senders: Callable[[Mailbox], Senders] = mailbox_for_all, **changes: Any
    ) -> AsyncIterator[asyncio.Task[None]]:
        """Run a dispatcher of this installation; stopped at the end."""
        stop = asyncio.Event()
        config = config_of(self.settings, **changes)
        running = asyncio.create_task(run_dispatcher(config, stop, senders))
        try:
            yield running
        finally:
            stop.set()
            await running

    async def drained(self, group: str = "dispatcher", patience_s: float = PATIENCE_S) -> None:
        """Wait until the group's offsets stand at the end of the actions topic."""

        async def nothing_left() -> bool:
            return not any((await self.lag(group)).values())

        await until(nothing_left, "the dispatcher to commit everything", patience_s)

    async def lag(self, group: str = "dispatcher") -> dict[int, int]:
        """Offsets left to the group, by partition."""
        topic = self.settings.named(topics.ACTIONS)
        partitions = [TopicPartition(topic, one) for one in range(self.settings.partitions)]
        async with AIOKafkaConsumer(
            bootstrap_servers=self.settings.kafka_bootstrap,
            group_id=self.settings.named(group),
            enable_auto_commit=False,
            isolation_level="read_committed",
        ) as consumer:
            consumer.assign(partitions)
            ends = await consumer.end_offsets(partitions)
            # A transaction shows in the end offset a little after its commit returned.
            return {
                one.partition: max(end, self._written.get(one.partition, -1) + 1)
                - (await consumer.committed(one) or 0)
                for one, end in ends.items()
            }

    async def receipts(self) -> list[Event]:
        """Every event of the log, in order within a customer."""
        return [decode(raw) for raw in await self._all(topics.EVENTS)]  # type: ignore[misc]

    async def receipt_ids(self, customer_id: str = "anna") -> list[str]:
        """What the log says of a customer: ids and types, in order."""
        return [
            f"{type_of(one)} {one.id}"  # type: ignore[arg-type]
            for one in await self.receipts()
            if one.customer == token(customer_id)
        ]

    async def dead_letters(self) -> list[DeadLetter]:
        """Every dead letter."""
        raws = await self._all(topics.DEAD_LETTERS)
        return [msgspec.json.decode(raw, type=DeadLetter) for raw in raws]

    async def letters(self, customer_id: str = "anna") -> list[Letter]:
        """What is in a customer's mailbox, newest first."""
        return await self.mailbox.of(token(customer_id))

    async def ledger(self, action: Action) -> dict[str, str]:
        """What the ledger says of an action."""
        key = f"{self.settings.namespace}ledger:{action.action_id}"
        fields = await self.redis.hgetall(key)
        return {name.decode(): value.decode() for name, value in fields.items()}

    async def _all(self, name: str) -> list[bytes]:
        topic = self.settings.named(name)
        partitions = [TopicPartition(topic, one) for one in range(self.settings.partitions)]
        found: list[bytes] = []
        async with AIOKafkaConsumer(
            bootstrap_servers=self.settings.kafka_bootstrap,
            enable_auto_commit=False,
            isolation_level="read_committed",
            auto_offset_reset="earliest",
        ) as consumer:
            consumer.assign(partitions)
            await consumer.seek_to_beginning()
            ends = await consumer.end_offsets(partitions)
            for one, end in ends.items():
                while await consumer.position(one) < end:
                    fetched = await consumer.getmany(one, timeout_ms=200)
                    found.extend(record.value for record in fetched.get(one, ()))
        return found


def pair(action: Action) -> list[str]:
    """The receipts of a message that arrived."""
    name = action.action_id
    return [f"message_sent {name}:sent", f"message_delivered {name}:delivered"]


def bounce(action: Action) -> list[str]:
    """The receipt of a message that did not go out."""
    return [f"message_bounced {action.action_id}:bounced"]


def files_that_hold(folder: Path, *planted: str) -> dict[str, list[str]]:
    """For each planted text the files under a folder whose raw bytes hold it."""
    found: dict[str, list[str]] = {text: [] for text in planted}
    for root, _, names in os.walk(folder):
        for path in (Path(root, name) for name in names):
            # The broker's index files are set to their full length and never written.
            if not path.is_file() or not path.stat().st_blocks:
                continue
            raw = path.read_bytes()
            for text in planted:
                if text.encode() in raw:
                    found[text].append(str(path.relative_to(folder)))
    return found
