"""A shop's own codes: what becomes of a row, and what is refused with which words."""

from typing import Any

import pytest

from models.coupon_import import Asked, BadRow, read_row
from models.coupons import Issued, Sharing, Terms
from models.discounts import Amount, FreeShipping, Gift, Kind, Percent, Steps

ASKED = Asked(1_000, "r", lambda customer: f"token of {customer}", "EUR")


def terms_of(**row: Any) -> Terms:
    word = read_row({"code": "A1", **row}, 3, ASKED)
    assert isinstance(word.event, Issued)
    return word.event.terms


@pytest.mark.parametrize(
    ("row", "kind"),
    [
        ({"percent": "10%"}, Percent(1_000)),
        ({"percent": 0.125, "at_most_cents": 900}, Percent(1_250, 900)),
        ({"percent": "0.29", "min_order_cents": "50"}, Percent(2_900, None, 50)),
        ({"amount_cents": "500"}, Amount(500)),
        (
            {"spend_and_save": [{"spend_cents": 100, "save_cents": 10}]},
            Steps(((100, 10),)),
        ),
        ({"gift": "p1", "gift_worth_cents": 70}, Gift("p1", 70)),
        ({"free_shipping": "true", "at_most_cents": "300"}, FreeShipping(300)),
        ({"amount_cents": 5, "free_shipping": False, "gift": ""}, Amount(5)),
    ],
)
def test_every_kind_can_be_told_in_words_or_numbers(row: dict[str, Any], kind: Kind) -> None:
    assert terms_of(**row).kind == kind


def test_a_row_says_whose_it_is_and_on_which_terms() -> None:
    word = read_row(
        {"code": " sum-mer 1", "offer": "summer", "amount_cents": 5, "customer": "anna",
         "stackable": "true", "give_back": True, "grace_days": "3"},
        3,
        ASKED,
    )  # fmt: skip
    assert (word.key, word.request) == ("SUMMER1", "r:3")
    assert word.event == Issued(
        1_000,
        Terms("summer", Amount(5), "token of anna", 0, True, True, 3, currency="EUR"),
    )
    assert terms_of(amount_cents=5, shared=True).sharing is Sharing.ANYONE


@pytest.mark.parametrize(
    ("row", "currency"),
    [
        ({}, "EUR"),
        ({"currency": ""}, "EUR"),
        ({"currency": "JPY"}, "JPY"),
        ({"currency": "jpy"}, "JPY"),
    ],
)
def test_a_coupon_is_in_the_currency_that_is_told_or_the_shops(
    row: dict[str, Any], currency: str
) -> None:
    assert terms_of(amount_cents=5, **row).currency == currency


@pytest.mark.parametrize(
    ("told", "expires_ms"),
    [
        (None, 0),
        ("", 0),
        ("2026-01-02", 1_767_312_000_000),
        ("2026-01-02T08:00:00+08:00", 1_767_312_000_000),
        (1_767_312_000_000, 1_767_312_000_000),
        ("1767312000000", 1_767_312_000_000),
    ],
)
def test_an_expiry_is_a_date_a_moment_or_milliseconds(told: Any, expires_ms: int) -> None:
    assert terms_of(amount_cents=5, expires_at=told).expires_ms == expires_ms


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"amount_cents": 5}, "code"),
        ({"code": "--", "amount_cents": 5}, "letters and digits"),
        ({"code": "x" * 65, "amount_cents": 5}, "at most 64"),
        ({"code": "A1"}, "exactly one of"),
        ({"code": "A1", "amount_cents": 5, "gift": "p"}, "exactly one of"),
        ({"code": "A1", "amount_cents": 0}, "more than 0"),
        ({"code": "A1", "amount_cents": "much"}, "amount_cents"),
        ({"code": "A1", "amount_cents": 10**13}, "amount_cents"),
        (
            {"code": "A1", "percent": "120%"},
            "percent: this is more .*: '120%'; expected a share",
        ),
        ({"code": "A1", "percent": "10"}, "did you mean '10%'"),
        ({"code": "A1", "percent": "ten"}, "percent: this is no share: 'ten'; expected a share"),
        ({"code": "A1", "spend_and_save": []}, "at least one"),
        (
            {"code": "A1", "amount_cents": 5, "expires_at": "soon"},
            "expires_at: this is no .*'soon'; expec",
        ),
        ({"code": "A1", "amount_cents": 5, "expires_at": -1}, "expires_at: .*'-1'"),
        ({"code": "A1", "amount_cents": 5, "expires_at": "²"}, "expires_at: .*'²'"),
        (
            {"code": "A1", "amount_cents": 5, "currency": "euros"},
            "currency: this is no currency: 'euros'; expected three letters such as EUR",
        ),
        ({"code": "A1", "amount_cents": 5, "currency": "€"}, "currency: .*'€'"),
        ({"code": "A1", "amount_cents": 5, "currency": "E1R"}, "currency: .*'E1R'"),
        ({"code": "A1", "amount_cents": 5, "currency": ["EUR"]}, "currency"),
        ({"code": "A1", "amount_cents": 5, "colour": "red"}, "colour"),
        ({"code": "A1", "amount_cents": 5, "shared": True, "customer": "anna"}, "shared"),
        ({None: ["a cell too many"], "code": "A1", "amount_cents": 5}, "key"),
        ("A1", "object"),
        (None, "object"),
    ],
)
def test_a_row_that_is_no_coupon_is_refused(row: Any, said: str) -> None:
    with pytest.raises(BadRow, match=said):
        read_row(row, 0, ASKED)
