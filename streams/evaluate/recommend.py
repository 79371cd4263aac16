"""`huitou evaluate recommend`: the next basket of each known customer is foretold.

Baskets are played in time order through the live engine (streams/evaluate/drive.py): the worker's
fold keeps each customer's memory of items, the learner's the shop's knowledge and the ranking, a
log day at a time, and what is asked is answered from what the web role would have at hand. Before
each basket of a customer known by then ten items are foretold; then it is taken. With a second file
nothing is learned from that one: each customer's one basket there is foretold from the first file
alone.
"""

import gc
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from math import log2
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from models.clock import DAY_MS
from models.events import Line
from models.item_memory import ItemMemory
from models.recommendation import recommend
from streams.evaluate.drive import Drive
from streams.evaluate.history import Column, read
from streams.evaluate.outcome import BadQuestion, Outcome, Plot, Say, Series
from streams.loop import COLLECT_AFTER
from streams.ranking_pupil import ItemLesson, RankingPupil

WARM_SHARE = 0.25
# Without times baskets of a customer are taken to lie so far apart, and to end on one day.
UNTIMED_GAP_DAYS = 7
LAST_UNTIMED_MS = 20_000 * DAY_MS
POPULAR_EVERY = 500
CURVE_PARTS = 20


class Basket(NamedTuple):
    """An order: its different items, in the order of its lines."""

    at_ms: int
    customer: str
    name: str
    items: tuple[str, ...]


class Named(NamedTuple):
    """The columns' names in the files."""

    customer: str
    item: str
    basket: str
    time: str


class Tally:
    """Sums over baskets of what a ranking found."""

    def __init__(self, k: int) -> None:
        self.k = k
        self.recalls: list[float] = []
        self.ndcgs: list[float] = []
        self.repeat: list[float] = []
        self.explore: list[float] = []

    def count(self, ranked: Sequence[str], basket: Basket, known: Iterable[str]) -> None:
        """Count one basket; `known` are the items its customer had bought before."""
        wanted = set(basket.items)
        hits = [item in wanted for item in ranked[: self.k]]
        found = {item for item, hit in zip(ranked, hits, strict=False) if hit}
        self.recalls.append(len(found) / len(wanted))
        ideal = sum(1 / log2(at + 2) for at in range(min(self.k, len(wanted))))
        gain = sum(1 / log2(at + 2) for at, hit in enumerate(hits) if hit)
        self.ndcgs.append(gain / ideal)
        repeats = wanted & set(known)
        if repeats:
            self.repeat.append(len(found & repeats) / len(repeats))
        if wanted - repeats:
            self.explore.append(len(found - repeats) / len(wanted - repeats))

    def figures(self) -> dict[str, float]:
        """Give the means."""
        return {
            "recall": _mean(self.recalls),
            "ndcg": _mean(self.ndcgs),
            "hit_rate": _mean([float(one > 0.0) for one in self.recalls]),
            "repeat_recall": _mean(self.repeat),
            "explore_recall": _mean(self.explore),
        }


class TimedPupil(RankingPupil):
    """The ranking's pupil, and how long it learned."""

    def __init__(self) -> None:
        super().__init__()
        self.learned_s = 0.0

    def learn(self, lessons: list[ItemLesson]) -> None:
        """Learn one day's lessons."""
        began_s = time.perf_counter()
        super().learn(lessons)
        self.learned_s += time.perf_counter() - began_s


class Shop:
    """The live engine, and the plain counts it is compared with."""

    def __init__(self, k: int) -> None:
        self.k = k
        self.pupil = TimedPupil()
        self.drive = Drive(ranking=self.pupil)
        self.bought: dict[str, Counter[str]] = {}
        self.last_ms: dict[str, int] = {}
        self.sold: Counter[str] = Counter()
        self.popular: list[str] = []
        self.baskets = 0
        self.lines = 0
        self.query_us: list[float] = []

    def foretell(self, basket: Basket) -> list[str]:
        """Rank items for a known customer, the best `k` first."""
        row, shelf = self.drive.row(basket.customer), self.drive.shelf
        memory = ItemMemory() if row is None else row.items
        knowledge, weights = shelf.knowledge, shelf.weights
        began_s = time.perf_counter()
        found = recommend(memory, knowledge, weights, basket.at_ms, self.k)
        self.query_us.append((time.perf_counter() - began_s) * 1e6)
        return [one.product_id for one in found]

    def learn(self, basket: Basket) -> None:
        """Take a basket, as the worker and the learner would."""
        lines = tuple(Line(item) for item in basket.items)
        self.drive.order(basket.customer, basket.at_ms, basket=basket.name, lines=lines)
        self.lines += len(lines)
        self._count(basket)

    @property
    def update_us(self) -> float:
        """What learning cost, a line."""
        return self.pupil.learned_s / max(self.lines, 1) * 1e6

    def _count(self, basket: Basket) -> None:
        self.bought.setdefault(basket.customer, Counter()).update(basket.items)
        self.last_ms[basket.customer] = basket.at_ms
        self.sold.update(basket.items)
        if self.baskets % POPULAR_EVERY == 0:
            self.popular = [item for item, _ in self.sold.most_common(self.k)]
        self.baskets += 1

    def plain(self, customer: str) -> dict[str, list[str]]:
        """Rank by popularity, by how often the customer bought, and by the one after the other."""
        mine = self.bought[customer]
        personal = sorted(mine, key=lambda item: (-mine[item], -self.sold[item], item))[: self.k]
        rest = [item for item in self.popular if item not in personal]
        return {
            "popularity": self.popular,
            "personal": personal,
            "personal_popularity": [*personal, *rest][: self.k],
        }


def question(history: Path, future: Path | None, named: Named, k: int, say: Say) -> Outcome:
    """Read the files and ask."""
    past = read_baskets(history, named, say)
    ahead = None if future is None else read_baskets(future, named, say)
    # As the live roles do: the history itself is no garbage, and looking through it takes seconds.
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)
    try:
        return evaluate(past, ahead, k, say)
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


def evaluate(past: list[Basket], ahead: list[Basket] | None, k: int, say: Say) -> Outcome:
    """Play the baskets, foretelling each that counts."""
    if k < 1:
        raise BadQuestion(f"--k {k}: expected 1 or more")
    shop = Shop(k)
    tallies = {
        name: Tally(k) for name in ("model", "popularity", "personal", "personal_popularity")
    }
    asked: set[str] = set()
    warm = int(len(past) * WARM_SHARE) if ahead is None else len(past)
    for number, basket in enumerate(past):
        if number >= warm and basket.customer in shop.bought:
            _ask(shop, basket, tallies)
            asked.add(basket.customer)
        shop.learn(basket)
        if number % 20_000 == 19_999:
            say(f"{number + 1} of {len(past)} baskets")
    for basket in ahead or ():
        if basket.customer in shop.bought:
            # A file without times says nothing of when: one usual gap after the last basket.
            after_ms = shop.last_ms[basket.customer]
            at_ms = basket.at_ms
            if at_ms <= after_ms:
                at_ms = after_ms + UNTIMED_GAP_DAYS * DAY_MS
            _ask(shop, basket._replace(at_ms=at_ms), tallies)
            asked.add(basket.customer)
    if not asked:
        raise BadQuestion("no customer has a basket to foretell and an earlier one to learn from")
    figures: dict[str, Any] = {
        **tallies["model"].figures(),
        "customers": len(asked),
        "baskets": len(tallies["model"].recalls),
        "items": len(shop.drive.shelf.knowledge),
        "k": k,
        "query_p50_us": round(float(np.quantile(shop.query_us, 0.5)), 1),
        "query_p99_us": round(float(np.quantile(shop.query_us, 0.99)), 1),
        "update_us": round(shop.update_us, 2),
        "baselines": {name: one.figures() for name, one in tallies.items() if name != "model"},
    }
    return Outcome(figures, [_curve(tallies)])


def _ask(shop: Shop, basket: Basket, tallies: dict[str, Tally]) -> None:
    known = shop.bought[basket.customer]
    tallies["model"].count(shop.foretell(basket), basket, known)
    for name, ranked in shop.plain(basket.customer).items():
        tallies[name].count(ranked, basket, known)


def read_baskets(path: Path, named: Named, say: Say) -> list[Basket]:
    """Read a file's lines as baskets in time order.

    What takes something back (a negative quantity, an invoice that starts with C) is no purchase.
    """
    frame = read(
        path,
        [
            Column("customer", named.customer, "text"),
            Column("item", named.item, "text"),
            Column("basket", named.basket, "text"),
            Column("at", named.time, "moment", required=False),
            Column("quantity", "Quantity", "number", required=False),
        ],
        say,
    )
    frame = frame[frame["item"].notna() & frame["basket"].notna()]
    if "quantity" in frame:
        frame = frame[frame["quantity"] > 0]
    if frame.empty:
        raise BadQuestion(f"{path}: no line with an item and a basket")
    if "at" in frame:
        frame["at_ms"] = frame["at"].astype("datetime64[ns, UTC]").astype("int64") // 10**6
    else:
        frame["at_ms"] = LAST_UNTIMED_MS - _turns_left(frame) * UNTIMED_GAP_DAYS * DAY_MS
    baskets = baskets_of(frame)
    say(f"{len(baskets)} baskets of {frame['customer'].nunique()} customers")
    return baskets


def baskets_of(frame: pd.DataFrame) -> list[Basket]:
    """Gather lines (`customer`, `item`, `basket`, `at_ms`) into baskets, in time order."""
    lines: dict[tuple[str, str], dict[str, None]] = {}
    begun: dict[tuple[str, str], int] = {}
    columns = (frame[name].tolist() for name in ("customer", "basket", "item", "at_ms"))
    for customer, name, item, at_ms in zip(*columns, strict=True):
        key = (customer, name)
        lines.setdefault(key, {})[item] = None
        begun[key] = min(at_ms, begun.get(key, at_ms))
    baskets = [
        Basket(begun[key], key[0], f"{key[0]}:{key[1]}", tuple(items))
        for key, items in lines.items()
    ]
    return sorted(baskets, key=lambda one: one.at_ms)


def _turns_left(frame: pd.DataFrame) -> Any:
    """How many baskets of its customer come after each line's, by the baskets' names.

    So all histories end together: were they to begin together, most would seem long asleep.
    """
    numbers = pd.to_numeric(frame["basket"], errors="coerce")
    order = numbers if numbers.notna().all() else frame["basket"]
    return (
        order.groupby(frame["customer"]).rank(method="dense", ascending=False).astype("int64") - 1
    )


def _curve(tallies: dict[str, Tally]) -> Plot:
    series = []
    for name, tally in tallies.items():
        parts = np.array_split(np.array(tally.recalls), CURVE_PARTS)
        xs = [float(number) for number, part in enumerate(parts, 1) if len(part)]
        series.append(Series(name, xs, [float(part.mean()) for part in parts if len(part)]))
    return Plot(
        "Share of the next basket among the items foretold",
        "part of the baskets, in time order",
        "recall",
        series,
    )


def _mean(values: Sequence[float]) -> float:
    return round(float(np.mean(values)), 4) if values else 0.0
