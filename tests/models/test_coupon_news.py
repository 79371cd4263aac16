"""What a change of a coupon is to its owner."""

import pytest

from models.coupon_news import news
from models.coupon_words import CouponJudged
from models.coupons import Coupon, Issued, OrderVoided, RedemptionAsked, Revoked, Terms, fold
from models.coupons import TimePassed as Passed
from models.discounts import Amount, Basket
from models.events import CouponApplied, CouponIssued, Event
from tests.builders import ANNA

TERMS = Terms("welcome", Amount(500), owner=ANNA, expires_ms=100)
ISSUED = Issued(1, TERMS)
ASKED = RedemptionAsked(2, "r1", "o1", Basket(5_000), names=(ANNA,))


def told(*happened: object, terms: Terms = TERMS) -> list[tuple[str, Event | None]]:
    """Fold what happens; of each the event's kind."""
    coupon, said = Coupon(), list[tuple[str, Event | None]]()
    for index, one in enumerate(happened):
        before = coupon
        coupon, _ = fold(coupon, one)  # type: ignore[arg-type]
        judged = CouponJudged(
            incarnation=1,
            partition=2,
            offset=3,
            index=index,
            at_ms=one.at_ms,  # type: ignore[attr-defined]
            code="CODE",
            asked="",
            outcome="",
            status=coupon.status.value,
            offer="welcome",
            customer=terms.owner,
            order_id="o1",
            goods_cents=coupon.goods_cents,
            expires_at_ms=coupon.expires_ms,
        )
        event = news(judged, before, coupon)
        said.append(("" if event is None else type(event).__name__, event))
    return said


@pytest.mark.parametrize(
    ("happened", "kinds"),
    [
        ((ISSUED, ISSUED), ["CouponIssued", ""]),
        ((ISSUED, ASKED, ASKED), ["CouponIssued", "CouponApplied", ""]),
        ((ISSUED, Passed(100)), ["CouponIssued", "CouponEnded"]),
        ((ISSUED, Revoked(3), Passed(200)), ["CouponIssued", "CouponEnded", ""]),
        (
            (ISSUED, ASKED, OrderVoided(3, "o1")),
            ["CouponIssued", "CouponApplied", "CouponReturned"],
        ),
        (
            (ISSUED, ASKED, OrderVoided(300, "o1")),
            ["CouponIssued", "CouponApplied", "CouponEnded"],
        ),
        ((ISSUED, ASKED, Revoked(3)), ["CouponIssued", "CouponApplied", ""]),
        ((Issued(200, TERMS),), [""]),
    ],
)
def test_each_change_is_one_event(happened: tuple[object, ...], kinds: list[str]) -> None:
    assert [kind for kind, _ in told(*happened)] == kinds


def test_the_owner_hears_of_the_offer_its_end_and_what_it_took_off() -> None:
    (_, issued), (_, applied) = told(ISSUED, ASKED)
    assert isinstance(issued, CouponIssued)
    assert (issued.customer, issued.coupon, issued.campaign) == (ANNA, "CODE", "welcome")
    assert (issued.expires_at_ms, issued.source, issued.anonymous) == (100, "coupons", True)
    assert isinstance(applied, CouponApplied)
    assert (applied.order_id, applied.discount_cents) == ("o1", 500)
    assert issued.id != applied.id


def test_nobodys_coupon_is_nobodys_news() -> None:
    assert told(Issued(1, Terms("welcome", Amount(500))), terms=Terms("w", Amount(1)))[0][0] == ""
