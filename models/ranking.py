"""How candidates for a recommendation are weighed against each other: features and their weights.

The score is linear in features that a shop's own learner weighs (models/ranking_learner.py); before
it has learned, PRIOR does. Which features, and what each is worth: ARCHITECTURE.md.
"""

from itertools import islice
from math import isfinite, log
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.clock import DAY_MS
from models.hazard import BadSnapshot
from models.item_knowledge import (
    CATEGORY,
    COMPETING_NEIGHBOURS,
    INTERVAL,
    LOG_PRICE,
    LOG_SHARE,
    POPULAR_ITEMS,
    REGULAR,
    SELLER,
    SHARE,
    TREND,
    ItemKnowledge,
)
from models.item_memory import CARTED, VIEWED, WISHED, ItemMemory, Sheet, scale, sheet_of

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
SHARED = FEATURES.index("own")
"""So many features are of every candidate, the others of what the customer remembers alone."""
ANCHORS = 6
NEAR_AN_ANCHOR = 18
FEW_ITEMS = 24
FORESIGHT_DAYS = 4_000
_TOGETHER_SHARE = 0.03
_TOGETHER_PRIOR = 20.0
_HABIT_PRIOR = 10.0
_LEAST_ORDERS = 1e-9
_WISH_RATE = 0.1
# Added to the first feature before its logarithm: what is as good as nothing.
_LEAST_MIXTURE = 1e-4
_LEAST_TOGETHER = 1e-2
# What nothing is bought with, of no category and without a price.
_NEUTRAL = np.array([[log(_LEAST_TOGETHER)], [log(_LEAST_TOGETHER)], [0.0]])
# Items are bought again after a day at least, and were bought today at the latest.
_LEAST_DAYS = np.array([[1.0], [0.0]])
_ALL_SELLERS = np.ones(POPULAR_ITEMS + 1, np.bool_)


class Pull(NamedTuple):
    """What a customer's favourites draw in: their places, and how strongly each item is drawn."""

    anchors: list[int]
    strengths: dict[int, float]


_NO_PULL = Pull([], {})


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
    """Candidates, each once; the first are the customer's own records, in their order.

    `shared` has a row for each of the first SHARED of FEATURES and a column a candidate; `own` a
    row for each of the others and a column a record. `sheet` are those records, `anchors`
    the places of what others were drawn in by, where it was looked up.
    """

    places: NDArray[np.intp]
    shared: NDArray[np.float64]
    own: NDArray[np.float64]
    sheet: Sheet
    anchors: list[int]

    def scores(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Weigh the candidates, by weights that go with FEATURES."""
        scores: NDArray[np.float64] = np.dot(weights[:SHARED], self.shared)
        scores[: self.own.shape[1]] += np.dot(weights[SHARED:], self.own)
        return scores


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
    rows, own_count = knowledge.table.take(mine, axis=0), len(mine)
    pull = _NO_PULL
    if own_count and (exploring or own_count < FEW_ITEMS):
        neighbours = COMPETING_NEIGHBOURS if exploring else NEAR_AN_ANCHOR
        pull = _pull(scale(memory, at_ms), sheet.weights, mine, knowledge, at_ms, neighbours)
    others, other_rows = _others(mine, rows, pull, knowledge)
    places = np.concatenate((mine, others))

    shared = np.empty((SHARED, len(places)))
    mixture = shared[0]
    np.multiply(sheet.weights, 1.0 / max(memory.orders, _LEAST_ORDERS), out=mixture[:own_count])
    mixture[:own_count] += rows[:, SHARE]
    mixture[own_count:] = other_rows[:, SHARE]
    shared[1:3, :own_count] = rows.T[LOG_SHARE : TREND + 1]
    shared[1:3, own_count:] = other_rows.T[LOG_SHARE : TREND + 1]
    shared[3:] = _NEUTRAL
    if pull.strengths:
        strength = pull.strengths.get
        together = np.array([strength(one, 0.0) for one in places.tolist()])
        mixture += together * _TOGETHER_SHARE
        np.log(together + _LEAST_TOGETHER, out=shared[3])
    mixture += _LEAST_MIXTURE
    np.log(mixture, out=mixture)
    if len(knowledge.categories) > 1 or knowledge.is_priced:
        _take_to(shared, sheet.weights, np.concatenate((rows, other_rows)), knowledge)
    own = _own_features(memory, sheet, rows, at_ms // DAY_MS)
    return Board(places, shared, own, sheet, pull.anchors)


def _take_to(
    shared: NDArray[np.float64],
    weights: NDArray[np.float64],
    rows: NDArray[np.float64],
    knowledge: ItemKnowledge,
) -> None:
    """Fill in how near the candidates are to what the customer buys, by category and by price."""
    if len(knowledge.categories) > 1:
        shared[4] = _category_shares(weights, rows, len(knowledge.categories))
    if knowledge.is_priced:
        shared[5] = _price_distances(weights, rows)


def _own_features(
    memory: ItemMemory, sheet: Sheet, rows: NDArray[np.float64], today: int
) -> NDArray[np.float64]:
    """Give what speaks for each record: a row for each of the FEATURES after the shared."""
    last, times = sheet.last_day, sheet.times
    own = np.empty((len(FEATURES) - SHARED, len(rows)))
    own[0] = 1.0
    own[1] = _habit(memory)
    due, days, silence = own[2], own[2:4], own[3]
    np.subtract(last, sheet.first_day, out=due)
    due += rows[:, INTERVAL]
    due /= times if sheet.all_bought else np.maximum(times, 1.0)
    np.subtract(today, last, out=silence)
    np.maximum(days, _LEAST_DAYS, out=days)
    own[4] = times
    np.log1p(own[2:5], out=own[2:5])
    np.subtract(silence, due, out=due)
    np.multiply(due, due, out=own[5])
    own[6] = rows[:, REGULAR]
    if not sheet.all_bought:
        own[:7] *= times > 0.0
    own[7] = _wishes(sheet, today) if sheet.any_marked else 0.0
    return own


def _within_reach(at_ms: int, memory: ItemMemory, knowledge: ItemKnowledge) -> int:
    """Keep the question's time where weights can be told: not before the landmarks, nor ages on."""
    latest_day = max(memory.landmark_day, knowledge.shop.landmark_day)
    return min(max(at_ms, latest_day * DAY_MS), (latest_day + FORESIGHT_DAYS) * DAY_MS)


def _pull(
    order_weight: float,
    weights: NDArray[np.float64],
    mine: NDArray[np.intp],
    knowledge: ItemKnowledge,
    at_ms: int,
    neighbours: int,
) -> Pull:
    """Look up what goes with the items that the customer bought most of late."""
    if len(mine) > ANCHORS:
        most = np.argpartition(weights, -ANCHORS)[-ANCHORS:]
        mine, weights = mine[most], weights[most]
    anchors, strengths = mine.tolist(), dict[int, float]()
    known_of = strengths.get
    prior = _TOGETHER_PRIOR * knowledge.scales(at_ms)[0]
    for anchor, weight in zip(anchors, weights.tolist(), strict=True):
        share = weight / ((knowledge.popularity(anchor) + prior) * order_weight)
        for other, together in islice(knowledge.goes_with(anchor).items(), neighbours):
            strengths[other] = known_of(other, 0.0) + together * share
    return Pull(anchors, strengths)


def _others(
    mine: NDArray[np.intp], rows: NDArray[np.float64], pull: Pull, knowledge: ItemKnowledge
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Places and rows of the best sellers, then of what is pulled, each that is not remembered."""
    sellers = knowledge.best_sellers
    kept = _ALL_SELLERS.copy()
    kept[rows[:, SELLER].astype(np.intp)] = False
    kept = kept[: len(sellers.places)]
    others, other_rows = sellers.places.compress(kept), sellers.rows.compress(kept, axis=0)
    if not pull.strengths:
        return others, other_rows
    known = {*mine.tolist(), *others.tolist()}
    near = np.array([one for one in pull.strengths if one not in known], np.intp)
    near_rows = knowledge.table.take(near, axis=0)
    return np.concatenate((others, near)), np.concatenate((other_rows, near_rows))


def _category_shares(
    weights: NDArray[np.float64], rows: NDArray[np.float64], categories: int
) -> NDArray[np.float64]:
    """Share of the customer's purchases that each candidate's category has, as a logarithm."""
    category = rows[:, CATEGORY].astype(np.intp)
    bought = np.bincount(category[: len(weights)], weights)
    whole = float(weights.sum())
    shares = np.zeros(categories)
    shares[: len(bought)] = bought * (1.0 / max(whole, _LEAST_ORDERS))
    shares[0] = 0.0
    found: NDArray[np.float64] = shares.take(category)
    found += _LEAST_TOGETHER
    return np.log(found, out=found)


def _wishes(sheet: Sheet, today: int) -> NDArray[np.float64]:
    """How much each item is wanted: as long as a wish or cart is open, a look for some days."""
    marks = np.frombuffer(sheet.marks, np.uint8)
    held = (marks & (CARTED | WISHED)) > 0
    looked = np.exp((sheet.last_day - today) * _WISH_RATE) * ((marks & VIEWED) > 0)
    return np.where(sheet.times == 0.0, np.maximum(held, looked), held)


def _price_distances(
    weights: NDArray[np.float64], rows: NDArray[np.float64]
) -> NDArray[np.float64] | float:
    """How many times dearer or cheaper than usual for the customer, as a logarithm."""
    prices = rows[:, LOG_PRICE]
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
