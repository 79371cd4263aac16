"""The dispatcher's session where the broker is too slow to show it: partitions that go meanwhile.

What it does on a real broker: tests/real/test_dispatcher.py.
"""

import asyncio
from typing import Any

import pytest
from aiokafka import TopicPartition

from sinks.dispatch_session import Session, SessionConfig, Share

KEPT, GIVEN_AWAY = TopicPartition("actions", 0), TopicPartition("actions", 1)


async def advance(*_: object) -> Any:
    raise AssertionError("there is nothing to send")


async def test_a_partition_that_goes_while_its_position_is_committed_ends_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    session = Session(SessionConfig("127.0.0.1:9", "actions", "group"), advance, asyncio.Event())
    shares = {place: Share(position=7) for place in (KEPT, GIVEN_AWAY)}
    monkeypatch.setattr(session, "_shares", shares)

    class Broker:
        async def commit(self, moved: dict[TopicPartition, int]) -> None:
            assert moved == {KEPT: 7, GIVEN_AWAY: 7}
            del shares[GIVEN_AWAY]

    monkeypatch.setattr(session, "_consumer", Broker(), raising=False)
    await session._commit(shares)
    assert shares[KEPT].committed == 7
