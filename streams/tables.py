"""Faust's table manager and recovery, replaced: state is recovered per partition, read committed.

Faust's own recovery waits for ever on a transactional changelog, for each commit marker counts as a
record still to come (decision 5). Ours runs in its place, at the same moments.
"""

import asyncio
from typing import Any

from faust.tables.manager import TableManager
from faust.tables.recovery import RebalanceAgain, Recovery, ServiceStopped

from streams.exit import end_process
from streams.lanes import Lanes


class LaneRecovery(Recovery):
    """Opens the lanes' partitions, then lets the streams flow."""

    lanes: Lanes

    @Recovery.task
    async def _restart_recovery(self) -> None:
        while not self.should_stop:
            if await self.wait_for_stopped(self.signal_recovery_start):  # type: ignore[arg-type]
                return
            self.signal_recovery_start.clear()
            generation = self._generation_id
            try:
                # Not raced against the next rebalance: opening is short, and half-opened
                # partitions would be worse than a late answer.
                await self.lanes.assign(
                    {(tp.topic, tp.partition) for tp in self.app.consumer.assignment()}, generation
                )
                await self._resume_streams(generation_id=generation)
            except (ServiceStopped, RebalanceAgain):
                continue
            except asyncio.CancelledError as error:
                task = asyncio.current_task()
                if task is not None and task.cancelling():
                    raise
                # aiokafka cancels what waits for a connection it drops; Faust would take it for
                # our own end, and nothing would ever be folded again.
                end_process("recovery was cut off", error)
            except Exception as error:
                end_process("recovery failed", error)


class LaneTableManager(TableManager):
    """Holds the lanes where Faust holds its tables."""

    def with_lanes(self, lanes: Lanes) -> None:
        """Give the lanes to recovery; must come before the start."""
        recovery = LaneRecovery(self.app, self, beacon=self.beacon, loop=self.loop)
        recovery.lanes = lanes
        self._recovery = recovery
        self._lanes = lanes

    async def on_stop(self) -> None:
        """Commit what is folded before the consumer goes."""
        await self._lanes.close()
        await super().on_stop()

    def persist_offset_on_commit(self, *arguments: Any) -> None:
        """Offsets are in the transactions."""
