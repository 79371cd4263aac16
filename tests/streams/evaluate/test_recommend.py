"""`huitou evaluate recommend`."""

import random
from pathlib import Path

import pandas as pd
import pytest

from models.clock import DAY_MS
from streams.evaluate.outcome import BadQuestion
from streams.evaluate.recommend import Basket, Named, Tally, evaluate, question, read_baskets

NAMED = Named("customer_id", "product_id", "basket", "occurred_at")


def lines(baskets: int = 400, timed: bool = True, seed: int = 1) -> pd.DataFrame:
    """Customers who each have three favourites, among a hundred items."""
    chance, rows = random.Random(seed), []
    start = pd.Timestamp("2026-01-01", tz="UTC")
    for number in range(baskets):
        customer = chance.randrange(25)
        favourites = [f"i{customer * 3 + at}" for at in range(3)]
        items = [*chance.sample(favourites, 2), f"i{chance.randrange(100)}"]
        at = start + pd.Timedelta(hours=7 * number)
        rows += [(f"c{customer}", at, str(number), item) for item in items]
    frame = pd.DataFrame(rows, columns=["customer_id", "occurred_at", "basket", "product_id"])
    return frame if timed else frame.drop(columns="occurred_at")


def written(folder: Path, frame: pd.DataFrame, name: str = "history.csv") -> Path:
    path = folder / name
    frame.to_csv(path, index=False)
    return path


@pytest.mark.parametrize("timed", [True, False])
def test_favourites_are_foretold(tmp_path: Path, timed: bool) -> None:
    path = written(tmp_path, lines(timed=timed))
    figures = question(path, None, NAMED, 10, print).figures
    assert figures["recall"] > 0.6
    assert figures["repeat_recall"] > 0.9
    assert figures["recall"] > figures["baselines"]["popularity"]["recall"] + 0.2
    assert figures["customers"] == 25


@pytest.mark.parametrize("timed", [True, False])
def test_a_future_is_foretold_without_learning_from_it(tmp_path: Path, timed: bool) -> None:
    frame = lines(600, timed=timed)
    last = frame.groupby("customer_id")["basket"].transform(lambda one: one.astype(int).max())
    is_last = frame["basket"].astype(int) == last
    history = written(tmp_path, frame[~is_last])
    future = written(tmp_path, frame[is_last], "future.csv")
    figures = question(history, future, NAMED, 10, print).figures
    assert figures["customers"] == figures["baskets"] == 25
    assert figures["recall"] > 0.5


def test_without_times_all_histories_end_on_one_day_in_the_order_of_their_baskets(
    tmp_path: Path,
) -> None:
    baskets = read_baskets(written(tmp_path, lines(timed=False)), NAMED, print)
    ends: dict[str, list[int]] = {}
    for basket in baskets:
        ends.setdefault(basket.customer, []).append(int(basket.name.split(":")[1]))
    assert all(numbers == sorted(numbers) for numbers in ends.values())
    assert {max(b.at_ms for b in baskets if b.customer == one) for one in ends} == {
        baskets[-1].at_ms
    }
    assert len({len(numbers) for numbers in ends.values()}) > 1


def test_items_of_a_basket_count_once_and_returns_do_not(tmp_path: Path) -> None:
    frame = lines(3)
    frame["Quantity"] = [1, 1, -1] * 3
    baskets = read_baskets(written(tmp_path, pd.concat([frame, frame])), NAMED, print)
    assert [len(one.items) for one in baskets] == [2, 2, 2]
    assert baskets == sorted(baskets, key=lambda one: one.at_ms)


@pytest.mark.parametrize(
    ("ranked", "recall", "ndcg", "repeat", "explore"),
    [
        (["a", "b"], 1.0, 1.0, 1.0, 1.0),
        (["x", "a"], 0.5, 0.3869, 1.0, 0.0),
        (["x", "y"], 0.0, 0.0, 0.0, 0.0),
        ([], 0.0, 0.0, 0.0, 0.0),
    ],
)
def test_what_a_ranking_is_worth(
    ranked: list[str], recall: float, ndcg: float, repeat: float, explore: float
) -> None:
    tally = Tally(2)
    tally.count(ranked, Basket(0, "c", "b", ("a", "b")), known=["a"])
    figures = tally.figures()
    assert figures["recall"] == recall
    assert figures["ndcg"] == pytest.approx(ndcg, abs=1e-4)
    assert (figures["repeat_recall"], figures["explore_recall"]) == (repeat, explore)


def test_nobody_to_ask_is_said(tmp_path: Path) -> None:
    alone = [Basket(DAY_MS, "a", "1", ("x",)), Basket(DAY_MS, "b", "2", ("x",))]
    with pytest.raises(BadQuestion, match="no customer has a basket"):
        evaluate(alone, None, 10, print)
    with pytest.raises(BadQuestion, match="--k 0"):
        evaluate(alone, None, 0, print)
