"""A whole gateway on a real broker, and ways to look behind it."""

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import msgspec
import orjson
from aiohttp import ClientSession, ClientTimeout, TCPConnector
from aiokafka import AIOKafkaConsumer, TopicPartition

from models import events
from models.effects import DeadLetter
from models.tokens import token_of
from sinks.sealing import Sealer
from streams.gateway import serve
from streams.gateway_admission import DEAD_LETTERS_KEY
from streams.prepare import ensure_topics
from streams.secrets import load_secrets, open_key_store
from streams.settings import Settings


def basic(key: str = "demo") -> dict[str, str]:
    return {"Authorization": "Basic " + b64encode(f"{key}:".encode()).decode()}


@dataclass
class Answer:
    """What came back, read to its end."""

    status: int
    headers: Any
    body: Any


class OpenGateway:
    """A running gateway with a client of its own."""

    def __init__(self, settings: Settings, session: ClientSession) -> None:
        self.settings = settings
        self.url = f"http://127.0.0.1:{settings.gateway_port}"
        self._session = session

    async def post(self, path: str, body: Any, headers: dict[str, str] | None = None) -> Answer:
        """Send a body (bytes as they are, all else as JSON), with the write key unless told."""
        content = body if isinstance(body, bytes) else orjson.dumps(body)
        sent = basic() if headers is None else headers
        async with self._session.post(self.url + path, data=content, headers=sent) as response:
            return Answer(response.status, response.headers, await response.json())

    async def get(self, path: str, headers: dict[str, str] | None = None) -> Answer:
        async with self._session.get(self.url + path, headers=headers) as response:
            return Answer(response.status, response.headers, await response.text())

    async def until_ready(self) -> None:
        async with asyncio.timeout(60):
            while (await self.get("/readyz")).status != 200:
                await asyncio.sleep(0.05)

    async def written(self) -> list[events.Event]:
        """Every event of the log, partition by partition."""
        return [events.decode(value) for value in await read_values(self.settings, "events")]  # type: ignore[misc]

    async def buried(self) -> list[tuple[DeadLetter, bytes]]:
        """Every dead letter with its opened body."""
        values = await read_values(self.settings, "dead-letters")
        letters = [msgspec.json.decode(value, type=DeadLetter) for value in values]
        store = open_key_store(self.settings, load_secrets(self.settings).master_key)
        sealer = Sealer(store)
        opened = [
            (letter, sealer.unseal_system(DEAD_LETTERS_KEY, letter.sealed_raw))
            for letter in letters
        ]
        store.close()
        return opened

    def token(self, kind: str, text: str) -> str:
        return token_of(load_secrets(self.settings).token_key, kind, text)


async def read_values(settings: Settings, topic: str) -> list[bytes]:
    """Every value of a topic that has as many partitions as the events."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=settings.kafka_bootstrap, isolation_level="read_committed"
    )
    await consumer.start()
    try:
        partitions = [TopicPartition(settings.named(topic), p) for p in range(settings.partitions)]
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        ends = await consumer.end_offsets(partitions)
        found: list[bytes] = []
        for partition in partitions:
            while await consumer.position(partition) < ends[partition]:
                fetched = await consumer.getmany(partition, timeout_ms=500)
                found.extend(record.value for record in fetched.get(partition, ()))
        return found
    finally:
        await consumer.stop()


@asynccontextmanager
async def an_open_gateway(
    settings: Settings, *, prepare: bool = True
) -> AsyncIterator[OpenGateway]:
    """Open a gateway in this process and close it again, the way its role does."""
    if prepare:
        await ensure_topics(settings)
    stop = asyncio.Event()
    serving = asyncio.create_task(serve(settings, stop))
    connector = TCPConnector(limit=0)
    async with ClientSession(connector=connector, timeout=ClientTimeout(30)) as session:
        gateway = OpenGateway(settings, session)
        try:
            await _until_listening(gateway, serving)
            if prepare:
                await gateway.until_ready()
            yield gateway
        finally:
            stop.set()
            await serving


async def _until_listening(gateway: OpenGateway, serving: "asyncio.Task[None]") -> None:
    async with asyncio.timeout(30):
        while not serving.done():
            try:
                await gateway.get("/healthz")
                return
            except OSError:
                await asyncio.sleep(0.02)
    await serving
