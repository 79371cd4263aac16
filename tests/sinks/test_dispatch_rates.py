"""The pace of an outlet: one for all who send, and no minute too full."""

import asyncio
import time
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from redis.asyncio import Redis

from sinks.dispatch_rates import Rates

pytestmark = pytest.mark.real


@pytest.fixture
async def redis(valkey: str) -> AsyncIterator[Redis]:
    client = Redis.from_url(valkey)
    yield client
    await client.aclose()


@pytest.fixture
def namespace() -> str:
    return f"r-{uuid4().hex}-"


async def test_moments_of_all_dispatchers_are_evenly_apart(redis: Redis, namespace: str) -> None:
    two = [Rates(redis, namespace), Rates(redis, namespace)]
    waits = await asyncio.gather(*(two[n % 2].take("sms", 60) for n in range(20)))
    waits.sort()
    assert waits[0] == 0
    for number, wait_ms in enumerate(waits):
        assert number * 1_000 - 500 < wait_ms <= number * 1_000


async def test_without_a_limit_nobody_waits(redis: Redis, namespace: str) -> None:
    rates = Rates(redis, namespace)
    assert [await rates.take("sms", 0) for _ in range(5)] == [0] * 5


async def test_outlets_have_a_pace_each(redis: Redis, namespace: str) -> None:
    rates = Rates(redis, namespace)
    assert await rates.take("sms", 1) == 0
    assert await rates.take("email", 1) == 0
    assert 59_000 < await rates.take("sms", 1) <= 60_000


async def test_who_asks_to_be_left_alone_is_left_alone(redis: Redis, namespace: str) -> None:
    rates = Rates(redis, namespace)
    await rates.hold("sms", 5_000)
    assert 4_000 < await rates.take("sms", 0) <= 5_000
    await rates.hold("sms", 10)
    assert 3_500 < await rates.take("sms", 0) <= 5_000
    assert await rates.take("email", 0) == 0


@pytest.mark.parametrize("per_minute", [7, 59, 61, 1_000])
async def test_a_minute_never_holds_more_than_it_may(
    redis: Redis, namespace: str, per_minute: int
) -> None:
    rates = Rates(redis, namespace)
    moments = [
        await rates.take("sms", per_minute) + time.monotonic() * 1_000
        for _ in range(per_minute + 1)
    ]
    assert moments[-1] - moments[0] > 59_900
