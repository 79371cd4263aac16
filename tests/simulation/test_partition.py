"""Many accidents, one result: that of a fold straight through.

Seeds are printed with a failure; SIMULATION_SEED (a number) begins elsewhere.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any, cast

import msgspec
import pytest

from models.customer import decode_row
from models.effects import DeadLetter
from models.events import Adopted, ClockMark
from models.tokens import is_customer_key
from streams import partition as partitions
from streams import topics
from streams.customer_fold import CustomerFold
from streams.fold import Fold
from streams.partition import LanePartition, PositionError
from tests.builders import (
    DAY,
    HOUR,
    START_MS,
    Record,
    cancelled,
    customer_fold,
    fold_through,
    identified,
    listed,
    named,
    order,
    records_of,
    refunded,
    snapshot,
    viewed,
)
from tests.simulation.owners import (
    Broker,
    Died,
    Owners,
    SimulatedPartition,
    seen_in,
    serverless_spec,
)
from tests.simulation.poison import BAD_TIMER, UNREADABLE, rules_that_break

SCHEDULES = 800
NAMES = [named(str(number)) for number in range(6)]
SNAPSHOTS = {version: snapshot(version=version) for version in (1, 2)}


@pytest.fixture(autouse=True)
def broken_rules() -> Iterator[None]:
    """Some events and some timers raise half way."""
    with rules_that_break():
        yield


def history(chance: random.Random) -> list[Record]:
    """A partition's log: events of six customers, marks, adoptions, repeats, and poison."""
    now_ms, events = START_MS, []
    events.append(ClockMark(at_ms=now_ms))
    for number in range(chance.randrange(8, 30)):
        now_ms += chance.choice((1_000, HOUR, 6 * HOUR, DAY, 20 * DAY))
        at_ms = now_ms - chance.choice((0, 0, 0, HOUR, 3 * DAY))
        who = {"customer": chance.choice(NAMES), "at_ms": at_ms, "id": f"e{number}"}
        which = f"o{chance.randrange(12)}"
        kind = chance.randrange(12)
        if kind < 3:
            events.append(order(which, chance.randrange(5_000), **who))
        elif kind < 6:
            events.append(viewed(chance.choice(("p1", "p2", "p3", BAD_TIMER)), **who))
        elif kind == 6:
            events.append(chance.choice((cancelled, refunded))(which, **who))
        elif kind == 7:
            events.append(Adopted("hazard", chance.choice((1, 2, 3)), "x"))
        elif kind == 8 and events:
            events.append(chance.choice(events))
        elif kind == 9:
            events.append(viewed(**(who | {"id": f"bad{number}"})))
        else:
            events.append(identified(traits={"t": number}, **who))
        if chance.random() < 0.4:
            events.append(ClockMark(at_ms=now_ms))
    records = records_of(events)
    for at in chance.sample(range(len(records)), k=chance.randrange(3)):
        records[at] = Record(at, chance.choice(UNREADABLE))
    return records


async def straight(
    log: list[Record],
) -> tuple[CustomerFold, list[Any], dict[int, frozenset[bytes]]]:
    """What a fold straight through makes of it, when it knows beforehand what to leave out."""
    left_out = await left_out_of(log)
    fold = customer_fold(snapshots=SNAPSHOTS)
    await fold.prepare(log)
    for record in log:
        fold_through(fold, record, left_out.get(record.offset, frozenset()))
    return fold, listed(fold.seal().outputs), left_out


async def left_out_of(log: list[Record]) -> dict[int, frozenset[bytes]]:
    """Find the poison with a fold that commits after each record, so that nothing is undone."""
    found: dict[int, frozenset[bytes]] = {}
    fold = customer_fold(snapshots=SNAPSHOTS)
    await fold.prepare(log)
    for record in log:
        keys: frozenset[bytes] = frozenset()
        while True:
            try:
                fold_through(fold, record, keys)
            except partitions.PoisonError as poison:
                keys |= {poison.key}
                fold.rollback()
            else:
                break
        fold.seal()
        if keys:
            found[record.offset] = keys
    return found


async def test_no_accident_changes_what_is_folded() -> None:
    seen = await seen_in(SCHEDULES, _check_schedule)
    assert seen["deaths"] > SCHEDULES
    assert seen["left out"] > SCHEDULES
    assert seen["actions"] > SCHEDULES


async def _check_schedule(seed: int, seen: Counter[str]) -> None:
    chance = random.Random(seed)
    log = history(chance)
    fold, outputs, left_out = await straight(log)
    broker = Broker()
    broker.logs[topics.EVENTS, 0] = log

    owners = Owners(broker, 1, lambda _: customer_fold(snapshots=SNAPSHOTS), chance)
    while broker.lag(0):
        await owners.work(dies_with_chance=0.1)
    seen["deaths"] += owners.deaths
    for topic in (topics.FACTS, topics.ACTIONS, topics.LESSONS, topics.METRICS):
        expected = [one.value for one in outputs if one.topic == topic]
        assert broker.values(topic, 0) == expected, f"{topic} differ"
        seen[topic] += len(expected)
    expected_rows = {key: decode_row(row) for key, row in fold._packed.items()}
    rows = {k: decode_row(row or b"") for k, row in broker.rows(0).items() if is_customer_key(k)}
    assert rows == expected_rows
    letters = [
        msgspec.json.decode(value, type=DeadLetter).offset
        for value in broker.values(topics.DEAD_LETTERS, 0)
    ]
    expected_letters = Counter({offset: len(keys) for offset, keys in left_out.items()})
    assert Counter(letters) == expected_letters
    seen["left out"] += len(letters)


async def test_a_new_owners_first_mark_cut_short_is_committed_at_its_own_offset() -> None:
    broker = Broker()
    chance = random.Random(1)
    events = [ClockMark(at_ms=START_MS), *(viewed("p", customer=name) for name in NAMES)]
    for record in records_of(events):
        broker.append(topics.EVENTS, 0, None, record.value)
    owner = SimulatedPartition(broker, 0, customer_fold(), chance)
    await owner.take(broker.logs[topics.EVENTS, 0])
    await owner.flush()
    mark = records_of([ClockMark(at_ms=START_MS + DAY)], first_offset=len(events))
    new_owner = SimulatedPartition(broker, 0, customer_fold(), chance)
    new_owner.next_offset = LanePartition(new_owner.spec, 0, new_owner.fold).next_offset
    new_owner.dies_with_chance = 0.6
    with pytest.raises(Died):
        await new_owner.take(mark)
    assert broker.committed[0] == len(events)


async def committed_soon(owner: SimulatedPartition, broker: Broker, records: list[Record]) -> bool:
    """Whether a transaction takes these records long before the interval is over."""
    await owner.take(records)
    await asyncio.sleep(0.05)
    return broker.committed[0] == records[-1].offset + 1


async def test_actions_are_committed_without_waiting_for_the_interval_to_end() -> None:
    broker = Broker()
    owner = SimulatedPartition(broker, 0, customer_fold(), random.Random(1))
    owner.spec.commit_interval_ms = 60_000
    owner.committed_at = time.monotonic()
    committer = asyncio.create_task(owner._commit_when_due())
    looked = records_of([ClockMark(at_ms=START_MS), viewed("p", START_MS)])
    due = records_of([ClockMark(at_ms=START_MS + DAY + HOUR)], first_offset=len(looked))
    assert not await committed_soon(owner, broker, looked)
    assert await committed_soon(owner, broker, due)
    assert len(broker.values(topics.ACTIONS, 0)) == 1
    committer.cancel()


def test_slices_are_cut_by_how_long_they_take(monkeypatch: pytest.MonkeyPatch) -> None:
    owner = SimulatedPartition(Broker(), 0, customer_fold(), random.Random(1))
    sizes, now_s, costs_s = [], [0.0], 0.001
    monkeypatch.setattr(partitions.time, "perf_counter", lambda: now_s[0])

    def fold_many(records: list[Any]) -> int:
        sizes.append(len(records))
        now_s[0] += costs_s * len(records)
        return len(records)

    monkeypatch.setattr(owner, "_fold_many", fold_many)

    def slices(count: int) -> list[int]:
        sizes.clear()
        for _ in range(count):
            owner._fold_slice([None] * owner._slice_records)
        return sizes

    assert slices(6) == [256, 128, 64, 32, 16, 16]
    costs_s = 0.000_001
    assert slices(6) == [16, 32, 64, 128, 256, 256]


class Coordinator:
    """A consumer that asks a broker for its group's position and for a log of 50 records."""

    def __init__(self, answer: int | None) -> None:
        self._answer = answer

    async def committed(self, _source: Any) -> int | None:
        return self._answer

    async def beginning_offsets(self, sources: list[Any]) -> dict[Any, int]:
        return dict.fromkeys(sources, 7)

    async def end_offsets(self, sources: list[Any]) -> dict[Any, int]:
        return dict.fromkeys(sources, 50)


@pytest.mark.parametrize(
    ("of_group", "of_table", "begins_at"),
    [
        pytest.param(None, 0, 7, id="a new table"),
        pytest.param(42, 42, 42, id="as they were committed"),
        pytest.param(None, 42, 42, id="a broker that knows nothing"),
        pytest.param(17, 42, 42, id="a broker that knows what was"),
        pytest.param(42, 0, 42, id="a table of a version that wrote no position"),
        pytest.param(42, 17, 42, id="such a version was at work in between"),
        pytest.param(50, 50, 50, id="at the end"),
        pytest.param(0, 0, 0, id="nothing folded yet"),
    ],
)
async def test_of_the_groups_position_and_the_tables_the_larger_counts(
    of_group: int | None, of_table: int, begins_at: int
) -> None:
    found = await unopened()._position(Coordinator(of_group), of_table)  # type: ignore[arg-type]
    assert found == begins_at


@pytest.mark.parametrize(("of_group", "of_table"), [(None, 51), (51, 0), (51, 51)])
async def test_a_log_that_ends_before_the_tables_position_is_refused(
    of_group: int | None, of_table: int
) -> None:
    with pytest.raises(PositionError, match=r"events\[0\] ends at 50, .* before 51"):
        await unopened()._position(Coordinator(of_group), of_table)  # type: ignore[arg-type]


def unopened() -> LanePartition:
    return LanePartition(serverless_spec(), 0, cast("Fold", None))
