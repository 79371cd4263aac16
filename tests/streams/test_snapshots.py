"""Snapshots read from a real broker: waited for, refused, and adopted in one breath."""

import asyncio

import msgspec
import pytest

from models.events import Adopted, decode
from models.ranking import FEATURES, RankingSnapshot
from models.snapshot import AdoptedWord, SnapshotRecord, adopted_key, recorded
from streams import topics
from streams.settings import Settings
from streams.snapshots import SnapshotReader, adoption
from tests.builders import snapshot
from tests.real.rig import Log

RANKING = RankingSnapshot(version=2, lessons=60, weights=(0.5,) * len(FEATURES))


def test_an_adoption_tells_every_partition_and_leaves_word() -> None:
    record = recorded("ranking", RANKING)
    *told, word = adoption(record, 3, lambda name: f"t-{name}", at_ms=7, pinned=True)
    assert [(one.topic, one.partition) for one in told] == [("t-events", n) for n in range(3)]
    assert {one.value for one in told} == {told[0].value}
    assert decode(told[0].value) == Adopted("ranking", 2, record.checksum)
    assert (word.topic, word.key) == ("t-control", adopted_key("ranking"))
    assert msgspec.json.decode(word.value, type=AdoptedWord) == AdoptedWord(2, 7, True)


@pytest.mark.real
async def test_a_version_is_waited_for_and_one_that_is_refused_is_none(settings: Settings) -> None:
    async with Log(settings) as log:
        reader = SnapshotReader(settings.kafka_bootstrap, settings.named(topics.SNAPSHOTS))
        await reader.start()
        try:
            waiting = asyncio.create_task(reader.load("ranking", 2))
            await asyncio.sleep(0.3)
            assert not waiting.done()
            hazard = snapshot(version=2)
            for record in (
                SnapshotRecord("hazard", "wrong", hazard),
                recorded("hazard", snapshot(version=3)),
                recorded("ranking", RANKING),
            ):
                await log.producer.send_and_wait(
                    settings.named(topics.SNAPSHOTS), msgspec.json.encode(record), partition=0
                )
            async with asyncio.timeout(30):
                assert await waiting == RANKING
                assert await reader.load("hazard", 2) is None
                assert await reader.load("hazard", 3) == snapshot(version=3)
        finally:
            await reader.stop()
