"""Which items a customer bought and wanted."""

import pytest

from models.clock import DAY_MS
from models.item_memory import (
    FIRST_DAY,
    HALF_LIFE_DAYS,
    KEPT_ITEMS,
    RECORD_BYTES,
    SPARE_ITEMS,
    SPOILT,
    VIEWED,
    ItemMemory,
    buy,
    columns,
    item_ref,
    join,
    mark,
    read_record,
    scale,
    sheet_of,
)

AT_MS = 19_000 * DAY_MS
BREAD, MILK, TEA = (item_ref(name) for name in ("bread", "milk", "tea"))


def counts(memory: ItemMemory, at_ms: int) -> dict[int, float]:
    rows = columns(memory)
    weights = rows["weight"] / scale(memory, at_ms)
    return dict(zip(rows["ref"].tolist(), weights.tolist(), strict=True))


def test_a_purchase_counts_half_after_a_half_life() -> None:
    memory = ItemMemory()
    buy(memory, [BREAD], AT_MS)
    buy(memory, [BREAD], AT_MS + int(HALF_LIFE_DAYS) * DAY_MS)
    now_ms = AT_MS + int(HALF_LIFE_DAYS) * DAY_MS
    assert counts(memory, now_ms)[BREAD] == pytest.approx(1.5, rel=1e-5)


def test_it_says_how_long_ago_each_item_was_bought() -> None:
    memory = ItemMemory()
    assert buy(memory, [BREAD, MILK], AT_MS) == [-1, -1]
    assert buy(memory, [BREAD, TEA], AT_MS + 9 * DAY_MS) == [9, -1]
    assert buy(memory, [MILK], AT_MS + 10 * DAY_MS) == [10]
    assert (memory.lines, memory.repeats) == (3, 2)


def test_a_look_is_no_purchase() -> None:
    memory = ItemMemory()
    mark(memory, BREAD, AT_MS, VIEWED)
    (row,) = columns(memory)
    assert (row["times"], row["weight"], row["marks"]) == (0, 0.0, VIEWED)
    assert buy(memory, [BREAD], AT_MS + DAY_MS) == [-1]


def test_who_buys_it_again_has_forgiven_it() -> None:
    memory = ItemMemory()
    buy(memory, [BREAD], AT_MS)
    mark(memory, BREAD, AT_MS, SPOILT)
    assert columns(memory)["marks"][0] == SPOILT
    buy(memory, [BREAD], AT_MS + DAY_MS)
    assert columns(memory)["marks"][0] == 0


def test_what_is_kept_is_bounded_and_the_favourites_stay() -> None:
    memory = ItemMemory()
    for day in range(400):
        buy(memory, [BREAD, item_ref(str(day))], AT_MS + day * DAY_MS)
        assert len(columns(memory)) <= KEPT_ITEMS + SPARE_ITEMS
    assert BREAD in columns(memory)["ref"]
    assert item_ref("399") in columns(memory)["ref"]
    assert item_ref("0") not in columns(memory)["ref"]


def test_two_memories_joined_are_the_memory_of_both_histories() -> None:
    whole, one, other = ItemMemory(), ItemMemory(), ItemMemory()
    for day, refs in enumerate(([BREAD], [MILK, TEA], [BREAD, MILK], [TEA])):
        at_ms = AT_MS + day * 200 * DAY_MS
        buy(whole, refs, at_ms)
        buy(one if day % 2 else other, refs, at_ms)
    join(one, other)
    now_ms = AT_MS + 700 * DAY_MS
    joined, straight = counts(one, now_ms), counts(whole, now_ms)
    assert joined.keys() == straight.keys()
    for ref, count in straight.items():
        assert joined[ref] == pytest.approx(count, rel=1e-4)
    for field in ("last_day", "first_day", "times"):
        mine = dict(zip(columns(one)["ref"].tolist(), columns(one)[field].tolist(), strict=True))
        theirs = zip(columns(whole)["ref"].tolist(), columns(whole)[field].tolist(), strict=True)
        assert mine == dict(theirs)


def test_gaps_of_years_and_times_going_back_are_fine() -> None:
    memory = ItemMemory()
    for at_ms in (AT_MS, AT_MS + 4_000 * DAY_MS, AT_MS + 10 * DAY_MS, AT_MS):
        buy(memory, [BREAD], at_ms)
    (row,) = columns(memory)
    assert row["times"] == 4
    assert 0.0 <= row["weight"] < float("inf")


def test_a_sheet_reads_the_records_as_columns() -> None:
    memory = ItemMemory()
    buy(memory, [BREAD, MILK], AT_MS)
    buy(memory, [BREAD], AT_MS + 9 * DAY_MS)
    sheet = sheet_of(memory)
    assert (sheet.all_bought, sheet.any_marked) == (True, False)
    assert sheet.refs.tolist() == [BREAD, MILK]
    assert sheet.times.tolist() == [2, 1]
    assert sheet.last_day.tolist() == [19_009, 19_000]
    assert sheet.numbers[:, FIRST_DAY].tolist() == [19_000, 19_000]
    assert [read_record(sheet.raw, at * RECORD_BYTES)[0] for at in (0, 1)] == [BREAD, MILK]
    assert (sheet.has(MILK), sheet.has(TEA)) == (True, False)
    assert sheet.weights.tolist() == columns(memory)["weight"].tolist()


def test_a_sheet_tells_of_marks_and_of_what_was_only_looked_at() -> None:
    memory = ItemMemory()
    buy(memory, [BREAD], AT_MS)
    mark(memory, BREAD, AT_MS, SPOILT)
    sheet = sheet_of(memory)
    assert (sheet.all_bought, sheet.any_marked) == (True, True)
    mark(memory, TEA, AT_MS, VIEWED)
    sheet = sheet_of(memory)
    assert (sheet.all_bought, sheet.any_marked) == (False, True)
    assert (sheet.times.tolist(), list(sheet.marks)) == ([1, 0], [SPOILT, VIEWED])
    kept = sheet.only(sheet.times > 0)
    assert (kept.refs.tolist(), list(kept.marks)) == ([BREAD], [SPOILT])


def test_an_empty_memory_has_an_empty_sheet() -> None:
    sheet = sheet_of(ItemMemory())
    assert (len(sheet.refs), sheet.all_bought, sheet.any_marked) == (0, True, False)
