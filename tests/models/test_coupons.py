"""The life of a coupon: one order has it, whatever tills do and however often they do it."""

import random
from itertools import permutations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.clock import DAY_MS
from models.coupons import (
    ANSWERS_KEPT,
    GIVEN_BACK_AT_MOST,
    Coupon,
    CouponEvent,
    Issued,
    Liability,
    OrderVoided,
    Outcome,
    RedemptionAsked,
    Revoked,
    Status,
    Terms,
    TimePassed,
    Verdict,
    added,
    change,
    currency_moved,
    fold,
    standing,
)
from models.discounts import (
    Amount,
    Basket,
    Discount,
    FreeShipping,
    Gift,
    Kind,
    Percent,
    Steps,
    names_amounts,
)

TERMS = Terms("welcome", Amount(500))
BASKET = Basket(2_000, 300)


def issued(terms: Terms = TERMS, at_ms: int = 0) -> Coupon:
    return lived(Coupon(), Issued(at_ms, terms))[0]


def lived(coupon: Coupon, *told: CouponEvent) -> tuple[Coupon, list[Verdict]]:
    verdicts = []
    for event in told:
        coupon, verdict = fold(coupon, event)
        verdicts.append(verdict)
    return coupon, verdicts


def outcomes(coupon: Coupon, *told: CouponEvent) -> list[Outcome]:
    return [verdict.outcome for verdict in lived(coupon, *told)[1]]


def asked(order_id: str, at_ms: int = 1, id: str = "", **more: object) -> RedemptionAsked:
    known = {"at_ms": at_ms, "id": id or f"ask {order_id}", "order_id": order_id, "basket": BASKET}
    return RedemptionAsked(**{**known, **more})  # type: ignore[arg-type]


def test_a_coupon_is_issued_redeemed_and_given_back() -> None:
    coupon, verdicts = lived(
        Coupon(), Issued(1, TERMS), asked("o1", 2), OrderVoided(3, "o1"), asked("o2", 4)
    )
    assert [verdict.outcome for verdict in verdicts] == [
        Outcome.ISSUED,
        Outcome.REDEEMED,
        Outcome.GIVEN_BACK,
        Outcome.REDEEMED,
    ]
    assert [verdict.discount.goods_cents for verdict in verdicts] == [0, 500, 500, 500]
    assert (coupon.status, coupon.redeemed_ms, coupon.goods_cents) == (Status.REDEEMED, 4, 500)


@pytest.mark.parametrize("first", ["o1", "o2"])
def test_of_two_tills_the_first_in_the_log_wins(first: str) -> None:
    second = {"o1": "o2", "o2": "o1"}[first]
    # The clocks of tills don't decide it: the other's time is the earlier one.
    found = outcomes(issued(), asked(first, 20), asked(second, 10), asked(first, 30))
    assert found == [Outcome.REDEEMED, Outcome.ALREADY_REDEEMED, Outcome.REDEEMED]


@settings(deadline=None, max_examples=60)
@given(st.integers(2, 100), st.integers(0, 10**6))
def test_of_a_hundred_tills_one_wins_whatever_the_order_and_repeats(tills: int, seed: int) -> None:
    chance = random.Random(seed)
    asks = [asked(f"o{till}", chance.randrange(100)) for till in range(tills)]
    told = asks + [chance.choice(asks) for _ in range(chance.randrange(3 * tills))]
    chance.shuffle(told)
    coupon, verdicts = lived(issued(), *told)
    won = {
        ask.order_id
        for ask, verdict in zip(told, verdicts, strict=True)
        if verdict.outcome is Outcome.REDEEMED
    }
    fresh = [one for one in verdicts if one.outcome is Outcome.REDEEMED and not one.repeated]
    assert won == {told[0].order_id}
    assert len(fresh) == 1
    assert sum(one.outcome is Outcome.ALREADY_REDEEMED for one in verdicts) > 0
    assert standing(coupon).redeemed_cents == 500


def test_a_repeated_request_gets_its_first_answer() -> None:
    told = [asked("o1"), asked("o2"), OrderVoided(5, "o1")]
    coupon, _ = lived(issued(), *told)
    assert coupon.status is Status.ISSUED
    again, verdicts = lived(coupon, asked("o2"), asked("o1"), OrderVoided(6, "o1"))
    assert [verdict.outcome for verdict in verdicts] == [
        Outcome.ALREADY_REDEEMED,
        Outcome.ORDER_OVER,
        Outcome.GIVEN_BACK,
    ]
    assert [verdict.repeated for verdict in verdicts] == [True, False, True]
    assert again.status is Status.ISSUED
    # Another request of the same till may have it now.
    assert outcomes(again, asked("o2", id="a new try")) == [Outcome.REDEEMED]


def test_a_refusal_is_remembered_among_the_last_ones_only() -> None:
    coupon, _ = lived(issued(), asked("o0"))
    for till in range(1, 200):
        coupon, _ = fold(coupon, asked(f"o{till}"))
        assert len(coupon.answers) <= ANSWERS_KEPT
    assert not fold(coupon, asked("o1"))[1].repeated
    assert fold(coupon, asked("o199"))[1].repeated
    assert fold(coupon, asked("o0"))[1] == Verdict(Outcome.REDEEMED, Discount(500), repeated=True)


def test_who_guesses_codes_leaves_nothing_behind() -> None:
    coupon, verdicts = lived(Coupon(), asked("o1"), Revoked(2), OrderVoided(3, "o1"), TimePassed(4))
    assert coupon == Coupon()
    assert [verdict.outcome for verdict in verdicts] == [
        Outcome.UNKNOWN,
        Outcome.UNKNOWN,
        Outcome.NOTHING,
        Outcome.NOTHING,
    ]


@pytest.mark.parametrize(
    ("at_ms", "expected"),
    [(99, Outcome.REDEEMED), (100, Outcome.EXPIRED), (101, Outcome.EXPIRED)],
)
def test_a_coupon_is_good_until_it_expires(at_ms: int, expected: Outcome) -> None:
    terms = Terms("welcome", Amount(500), expires_ms=100)
    assert outcomes(issued(terms), asked("o1", at_ms)) == [expected]
    coupon, _ = lived(issued(terms), TimePassed(at_ms))
    assert coupon.status is (Status.ISSUED if at_ms < 100 else Status.EXPIRED)


def test_what_has_expired_does_not_come_back_by_a_slow_clock() -> None:
    terms = Terms("welcome", Amount(500), expires_ms=100)
    assert outcomes(issued(terms), TimePassed(100), asked("o1", 50)) == [
        Outcome.EXPIRED,
        Outcome.EXPIRED,
    ]


def test_a_redeemed_coupon_does_not_expire() -> None:
    terms = Terms("welcome", Amount(500), expires_ms=100)
    coupon, _ = lived(issued(terms), asked("o1", 50), TimePassed(200))
    assert coupon.status is Status.REDEEMED
    assert outcomes(coupon, asked("o1", 300)) == [Outcome.REDEEMED]


@pytest.mark.parametrize(
    ("gives_back", "grace_days", "voided_ms", "whole", "outcome", "status"),
    [
        (True, 0, 50, True, Outcome.GIVEN_BACK, Status.ISSUED),
        (True, 0, 50, False, Outcome.KEPT, Status.REDEEMED),
        (False, 0, 50, True, Outcome.KEPT, Status.REDEEMED),
        # Given back after its time it is over, but for the days of grace.
        (True, 0, 100, True, Outcome.GIVEN_BACK, Status.EXPIRED),
        (True, 7, 100, True, Outcome.GIVEN_BACK, Status.ISSUED),
    ],
)
def test_a_refund_gives_back_by_the_shops_policy(
    gives_back: bool,
    grace_days: int,
    voided_ms: int,
    whole: bool,
    outcome: Outcome,
    status: Status,
) -> None:
    terms = Terms(
        "welcome", Amount(500), expires_ms=100, gives_back=gives_back, grace_days=grace_days
    )
    coupon, verdicts = lived(issued(terms), asked("o1"), OrderVoided(voided_ms, "o1", whole))
    assert (verdicts[-1].outcome, coupon.status) == (outcome, status)


def test_days_of_grace_run_from_the_refund_and_never_shorten() -> None:
    short = Terms("welcome", Amount(500), expires_ms=100, grace_days=7)
    coupon, _ = lived(issued(short), asked("o1"), OrderVoided(90, "o1"))
    assert coupon.expires_ms == 90 + 7 * DAY_MS
    assert outcomes(coupon, asked("o2", 90 + 7 * DAY_MS - 1)) == [Outcome.REDEEMED]
    assert outcomes(coupon, asked("o2", 90 + 7 * DAY_MS)) == [Outcome.EXPIRED]
    long = Terms("welcome", Amount(500), expires_ms=30 * DAY_MS, grace_days=7)
    coupon, _ = lived(issued(long), asked("o1"), OrderVoided(90, "o1"))
    assert coupon.expires_ms == 30 * DAY_MS
    ever = Terms("welcome", Amount(500), grace_days=7)
    coupon, _ = lived(issued(ever), asked("o1"), OrderVoided(90, "o1"))
    assert coupon.expires_ms == 0


def test_another_orders_refund_gives_nothing_back() -> None:
    coupon, verdicts = lived(issued(), asked("o1"), OrderVoided(5, "o2"))
    assert (coupon.status, verdicts[-1].outcome) == (Status.REDEEMED, Outcome.NOTHING)


def test_a_partial_refund_may_be_followed_by_the_rest() -> None:
    found = outcomes(issued(), asked("o1"), OrderVoided(5, "o1", whole=False), OrderVoided(6, "o1"))
    assert found[1:] == [Outcome.KEPT, Outcome.GIVEN_BACK]


def test_it_is_given_back_a_few_times_only() -> None:
    coupon = issued()
    for turn in range(GIVEN_BACK_AT_MOST):
        coupon, verdicts = lived(coupon, asked(f"o{turn}"), OrderVoided(5, f"o{turn}"))
        assert verdicts[-1].outcome is Outcome.GIVEN_BACK
    coupon, verdicts = lived(coupon, asked("last"), OrderVoided(5, "last"))
    assert verdicts[-1].outcome is Outcome.KEPT
    assert len(coupon.orders_over) == GIVEN_BACK_AT_MOST


@pytest.mark.parametrize(
    ("owner", "names", "expected"),
    [
        ("", (), Outcome.REDEEMED),
        ("", ("anna",), Outcome.REDEEMED),
        ("anna", ("anna",), Outcome.REDEEMED),
        ("anna", ("now bert", "anna"), Outcome.REDEEMED),
        ("anna", ("bert",), Outcome.NOT_YOURS),
        ("anna", (), Outcome.NOT_YOURS),
    ],
)
def test_a_bound_coupon_is_its_owners(
    owner: str, names: tuple[str, ...], expected: Outcome
) -> None:
    terms = Terms("welcome", Amount(500), owner=owner)
    assert outcomes(issued(terms), asked("o1", names=names)) == [expected]


@pytest.mark.parametrize("stackable", [True, False])
def test_only_a_stackable_coupon_goes_with_others(stackable: bool) -> None:
    terms = Terms("welcome", Amount(500), stackable=stackable)
    expected = Outcome.REDEEMED if stackable else Outcome.NOT_WITH_OTHERS
    assert outcomes(issued(terms), asked("o1", with_others=True)) == [expected]
    assert outcomes(issued(terms), asked("o1")) == [Outcome.REDEEMED]


def test_too_little_spent_leaves_the_coupon_good() -> None:
    terms = Terms("welcome", Steps(((5_000, 500),)))
    coupon, verdicts = lived(issued(terms), asked("o1", basket=Basket(4_999)))
    assert verdicts[-1].outcome is Outcome.TOO_LITTLE_SPENT
    assert outcomes(coupon, asked("o1", id="more", basket=Basket(5_000))) == [Outcome.REDEEMED]


@pytest.mark.parametrize(
    ("kind", "basket"),
    [
        (Percent(1_000), Basket(0, 300)),
        (Percent(1_000), Basket(4)),
        (Amount(500), Basket(0, 300)),
        (Steps(((0, 0), (5_000, 500))), Basket(4_999)),
        (FreeShipping(), Basket(2_000, 0)),
    ],
)
def test_a_coupon_that_would_take_nothing_off_is_kept(
    kind: Percent | Amount | Steps | FreeShipping, basket: Basket
) -> None:
    before = issued(Terms("welcome", kind))
    coupon, verdicts = lived(before, asked("o1", basket=basket), asked("o1", basket=basket))
    assert [(one.outcome, one.repeated) for one in verdicts] == [
        (Outcome.NOTHING_TO_TAKE_OFF, False),
        (Outcome.NOTHING_TO_TAKE_OFF, True),
    ]
    assert (coupon.status, change(before, coupon)) == (Status.ISSUED, Liability())
    larger = asked("o1", id="more", basket=Basket(5_000, 300))
    assert outcomes(coupon, larger) == [Outcome.REDEEMED]


def test_a_negative_basket_leaves_the_coupon_good() -> None:
    coupon, (verdict,) = lived(issued(), asked("o1", basket=Basket(-900)))
    assert (verdict.outcome, coupon.status) == (Outcome.TOO_LITTLE_SPENT, Status.ISSUED)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (Gift("mug", 800), Discount(gift="mug")),
        (FreeShipping(), Discount(shipping_cents=300)),
    ],
)
def test_a_gift_and_free_shipping_need_no_goods(
    kind: Gift | FreeShipping, expected: Discount
) -> None:
    _, (verdict,) = lived(issued(Terms("welcome", kind)), asked("o1", basket=Basket(0, 300)))
    assert (verdict.outcome, verdict.discount) == (Outcome.REDEEMED, expected)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (Percent(1_000), Discount(200)),
        (Amount(5_000), Discount(2_000)),
        (Gift("mug", 800), Discount(gift="mug")),
        (FreeShipping(), Discount(shipping_cents=300)),
    ],
)
def test_the_verdict_says_what_it_takes_off_also_when_it_is_asked_again(
    kind: Percent | Amount | Gift | FreeShipping, expected: Discount
) -> None:
    _, verdicts = lived(issued(Terms("welcome", kind)), asked("o1"), asked("o1", basket=Basket(9)))
    assert [verdict.discount for verdict in verdicts] == [expected, expected]


@pytest.mark.parametrize(
    "kind",
    [
        Amount(500),
        Steps(((1_000, 500),)),
        Percent(1_000, at_most_cents=900),
        Percent(1_000, least_spend_cents=1_000),
        FreeShipping(least_spend_cents=1_000),
        FreeShipping(at_most_cents=200),
        Gift("mug", least_spend_cents=1_000),
    ],
)
def test_an_order_in_another_currency_does_not_redeem_what_names_an_amount(kind: Kind) -> None:
    before = issued(Terms("welcome", kind, currency="EUR"))
    abroad = asked("o1", currency="JPY")
    coupon, verdicts = lived(before, abroad, abroad)
    assert [(one.outcome, one.repeated) for one in verdicts] == [
        (Outcome.OTHER_CURRENCY, False),
        (Outcome.OTHER_CURRENCY, True),
    ]
    assert (coupon.status, change(before, coupon)) == (Status.ISSUED, Liability())
    # Whatever is spent, and though the same request comes in the right currency now.
    rich = asked("o2", currency="JPY", basket=Basket(10**6, 300))
    assert outcomes(coupon, rich) == [Outcome.OTHER_CURRENCY]
    assert outcomes(coupon, asked("o1", currency="EUR")) == [Outcome.OTHER_CURRENCY]
    assert outcomes(coupon, asked("o1", id="again", currency="EUR")) == [Outcome.REDEEMED]


@pytest.mark.parametrize(
    ("kind", "basket", "expected"),
    [
        # Ten per cent of 2,996 yen, to the yen, though the shop's own prices go by whole euros.
        (Percent(1_000), Basket(2_996), Discount(300)),
        (FreeShipping(), Basket(2_996, 450), Discount(shipping_cents=450)),
        (Gift("mug", 800), Basket(2_996), Discount(gift="mug")),
    ],
)
def test_what_names_no_amount_is_taken_off_in_the_orders_currency(
    kind: Kind, basket: Basket, expected: Discount
) -> None:
    before = issued(Terms("welcome", kind, step_cents=100, currency="EUR"))
    abroad = asked("o1", basket=basket, currency="JPY")
    coupon, verdicts = lived(before, abroad, abroad)
    assert [(one.outcome, one.discount) for one in verdicts] == [(Outcome.REDEEMED, expected)] * 2
    assert verdicts[1].repeated
    # A gift's worth is told in the coupon's own currency.
    assert currency_moved(before, coupon) == ("EUR" if isinstance(kind, Gift) else "JPY")
    back, (verdict,) = lived(coupon, OrderVoided(5, "o1"))
    assert (verdict.outcome, verdict.discount) == (Outcome.GIVEN_BACK, expected)
    assert currency_moved(coupon, back) == currency_moved(before, coupon)
    again, (verdict,) = lived(back, asked("o2", basket=basket, currency="EUR"))
    assert (verdict.outcome, currency_moved(back, again)) == (Outcome.REDEEMED, "EUR")


def test_in_its_own_currency_a_percentage_keeps_its_rounding_step() -> None:
    coupon = issued(Terms("welcome", Percent(1_000), step_cents=100, currency="EUR"))
    for currency, off_cents in (("EUR", 300), ("", 300), ("JPY", 297)):
        told = asked("o1", basket=Basket(2_970), currency=currency)
        assert lived(coupon, told)[1][0].discount == Discount(off_cents)


def test_a_till_that_names_no_currency_means_the_coupons_own() -> None:
    before = issued(Terms("welcome", Amount(500), currency="EUR"))
    coupon, (verdict,) = lived(before, asked("o1"))
    assert (verdict.outcome, verdict.discount) == (Outcome.REDEEMED, Discount(500))
    assert currency_moved(before, coupon) == "EUR"


@pytest.mark.parametrize(
    ("kind", "currency"), [(Amount(500), ""), (Percent(1_000), "JPY"), (Gift("mug", 800), "")]
)
def test_a_coupon_from_before_currencies_were_kept_goes_on_as_before(
    kind: Kind, currency: str
) -> None:
    row = msgspec.msgpack.decode(msgspec.msgpack.encode(issued(Terms("welcome", kind))), type=list)
    assert row[1].pop() == row.pop() == ""
    old = msgspec.msgpack.decode(msgspec.msgpack.encode(row), type=Coupon)
    assert old == issued(Terms("welcome", kind))
    coupon, verdicts = lived(old, asked("o1", currency="JPY"), OrderVoided(5, "o1"))
    assert [one.outcome for one in verdicts] == [Outcome.REDEEMED, Outcome.GIVEN_BACK]
    redeemed, _ = lived(old, asked("o1", currency="JPY"))
    assert currency_moved(old, redeemed) == currency_moved(redeemed, coupon) == currency


def test_a_code_issued_again_with_its_currency_is_the_same_as_before() -> None:
    known = msgspec.structs.replace(TERMS, currency="EUR")
    for first, second, outcome in (
        (TERMS, known, Outcome.ISSUED),
        (known, TERMS, Outcome.ISSUED),
        (known, msgspec.structs.replace(TERMS, currency="JPY"), Outcome.TAKEN),
    ):
        coupon, (verdict,) = lived(issued(first), Issued(5, second))
        assert (verdict.outcome, coupon.terms) == (outcome, first)


def test_a_revoked_coupon_is_over() -> None:
    coupon, verdicts = lived(issued(), Revoked(1), Revoked(2), asked("o1"))
    assert [(one.outcome, one.repeated) for one in verdicts] == [
        (Outcome.REVOKED, False),
        (Outcome.REVOKED, True),
        (Outcome.REVOKED, False),
    ]
    assert coupon.status is Status.REVOKED


def test_revoking_takes_nothing_from_an_order_but_is_not_forgotten() -> None:
    coupon, verdicts = lived(issued(), asked("o1"), Revoked(2))
    assert (coupon.status, verdicts[-1].outcome) == (Status.REDEEMED, Outcome.ALREADY_REDEEMED)
    coupon, _ = lived(coupon, OrderVoided(3, "o1"))
    assert coupon.status is Status.REVOKED
    assert outcomes(coupon, asked("o2")) == [Outcome.REVOKED]


def test_an_expired_coupon_need_not_be_revoked() -> None:
    terms = Terms("welcome", Amount(500), expires_ms=100)
    assert outcomes(issued(terms), Revoked(100)) == [Outcome.EXPIRED]


def test_a_code_is_issued_once() -> None:
    other = Terms("another", Amount(900))
    coupon, verdicts = lived(issued(), Issued(5, TERMS), Issued(6, other), asked("o1"))
    assert [(one.outcome, one.repeated) for one in verdicts] == [
        (Outcome.ISSUED, True),
        (Outcome.TAKEN, False),
        (Outcome.REDEEMED, False),
    ]
    assert coupon.terms == TERMS
    assert outcomes(coupon, Issued(7, TERMS), asked("o2")) == [
        Outcome.ISSUED,
        Outcome.ALREADY_REDEEMED,
    ]


def test_a_coupon_issued_after_its_expiry_is_expired() -> None:
    terms = Terms("welcome", Amount(500), expires_ms=100)
    assert issued(terms, at_ms=100).status is Status.EXPIRED


currencies = st.sampled_from(["", "EUR", "JPY"])
times = st.integers(0, 60)
orders = st.sampled_from(["o1", "o2", "o3"])
terms = st.builds(
    Terms,
    st.sampled_from(["welcome", "back"]),
    st.sampled_from(
        [Amount(500), Percent(1_000), Percent(2_000, 300), Gift("mug", 800), FreeShipping(200)]
    ),
    owner=st.sampled_from(["", "anna"]),
    expires_ms=st.sampled_from([0, 30, 50]),
    stackable=st.booleans(),
    gives_back=st.booleans(),
    currency=currencies,
)
told = st.lists(
    st.one_of(
        st.builds(Issued, times, terms),
        st.builds(
            RedemptionAsked,
            times,
            st.sampled_from(["a", "b", "c", "d"]),
            orders,
            st.builds(Basket, st.integers(0, 9_000), st.integers(0, 500)),
            st.sampled_from([(), ("anna",), ("bert",)]),
            st.booleans(),
            currencies,
        ),
        st.builds(OrderVoided, times, orders, st.booleans()),
        st.builds(Revoked, times),
        st.builds(TimePassed, times),
    ),
    max_size=25,
)


@settings(deadline=None, max_examples=200)
@given(told)
def test_whatever_happens_no_money_is_made_or_lost(story: list[CouponEvent]) -> None:
    """Sums of changes are the sums; what orders have off is what the sums say is redeemed."""
    coupon, sums, having = Coupon(), Liability(), dict[str, int]()
    for event in story:
        before = coupon
        coupon, verdict = fold(coupon, event)
        sums = added(sums, change(before, coupon))
        worth = verdict.discount.goods_cents + verdict.discount.shipping_cents
        if verdict.discount.gift:
            worth += 800
        if isinstance(event, RedemptionAsked) and verdict.outcome is Outcome.REDEEMED:
            assert verdict.repeated is (event.order_id in having)
            assert having.setdefault(event.order_id, worth) == worth
        if verdict.outcome is Outcome.GIVEN_BACK and not verdict.repeated:
            assert isinstance(event, OrderVoided)
            assert having.pop(event.order_id) == worth
        assert len(having) <= 1
        assert sums == standing(coupon)
        assert sums.redeemed_cents == sum(having.values())
        assert sums.issued == sums.open + sums.redeemed + sums.expired + sums.revoked <= 1
        assert min(sums) >= 0


@settings(deadline=None, max_examples=200)
@given(told)
def test_whatever_happens_no_currency_takes_anothers_cents(story: list[CouponEvent]) -> None:
    coupon, moved = Coupon(), dict[str, tuple[int, int]]()
    for event in story:
        before = coupon
        coupon, verdict = fold(coupon, event)
        currency, by = currency_moved(before, coupon), change(before, coupon)
        open_cents, redeemed_cents = moved.get(currency, (0, 0))
        moved[currency] = open_cents + by.open_cents, redeemed_cents + by.redeemed_cents
        assert all(min(sums) >= 0 for sums in moved.values())
        terms = coupon.terms
        if verdict.outcome is Outcome.REDEEMED and terms is not None:
            assert isinstance(event, RedemptionAsked)
            foreign = "" not in (currency, terms.currency) and currency != terms.currency
            assert not (foreign and names_amounts(terms.kind))
            assert verdict.repeated or currency in (event.currency, terms.currency)
        if by.open_cents and terms is not None:
            assert currency == terms.currency
    assert sum(sums[1] for sums in moved.values()) == standing(coupon).redeemed_cents


@settings(deadline=None, max_examples=200)
@given(told, st.integers(0, 24))
def test_an_event_told_twice_in_a_row_changes_nothing_more(
    story: list[CouponEvent], again: int
) -> None:
    coupon = Coupon()
    for at, event in enumerate(story):
        coupon, verdict = fold(coupon, event)
        if at == again:
            repeated, second = fold(coupon, event)
            assert repeated == coupon
            assert second.outcome is verdict.outcome


@settings(deadline=None, max_examples=100)
@given(told)
def test_a_fold_changes_no_coupon_it_was_given(story: list[CouponEvent]) -> None:
    coupon = Coupon()
    for event in story:
        raw = msgspec.msgpack.encode(coupon)
        after, _ = fold(coupon, event)
        assert msgspec.msgpack.encode(coupon) == raw
        assert msgspec.msgpack.decode(raw, type=Coupon) == coupon
        coupon = after


def test_liability_adds_up_over_coupons() -> None:
    shop = [
        issued(),
        issued(Terms("p", Percent(1_000))),
        issued(Terms("q", Percent(1_000, 700))),
        lived(issued(), asked("o1"))[0],
        lived(issued(Terms("g", Gift("mug", 800))), asked("o2"))[0],
        lived(issued(), Revoked(1))[0],
        issued(Terms("e", Amount(1), expires_ms=1), at_ms=5),
        Coupon(),
    ]
    expected = Liability(
        issued=7,
        open=3,
        open_cents=1_200,
        open_unlimited=1,
        redeemed=2,
        redeemed_cents=1_300,
        expired=1,
        revoked=1,
    )
    for order in list(permutations(shop))[::4_000]:
        sums = Liability()
        for coupon in order:
            sums = added(sums, standing(coupon))
        assert sums == expected


def test_a_coupons_row_is_small() -> None:
    fresh = issued(Terms("welcome", Amount(500), currency="EUR"))
    coupon, _ = lived(fresh, asked("o0"))
    for till in range(50):
        coupon, _ = fold(coupon, asked(f"o{till}"))
    assert len(msgspec.msgpack.encode(fresh)) < 60
    # 16 refusals that are remembered, and five bytes for currencies.
    assert len(msgspec.msgpack.encode(coupon)) < 705
