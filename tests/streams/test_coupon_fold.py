"""The fold of coupons: verdicts, what orders have, expiry by marks, recovery and rollback."""

from typing import Any

import msgspec
import pytest

from models import coupon_words
from models.coupon_words import (
    BudgetAsked,
    CouponJudged,
    CouponTold,
    CouponWord,
    LookedAt,
    OrderHas,
    order_key,
    partition_of_coupon,
    share_key,
)
from models.coupons import (
    Coupon,
    Issued,
    OrderVoided,
    RedemptionAsked,
    Revoked,
    Sharing,
    Status,
    Terms,
)
from models.discounts import Amount, Basket, Percent
from models.effects import DeadLetter
from models.events import BudgetAnswered, ClockMark, CouponApplied, CouponIssued, decode, encode
from models.tokens import partition_of
from streams import topics
from streams.coupon_fold import EXPIRED_PER_MARK, LATE_MS, UNHEARD_VOIDS_AT_MOST, CouponFold
from streams.fold import Interval, PoisonError
from tests.builders import Record, listed, named

NOBODY: frozenset[bytes] = frozenset()
TERMS = Terms("welcome", Amount(500))


def coupon_fold(partition: int = 0, partitions: int = 1) -> CouponFold:
    return CouponFold(
        partition=partition,
        partitions=partitions,
        incarnation=1,
        topic_of=lambda name: name,
        seal_raw=lambda raw: f"sealed:{len(raw)}",
    )


def word(key: str, event: CouponTold, request: str = "") -> CouponWord:
    return CouponWord(key=key, event=event, request=request)


def asked(order: str, at_ms: int = 10) -> RedemptionAsked:
    return RedemptionAsked(at_ms, f"r {order}", order, Basket(5_000))


def record_of(one: Any, offset: int = 0) -> Record:
    encoded = encode(one) if isinstance(one, ClockMark) else coupon_words.encode(one)
    return Record(offset, encoded)


def folded(fold: CouponFold, *told: Any, offset: int = 0) -> Interval:
    for at, one in enumerate(told):
        assert list(fold.fold(record_of(one, offset + at), NOBODY)) == []
    return fold.seal()


def verdicts(interval: Interval) -> list[CouponJudged]:
    return [
        coupon_words.decode_judged(one.value)
        for one in listed(interval.outputs)
        if one.topic == topics.COUPON_VERDICTS
    ]


def outcomes(interval: Interval) -> list[str]:
    return [one.outcome for one in verdicts(interval)]


def said(interval: Interval) -> list[CouponWord]:
    """What the fold puts back into its own topic."""
    outputs = [one for one in listed(interval.outputs) if one.topic == topics.COUPONS]
    words = [coupon_words.decode(one.value) for one in outputs]
    assert [one.partition for one in outputs] == [
        partition_of_coupon(one.key, 1) for one in words if isinstance(one, CouponWord)
    ]
    return words  # type: ignore[return-value]


def again_from(*intervals: Interval) -> CouponFold:
    fold = coupon_fold()
    for interval in intervals:
        for key, row in interval.rows:
            fold.restore(key, row)
    fold.restored()
    return fold


def test_a_purse_answers_in_the_log_of_whoever_asked() -> None:
    fold = coupon_fold(partitions=4)
    asks = BudgetAsked(5, partition=3, budget=2, adoption=1, wanted=1)
    list(fold.fold(record_of(word("$coupons:ten", asks)), NOBODY))
    assert fold.is_urgent()
    interval = fold.seal()
    assert not fold.is_urgent()
    assert verdicts(interval) == []
    [answer] = listed(interval.outputs)
    assert (answer.topic, answer.key, answer.partition) == (topics.EVENTS, None, 3)
    told = BudgetAnswered("$coupons:ten", granted=1, number=1, adoption=1)
    assert decode(answer.value) == told
    again = coupon_fold(partitions=4)
    for key, row in interval.rows:
        again.restore(key, row)
    again.restored()
    assert again.coupons() == {}
    asks = BudgetAsked(6, partition=0, budget=2, adoption=1, wanted=1)
    list(again.fold(record_of(word("$coupons:ten", asks)), NOBODY))
    again.rollback()
    list(again.fold(record_of(word("$coupons:ten", asks)), NOBODY))
    [answer] = listed(again.seal().outputs)
    assert (answer.partition, decode(answer.value).granted) == (0, 1)  # type: ignore[union-attr]


def test_what_is_nothing_for_a_purse_is_left_out_and_what_is_for_one_changes_no_coupon() -> None:
    with pytest.raises(PoisonError, match="issued is nothing that a purse is asked"):
        folded(coupon_fold(), word("$coupons:ten", Issued(1, TERMS)))
    asks = BudgetAsked(5, partition=0, budget=2, adoption=1, wanted=1)
    assert folded(coupon_fold(), word("CODE", asks)).rows == []


def test_of_two_tills_the_first_in_the_topic_wins_and_each_gets_its_answer() -> None:
    interval = folded(
        coupon_fold(),
        word("CODE", Issued(1, TERMS)),
        word("CODE", asked("o1"), "till 1"),
        word("CODE", asked("o2"), "till 2"),
        word("CODE", asked("o1"), "till 1"),
        offset=7,
    )
    issued, first, second, again = verdicts(interval)
    assert (issued.outcome, issued.status, issued.offer) == ("issued", "issued", "welcome")
    assert (first.outcome, first.goods_cents, first.request) == ("redeemed", 500, "till 1")
    assert (second.outcome, second.goods_cents, second.request) == ("already_redeemed", 0, "till 2")
    assert (again.outcome, again.goods_cents, again.repeated) == ("redeemed", 500, True)
    assert [one.offset for one in verdicts(interval)] == [7, 8, 9, 10]
    assert [one.key for one in listed(interval.outputs) if one.topic == topics.COUPON_VERDICTS] == (
        [b"CODE"] * 4
    )


def test_verdicts_of_one_word_have_numbers_of_their_own() -> None:
    fold = coupon_fold()
    for owner in ("anna", "bert"):
        terms = msgspec.structs.replace(TERMS, owner=owner, sharing=Sharing.GIVEN)
        folded(fold, word("CODE", Issued(1, terms)))
    judged = verdicts(folded(fold, word("CODE", Revoked(5))))
    assert [(one.outcome, one.customer, one.index) for one in judged] == [
        ("revoked", "", 0),
        ("revoked", "anna", 1),
        ("revoked", "bert", 2),
    ]
    assert sum(one.revoked for one in judged) == 2


def test_a_transaction_with_an_answer_somebody_waits_for_is_urgent() -> None:
    fold = coupon_fold()
    list(fold.fold(record_of(word("CODE", Issued(1, TERMS))), NOBODY))
    assert not fold.is_urgent()
    list(fold.fold(record_of(word("CODE", LookedAt(1), "somebody")), NOBODY))
    assert fold.is_urgent()
    fold.seal()
    assert not fold.is_urgent()


def test_who_looks_is_told_how_it_stands_and_leaves_no_row() -> None:
    fold = coupon_fold()
    folded(fold, word("CODE", Issued(1, TERMS)), word("CODE", asked("o1")))
    interval = folded(fold, word("CODE", LookedAt(20), "l"), word("NONE", LookedAt(20), "l"))
    known, unknown = verdicts(interval)
    assert (known.outcome, known.status, known.goods_cents) == ("looked_at", "redeemed", 500)
    assert (unknown.outcome, unknown.status, unknown.offer) == ("looked_at", "unknown", "")
    assert interval.rows == []


def test_who_looks_after_the_end_is_told_so_before_any_mark_says_it() -> None:
    fold = coupon_fold()
    terms = msgspec.structs.replace(TERMS, expires_ms=1_000)
    folded(fold, word("CODE", Issued(1, terms)))
    looks = [word("CODE", LookedAt(at_ms), "l") for at_ms in (999, 1_000)]
    assert [one.status for one in verdicts(folded(fold, *looks))] == ["issued", "expired"]
    assert outcomes(folded(fold, ClockMark(at_ms=1_000 + LATE_MS))) == ["expired"]


def test_an_order_that_redeems_is_noted_and_its_end_gives_the_coupon_back() -> None:
    fold = coupon_fold()
    bought = folded(fold, word("CODE", Issued(1, TERMS)), word("CODE", asked("o1")))
    (has,) = said(bought)
    assert has == word(order_key("o1"), OrderHas(10, "o1", "CODE"))
    ended = folded(fold, has, word(order_key("o1"), OrderVoided(20, "o1")))
    (told,) = said(ended)
    assert told == word("CODE", OrderVoided(20, "o1"))
    back = folded(fold, told)
    assert outcomes(back) == ["given_back"]
    assert verdicts(back)[0].order_id == "o1"
    assert outcomes(folded(fold, word("CODE", asked("o2", 30)))) == ["redeemed"]


def test_an_order_that_was_over_before_its_coupon_came_gives_it_back_too() -> None:
    fold = coupon_fold()
    ended = folded(fold, word(order_key("o1"), OrderVoided(20, "o1")))
    assert said(ended) == []
    (has,) = said(folded(fold, word("CODE", Issued(1, TERMS)), word("CODE", asked("o1"))))
    (told,) = said(folded(fold, has))
    assert outcomes(folded(fold, told)) == ["given_back"]


def test_an_order_that_has_nothing_to_do_with_it_is_no_news() -> None:
    fold = coupon_fold()
    interval = folded(
        fold, word("CODE", Issued(1, TERMS)), word("CODE", OrderVoided(20, "another"))
    )
    assert outcomes(interval) == ["issued"]


def test_ends_of_orders_without_a_coupon_do_not_pile_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.coupon_fold.UNHEARD_VOIDS_AT_MOST", 3)
    assert UNHEARD_VOIDS_AT_MOST > 3
    fold = coupon_fold()
    intervals = [folded(fold, word(order_key(f"o{n}"), OrderVoided(20, f"o{n}"))) for n in range(5)]
    gone = [key for one in intervals for key, row in one.rows if row is None]
    assert gone == [order_key("o0").encode(), order_key("o1").encode()]
    heir = again_from(*intervals)
    last = folded(heir, word(order_key("o5"), OrderVoided(20, "o5")))
    assert (order_key("o2").encode(), None) in last.rows


def test_a_mark_gives_up_what_has_expired_for_long_enough() -> None:
    fold = coupon_fold()
    terms = msgspec.structs.replace(TERMS, expires_ms=1_000)
    folded(fold, word("CODE", Issued(1, terms)), word("OTHER", Issued(1, TERMS)))
    assert fold.due_ms() == 1_000 + LATE_MS
    assert outcomes(folded(fold, ClockMark(at_ms=1_000 + LATE_MS - 1))) == []
    late = folded(fold, word("CODE", asked("o1", 999)))
    assert outcomes(late) == ["redeemed"]
    assert fold.due_ms() is None

    other = coupon_fold()
    folded(other, word("CODE", Issued(1, terms)))
    interval = folded(other, ClockMark(at_ms=1_000 + LATE_MS))
    (judged,) = verdicts(interval)
    assert (judged.outcome, judged.expired, judged.open, judged.open_cents) == (
        "expired",
        1,
        -1,
        -500,
    )
    assert other.due_ms() is None


def test_too_many_at_once_are_left_to_the_next_mark(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.coupon_fold.EXPIRED_PER_MARK", 2)
    assert EXPIRED_PER_MARK > 2
    fold = coupon_fold()
    terms = msgspec.structs.replace(TERMS, expires_ms=1_000)
    folded(fold, *(word(f"C{n}", Issued(1, terms)) for n in range(5)))
    mark = ClockMark(at_ms=1_000 + LATE_MS)
    assert [len(outcomes(folded(fold, mark))) for _ in range(4)] == [2, 2, 1, 0]


def test_an_heir_goes_on_as_the_one_before() -> None:
    terms = msgspec.structs.replace(TERMS, expires_ms=1_000)
    shared = msgspec.structs.replace(TERMS, owner="anna", sharing=Sharing.GIVEN)
    fold = coupon_fold()
    begun = [
        folded(fold, word("CODE", Issued(1, terms)), word("MANY", Issued(1, shared))),
        folded(fold, word("TWO", Issued(1, TERMS)), word("TWO", asked("o1"))),
    ]
    heir = again_from(*begun)
    assert heir.coupons() == fold.coupons()
    assert heir.due_ms() == fold.due_ms() == 1_000 + LATE_MS
    story = [word("TWO", asked("o2")), word("MANY", Revoked(5)), ClockMark(at_ms=2_000 + LATE_MS)]
    assert folded(heir, *story) == folded(fold, *story)


def test_a_rollback_returns_to_the_last_transaction() -> None:
    terms = msgspec.structs.replace(TERMS, expires_ms=1_000)
    fold = coupon_fold()
    sealed = folded(fold, word("CODE", Issued(1, terms)))
    shared = msgspec.structs.replace(TERMS, owner="anna", sharing=Sharing.GIVEN)
    for one in (
        word("CODE", asked("o1"), "till"),
        word("MANY", Issued(1, shared)),
        word("NEW", Issued(1, terms)),
        word(order_key("o7"), OrderVoided(2, "o7")),
    ):
        list(fold.fold(record_of(one), NOBODY))
    fold.rollback()
    assert fold.coupons() == again_from(sealed).coupons()
    assert fold.due_ms() == 1_000 + LATE_MS
    assert not fold.is_urgent()
    assert fold.seal() == Interval([], {})
    mark = ClockMark(at_ms=5_000 + LATE_MS)
    list(fold.fold(record_of(mark), NOBODY))
    fold.rollback()
    assert outcomes(folded(fold, mark, word("MANY", Revoked(9)))) == ["expired", "unknown"]


@pytest.mark.parametrize(
    "raw",
    [
        b"{",
        b"null",
        b"\xff",
        coupon_words.encode(word(order_key("o1"), Revoked(1))),
    ],
)
def test_what_can_not_be_folded_is_poison_and_is_left_out(raw: bytes) -> None:
    fold = coupon_fold()
    record = Record(9, raw, b"CODE", 77)
    with pytest.raises(PoisonError) as raised:
        list(fold.fold(record, NOBODY))
    fold.rollback()
    letter = fold.dead_letter(record, raised.value)
    assert letter.topic == topics.DEAD_LETTERS
    told = msgspec.json.decode(letter.value, type=DeadLetter)
    assert (told.source, told.offset, told.sealed_raw) == ("coupons", 9, f"sealed:{len(raw)}")
    assert list(fold.fold(record, frozenset({raised.value.key}))) == []
    assert fold.seal() == Interval([], {})


def test_an_order_is_no_coupon_and_its_news_no_coupons() -> None:
    fold = coupon_fold()
    interval = folded(fold, word("CODE", OrderHas(1, "o1", "CODE")))
    assert interval == Interval([], {})
    folded(fold, word(order_key("o1"), OrderHas(1, "o1", share_key("CODE", "anna"))))
    assert fold.coupons() == {}


def test_a_verdict_says_in_which_currency_its_cents_are() -> None:
    share = Terms("share", Percent(1_000), gives_back=True, currency="EUR")
    abroad = RedemptionAsked(10, "r1", "o1", Basket(5_000), currency="JPY")
    found = verdicts(
        folded(
            coupon_fold(),
            word("FIVE", Issued(1, Terms("five", Amount(500), currency="EUR"))),
            word("FIVE", abroad),
            word("TEN", Issued(1, share)),
            word("TEN", abroad),
            word("TEN", LookedAt(11)),
            word("TEN", OrderVoided(12, "o1")),
            word("NONE", abroad),
        )
    )
    told = [
        (one.outcome, one.currency, one.goods_cents, one.open_cents, one.redeemed_cents)
        for one in found
    ]
    assert told == [
        ("issued", "EUR", 0, 500, 0),
        ("other_currency", "EUR", 0, 0, 0),
        ("issued", "EUR", 0, 0, 0),
        ("redeemed", "JPY", 500, 0, 500),
        ("looked_at", "JPY", 500, 0, 0),
        ("given_back", "JPY", 500, 0, -500),
        ("unknown", "", 0, 0, 0),
    ]


def test_a_coupons_row_is_what_the_changelog_says() -> None:
    interval = folded(coupon_fold(), word("CODE", Issued(1, TERMS)))
    ((key, row),) = interval.rows
    assert key == b"CODE"
    assert msgspec.msgpack.decode(row or b"", type=Coupon).status is Status.ISSUED


def test_the_owners_row_is_told_of_each_change_in_the_owners_partition() -> None:
    owner = named("anna")
    terms = Terms("welcome", Amount(500), owner=owner, expires_ms=100)
    told = RedemptionAsked(10, "r1", "o1", Basket(5_000), names=(owner,))
    fold = coupon_fold(partitions=4)
    interval = folded(fold, word("CODE", Issued(1, terms)), word("CODE", told), word("CODE", told))
    outputs = [one for one in listed(interval.outputs) if one.topic == topics.EVENTS]
    assert [type(decode(one.value)) for one in outputs] == [CouponIssued, CouponApplied]
    assert {(one.key, one.partition) for one in outputs} == {
        (owner.encode(), partition_of(owner, 4))
    }
