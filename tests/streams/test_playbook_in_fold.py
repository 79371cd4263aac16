"""A playbook in the fold: adopted through the log, its rows armed by marks, its budget kept."""

import asyncio
from typing import Any

import pytest

from models.events import Adopted, ClockMark
from models.playbook.edition import Edition, opened
from streams.customer_fold import CustomerFold
from tests.builders import (
    START_MS,
    Record,
    customer_fold,
    fold_through,
    named,
    order,
    records_of,
    rows_of,
    viewed,
)
from tests.models.triggers.playing import HEAD

PLAYBOOK = (
    HEAD
    + """
triggers:
  silent:
    when: {silence: 30d}
    then: [{message: hello}]
"""
)


def playing_fold(editions: dict[int, str]) -> CustomerFold:
    fold = customer_fold()

    async def load(model: str, version: int) -> Any:
        text = editions.get(version)
        return opened(Edition(version, "main", {"main": text})) if text else None

    fold._load_snapshot = load
    return fold


def adopt_playbook(version: int) -> Adopted:
    return Adopted(model="playbook", version=version, checksum="")


def run_through(fold: CustomerFold, records: list[Record]) -> None:
    asyncio.run(fold.prepare(records))
    for record in records:
        fold_through(fold, record, frozenset())


def test_an_adopted_playbook_arms_every_row_some_at_each_live_mark(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("streams.customer_fold.CUSTOMERS_PER_LIVE_MARK", 2)
    fold = playing_fold({1: PLAYBOOK})
    tokens = sorted(named(f"c{at}") for at in range(5))
    orders = [order(f"o{at}", customer=token) for at, token in enumerate(tokens)]
    marks = [ClockMark(at_ms=START_MS + at, wall_offset_ms=0) for at in range(1, 4)]
    run_through(fold, records_of([*orders, adopt_playbook(1)]))
    armed = []
    for at, mark in enumerate(marks):
        assert fold.due_ms() == fold.clock.now_ms
        run_through(fold, records_of([mark], first_offset=10 + at))
        rows = [fold.customer(token.encode()) for token in tokens]
        armed.append([row.playbook.version for row in rows if row])
    assert armed == [[1, 1, 0, 0, 0], [1, 1, 1, 1, 0], [1, 1, 1, 1, 1]]
    assert fold.clock.arming is None
    assert fold.due_ms() != fold.clock.now_ms


def test_arming_goes_on_after_a_crash_where_it_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.customer_fold.CUSTOMERS_PER_LIVE_MARK", 2)
    tokens = sorted(named(f"c{at}") for at in range(5))
    orders = [order(f"o{at}", customer=token) for at, token in enumerate(tokens)]
    straight, crashed = playing_fold({1: PLAYBOOK}), playing_fold({1: PLAYBOOK})
    before = records_of([*orders, adopt_playbook(1), ClockMark(START_MS + 1, 0)])
    after = records_of(
        [order("late", customer=named("newcomer")), ClockMark(START_MS + 2, 0)], first_offset=20
    )
    run_through(straight, before)
    run_through(crashed, before)
    again = playing_fold({1: PLAYBOOK})
    for key, row in crashed.seal().rows:
        again.restore(key, row)
    again.restored()
    straight.seal()
    run_through(straight, after)
    run_through(again, after)
    assert rows_of(straight.seal()) == rows_of(again.seal())


def test_a_playbook_that_cannot_be_opened_leaves_the_former_in_use() -> None:
    fold = playing_fold({1: PLAYBOOK})
    run_through(fold, records_of([adopt_playbook(1), adopt_playbook(2), order("o1")]))
    assert fold.clock.versions["playbook"] == 1
    assert "playbook" in fold.clock.refused


def test_a_budget_that_is_spent_is_taken_back_with_what_is_rolled_back() -> None:
    spending = HEAD + "triggers: {give: {when: {event: product_viewed}, then: [{give: five}]}}\n"
    fold = playing_fold({1: spending})
    run_through(fold, records_of([adopt_playbook(1)]))
    fold.seal()
    run_through(fold, records_of([viewed("p1")], first_offset=5))
    assert fold.clock.spent["five"][1:] == (500, 1)
    fold.rollback()
    assert fold.clock.spent == {}
    run_through(fold, records_of([viewed("p1")], first_offset=5))
    assert fold.clock.spent["five"][1:] == (500, 1)
