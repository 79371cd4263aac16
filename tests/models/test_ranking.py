"""What is recommended, and how the weights are learned."""

import random

import msgspec
import numpy as np
import pytest

from models.clock import DAY_MS
from models.hazard import BadSnapshot
from models.item_knowledge import ItemFacts, ItemKnowledge
from models.item_memory import RECORD_BYTES, WISHED, ItemMemory, buy, item_ref, mark
from models.ranking import (
    FEATURES,
    FEW_ITEMS,
    NOTHING_LEARNED,
    RankingSnapshot,
    board,
    boards,
    check,
)
from models.ranking_learner import (
    LESSONS_BEFORE_USE,
    LearnedRanking,
    RankingLearner,
)

AT_MS = 19_000 * DAY_MS
PRIOR = np.array(NOTHING_LEARNED.weights)


class Shop:
    def __init__(self) -> None:
        self.knowledge = ItemKnowledge()
        self.memories: dict[str, ItemMemory] = {}
        self.orders = 0

    def sell(self, customer: str, items: list[str], at_ms: int) -> None:
        memory = self.memories.setdefault(customer, ItemMemory())
        refs = [item_ref(item) for item in items]
        gaps = buy(memory, refs, at_ms)
        places = [
            self.knowledge.meet(ref, ItemFacts(item)) for ref, item in zip(refs, items, strict=True)
        ]
        self.knowledge.sold(places, gaps, at_ms, str(self.orders))
        self.orders += 1

    def ranked(self, customer: str, at_ms: int) -> list[str]:
        memory = self.memories.get(customer, ItemMemory())
        candidates = board(memory, self.knowledge, at_ms)
        order = np.argsort(-candidates.scores(PRIOR), kind="stable")
        order = order[~np.isin(order, candidates.doubles)]
        return [self.knowledge.facts[at].product_id for at in candidates.places[order].tolist()]


@pytest.fixture
def shop() -> Shop:
    """Everybody buys milk; Anna buys tea every week; who buys pasta buys sauce."""
    shop, chance = Shop(), random.Random(1)
    for day in range(120):
        at_ms = AT_MS + day * DAY_MS
        for _ in range(5):
            items = ["milk"] if chance.random() < 0.6 else ["pasta", "sauce"]
            items.append(f"rare-{chance.randrange(60)}")
            shop.sell(f"c{chance.randrange(40)}", items, at_ms)
        if day % 7 == 0:
            shop.sell("anna", ["tea"], at_ms)
    shop.knowledge.rank_popular()
    return shop


def test_what_a_customer_buys_again_and_again_comes_first(shop: Shop) -> None:
    assert shop.ranked("anna", AT_MS + 120 * DAY_MS)[0] == "tea"


def test_a_newcomer_is_shown_the_best_sellers(shop: Shop) -> None:
    assert set(shop.ranked("nobody", AT_MS + 120 * DAY_MS)[:3]) == {"milk", "pasta", "sauce"}


def test_each_candidate_stands_there_once(shop: Shop) -> None:
    for customer in shop.memories:
        ranked = shop.ranked(customer, AT_MS + 120 * DAY_MS)
        assert len(ranked) == len(set(ranked))


def test_a_ranking_changes_nothing_it_looks_at(shop: Shop) -> None:
    before = msgspec.msgpack.encode(shop.memories["anna"])
    one = shop.ranked("anna", AT_MS + 120 * DAY_MS)
    assert msgspec.msgpack.encode(shop.memories["anna"]) == before
    assert shop.ranked("anna", AT_MS + 120 * DAY_MS) == one


def test_features_are_finite_whatever_the_time(shop: Shop) -> None:
    for day in (-4_000, 0, 120, 4_000):
        candidates = board(shop.memories["anna"], shop.knowledge, AT_MS + day * DAY_MS)
        for numbers in (candidates.shared, candidates.own, candidates.rows):
            assert np.isfinite(numbers).all()


def test_scores_are_the_features_by_their_weights(shop: Shop) -> None:
    """What the learner takes for the mean of the features is what the scores are made of."""
    for exploring in (False, True):
        candidates = board(shop.memories["anna"], shop.knowledge, AT_MS, exploring=exploring)
        scores = candidates.scores(PRIOR)
        chances = np.random.default_rng(1).random(len(scores))
        assert candidates.expected(chances) @ PRIOR == pytest.approx(chances @ scores)


def test_candidates_of_many_are_those_of_each_one(shop: Shop) -> None:
    """But who has few, or what the shop doesn't know, is asked alone."""
    names = [*shop.memories]
    for number in range(40):
        shop.sell("anna", [f"more-{number}"], AT_MS + (80 + number) * DAY_MS)
        shop.sell("ben", [f"more-{number}", f"else-{number}"], AT_MS + (80 + number) * DAY_MS)
    mark(shop.memories["ben"], item_ref("wished"), AT_MS + 121 * DAY_MS, WISHED)
    shop.knowledge.meet(item_ref("wished"), ItemFacts("wished", "", "wishes", 500))
    shop.knowledge.rank_popular()
    stranger = shop.memories["stranger"] = msgspec.convert(
        msgspec.to_builtins(shop.memories["anna"]), ItemMemory
    )
    buy(stranger, [item_ref("unheard of")], AT_MS + 121 * DAY_MS)
    names += ["ben", "stranger"]
    asked = [(shop.memories[one], AT_MS + (122 + at) * DAY_MS) for at, one in enumerate(names)]
    found = dict(zip(names, boards(asked, shop.knowledge), strict=True))
    sizes = {name: len(shop.memories[name].records) // RECORD_BYTES for name in names}
    few = {name for name, size in sizes.items() if size < FEW_ITEMS}
    assert {name for name, one in found.items() if one is None} == {*few, "stranger"}
    assert not {"anna", "ben"} & few
    for memory, at_ms in asked:
        alone = board(memory, shop.knowledge, at_ms)
        together = found[next(one for one in names if shop.memories[one] is memory)]
        if together is not None:
            assert together.places.tolist() == alone.places.tolist()
            assert together.sheet.refs.tolist() == alone.sheet.refs.tolist()
            assert together.scores(PRIOR) == pytest.approx(alone.scores(PRIOR))
            chances = np.linspace(-1.0, 1.0, len(together.places))
            assert together.expected(chances) == pytest.approx(alone.expected(chances))


def test_nobody_asked_is_nobody_answered(shop: Shop) -> None:
    assert boards([], shop.knowledge) == []
    wishful = ItemMemory()
    for number in range(FEW_ITEMS):
        mark(wishful, item_ref(f"i{number}"), AT_MS, WISHED)
    for memory in (ItemMemory(), wishful):
        assert boards([(memory, AT_MS)], ItemKnowledge()) == [None]
        assert boards([(memory, AT_MS)], shop.knowledge) == [None]


def test_learning_raises_the_weight_of_what_tells(shop: Shop) -> None:
    """Here only what was bought before is ever bought: its weights grow, popularity's falls."""
    learner = RankingLearner()
    for day in range(120, 120 + LESSONS_BEFORE_USE):
        candidates = board(shop.memories["anna"], shop.knowledge, AT_MS + day * DAY_MS)
        tea = shop.knowledge.index[item_ref("tea")]
        learner.learn(candidates, candidates.places == tea)
    learned = dict(zip(FEATURES, learner.weights.tolist(), strict=True))
    assert learned["own"] > NOTHING_LEARNED.weights[FEATURES.index("own")]
    assert learned["popularity"] < NOTHING_LEARNED.weights[FEATURES.index("popularity")]
    snapshot = learner.snapshot(day=20_000)
    assert (snapshot.version, snapshot.lessons) == (1, LESSONS_BEFORE_USE)


def test_a_learner_that_was_put_away_goes_on_as_if_nothing_had_happened(shop: Shop) -> None:
    straight, broken = RankingLearner(), RankingLearner()
    tea = shop.knowledge.index[item_ref("tea")]
    for day in range(120, 140):
        candidates = board(shop.memories["anna"], shop.knowledge, AT_MS + day * DAY_MS)
        straight.learn(candidates, candidates.places == tea)
        packed = msgspec.msgpack.encode(broken.dump())
        broken = RankingLearner(msgspec.msgpack.decode(packed, type=LearnedRanking))
        broken.learn(candidates, candidates.places == tea)
    assert broken.weights.tolist() == straight.weights.tolist()


def test_too_few_lessons_make_no_snapshot() -> None:
    with pytest.raises(BadSnapshot, match="lessons: 0"):
        RankingLearner().snapshot(1)


@pytest.mark.parametrize(
    ("weights", "said"),
    [
        ((1.0,), "expected 14"),
        ((float("nan"),) * len(FEATURES), "not finite"),
        ((0.0,) * len(FEATURES), "all are zero"),
    ],
)
def test_a_snapshot_without_meaning_is_refused(weights: tuple[float, ...], said: str) -> None:
    with pytest.raises(BadSnapshot, match=said):
        check(RankingSnapshot(weights=weights))


def test_an_items_row_brings_it_back(shop: Shop) -> None:
    again = ItemKnowledge()
    again.put_shop(shop.knowledge.shop)
    for ref, place in shop.knowledge.index.items():
        again.put(ref, shop.knowledge.row(place))
    for ref, place in shop.knowledge.index.items():
        assert again.row(again.index[ref]) == shop.knowledge.row(place)
