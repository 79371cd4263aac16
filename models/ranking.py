"""How candidates for a recommendation are weighed against each other: features and their weights.

The score is linear in features that a shop's own learner weighs (models/ranking_learner.py); before
it has learned, PRIOR does. Which features, and what each is worth: ARCHITECTURE.md.
"""

from functools import lru_cache
from itertools import islice
from math import isfinite, log
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from models import item_knowledge
from models.clock import DAY_MS
from models.hazard import BadSnapshot
from models.item_knowledge import (
    COLUMNS,
    COMPETING_NEIGHBOURS,
    INTERVAL,
    LEAST_MIXTURE,
    LOG_PRICE,
    LOG_SHARE,
    POPULAR_ITEMS,
    REGULAR,
    SELLER,
    SHARE,
    ItemKnowledge,
    shared_of,
)
from models.item_memory import (
    CARTED,
    FIRST_DAY,
    LAST_DAY,
    ONE,
    RECORD_BYTES,
    TIMES,
    VIEWED,
    WEIGHT,
    WISHED,
    ItemMemory,
    Sheet,
    joint_sheet,
    scale,
    sheet_of,
)

PRIOR = {
    "mixture": 0.6,
    "popularity": 0.3,
    "trend": 0.6,
    "together": 0.0,
    "category": 0.1,
    "price": -0.1,
    "own": 0.5,
    "habit": 0.1,
    "due": 0.15,
    "silence": -0.05,
    "times": 0.8,
    "due_squared": -0.08,
    "regular": 0.2,
    "wanted": 1.0,
}
"""What a feature is worth before anything was learned."""
FEATURES = tuple(PRIOR)
ANCHORS = 6
NEAR_AN_ANCHOR = 18
FEW_ITEMS = 24
FORESIGHT_DAYS = 4_000
_TOGETHER_SHARE = 0.03
_TOGETHER_PRIOR = 20.0
_HABIT_PRIOR = 10.0
_LEAST_ORDERS = 1e-9
_WISH_RATE = 0.1
# Added to a feature before its logarithm: what is as good as nothing.
_LEAST_TOGETHER = 1e-2
_DRAWN = np.array(_TOGETHER_SHARE)
# What nothing is bought with, or what is of no category.
_NEUTRAL = log(_LEAST_TOGETHER)
# An item is bought again after a day at least, and was bought today at the latest: with the one
# that is added. Numbers that are arrays need not be made arrays by each call.
_LEAST_GAP, _LEAST_SILENCE = np.array(log(2.0)), np.array(1.0)

# What a Board computes, in its rows: of a record, of every other candidate, of both.
_OWN = ("mixture", "silence", "times", "gap", "due_squared", "own", "habit", "wanted")
_OTHERS = ("mixture", "popularity", "trend")
_TIES = ("together", "category", "price")
MIXTURE, SILENCE, _COUNT, GAP, _SQUARE, _MINE, _HABIT, _WANTED = range(len(_OWN))
POPULARITY, TREND = _OTHERS.index("popularity"), _OTHERS.index("trend")
CATEGORY = _TIES.index("category")
_OWN_END = len(_OWN)
_TABLE_END = _OWN_END + len(COLUMNS)
_OTHERS_END = _TABLE_END + len(_OTHERS)


def _parts() -> NDArray[np.float64]:
    """Say what each of FEATURES is made of: a column a feature, a row for each row of a Board."""
    parts = np.zeros((_OTHERS_END + len(_TIES), len(FEATURES)))
    table = {"popularity": LOG_SHARE, "trend": item_knowledge.TREND, "regular": REGULAR}
    for at, name in enumerate(FEATURES):
        for names, begin in ((_OWN, 0), (_OTHERS, _TABLE_END), (_TIES, _OTHERS_END)):
            if name in names:
                parts[begin + names.index(name), at] = 1.0
        if name in table:
            parts[_OWN_END + table[name], at] = 1.0
    # Both are logarithms, of so many times its usual gap an item has been silent.
    parts[SILENCE, FEATURES.index("due")] = 1.0
    parts[GAP, FEATURES.index("due")] = -1.0
    return parts


_PARTS = _parts()


def _steps() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Say how the rows of a Board begin: of a sheet's numbers and of the table, before logarithms.

    The gap begins as the days, in the row beneath stands by what they are to be divided.
    """
    of_sheet, of_table = np.zeros((_WANTED, 6)), np.zeros((_WANTED, len(COLUMNS)))
    of_sheet[MIXTURE, ONE], of_table[MIXTURE, SHARE] = LEAST_MIXTURE, 1.0
    of_sheet[SILENCE, LAST_DAY] = -1.0
    of_sheet[_COUNT, [ONE, TIMES]] = 1.0
    of_sheet[GAP, [LAST_DAY, FIRST_DAY, TIMES]] = 1.0, -1.0, 1.0
    of_table[GAP, INTERVAL] = 1.0
    of_sheet[_SQUARE, TIMES] = 1.0
    of_sheet[_MINE, ONE] = 1.0
    return of_sheet, of_table


_OF_SHEET, _OF_TABLE = _steps()


class Worth(NamedTuple):
    """What each row of a Board is worth."""

    own: NDArray[np.float64]
    own_unwanted: NDArray[np.float64]
    table: NDArray[np.float64]
    others: NDArray[np.float64]
    ties: NDArray[np.float64]


@lru_cache(maxsize=8)
def _worth(weights: bytes) -> Worth:
    worth = _PARTS.dot(np.frombuffer(weights))
    own = worth[:_OWN_END]
    return Worth(
        own,
        own[:_WANTED],
        worth[_OWN_END:_TABLE_END],
        worth[_TABLE_END:_OTHERS_END],
        worth[_OTHERS_END:],
    )


class RankingSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """What the learner knew at the end of log day `trained_to_day`; version 0 knows nothing.

    `weights` go with FEATURES.
    """

    version: int = 0
    trained_to_day: int = 0
    lessons: int = 0
    weights: tuple[float, ...] = tuple(PRIOR.values())


NOTHING_LEARNED = RankingSnapshot()


def check(snapshot: RankingSnapshot) -> None:
    """Raise BadSnapshot for what would make rankings meaningless."""
    weights = snapshot.weights
    if len(weights) != len(FEATURES):
        raise BadSnapshot(f"weights: {len(weights)} numbers, expected {len(FEATURES)}")
    if not all(isfinite(one) for one in weights):
        raise BadSnapshot("weights: a number is not finite")
    if not any(weights):
        raise BadSnapshot("weights: all are zero, every item would be as good as any other")


class Board(NamedTuple):
    """Candidates: first the customer's own records, in their order, then others.

    Of those are all best sellers, remembered or not: where they are, the second is no candidate
    (`doubles`). `own` are rows of what speaks for each record, beside its row of the table, `rows`;
    `shared` of what speaks for each of the others, `ties` for all, where they differ in it. The
    FEATURES are sums of these rows (`_parts`), so that none is computed that is not needed.
    `sheet` are the records, `anchors` the places of what others were drawn in by, where it was
    looked up; where all are alike in the last rows of `ties`, they are not there.
    """

    mine: NDArray[Any]
    others: NDArray[np.intp]
    own: NDArray[np.float64]
    rows: NDArray[np.float64]
    shared: NDArray[np.float64]
    ties: NDArray[np.float64] | None
    sheet: Sheet
    anchors: list[int]

    def scores(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Weigh the candidates, by weights that go with FEATURES."""
        worth, count = _worth(weights.tobytes()), len(self.mine)
        scores = np.empty(count + len(self.others))
        mine = scores[:count]
        self.rows.dot(worth.table, out=mine)
        mine += (worth.own_unwanted if len(self.own) == _WANTED else worth.own).dot(self.own)
        worth.others.dot(self.shared, out=scores[count:])
        if self.ties is not None:
            scores += worth.ties[: len(self.ties)].dot(self.ties)
        return scores

    def expected(self, chances: NDArray[np.float64]) -> NDArray[np.float64]:
        """Give the mean of the FEATURES, each candidate weighed by its chance.

        Those of `ties` are 0 where they are the same for all.
        """
        count = len(self.mine)
        mine, means = chances[:count], np.zeros(len(_PARTS))
        means[: len(self.own)] = self.own.dot(mine)
        means[_OWN_END:_TABLE_END] = mine.dot(self.rows)
        means[_TABLE_END:_OTHERS_END] = self.shared.dot(chances[count:])
        if self.ties is not None:
            means[_OTHERS_END : _OTHERS_END + len(self.ties)] = self.ties.dot(chances)
        found: NDArray[np.float64] = means.dot(_PARTS)
        return found

    @property
    def places(self) -> NDArray[np.intp]:
        """Places of all candidates."""
        return np.concatenate((self.mine, self.others))

    @property
    def doubles(self) -> NDArray[np.intp]:
        """Which candidates are best sellers that are among the records too."""
        sellers = self.rows[:, SELLER]
        return sellers[sellers < POPULAR_ITEMS].astype(np.intp) + len(self.mine)


def board(
    memory: ItemMemory, knowledge: ItemKnowledge, at_ms: int, *, exploring: bool = False
) -> Board:
    """Gather a customer's candidates at that time and what speaks for each.

    What goes with the customer's items is looked up when `exploring`, or when they are few: next to
    many of the customer's own it was never worth its weight.
    Few calls over whole columns: at these lengths a call costs more than what it computes.
    """
    at_ms = _within_reach(at_ms, memory, knowledge)
    sheet = sheet_of(memory)
    mine, met = knowledge.find(sheet.refs)
    if met is not None:
        mine, sheet = mine[met], sheet.only(met)
    rows, sellers = knowledge.table.take(mine, axis=0, mode="clip"), knowledge.best_sellers
    own = _begun(memory, sheet, rows, at_ms // DAY_MS)
    others, other_rows, shared, _ = sellers
    anchors, ties = list[int](), None
    if len(mine) < FEW_ITEMS or exploring:
        neighbours = COMPETING_NEIGHBOURS if exploring else NEAR_AN_ANCHOR
        anchors, strengths = _pull(memory, sheet.weights, mine, knowledge, at_ms, neighbours)
        if strengths:
            near, together = _together(mine, sellers.listed, strengths)
            others = np.concatenate((others, near))
            near_rows = knowledge.table.take(near, axis=0, mode="clip")
            other_rows = np.concatenate((other_rows, near_rows))
            drawn = together * _DRAWN
            own[MIXTURE] += drawn[: len(mine)]
            shared = shared_of(other_rows, drawn[len(mine) :])
            ties = np.log(together + _LEAST_TOGETHER)[np.newaxis]
    own = _speak_for(own, sheet, rows, at_ms // DAY_MS)
    if knowledge.is_priced or len(knowledge.categories) > 1:
        ties = _ties(sheet.weights, rows, other_rows, ties, knowledge)
    return Board(mine, others, own, rows, shared, ties, sheet, anchors)


def boards(asked: list[tuple[ItemMemory, int]], knowledge: ItemKnowledge) -> list[Board | None]:
    """Gather the candidates of many, each at a time of its own, in a few calls for all.

    None where one must be asked alone (`board`): who knows few items, or one that the shop doesn't.
    """
    if not knowledge.facts:
        return [None] * len(asked)
    memories = [memory for memory, _ in asked]
    counts = [len(memory.records) // RECORD_BYTES for memory in memories]
    sheet = joint_sheet(memories)
    mine, met = knowledge.find(sheet.refs)
    if met is None:
        met = np.ones(len(mine), np.bool_)
    rows = knowledge.table.take(mine, axis=0, mode="clip")
    single = [
        (
            1.0 / max(memory.orders, _LEAST_ORDERS),
            _within_reach(at_ms, memory, knowledge) // DAY_MS,
            _habit(memory),
        )
        for memory, at_ms in asked
    ]
    per_order, today, habit = np.array(single).reshape(-1, 3).repeat(counts, axis=0).T
    own = _OF_SHEET.dot(sheet.numbers.T)
    own += _OF_TABLE.dot(rows.T)
    own[MIXTURE] += sheet.weights * per_order
    own[SILENCE] += today + 1.0
    own[_HABIT] = habit
    own = _speak_for(own, sheet, rows, today)
    found: list[Board | None] = []
    end = 0
    for count in counts:
        begin, end = end, end + count
        if count < FEW_ITEMS or not met[begin:end].all():
            found.append(None)
            continue
        others, other_rows, shared, _ = knowledge.best_sellers
        part, its_rows, ties = sheet.part(begin, end), rows[begin:end], None
        if knowledge.is_priced or len(knowledge.categories) > 1:
            ties = _ties(part.weights, its_rows, other_rows, None, knowledge)
        its_own = own[:, begin:end]
        found.append(Board(mine[begin:end], others, its_own, its_rows, shared, ties, part, []))
    return found


def _begun(
    memory: ItemMemory, sheet: Sheet, rows: NDArray[np.float64], today: int
) -> NDArray[np.float64]:
    """Add up what speaks for each record as far as it is sums: two products instead of many."""
    of_sheet = _OF_SHEET.copy()
    of_sheet[MIXTURE, WEIGHT] = 1.0 / max(memory.orders, _LEAST_ORDERS)
    of_sheet[SILENCE, ONE] = today + 1.0
    of_sheet[_HABIT, ONE] = _habit(memory)
    own: NDArray[np.float64] = of_sheet.dot(sheet.numbers.T)
    own += _OF_TABLE.dot(rows.T)
    return own


def _speak_for(
    own: NDArray[np.float64],
    sheet: Sheet,
    rows: NDArray[np.float64],
    today: int | NDArray[np.float64],
) -> NDArray[np.float64]:
    """Go on from sums to what speaks for each record."""
    silence, gap, square = own[SILENCE], own[GAP], own[_SQUARE]
    if not sheet.all_bought:
        np.maximum(square, _LEAST_SILENCE, out=square)
    np.maximum(silence, _LEAST_SILENCE, out=silence)
    logarithms = own[:_MINE].ravel()
    np.log(logarithms, out=logarithms)
    gap -= square
    np.maximum(gap, _LEAST_GAP, out=gap)
    np.subtract(silence, gap, out=square)
    square *= square
    if not sheet.all_bought:
        bought = sheet.times > 0.0
        own[SILENCE:] *= bought
        rows[:, REGULAR] *= bought
    return np.vstack((own, _wishes(sheet, today))) if sheet.any_marked else own


def _ties(
    weights: NDArray[np.float64],
    rows: NDArray[np.float64],
    other_rows: NDArray[np.float64],
    together: NDArray[np.float64] | None,
    knowledge: ItemKnowledge,
) -> NDArray[np.float64]:
    """How near all candidates are to what the customer buys: by orders, category and price."""
    both = np.concatenate((rows, other_rows))
    ties = np.empty((len(_TIES), len(both)))
    ties[0] = _NEUTRAL if together is None else together[0]
    if len(knowledge.categories) > 1:
        categories = both[:, item_knowledge.CATEGORY].astype(np.intp)
        ties[1] = _category_shares(weights, categories, len(knowledge.categories))
    else:
        ties[1] = _NEUTRAL
    ties[2] = _price_distances(weights, both[:, LOG_PRICE]) if knowledge.is_priced else 0.0
    return ties


def _within_reach(at_ms: int, memory: ItemMemory, knowledge: ItemKnowledge) -> int:
    """Keep the question's time where weights can be told: not before the landmarks, nor ages on."""
    latest_day = max(memory.landmark_day, knowledge.shop.landmark_day)
    return min(max(at_ms, latest_day * DAY_MS), (latest_day + FORESIGHT_DAYS) * DAY_MS)


def _pull(
    memory: ItemMemory,
    weights: NDArray[np.float64],
    mine: NDArray[Any],
    knowledge: ItemKnowledge,
    at_ms: int,
    neighbours: int,
) -> tuple[list[int], dict[int, float]]:
    """Look up what goes with the items that the customer bought most of late: the anchors.

    Gives their places, and how strongly each item is drawn in.
    """
    if len(mine) > ANCHORS:
        most = weights.argpartition(-ANCHORS)[-ANCHORS:]
        mine, weights = mine[most], weights[most]
    anchors, strengths = mine.tolist(), dict[int, float]()
    known_of, order_weight = strengths.get, scale(memory, at_ms)
    prior = _TOGETHER_PRIOR * knowledge.scales(at_ms)[0]
    for anchor, weight in zip(anchors, weights.tolist(), strict=True):
        share = weight / ((knowledge.popularity(anchor) + prior) * order_weight)
        near = knowledge.goes_with(anchor).items()
        for other, together in near if len(near) <= neighbours else islice(near, neighbours):
            strengths[other] = known_of(other, 0.0) + together * share
    return anchors, strengths


def _together(
    mine: NDArray[Any], sellers: list[int], strengths: dict[int, float]
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Places of what is drawn in and neither remembered nor a best seller; how strongly all are.

    Empties `strengths` of the others.
    """
    take = strengths.pop
    drawn = [take(place, 0.0) for place in mine.tolist()]
    # A best seller that is remembered counts as what it is there (Board.doubles).
    drawn += [take(place, 0.0) for place in sellers]
    near = np.fromiter(strengths, np.intp, len(strengths))
    drawn += strengths.values()
    return near, np.array(drawn)


def _category_shares(
    weights: NDArray[np.float64], category: NDArray[np.intp], categories: int
) -> NDArray[np.float64]:
    """Share of the customer's purchases that each candidate's category has, as a logarithm."""
    bought = np.bincount(category[: len(weights)], weights)
    whole = float(weights.sum())
    shares = np.zeros(categories)
    shares[: len(bought)] = bought * (1.0 / max(whole, _LEAST_ORDERS))
    shares[0] = 0.0
    found: NDArray[np.float64] = shares.take(category)
    found += _LEAST_TOGETHER
    return np.log(found, out=found)


def _wishes(sheet: Sheet, today: int | NDArray[np.float64]) -> NDArray[np.float64]:
    """How much each item is wanted: as long as a wish or cart is open, a look for some days."""
    marks = np.frombuffer(sheet.marks, np.uint8)
    held = (marks & (CARTED | WISHED)) > 0
    looked = np.exp((sheet.last_day - today) * _WISH_RATE) * ((marks & VIEWED) > 0)
    return np.where(sheet.times == 0.0, np.maximum(held, looked), held)


def _price_distances(
    weights: NDArray[np.float64], prices: NDArray[np.float64]
) -> NDArray[np.float64] | float:
    """How many times dearer or cheaper than usual for the customer, as a logarithm."""
    paid = prices[: len(weights)]
    whole = float(weights @ (paid > 0.0))
    if whole <= 0.0:
        return 0.0
    distances: NDArray[np.float64] = np.abs(prices - float(weights @ paid) / whole)
    return distances * (prices > 0.0)


def _habit(memory: ItemMemory) -> float:
    """Log odds that a line of this customer's is a repeat, from none known to even."""
    half = _HABIT_PRIOR / 2
    return log((memory.repeats + half) / (memory.lines - memory.repeats + half))
