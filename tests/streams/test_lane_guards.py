"""Faust's defects that stay reachable under the lane, each held off by a guard.

Numbers are those of the list in ARCHITECTURE.md. Each test states the guard; where taking the
guard away is one line, the test takes it away and shows that the fault is then real.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from faust.types import TP

from models.events import ClockMark, Event, Line, ProductViewed, decode
from models.tokens import partition_of, token_of
from streams import lanes as lanes_module
from streams import partition as partition_module
from streams import topics
from streams.app import build_app
from streams.customer_fold import CustomerFold
from streams.lane import Batch
from streams.lanes import Lane, Lanes, fold_batches
from streams.marks import MarkWriter
from streams.partition import LanePartition, LaneSpec
from streams.settings import Settings
from tests.builders import order
from tests.real.rig import Log, until

pytestmark = pytest.mark.real

BASE_MS = 1_700_000_000_000
DAY_MS = 86_400_000


def looks(count: int, first: int = 0) -> list[Event]:
    return [
        ProductViewed(
            id=f"v{number}",
            customer=token_of(b"k" * 32, "customer", f"c{number % 40}"),
            occurred_at_ms=BASE_MS + number,
            received_at_ms=BASE_MS + number,
            line=Line("sku"),
        )
        for number in range(first, first + count)
    ]


def spec_of(settings: Settings) -> LaneSpec:
    return LaneSpec(
        bootstrap=settings.kafka_bootstrap,
        group=settings.named("worker"),
        source=settings.named(topics.EVENTS),
        changelog=settings.named(topics.CUSTOMERS),
        transactional_prefix=settings.named("customers"),
        commit_interval_ms=20,
    )


def fold_of(settings: Settings) -> Callable[[int], CustomerFold]:
    async def load(model: str, version: int) -> None:
        return None

    return lambda partition: CustomerFold(
        partition=partition,
        partitions=settings.partitions,
        incarnation=1,
        topic_of=settings.named,
        load_snapshot=load,
        seal_raw=lambda raw: "sealed",
        coupon_key=bytes(32),
    )


def lanes_of(settings: Settings) -> Lanes:
    return Lanes([Lane(spec_of(settings), fold_of(settings))])


@asynccontextmanager
async def worker_of(settings: Settings) -> AsyncIterator[tuple[Any, Lanes]]:
    """A worker's app within the test's own loop."""
    lanes = lanes_of(settings)
    app = build_app(settings, "worker", lanes)
    await app.start()
    try:
        yield app, lanes
    finally:
        await lanes.close()
        await app.stop()


@pytest.fixture
def ended(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Reasons for which the process would have ended."""
    reasons: list[str] = []

    def end(reason: str, error: BaseException | None = None) -> None:
        reasons.append(f"{reason}: {error!r}")

    monkeypatch.setattr(lanes_module, "end_process", end)
    monkeypatch.setattr(partition_module, "end_process", end)
    return reasons


async def committed(settings: Settings) -> dict[int, int]:
    """The group's offsets, by partition."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=settings.kafka_bootstrap, group_id=settings.named("worker")
    )
    consumer._isolation_level = "read_committed"
    async with consumer:
        topic = settings.named(topics.EVENTS)
        places = [TopicPartition(topic, number) for number in range(settings.partitions)]
        consumer.assign(places)
        return {place.partition: await consumer.committed(place) or 0 for place in places}


async def test_defect_2_an_exception_in_the_fold_ends_the_process_and_commits_nothing(
    settings: Settings, ended: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(self: LanePartition, records: list[Any], **_: Any) -> None:
        raise ConnectionError("the snapshots cannot be read")

    monkeypatch.setattr(LanePartition, "take", broken)
    async with Log(settings) as log:
        async with worker_of(settings):
            await log.write(looks(10))
            await until(lambda: _truth(bool(ended)), "the process to end")
        assert await committed(settings) == dict.fromkeys(range(settings.partitions), 0)
    assert "the snapshots cannot be read" in ended[0]


async def _truth(value: bool) -> bool:
    return value


def rebalance_during_fetches(
    consumer: Any, lanes: Lanes, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    """Let the first fetches that bring records be overtaken by an assignment each."""
    fetch = consumer._wait_next_records
    left = iter(range(times))

    async def fetch_over_a_rebalance(timeout_s: float) -> Any:
        found = await fetch(timeout_s)
        if found[0] and next(left, None) is not None:
            await lanes.assign(set(lanes.open), lanes.generation + 1)
        return found

    monkeypatch.setattr(consumer, "_wait_next_records", fetch_over_a_rebalance)


async def test_what_is_fetched_over_a_rebalance_is_fetched_again(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Log(settings) as log, worker_of(settings) as (app, lanes):
        await until(lambda: _truth(lanes.ready.is_set()), "an assignment")
        rebalance_during_fetches(app.consumer, lanes, monkeypatch, 3)
        for first in range(0, 400, 100):
            await log.write(looks(100, first))
        await until(lambda: _folds(log, 400), "every event to be folded")


async def _folds(log: Log, count: int) -> bool:
    return await log.folded() == count


async def stands_after(log: Log, settings: Settings) -> dict[int, int]:
    """Where the group stands, by partition, when a worker has folded a hundred events and left."""
    async with worker_of(settings):
        await log.write(looks(100))
        await until(lambda: _folds(log, 100), "every event to be folded")
    return await committed(settings)


async def test_a_partition_goes_on_where_its_table_stands_not_where_the_client_asked_before(
    settings: Settings,
) -> None:
    async with Log(settings) as log:
        stands = await stands_after(log, settings)
        lanes = lanes_of(settings)
        topic = settings.named(topics.EVENTS)
        await lanes.assign({(topic, number) for number in stands}, 1)
        assert {place[1]: offset for place, offset in lanes.places().items()} == stands
        await lanes.close()
    assert sum(stands.values()) == 100


async def test_a_broker_that_forgot_the_group_has_nothing_folded_twice(settings: Settings) -> None:
    """Found by chaos, seed 49: a broker that had been killed came back and knew of no position."""
    async with Log(settings) as log:
        stands = await stands_after(log, settings)
        spec = spec_of(settings)
        spec.group = settings.named("nobody-heard-of")
        lanes = Lanes([Lane(spec, fold_of(settings))])
        topic = settings.named(topics.EVENTS)
        await lanes.assign({(topic, number) for number in stands}, 1)
        assert {place[1]: offset for place, offset in lanes.places().items()} == stands
        folded = [lanes.open[topic, number].folded_events for number in stands]
        await lanes.close()
    assert sum(stands.values()) == 100
    assert sum(folded) == 0


async def test_defect_2_a_stream_that_only_raises_would_have_been_taken_for_done() -> None:
    """The negative control: without the guard the agent's error is just an exception."""

    async def one_batch() -> AsyncIterator[Batch]:
        yield Batch(TP("events", 0), 1, [])

    class Broken:
        async def take(self, batch: Batch) -> None:
            raise ConnectionError

    ends: list[str] = []
    original = lanes_module.end_process
    lanes_module.end_process = lambda reason, error=None: ends.append(reason)  # type: ignore[assignment]
    try:
        await fold_batches(Broken(), one_batch())  # type: ignore[arg-type]
    finally:
        lanes_module.end_process = original
    assert ends == ["a fold failed"]


async def test_defect_9_a_revoked_partition_leaves_no_row_behind(settings: Settings) -> None:
    async with Log(settings) as log:
        await log.write(looks(80))
        lanes = lanes_of(settings)
        topic = settings.named(topics.EVENTS)
        await lanes.assign({(topic, 0), (topic, 1)}, generation=1)
        for record in await log.records(topics.EVENTS):
            await lanes.take(Batch(TP(topic, record.partition), 1, [record]))
        await lanes.assign({(topic, 0)}, generation=2)
        assert set(lanes.open) == {(topic, 0)}
        assert all(
            partition_of(key.decode(), settings.partitions) == 0
            for key in lanes.open[topic, 0].fold._packed  # type: ignore[attr-defined]
        )
        await lanes.assign({(topic, 0), (topic, 1)}, generation=3)
        rows = sum(p.fold.customers() for p in lanes.open.values())  # type: ignore[attr-defined]
        assert rows == len(await log.customers()) == 40
        await lanes.close()


async def test_defect_9_a_kept_partition_is_recovered_when_another_wrote_it(
    settings: Settings,
) -> None:
    topic = settings.named(topics.EVENTS)
    async with Log(settings) as log:
        await log.write(looks(80))
        records = [r for r in await log.records(topics.EVENTS) if r.partition == 0]
        ours, theirs = lanes_of(settings), lanes_of(settings)
        await ours.assign({(topic, 0)}, generation=1)
        await ours.take(Batch(TP(topic, 0), 1, records[:20]))
        await ours.flush()
        kept = ours.open[topic, 0]
        await ours.assign({(topic, 0)}, generation=2)
        assert ours.open[topic, 0] is kept, "untouched: kept without reading it again"

        await theirs.assign({(topic, 0)}, generation=3)
        theirs.open[topic, 0].next_offset = records[20].offset
        await theirs.take(Batch(TP(topic, 0), 3, records[20:]))
        await theirs.close()
        await ours.assign({(topic, 0)}, generation=4)
        assert ours.open[topic, 0] is not kept
        folded = sum(
            row.events
            for token, row in (await log.customers()).items()
            if partition_of(token, settings.partitions) == 0
        )
        assert folded == len(records)
        await ours.close()


async def test_defect_13_marks_go_to_the_partitions_this_worker_owns_and_no_others(
    settings: Settings,
) -> None:
    topic = settings.named(topics.EVENTS)
    async with Log(settings) as log:
        lanes = lanes_of(settings)
        await lanes.assign({(topic, 1)}, generation=1)
        clock = SimpleNamespace(
            clock=SimpleNamespace(mode="wall", wall_offset_ms=5, now_ms=lambda wall: wall + 5)
        )

        async def caught_up(topic: str, partition: int) -> bool:
            return True

        writer = MarkWriter(settings.kafka_bootstrap, topic, 20, lanes, clock, caught_up)  # type: ignore[arg-type]
        writing = asyncio.create_task(writer.run())
        await until(lambda: _some(log, 3), "a few marks")
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
        assert {record.partition for record in await log.records(topics.EVENTS)} == {1}
        await lanes.close()


async def _some(log: Log, count: int) -> bool:
    return len(await log.records(topics.EVENTS)) >= count


@pytest.mark.parametrize(
    ("mode", "is_caught_up", "marks"),
    [("wall", True, True), ("wall", False, False), ("replay", True, False), ("unset", True, False)],
)
async def test_marks_wait_for_the_backlog_the_replay_and_a_clock(
    settings: Settings, mode: str, is_caught_up: bool, marks: bool
) -> None:
    topic = settings.named(topics.EVENTS)
    async with Log(settings) as log:
        lanes = lanes_of(settings)
        await lanes.assign({(topic, 0)}, generation=1)
        rounds = 0
        clock = SimpleNamespace(
            clock=SimpleNamespace(mode=mode, wall_offset_ms=0, now_ms=lambda wall: wall)
        )

        async def caught_up(topic: str, partition: int) -> bool:
            nonlocal rounds
            rounds += 1
            return is_caught_up

        writer = MarkWriter(settings.kafka_bootstrap, topic, 10, lanes, clock, caught_up)  # type: ignore[arg-type]
        writing = asyncio.create_task(writer.run())
        await until(lambda: _truth(rounds >= 4), "four rounds")
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
        assert bool(await log.records(topics.EVENTS)) is marks
        await lanes.close()


async def test_a_timer_that_is_due_gets_its_mark_at_once(settings: Settings) -> None:
    topic = settings.named(topics.EVENTS)
    wall_ms = BASE_MS
    async with Log(settings) as log:
        lanes = lanes_of(settings)
        await lanes.assign({(topic, 0), (topic, 1)}, generation=1)
        clock = SimpleNamespace(
            clock=SimpleNamespace(mode="wall", wall_offset_ms=0, now_ms=lambda wall: wall_ms)
        )

        async def caught_up(topic: str, partition: int) -> bool:
            return True

        writer = MarkWriter(settings.kafka_bootstrap, topic, 3_600_000, lanes, clock, caught_up)  # type: ignore[arg-type]
        writing = asyncio.create_task(writer.run())
        await until(lambda: _some(log, 2), "the hour's marks")
        await log.write([order(at_ms=BASE_MS)])
        (sold,) = [r for r in await log.records(topics.EVENTS) if r.key is not None]
        of_order = [r for r in await log.records(topics.EVENTS) if r.partition == sold.partition]
        await lanes.take(Batch(TP(topic, sold.partition), 1, of_order))
        wall_ms += 31 * DAY_MS
        await until(lambda: _some(log, 4), "a mark for what is due")
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
        *_, last = [r for r in await log.records(topics.EVENTS) if r.partition == sold.partition]
        await lanes.close()
    assert decode(last.value) == ClockMark(at_ms=wall_ms, wall_offset_ms=0)
    assert last.offset == sold.offset + 1


async def test_defect_14_the_broker_fences_a_former_owner(
    settings: Settings, ended: list[str]
) -> None:
    topic = settings.named(topics.EVENTS)
    async with Log(settings) as log:
        await log.write(looks(80))
        records = [r for r in await log.records(topics.EVENTS) if r.partition == 0]
        zombie, heir = lanes_of(settings), lanes_of(settings)
        await zombie.assign({(topic, 0)}, generation=1)
        await zombie.take(Batch(TP(topic, 0), 1, records[:10]))
        await zombie.flush()
        await heir.assign({(topic, 0)}, generation=2)
        heir.open[topic, 0].next_offset = records[10].offset
        await heir.take(Batch(TP(topic, 0), 2, records[10:]))
        await heir.flush()
        # A reader sees a transaction once its marker is written, a little after it is committed.
        await until(lambda: _folds(log, len(records)), "the heir's rows to be seen")
        before = await log.customers()
        await zombie.take(Batch(TP(topic, 0), 1, records[10:]))
        await until(lambda: _truth(bool(ended)), "the zombie's end")
        assert await log.customers() == before
        await heir.close()
        await zombie.open[topic, 0]._producer.stop()  # type: ignore[union-attr]
    assert "Fenced" in ended[0]


async def test_a_batch_of_an_older_generation_is_not_folded(settings: Settings) -> None:
    topic = settings.named(topics.EVENTS)
    async with Log(settings) as log:
        await log.write(looks(80))
        records = [r for r in await log.records(topics.EVENTS) if r.partition == 0]
        lanes = lanes_of(settings)
        await lanes.assign({(topic, 0)}, generation=5)
        await lanes.take(Batch(TP(topic, 0), 4, records))
        assert lanes.open[topic, 0].folded_events == 0
        await lanes.take(Batch(TP(topic, 0), 5, records))
        await lanes.take(Batch(TP(topic, 0), 5, records))
        assert lanes.open[topic, 0].folded_events == len(records), "and none twice"
        await lanes.close()


async def test_defect_18_stopping_waits_for_no_acknowledgement(settings: Settings) -> None:
    async with Log(settings) as log, worker_of(settings) as (app, lanes):
        await log.write(looks(50))
        await until(lambda: _folded(lanes, 50), "the events")
        assert app.conf.stream_wait_empty is False
        started = time.monotonic()
        await lanes.close()
        await app.stop()
        assert time.monotonic() - started < 15


async def _folded(lanes: Lanes, count: int) -> bool:
    return sum(partition.folded_events for partition in lanes.open.values()) >= count


async def test_defect_20_two_workers_share_the_partitions_evenly(settings: Settings) -> None:
    own = settings.model_copy(update={"partitions": 4})
    async with Log(own), worker_of(own) as (_, first), worker_of(own) as (_, second):
        await until(lambda: _truth(len(first.open) == len(second.open) == 2), "two partitions each")
        assert set(first.open).isdisjoint(second.open)


async def test_the_bypass_holds_faust_commits_nothing_and_writes_no_changelog(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Defects 1, 3 to 8, 10, 12, 17: none of the code they live in runs."""
    commits: list[Any] = []

    async def commit(self: AIOKafkaConsumer, offsets: Any = None) -> None:
        commits.append(offsets)

    monkeypatch.setattr(AIOKafkaConsumer, "commit", commit)
    sent: list[str] = []
    send = AIOKafkaProducer.send

    async def counted(self: AIOKafkaProducer, topic: str, *rest: Any, **named: Any) -> Any:
        if self._txn_manager is None or self._txn_manager.transactional_id is None:
            sent.append(topic)
        return await send(self, topic, *rest, **named)

    async with Log(settings) as log, worker_of(settings) as (app, lanes):
        await log.write(looks(200))
        await until(lambda: _folded(lanes, 200), "the events")
        monkeypatch.setattr(AIOKafkaProducer, "send", counted)
        await app.consumer.commit()
        await app.consumer.force_commit()
        assert not any(app.consumer._acked.values()), "and Faust notes nothing to commit"
        await lanes.flush()
        assert not app.tables, "no Faust table, so no Faust changelog"
        assert app.conf.processing_guarantee.value == "at_least_once"
        assert app.conf.web_enabled is False
        assert app.conf.topic_allow_declare is False
        assert sum((await committed(settings)).values()) > 0, "the transactions committed"
    assert commits == []
    assert sent == []
