"""What an order has, and its end: the coupon hears of it whichever came first."""

from itertools import permutations

from models.coupon_orders import COUPONS_AT_MOST, OrderRow, ToTell, add, void
from models.coupon_words import OrderHas
from models.coupons import OrderVoided


def test_an_orders_end_is_told_to_each_of_its_coupons() -> None:
    row, _ = add(OrderRow(), OrderHas(1, "o1", "A"))
    row, _ = add(row, OrderHas(1, "o1", "B"))
    over = OrderVoided(9, "o1")
    assert void(row, over)[1] == [ToTell("A", over), ToTell("B", over)]


def test_whichever_comes_first_the_coupon_hears_once_of_a_cancelled_order() -> None:
    for story in permutations([OrderHas(1, "o1", "A"), OrderVoided(9, "o1")]):
        row, told = OrderRow(), []
        for event in story:
            row, more = add(row, event) if isinstance(event, OrderHas) else void(row, event)
            told += more
        assert told == [ToTell("A", OrderVoided(9, "o1"))]


def test_a_part_that_went_back_before_the_coupon_came_is_not_the_orders_end() -> None:
    row, _ = void(OrderRow(), OrderVoided(9, "o1", whole=False))
    assert row == OrderRow()
    assert add(row, OrderHas(1, "o1", "A"))[1] == []


def test_a_coupon_is_noted_once_and_not_without_end() -> None:
    row = OrderRow()
    for number in range(2 * COUPONS_AT_MOST):
        for _ in range(2):
            row, _ = add(row, OrderHas(1, "o1", f"C{number}"))
    assert len(row.coupons) == COUPONS_AT_MOST == len(set(row.coupons))
