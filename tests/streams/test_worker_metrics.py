"""A worker's numbers: what they say when something is folded, behind, left out; and who may ask."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp import ClientSession
from faust.types import TP
from prometheus_client.parser import text_string_to_metric_families

from models.clock import LogClock
from models.events import ClockMark
from streams.lanes import Lane, Lanes
from streams.measures import Distribution
from streams.partition import LanePartition
from streams.servers.ports import free_port
from streams.settings import Settings
from streams.worker_metrics import WorkerMetrics
from tests.builders import START_MS, customer_fold, named, records_of, viewed
from tests.real.rig import Log, Role, until
from tests.streams.test_watchdog import spec

PLACE = ("events", 0)
Read = dict[tuple[str, str], float]


class Landed(LanePartition):
    """A partition whose transactions succeed, or fail when the test says so."""

    fails = False

    async def _send(self, interval: Any, offset: int) -> None:
        if self.fails:
            raise ConnectionError


class Consumer:
    """What the broker has and what was fetched, as the test says."""

    def __init__(self) -> None:
        self.end = self.fetched = 0
        self.handed_over: dict[tuple[str, int], int] = {}

    def assignment(self) -> set[TP]:
        return {TP(*PLACE)}

    def highwater(self, tp: TP) -> int:
        return self.end

    async def position(self, tp: TP) -> int:
        return self.fetched


class Desk:
    """A worker's metrics over one partition in memory."""

    def __init__(self) -> None:
        lane = Lane(spec(), lambda number: customer_fold())
        self.lanes = Lanes([lane])
        self.partition = Landed(lane.spec, 0, customer_fold())
        self.lanes.open[PLACE] = self.partition
        self.consumer = Consumer()
        self.clock = SimpleNamespace(
            current=True, clock=LogClock(), now_ms=lambda: START_MS + 2_500
        )
        self.metrics = WorkerMetrics(
            self.lanes,
            lane.spec.measures,
            self.consumer,  # type: ignore[arg-type]
            self.clock,  # type: ignore[arg-type]
        )

    async def fold(self, events: list[Any]) -> None:
        records = records_of(events, self.partition.next_offset)
        self.consumer.handed_over[PLACE] = records[-1].offset + 1
        await self.partition.take(records)
        await self.partition.flush()

    async def read(self) -> Read:
        return read(await self.metrics.page())


def read(page: bytes) -> Read:
    """Every sample by its name (without prefix) and its label's value, the topic left aside."""
    return {
        (
            sample.name.removeprefix("huitou_worker_"),
            "".join(text for name, text in sample.labels.items() if name != "topic"),
        ): sample.value
        for family in text_string_to_metric_families(page.decode())
        for sample in family.samples
    }


@pytest.fixture
def desk() -> Desk:
    return Desk()


async def test_batches_transactions_and_rows_are_counted(desk: Desk) -> None:
    await desk.fold([viewed(customer=named(str(n))) for n in range(7)])
    await desk.fold([viewed(customer=named(str(n))) for n in range(3)])
    found = await desk.read()
    assert found["records_total", ""] == 10
    assert (found["batch_records_count", ""], found["batch_records_sum", ""]) == (2, 10)
    assert found["batch_records_bucket", "5.0"] == 1
    assert found["batch_records_bucket", "10.0"] == found["batch_records_bucket", "+Inf"] == 2
    assert found["transactions_total", "committed"] == found["commit_seconds_count", ""] == 2
    assert found["rows_total", ""] == 10 + 2, "the partition's own among them"
    assert found["customers", "0"] == 7
    stages = {label for name, label in found if name == "stage_seconds_total"}
    assert stages == {"prepare", "fold", "seal"}
    assert found["stage_seconds_total", "fold"] > 0


async def test_a_transaction_that_fails_is_counted(desk: Desk) -> None:
    desk.partition.fails = True
    with pytest.raises(ConnectionError):
        await desk.fold([viewed()])
    found = await desk.read()
    assert (found["transactions_total", "failed"], found["transactions_total", "committed"]) == (
        1,
        0,
    )


def test_a_value_on_a_bound_belongs_under_it_and_one_above_all_is_not_lost() -> None:
    seconds = Distribution((0.1, 1.0))
    for value in (0.1, 0.2, 1.0, 7.0):
        seconds.note(value)
    assert (seconds.counts, seconds.total) == ([1, 2, 1], 8.3)


async def test_what_is_left_out_is_counted(desk: Desk) -> None:
    records = records_of([viewed(), viewed()])
    broken = SimpleNamespace(offset=2, value=b"\xff", key=None, timestamp=0, partition=0)
    await desk.partition.take([*records, broken])
    assert (await desk.read())["left_out_total", ""] == 1


@pytest.mark.parametrize(
    ("folded", "handed_over", "fetched", "end", "lag"),
    [
        (5, 5, 5, 5, 0),
        (5, 5, 7, 7, 0),  # the last two are commit markers
        (5, 9, 9, 9, 4),
        (5, 5, 5, 50, 45),
        (0, 0, 3, 9, 6),  # nothing folded since the partition was opened at 3
    ],
)
async def test_lag_is_what_the_broker_has_and_the_fold_has_not(
    desk: Desk, folded: int, handed_over: int, fetched: int, end: int, lag: int
) -> None:
    desk.partition.next_offset = folded
    desk.consumer.handed_over[PLACE] = handed_over
    desk.consumer.fetched, desk.consumer.end = fetched, end
    assert (await desk.read())["lag_records", "0"] == lag


@pytest.mark.parametrize(("mode", "delay"), [("wall", 2.5), ("replay", None), ("unset", None)])
async def test_a_mark_can_be_late_only_while_the_log_runs_with_the_wall(
    desk: Desk, mode: str, delay: float | None
) -> None:
    desk.clock.clock = LogClock(mode=mode)
    await desk.fold([ClockMark(at_ms=START_MS)])
    assert (await desk.read()).get(("mark_delay_seconds", "0")) == delay


async def test_what_a_partition_given_away_did_stays_counted(desk: Desk) -> None:
    await desk.fold([viewed()])
    desk.lanes.open.clear()
    found = await desk.read()
    assert found["records_total", ""] == 1
    assert ("lag_records", "0") not in found


async def test_only_this_machines_names_are_answered(desk: Desk) -> None:
    port = free_port()
    serving = asyncio.create_task(desk.metrics.serve(port))
    url = f"http://127.0.0.1:{port}/metrics"
    async with ClientSession() as session, asyncio.timeout(10):
        while True:
            try:
                answer = await session.get(url)
                break
            except OSError:
                await asyncio.sleep(0.01)
        assert answer.status == 200
        assert b"huitou_worker_ready" in await answer.read()
        evil = await session.get(url, headers={"Host": "evil.example"})
        assert evil.status == 403
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)


@pytest.mark.real
async def test_a_worker_tells_its_numbers_where_a_port_is_set(settings: Settings) -> None:
    port = free_port()
    told: Read = {}
    async with Log(settings) as log, ClientSession() as session:
        worker = Role(settings, "worker", variables={"HUITOU_METRICS_PORT": str(port)})
        try:
            await log.write([viewed(customer=named(str(n))) for n in range(50)])

            async def all_folded() -> bool:
                try:
                    async with session.get(f"http://127.0.0.1:{port}/metrics") as answer:
                        told.update(read(await answer.read()))
                except OSError:
                    return False
                # A batch is counted before its commit.
                ages = told.get(("event_age_seconds_count", ""), 0)
                return told.get(("records_total", "")) == 50 and ages > 0

            await until(all_folded, "the numbers of 50 records")
        finally:
            worker.kill()
    assert told["ready", ""] == 1
    assert told["lag_records", "0"] == told["lag_records", "1"] == 0
    assert told["customers", "0"] + told["customers", "1"] == 50
    assert told["recovery_seconds_count", ""] == settings.partitions
    assert told["event_age_seconds_bucket", "60.0"] == told["event_age_seconds_count", ""]
    assert {label for name, label in told if name == "stage_seconds_total"} == {
        "prepare",
        "fold",
        "seal",
        "send",
        "commit",
    }
