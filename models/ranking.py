"""How candidates for a recommendation are weighed against each other: features and their weights.

The score is linear in features that a shop's own learner weighs (models/ranking_learner.py); before
it has learned, PRIOR does. Which features, and what each is worth: ARCHITECTURE.md.
"""

from itertools import repeat
from math import isfinite, log
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.clock import DAY_MS
from models.hazard import BadSnapshot
from models.item_knowledge import (
    BUYERS,
    INTERVAL,
    LATELY,
    LOG_PRICE,
    POPULARITY,
    REPEATS,
    ItemKnowledge,
)
from models.item_memory import CARTED, VIEWED, WISHED, ItemMemory, columns, days, scale

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
FEW_ITEMS = 24
FORESIGHT_DAYS = 4_000
_TOGETHER_SHARE = 0.03
_TOGETHER_PRIOR = 20.0
_HABIT_PRIOR = 10.0
_REGULAR_PRIOR = (1.0, 2.0)
_LEAST_ORDERS = 1e-9
# Of an interval and of a silence.
_LEAST_DAYS = np.array([[1.0], [0.0]])
_WISH_RATE = 0.1
# Added to the first five features before their logarithm: what is as good as nothing.
_LEAST = np.array([[1e-4], [1e-5], [1e-5], [1e-2], [1e-2]])
_LOGGED = len(_LEAST)
# Records, neighbours and best sellers together are fewer.
_ORDER = np.arange(1024)
_NOTHING_NEAR: tuple[NDArray[np.intp], NDArray[np.float64]] = (np.empty(0, np.intp), np.empty(0))


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
    row for each of the others and a column a record.
    """

    places: NDArray[np.intp]
    shared: NDArray[np.float64]
    own: NDArray[np.float64]

    def scores(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Weigh the candidates, by weights that go with FEATURES."""
        scores: NDArray[np.float64] = weights[:SHARED] @ self.shared
        scores[: self.own.shape[1]] += weights[SHARED:] @ self.own
        return scores


def board(  # noqa: PLR0915  (whole columns, one line each: a call would cost more)
    memory: ItemMemory, knowledge: ItemKnowledge, at_ms: int, *, exploring: bool = False
) -> Board:
    """Gather a customer's candidates at that time and what speaks for each.

    What goes with the customer's items is looked up when `exploring`, or when they are few: next to
    many of the customer's own it was never worth its weight.
    Few calls over whole columns: at these lengths a call costs more than what it computes.
    """
    at_ms = _within_reach(at_ms, memory, knowledge)
    records = columns(memory)
    mine = _places_of(records, knowledge)
    last, first = days(memory)
    times = np.maximum(records["times"], 1)
    weights = records["weight"].astype(np.float64)
    bought = records["times"] > 0
    if len(mine) and mine.min() < 0:
        known = mine >= 0
        mine, weights, times, bought = mine[known], weights[known], times[known], bought[known]
        records, last, first = records[known], last[known], first[known]
    near, pulls = _NOTHING_NEAR
    if len(mine) and (exploring or len(mine) < FEW_ITEMS):
        near, pulls = _pulled(memory, weights, mine, knowledge, at_ms)
    places = _each_once(np.concatenate((mine, near, knowledge.popular)), knowledge.places)
    table = knowledge.table[places]

    shared = np.empty((SHARED, len(places)))
    mixture, popularity, trend, together, category, price = shared
    slow, fast = knowledge.scales(at_ms)
    np.multiply(table[:, POPULARITY], 1.0 / max(knowledge.shop.baskets, slow), out=popularity)
    np.multiply(table[:, LATELY], 1.0 / max(knowledge.shop.baskets_lately, fast), out=trend)
    if len(near):
        _gather(together, places, near, pulls, knowledge.scratch)
    else:
        together[:] = 0.0
    np.multiply(together, _TOGETHER_SHARE, out=mixture)
    mixture += popularity
    mixture[: len(mine)] += weights * (1.0 / max(memory.orders, _LEAST_ORDERS))
    _share_categories(category, weights, places, knowledge)
    logged = shared[:_LOGGED]
    logged += _LEAST
    trend /= popularity
    np.log(logged, out=logged)
    price[:] = _price_distances(weights, table, len(mine)) if knowledge.is_priced else 0.0

    today = at_ms // DAY_MS
    own = np.empty((len(FEATURES) - SHARED, len(mine)))
    own[0] = bought
    due, silence, often, due_squared, regular, wish = own[2:]
    np.subtract(last, first, out=due)
    due += table[: len(mine), INTERVAL]
    due /= times
    np.subtract(today, last, out=silence)
    often[:] = times
    np.maximum(own[2:4], _LEAST_DAYS, out=own[2:4])
    np.log1p(own[2:5], out=own[2:5])
    np.subtract(silence, due, out=due)
    own[1] = _habit(memory)
    own[1:5] *= bought
    np.multiply(due, due, out=due_squared)
    ever = table[: len(mine), BUYERS : REPEATS + 1]
    np.log((ever[:, 1] + _REGULAR_PRIOR[0]) / (ever[:, 0] + _REGULAR_PRIOR[1]), out=regular)
    regular *= bought
    wish[:] = _wishes(records, last, today)
    return Board(places, shared, own)


def _within_reach(at_ms: int, memory: ItemMemory, knowledge: ItemKnowledge) -> int:
    """Keep the question's time where weights can be told: not before the landmarks, nor ages on."""
    latest_day = max(memory.landmark_day, knowledge.shop.landmark_day)
    return min(max(at_ms, latest_day * DAY_MS), (latest_day + FORESIGHT_DAYS) * DAY_MS)


def _places_of(records: NDArray[Any], knowledge: ItemKnowledge) -> NDArray[np.intp]:
    """Place of each record's item, -1 for one that the shop's knowledge has not met yet."""
    refs = records["ref"].tolist()
    return np.fromiter(map(knowledge.index.get, refs, repeat(-1)), np.intp, len(refs))


def _pulled(
    memory: ItemMemory,
    weights: NDArray[np.float64],
    mine: NDArray[np.intp],
    knowledge: ItemKnowledge,
    at_ms: int,
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """What goes with the items that the customer bought most of late, and how strongly."""
    anchors = mine
    if len(mine) > ANCHORS:
        most = np.argpartition(weights, -ANCHORS)[-ANCHORS:]
        anchors, weights = mine[most], weights[most]
    near, pulls = knowledge.neighbours(anchors)
    met = knowledge.table[anchors, POPULARITY] + _TOGETHER_PRIOR * knowledge.scales(at_ms)[0]
    pulls *= (weights / (met * scale(memory, at_ms)))[:, None]
    return near.ravel(), pulls.ravel()


def _each_once(places: NDArray[np.intp], scratch: NDArray[np.intp]) -> NDArray[np.intp]:
    """Keep each place where it comes first."""
    order = _ORDER[: len(places)]
    scratch[places[::-1]] = order[::-1]
    first: NDArray[np.intp] = places[scratch[places] == order]
    return first


def _gather(
    together: NDArray[np.float64],
    places: NDArray[np.intp],
    near: NDArray[np.intp],
    pulls: NDArray[np.float64],
    scratch: NDArray[np.float64],
) -> None:
    """How strongly the anchors together pull at each place; the scratch is left as it was, zero."""
    np.add.at(scratch, near, pulls)
    scratch.take(places, out=together)
    scratch[near] = 0.0


def _share_categories(
    shares: NDArray[np.float64],
    weights: NDArray[np.float64],
    places: NDArray[np.intp],
    knowledge: ItemKnowledge,
) -> None:
    """Share of the customer's purchases that each candidate's category has."""
    size = len(knowledge.categories)
    if size == 1:
        shares[:] = 0.0
        return
    categories = knowledge.category[places]
    by_category = np.bincount(categories[: len(weights)], weights, size)
    by_category[0] = 0.0
    by_category.take(categories, out=shares)
    shares *= 1.0 / max(float(weights.sum()), _LEAST_ORDERS)


def _wishes(
    records: NDArray[Any], last: NDArray[np.float64], today: int
) -> NDArray[np.float64] | float:
    """How much each item is wanted: as long as a wish or cart is open, a look for some days."""
    marks = records["marks"]
    if not marks.any():
        return 0.0
    held = (marks & (CARTED | WISHED)) > 0
    looked = np.exp((last - today) * _WISH_RATE) * ((marks & VIEWED) > 0)
    return np.where(records["times"] == 0, np.maximum(held, looked), held)


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
