"""A playbook in the fold: adopted through the log, its rows armed by marks, its budget kept."""

import asyncio
from typing import Any

import msgspec
import pytest

from models import coupon_words
from models.coupon_words import CouponWord
from models.effects import Decided
from models.events import Adopted, BudgetAnswered, ClockMark
from models.playbook.edition import Edition, opened
from streams import topics
from streams.customer_fold import CustomerFold
from streams.fold import Interval, PoisonError
from tests.builders import (
    DAY,
    HOUR,
    START_MS,
    Record,
    customer_fold,
    fold_through,
    listed,
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


def playing_fold(editions: dict[int, str], partitions: int = 1) -> CustomerFold:
    fold = customer_fold(partitions=partitions, begins_with_rules=False)

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
    assert [share.spent for share in fold.clock.slices.values()] == [500]
    fold.rollback()
    assert fold.clock.slices == {}
    run_through(fold, records_of([viewed("p1")], first_offset=5))
    assert [share.spent for share in fold.clock.slices.values()] == [500]


WON = """
triggers:
  give:
    when: {event: product_viewed}
    then: [{give: won}]
    guard: {priority: 60}
  news:
    when: {event: product_viewed}
    then: [{tag: looked}]
"""
SHARED = HEAD.replace("offers:", "offers:\n  won: {amount: 5, budget: {coupons: 3}}") + WON
PURSE = "$coupons:won"


def sharing_fold() -> CustomerFold:
    """A fold that must ask for what it gives."""
    fold = playing_fold({1: SHARED, 2: SHARED.replace("news:", "others:")}, partitions=4)
    run_through(fold, records_of([adopt_playbook(1)]))
    fold.seal()
    return fold


def granted(number: int, *, granted: int = 0, **more: Any) -> BudgetAnswered:
    return BudgetAnswered(PURSE, granted, number=number, adoption=1, **more)


def said_in(interval: Interval) -> list[str]:
    """Decisions as "rule status", in the order of the customers' names."""
    decoder = msgspec.json.Decoder(Decided)
    facts = [one for one in listed(interval.outputs) if b'"kind":"decided"' in one.value]
    found = [decoder.decode(one.value) for one in facts if one.topic == topics.FACTS]
    return [f"{one.rule} {one.status}" for one in found]


def asked_in(interval: Interval) -> list[Any]:
    words = [coupon_words.decode(o.value) for o in listed(interval.outputs) if o.topic == "coupons"]
    found = [one for one in words if isinstance(one, CouponWord) and one.key == PURSE]
    return [one.event for one in found]


def test_nothing_is_said_of_a_decision_before_the_purse_has_answered() -> None:
    fold = sharing_fold()
    run_through(fold, records_of([viewed("p1")], first_offset=5))
    assert fold.is_urgent()
    interval = fold.seal()
    assert not fold.is_urgent()
    assert said_in(interval) == []
    assert [one.wanted for one in asked_in(interval)] == [1]
    run_through(fold, records_of([granted(1, granted=1)], first_offset=6))
    assert said_in(fold.seal()) == ["give sent", "news sent"]
    run_through(fold, records_of([viewed("p2"), granted(2, granted=1, short=1)], first_offset=7))
    assert said_in(fold.seal()) == ["give out_of_budget", "news sent"]


def test_those_who_wait_decide_one_after_another_until_one_must_wait_on() -> None:
    fold, names = sharing_fold(), sorted(named(f"c{number}") for number in range(4))
    run_through(fold, records_of([viewed("p1", customer=one) for one in names], first_offset=5))
    assert [one.wanted for one in asked_in(fold.seal())] == [1]
    run_through(fold, records_of([granted(1, granted=2)], first_offset=9))
    interval = fold.seal()
    assert said_in(interval) == ["give sent", "news sent"] * 2
    assert asked_in(interval)[-1].wanted == 3
    waiting = [fold.customer(name.encode()) for name in names]
    assert [bool(one and one.playbook.runs) for one in waiting] == [False, False, True, True]


def test_more_who_wait_than_a_record_may_wake_go_on_at_marks_and_after_a_death(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("streams.customer_fold.CUSTOMERS_PER_LIVE_MARK", 2)
    fold, names = sharing_fold(), [named(f"c{number}") for number in range(5)]
    run_through(fold, records_of([viewed("p1", customer=one) for one in names], first_offset=5))
    run_through(fold, records_of([granted(1, short=1, scarce=True)], first_offset=10))
    first = fold.seal()
    assert (said_in(first).count("give out_of_budget"), fold.clock.woken) == (2, [PURSE])
    assert fold.due_ms() == fold.clock.now_ms
    again = playing_fold({1: SHARED}, partitions=4)
    for key, row in first.rows:
        again.restore(key, row)
    again.restored()
    for one in (fold, again):
        marks = [ClockMark(START_MS + at, 0) for at in (1, 2)]
        run_through(one, records_of(marks, first_offset=11))
    straight, recovered = fold.seal(), again.seal()
    assert said_in(straight) == said_in(recovered) == ["give out_of_budget", "news sent"] * 3
    assert rows_of(straight) == rows_of(recovered)
    assert fold.clock.woken == []
    replayed = sharing_fold()
    run_through(replayed, records_of([viewed("p1", customer=one) for one in names], 5))
    run_through(replayed, records_of([granted(1, short=1, scarce=True)], first_offset=10))
    run_through(replayed, records_of([ClockMark(START_MS + 1)], first_offset=11))
    assert replayed.clock.woken == []


def test_who_asked_and_is_not_answered_looks_again_a_day_later_and_asks_no_second_time() -> None:
    fold = sharing_fold()
    run_through(fold, records_of([viewed("p1")], first_offset=5))
    fold.seal()
    run_through(fold, records_of([ClockMark(START_MS + DAY + HOUR, 0)], first_offset=6))
    interval = fold.seal()
    assert (said_in(interval), asked_in(interval)) == ([], [])
    run_through(fold, records_of([granted(1, granted=1)], first_offset=7))
    assert said_in(fold.seal()) == ["give sent", "news sent"]


def test_a_customer_who_can_not_be_woken_is_left_out_and_nobody_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fold, names = sharing_fold(), sorted(named(f"c{number}") for number in range(3))
    run_through(fold, records_of([viewed("p1", customer=one) for one in names], first_offset=5))
    fold.seal()
    (record,) = records_of([granted(1, granted=3)], first_offset=9)
    with monkeypatch.context() as broken:
        broken.setattr("streams.customer_fold.wake", lambda *_: 1 / 0)
        with pytest.raises(PoisonError) as poison:
            fold_through(fold, record, frozenset())
    assert poison.value.key == names[0].encode()
    fold.rollback()
    fold_through(fold, record, frozenset({poison.value.key}))
    assert said_in(fold.seal()) == ["give sent", "news sent"] * 2


def test_an_edition_says_its_budgets_to_the_purses() -> None:
    fold = sharing_fold()
    run_through(fold, records_of([adopt_playbook(2), adopt_playbook(3)], first_offset=5))
    [word] = asked_in(fold.seal())
    assert (word.budget, word.adoption, word.ahead) == (3, 2, False)
    # The one that could not be used is counted, for it is everywhere.
    assert fold.clock.adoptions == 3
