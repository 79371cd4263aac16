"""How candidates for a recommendation are weighed against each other: features and their weights.

The score is linear in features that a shop's own learner weighs (models/ranking_learner.py); before
it has learned, PRIOR does. Which features, and what each is worth: ARCHITECTURE.md.
"""

from math import isfinite, log
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.clock import DAY_MS
from models.hazard import BadSnapshot
from models.item_knowledge import (
    COMPETING_NEIGHBOURS,
    INTERVAL,
    LATELY,
    LOG_PRICE,
    POPULARITY,
    REGULAR,
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
# Added to the first features before their logarithm: what is as good as nothing.
_LEAST = np.array([[1e-4], [1e-5], [1e-5]])
_LEAST_SHARE = 1e-2
# What nothing is bought with, of no category and without a price.
_NEUTRAL = np.array([[log(_LEAST_SHARE)], [log(_LEAST_SHARE)], [0.0]])
_LOGGED = len(_LEAST)
# Records, neighbours and best sellers together are fewer.
_ORDER = np.arange(1024)
_NOTHING_NEAR: tuple[list[int], NDArray[np.intp], NDArray[np.float64]] = (
    [],
    np.empty(0, np.intp),
    np.empty(0),
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
    """Candidates, each once; the first are the customer's own records, in their order.

    `shared` has a row for each of the first SHARED of FEATURES and a column a candidate; `own` a
    row for each of the others and a column a record. `sheet` are those records, `anchors` the
    places of what others were drawn in by, where it was looked up.
    """

    places: NDArray[np.intp]
    shared: NDArray[np.float64]
    own: NDArray[np.float64]
    sheet: Sheet
    anchors: list[int]

    def scores(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Weigh the candidates, by weights that go with FEATURES."""
        scores: NDArray[np.float64] = weights[:SHARED] @ self.shared
        scores[: self.own.shape[1]] += weights[SHARED:] @ self.own
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
    weights, own_count = sheet.weights, len(mine)
    anchors, near, pulls = _NOTHING_NEAR
    if own_count and (exploring or own_count < FEW_ITEMS):
        anchors, near, pulls = _pulled(
            memory,
            weights,
            mine,
            knowledge,
            at_ms,
            COMPETING_NEIGHBOURS if exploring else NEAR_AN_ANCHOR,
        )
    others = _others(mine, near, knowledge)
    places = np.concatenate((mine, others))
    table = knowledge.table.take(places, axis=0)

    shared = np.empty((SHARED, len(places)))
    shared[3:] = _NEUTRAL
    slow, fast = knowledge.shares(at_ms)
    mixture, popularity, trend = shared[0], shared[1], shared[2]
    np.multiply(table[:, POPULARITY], slow, out=popularity)
    np.multiply(table[:, LATELY], fast, out=trend)
    mixture[:] = popularity
    mixture[:own_count] += weights * (1.0 / max(memory.orders, _LEAST_ORDERS))
    if len(near):
        together = _gathered(places, near, pulls, knowledge.scratch)
        mixture += together * _TOGETHER_SHARE
        np.log(together + _LEAST_SHARE, out=shared[3])
    if len(knowledge.categories) > 1:
        shared[4] = _category_shares(weights, places, knowledge)
    if knowledge.is_priced:
        shared[5] = _price_distances(weights, table, own_count)
    logged = shared[:_LOGGED]
    logged += _LEAST
    trend /= popularity
    np.log(logged, out=logged)

    today, last, times = at_ms // DAY_MS, sheet.last_day, sheet.times
    own = np.empty((len(FEATURES) - SHARED, own_count))
    own[0] = 1.0
    own[1] = _habit(memory)
    due = last - sheet.first_day
    due += table[:own_count, INTERVAL]
    due /= times if sheet.all_bought else np.maximum(times, 1.0)
    np.maximum(due, 1.0, out=own[2])
    np.maximum(today - last, 0.0, out=own[3])
    own[4] = times
    np.log1p(own[2:5], out=own[2:5])
    np.subtract(own[3], own[2], out=own[2])
    np.multiply(own[2], own[2], out=own[5])
    own[6] = table[:own_count, REGULAR]
    if not sheet.all_bought:
        own[:7] *= times > 0.0
    own[7] = _wishes(sheet, today) if sheet.any_marked else 0.0
    return Board(places, shared, own, sheet, anchors)


def _within_reach(at_ms: int, memory: ItemMemory, knowledge: ItemKnowledge) -> int:
    """Keep the question's time where weights can be told: not before the landmarks, nor ages on."""
    latest_day = max(memory.landmark_day, knowledge.shop.landmark_day)
    return min(max(at_ms, latest_day * DAY_MS), (latest_day + FORESIGHT_DAYS) * DAY_MS)


def _pulled(
    memory: ItemMemory,
    weights: NDArray[np.float64],
    mine: NDArray[np.intp],
    knowledge: ItemKnowledge,
    at_ms: int,
    neighbours: int,
) -> tuple[list[int], NDArray[np.intp], NDArray[np.float64]]:
    """The items that the customer bought most of late, what goes with them, and how strongly."""
    anchors = mine
    if len(mine) > ANCHORS:
        most = np.argpartition(weights, -ANCHORS)[-ANCHORS:]
        anchors, weights = mine[most], weights[most]
    names = anchors.tolist()
    near, pulls, counts = knowledge.neighbours(names, neighbours)
    met = knowledge.table[anchors, POPULARITY] + _TOGETHER_PRIOR * knowledge.scales(at_ms)[0]
    pulls *= np.repeat(weights / (met * scale(memory, at_ms)), counts)
    return names, near, pulls


def _others(
    mine: NDArray[np.intp], near: NDArray[np.intp], knowledge: ItemKnowledge
) -> NDArray[np.intp]:
    """Candidates that the customer does not remember, each where it comes first."""
    others = knowledge.popular
    if len(near):
        together = np.concatenate((near, others))
        order = _ORDER[: len(together)]
        knowledge.places[together[::-1]] = order[::-1]
        others = together[knowledge.places.take(together) == order]
    is_mine = knowledge.marked
    is_mine[mine] = True
    others = others[~is_mine.take(others)]
    is_mine[mine] = False
    return others


def _gathered(
    places: NDArray[np.intp],
    near: NDArray[np.intp],
    pulls: NDArray[np.float64],
    scratch: NDArray[np.float64],
) -> NDArray[np.float64]:
    """How strongly the anchors together pull at each place; the scratch is left as it was, zero."""
    np.add.at(scratch, near, pulls)
    pulled: NDArray[np.float64] = scratch.take(places)
    scratch[near] = 0.0
    return pulled


def _category_shares(
    weights: NDArray[np.float64], places: NDArray[np.intp], knowledge: ItemKnowledge
) -> NDArray[np.float64]:
    """Share of the customer's purchases that each candidate's category has, as a logarithm."""
    categories = knowledge.category.take(places)
    bought = np.bincount(categories[: len(weights)], weights, len(knowledge.categories)) * (
        1.0 / max(float(weights.sum()), _LEAST_ORDERS)
    )
    bought[0] = 0.0
    shares: NDArray[np.float64] = np.log(bought + _LEAST_SHARE).take(categories)
    return shares


def _wishes(sheet: Sheet, today: int) -> NDArray[np.float64]:
    """How much each item is wanted: as long as a wish or cart is open, a look for some days."""
    held = (sheet.marks & (CARTED | WISHED)) > 0
    looked = np.exp((sheet.last_day - today) * _WISH_RATE) * ((sheet.marks & VIEWED) > 0)
    return np.where(sheet.times == 0.0, np.maximum(held, looked), held)


def _price_distances(
    weights: NDArray[np.float64], table: NDArray[np.float64], mine: int
) -> NDArray[np.float64] | float:
    """How many times dearer or cheaper than usual for the customer, as a logarithm."""
    prices = table[:, LOG_PRICE]
    paid = prices[:mine]
    whole = float(weights @ (paid > 0.0))
    if whole <= 0.0:
        return 0.0
    distances: NDArray[np.float64] = np.abs(prices - float(weights @ paid) / whole)
    return distances * (prices > 0.0)


def _habit(memory: ItemMemory) -> float:
    """Log odds that a line of this customer's is a repeat, from none known to even."""
    half = _HABIT_PRIOR / 2
    return log((memory.repeats + half) / (memory.lines - memory.repeats + half))
