"""Topics are made as they must be, mended, and never silently repartitioned."""

import asyncio

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from streams import prepare
from streams.settings import Settings
from streams.topics import EVENTS, TOPICS

pytestmark = pytest.mark.real


async def alter(settings: Settings, **config: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap)
    await admin.start()
    name = settings.namespace + EVENTS
    dotted = {key.replace("_", "."): value for key, value in config.items()}
    await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, dotted)])
    await admin.close()


async def read_config(settings: Settings) -> dict[str, str]:
    async with prepare._admin(settings) as admin:
        name = settings.namespace + EVENTS
        return {k: v for k, (v, _) in (await prepare._configs(admin, [name]))[name].items()}


async def until_trouble(settings: Settings, wanted: bool) -> list[str]:
    """The broker tells of an alteration a moment after it has acknowledged it."""
    async with asyncio.timeout(10):
        while bool(trouble := await prepare.topic_trouble(settings)) != wanted:
            await asyncio.sleep(0.02)
    return trouble


async def test_every_topic_is_created_once_with_its_settings(settings: Settings) -> None:
    assert len(await prepare.topic_trouble(settings)) == len(TOPICS)
    assert len(await prepare.ensure_topics(settings)) == len(TOPICS)
    assert await prepare.ensure_topics(settings) == []
    assert (await read_config(settings))["retention.ms"] == "-1"


async def test_a_wrong_setting_is_mended_and_an_operators_own_is_kept(settings: Settings) -> None:
    await prepare.ensure_topics(settings)
    await alter(settings, retention_ms="1000", segment_bytes="2097152")
    assert "retention.ms was 1000, must be -1" in (await until_trouble(settings, True))[0]
    assert len(await prepare.ensure_topics(settings)) == 1
    assert await until_trouble(settings, False) == []
    assert (await read_config(settings))["segment.bytes"] == "2097152"


async def test_another_partition_count_is_refused_with_the_way_out(settings: Settings) -> None:
    await prepare.ensure_topics(settings)
    other = settings.model_copy(update={"partitions": settings.partitions + 1})
    with pytest.raises(prepare.TopicTrouble, match=f"set HUITOU_PARTITIONS={settings.partitions}"):
        await prepare.ensure_topics(other)
