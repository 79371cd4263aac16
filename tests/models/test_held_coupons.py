"""Which coupons a row holds: those that may yet be redeemed, and a few at most."""

from models.held_coupons import KEPT_COUPONS, HeldCoupon, find, give, is_good, merged, take

GIVEN = HeldCoupon("A", "ten", given_ms=5, until_ms=100)


def held(*coupons: HeldCoupon) -> list[HeldCoupon]:
    found: list[HeldCoupon] = []
    for one in coupons:
        give(found, one)
    return found


def test_a_coupon_given_again_has_its_later_terms_in_whatever_order_they_come_in() -> None:
    again = HeldCoupon("A", "ten", given_ms=9, until_ms=200)
    assert held(GIVEN, again) == held(again, GIVEN) == [again]


def test_what_is_redeemed_is_gone_unless_it_was_given_again_since() -> None:
    for at_ms, left in ((5, []), (6, []), (4, [GIVEN])):
        coupons = held(GIVEN)
        take(coupons, "A", at_ms)
        take(coupons, "B", at_ms)
        assert coupons == left


def test_a_coupon_is_good_up_to_its_end_and_for_good_where_it_has_none() -> None:
    assert is_good(GIVEN, 99)
    assert not is_good(GIVEN, 100)
    assert is_good(HeldCoupon("B"), 10**15)


def test_of_too_many_the_one_given_first_is_forgotten() -> None:
    coupons = held(*(HeldCoupon(f"c{at}", given_ms=at) for at in range(KEPT_COUPONS + 1)))
    assert [one.code for one in coupons] == [f"c{one}" for one in range(1, KEPT_COUPONS + 1)]


def test_two_names_of_a_person_hold_the_coupons_of_both() -> None:
    both = merged(held(GIVEN), held(HeldCoupon("A", given_ms=1), HeldCoupon("B", given_ms=9)))
    assert [one.code for one in both] == ["A", "B"]
    assert find(both, "A") == GIVEN
    assert find(both, "C") is None
