"""Which items are recommended, which never, and why."""

import msgspec
import numpy as np
import pytest

from models.clock import DAY_MS
from models.item_knowledge import ItemFacts, ItemKnowledge, ItemRow
from models.item_memory import CARTED, SPOILT, VIEWED, WISHED, ItemMemory, buy, item_ref, mark
from models.ranking import NOTHING_LEARNED
from models.recommendation import SLOTS, Recommended, Slot, explore_slots, recommend

START_MS = 19_000 * DAY_MS
DAYS = 120
NOW_MS = START_MS + DAYS * DAY_MS
PRIOR = np.array(NOTHING_LEARNED.weights)
ITEMS = {
    "milk": ItemFacts("milk", "Milk", "dairy", 120),
    "pasta": ItemFacts("pasta", "Pasta", "dry", 200),
    "sauce": ItemFacts("sauce", "Sauce", "dry", 350),
    "tea": ItemFacts("tea", "Tea", "hot drinks", 500),
    "coffee": ItemFacts("coffee", "Coffee", "hot drinks", 700),
    "washer": ItemFacts("washer", "Washer", "machines", 50_000),
    "fan": ItemFacts("fan", "Fan", "summer", 4_000),
}


class Shop:
    def __init__(self) -> None:
        self.knowledge = ItemKnowledge()
        self.memories: dict[str, ItemMemory] = {}
        self.orders = 0

    def sell(self, customer: str, items: list[str], at_ms: int) -> None:
        refs = [item_ref(item) for item in items]
        gaps = buy(self.memories.setdefault(customer, ItemMemory()), refs, at_ms)
        places = [self.meet(item) for item in items]
        self.knowledge.sold(places, gaps, at_ms, str(self.orders))
        self.orders += 1

    def meet(self, item: str) -> int:
        return self.knowledge.meet(item_ref(item), ITEMS.get(item, ItemFacts(item)))

    def shown(
        self,
        customer: str,
        *,
        n: int = 10,
        slot: Slot = "mixed",
        muted: frozenset[str] = frozenset(),
        gone: frozenset[str] = frozenset(),
        at_ms: int = NOW_MS,
    ) -> dict[str, Recommended]:
        memory = self.memories.get(customer, ItemMemory())
        found = recommend(
            memory,
            self.knowledge,
            PRIOR,
            at_ms,
            n,
            slot=slot,
            muted_categories=muted,
            out_of_stock=gone,
        )
        assert len({one.product_id for one in found}) == len(found) <= n
        return {one.product_id: one for one in found}


@pytest.fixture
def shop() -> Shop:
    """Everybody buys milk, some pasta with sauce, each one washer; a fan sells of late.

    Anna buys tea every week, and bought a washer and, two weeks ago, pasta.
    """
    shop = Shop()
    for day in range(DAYS):
        at_ms = START_MS + day * DAY_MS
        shop.sell(f"c{day % 20}", ["milk"], at_ms)
        shop.sell(f"c{(day + 7) % 20}", ["milk"], at_ms)
        if day % 3 == 0:
            shop.sell(f"c{day % 11}", ["pasta", "sauce"], at_ms)
        if day % 5 == 0:
            shop.sell(f"d{day % 20}", ["coffee"], at_ms)
        if day % 2 == 0:
            shop.sell(f"w{day}", ["washer"], at_ms)
        if day > DAYS - 12:
            shop.sell(f"f{day}", ["fan"], at_ms)
        if day % 7 == 0:
            shop.sell("anna", ["tea"], at_ms)
    shop.sell("anna", ["washer"], START_MS + 50 * DAY_MS)
    shop.sell("anna", ["pasta"], NOW_MS - 14 * DAY_MS)
    shop.knowledge.rank_popular()
    return shop


def test_an_item_comes_with_what_is_said_of_it_and_the_best_comes_first(shop: Shop) -> None:
    found = list(shop.shown("anna").values())
    best = found[0]
    said = ("tea", "Tea", "hot drinks", 500)
    assert (best.product_id, best.name, best.category, best.price_cents) == said
    scores = [one.score for one in found]
    assert scores == sorted(scores, reverse=True)


def test_what_turned_out_bad_is_not_shown_until_it_is_bought_again(shop: Shop) -> None:
    mark(shop.memories["anna"], item_ref("tea"), NOW_MS, SPOILT)
    assert "tea" not in shop.shown("anna")
    shop.sell("anna", ["tea"], NOW_MS)
    assert "tea" in shop.shown("anna")


def test_what_turned_out_bad_is_not_shown_though_others_like_it(shop: Shop) -> None:
    mark(shop.memories["anna"], item_ref("milk"), NOW_MS, SPOILT)
    for slot in SLOTS:
        assert "milk" not in shop.shown("anna", slot=slot)


def test_a_durable_that_is_had_is_not_shown_but_to_others(shop: Shop) -> None:
    assert "washer" not in shop.shown("anna")
    assert "washer" in shop.shown("c1")


def test_what_is_out_of_stock_is_not_shown(shop: Shop) -> None:
    shown = shop.shown("anna", gone=frozenset({"tea", "milk"}))
    assert shown.keys() == shop.shown("anna").keys() - {"tea", "milk"}


def test_a_muted_category_is_not_shown(shop: Shop) -> None:
    shown = shop.shown("anna", muted=frozenset({"dry"}))
    assert shown.keys() == shop.shown("anna").keys() - {"pasta", "sauce"}


def test_the_next_best_takes_the_room_of_what_is_left_out(shop: Shop) -> None:
    best = list(shop.shown("anna", n=3))
    assert list(shop.shown("anna", n=2, gone=frozenset(best[:1]))) == best[1:]


def test_repeat_slots_are_what_was_bought_and_explore_slots_what_was_not(shop: Shop) -> None:
    mark(shop.memories["anna"], item_ref("coffee"), NOW_MS, VIEWED)
    repeat, explore = shop.shown("anna", slot="repeat"), shop.shown("anna", slot="explore")
    assert repeat.keys() == {"tea", "pasta"}
    assert explore.keys() == {"milk", "sauce", "coffee", "fan"}


def test_only_who_hardly_ever_buys_again_has_explore_slots_beyond_what_scores_earn() -> None:
    assert explore_slots(ItemMemory(lines=200, repeats=20), 10) == 1
    assert explore_slots(ItemMemory(lines=200, repeats=20), 30) == 3
    assert explore_slots(ItemMemory(lines=200, repeats=100), 10) == 0
    assert explore_slots(ItemMemory(), 10) == 0


def test_the_last_slot_of_a_curious_customer_is_something_new(shop: Shop) -> None:
    own = [f"own-{number}" for number in range(12)]
    for day in range(5):
        shop.sell("curious", own, NOW_MS - (6 - day) * DAY_MS)
    shop.knowledge.rank_popular()
    steady = list(shop.shown("curious"))
    memory = shop.memories["curious"]
    memory.lines, memory.repeats = 200, 20
    shown = list(shop.shown("curious"))
    assert set(steady) < set(own)
    assert shown[:9] == steady[:9]
    assert shown[9] not in own


def test_explore_slots_go_back_to_repeats_where_there_is_nothing_new() -> None:
    shop = Shop()
    own = [f"own-{number}" for number in range(12)]
    for day in range(5):
        shop.sell("curious", own, START_MS + day * DAY_MS)
    shop.knowledge.rank_popular()
    shop.memories["curious"].repeats = 0
    assert explore_slots(shop.memories["curious"], 10) == 1
    assert len(shop.shown("curious", at_ms=START_MS + 6 * DAY_MS)) == 10


def test_a_newcomer_of_a_new_shop_gets_nothing() -> None:
    assert Shop().shown("nobody") == {}


def test_what_is_about_to_run_out_is_due_again(shop: Shop) -> None:
    reason = shop.shown("anna", at_ms=NOW_MS + 6 * DAY_MS)["tea"].reason
    assert reason.name == "due_again"
    assert (reason.numbers["times"], reason.numbers["days_ago"]) == (18, 7)
    assert 6.0 < reason.numbers["interval_days"] < 9.0


def test_what_was_bought_just_now_or_ages_ago_was_bought_often(shop: Shop) -> None:
    shop.sell("anna", ["tea"], NOW_MS)
    reason = shop.shown("anna")["tea"].reason
    assert (reason.name, reason.numbers) == ("bought_often", {"times": 19, "days_ago": 0})
    late = shop.shown("anna", at_ms=NOW_MS + 300 * DAY_MS)["tea"].reason
    assert (late.name, late.numbers["days_ago"]) == ("bought_often", 300)


def test_what_others_buy_with_the_customers_items_goes_with_them(shop: Shop) -> None:
    reason = shop.shown("anna")["sauce"].reason
    assert (reason.name, reason.product_id) == ("goes_with", "pasta")
    assert reason.numbers["share"] > 0.9
    assert reason.numbers["lift"] > 2.0


def test_what_is_like_what_the_customer_buys_is_in_a_liked_category(shop: Shop) -> None:
    reason = shop.shown("anna")["coffee"].reason
    assert reason.name == "in_your_category"
    assert 0.5 < reason.numbers["share"] < 1.0


def test_what_rises_is_trending_and_what_sells_anyhow_is_popular(shop: Shop) -> None:
    shown = shop.shown("nobody")
    assert shown["fan"].reason.name == "trending"
    assert shown["fan"].reason.numbers["rise"] > 1.5
    assert shown["milk"].reason.name == "popular"
    assert 0.3 < shown["milk"].reason.numbers["share"] < 1.0


@pytest.mark.parametrize(
    ("bit", "name"), [(WISHED, "wished"), (CARTED, "wished"), (VIEWED, "viewed")]
)
def test_what_was_wished_for_or_looked_at_says_so(shop: Shop, bit: int, name: str) -> None:
    mark(shop.memories["anna"], item_ref("coffee"), NOW_MS - 2 * DAY_MS, bit)
    shown = shop.shown("anna")
    assert (shown["coffee"].reason.name, shown["coffee"].reason.numbers) == (name, {"days_ago": 2})
    assert shown["coffee"].score > shop.shown("c1")["coffee"].score


def test_a_wish_for_what_was_bought_before_is_a_wish(shop: Shop) -> None:
    mark(shop.memories["anna"], item_ref("tea"), NOW_MS, WISHED)
    assert shop.shown("anna")["tea"].reason.name == "wished"


def test_an_item_that_is_known_as_a_neighbour_alone_is_not_shown() -> None:
    knowledge = ItemKnowledge()
    rows = msgspec.structs.replace(
        _row_of("bread"), neighbours=[(item_ref("milk"), 5.0)], popularity=6.0
    )
    knowledge.put(item_ref("bread"), rows)
    knowledge.rank_popular()
    assert len(knowledge) == 2
    memory = ItemMemory()
    buy(memory, [item_ref("bread")], NOW_MS)
    weights = np.array(NOTHING_LEARNED.weights)
    for slot in SLOTS:
        found = recommend(memory, knowledge, weights, NOW_MS, 5, slot=slot)
        assert "" not in [one.product_id for one in found]


def _row_of(name: str) -> ItemRow:
    knowledge = ItemKnowledge()
    place = knowledge.meet(item_ref(name), ItemFacts(name))
    knowledge.sold([place], [-1], NOW_MS, "o")
    return knowledge.row(place)
