"""Waiting, and telling others' cancellations from our own."""

import asyncio
from itertools import islice

import pytest

from sinks.patience import (
    LONGEST_PAUSE_S,
    Opened,
    cancelled_means_failed,
    close_each,
    pause,
    pauses,
)


def test_pauses_double_up_to_a_longest_one() -> None:
    waits = list(islice(pauses(), 20))
    assert waits[:3] == [0.2, 0.4, 0.8]
    assert waits == sorted(waits)
    assert waits[-1] == LONGEST_PAUSE_S


async def test_a_pause_ends_with_its_event() -> None:
    happened = asyncio.Event()
    waiting = asyncio.create_task(pause(happened, 3_600))
    await asyncio.sleep(0)
    happened.set()
    await asyncio.wait_for(waiting, 5)


async def test_a_pause_ends_with_its_time() -> None:
    await pause(asyncio.Event(), 0.001)


async def test_a_cancelled_answer_is_a_failed_connection() -> None:
    answer = asyncio.get_running_loop().create_future()
    answer.cancel()
    with pytest.raises(ConnectionError), cancelled_means_failed():
        await answer


async def test_our_own_cancellation_goes_through() -> None:
    async def waiting() -> None:
        with cancelled_means_failed():
            await asyncio.get_running_loop().create_future()

    task = asyncio.create_task(waiting())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_time_limit_inside_stays_a_time_limit() -> None:
    with pytest.raises(TimeoutError), cancelled_means_failed():
        async with asyncio.timeout(0.001):
            await asyncio.get_running_loop().create_future()


async def test_every_connection_is_ended_though_the_first_ones_end_badly() -> None:
    ended: list[str] = []

    async def refused() -> None:
        ended.append("refused")
        raise OSError("gone already")

    async def dropped() -> None:
        ended.append("dropped")
        answer = asyncio.get_running_loop().create_future()
        answer.cancel()
        await answer

    async def well() -> None:
        ended.append("well")

    await close_each(refused, dropped, well)
    assert ended == ["refused", "dropped", "well"]


class Client:
    def __init__(self, trouble: Exception | None = None) -> None:
        self.trouble = trouble
        self.stops = 0

    async def start(self) -> None:
        if self.trouble:
            raise self.trouble

    async def stop(self) -> None:
        self.stops += 1


async def test_a_client_whose_start_fails_is_stopped_and_the_failure_told() -> None:
    client = Client(OSError("no route"))
    with pytest.raises(OSError, match="no route"):
        async with Opened(client):
            raise AssertionError("it never started")
    assert client.stops == 1


async def test_a_client_is_stopped_once_whatever_happens_inside() -> None:
    client = Client()
    with pytest.raises(ValueError, match="inside"):
        async with Opened(client):
            raise ValueError("inside")
    assert client.stops == 1
