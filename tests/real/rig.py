"""Roles as processes on real servers, and the log read as it stands."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from pydantic import SecretStr

from models.customer import Customer, decode_row
from models.events import ClockMark, Event, LogRecord, encode
from models.tokens import is_customer_key, partition_of
from streams import topics
from streams.playbook_editions import apply_files
from streams.prepare import ensure_topics
from streams.settings import Settings
from tests.builders import HOUSE_EDITION

PROJECT = Path(__file__).parents[2]
PATIENCE_S = 180.0


def environment(settings: Settings) -> dict[str, str]:
    """The settings as a role's environment."""
    values = settings.model_dump(mode="python")
    variables = {k: v for k, v in os.environ.items() if not k.startswith("HUITOU_")}
    for name in (
        "kafka",
        "redis_url",
        "clickhouse_url",
        "clickhouse_database",
        "namespace",
        "partitions",
        "gateway_port",
        "web_port",
        "commit_interval_ms",
        "mark_interval_ms",
        "session_timeout_ms",
        "adopt_every_days",
        "adopt_segments_every_days",
        "dormant_after_days",
        "automatic_tiers",
        "incarnation",
        "token_key",
    ):
        value = values[name]
        text = value.get_secret_value() if isinstance(value, SecretStr) else str(value)
        variables[f"HUITOU_{name.upper()}"] = text
    variables["HUITOU_DATA_DIR"] = str(settings.data_dir)
    return variables


class Role:
    """One role in a process of its own."""

    def __init__(
        self,
        settings: Settings,
        name: str,
        number: int = 1,
        *,
        code: str = "",
        variables: dict[str, str] | None = None,
    ) -> None:
        self.name = name
        variables = environment(settings) | {"HUITOU_INSTANCE": str(number)} | (variables or {})
        logs = settings.data_dir / "test-logs"
        logs.mkdir(parents=True, exist_ok=True)
        self.log_path = logs / f"{name}-{number}-{time.monotonic_ns()}.log"
        with self.log_path.open("wb") as log_file:
            self.process = subprocess.Popen(
                [sys.executable, *(["-c", code] if code else ["-m", "streams.cli", name])],
                cwd=PROJECT,
                env=variables,
                stdout=log_file,
                stderr=subprocess.STDOUT,
            )

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def stop(self, patience_s: float = 20.0) -> int:
        self.process.terminate()
        return self.process.wait(patience_s)

    @property
    def output(self) -> str:
        return self.log_path.read_text(errors="replace")


class Crew:
    """The roles of one test: killed at its end, their last words shown when it failed."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._roles: list[Role] = []

    def start(self, name: str, number: int = 1, *, code: str = "") -> Role:
        """Start a role, or `code` in its place, in a process of its own."""
        role = Role(self._settings, name, number, code=code)
        self._roles.append(role)
        return role

    def __enter__(self) -> "Crew":
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        for role in self._roles:
            role.kill()
            if kind is not None:
                print(f"--- {role.log_path.name}\n{role.output[-3_000:]}")


async def until(
    condition: Callable[[], Awaitable[bool]], what: str, patience_s: float = PATIENCE_S
) -> None:
    """Wait for a condition; says what it waited for in vain.

    A look that reads a whole topic is given the more rest, so that looking takes a third at most.
    """
    deadline = time.monotonic() + patience_s
    looked_at = time.monotonic()
    while not await condition():
        now = time.monotonic()
        if now > deadline:
            raise AssertionError(f"waited {patience_s:.0f} s in vain for: {what}")
        await asyncio.sleep(max(0.05, min(2 * (now - looked_at), 1.0)))
        looked_at = time.monotonic()


async def adopt_house_rules(settings: Settings) -> None:
    """Have the installation decide by the tests' two rules, at any hour of the day."""
    await apply_files(settings, "main", HOUSE_EDITION.files, by="a test")


class Log:
    """Writes to and reads from the topics of one installation."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> "Log":
        await ensure_topics(self.settings)
        self.producer = AIOKafkaProducer(
            bootstrap_servers=self.settings.kafka_bootstrap,
            enable_idempotence=True,
            max_batch_size=500_000,
            linger_ms=2,
        )
        await self._stack.enter_async_context(self.producer)
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._stack.aclose()

    async def write(self, events: Iterable[Event]) -> None:
        """Append events, each to its customer's partition."""
        sent = []
        for event in events:
            partition = partition_of(event.customer, self.settings.partitions)
            sent.append(await self._send(encode(event), partition, event.customer.encode()))
        await asyncio.gather(*sent)

    async def mark(self, at_ms: int) -> None:
        """Append a mark to every partition."""
        await self.append(ClockMark(at_ms=at_ms))

    async def append(self, record: LogRecord) -> None:
        """Append a record that is for the whole partition to every partition."""
        for partition in range(self.settings.partitions):
            await (await self._send(encode(record), partition, None))

    async def _send(self, value: bytes, partition: int, key: bytes | None) -> Any:
        topic = self.settings.named(topics.EVENTS)
        return await self.producer.send(topic, value, key, partition=partition)

    async def raw(self, partition: int, value: bytes, key: bytes | None = None) -> None:
        """Append bytes as they are."""
        await (await self._send(value, partition, key))

    async def records(self, topic: str) -> list[Any]:
        """Everything committed in a topic, partition by partition."""
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.settings.kafka_bootstrap,
            isolation_level="read_committed",
            auto_offset_reset="earliest",
            enable_auto_commit=False,
        )
        async with consumer:
            name = self.settings.named(topic)
            await consumer._client._wait_on_metadata(name)
            places = [TopicPartition(name, p) for p in consumer.partitions_for_topic(name) or ()]
            consumer.assign(places)
            ends = await consumer.end_offsets(places)
            found: list[Any] = []
            while any([await consumer.position(place) < ends[place] for place in places]):
                for fetched in (await consumer.getmany(timeout_ms=200)).values():
                    found.extend(fetched)
        return sorted(found, key=lambda record: (record.partition, record.offset))

    async def customers(self) -> dict[str, Customer]:
        """The table as its changelog has it."""
        rows: dict[str, Customer] = {}
        for record in await self.records(topics.CUSTOMERS):
            if is_customer_key(record.key):
                rows[record.key.decode()] = decode_row(record.value)
        return rows

    async def folded(self) -> int:
        """How many events the rows have counted."""
        return sum(row.events for row in (await self.customers()).values())
