import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from models.clock import DAY_MS, HOUR_MS, LogClock
from models.events import ClockMark, decode
from sinks.keys import SqliteKeyStore
from streams.replay import replayer as replayer_module
from streams.replay.contract import Contract
from streams.replay.history import Arrival, BadRow
from streams.replay.history_log import Record
from streams.replay.progress import ReplayProgress
from streams.replay.replayer import HistoryRefused, Pace, Replayer, Stopped

START_MS = 1_500_000_000_000 // DAY_MS * DAY_MS + 20 * HOUR_MS


class Visits:
    """One visit every 20 minutes."""

    name = "visits"

    def __init__(self, hours: int) -> None:
        self.times_ms = [START_MS + 1 + n * HOUR_MS // 3 for n in range(3 * hours)]
        self.first_ms, self.last_ms = self.times_ms[0], self.times_ms[-1]

    def arrivals(self) -> Iterator[Arrival | BadRow]:
        for number, at_ms in enumerate(self.times_ms):
            body = {"type": "page", "messageId": str(number), "anonymousId": f"d{number % 7}"}
            yield Arrival(at_ms, body)


class NotedLog:
    """Stands in for HistoryLog: notes what is asked of it, in order."""

    def __init__(self, progress: ReplayProgress | None = None, clock: LogClock | None = None):
        self.progress = progress
        self.clock = clock
        self.empty = True
        self.notes: list[str] = []
        self.marks: list[list[int]] = []
        self.events: list[int] = []
        self.coupon_marks: list[int | None] = []

    async def is_empty(self) -> bool:
        return self.empty

    async def write(
        self,
        records: dict[int, list[Record]],
        letters: Sequence[bytes],
        progress: ReplayProgress,
        clock: LogClock,
        *,
        coupons_ms: int | None = None,
    ) -> ReplayProgress:
        decoded = [decode(record.value) for record in records.get(0, [])]
        self.marks.append([one.at_ms for one in decoded if isinstance(one, ClockMark)])
        self.events.append(progress.events - (self.progress.events if self.progress else 0))
        self.coupon_marks.append(coupons_ms)
        self.notes.append(f"write {clock.mode}")
        self.progress, self.clock = progress, clock
        return progress

    async def await_folded(self, offsets: Sequence[int], is_over: Callable[[], bool]) -> None:
        self.notes.append("folded")

    async def await_considered(self, day: int, is_over: Callable[[], bool]) -> None:
        self.notes.append(f"considered {day - START_MS // DAY_MS}")


@pytest.fixture
def contract(tmp_path: Path) -> Iterator[Contract]:
    store = SqliteKeyStore(tmp_path / "keys", b"m" * 32)
    yield Contract(token_key=b"k" * 32, store=store, partitions=2, source="s", currency="EUR")
    store.close()


def replayer(
    contract: Contract, hours: int = 54, *, speed: float | None = None, adopt_every_days: int = 1
) -> Replayer:
    return Replayer(
        Visits(hours), contract, adopt_every_days=adopt_every_days, speed=speed, goes_live=False
    )


async def test_a_day_is_one_transaction_and_waits_for_the_one_before(contract: Contract) -> None:
    log = NotedLog()
    progress = await replayer(contract).play(log)  # type: ignore[arg-type]
    assert log.notes == [
        "write replay",
        "folded",
        "considered 0",
        "write replay",
        "folded",
        "considered 1",
        "write replay",
        "folded",
        "considered 2",
        "write replay",
    ]
    assert [len(marks) for marks in log.marks] == [5, 24, 24, 2]
    assert sum(log.marks, []) == [START_MS + n * HOUR_MS for n in range(55)]  # noqa: RUF017
    assert (progress.events, progress.taken, progress.state) == (162, 162, "done")
    assert progress.until_ms == START_MS + 54 * HOUR_MS
    assert log.clock == LogClock(mode="replay", at_ms=progress.until_ms)


async def test_coupons_are_told_of_a_day_once_it_is_folded(contract: Contract) -> None:
    log = NotedLog()
    await replayer(contract).play(log)  # type: ignore[arg-type]
    midnight_ms = START_MS + 4 * HOUR_MS
    assert log.coupon_marks == [None, *(midnight_ms + n * DAY_MS for n in range(3))]


async def test_the_learner_is_asked_on_its_days_only(contract: Contract) -> None:
    log = NotedLog()
    day = START_MS // DAY_MS
    await replayer(contract, adopt_every_days=2).play(log)  # type: ignore[arg-type]
    asked = [note for note in log.notes if note.startswith("considered")]
    assert asked == [f"considered {n}" for n in (0, 1, 2) if (day + n) % 2 == 0]


async def test_a_slow_replay_writes_little_at_a_time_with_marks_at_the_same_places(
    contract: Contract, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def no_wait(_pace: Pace, _at_ms: int) -> None:
        return

    monkeypatch.setattr(Pace, "keep", no_wait)
    log = NotedLog()
    await replayer(contract, speed=1.0).play(log)  # type: ignore[arg-type]
    assert max(len(marks) for marks in log.marks) <= 4
    assert sum(log.marks, []) == [START_MS + n * HOUR_MS for n in range(55)]  # noqa: RUF017


async def test_much_at_once_is_cut_into_several_transactions(
    contract: Contract, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replayer_module, "EVENTS_AT_ONCE", 10)
    log = NotedLog()
    await replayer(contract, hours=10).play(log)  # type: ignore[arg-type]
    assert max(log.events) <= 12
    assert sum(log.events) == 30


async def test_what_is_in_the_log_is_not_written_again(contract: Contract) -> None:
    whole = NotedLog()
    await replayer(contract).play(whole)  # type: ignore[arg-type]
    assert whole.progress is not None
    again = NotedLog(whole.progress, whole.clock)
    await replayer(contract).play(again)  # type: ignore[arg-type]
    assert again.notes == []


async def test_after_the_end_the_clock_runs_on_from_the_last_mark(contract: Contract) -> None:
    log = NotedLog()
    live = Replayer(Visits(2), contract, adopt_every_days=1)
    progress = await live.play(log)  # type: ignore[arg-type]
    assert log.clock is not None
    assert log.notes == ["write replay", "write wall"]
    assert log.marks[-1] == [progress.until_ms + 1]
    now_ms = log.clock.now_ms(time.time_ns() // 1_000_000)
    assert 0 < now_ms - progress.until_ms < 60_000


@pytest.mark.parametrize(
    ("progress", "clock", "said"),
    [
        (ReplayProgress(source="other", progress=0.4), None, "other is still .*40% of it"),
        (None, LogClock("replay", at_ms=START_MS), "time is 2017-07-14 20:00\\+00:00 already"),
        (None, LogClock("wall"), "visits begins at 2017-07-14 20:00.*--data-dir"),
        (None, None, "time never goes backwards"),
        (None, LogClock("unset"), "time never goes backwards"),
    ],
)
async def test_a_log_that_is_past_that_time_refuses_the_history(
    contract: Contract,
    progress: ReplayProgress | None,
    clock: LogClock | None,
    said: str,
) -> None:
    log = NotedLog(progress, clock)
    log.empty = False
    with pytest.raises(HistoryRefused, match=said):
        await replayer(contract).play(log)  # type: ignore[arg-type]
    assert log.notes == []


async def test_a_later_history_goes_behind_a_finished_one(contract: Contract) -> None:
    done = ReplayProgress(source="other", state="done", progress=1.0)
    log = NotedLog(done, LogClock("replay", at_ms=START_MS - 1))
    progress = await replayer(contract, hours=3).play(log)  # type: ignore[arg-type]
    assert (progress.source, progress.events) == ("visits", 9)


async def test_a_log_that_an_older_release_began_goes_on_with_what_it_began(
    contract: Contract,
) -> None:
    begun = ReplayProgress(
        source="visits", progress=0.5, taken=3, until_ms=START_MS + HOUR_MS, events=3
    )
    log = NotedLog(begun, LogClock("replay", at_ms=START_MS + HOUR_MS))
    now = Visits(3)
    now.name = "visits:more"
    older = Visits(2)
    older.name = "visits:older"
    player = Replayer(now, contract, adopt_every_days=7, formerly=lambda: (older, Visits(3)))
    progress = await player.play(log)  # type: ignore[arg-type]
    assert (progress.source, progress.events, progress.state) == ("visits", 9, "done")


async def test_a_stopped_replay_writes_nothing_more(contract: Contract) -> None:
    log = NotedLog()
    stopped = replayer(contract)
    stopped.stop()
    with pytest.raises(Stopped):
        await stopped.play(log)  # type: ignore[arg-type]
    assert log.notes == []


async def test_the_pace_is_kept_and_what_was_lost_is_not_hurried_after() -> None:
    pace = Pace(speed=10.0, from_ms=0, stop=asyncio.Event())
    began = time.monotonic()
    await pace.keep(DAY_MS)
    assert 0.09 < time.monotonic() - began < 0.5
    late = Pace(speed=1_000.0, from_ms=0, stop=asyncio.Event())
    late._since -= 10.0
    await late.keep(DAY_MS)
    began = time.monotonic()
    await late.keep(DAY_MS + 100 * DAY_MS)
    assert 0.09 < time.monotonic() - began < 0.5


async def test_a_stop_ends_every_wait() -> None:
    stop = asyncio.Event()
    stop.set()
    began = time.monotonic()
    await Pace(speed=0.001, from_ms=0, stop=stop).keep(DAY_MS)
    assert time.monotonic() - began < 1.0


async def test_a_stop_ends_the_rest_before_the_next_try(contract: Contract) -> None:
    stopped = replayer(contract)
    await stopped.rest(0.01)
    stopped.stop()
    with pytest.raises(Stopped):
        await stopped.rest(60.0)
