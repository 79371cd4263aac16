"""One small log of everything, and all that follows from it, held down line by line.

`events.jsonl` is a partition's log, one record a line, with the merges' own records where the fold
put them. `expected.jsonl` is what the fold must answer. When a change is meant:
`python -m tests.golden.test_golden` writes it anew, and the difference is to be read.
"""

import asyncio
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest

from models.customer import decode_row
from models.events import CustomerEvent, LogRecord, decode
from models.tokens import is_customer_key
from streams.customer_fold import CustomerFold
from streams.fold import Interval, Output
from tests.builders import Record, customer_fold, fold_through, listed, snapshot

HERE = Path(__file__).parent
EVENTS = HERE / "events.jsonl"
EXPECTED = HERE / "expected.jsonl"


def log_of_everything() -> list[Record]:
    lines = EVENTS.read_bytes().splitlines()
    return [Record(at, line, timestamp=1_000 + at) for at, line in enumerate(lines)]


def new_fold() -> CustomerFold:
    return customer_fold(snapshots={1: snapshot()})


def folded(fold: CustomerFold, records: list[Record]) -> Interval:
    asyncio.run(fold.prepare(records))
    for record in records:
        fold_through(fold, record, frozenset())
    return fold.seal()


def lines_of(outputs: list[Output]) -> list[bytes]:
    """Effects as lines to read, place by place: the topic, the key, and the record as JSON."""
    return [
        msgspec.json.encode(
            {"topic": topic, "key": (key or b"").decode(), "value": msgspec.Raw(value)}
        )
        for topic, key, value, _ in sorted(outputs, key=lambda one: one.topic)
    ]


def expected() -> list[bytes]:
    return EXPECTED.read_bytes().splitlines()


def rows_after(intervals: list[Interval]) -> dict[bytes, Any]:
    rows = {key: row for interval in intervals for key, row in interval.rows}
    return {k: decode_row(row or b"") for k, row in rows.items() if is_customer_key(k)}


@pytest.fixture(scope="module")
def straight() -> tuple[list[bytes], dict[bytes, Any]]:
    interval = folded(new_fold(), log_of_everything())
    return lines_of(listed(interval.outputs)), rows_after([interval])


def test_the_log_holds_every_type_there_is() -> None:
    types = {type(decode(record.value or b"")) for record in log_of_everything()}
    assert types == {*get_args(CustomerEvent), *get_args(LogRecord)[-3:]}


def test_the_answer_has_everything_there_is_to_answer() -> None:
    topics, kinds = set(), set()
    for line in expected():
        said = msgspec.json.decode(line)
        topics.add(said["topic"])
        kinds.add(said["value"].get("kind"))
    assert topics == {"facts", "actions", "lessons", "metrics", "events", "coupons"}
    assert kinds >= {"event", "tier_changed", "decided", "merged", "forgotten", "hazard"}


def test_the_answer_is_as_expected_line_by_line(straight: tuple[list[bytes], Any]) -> None:
    assert straight[0] == expected()


def test_every_record_told_twice_at_once_answers_the_same(
    straight: tuple[list[bytes], dict[bytes, Any]],
) -> None:
    twice = [record for record in log_of_everything() for _ in range(2)]
    interval = folded(new_fold(), twice)
    assert lines_of(listed(interval.outputs)) == straight[0]
    assert rows_after([interval]) == straight[1]


def test_a_new_owner_at_any_record_answers_the_same(
    straight: tuple[list[bytes], dict[bytes, Any]],
) -> None:
    log = log_of_everything()
    for at in range(len(log) + 1):
        first = folded(new_fold(), log[:at])
        owner = new_fold()
        for key, row in first.rows:
            owner.restore(key, row)
        owner.restored()
        second = folded(owner, log[at:])
        assert lines_of([*listed(first.outputs), *listed(second.outputs)]) == straight[0], (
            f"cut at {at}"
        )
        assert rows_after([first, second]) == straight[1], f"cut at {at}"


def test_a_new_owner_at_every_record_answers_the_same(
    straight: tuple[list[bytes], dict[bytes, Any]],
) -> None:
    intervals: list[Interval] = []
    for record in log_of_everything():
        owner = new_fold()
        for interval in intervals:
            for key, row in interval.rows:
                owner.restore(key, row)
        owner.restored()
        intervals.append(folded(owner, [record]))
    assert lines_of([one for i in intervals for one in listed(i.outputs)]) == straight[0]
    assert rows_after(intervals) == straight[1]


def cut_at_random(log: list[Record], seed: int) -> Iterator[list[Record]]:
    chance = random.Random(seed)
    while log:
        count = chance.choice((1, 2, 5, 17))
        yield log[:count]
        log = log[count:]


@pytest.mark.parametrize("seed", range(20))
def test_batches_cut_anywhere_answer_the_same(
    seed: int, straight: tuple[list[bytes], dict[bytes, Any]]
) -> None:
    fold = new_fold()
    intervals = []
    for batch in cut_at_random(log_of_everything(), seed):
        intervals.append(folded(fold, batch))
        folded(fold, [])
    assert lines_of([one for i in intervals for one in listed(i.outputs)]) == straight[0]
    assert rows_after(intervals) == straight[1]


def test_a_rollback_before_every_record_answers_the_same(
    straight: tuple[list[bytes], dict[bytes, Any]],
) -> None:
    fold = new_fold()
    intervals = []
    for record in log_of_everything():
        asyncio.run(fold.prepare([record]))
        fold_through(fold, record, frozenset())
        fold.rollback()
        intervals.append(folded(fold, [record]))
    assert lines_of([one for i in intervals for one in listed(i.outputs)]) == straight[0]
    assert rows_after(intervals) == straight[1]


def test_what_the_merges_put_into_the_log_is_what_stands_there() -> None:
    """But for the rows: those in the log stay as a release of long ago wrote them."""
    log = [msgspec.json.decode(record.value or b"") for record in log_of_everything()]
    sent = [msgspec.json.decode(line) for line in expected()]
    for_log = [one["value"] for one in sent if one["topic"] == "events"]
    assert len(for_log) >= 5
    for one in for_log:
        assert {**one, "row": ""} in [{**other, "row": ""} for other in log]


if __name__ == "__main__":
    outputs = listed(folded(new_fold(), log_of_everything()).outputs)
    EXPECTED.write_bytes(b"\n".join(lines_of(outputs)) + b"\n")
