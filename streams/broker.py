"""Waiting for a broker that is away, before a role with lanes begins."""

import asyncio

import structlog
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError

from sinks.patience import pauses

log = structlog.get_logger(__name__)


async def broker_reached(bootstrap: str) -> None:
    """Return once a broker answers, however long that takes; says what it waits for."""
    for pause_s in pauses():
        client = AIOKafkaClient(bootstrap_servers=bootstrap)
        try:
            await client.bootstrap()
        except (KafkaError, OSError) as error:
            log.warning("waits for the broker", broker=bootstrap, error=repr(error))
        else:
            return
        finally:
            await client.close()
        await asyncio.sleep(pause_s)
