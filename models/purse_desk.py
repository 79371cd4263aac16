"""The purses of offers: what a partition says of its slice, and what every partition hears of it.

A purse is a row of topic `coupons`; a partition asks under its key (models/coupon_words.py) and
reads the answer in its own part of the log (models/partition_budgets.py). How much there is says
whoever has come to the newest edition.
"""

from typing import NamedTuple

from models import budget
from models.budget import Answers, Asked, Purse
from models.coupon_words import BudgetAsked
from models.events import BudgetAnswered


class PurseRow(Purse, array_like=True):
    """A purse, and the newest adoption that anybody who asked had come to."""

    adoption: int = -1


class Said(NamedTuple):
    """A record for one partition of the log."""

    partition: int
    record: BudgetAnswered


def hear(row: PurseRow, key: str, asked: BudgetAsked, partitions: int) -> list[Said]:
    """Take a partition's word into the row; what is said to whom."""
    row.partitions = partitions
    before = Answers([])
    if asked.adoption > row.adoption:
        row.adoption = asked.adoption
        if asked.budget != row.budget:
            # Who was not heard of yet may have begun under a former edition.
            row.opening = max(row.opening, budget.opening(asked.budget, partitions))
            before = budget.refill(row, asked.budget)
    after = budget.answer(row, _totals(asked))
    told = [
        Said(
            one.partition,
            BudgetAnswered(
                purse=key,
                granted=one.granted,
                number=one.number,
                short=one.short,
                scarce=row.scarce,
                adoption=row.adoption,
            ),
        )
        for one in [*before.granted, *after.granted]
    ]
    called = max(before.recall, after.recall)
    return [*told, *_called(row, key, called)] if called else told


def _totals(asked: BudgetAsked) -> Asked:
    return Asked(
        asked.partition,
        asked.wanted,
        asked.returned,
        asked.recall,
        ahead=asked.ahead,
        opened=asked.opened,
    )


def _called(row: PurseRow, key: str, recall: int) -> list[Said]:
    return [
        Said(
            partition,
            BudgetAnswered(
                purse=key,
                granted=row.accounts[partition].granted if partition in row.accounts else 0,
                recall=recall,
                scarce=True,
                adoption=row.adoption,
                opening=row.opening,
            ),
        )
        for partition in range(row.partitions)
    ]
