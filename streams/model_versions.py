"""Versions of the shared models: read from their topic, and put back through the log (S48).

A rollback is an adoption like the learner's own: one transaction says it to every partition of
`events`, to the learner (which then publishes on, but adopts nothing) and on `control`.
"""

import asyncio
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from models.effects import Pinned, encode
from models.snapshot import (
    KINDS,
    AdoptedWord,
    SnapshotRecord,
    adopted_key,
    read_record,
    refusal,
)
from sinks.patience import Opened
from streams import topics
from streams.fold import Output
from streams.replay.history_log import read_control
from streams.servers.errors import ServerError
from streams.settings import Settings
from streams.snapshots import adoption

MODELS = tuple(name for name in KINDS if name != "playbook")
"""What learns; the playbook stands beside them on the topic and has its own commands."""


SEEN_WITHIN_S = 10.0


class ModelTrouble(ServerError):
    """Versions can't be read or put back; the text is one sentence for the operator."""


@dataclass(frozen=True)
class Version:
    """One version as it stands on the topic; `refused` says why workers don't use it."""

    record: SnapshotRecord
    published_ms: int
    refused: str = ""


@dataclass(frozen=True)
class Versions:
    """All versions, oldest first, and the last word on which is in use."""

    known: tuple[Version, ...]
    adopted: dict[str, AdoptedWord]

    def of(self, model: str) -> list[Version]:
        """Give one model's versions; raises ModelTrouble for a model that there isn't."""
        if model == "playbook":
            raise ModelTrouble(
                "the playbook is no model: see `huitou playbook history`, and put an edition back "
                "by `huitou playbook rollback N`"
            )
        if model not in MODELS:
            raise ModelTrouble(f"there is no model {model}: there is {', '.join(MODELS)}")
        return [one for one in self.known if one.record.model == model]

    def named(self, model: str, version: int) -> Version:
        """Give a version; raises ModelTrouble when there is no such one."""
        known = self.of(model)
        for one in known:
            if one.record.snapshot.version == version:
                return one
        numbers = [one.record.snapshot.version for one in known]
        there = f"{numbers[0]} to {numbers[-1]}" if numbers else "none yet"
        raise ModelTrouble(f"there is no version {version} of model {model}: there is {there}")


async def read_versions(settings: Settings) -> Versions:
    """Read every version; raises ModelTrouble when no broker answers."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=settings.kafka_bootstrap,
        enable_auto_commit=False,
        isolation_level="read_committed",
    )
    try:
        async with Opened(consumer):
            known = await _read(consumer, TopicPartition(settings.named(topics.SNAPSHOTS), 0))
        words = await read_control(settings)
    except KafkaError as error:
        raise ModelTrouble(
            f"no broker at {settings.kafka_bootstrap} ({error!r}): start `huitou up` first"
        ) from None
    return Versions(tuple(known), {model: _adopted(model, words) for model in MODELS})


def _adopted(model: str, words: Mapping[bytes, bytes]) -> AdoptedWord:
    word = words.get(adopted_key(model))
    return msgspec.json.decode(word, type=AdoptedWord) if word else AdoptedWord(0, 0)


async def _read(consumer: AIOKafkaConsumer, place: TopicPartition) -> list[Version]:
    known: list[Version] = []
    consumer.assign([place])
    await consumer.seek_to_beginning(place)
    end = (await consumer.end_offsets([place]))[place]
    while await consumer.position(place) < end:
        fetched = await consumer.getmany(place, timeout_ms=200)
        known += [
            _version(one.value, one.timestamp)
            for one in fetched.get(place, ())
            if one.key != b"playbook"
        ]
    return known


async def put_back(settings: Settings, model: str, version: int) -> None:
    """Use `version` from now on and hold it; 0: hold nothing, the next one published is adopted.

    Raises ModelTrouble for a version that is not there, is refused, or where no broker answers.
    """
    versions = await read_versions(settings)
    versions.of(model)
    at_ms = time.time_ns() // 1_000_000
    said = [
        Output(
            settings.named(topics.LESSONS), None, encode(Pinned(model=model, version=version)), 0
        )
    ]
    if version:
        wanted = versions.named(model, version)
        if wanted.refused:
            raise ModelTrouble(f"version {version} would be refused: {wanted.refused}")
        said += adoption(
            wanted.record, settings.partitions, settings.named, at_ms=at_ms, pinned=True
        )
    else:
        word = msgspec.structs.replace(versions.adopted[model], pinned=False)
        control = settings.named(topics.CONTROL)
        said.append(Output(control, adopted_key(model), msgspec.json.encode(word), 0))
    await _write(settings, said)
    await _seen(settings, model, version)


async def _seen(settings: Settings, model: str, version: int) -> None:
    """Wait until readers see it: a commit is answered a moment before its markers are written."""
    with suppress(TimeoutError):
        async with asyncio.timeout(SEEN_WITHIN_S):
            while True:
                word = (await read_versions(settings)).adopted[model]
                if word.pinned is bool(version) and word.version == (version or word.version):
                    return
                await asyncio.sleep(0.05)


async def _write(settings: Settings, said: list[Output]) -> None:
    producer = AIOKafkaProducer(
        bootstrap_servers=settings.kafka_bootstrap, transactional_id=settings.named("models")
    )
    try:
        async with Opened(producer), producer.transaction():
            sent = [
                await producer.send(one.topic, one.value, one.key, one.partition) for one in said
            ]
            await asyncio.gather(*sent)
    except KafkaError as error:
        raise ModelTrouble(
            f"the broker at {settings.kafka_bootstrap} did not take it ({error!r}): nothing was "
            "changed unless `huitou models list` says so"
        ) from None


def _version(value: bytes, published_ms: int) -> Version:
    record = read_record(value)
    return Version(record, published_ms, refusal(record))
