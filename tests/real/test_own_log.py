"""The installation's own log is rehearsed as a history, without what it did itself."""

import asyncio
from pathlib import Path

import pytest

from models.clock import DAY_MS, HOUR_MS
from models.events import MessageChannel, MessageSent
from sinks.dispatch_receipts import SOURCE
from streams.rehearse.book import read_book
from streams.rehearse.own_log import OwnLog
from streams.rehearse.past import Past
from streams.replay.history import BadHistory
from streams.settings import Settings
from tests.builders import START_MS, identified, make, named, viewed
from tests.models.triggers.playing import BROWSE, HEAD
from tests.real.rig import Log

pytestmark = pytest.mark.real


async def written(settings: Settings) -> None:
    async with Log(settings) as log:
        await log.mark(START_MS)
        for hour in range(6):
            who, at_ms = {"customer": named(str(hour))}, START_MS + hour * HOUR_MS
            sent = {"action_id": "a" * 32, "message_channel": MessageChannel.EMAIL}
            await log.write(
                [
                    identified(at_ms=at_ms, sealed={"email": "x", "id": "y"}, **who),
                    viewed("sku1", at_ms=at_ms + 1, **who),
                    make(MessageSent, at_ms=at_ms + 2, source=SOURCE, **sent, **who),
                ]
            )
            await log.mark(at_ms + HOUR_MS)
        await log.raw(0, b"no event")
        await log.mark(START_MS + 3 * DAY_MS)


def test_events_come_in_the_order_of_time_over_all_partitions_without_the_own_receipts(
    settings: Settings,
) -> None:
    asyncio.run(written(settings))
    history = OwnLog(settings)
    times = [event.received_at_ms for event in history.events()]
    assert len(times) == 12
    assert times == sorted(times)
    assert history.last_ms == START_MS + 3 * DAY_MS


def test_a_playbook_is_rehearsed_over_it_up_to_the_logs_own_time(
    settings: Settings, tmp_path: Path
) -> None:
    asyncio.run(written(settings))
    file = tmp_path / "playbook.yaml"
    file.write_text(HEAD + BROWSE)
    told = Past(OwnLog(settings), [read_book(file)], currency="EUR").play(lambda *_: None)[0]
    assert (told["events"], told["customers"]) == (12, 6)
    assert told["statuses"] == {"sent": 6}
    assert told["until"] == "2022-01-11T00:00:00+00:00"


def test_without_a_broker_it_says_how_to_start_one(tmp_path: Path) -> None:
    nowhere = Settings(data_dir=tmp_path, kafka="127.0.0.1:1")
    with pytest.raises(BadHistory, match=r"no broker at 127\.0\.0\.1:1"):
        list(OwnLog(nowhere).events())
