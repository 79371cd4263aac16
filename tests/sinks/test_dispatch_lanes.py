"""Lanes: order within a customer, none between customers, and no lane without a worker."""

import asyncio

import pytest

from sinks.dispatch_lanes import Lanes


async def test_a_customers_jobs_run_in_order_while_others_pass() -> None:
    done: list[str] = []
    slow = asyncio.Event()

    async def work(job: str) -> None:
        if job == "a1":
            await slow.wait()
        done.append(job)

    async with asyncio.TaskGroup() as group:
        lanes = Lanes(group, work)
        for job in ("a1", "a2", "b1", "a3", "b2"):
            lanes.add(job[:1].encode(), job)
        while len(done) < 2:
            await asyncio.sleep(0)
        assert (done, lanes.jobs) == (["b1", "b2"], 3)
        slow.set()
    assert done == ["b1", "b2", "a1", "a2", "a3"]
    assert lanes.jobs == 0


async def test_a_job_that_comes_when_its_lane_has_just_ended_is_done() -> None:
    done: list[int] = []

    async def work(job: int) -> None:
        done.append(job)
        if job < 50:
            asyncio.get_running_loop().call_soon(lanes.add, b"a", job + 1)

    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        lanes = Lanes(group, work)
        lanes.add(b"a", 0)
        while len(done) < 51:
            await asyncio.sleep(0)
    assert done == list(range(51))


async def test_unwanted_lanes_are_waited_for_then_cancelled_and_the_rest_goes_on() -> None:
    never = asyncio.Event()
    done: list[str] = []

    async def work(job: str) -> None:
        if job.startswith("stuck"):
            await never.wait()
        done.append(job)

    async with asyncio.TaskGroup() as group:
        lanes = Lanes(group, work)
        lanes.add(b"s", "stuck 1")
        lanes.add(b"s", "stuck 2")
        lanes.add(b"q", "quick")
        await lanes.still(lambda job: job != "kept", 0.05)
        assert (done, lanes.jobs) == (["quick"], 0)
        lanes.add(b"s", "again")
    assert done == ["quick", "again"]


async def test_a_lane_cancelled_before_it_began_leaves_nothing_behind() -> None:
    done: list[str] = []

    async def work(job: str) -> None:
        done.append(job)

    async with asyncio.TaskGroup() as group:
        lanes = Lanes(group, work)
        lanes.add(b"a", "unborn")
        await lanes.still(lambda job: True, 0)
        assert lanes.jobs == 0
        lanes.add(b"a", "next")
    assert done[-1] == "next"


async def test_a_job_that_fails_ends_everything() -> None:
    async def work(job: str) -> None:
        if job == "bad":
            raise ConnectionError(job)
        await asyncio.Event().wait()

    async def run() -> None:
        async with asyncio.TaskGroup() as group:
            lanes = Lanes(group, work)
            lanes.add(b"a", "waits")
            lanes.add(b"b", "bad")

    with pytest.raises(ExceptionGroup) as failed:
        await run()
    assert [type(one) for one in failed.value.exceptions] == [ConnectionError]
