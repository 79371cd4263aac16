"""What is recommended to a customer: the best candidates that may be shown, each with its reason.

The order is the ranking's (models/ranking.py). Left out is what was returned or complained about,
what is had and hardly anybody buys twice, what is out of stock, and what is of a muted category.
"""

from collections.abc import Iterator
from itertools import chain, islice
from math import exp, log
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.clock import DAY_MS
from models.item_knowledge import PERHAPS_DURABLE, REGULAR, ItemKnowledge
from models.item_memory import (
    CARTED,
    RECORD_BYTES,
    SPOILT,
    WISHED,
    ItemMemory,
    read_record,
)
from models.ranking import CATEGORY, GAP, POPULARITY, SILENCE, TREND, Board, board

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
_LOOKED_AT = 24
_HELD = WISHED | CARTED
# Where they stand in a record.
_TIMES, _MARKS = 4, 5


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
        chosen = list(islice((one for one in allowed if _is_repeat(one) is wanted), n))
    return _shown(chosen, candidates, scores, knowledge, at_ms // DAY_MS)


def explore_slots(memory: ItemMemory, n: int) -> int:
    """How many of `n` mixed slots at least go to what the customer has not bought yet."""
    repeat_share = (memory.repeats + _REPEAT_PRIOR) / (memory.lines + _LINES_PRIOR)
    return int(n * CURIOUS_SHARE) if repeat_share < CURIOUS_BELOW else 0


_Candidate = tuple[int, int, Any]
"""Its number among the candidates, its place, and its record where there is one."""


def _allowed(
    candidates: Board,
    scores: NDArray[np.float64],
    knowledge: ItemKnowledge,
    muted_categories: frozenset[str],
    out_of_stock: frozenset[str],
) -> Iterator[_Candidate]:
    """Candidates that may be shown, best first."""
    facts_of, is_durable, sheet = knowledge.facts, knowledge.is_durable, candidates.sheet
    mine, place_of, row_of = len(candidates.mine), candidates.mine.item, candidates.rows.item
    raw = sheet.raw
    barred = muted_categories or out_of_stock
    for at in _falling(scores):
        record = None
        if at < mine:
            place, record = place_of(at), read_record(raw, at * RECORD_BYTES)
            if record[_MARKS] & SPOILT:
                continue
            if record[_TIMES] and row_of(at, REGULAR) < PERHAPS_DURABLE and is_durable(place):
                continue
        else:
            place = candidates.others.item(at - mine)
            if mine and sheet.has(knowledge.refs.item(place)):
                continue
        facts = facts_of[place]
        if not facts.product_id:
            # Known as another's neighbour alone: its own row is still to come, or was forgotten.
            continue
        if barred and (facts.category in muted_categories or facts.product_id in out_of_stock):
            continue
        yield at, place, record


def _falling(scores: NDArray[np.float64]) -> Iterator[int]:
    """Candidates from the best score down, equal ones in their order; few are ever looked at."""
    order = (-scores).argsort(kind="stable")
    parts = order[:_LOOKED_AT], order[_LOOKED_AT:]
    return chain.from_iterable(part.tolist() for part in parts)


def _is_repeat(one: _Candidate) -> bool:
    record = one[2]
    return record is not None and record[_TIMES] > 0


def _mixed(allowed: Iterator[_Candidate], n: int, most_repeats: int) -> list[_Candidate]:
    """The best `n`, of them at most so many repeats as long as there is anything else."""
    if most_repeats >= n:
        return list(islice(allowed, n))
    chosen: list[_Candidate] = []
    passed: list[_Candidate] = []
    repeats = 0
    for one in allowed:
        if len(chosen) == n:
            break
        is_repeat = _is_repeat(one)
        if is_repeat and repeats >= most_repeats:
            passed.append(one)
            continue
        repeats += is_repeat
        chosen.append(one)
    return chosen + passed[: n - len(chosen)]


def _shown(
    chosen: list[_Candidate],
    candidates: Board,
    scores: NDArray[np.float64],
    knowledge: ItemKnowledge,
    today: int,
) -> list[Recommended]:
    found, facts_of, score_of, own = [], knowledge.facts, scores.item, candidates.own
    silence_of, gap_of = own[SILENCE].item, own[GAP].item
    near = [(knowledge.goes_with(one), one) for one in candidates.anchors]
    for at, place, record in chosen:
        if record is None:
            reason = _reason_to_explore(at, place, candidates, knowledge, near)
        else:
            _, _, last_day, _, times, marks = record
            days_ago = float(today - last_day) if today > last_day else 0.0
            if marks & _HELD:
                reason = Reason("wished", {} if times else {"days_ago": days_ago})
            elif not times:
                reason = Reason("viewed", {"days_ago": days_ago})
            elif _DUE_FROM <= (due := silence_of(at) - gap_of(at)) <= _DUE_TO:
                days = round((1.0 + days_ago) * exp(-due) - 1.0, 1)
                numbers = {"times": float(times), "days_ago": days_ago, "interval_days": days}
                reason = Reason("due_again", numbers)
            else:
                reason = Reason("bought_often", {"times": float(times), "days_ago": days_ago})
        facts = facts_of[place]
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


def _reason_to_explore(
    at: int,
    place: int,
    candidates: Board,
    knowledge: ItemKnowledge,
    near: list[tuple[dict[int, float], int]],
) -> Reason:
    """What is of this customer goes before what is of everybody; `near`: what goes with anchors."""
    shared, ties = candidates.shared.item, candidates.ties
    other = at - len(candidates.mine)
    share, trend = exp(shared(POPULARITY, other)), shared(TREND, other)
    most, anchor = 0.0, 0
    for partners, one in near:
        if place in partners:
            most, anchor = max((most, anchor), (knowledge.share_together(one, place), one))
    if most >= _LEAST_LIFT * share:
        numbers = {"share": round(most, 4), "lift": round(most / share, 1)}
        return Reason("goes_with", numbers, knowledge.facts[anchor].product_id)
    if (
        ties is not None
        and len(ties) > CATEGORY
        and (liked := exp(ties.item(CATEGORY, at))) >= _LIKED_SHARE
    ):
        return Reason("in_your_category", {"share": round(liked, 2)})
    if trend >= _RISING:
        return Reason("trending", {"share": round(share, 4), "rise": round(exp(trend), 1)})
    return Reason("popular", {"share": round(share, 4)})
