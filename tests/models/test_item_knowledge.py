"""What a shop knows of its items."""

from math import ceil

import numpy as np
import pytest
from msgspec.structs import replace

from models.clock import DAY_MS
from models.item_knowledge import (
    COMPETING_NEIGHBOURS,
    INTERVAL,
    KEPT_NEIGHBOURS,
    PERHAPS_DURABLE,
    REGULAR,
    SELLER,
    SHARE,
    TREND,
    USUAL_INTERVAL_DAYS,
    ItemFacts,
    ItemKnowledge,
)
from models.item_memory import LANDMARK_DAYS, item_ref

AT_MS = 19_000 * DAY_MS


def sell(shop: ItemKnowledge, items: list[str], at_ms: int, gap: int = -1, seed: str = "o") -> None:
    places = [shop.meet(item_ref(item), ItemFacts(item)) for item in items]
    shop.sold(places, [gap] * len(items), at_ms, seed)


def near(shop: ItemKnowledge, item: str) -> dict[str, float]:
    known = shop.goes_with(shop.index[item_ref(item)])
    return {shop.facts[place].product_id: weight for place, weight in known.items()}


def test_what_is_bought_together_goes_together() -> None:
    shop = ItemKnowledge()
    for day in range(3):
        sell(shop, ["pasta", "sauce"], AT_MS + day * DAY_MS)
    sell(shop, ["pasta", "soap"], AT_MS)
    assert near(shop, "pasta")["sauce"] > near(shop, "pasta")["soap"]
    assert near(shop, "sauce").keys() == {"pasta"}


def test_an_item_keeps_its_strongest_neighbours_and_no_more() -> None:
    shop = ItemKnowledge()
    for number in range(200):
        sell(shop, ["bag", f"once-{number}"], AT_MS)
        sell(shop, ["bag", f"often-{number % 3}"], AT_MS)
    assert KEPT_NEIGHBOURS <= len(near(shop, "bag")) <= COMPETING_NEIGHBOURS
    assert near(shop, "bag").keys() >= {"often-0", "often-1", "often-2"}


def test_pairs_of_a_large_basket_are_drawn_and_weighed_as_if_all_were_counted() -> None:
    shop = ItemKnowledge()
    items = [f"i{number}" for number in range(13)]
    for order in range(400):
        sell(shop, items, AT_MS, seed=str(order))
    weights = [sum(near(shop, item).values()) for item in items]
    assert np.mean(weights) == pytest.approx(400 * 12 * shop.scales(AT_MS)[0], rel=0.01)


@pytest.mark.parametrize(
    ("buyers", "repeats", "durable"), [(29, 0, False), (60, 0, True), (60, 2, False)]
)
def test_what_nobody_buys_twice_is_durable(buyers: int, repeats: int, durable: bool) -> None:
    shop = ItemKnowledge()
    for _ in range(buyers):
        sell(shop, ["washer"], AT_MS)
    for _ in range(repeats):
        sell(shop, ["washer"], AT_MS, gap=400)
    assert shop.is_durable(shop.index[item_ref("washer")]) is durable


def test_whatever_is_durable_may_be_by_the_table() -> None:
    for buyers in (30, 45, 200, 5_000):
        shop = ItemKnowledge()
        place = shop.meet(item_ref("washer"), ItemFacts("washer"))
        row = shop.row(place)
        repeats = ceil(0.02 * buyers) - 1
        shop.put(item_ref("washer"), replace(row, buyers=buyers, repeats=repeats, popularity=1.0))
        shop.rank_popular()
        assert shop.is_durable(place)
        assert shop.table[place, REGULAR] < PERHAPS_DURABLE


def test_each_pair_of_a_large_basket_counts_as_often_as_any_other() -> None:
    shop, orders = ItemKnowledge(), 900
    names = [f"i{number}" for number in range(9)]
    places = [shop.meet(item_ref(name), ItemFacts(name)) for name in names]
    for number in range(orders):
        shop.sold(places, [-1] * len(places), AT_MS, f"o{number}")
    weight = shop.popularity(places[0])
    for place in places:
        together = shop.goes_with(place)
        assert together.keys() == {*places} - {place}
        assert all(0.8 < one / weight < 1.2 for one in together.values())


def test_a_place_that_nobody_has_is_nobodys_though_its_ref_is_0() -> None:
    shop = ItemKnowledge()
    shop.meet(7, ItemFacts("seven"))
    found, met = shop.find(np.array([0, 7], np.uint32))
    assert met is not None
    assert met.tolist() == [False, True]
    at = shop.meet(0, ItemFacts("zero"))
    found, met = shop.find(np.array([0, 7], np.uint32))
    assert (found.tolist(), met) == ([at, 0], None)


def test_an_interval_is_drawn_from_the_usual_to_the_items_own() -> None:
    shop = ItemKnowledge()
    sell(shop, ["milk"], AT_MS)
    milk = shop.index[item_ref("milk")]
    assert shop.table[milk, INTERVAL] == shop.row(milk).interval_days == USUAL_INTERVAL_DAYS
    for _ in range(200):
        sell(shop, ["milk"], AT_MS, gap=7)
    assert shop.row(milk).interval_days == pytest.approx(7, abs=0.1)
    shop.rank_popular()
    assert shop.table[milk, INTERVAL] == shop.row(milk).interval_days


def test_what_sells_of_late_rises_above_what_sold_long_ago() -> None:
    shop = ItemKnowledge()
    for _ in range(50):
        sell(shop, ["old"], AT_MS)
    for _ in range(10):
        sell(shop, ["new"], AT_MS + 60 * DAY_MS)
    rows = {item: shop.row(shop.index[item_ref(item)]) for item in ("old", "new")}
    assert rows["old"].popularity > rows["new"].popularity
    assert rows["new"].lately > rows["old"].lately


def test_the_table_stands_as_of_when_best_sellers_were_looked_for() -> None:
    shop = ItemKnowledge()
    for _ in range(3):
        sell(shop, ["milk", "tea"], AT_MS)
    sell(shop, ["milk"], AT_MS + 20 * DAY_MS)
    milk, tea = (shop.index[item_ref(item)] for item in ("milk", "tea"))
    assert shop.table[milk, SHARE] == 0.0
    shop.rank_popular()
    assert shop.table[milk, SHARE] == pytest.approx(1.0)
    assert 0.0 < shop.table[tea, SHARE] < 0.75
    assert shop.table[milk, TREND] == pytest.approx(0.0)
    assert shop.table[tea, TREND] < 0.0
    sellers = shop.best_sellers
    assert sellers.places.tolist() == [milk, tea]
    assert sellers.rows[:, SELLER].tolist() == [0, 1]
    assert (sellers.rows == shop.table[sellers.places]).all()


def test_a_refreshed_table_knows_what_was_sold_since_but_no_new_best_seller() -> None:
    shop = ItemKnowledge()
    sell(shop, ["milk", "tea"], AT_MS)
    shop.rank_popular()
    sell(shop, ["milk", "fan"], AT_MS)
    milk, tea, fan = (shop.index[item_ref(item)] for item in ("milk", "tea", "fan"))
    shop.refresh()
    assert shop.table[[milk, fan], SHARE].tolist() == pytest.approx([1.0, 0.5])
    sellers = shop.best_sellers
    assert set(sellers.places.tolist()) == {milk, tea}
    assert (sellers.rows == shop.table[sellers.places]).all()
    refreshed = shop.table[[milk, fan]].copy()
    shop.rank_popular()
    assert (shop.table[[milk, fan], :SELLER] == refreshed[:, :SELLER]).all()
    assert fan in shop.best_sellers.places


def test_a_shop_written_down_and_read_in_another_order_is_the_same_to_the_bit() -> None:
    shop = ItemKnowledge()
    for day in range(0, 4 * LANDMARK_DAYS, 3):
        sell(shop, [f"i{day % 40}", f"i{day % 7}"], AT_MS + day * DAY_MS, gap=day % 9)
    rows = {ref: shop.row(place) for ref, place in shop.index.items()}
    sums = shop.shop
    again = ItemKnowledge()
    again.put_shop(sums)
    for ref in sorted(rows):
        again.put(ref, rows[ref])
    assert {ref: again.row(place) for ref, place in again.index.items()} == rows
    assert again.shop == sums


def test_more_items_than_room_are_kept() -> None:
    shop = ItemKnowledge()
    for number in range(3_000):
        sell(shop, [f"i{number}"], AT_MS)
    assert len(shop) == 3_000
    assert shop.facts[shop.index[item_ref("i17")]].product_id == "i17"


def test_items_are_found_among_many_of_one_slot_and_strangers_are_told() -> None:
    shop = ItemKnowledge()
    names = [f"i{number}" for number in range(3_000)]
    places = [shop.meet(item_ref(name), ItemFacts(name)) for name in names]
    refs = np.array([item_ref(name) for name in names], np.uint32)
    found, met = shop.find(refs)
    assert (found.tolist(), met) == (places, None)
    strangers = np.array([item_ref(f"s{number}") for number in range(3_000)], np.uint32)
    found, met = shop.find(np.concatenate((refs[:5], strangers)))
    assert met is not None
    assert met.tolist() == [True] * 5 + [False] * 3_000
    assert found[met].tolist() == places[:5]


def test_a_shop_without_items_finds_nothing() -> None:
    found, met = ItemKnowledge().find(np.array([0, item_ref("tea")], np.uint32))
    assert met is not None
    assert not met.any()
    assert (found < 0).all()


def test_which_places_are_of_some_items_is_told() -> None:
    shop = ItemKnowledge()
    sell(shop, ["bread", "milk", "tea"], AT_MS)
    asked = [item_ref("tea"), item_ref("bread"), item_ref("never seen")]
    assert shop.among(np.array([2, 1, 0, 2]), asked).tolist() == [True, False, True, True]
    assert not shop.among(np.array([0, 1, 2]), []).any()


def test_a_share_of_orders_together_is_of_the_first_items_orders() -> None:
    shop = ItemKnowledge()
    sell(shop, ["pasta", "sauce"], AT_MS)
    sell(shop, ["pasta"], AT_MS)
    pasta, sauce = (shop.index[item_ref(item)] for item in ("pasta", "sauce"))
    assert shop.share_together(pasta, sauce) == pytest.approx(0.5)
    assert shop.share_together(sauce, pasta) == pytest.approx(1.0)
    assert shop.share_together(sauce, sauce) == 0.0


def test_a_shop_that_knows_nothing_can_be_asked_at_any_time() -> None:
    slow, fast = ItemKnowledge().scales(40_000 * DAY_MS)
    assert 0.0 < slow < fast < float("inf")


def test_of_too_many_items_the_least_popular_are_forgotten_and_said() -> None:
    knowledge = ItemKnowledge(items_at_most=20)
    refs = {name: item_ref(name) for name in (f"p{n}" for n in range(25))}
    places = [knowledge.meet(ref, ItemFacts(name, "", name)) for name, ref in refs.items()]
    for times, place in enumerate(places):
        for number in range(times + 1):
            knowledge.sold([place, places[-1]], [-1, 3], AT_MS, f"{place}-{number}")
    before = {ref: knowledge.row(place) for ref, place in knowledge.index.items()}
    forgotten = knowledge.rank_popular()
    assert forgotten == sorted(refs[f"p{n}"] for n in range(7))
    assert len(knowledge) == 18
    assert len(knowledge.categories) == 19
    assert knowledge.rank_popular() == []
    for name in ("p7", "p24"):
        row, old = knowledge.row(knowledge.index[refs[name]]), before[refs[name]]
        assert (row.facts, row.popularity, row.buyers) == (old.facts, old.popularity, old.buyers)
    near = {ref for ref, _ in knowledge.row(knowledge.index[refs["p24"]]).neighbours}
    assert near
    assert near <= set(knowledge.index)


def test_an_order_without_items_is_no_basket() -> None:
    knowledge = ItemKnowledge()
    knowledge.sold([], [], AT_MS, "o")
    assert knowledge.shop.baskets == 0.0
