"""Words about coupons: what is written is read again, and all of a code is in one partition."""

import msgspec
import pytest

from models.coupon_codes import key_of
from models.coupon_words import (
    BudgetAsked,
    CouponJudged,
    CouponWord,
    LookedAt,
    OrderHas,
    decode,
    decode_judged,
    encode,
    home_of,
    is_order_key,
    is_purse_key,
    kind_of,
    order_key,
    partition_of_coupon,
    purse_key,
    share_key,
)
from models.coupons import Issued, OrderVoided, RedemptionAsked, Revoked, Sharing, Terms, TimePassed
from models.discounts import Amount, Basket, FreeShipping, Gift, Percent, Steps
from models.events import ClockMark
from models.events import encode as encode_event

KINDS = [Percent(1_000), Amount(500), Steps(((1, 2),)), Gift("p"), FreeShipping()]


@pytest.mark.parametrize("kind", KINDS)
def test_an_issued_coupon_is_read_as_it_was_written(kind: object) -> None:
    shared = Sharing.GIVEN
    terms = Terms("spring", kind, "anna", 9, sharing=shared, currency="EUR")  # type: ignore[arg-type]
    word = CouponWord(key="CODE", event=Issued(5, terms), action_id="a")
    assert decode(encode(word)) == word


@pytest.mark.parametrize(
    "event",
    [
        RedemptionAsked(1, "r", "o", Basket(5, 3), ("anna",), currency="JPY"),
        OrderVoided(1, "o", whole=False),
        Revoked(1),
        LookedAt(1),
        OrderHas(1, "o", "CODE/anna"),
    ],
)
def test_every_other_word_too(event: object) -> None:
    word = CouponWord(key="CODE", event=event, request="r")  # type: ignore[arg-type]
    assert decode(encode(word)) == word


def test_words_from_before_currencies_were_kept_are_read_as_without() -> None:
    terms = '["spring",["amount",500,0],"anna",9,false,true,0,1,""]'
    said = '{"type":"coupon","key":"CODE","event":{"kind":%s}}'
    issued = decode((said % f'"issued","at_ms":5,"terms":{terms}').encode())
    assert isinstance(issued, CouponWord)
    assert issued.event == Issued(5, Terms("spring", Amount(500), "anna", 9))
    ask = '"redemption_asked","at_ms":1,"id":"r","order_id":"o","basket":[5,0]'
    asked = decode((said % ask).encode())
    assert isinstance(asked, CouponWord)
    assert asked.event == RedemptionAsked(1, "r", "o", Basket(5))


def test_a_mark_stands_among_the_words() -> None:
    mark = ClockMark(at_ms=5, wall_offset_ms=0)
    assert decode(encode_event(mark)) == mark


def test_what_is_neither_is_refused() -> None:
    with pytest.raises(msgspec.DecodeError):
        decode(b'{"type":"order_completed"}')


def test_a_verdict_is_read_as_it_was_written() -> None:
    judged = CouponJudged(
        incarnation=1,
        partition=0,
        offset=7,
        index=0,
        at_ms=5,
        code="CODE",
        asked="issued",
        outcome="issued",
        status="issued",
        open=1,
        currency="EUR",
    )
    assert decode_judged(encode(judged)) == judged


def test_all_of_a_code_and_its_shares_is_in_one_partition() -> None:
    for number in range(50):
        code = f"CODE{number}"
        share = share_key(code, "anna/with/slashes")
        assert home_of(share) == home_of(code) == code
        assert partition_of_coupon(share, 7) == partition_of_coupon(code, 7)
    assert {partition_of_coupon(f"CODE{number}", 7) for number in range(50)} == set(range(7))


def test_no_orders_key_can_be_a_code() -> None:
    key = order_key("o1/2")
    assert is_order_key(key)
    assert home_of(key) == key
    assert not is_order_key("CODE")
    assert order_key("o1") != order_key("o2")


def test_what_a_purse_is_asked_is_read_as_it_was_written() -> None:
    asked = BudgetAsked(5, partition=3, budget=9, adoption=2, wanted=4, returned=1, ahead=True)
    word = CouponWord(key=purse_key("coupons:ten"), event=asked)
    assert decode(encode(word)) == word


def test_no_purses_key_can_be_a_code() -> None:
    assert is_purse_key(purse_key("coupons:ten"))
    assert not is_purse_key("CODE")
    assert not is_purse_key(order_key("o1"))
    assert key_of(purse_key("coupons:ten")) == "COUPONSTEN"


def test_words_are_called_what_they_are() -> None:
    assert kind_of(LookedAt(1)) == "looked_at"
    assert kind_of(TimePassed(1)) == "time_passed"
