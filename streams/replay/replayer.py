"""Plays a history into the log: its events, a mark every hour of its own time, day after day.

Day d+1 is held back until the mark that ends day d is folded and, on days on which a model may be
adopted, until the learner has considered it (decision 22). So a history gives the same decisions
however fast it is played, and by however many workers.
"""

import asyncio
import contextlib
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec

from models.clock import DAY_MS, HOUR_MS, LogClock, day_of
from models.events import ClockMark, encode
from streams.replay.contract import Contract
from streams.replay.history import BadHistory, History, hour_at_or_before
from streams.replay.history_log import HistoryLog, Record
from streams.replay.progress import DONE, RUNNING, ReplayProgress
from streams.replay.slices import Slice, slices_of

EVENTS_AT_ONCE = 5_000
SMOOTH_S = 0.1

Watcher = Callable[[ReplayProgress], None]


class HistoryRefused(BadHistory):
    """The log can't take this history now; the text says why and what to do."""


class Stopped(Exception):
    """Not an error: the replay was asked to stop and can go on later."""


class Chunk(NamedTuple):
    """What one transaction takes, and how far it leads."""

    records: dict[int, list[Record]]
    letters: list[bytes]
    events: int
    forgotten: int
    taken: int
    mark_ms: int


class Replayer:
    """Plays one history; after a broken log `play` may be called again with a new one.

    `speed` is log days per second, None: as fast as it goes. `goes_live` False leaves the log's
    clock at the history's end instead of letting it run on with the wall's. `formerly` gives what
    older releases played in its place: a log that was begun with one goes on with it.
    """

    def __init__(
        self,
        history: History,
        contract: Contract,
        *,
        adopt_every_days: int,
        speed: float | None = None,
        goes_live: bool = True,
        watch: Watcher = lambda _: None,
        formerly: Callable[[], Iterable[History]] = tuple,
    ) -> None:
        self._history = history
        self._formerly = formerly
        self._contract = contract
        self._adopt_every_days = adopt_every_days
        self._speed = speed
        self._goes_live = goes_live
        self._watch = watch
        self._stop = asyncio.Event()
        self._begins_ms = hour_at_or_before(history.first_ms)
        self._ends_ms = hour_at_or_before(history.last_ms) + HOUR_MS

    def stop(self) -> None:
        """Stop after the transaction under way; `play` then raises Stopped."""
        self._stop.set()

    async def rest(self, seconds: float) -> None:
        """Wait a while before the next `play`; raises Stopped as soon as it is asked to stop."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stop.wait(), seconds)
            raise Stopped

    async def play(self, log: HistoryLog) -> ReplayProgress:
        """Play what of the history is not in the log yet.

        HistoryRefused when the log cannot take it, Stopped after `stop`, KafkaError or
        TimeoutError when the broker is away: what was committed stays, a new log goes on from it.
        """
        progress = await self._begin(log)
        if self._stop.is_set():
            raise Stopped
        if not progress.is_done:
            progress = await self._play(log, progress)
        clock = log.clock
        if self._goes_live and clock is not None and clock.mode == "replay":
            await self._go_live(log, progress)
        return progress

    async def _begin(self, log: HistoryLog) -> ReplayProgress:
        last = log.progress
        if last is not None and last.source != self._history.name:
            begun = (one for one in self._formerly() if one.name == last.source)
            self._history = next(begun, self._history)
        if last is not None and last.source == self._history.name:
            return last
        if last is not None and not last.is_done:
            raise HistoryRefused(
                f"{last.source} is still being replayed ({last.progress:.0%} of it): "
                "let it end first, by the command that began it"
            )
        await self._require_later(log)
        return ReplayProgress(source=self._history.name)

    async def _require_later(self, log: HistoryLog) -> None:
        clock = log.clock
        if clock is None and await log.is_empty():
            return
        now_ms = (clock or LogClock()).now_ms(_wall_ms())
        if self._begins_ms <= now_ms:
            raise HistoryRefused(
                f"{self._history.name} begins at {_spoken(self._begins_ms)}, but this log's own "
                f"time is {_spoken(now_ms)} already, and time never goes backwards: give the "
                "history an installation of its own with another --data-dir"
            )

    async def _play(self, log: HistoryLog, progress: ReplayProgress) -> ReplayProgress:
        chunks = self._chunks(progress)
        pace = Pace(self._speed, progress.until_ms or self._begins_ms, self._stop)
        coming = _prepared(chunks)
        try:
            while (chunk := await coming) is not None:
                coming = _prepared(chunks)
                await self._hold_back(log, progress)
                await pace.keep(chunk.mark_ms)
                if self._stop.is_set():
                    raise Stopped
                progress = await self._write(log, chunk, progress)
                self._watch(progress)
        finally:
            # The thread that prepares the next chunk must not outlive this.
            await asyncio.wait([coming])
        return progress

    def _chunks(self, progress: ReplayProgress) -> Iterator[Chunk]:
        """Cut the rest of the history into transactions, none across the end of a day."""
        taken, mark_ms = progress.taken, progress.until_ms
        began_ms = mark_ms or self._begins_ms
        smooth_ms = _smooth_ms(self._speed)
        chunk = OpenChunk(self._contract)
        for part in slices_of(self._history, taken, mark_ms):
            chunk.add(part)
            taken += len(part.arrivals)
            mark_ms = part.mark_ms or mark_ms
            is_due = part.mark_ms and (not mark_ms % DAY_MS or mark_ms - began_ms >= smooth_ms)
            if is_due or chunk.events >= EVENTS_AT_ONCE or mark_ms >= self._ends_ms:
                yield chunk.close(taken, mark_ms)
                chunk = OpenChunk(self._contract)
                began_ms = mark_ms

    async def _hold_back(self, log: HistoryLog, progress: ReplayProgress) -> None:
        if not self._is_held_back(progress):
            return
        await log.await_folded(progress.offsets, self._stop.is_set)
        ended = day_of(progress.until_ms) - 1
        if not ended % self._adopt_every_days:
            await log.await_considered(ended, self._stop.is_set)

    async def _write(
        self, log: HistoryLog, chunk: Chunk, progress: ReplayProgress
    ) -> ReplayProgress:
        whole_ms = self._ends_ms - self._begins_ms
        reached = msgspec.structs.replace(
            progress,
            state=DONE if chunk.mark_ms >= self._ends_ms else RUNNING,
            progress=min(1.0, (chunk.mark_ms - self._begins_ms) / whole_ms),
            events=progress.events + chunk.events,
            rejected=progress.rejected + len(chunk.letters),
            forgotten=progress.forgotten + chunk.forgotten,
            taken=chunk.taken,
            until_ms=chunk.mark_ms,
        )
        clock = LogClock(mode="replay", at_ms=chunk.mark_ms)
        # What the day that ended had to say of coupons stands in their log: it was folded.
        ended_ms = progress.until_ms if self._is_held_back(progress) else None
        return await log.write(chunk.records, chunk.letters, reached, clock, coupons_ms=ended_ms)

    def _is_held_back(self, progress: ReplayProgress) -> bool:
        """Whether what comes next waited for a day that had ended."""
        return progress.until_ms > self._begins_ms and not progress.until_ms % DAY_MS

    async def _go_live(self, log: HistoryLog, progress: ReplayProgress) -> None:
        at_ms = progress.until_ms + 1
        clock = LogClock(mode="wall", wall_offset_ms=at_ms - _wall_ms(), at_ms=at_ms)
        mark = Record(None, encode(ClockMark(at_ms, clock.wall_offset_ms)))
        records = {partition: [mark] for partition in self._contract.partitions}
        await log.write(records, [], progress, clock)


class OpenChunk:
    """A transaction's content while it is put together."""

    def __init__(self, contract: Contract) -> None:
        self._contract = contract
        self._records: dict[int, list[Record]] = defaultdict(list)
        self._letters: list[bytes] = []
        self._forgotten = 0
        self.events = 0

    def add(self, part: Slice) -> None:
        """Put a slice's events and its mark behind what is there."""
        taken = self._contract.take(part.arrivals)
        for partition, record in taken.events:
            self._records[partition].append(record)
        self._letters.extend(taken.letters)
        self.events += len(taken.events)
        self._forgotten += taken.forgotten
        if part.mark_ms:
            mark = Record(None, encode(ClockMark(part.mark_ms)))
            for partition in self._contract.partitions:
                self._records[partition].append(mark)

    def close(self, taken: int, mark_ms: int) -> Chunk:
        """Give what is there."""
        return Chunk(
            dict(self._records), self._letters, self.events, self._forgotten, taken, mark_ms
        )


class Pace:
    """Lets so many log days pass a second; a replay that is late does not hurry afterwards."""

    def __init__(self, speed: float | None, from_ms: int, stop: asyncio.Event) -> None:
        self._speed = speed
        self._from_ms = from_ms
        self._stop = stop
        self._since = time.monotonic()

    async def keep(self, at_ms: int) -> None:
        """Wait until it is time for `at_ms`, or for the end."""
        if self._speed is None:
            return
        due = self._since + (at_ms - self._from_ms) / DAY_MS / self._speed
        early_s = due - time.monotonic()
        self._from_ms, self._since = at_ms, max(due, time.monotonic())
        if early_s > 0:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), early_s)


def _prepared(chunks: Iterator[Chunk]) -> "asyncio.Task[Chunk | None]":
    """Prepare the next chunk in a thread, while the last one is on its way."""
    return asyncio.create_task(asyncio.to_thread(next, chunks, None))


def _smooth_ms(speed: float | None) -> int:
    """Log time a transaction spans at the most, so that a slow replay flows."""
    return DAY_MS if speed is None else max(HOUR_MS, int(speed * SMOOTH_S * DAY_MS))


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000


def _spoken(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(sep=" ", timespec="minutes")
