"""A partition and its slices: what is spent, asked, heard and given back; editions that come."""

from typing import Any

import msgspec
import pytest

from models import partition_budgets
from models.budget import Spending, available
from models.clock import DAY_MS
from models.coupon_words import BudgetAsked, CouponWord
from models.events import BudgetAnswered
from models.partition_budgets import Outcome
from models.partition_clock import PartitionClock, Share, copied
from models.playbook.offer import AmountOff, Budget
from models.view import View
from tests.builders import START_MS, view_at

KEY = "$coupons:ten"
MONTH_MS = 30 * DAY_MS


def view(partitions: int = 4) -> View:
    clock = PartitionClock(now_ms=START_MS, adoptions=1)
    return view_at(partition=2, partitions=partitions, clock=clock)


def spend(at: View, cents: int = 0, now_ms: int = START_MS, **budget: Any) -> Outcome:
    return partition_budgets.spend(at, "ten", Budget(**budget), cents, now_ms)


def hear(at: View, key: str = KEY, **said: Any) -> list[CouponWord]:
    answer = BudgetAnswered(key, **({"number": 1, "adoption": 1} | said))
    return partition_budgets.hear(at.clock, 2, answer)


def events_of(words: Any) -> list[BudgetAsked]:
    found = [one.event for one in words]
    assert all(isinstance(one, BudgetAsked) for one in found)
    return found


def test_a_partition_that_is_alone_has_all_of_the_budget_and_asks_nobody() -> None:
    alone = view(partitions=1)
    found = [spend(alone, coupons=2, most_cents=900, cents=400) for _ in range(3)]
    assert found == [Outcome(Spending.SPENT), Outcome(Spending.SPENT), Outcome(Spending.OUT)]
    assert spend(alone, coupons=9, most_cents=900, cents=101) == Outcome(Spending.OUT)
    assert spend(alone, coupons=9, most_cents=900, cents=100) == Outcome(Spending.SPENT)


def test_what_is_lacking_is_asked_for_once_and_spent_when_it_is_granted() -> None:
    at = view()
    first = spend(at, coupons=5)
    assert (first.spending, first.waits_for) == (Spending.WAIT, KEY)
    assert events_of(first.words) == [
        BudgetAsked(START_MS, partition=2, budget=5, adoption=1, wanted=1)
    ]
    assert spend(at, coupons=5) == Outcome(Spending.WAIT, KEY)
    assert hear(at, granted=1) == []
    assert at.clock.woken == [KEY]
    spent = spend(at, coupons=5)
    assert spent.spending is Spending.SPENT
    # That was the last one, so the next is asked for ahead of need.
    assert [(one.wanted, one.ahead) for one in events_of(spent.words)] == [(1, True)]
    assert spend(at, coupons=5).spending is Spending.WAIT


def test_a_coupon_that_costs_more_than_all_of_the_budget_asks_nobody() -> None:
    assert spend(view(), most_cents=500, cents=501) == Outcome(Spending.OUT)
    assert spend(view(), coupons=0) == Outcome(Spending.OUT)


def test_of_both_kinds_all_is_spent_or_nothing() -> None:
    at = view()
    both = spend(at, cents=300, coupons=5, most_cents=900)
    assert [one.key for one in both.words] == ["$cents:ten", KEY]
    assert both.waits_for == "$cents:ten"
    hear(at, "$cents:ten", granted=300)
    assert spend(at, cents=300, coupons=5, most_cents=900) == Outcome(Spending.WAIT, KEY)
    assert [share.spent for share in at.clock.slices.values()] == [0, 0]
    hear(at, granted=1)
    assert spend(at, cents=300, coupons=5, most_cents=900).spending is Spending.SPENT
    assert [share.spent for share in at.clock.slices.values()] == [300, 1]


def test_what_the_purse_has_not_got_is_refused() -> None:
    at = view()
    spend(at, coupons=5)
    hear(at, granted=0, short=1, scarce=True)
    assert spend(at, coupons=5) == Outcome(Spending.OUT)
    hear(at, granted=0, short=3, number=2, scarce=True)
    assert spend(at, coupons=5).spending is Spending.WAIT


def test_a_call_for_returns_is_answered_after_those_who_wait_have_decided() -> None:
    at = view()
    at.clock.slices[KEY] = Share(granted=5, spent=2, budget=9)
    assert hear(at, granted=5, number=0, recall=1) == []
    assert available(at.clock.slices[KEY]) == 3
    [word] = events_of(partition_budgets.rest(at.clock, 2, KEY, is_idle=False))
    assert (word.returned, word.recall) == (3, 1)
    assert partition_budgets.rest(at.clock, 2, KEY, is_idle=False) == []


def test_what_is_left_when_little_is_there_goes_back_once_nobody_waits() -> None:
    at = view()
    at.clock.slices[KEY] = Share(granted=5, spent=4, wanted=7, budget=9, scarce=True)
    assert partition_budgets.rest(at.clock, 2, KEY, is_idle=False) == []
    [word] = events_of(partition_budgets.rest(at.clock, 2, KEY, is_idle=True))
    assert (word.returned, word.wanted) == (1, 7)
    assert partition_budgets.rest(at.clock, 2, KEY, is_idle=True) == []
    at.clock.slices[KEY].scarce = False
    at.clock.slices[KEY].granted = 9
    assert partition_budgets.rest(at.clock, 2, KEY, is_idle=True) == []


def adopt(at: View, **budget: Any) -> list[BudgetAsked]:
    at.clock.adoptions += 1
    terms = {"ten": AmountOff(amount_cents=500, budget=Budget(**budget) if budget else None)}
    return events_of(partition_budgets.adopt(at.clock, terms, 2, at.partitions))


def test_an_edition_tells_the_purses_and_asks_ahead_only_for_news() -> None:
    at = view()
    told = adopt(at, coupons=5, most_cents=900)
    assert [(one.budget, one.adoption, one.opened, one.ahead) for one in told] == [
        (900, 2, 112, False),
        (5, 2, 0, False),
    ]
    again = adopt(at, coupons=5, most_cents=800)
    assert [(one.budget, one.adoption, one.ahead) for one in again] == [
        (800, 3, True),
        (5, 3, False),
    ]
    assert adopt(at) == []
    assert adopt(view(partitions=1), coupons=5) == []


def test_of_a_budget_that_was_cut_everything_unspent_goes_back() -> None:
    at = view()
    at.clock.slices[KEY] = Share(granted=5, spent=2, budget=9, short=4)
    [word] = adopt(at, coupons=8)
    assert word.returned == 3
    assert at.clock.slices[KEY].short == 0
    at.clock.slices[KEY] = Share(granted=5, spent=2, budget=8, short=4)
    [word] = adopt(at, coupons=9)
    assert (word.returned, at.clock.slices[KEY].short) == (0, 0)


def test_an_edition_wakes_those_who_wait_whatever_it_says_of_their_budget() -> None:
    at = view()
    spend(at, coupons=5)
    assert adopt(at) == []
    assert at.clock.woken == [KEY]


def test_what_was_granted_for_an_edition_that_is_over_goes_back() -> None:
    at = view()
    spend(at, coupons=5)
    adopt(at, coupons=3)
    [word] = events_of(hear(at, granted=2, adoption=1))
    assert (word.returned, word.wanted, word.budget) == (2, 1, 3)
    assert hear(at, granted=2, number=2, short=1, adoption=1) == []
    assert spend(at, coupons=3).spending is Spending.WAIT


def test_each_period_has_a_purse_and_only_the_last_two_are_remembered() -> None:
    at, start_ms = view(), START_MS - START_MS % MONTH_MS
    found = [
        spend(at, coupons=5, per_ms=MONTH_MS, now_ms=start_ms + months * MONTH_MS)
        for months in (0, 1, 0, 2, 0)
    ]
    assert {one.waits_for for one in found} == {f"{KEY}:{MONTH_MS}"}
    keys = [key for one in found for key in (word.key for word in one.words)]
    assert keys == [f"{KEY}:{MONTH_MS}:{start_ms + months * MONTH_MS}" for months in (0, 1, 2)]
    assert list(at.clock.slices) == keys[1:]
    # The first period is forgotten: whatever is called for of it counts as spent.
    [word] = events_of(hear(at, keys[0], granted=3, recall=4, opening=2))
    assert (word.wanted, word.returned, word.recall, word.opened) == (0, 0, 4, 2)
    assert hear(at, keys[0], granted=3) == []
    assert list(at.clock.slices) == keys[1:]


def test_half_an_equal_share_is_spent_without_asking() -> None:
    at = view()
    found = [spend(at, coupons=40) for _ in range(6)]
    assert [one.spending for one in found] == [Spending.SPENT] * 5 + [Spending.WAIT]
    asked = [
        (at, word.ahead, word.opened)
        for at, one in enumerate(found)
        for word in events_of(one.words)
    ]
    assert asked == [(2, True, 5), (5, False, 5)]


@pytest.mark.parametrize("per", ["", f":{MONTH_MS}:{START_MS - START_MS % MONTH_MS}"])
def test_what_was_not_begun_is_given_back_when_it_is_called_for(per: str) -> None:
    at = view()
    [word] = events_of(hear(at, f"{KEY}{per}", granted=0, number=0, recall=1, opening=5))
    assert (word.opened, word.returned, word.recall, word.wanted) == (5, 5, 1, 0)
    terms = {"coupons": 40, "per_ms": MONTH_MS if per else None}
    assert spend(at, **terms).spending is Spending.WAIT
    assert hear(at, f"{KEY}{per}", granted=5, number=0, recall=1, opening=5) == []


def test_a_period_is_not_opened_before_there_is_a_time() -> None:
    at = view()
    at.clock.now_ms = 0
    assert adopt(at, coupons=5, per_ms=MONTH_MS) == []
    assert at.clock.slices == {}


@pytest.mark.parametrize("per", ["", f":{MONTH_MS}"])
def test_both_purses_of_an_offer_are_found_from_one(per: str) -> None:
    both = partition_budgets.both_of(f"{KEY}{per}")
    assert both == (f"$cents:ten{per}", f"{KEY}{per}")


def test_slices_are_the_same_after_they_were_written_down_and_a_copy_has_its_own() -> None:
    at = view()
    spend(at, coupons=5)
    hear(at, granted=3)
    clock = at.clock
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(clock), type=PartitionClock) == clock
    own = copied(clock)
    own.slices[KEY].spent += 1
    own.woken.clear()
    assert (clock.slices[KEY].spent, clock.woken) == (0, [KEY])
