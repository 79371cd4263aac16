"""What is recommended to a customer: the best candidates that may be shown, each with its reason.

The order is the ranking's (models/ranking.py). Left out is what was returned or complained about,
what is had and hardly anybody buys twice, what is out of stock, and what is of a muted category.
"""

from collections.abc import Iterator
from itertools import islice
from math import exp, log
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.clock import DAY_MS
from models.item_knowledge import ItemKnowledge
from models.item_memory import CARTED, SPOILT, WISHED, ItemMemory
from models.ranking import FEATURES, SHARED, Board, board

Slot = Literal["mixed", "repeat", "explore"]
SLOTS: tuple[Slot, ...] = ("mixed", "repeat", "explore")
ReasonName = Literal[
    "bought_often",
    "due_again",
    "goes_with",
    "popular",
    "trending",
    "in_your_category",
    "wished",
    "viewed",
]
# Of customers who rarely buy an item again; more slots, or slots of the others too, cost recall.
CURIOUS_BELOW = 0.2
CURIOUS_SHARE = 0.1
_REPEAT_PRIOR, _LINES_PRIOR = 5.0, 10.0
# Silent for so many times its interval an item is due: before, it is early; after, given up.
_DUE_FROM, _DUE_TO = log(0.75), log(3.0)
_RISING = log(1.5)
_LIKED_SHARE = 0.2
_LEAST_LIFT = 2.0
_POPULARITY, _TREND, _CATEGORY = (
    FEATURES.index(name) for name in ("popularity", "trend", "category")
)
_DUE = FEATURES.index("due") - SHARED


class Reason(msgspec.Struct, frozen=True, gc=False):
    """Why an item is shown; which numbers are there depends on the name.

    `bought_often`: times, days_ago; `due_again`: these and interval_days; `goes_with`: share of the
    orders with `product_id` that held this one too, and lift over its share of all orders;
    `popular`: share (of orders); `trending`: share, rise; `in_your_category`: share (of what the
    customer bought); `wished` (or in a cart) and `viewed`: days_ago.
    """

    name: ReasonName
    numbers: dict[str, float]
    product_id: str = ""


class Recommended(msgspec.Struct, frozen=True, gc=False):
    """An item to show; scores compare the items of one answer, no more."""

    product_id: str
    name: str
    category: str
    price_cents: int
    score: float
    reason: Reason


def recommend(
    memory: ItemMemory,
    knowledge: ItemKnowledge,
    weights: NDArray[np.float64],
    at_ms: int,
    n: int,
    *,
    slot: Slot = "mixed",
    muted_categories: frozenset[str] = frozenset(),
    out_of_stock: frozenset[str] = frozenset(),
) -> list[Recommended]:
    """Give the best `n` items for the customer at that time, fewer where there are no more.

    `slot`: `repeat` is what was bought before, `explore` what was not; `mixed` is both, by score
    (in which the customer's habit of buying again weighs) with at least `explore_slots` of the new.
    """
    candidates = board(memory, knowledge, at_ms, exploring=slot == "explore")
    scores = candidates.scores(weights)
    allowed = _allowed(candidates, scores, knowledge, muted_categories, out_of_stock)
    if slot == "mixed":
        chosen = _mixed(allowed, n, n - explore_slots(memory, n))
    else:
        wanted = slot == "repeat"
        chosen = list(islice((at for at, is_repeat in allowed if is_repeat is wanted), n))
    place_of, score_of, found = candidates.places.item, scores.item, []
    reasons = _reasons(chosen, candidates, knowledge, at_ms // DAY_MS)
    for at, reason in zip(chosen, reasons, strict=True):
        facts = knowledge.facts[place_of(at)]
        found.append(
            Recommended(
                facts.product_id,
                facts.name,
                facts.category,
                facts.price_cents,
                score_of(at),
                reason,
            )
        )
    return found


def explore_slots(memory: ItemMemory, n: int) -> int:
    """How many of `n` mixed slots at least go to what the customer has not bought yet."""
    repeat_share = (memory.repeats + _REPEAT_PRIOR) / (memory.lines + _LINES_PRIOR)
    return int(n * CURIOUS_SHARE) if repeat_share < CURIOUS_BELOW else 0


def _allowed(
    candidates: Board,
    scores: NDArray[np.float64],
    knowledge: ItemKnowledge,
    muted_categories: frozenset[str],
    out_of_stock: frozenset[str],
) -> Iterator[tuple[int, bool]]:
    """Candidates that may be shown, best first, and whether each was bought before."""
    place_of, facts_of, is_durable = candidates.places.item, knowledge.facts, knowledge.is_durable
    sheet = candidates.sheet
    marks, any_marked, all_bought = sheet.marks, sheet.any_marked, sheet.all_bought
    mine, times_of, barred = len(marks), sheet.times.item, muted_categories or out_of_stock
    for at in (-scores).argsort(kind="stable").tolist():
        place, is_repeat = place_of(at), False
        if at < mine:
            is_repeat = all_bought or times_of(at) > 0.0
            if (any_marked and marks[at] & SPOILT) or (is_repeat and is_durable(place)):
                continue
        facts = facts_of[place]
        if not facts.product_id:
            # Known as another's neighbour alone: its own row is still to come, or was forgotten.
            continue
        if barred and (facts.category in muted_categories or facts.product_id in out_of_stock):
            continue
        yield at, is_repeat


def _mixed(allowed: Iterator[tuple[int, bool]], n: int, most_repeats: int) -> list[int]:
    """The best `n`, of them at most so many repeats as long as there is anything else."""
    chosen: list[int] = []
    passed: list[int] = []
    repeats = 0
    for at, is_repeat in allowed:
        if len(chosen) == n:
            break
        if is_repeat and repeats >= most_repeats:
            passed.append(at)
            continue
        repeats += is_repeat
        chosen.append(at)
    return chosen + passed[: n - len(chosen)]


def _reasons(
    chosen: list[int], candidates: Board, knowledge: ItemKnowledge, today: int
) -> Iterator[Reason]:
    sheet, due_of = candidates.sheet, candidates.own[_DUE].item
    marks, last_day_of, times_of = sheet.marks, sheet.last_day.item, sheet.times.item
    mine = len(marks)
    for at in chosen:
        if at >= mine:
            yield _reason_to_explore(at, candidates, knowledge)
            continue
        days_ago, times, due = max(today - last_day_of(at), 0.0), times_of(at), due_of(at)
        if marks[at] & (WISHED | CARTED):
            yield Reason("wished", {} if times else {"days_ago": days_ago})
        elif not times:
            yield Reason("viewed", {"days_ago": days_ago})
        elif _DUE_FROM <= due <= _DUE_TO:
            days = round((1.0 + days_ago) * exp(-due) - 1.0, 1)
            numbers = {"times": times, "days_ago": days_ago, "interval_days": days}
            yield Reason("due_again", numbers)
        else:
            yield Reason("bought_often", {"times": times, "days_ago": days_ago})


def _reason_to_explore(at: int, candidates: Board, knowledge: ItemKnowledge) -> Reason:
    """What is of this customer goes before what is of everybody."""
    place, shared = candidates.places.item(at), candidates.shared
    share, trend = exp(shared.item(_POPULARITY, at)), shared.item(_TREND, at)
    liked = exp(shared.item(_CATEGORY, at))
    together = [(knowledge.share_together(one, place), one) for one in candidates.anchors]
    most, anchor = max(together, default=(0.0, 0))
    if most >= _LEAST_LIFT * share:
        numbers = {"share": round(most, 4), "lift": round(most / share, 1)}
        return Reason("goes_with", numbers, knowledge.facts[anchor].product_id)
    if liked >= _LIKED_SHARE:
        return Reason("in_your_category", {"share": round(liked, 2)})
    if trend >= _RISING:
        return Reason("trending", {"share": round(share, 4), "rise": round(exp(trend), 1)})
    return Reason("popular", {"share": round(share, 4)})
