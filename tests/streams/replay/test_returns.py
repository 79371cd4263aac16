from decimal import Decimal

import pytest

from models.customer import KEPT_ORDERS
from streams.replay.lines import Line
from streams.replay.returns import LookBack


def line(product: str, quantity: int, paid: str = "0") -> Line:
    return Line(
        number=1,
        at_ms=0,
        order="",
        customer="anna",
        product=product,
        name="",
        category="",
        brand="",
        variant="",
        quantity=Decimal(quantity),
        paid=Decimal(paid),
        discount=Decimal(0),
        currency="GBP",
        coupon="",
        store="",
        traits=(),
        extra=(),
        takes_back=quantity < 0,
    )


def bought(*orders: tuple[str, list[Line]]) -> LookBack:
    look_back = LookBack()
    for order, lines in orders:
        look_back.buy("anna", order, lines)
    return look_back


@pytest.mark.parametrize(
    ("orders", "back", "expected"),
    [
        ([("1", {"hat": 2})], {"hat": -1}, [("1", "hat", 1, False)]),
        ([("1", {"hat": 2})], {"hat": -2}, [("1", "hat", 2, True)]),
        ([("1", {"hat": 2, "tie": 1})], {"hat": -2}, [("1", "hat", 2, False)]),
        ([("1", {"hat": 1}), ("2", {"hat": 1})], {"hat": -1}, [("2", "hat", 1, True)]),
        ([("1", {"hat": 5}), ("2", {"tie": 1})], {"hat": -1}, [("1", "hat", 1, False)]),
        (
            [("1", {"hat": 2}), ("2", {"hat": 1})],
            {"hat": -2},
            [("2", "hat", 1, True), ("1", "hat", 1, False)],
        ),
        ([("1", {"hat": 1})], {"hat": -3}, [("1", "hat", 1, True), ("C9", "hat", 2, False)]),
        ([], {"hat": -1}, [("C9", "hat", 1, False)]),
        ([("1", {"hat": 1})], {"tie": -1}, [("C9", "tie", 1, False)]),
    ],
)
def test_goods_are_taken_from_the_newest_order_that_holds_them(
    orders: list[tuple[str, dict[str, int]]],
    back: dict[str, int],
    expected: list[tuple[str, str, int, bool]],
) -> None:
    look_back = bought(*((o, [line(p, q) for p, q in held.items()]) for o, held in orders))
    returned = look_back.take_back("anna", "C9", [line(p, q) for p, q in back.items()])
    assert [
        (one.order, product, quantity, one.is_whole)
        for one in returned
        for product, quantity, _ in one.lines
    ] == expected


def test_what_came_back_once_does_not_come_back_again() -> None:
    look_back = bought(("1", [line("hat", 2), line("tie", 1)]))
    assert look_back.take_back("anna", "C1", [line("hat", -2)])[0].order == "1"
    assert look_back.take_back("anna", "C2", [line("hat", -2)])[0].order == "C2"


def test_the_last_piece_of_an_order_returned_in_parts_cancels_it() -> None:
    look_back = bought(("1", [line("hat", 2)]))
    assert not look_back.take_back("anna", "C1", [line("hat", -1)])[0].is_whole
    assert look_back.take_back("anna", "C2", [line("hat", -1)])[0].is_whole


def test_money_goes_back_at_the_price_of_the_returning_row() -> None:
    look_back = bought(("1", [line("hat", 1)]), ("2", [line("hat", 3)]))
    returned = look_back.take_back("anna", "C1", [line("hat", -4, "-10.00")])
    assert [(one.order, one.lines[0][2]) for one in returned] == [
        ("2", Decimal("7.50")),
        ("1", Decimal("2.50")),
    ]


def test_money_without_goods_goes_back_to_no_known_order() -> None:
    returned = bought(("1", [line("D", 1)])).take_back("anna", "C1", [line("D", 0, "-4.00")])
    assert [(one.order, one.lines) for one in returned] == [
        ("C1", [("D", Decimal(0), Decimal("4.00"))])
    ]


def test_customers_do_not_return_each_others_goods() -> None:
    look_back = bought(("1", [line("hat", 1)]))
    assert look_back.take_back("bo", "C1", [line("hat", -1)])[0].order == "C1"


def test_the_look_back_is_bounded() -> None:
    look_back = bought(*((str(n), [line(f"p{n}", 1)]) for n in range(KEPT_ORDERS + 1)))
    assert look_back.take_back("anna", "C1", [line("p0", -1)])[0].order == "C1"
    assert look_back.take_back("anna", "C2", [line("p1", -1)])[0].order == "1"
