"""Every benchmark once in small, and what the harness says about what it measured.

Time never decides here: fields must be there and make sense.
"""

import asyncio
import json
import subprocess
import sys
from importlib import import_module
from math import isfinite
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from rich.console import Console

from models.tokens import POSITION_KEY
from streams.fold import PoisonError
from tests.bench import __main__ as command
from tests.bench import table
from tests.bench.broker import Counter, create_topics, fill
from tests.bench.counting_fold import CountingFold, decode_row
from tests.bench.lane_engine import LANE
from tests.bench.purchases import PARTITIONS, purchases
from tests.bench.report import missed, show
from tests.bench.rig import PROJECT, CannotRun, Options, Target, targets_of
from tests.bench.rivals.line_up import ALL
from tests.bench.rounds import Engine, Work, ratio, rounds_of, summary
from tests.builders import listed

SMALL_WITHIN_S = 400
NOTHING_LEFT_OUT: frozenset[bytes] = frozenset()


@pytest.mark.real
@pytest.mark.parametrize("name", command.NAMES)
def test_every_benchmark_runs_in_small(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench", name, "--small", "--json"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
        timeout=SMALL_WITHIN_S,
    )
    assert done.returncode == 0, done.stderr[-3_000:]
    figures = json.loads(done.stdout)
    assert figures["name"] == name
    skipped = {f"ratio_{rival.name}" for rival in ALL if rival.missing()}
    for target in targets_of(import_module(command.NAMES[name]).MUST, Options(small=True)):
        if target.field not in skipped:
            # In small a figure means nothing: a small crowd's memory is less than its noise.
            assert isfinite(figures[target.field]), target.field
    for one in figures.get("rounds", []):
        assert all(value >= 0 for value in one.values())


@pytest.mark.real
async def test_the_lane_counts_every_purchase_once(kafka: str, tmp_path: Path) -> None:
    written = list(purchases(20_000, 500))
    work = Work(kafka, "bench-purchases", len(written), PARTITIONS, tmp_path).renewed("fold")
    await create_topics(kafka, [work.topic, work.output], PARTITIONS)
    await fill(kafka, work.topic, written)
    async with Counter(kafka) as counter:
        running = await LANE.start(work, counter)
        try:
            async with asyncio.timeout(120):
                while await running.progress() < len(written):
                    assert running.child.is_alive(), running.child.last_words()
                    await asyncio.sleep(0.05)
        finally:
            await running.stop()
    table = await everything(kafka, work.changelog)
    rows = {key: decode_row(value) for key, value in table if key != POSITION_KEY}
    assert rows == plainly_counted(written)
    assert len(await everything(kafka, work.output)) == len(written)


async def everything(kafka: str, topic: str) -> list[tuple[bytes, bytes]]:
    """Keys and values of all that is committed in a topic."""
    places = [TopicPartition(topic, number) for number in range(PARTITIONS)]
    reader = AIOKafkaConsumer(
        bootstrap_servers=kafka,
        isolation_level="read_committed",
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    async with reader:
        reader.assign(places)
        ends = await reader.end_offsets(places)
        found: list[tuple[bytes, bytes]] = []
        while any([await reader.position(place) < ends[place] for place in places]):
            for records in (await reader.getmany(timeout_ms=200)).values():
                found.extend((record.key, record.value) for record in records)
    return found


def plainly_counted(written: list[Any]) -> dict[bytes, tuple[int, int, int]]:
    rows: dict[bytes, tuple[int, int, int]] = {}
    for _, key, value in written:
        purchase = json.loads(value)
        events, cents, last = rows.get(key, (0, 0, 0))
        cents += purchase["amount_cents"]
        rows[key] = (events + 1, cents, max(last, purchase["occurred_at_ms"]))
    return rows


def test_a_purchase_is_about_150_bytes_and_the_same_every_time() -> None:
    written = list(purchases(1_000, 50))
    assert written == list(purchases(1_000, 50))
    assert all(140 <= len(value) <= 190 for _, _, value in written)
    assert {partition for partition, _, _ in written} == set(range(PARTITIONS))


def folded(fold: CountingFold, written: list[Any]) -> None:
    for _, key, value in written:
        for _ in fold.fold(SimpleNamespace(key=key, value=value), NOTHING_LEFT_OUT):
            pytest.fail("a purchase is never folded in parts")


def test_the_counting_fold_counts_as_a_dictionary_does() -> None:
    written = list(purchases(500, 20))
    fold = CountingFold("output", "dead")
    folded(fold, written)
    interval = fold.seal()
    assert {key: decode_row(row or b"") for key, row in interval.rows} == plainly_counted(written)
    assert [output.key for output in listed(interval.outputs)] == [key for _, key, _ in written]


def test_a_rollback_brings_the_last_seal_back() -> None:
    written = list(purchases(500, 20))
    fold = CountingFold("output", "dead")
    folded(fold, written[:10])
    fold.seal()
    before = dict(fold.rows)
    folded(fold, written[10:])
    fold.rollback()
    assert fold.rows == before
    assert fold.seal() == ([], {})


def test_a_purchase_that_is_no_json_is_poison_and_leaves_no_trace() -> None:
    fold = CountingFold("output", "dead")
    record = SimpleNamespace(key=b"c1", value=b"{")
    with pytest.raises(PoisonError):
        list(fold.fold(record, NOTHING_LEFT_OUT))
    assert list(fold.fold(record, frozenset({b"c1"}))) == []
    assert fold.rows == {}


def test_a_ratio_is_the_median_over_the_rounds_that_have_both() -> None:
    rounds = [{"a": 10.0, "b": 5.0}, {"a": 30.0, "b": 10.0}, {"a": 10.0, "b": 10.0}, {"a": 1.0}]
    assert ratio(rounds, "a", "b") == 2.0
    assert ratio(rounds, "a", "c") is None


class NotThere(Engine):
    name, title, guarantee, setup, counted_by = "gone", "Gone", "none", "none", "nobody"

    def missing(self) -> str:
        return "not installed"

    async def start(self, work: Work, counter: Counter) -> Any:
        raise AssertionError("what is missing is not started")


def test_a_rival_that_is_missing_stands_in_the_table_with_its_reason() -> None:
    (row,) = summary([NotThere()], [{"fold": 1.0}])
    assert row["skipped"] == "not installed"
    assert "events_per_s" not in row


class Dying(NotThere):
    def __init__(self, name: str) -> None:
        self.name = self.title = name

    def missing(self) -> str:
        return ""

    async def start(self, work: Work, counter: Counter) -> Any:
        raise CannotRun(f"{self.name} ended with code 1")


@pytest.mark.real
async def test_a_rival_that_dies_is_left_out_aloud_and_ours_never(
    kafka: str, tmp_path: Path
) -> None:
    said: list[str] = []
    options = Options(rounds=1, say=said.append)
    work = Work(kafka, "bench-none", 0, PARTITIONS, tmp_path)
    with pytest.raises(CannotRun, match="ours ended with code 1"):
        await rounds_of([(Dying("ours"), work)], options)
    assert await rounds_of([(NotThere(), work), (Dying("rival"), work)], options) == [{}]
    assert said == ["round 1: left out: rival ended with code 1"]
    (row,) = summary([Dying("rival")], [{}])
    assert row["skipped"] == "it failed in every round"


@pytest.mark.parametrize(
    ("target", "figures", "reached"),
    [
        (Target("a", ">=", 2.0), {"a": 2.0}, True),
        (Target("a", ">=", 2.0), {"a": 1.9}, False),
        (Target("a", "<=", 2.0), {"a": 2.1}, False),
        (Target("a", "<=", 2.0), {}, None),
    ],
)
def test_a_target_is_reached_or_missed_or_not_measured(
    target: Target, figures: dict[str, float], reached: bool | None
) -> None:
    assert target.reached_by(figures) is reached


def test_a_missed_target_is_shown_as_missed_everywhere() -> None:
    figures = {"name": "step", "total_us": 13.5}
    must = [("total_us", "<=", 12.0), ("other_us", "<=", 1.0)]
    console = Console(record=True, width=120, file=open_nowhere())
    show(figures, must, Options(), console)
    shown = console.export_text()
    assert "missed" in shown
    assert "not measured" in shown
    assert missed(figures, must, Options()) == ["total_us 13.5, must be <= 12"]


def open_nowhere() -> Any:
    return SimpleNamespace(write=lambda _: None, flush=lambda: None, isatty=lambda: False)


def test_the_table_in_the_readme_shows_misses_and_what_could_not_run() -> None:
    fold = {
        "events_per_s": 100,
        "ratio_quix": 4.0,
        "cores": 2,
        "load_average_1m": 0.5,
        "engines": summary([NotThere()], []),
    }
    text = table.table_of(
        [(table.Run("fold", 5_000), fold), (table.Run("replay"), {"could_not_run": True})]
    )
    assert "`ratio_quix` | 4 | ≥ 5 | **missed** |" in text
    assert "`ratio_bytewax` | – | ≥ 1.5 | not measured |" in text
    assert "| replay | | could not run | | |" in text
    assert "skipped: not installed" in text
    widths = {line.count("|") for line in text.splitlines() if line.startswith("| fold")}
    assert widths == {6}


def test_the_table_replaces_what_stood_between_its_markers_and_nothing_else() -> None:
    readme = f"above\n{table.BEGIN}\nold\n{table.END}\nbelow\n"
    assert table.with_table(readme, "new\n") == f"above\n{table.BEGIN}\nnew\n{table.END}\nbelow\n"
    with pytest.raises(ValueError, match="to write the table between"):
        table.with_table("no markers", "new\n")


def test_the_readme_has_room_for_the_table() -> None:
    assert table.with_table(table.README.read_text(), "").count(table.BEGIN) == 1


def test_a_benchmark_that_cannot_run_ends_with_2_and_says_why(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(_: Options) -> dict[str, Any]:
        raise CannotRun("no broker here")

    monkeypatch.setattr(command.importlib, "import_module", lambda _: SimpleNamespace(run=refuse))
    assert command.main(["fold", "--json"]) == 2
    told = capsys.readouterr()
    assert "no broker here" in told.err
    assert told.out == ""
