"""A partition folded anew: the worker's own state, no effect, differences counted."""

import asyncio
from typing import Any

from models.events import ClockMark
from streams.partition import LaneSpec
from streams.rebuild_partition import Rebuilt, RebuiltPartition, SilentFold, compared
from tests.builders import (
    DAY,
    START_MS,
    Record,
    begin_with_house_rules,
    customer_fold,
    fold_through,
    named,
    order,
    records_of,
    rows_of,
    viewed,
)

BORIS = named("boris")


HISTORY = records_of(
    [
        order("o1"),
        viewed("p1", customer=BORIS),
        ClockMark(START_MS + DAY // 2),
        order("o2", at_ms=START_MS + 2 * DAY, customer=BORIS),
        ClockMark(START_MS + 3 * DAY),
    ]
)


def silent_fold() -> SilentFold:
    async def load(model: str, version: int) -> None:
        return None

    fold = SilentFold(
        partition=0,
        partitions=1,
        incarnation=1,
        topic_of=lambda name: name,
        load_snapshot=load,
        seal_raw=lambda raw: "",
        coupon_key=bytes(32),
    )
    begin_with_house_rules(fold)
    return fold


def partition() -> RebuiltPartition:
    spec = LaneSpec(
        bootstrap="",
        group="",
        source="events",
        changelog="",
        transactional_prefix="",
        commit_interval_ms=50,
    )
    return RebuiltPartition(spec, 0, silent_fold())


def folded(records: list[Record]) -> RebuiltPartition:
    async def fold() -> RebuiltPartition:
        made = partition()
        await made.take(records)
        await made.flush()
        return made

    return asyncio.run(fold())


def worker_rows(records: list[Record]) -> dict[bytes, Any]:
    fold = customer_fold()
    for record in records:
        fold_through(fold, record, frozenset())
    return rows_of(fold.seal())


def test_the_state_is_the_workers_and_effects_are_off() -> None:
    fold, loud = silent_fold(), customer_fold()
    for record in HISTORY:
        fold_through(fold, record, frozenset())
        fold_through(loud, record, frozenset())
    silent, sent = fold.seal(), loud.seal()
    assert silent.outputs == {}
    assert sent.outputs != {}
    assert rows_of(silent) == rows_of(sent)


def test_rows_are_kept_until_the_end_of_the_log() -> None:
    assert folded(HISTORY).rows == worker_rows(HISTORY)


def test_what_can_not_be_read_is_left_out_as_the_worker_does() -> None:
    records = [*HISTORY, Record(5, b"no event")]
    made = folded(records)
    assert made.rows == worker_rows(HISTORY)
    assert made.spec.measures.left_out == 1


def test_differences_between_the_tables_are_counted_by_kind() -> None:
    made = folded(HISTORY)
    live = dict(made.rows)
    changed, gone = list(live)[:2]
    live[changed] = b"another"
    del live[gone]
    live[b"stranger"] = b"row"
    rows = len(made.rows)
    assert compared(made, live) == Rebuilt(
        partition=0,
        events=5,
        rows=rows,
        same=rows - 2,
        different=1,
        missing=1,
        surplus=1,
        left_out=0,
    )
