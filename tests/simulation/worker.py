"""A worker's process: the product's lanes, drain, recovery and marks; of Faust what they need.

Fetching, folding, recovering and committing are the product's own code, borrowed from the classes
that hold it. What is written here is Faust's part: who calls it, and when.
"""

import asyncio
from collections.abc import Callable
from types import MethodType
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import IllegalStateError
from faust.tables.recovery import RebalanceAgain

from streams import lanes, topics
from streams.customer_fold import CustomerFold
from streams.lane import NEVER, Batch, LaneConsumer
from streams.lanes import Lane, Lanes, fold_batches
from streams.marks import MarkWriter
from streams.partition import LaneSpec
from streams.tables import LaneRecovery
from streams.watchdog import Watchdog
from tests.simulation.clients import SimulatedConsumer

GROUP = "worker"
SESSION_MS = 6_000
BATCHES_WAITING = 8
EVERY_S = 1.0
_restart_recovery: Any = LaneRecovery.__dict__["_restart_recovery"]


class Worker:
    """One start of a worker; what Faust calls app, consumer and recovery in one."""

    should_stop = False
    consumer_stopped_errors = (IllegalStateError,)
    _buffered_partitions: frozenset[TopicPartition] = frozenset()

    def __init__(
        self,
        make_fold: Callable[[int], CustomerFold],
        clock: Any,
        stop: asyncio.Event,
    ) -> None:
        spec = LaneSpec(
            bootstrap="",
            group=GROUP,
            source=topics.EVENTS,
            changelog=topics.CUSTOMERS,
            transactional_prefix="customers",
            commit_interval_ms=20,
        )
        self.lanes = Lanes([Lane(spec, make_fold)])
        self.app = self.consumer = self
        self.consumer_generation_id = self._generation_id = -1
        self.flow_active = True
        self.suspend_flow = asyncio.Event()
        self.can_resume_flow = asyncio.Event()
        self.signal_recovery_start = asyncio.Event()
        self._begun = NEVER
        self.handed_over: dict[tuple[str, int], int] = {}
        self.crash_reason: BaseException | None = None
        self._active: set[TopicPartition] = set()
        self._clock = clock
        self._stop = stop
        self._batches: asyncio.Queue[Batch] = asyncio.Queue(BATCHES_WAITING)
        self._kafka = SimulatedConsumer(
            group_id=GROUP,
            isolation_level="read_committed",
            session_timeout_ms=SESSION_MS,
            heartbeat_interval_ms=SESSION_MS // 5,
        )
        self._kafka.subscribe([topics.EVENTS], listener=self)

    def __getattr__(self, name: str) -> Any:
        borrowed = vars(LaneConsumer).get(name)
        if not callable(borrowed):
            raise AttributeError(name)
        return MethodType(borrowed, self)

    async def run(self) -> None:
        """As streams.worker.run_app: until told to stop, or until a side task ends."""
        marks = MarkWriter("", topics.EVENTS, 1_000, self.lanes, self._clock, self.caught_up)
        faust = [
            asyncio.create_task(self._drain_messages(self)),
            asyncio.create_task(fold_batches(self.lanes, self)),
            asyncio.create_task(_restart_recovery.fun(self)),
        ]
        for task in faust:
            task.add_done_callback(self._note_crash)
        await self._kafka.start()
        side = [
            asyncio.create_task(marks.run()),
            asyncio.create_task(self._report()),
            asyncio.create_task(Watchdog(self.lanes, self.caught_up).run()),
        ]
        stopping = asyncio.create_task(self._stop.wait())
        done, _ = await asyncio.wait([stopping, *side], return_when=asyncio.FIRST_COMPLETED)
        if stopping not in done:
            failed = next(iter(done))
            error = None if failed.cancelled() else failed.exception()
            lanes.end_process("worker: a side task ended", error)
        for task in side:
            task.cancel()
        await asyncio.gather(*side, return_exceptions=True)
        await self.lanes.close()
        self.should_stop = True
        for task in faust:
            task.cancel()
        await asyncio.gather(*faust, return_exceptions=True)
        await self.lanes.close()
        await self._kafka.stop()

    def _note_crash(self, task: "asyncio.Task[None]") -> None:
        # As mode does: an exception crashes the app, a cancelled task only ends.
        if not task.cancelled():
            self.crash_reason = self.crash_reason or task.exception()

    async def _report(self) -> None:
        while True:
            if self.crash_reason is not None:
                lanes.end_process("the Faust app crashed", self.crash_reason)
            await asyncio.sleep(EVERY_S)

    async def on_partitions_revoked(self, revoked: Any) -> None:
        """As Faust's app: stop the flow, forget what waits, and let the product commit."""
        self._active.clear()
        try:
            if self.assignment():
                self.flow_active = False
                self.can_resume_flow.clear()
                self.suspend_flow.set()
                while not self._batches.empty():
                    self._batches.get_nowait()
            await self.lanes.flush()
        except Exception as error:
            self.crash_reason = error

    async def on_partitions_assigned(self, assigned: Any) -> None:
        """As Faust's driver and tables: the generation is known, recovery may start."""
        self._active.clear()
        self.consumer_generation_id = self._generation_id = self._kafka.generation
        self.signal_recovery_start.set()

    async def _resume_streams(self, generation_id: int) -> None:
        if self.consumer_generation_id != generation_id:
            return
        assignment = self.assignment()
        if assignment:
            self._active = set(assignment)
            await self._unless_rebalanced(self.perform_seek())
        self.flow_active = True
        self.can_resume_flow.set()
        self.suspend_flow.clear()

    async def _unless_rebalanced(self, coroutine: Any) -> None:
        waited = asyncio.create_task(coroutine)
        again = asyncio.create_task(self.signal_recovery_start.wait())
        await asyncio.wait([waited, again], return_when=asyncio.FIRST_COMPLETED)
        over = again.done()
        for task in (waited, again):
            task.cancel()
        if over:
            raise RebalanceAgain
        waited.result()

    async def perform_seek(self) -> None:
        """Seek every partition to what the group has committed."""
        for tp in sorted(self.assignment()):
            offset = await self._kafka.committed(tp)
            if tp in self.assignment():
                self._kafka.seek(tp, offset or 0)

    async def seek(self, tp: TopicPartition, offset: int) -> None:
        """Go on at this offset; as the client, only where the partition is assigned."""
        if tp not in self.assignment():
            raise IllegalStateError(f"{tp} is not assigned")
        self._kafka.seek(tp, offset)

    async def wait(self, event: asyncio.Event) -> None:
        await event.wait()

    async def wait_for_stopped(self, event: asyncio.Event) -> bool:
        await event.wait()
        return self.should_stop

    async def _wait_next_records(self, timeout: float) -> Any:
        if not self.flow_active:
            await self.can_resume_flow.wait()
        active = set(self._active)
        if not active:
            await asyncio.sleep(EVERY_S)
            return {}, active
        records = await self._kafka.getmany(*sorted(active), timeout_ms=int(timeout * 1_000))
        return records, active

    async def callback(self, message: Any) -> None:
        """Hand a batch to the agent's stream, which may be full or suspended."""
        while not self.flow_active:
            await self.can_resume_flow.wait()
        await self._batches.put(message.value)

    async def wait_first(self, *coroutines: Any) -> None:
        tasks = [asyncio.create_task(one) for one in coroutines]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()

    def __aiter__(self) -> "Worker":
        return self

    async def __anext__(self) -> Batch:
        return await self._batches.get()

    def assignment(self) -> set[TopicPartition]:
        return self._kafka.assignment()

    def highwater(self, tp: TopicPartition) -> int | None:
        return self._kafka.highwater(tp)

    async def position(self, tp: TopicPartition) -> int | None:
        return await self._kafka.position(tp)
