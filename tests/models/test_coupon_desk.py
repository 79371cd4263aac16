"""Whose coupon a word is about: a code of one customer, and one that many share."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.coupon_desk import DeskEvent, Heard, counts, hear
from models.coupon_words import LookedAt, home_of, share_key
from models.coupons import (
    Coupon,
    Issued,
    Liability,
    OrderVoided,
    Outcome,
    RedemptionAsked,
    Revoked,
    Sharing,
    Status,
    Terms,
    TimePassed,
    added,
)
from models.discounts import Amount, Basket, Percent

CODE = "SPRING"
BASKET = Basket(5_000)


class Desk:
    """A table of coupons, as the fold keeps it, and the sums over all verdicts."""

    def __init__(self) -> None:
        self.rows: dict[str, Coupon] = {}
        self.sums = Liability()

    def hear(self, event: DeskEvent, key: str = CODE) -> list[Heard]:
        found = hear(key, event, self.rows.get, self.shares)
        for heard in found:
            if heard.after != heard.before:
                self.rows[heard.key] = heard.after
            if heard.verdict is not None:
                self.sums = added(self.sums, heard.moved)
        return found

    def shares(self, code: str) -> list[str]:
        return [key for key in self.rows if home_of(key) == code != key]

    def outcome(self, event: DeskEvent, key: str = CODE) -> Outcome:
        verdicts = [heard.verdict for heard in self.hear(event, key) if heard.verdict is not None]
        return verdicts[0].outcome


def terms(sharing: Sharing = Sharing.NOT, owner: str = "", expires_ms: int = 0) -> Terms:
    return Terms("spring", Amount(500), owner, expires_ms, sharing=sharing)


def asked(order: str, *names: str, at_ms: int = 10) -> RedemptionAsked:
    return RedemptionAsked(at_ms, f"r {order}", order, BASKET, names)


def test_a_code_of_one_customer_is_one_coupon() -> None:
    desk = Desk()
    assert desk.outcome(Issued(1, terms())) is Outcome.ISSUED
    assert desk.outcome(asked("o1")) is Outcome.REDEEMED
    assert desk.outcome(asked("o2")) is Outcome.ALREADY_REDEEMED
    assert set(desk.rows) == {CODE}
    assert desk.sums == Liability(issued=1, redeemed=1, redeemed_cents=500)


def test_looking_changes_nothing_and_tells_how_it_stands() -> None:
    desk = Desk()
    desk.hear(Issued(1, terms()))
    (heard,) = desk.hear(LookedAt(5))
    assert heard.after is heard.before
    assert heard.after.status is Status.ISSUED
    assert heard.moved == Liability()


def test_each_holder_of_a_shared_code_redeems_it_once() -> None:
    desk = Desk()
    for name in ("anna", "bert"):
        desk.hear(Issued(1, terms(Sharing.GIVEN, name)))
    assert desk.sums == Liability(issued=2, open=2, open_cents=1_000)
    assert desk.outcome(asked("o1", "anna")) is Outcome.REDEEMED
    assert desk.outcome(asked("o2", "bert")) is Outcome.REDEEMED
    assert desk.outcome(asked("o3", "anna")) is Outcome.ALREADY_REDEEMED
    assert desk.sums == Liability(issued=2, redeemed=2, redeemed_cents=1_000)


def test_a_holder_is_found_by_any_of_its_names() -> None:
    desk = Desk()
    desk.hear(Issued(1, terms(Sharing.GIVEN, "device")))
    assert desk.outcome(asked("o1", "anna", "device")) is Outcome.REDEEMED


@pytest.mark.parametrize("names", [(), ("bert",)])
def test_who_was_not_given_a_shared_code_can_not_redeem_it(names: tuple[str, ...]) -> None:
    desk = Desk()
    desk.hear(Issued(1, terms(Sharing.GIVEN, "anna")))
    before = dict(desk.rows)
    assert desk.outcome(asked("o1", *names)) is Outcome.NOT_YOURS
    assert desk.rows == before


def test_anyone_redeems_an_open_code_once_by_name_or_by_order() -> None:
    desk = Desk()
    desk.hear(Issued(1, terms(Sharing.ANYONE)))
    assert desk.sums == Liability(issued=1, open=1, open_unlimited=1)
    assert desk.outcome(asked("o1", "anna")) is Outcome.REDEEMED
    assert desk.outcome(asked("o2", "anna")) is Outcome.ALREADY_REDEEMED
    assert desk.outcome(asked("o3")) is Outcome.REDEEMED
    (heard,) = desk.hear(asked("o3"))
    assert heard.verdict is not None
    assert heard.verdict.repeated
    assert desk.sums.redeemed == 2
    assert desk.sums.open == 1


def test_an_open_code_is_taken_in_each_orders_currency_or_not_at_all() -> None:
    amount = msgspec.structs.replace(terms(Sharing.ANYONE), currency="EUR")
    share = msgspec.structs.replace(amount, kind=Percent(1_000))
    in_yen = msgspec.structs.replace(asked("o1", "anna"), currency="JPY")
    desk = Desk()
    desk.hear(Issued(1, amount))
    assert desk.outcome(in_yen) is Outcome.OTHER_CURRENCY
    assert set(desk.rows) == {CODE}
    desk = Desk()
    assert [one.currency for one in desk.hear(Issued(1, share))] == ["EUR"]
    (taken,) = desk.hear(in_yen)
    assert (taken.currency, taken.moved.redeemed_cents) == ("JPY", 500)
    (kept,) = desk.hear(asked("o2", "bert"))
    assert (kept.currency, kept.moved.redeemed_cents) == ("EUR", 500)


def test_trying_an_open_code_in_vain_leaves_no_row() -> None:
    desk = Desk()
    desk.hear(Issued(1, terms(Sharing.ANYONE, expires_ms=5)))
    assert desk.outcome(asked("o1", "anna", at_ms=6)) is Outcome.EXPIRED
    assert set(desk.rows) == {CODE}


def test_an_order_that_is_over_gives_its_share_back() -> None:
    desk = Desk()
    desk.hear(Issued(1, terms(Sharing.ANYONE)))
    desk.hear(asked("o1", "anna"))
    key = share_key(CODE, "anna")
    assert desk.outcome(OrderVoided(20, "o1"), key) is Outcome.GIVEN_BACK
    assert desk.outcome(asked("o2", "anna", at_ms=21)) is Outcome.REDEEMED


def test_revoking_a_shared_code_revokes_all_that_is_open_of_it() -> None:
    desk = Desk()
    for name in ("anna", "bert"):
        desk.hear(Issued(1, terms(Sharing.GIVEN, name)))
    desk.hear(asked("o1", "anna"))
    desk.hear(Revoked(20))
    assert desk.outcome(asked("o2", "bert", at_ms=21)) is Outcome.REVOKED
    assert desk.outcome(asked("o3", "carl", at_ms=21)) is Outcome.REVOKED
    assert desk.sums == Liability(issued=2, redeemed=1, redeemed_cents=500, revoked=1)


def test_a_shared_code_given_again_lasts_longer_while_it_can_be_used() -> None:
    desk = Desk()
    desk.hear(Issued(1, terms(Sharing.GIVEN, "anna", expires_ms=10)))
    desk.hear(TimePassed(11), share_key(CODE, "anna"))
    assert desk.sums.expired == 1
    desk.hear(Issued(12, terms(Sharing.GIVEN, "anna", expires_ms=30)))
    assert desk.outcome(asked("o1", "anna", at_ms=29)) is Outcome.REDEEMED
    desk.hear(Issued(40, terms(Sharing.GIVEN, "anna", expires_ms=90)))
    assert desk.outcome(asked("o2", "anna", at_ms=41)) is Outcome.ALREADY_REDEEMED


def test_one_code_is_not_both() -> None:
    desk = Desk()
    desk.hear(Issued(1, terms()))
    assert desk.outcome(Issued(2, terms(Sharing.GIVEN, "anna"))) is Outcome.TAKEN
    assert desk.outcome(Issued(3, terms()), "OTHER") is Outcome.ISSUED
    shared = Desk()
    shared.hear(Issued(1, terms(Sharing.GIVEN, "anna")))
    assert shared.outcome(Issued(2, terms())) is Outcome.TAKEN


EVENTS = st.one_of(
    st.builds(
        Issued,
        st.integers(1, 100),
        st.builds(
            terms,
            st.sampled_from(Sharing),
            st.sampled_from(["", "anna", "bert"]),
            st.sampled_from([0, 30, 60]),
        ),
    ),
    st.builds(
        asked,
        st.sampled_from(["o1", "o2", "o3"]),
        st.sampled_from(["anna", "bert", "carl"]),
        at_ms=st.integers(1, 100),
    ),
    st.builds(Revoked, st.integers(1, 100)),
)


@given(st.lists(EVENTS, max_size=25))
def test_whatever_happens_the_verdicts_add_up_to_what_stands(story: list[DeskEvent]) -> None:
    desk = Desk()
    for event in story:
        desk.hear(event)
    assert desk.sums.issued == sum(
        one.terms is not None and counts(key, one) for key, one in desk.rows.items()
    )
    sums = desk.sums
    assert sums.issued == sums.open + sums.redeemed + sums.expired + sums.revoked
    assert min(sums) >= 0
    for key, one in desk.rows.items():
        holder = key.removeprefix(CODE).removeprefix("/")
        assert not holder or one.terms is None or one.terms.owner in ("", holder)


def test_a_desk_changes_no_coupon_it_was_given() -> None:
    given_coupon = Coupon(Status.ISSUED, terms(Sharing.GIVEN), 1)
    packed = msgspec.msgpack.encode(given_coupon)
    hear(CODE, Revoked(5), {CODE: given_coupon}.get, lambda _: ())
    assert msgspec.msgpack.encode(given_coupon) == packed
