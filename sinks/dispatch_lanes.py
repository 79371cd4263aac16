"""Work in order for each customer, across customers as it comes."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

Job = TypeVar("Job")


class Lanes(Generic[Job]):
    """A lane a customer: its jobs run one after the other, lanes beside each other.

    A job that raises ends the task group, and with it every lane.
    """

    def __init__(self, group: asyncio.TaskGroup, work: Callable[[Job], Awaitable[None]]) -> None:
        self._group = group
        self._work = work
        self._lanes: dict[bytes, deque[Job]] = {}
        self._tasks: dict[bytes, asyncio.Task[None]] = {}
        self.jobs = 0

    def add(self, customer: bytes, job: Job) -> None:
        """Put a job at the end of the customer's lane."""
        self.jobs += 1
        lane = self._lanes.get(customer)
        if lane is not None:
            lane.append(job)
            return
        lane = self._lanes[customer] = deque([job])
        task = self._tasks[customer] = self._group.create_task(self._run(customer, lane))
        # A task that is cancelled before it starts never comes to its own end.
        task.add_done_callback(lambda done: self._close(customer, lane))

    async def still(self, wanted: Callable[[Job], bool], limit_s: float) -> None:
        """Wait until no lane holds a wanted job; what is left after the limit is cancelled."""
        tasks = [
            self._tasks[customer]
            for customer, lane in self._lanes.items()
            if any(wanted(job) for job in lane)
        ]
        if not tasks:
            return
        _, late = await asyncio.wait(tasks, timeout=limit_s)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    async def _run(self, customer: bytes, lane: deque[Job]) -> None:
        while lane:
            await self._work(lane[0])
            lane.popleft()
            self.jobs -= 1
        # At once, for a job that comes before the callback would find a lane without a worker.
        self._close(customer, lane)

    def _close(self, customer: bytes, lane: deque[Job]) -> None:
        if self._lanes.get(customer) is lane:
            self.jobs -= len(lane)
            del self._lanes[customer], self._tasks[customer]
