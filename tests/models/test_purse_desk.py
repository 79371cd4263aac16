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
    answer = BudgetAnswered(KEY, granted=3 + 97 // 32, number=1, adoption=1)
    assert said == Said(2, answer)
    assert (row.budget, row.adoption, row.partitions) == (100, 1, PARTITIONS)


def test_a_partition_that_opens_gets_a_part_ahead_of_need_while_there_is_plenty() -> None:
    row = PurseRow()
    first = [asks(row, partition, ahead=True)[0].record.granted for partition in range(4)]
    assert first == [100 // 8, 88 // 8, 77 // 8, 68 // 8]
    # Later gifts are smaller.
    assert asks(row, 0, ahead=True)[0].record.granted == first[0] + left(PurseRow(60)) // 32
    assert outstanding(row) < 50


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
        (0, 1, True),
        (1, 1, True),
    ]
    assert asks(row, 1, 1, budget=2, recall=1) == []
    [refused] = asks(row, 0, 2, budget=2, recall=1)
    assert (refused.partition, refused.record.granted, refused.record.short) == (1, 0, 1)


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
