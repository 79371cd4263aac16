"""A shop's own codes taken in: a row of a file or a list becomes the word that opens the coupon."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec

from models.coupon_codes import key_of
from models.coupon_words import CouponWord
from models.coupons import Issued, Sharing, Terms
from models.discounts import Amount, FreeShipping, Gift, Kind, Percent, Steps
from models.events import Cents, Moment
from models.playbook.scalars import Misread, share_of
from models.segment_values import Refusal, currency_of

_WHOLE = 10_000
_KINDS = ("percent", "amount_cents", "spend_and_save", "gift", "free_shipping")


class BadRow(ValueError):
    """A row that is no coupon; the text says what was expected."""


class Step(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Spend so much, save so much."""

    spend_cents: Cents
    save_cents: Cents


class CouponRow(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One coupon as a shop tells of it; of the kinds exactly one.

    `percent` is "10%" or 0.1, `currency` that of its cents (the shop's where none is told),
    `expires_at` a date, a moment (ISO 8601, UTC where it says nothing) or milliseconds; `customer`
    the shop's own id of whom it is for. `shared` lets every customer redeem it once.
    """

    code: str
    offer: str = "imported"
    currency: str = ""
    percent: str | float | None = None
    at_most_cents: Cents | None = None
    amount_cents: Cents | None = None
    spend_and_save: tuple[Step, ...] | None = None
    gift: str | None = None
    gift_worth_cents: Cents = 0
    free_shipping: bool | None = None
    min_order_cents: Cents = 0
    expires_at: str | int | None = None
    customer: str = ""
    shared: bool = False
    stackable: bool = False
    give_back: bool = False
    grace_days: int = 0


class Asked(NamedTuple):
    """What all rows of one import share: the shop's currency, and what names a customer's id."""

    at_ms: int
    request: str
    token_of: Callable[[str], str]
    currency: str


def read_row(row: Any, number: int, asked: Asked) -> CouponWord:
    """Read the `number`th row; raises BadRow."""
    if isinstance(row, Mapping):
        # A file has a cell for every column.
        row = {name: value for name, value in row.items() if value not in ("", None)}
    try:
        told = msgspec.convert(row, CouponRow, strict=False)
        kind, expires_ms = _kind(told), _expiry(told.expires_at)
        currency = _currency(told.currency) or asked.currency
    except msgspec.ValidationError as error:
        raise BadRow(str(error)) from None
    key = key_of(told.code)
    if not key:
        raise BadRow("code: expected letters and digits, at most 64")
    if told.shared and told.customer:
        raise BadRow("a shared code is nobody's own: leave out shared or customer")
    terms = Terms(
        offer=told.offer,
        kind=kind,
        owner=asked.token_of(told.customer) if told.customer else "",
        expires_ms=expires_ms,
        stackable=told.stackable,
        gives_back=told.give_back,
        grace_days=max(0, told.grace_days),
        sharing=Sharing.ANYONE if told.shared else Sharing.NOT,
        currency=currency,
    )
    return CouponWord(
        key=key, event=Issued(asked.at_ms, terms), request=f"{asked.request}:{number}"
    )


def _kind(told: CouponRow) -> Kind:
    values = [getattr(told, name) for name in _KINDS]
    given = [value for value in values if value is not None and value is not False]
    if len(given) != 1:
        raise BadRow(f"expected exactly one of {', '.join(_KINDS)}, got {len(given)}")
    least_cents = told.min_order_cents
    if told.percent is not None:
        return Percent(_points(str(told.percent)), told.at_most_cents, least_cents)
    if told.amount_cents is not None:
        return Amount(_positive(told.amount_cents), least_cents)
    if told.spend_and_save is not None:
        steps = tuple((step.spend_cents, step.save_cents) for step in told.spend_and_save)
        if not steps:
            raise BadRow("spend_and_save: expected at least one step")
        return Steps(steps)
    if told.gift is not None:
        return Gift(told.gift, told.gift_worth_cents, least_cents)
    return FreeShipping(told.at_most_cents, least_cents)


def _points(told: str) -> int:
    try:
        return round(share_of(told) * _WHOLE)
    except Misread as misread:
        meant = f"; did you mean {misread.suggestion!r}?" if misread.suggestion else ""
        raise BadRow(
            f"percent: {misread.message}: {told[:40]!r}; expected {misread.expected}{meant}"
        ) from None


def _currency(told: str) -> str:
    try:
        return currency_of(told) if told else ""
    except Refusal:
        raise BadRow(
            f"currency: this is no currency: {told[:40]!r}; expected three letters such as EUR"
        ) from None


def _positive(cents: int) -> int:
    if cents <= 0:
        raise BadRow("amount_cents: expected more than 0")
    return cents


def _expiry(told: str | int | None) -> int:
    if told is None:
        return 0
    try:
        if isinstance(told, str) and not told.isdecimal():
            moment = datetime.fromisoformat(told)
            if moment.tzinfo is None:
                moment = moment.replace(tzinfo=UTC)
            told = int(moment.timestamp() * 1000)
        return msgspec.convert(int(told), Moment)
    except (ValueError, OverflowError):
        raise BadRow(
            f"expires_at: this is no moment: {str(told)[:40]!r}; expected a date such as 2026-12-31"
        ) from None
