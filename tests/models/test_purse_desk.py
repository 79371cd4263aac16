"""Purses: who hears what, and whose word on the budget counts."""

import msgspec

from models import purse_desk
from models.budget import left, outstanding
from models.coupon_words import BudgetAsked
from models.events import BudgetAnswered
from models.purse_desk import PurseRow, Said

KEY = "$coupons:ten"
PARTITIONS = 4


def asks(row: PurseRow, partition: int, wanted: int = 0, **more: int | bool) -> list[Said]:
    told = {"budget": 100, "adoption": 1, "returned": 0, "recall": 0, "ahead": False} | more
    word = BudgetAsked(at_ms=5, partition=partition, wanted=wanted, **told)  # type: ignore[arg-type]
    return purse_desk.hear(row, KEY, word, PARTITIONS)


def test_the_first_word_says_how_much_there_is_and_its_wish_is_granted() -> None:
    row = PurseRow()
    [said] = asks(row, 2, 3)
    # Each of the others has begun with twelve of its own.
    answer = BudgetAnswered(KEY, granted=3 + (100 - 36 - 3) // 32, number=1, adoption=1)
    assert said == Said(2, answer)
    assert (row.budget, row.adoption, row.partitions) == (100, 1, PARTITIONS)
    assert (row.opening, left(row)) == (12, 100 - 36 - 4)


def test_a_partition_that_asks_ahead_gets_some_while_there_is_plenty() -> None:
    row = PurseRow()
    [said] = asks(row, 0, ahead=True, opened=12)
    assert said.record.granted == 12 + 52 // 32
    assert outstanding(row) == 13


def test_of_little_nothing_is_given_ahead_of_need() -> None:
    row = PurseRow()
    assert [asks(row, partition, budget=7, ahead=True) for partition in range(4)] == [[]] * 4
    [said] = asks(row, 3, 1, budget=7)
    assert (said.partition, said.record.granted) == (3, 1)


def test_the_newest_edition_counts_whoever_comes_late() -> None:
    row = PurseRow()
    asks(row, 0, 1, budget=1, adoption=2)
    asks(row, 1, 0, budget=50, adoption=1)
    assert (row.budget, row.adoption) == (1, 2)
    # An edition may have the budget as it was: nothing is said anew then.
    assert asks(row, 1, 0, budget=1, adoption=3) == []
    assert (row.budget, row.adoption) == (1, 3)


def test_what_nobody_can_be_given_is_called_back_from_all_and_then_refused() -> None:
    row = PurseRow()
    asks(row, 0, 2, budget=2)
    called = asks(row, 1, 1, budget=2)
    assert [(one.partition, one.record.recall, one.record.scarce) for one in called] == [
        (partition, 1, True) for partition in range(PARTITIONS)
    ]
    assert asks(row, 1, 1, budget=2, recall=1) == []
    [refused] = asks(row, 0, 2, budget=2, recall=1)
    assert (refused.partition, refused.record.granted, refused.record.short) == (1, 0, 1)


def test_what_others_may_have_begun_with_before_a_cut_is_counted_until_they_are_heard() -> None:
    row = PurseRow()
    asks(row, 0, opened=12)
    said = asks(row, 0, 13, budget=20, adoption=2, opened=12)
    assert [one.record.recall for one in said] == [0, 1, 1, 1, 1]
    assert asks(row, 0, 13, budget=20, adoption=2, opened=12, recall=1) == []
    for partition in (1, 2):
        more = {"budget": 20, "adoption": 2, "opened": 12, "returned": 12}
        assert asks(row, partition, recall=1, **more) == []
    # The last one has spent four of its twelve; one more makes thirteen and four.
    [granted] = asks(row, 3, budget=20, adoption=2, opened=12, returned=8, recall=1)
    assert (granted.partition, granted.record.granted) == (0, 13)


def test_nothing_is_refused_before_all_have_given_back_what_they_began_with() -> None:
    row = PurseRow()
    called = asks(row, 0, 70, opened=12)
    assert [(one.record.recall, one.record.opening) for one in called] == [(1, 12)] * 4
    assert called[0].record.granted == 12
    for partition in (0, 1, 2):
        assert asks(row, partition, 70 * (partition == 0), opened=12, recall=1) == []
    [granted] = asks(row, 3, opened=12, returned=12, recall=1)
    assert (granted.partition, granted.record.granted, granted.record.scarce) == (0, 70, True)


def test_who_was_refused_hears_of_what_comes_back_and_of_a_larger_budget() -> None:
    row = PurseRow()
    asks(row, 0, 2, budget=2)
    asks(row, 1, 1, budget=2)
    asks(row, 1, 1, budget=2, recall=1)
    asks(row, 0, 2, budget=2, recall=1)
    [news] = asks(row, 0, 2, budget=2, recall=1, returned=1)
    assert (news.partition, news.record.short) == (1, 2)
    raised = asks(row, 0, 2, budget=9, adoption=2, recall=1, returned=1)
    assert {(one.partition, one.record.short, one.record.scarce) for one in raised} == {
        (0, 0, False),
        (1, 0, False),
    }


def test_a_row_is_the_same_after_it_was_written_down() -> None:
    row = PurseRow()
    asks(row, 0, 2, budget=2)
    asks(row, 1, 1, budget=2)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(row), type=PurseRow) == row
