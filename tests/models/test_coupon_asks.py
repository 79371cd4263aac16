"""What orders say to coupons."""

import pytest

from models.coupon_asks import ASKING, asked
from models.coupon_words import CouponWord, order_key
from models.coupons import (
    Coupon,
    Issued,
    OrderVoided,
    Outcome,
    RedemptionAsked,
    Status,
    Terms,
    fold,
)
from models.customer import Customer
from models.discounts import Amount, Basket
from models.events import Line
from models.step import Effect
from tests.builders import ANNA, START_MS, cancelled, named, order, refunded, step_all, viewed


def words(effects: list[Effect]) -> list[CouponWord]:
    return [one for one in effects if isinstance(one, CouponWord)]


def test_an_order_with_a_coupon_asks_for_it_with_what_it_cost_before() -> None:
    bought = order(
        "o1", 2_000, coupon="spring-10", discount_cents=500, shipping_cents=300, via=(named("dev"),)
    )
    (word,) = words(step_all(Customer(), bought))
    assert word.key == "SPRING10"
    assert word.event == RedemptionAsked(
        START_MS, "order o1", "o1", Basket(2_200, 300), (ANNA, named("dev")), currency="EUR"
    )


def test_an_order_in_another_currency_asks_in_vain_for_an_amount() -> None:
    bought = order("o1", 5_000, coupon="A1", currency="JPY")
    (word,) = words(step_all(Customer(), bought))
    terms = Terms("welcome", Amount(500), currency="EUR")
    coupon, _ = fold(Coupon(), Issued(START_MS, terms))
    coupon, verdict = fold(coupon, word.event)  # type: ignore[arg-type]
    assert (verdict.outcome, coupon.status) == (Outcome.OTHER_CURRENCY, Status.ISSUED)


def test_an_order_of_nothing_asks_in_vain_and_the_coupon_is_kept() -> None:
    (word,) = words(step_all(Customer(), order("o1", 0, coupon="A1")))
    assert isinstance(word.event, RedemptionAsked)
    assert word.event.basket == Basket(0)
    coupon, _ = fold(Coupon(), Issued(START_MS, Terms("welcome", Amount(500))))
    coupon, verdict = fold(coupon, word.event)
    assert (verdict.outcome, coupon.status) == (Outcome.NOTHING_TO_TAKE_OFF, Status.ISSUED)


def test_an_order_that_a_coupon_paid_whole_redeems_it_by_its_lines() -> None:
    lines = (Line("p1", 1_500), Line("p2", 700))
    (word,) = words(step_all(Customer(), order("o1", 0, coupon="A1", lines=lines)))
    assert isinstance(word.event, RedemptionAsked)
    assert word.event.basket == Basket(2_200)


@pytest.mark.parametrize("coupon", ["", "---", "x" * 200])
def test_an_order_without_a_code_asks_for_nothing(coupon: str) -> None:
    assert words(step_all(Customer(), order(coupon=coupon))) == []


def test_an_order_told_twice_asks_once() -> None:
    assert len(words(step_all(Customer(), order(coupon="A1"), order(coupon="A1")))) == 1


def test_an_order_that_was_cancelled_before_it_came_asks_for_nothing() -> None:
    (over,) = words(step_all(Customer(), cancelled(), order(coupon="A1")))
    assert over.key == order_key("o1")
    assert over.event == OrderVoided(START_MS, "o1")


@pytest.mark.parametrize(
    ("amounts", "whole"),
    [([None], [True]), ([500], [False]), ([1_500, 500], [False, True]), ([2_000], [True])],
)
def test_an_orders_end_is_said_and_whether_it_is_whole(
    amounts: list[int | None], whole: list[bool]
) -> None:
    bought = order("o1", 2_000)
    told = words(step_all(Customer(), bought, *(refunded("o1", one) for one in amounts)))
    assert [one.event for one in told] == [OrderVoided(START_MS, "o1", one) for one in whole]


def test_a_refund_of_an_order_nobody_knows_is_whole_only_if_it_says_so() -> None:
    assert words(step_all(Customer(), refunded("o9", 500)))[0].event == OrderVoided(
        START_MS, "o9", whole=False
    )


def test_nothing_else_asks() -> None:
    assert type(viewed()) not in ASKING
    assert asked(Customer(), viewed(), "") == []
