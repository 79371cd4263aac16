"""The intake topic: Segment's JSON from another Kafka topic, through the same door.

Each record holds a message or a batch. Its offset is committed after the log has confirmed what it
held; after a crash some records are read again, and the log recognises their ids.
"""

import asyncio
from typing import Any

import orjson
import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord
from aiokafka.errors import KafkaError

from sinks.keys import KeyStoreBusy
from sinks.log import LogError
from sinks.log_clock import ClockUnknown
from sinks.patience import METADATA_AGE_MS, Opened
from streams.gateway_admission import Admission, Place
from streams.settings import Settings
from streams.webhooks import batch_of

SOURCE = "intake"
_RECORDS_MAX = 200
_POLL_MS = 500
_RETRY_S = 1.0

_log = structlog.get_logger("intake")


async def follow_intake(settings: Settings, admission: Admission, stop: asyncio.Event) -> None:
    """Read the intake topic, if there is one, until `stop`; a broker away is waited for."""
    if not settings.intake_topic:
        return
    while not stop.is_set():
        consumer = AIOKafkaConsumer(
            settings.intake_topic,
            bootstrap_servers=settings.kafka_bootstrap,
            group_id=settings.named("gateway-intake"),
            metadata_max_age_ms=METADATA_AGE_MS,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
        )
        try:
            async with Opened(consumer):
                await _follow(consumer, admission, stop)
        except (KafkaError, OSError) as error:
            _log.warning("intake_unreadable", error=repr(error))
            await _pause(stop)


async def _follow(consumer: AIOKafkaConsumer, admission: Admission, stop: asyncio.Event) -> None:
    while not stop.is_set():
        fetched = await consumer.getmany(timeout_ms=_POLL_MS, max_records=_RECORDS_MAX)
        for partition, records in fetched.items():
            if not await _take(admission, records, stop):
                return
            await consumer.commit({partition: records[-1].offset + 1})


async def _take(admission: Admission, records: list[ConsumerRecord], stop: asyncio.Event) -> bool:
    """Bring records into the log, however long that takes; False if `stop` came before it."""
    while not stop.is_set():
        try:
            await _admit(admission, records)
        except (LogError, ClockUnknown, KeyStoreBusy) as error:
            _log.warning("intake_waits", reason=str(error))
            await _pause(stop)
        else:
            return True
    return False


async def _admit(admission: Admission, records: list[ConsumerRecord]) -> None:
    bodies: list[Any] = []
    places: list[Place] = []
    for record in records:
        place = Place(record.partition, record.offset)
        try:
            body = orjson.loads(record.value or b"")
        except orjson.JSONDecodeError:
            await admission.bury(record.value or b"", "not JSON", SOURCE, place)
            continue
        messages = batch_of(body)
        several = [body] if messages is None else messages
        bodies.extend(several)
        places.extend([place] * len(several))
    if bodies:
        await admission.admit(bodies, SOURCE, places)


async def _pause(stop: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(_RETRY_S):
            await stop.wait()
    except TimeoutError:
        return
