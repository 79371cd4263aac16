"""What coupons take off, to the cent."""

from decimal import ROUND_HALF_UP, Decimal
from itertools import permutations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.discounts import (
    Amount,
    Basket,
    Discount,
    FreeShipping,
    Gift,
    Kind,
    Percent,
    Steps,
    discount,
    least_spend_cents,
    names_amounts,
    rounded,
    spread,
    stacked,
    worst_cents,
)

STEPS = Steps(((5_000, 500), (10_000, 1_500), (20_000, 4_000)))
cents = st.integers(0, 10**9)
limits = st.none() | cents
kinds = st.one_of(
    st.builds(Percent, st.integers(0, 10_000), limits, cents),
    st.builds(Amount, cents, cents),
    st.builds(Steps, st.lists(st.tuples(cents, cents), max_size=4).map(tuple)),
    st.builds(Gift, st.text(max_size=5), cents, cents),
    st.builds(FreeShipping, limits, cents),
)
baskets = st.builds(Basket, cents, st.integers(0, 10**5))


@pytest.mark.parametrize(
    ("kind", "basket", "step_cents", "expected"),
    [
        (Percent(1_000), Basket(10_000), 1, Discount(1_000)),
        # Half a cent is the customer's.
        (Percent(1_000), Basket(1_005), 1, Discount(101)),
        (Percent(1_000), Basket(1_004), 1, Discount(100)),
        (Percent(3_333), Basket(100), 1, Discount(33)),
        (Percent(10_000), Basket(999), 1, Discount(999)),
        (Percent(1), Basket(4_999), 1, Discount(0)),
        (Percent(1_500, at_most_cents=1_000), Basket(10_000), 1, Discount(1_000)),
        # Prices without cents: 15 % of 999 dollars is 149.85.
        (Percent(1_500), Basket(99_900), 100, Discount(15_000)),
        (Percent(1_000), Basket(44_900), 100, Discount(4_500)),
        (Percent(1_000), Basket(44_400), 100, Discount(4_400)),
        (Percent(1_000), Basket(40), 100, Discount(0)),
        (Percent(10_000), Basket(150), 100, Discount(150)),
        (Amount(500), Basket(2_000), 1, Discount(500)),
        (Amount(500), Basket(300), 1, Discount(300)),
        (Amount(500, least_spend_cents=2_000), Basket(2_000), 1, Discount(500)),
        (Amount(500, least_spend_cents=2_000), Basket(1_999, 500), 1, None),
        (STEPS, Basket(4_999), 1, None),
        (STEPS, Basket(5_000), 1, Discount(500)),
        (STEPS, Basket(19_999), 1, Discount(1_500)),
        (STEPS, Basket(10**9), 1, Discount(4_000)),
        (Steps(()), Basket(100), 1, Discount()),
        (Gift("mug", 800), Basket(100), 1, Discount(gift="mug")),
        (Gift("mug", 800, least_spend_cents=101), Basket(100), 1, None),
        (FreeShipping(), Basket(100, 650), 1, Discount(shipping_cents=650)),
        (FreeShipping(at_most_cents=400), Basket(100, 650), 1, Discount(shipping_cents=400)),
        (FreeShipping(), Basket(100, 0), 1, Discount()),
    ],
)
def test_each_kind_takes_off_what_it_says(
    kind: Kind, basket: Basket, step_cents: int, expected: Discount | None
) -> None:
    assert discount(kind, basket, step_cents) == expected


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (Amount(500), True),
        (STEPS, True),
        (Percent(1_000), False),
        (Percent(1_000, at_most_cents=900), True),
        (Percent(1_000, at_most_cents=0), True),
        (Percent(1_000, least_spend_cents=1), True),
        (FreeShipping(), False),
        (FreeShipping(at_most_cents=400), True),
        (FreeShipping(least_spend_cents=5_000), True),
        (Gift("mug"), False),
        (Gift("mug", worth_cents=800), False),
        (Gift("mug", 800, least_spend_cents=5_000), True),
    ],
)
def test_a_kind_names_amounts_or_is_good_in_any_currency(kind: Kind, expected: bool) -> None:
    assert names_amounts(kind) is expected


@given(kinds, baskets, st.sampled_from([1, 7, 150]))
def test_what_names_no_amount_takes_off_its_share_of_whatever_is_spent(
    kind: Kind, basket: Basket, rate: int
) -> None:
    if names_amounts(kind):
        return
    found = discount(kind, basket)
    dearer = discount(kind, Basket(basket.goods_cents * rate, basket.shipping_cents * rate))
    assert found is not None
    assert dearer is not None
    # In coins that are worth less it is the same but for what is rounded.
    assert abs(dearer.goods_cents - found.goods_cents * rate) <= rate
    assert dearer.shipping_cents == found.shipping_cents * rate
    assert dearer.gift == found.gift


@given(kinds, baskets, st.sampled_from([1, 5, 10, 100]))
def test_nothing_takes_off_more_than_is_there(kind: Kind, basket: Basket, step: int) -> None:
    found = discount(kind, basket, step)
    assert (found is None) is (basket.goods_cents < least_spend_cents(kind))
    if found is not None:
        assert 0 <= found.goods_cents <= basket.goods_cents
        assert 0 <= found.shipping_cents <= basket.shipping_cents
        worst = worst_cents(kind)
        assert worst is None or found.goods_cents + found.shipping_cents <= worst


@given(st.integers(0, 10_000), cents, st.sampled_from([1, 5, 100]))
def test_a_percentage_is_rounded_as_by_hand(basis_points: int, amount: int, step: int) -> None:
    exact = Decimal(amount) * basis_points / 10_000 / step
    by_hand = int(exact.quantize(Decimal(1), ROUND_HALF_UP)) * step
    assert rounded(amount * basis_points, 10_000, step) == by_hand


def test_several_coupons_each_take_off_what_the_others_left() -> None:
    kinds = [FreeShipping(), Amount(500), Percent(1_000), STEPS, Gift("mug")]
    found = stacked(kinds, Basket(10_000, 600))
    assert found == [
        Discount(shipping_cents=600),
        Discount(500),
        Discount(850),
        Discount(1_500),
        Discount(gift="mug"),
    ]


def test_a_coupon_for_which_too_little_is_spent_takes_nothing_from_the_others() -> None:
    found = stacked([Amount(500, least_spend_cents=20_000), Percent(1_000)], Basket(10_000))
    assert found == [None, Discount(1_000)]
    # What must be spent is asked of the whole basket, not of what is left.
    found = stacked([Amount(500, least_spend_cents=10_000), Percent(1_000)], Basket(10_000))
    assert found == [Discount(500), Discount(1_000)]


@given(st.lists(kinds, max_size=4), baskets)
def test_coupons_together_take_off_the_same_in_any_order(kinds: list[Kind], basket: Basket) -> None:
    totals = set()
    for order in permutations(kinds):
        found = [one for one in stacked(order, basket) if one is not None]
        goods = sum(one.goods_cents for one in found)
        shipping = sum(one.shipping_cents for one in found)
        assert goods <= basket.goods_cents
        assert shipping <= basket.shipping_cents
        totals.add((goods, shipping))
    assert len(totals) == 1


@given(cents, st.lists(cents, max_size=12))
def test_shares_of_lines_add_up_to_the_cent(off_cents: int, lines: list[int]) -> None:
    shares = spread(off_cents, lines)
    total = sum(lines)
    assert sum(shares) == min(off_cents, total)
    for share, line in zip(shares, lines, strict=True):
        assert 0 <= share <= line
        if total:
            assert abs(share - min(off_cents, total) * line / total) <= 1.001


@pytest.mark.parametrize(
    ("off_cents", "lines", "expected"),
    [
        (100, [333, 333, 334], [33, 33, 34]),
        (1, [5, 5, 5], [1, 0, 0]),
        (0, [5, 5], [0, 0]),
        (7, [], []),
        (7, [0, 0], [0, 0]),
        (50, [10, 20], [10, 20]),
        (10, [0, 1, 99], [0, 0, 10]),
    ],
)
def test_a_discount_is_spread_over_lines_by_their_worth(
    off_cents: int, lines: list[int], expected: list[int]
) -> None:
    assert spread(off_cents, lines) == expected


@given(kinds)
def test_a_kind_is_the_same_after_it_was_written_down(kind: Kind) -> None:
    raw = msgspec.msgpack.encode(kind)
    assert msgspec.msgpack.decode(raw, type=Kind) == kind
