"""What a row knows of the coupons that a customer holds."""

from copy import copy
from itertools import permutations

from models.held_coupons import (
    ENDED,
    KEPT_COUPONS,
    REDEEMED,
    HeldCoupon,
    find,
    is_open,
    merged,
    tell,
)

GIVEN = HeldCoupon("A", "ten", given_ms=1, until_ms=100, moved_ms=1)
USED = HeldCoupon("A", status=REDEEMED, moved_ms=5)
BACK = HeldCoupon("A", "ten", until_ms=120, moved_ms=9)


def held(*told: HeldCoupon) -> list[HeldCoupon]:
    coupons: list[HeldCoupon] = []
    for one in told:
        tell(coupons, copy(one))
    return coupons


def test_the_latest_word_holds_in_whatever_order_they_come_in() -> None:
    for told in permutations((GIVEN, USED, BACK)):
        (one,) = held(*told)
        assert (one.offer, one.given_ms, one.status, one.moved_ms) == ("ten", 1, "open", 9)
        assert one.until_ms in (100, 120)
    for told in permutations((GIVEN, USED)):
        assert held(*told) == [HeldCoupon("A", "ten", 1, 100, REDEEMED, 5)]


def test_a_coupon_is_open_up_to_its_end_and_for_good_where_it_has_none() -> None:
    assert is_open(GIVEN, 99)
    assert not is_open(GIVEN, 100)
    assert not is_open(USED, 6)
    assert is_open(HeldCoupon("B"), 10**15)


def test_of_too_many_what_is_over_goes_first_and_then_the_oldest() -> None:
    over = HeldCoupon("over", status=ENDED, moved_ms=50)
    many = [HeldCoupon(f"c{number}", moved_ms=number) for number in range(KEPT_COUPONS + 1)]
    coupons = held(over, *many)
    assert [one.code for one in coupons] == [f"c{one}" for one in range(1, KEPT_COUPONS + 1)]


def test_two_names_of_a_person_hold_the_coupons_of_both() -> None:
    both = merged(held(GIVEN), held(USED, HeldCoupon("B", moved_ms=3)))
    assert {one.code: one.status for one in both} == {"A": REDEEMED, "B": "open"}
    assert find(both, "C") is None
