"""Versions of a model on a real broker: listed, shown, put back through the log, released."""

import asyncio
import json
from typing import Any

import msgspec
import pytest

from models.effects import Lesson, Pinned
from models.events import Adopted, decode
from models.snapshot import SnapshotRecord, checksum
from streams import topics
from streams.model_versions import ModelTrouble, put_back, read_versions
from streams.models_command import list_versions, roll_back, show_version
from streams.settings import Settings
from tests.builders import snapshot
from tests.real.rig import Log

pytestmark = pytest.mark.real


def record(version: int, **wrong: Any) -> SnapshotRecord:
    made = snapshot(version=version, edges=(0.5, 0.3, 0.1))
    return SnapshotRecord("hazard", wrong.get("checksum", checksum(made)), made)


async def published(settings: Settings, *records: SnapshotRecord) -> None:
    async with Log(settings) as log:
        for one in records:
            await log.producer.send_and_wait(
                settings.named(topics.SNAPSHOTS), msgspec.json.encode(one), partition=0
            )


async def said(settings: Settings, topic: str) -> list[bytes]:
    async with Log(settings) as log:
        return [one.value for one in await log.records(topic)]


async def test_a_version_is_put_back_on_every_partition_and_held_until_released(
    settings: Settings,
) -> None:
    await published(settings, record(1), record(2))
    await put_back(settings, "hazard", 1)
    adopted = [decode(value) for value in await said(settings, topics.EVENTS)]
    assert adopted == [Adopted("hazard", 1, record(1).checksum)] * settings.partitions
    versions = await read_versions(settings)
    assert (versions.adopted["hazard"].version, versions.adopted["hazard"].pinned) == (1, True)
    await put_back(settings, "hazard", 0)
    assert (await read_versions(settings)).adopted["hazard"].pinned is False
    told = [msgspec.json.decode(one, type=Lesson) for one in await said(settings, topics.LESSONS)]
    assert told == [Pinned(model="hazard", version=1), Pinned(model="hazard", version=0)]


async def test_what_is_not_there_or_refused_is_not_put_back(settings: Settings) -> None:
    await published(settings)
    with pytest.raises(ModelTrouble, match="no version 3 of model hazard: there is none yet"):
        await put_back(settings, "hazard", 3)
    await published(settings, record(1), record(2, checksum="other"))
    with pytest.raises(ModelTrouble, match="no version 3 of model hazard: there is 1 to 2"):
        await put_back(settings, "hazard", 3)
    with pytest.raises(ModelTrouble, match="would be refused: its checksum does not fit"):
        await put_back(settings, "hazard", 2)
    assert await said(settings, topics.EVENTS) == []


def test_the_command_tells_of_versions_in_words_and_json(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    asyncio.run(published(settings))
    list_versions(settings, as_json=False)
    assert "no version yet" in capsys.readouterr().out
    asyncio.run(published(settings, record(1), record(2, checksum="other"), record(3)))
    roll_back(settings, "hazard", 1, as_json=False)
    assert "hazard is back at version 1" in capsys.readouterr().out
    list_versions(settings, as_json=True)
    states = {one["version"]: one["state"] for one in json.loads(capsys.readouterr().out)}
    assert states == {1: "in use, held", 2: "refused", 3: "kept"}
    list_versions(settings, as_json=False)
    assert "its checksum does not fit" in " ".join(capsys.readouterr().out.split())
    show_version(settings, "hazard", 3, as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert told["edges"] == [0.5, 0.3, 0.1]
    assert set(told["heads"][0]["weights"]) >= {"orders", "silence"}
    show_version(settings, "hazard", 3, as_json=False)
    assert "(intercept)" in capsys.readouterr().out
    roll_back(settings, "hazard", 0, as_json=False)
    assert "the next version" in capsys.readouterr().out
    roll_back(settings, "hazard", 3, as_json=True)
    assert json.loads(capsys.readouterr().out) == {"model": "hazard", "version": 3, "pinned": True}


def test_without_a_broker_it_is_said(settings: Settings) -> None:
    away = settings.model_copy(update={"kafka": "127.0.0.1:9"})
    with pytest.raises(ModelTrouble, match=r"no broker at 127\.0\.0\.1:9"):
        list_versions(away, as_json=False)
