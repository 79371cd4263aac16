"""The bundling client: every caller gets its own answer, in the order of asking."""

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

from sinks.redis_bundle import BundledRedis
from streams.servers.ports import free_port

pytestmark = pytest.mark.real


@pytest.fixture
async def redis(valkey: str) -> AsyncIterator[BundledRedis]:
    client = BundledRedis.from_url(valkey)
    yield client
    await client.aclose()


async def test_each_of_many_callers_gets_its_own_answer(redis: BundledRedis) -> None:
    key = uuid4().hex
    sums = await asyncio.gather(*(redis.incrby(key, 1) for _ in range(500)))
    assert sums == list(range(1, 501))


async def test_many_commands_travel_in_few_pipelines(redis: BundledRedis) -> None:
    pipelines = 0
    pipeline = redis.pipeline

    def counted(*args: object, **kwargs: object) -> object:
        nonlocal pipelines
        pipelines += 1
        return pipeline(*args, **kwargs)  # type: ignore[arg-type]

    redis.pipeline = counted  # type: ignore[assignment, method-assign]
    await asyncio.gather(*(redis.ping() for _ in range(500)))
    assert pipelines == 1


async def test_an_error_goes_to_who_caused_it_and_to_nobody_else(redis: BundledRedis) -> None:
    key = uuid4().hex
    set_, bad, got = await asyncio.gather(
        redis.set(key, "x"), redis.incr(key), redis.get(key), return_exceptions=True
    )
    assert set_ is True
    assert isinstance(bad, ResponseError)
    assert got == b"x"


async def test_who_gives_up_waiting_disturbs_nobody(redis: BundledRedis) -> None:
    impatient = asyncio.create_task(redis.ping())
    patient = asyncio.create_task(redis.ping())
    await asyncio.sleep(0)
    impatient.cancel()
    assert await patient is True
    assert await redis.ping() is True


async def test_a_server_that_is_away_is_told_to_every_caller() -> None:
    redis = BundledRedis.from_url(f"redis://127.0.0.1:{free_port()}/0")
    answers = await asyncio.gather(*(redis.ping() for _ in range(5)), return_exceptions=True)
    assert [type(one) for one in answers] == [RedisConnectionError] * 5
    with pytest.raises(RedisConnectionError):
        await redis.ping()
    await redis.aclose()


async def test_a_script_may_be_asked_like_any_command(redis: BundledRedis) -> None:
    assert await redis.eval("return {KEYS[1], ARGV[1]}", 1, "a", "b") == [b"a", b"b"]
