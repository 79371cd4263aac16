"""Whose coupon a word is about, where one code may be many customers'.

A code of one customer is one coupon (models/coupons.py). A shared code has a row of its own, which
holds the terms, and a coupon for each holder, so that each redeems it once. With Sharing.ANYONE a
holder need not have been given it; who shows it without a name holds it by the order.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import msgspec

from models.coupon_words import LookedAt, home_of, order_key, share_key
from models.coupons import (
    Coupon,
    CouponEvent,
    Issued,
    Liability,
    Outcome,
    RedemptionAsked,
    Revoked,
    Sharing,
    Status,
    Terms,
    Verdict,
    change,
    currency_moved,
    fold,
    standing,
)

Look = Callable[[str], Coupon | None]
"""Gives the coupon of a key, if there is one."""
Shares = Callable[[str], Iterable[str]]
"""Gives the keys of a shared code's coupons."""
DeskEvent = CouponEvent | LookedAt
_USABLE = frozenset({Status.ISSUED, Status.EXPIRED})


class Heard(NamedTuple):
    """What a word did to one coupon; `verdict` None: the shared code's own row, no news."""

    key: str
    before: Coupon
    after: Coupon
    verdict: Verdict | None

    @property
    def currency(self) -> str:
        """In which currency all cents are that it moves or that an order has off."""
        return currency_moved(self.before, self.after)

    @property
    def moved(self) -> Liability:
        """By how much the sums move."""
        if counts(self.key, self.after):
            return _unlimited(self.key, self.before, self.after)
        return Liability()


def hear(key: str, event: DeskEvent, look: Look, shares: Shares) -> list[Heard]:
    """Let something happen to the coupon of a key, or to all that a shared code has."""
    coupon = look(key) or Coupon()
    if isinstance(event, LookedAt):
        return [Heard(key, coupon, coupon, Verdict(Outcome.NOTHING))]
    if isinstance(event, Issued) and event.terms.sharing is not Sharing.NOT:
        return _share(key, coupon, event, look)
    if coupon.terms is not None and _is_shared_row(key, coupon.terms):
        if isinstance(event, RedemptionAsked):
            return [_redeem_share(key, coupon, event, look)]
        if isinstance(event, Revoked):
            found = [_folded(one, look(one) or Coupon(), event) for one in shares(key)]
            return [_folded(key, coupon, event), *found]
    return [_folded(key, coupon, event)]


def _folded(key: str, coupon: Coupon, event: CouponEvent) -> Heard:
    after, verdict = fold(coupon, event)
    return Heard(key, coupon, after, verdict)


def _is_shared_row(key: str, terms: Terms) -> bool:
    return terms.sharing is not Sharing.NOT and key == home_of(key)


def _share(code: str, row: Coupon, event: Issued, look: Look) -> list[Heard]:
    """Give a shared code to a holder, or (without one) to whoever will have it."""
    terms = event.terms
    if row.terms is not None and row.terms.sharing is Sharing.NOT:
        return [Heard(code, row, row, Verdict(Outcome.TAKEN))]
    opened = _opened(row, event)
    verdict = Verdict(Outcome.ISSUED, repeated=row.terms is not None)
    if not terms.owner:
        return [Heard(code, row, opened, verdict)]
    is_news = counts(code, opened) and opened != row
    key = share_key(code, terms.owner)
    held = look(key) or Coupon()
    if held.terms is None:
        given = _folded(key, held, event)
    else:
        given = Heard(key, held, _longer(held, event), Verdict(Outcome.ISSUED, repeated=True))
    return [Heard(code, row, opened, verdict if is_news else None), given]


def _opened(row: Coupon, event: Issued) -> Coupon:
    """Open the shared code's row, or have it last longer."""
    if row.terms is None:
        terms = msgspec.structs.replace(event.terms, owner="")
        return fold(row, Issued(event.at_ms, terms))[0]
    return _longer(row, event)


def _longer(coupon: Coupon, event: Issued) -> Coupon:
    """Given again while it can be used it lasts as long as the longer of both."""
    ends_ms, until_ms = coupon.expires_ms, event.terms.expires_ms
    if coupon.status not in _USABLE or not ends_ms or 0 < until_ms <= ends_ms:
        return coupon
    status = Status.EXPIRED if 0 < until_ms <= event.at_ms else Status.ISSUED
    return msgspec.structs.replace(coupon, status=status, expires_ms=until_ms)


def _redeem_share(code: str, row: Coupon, event: RedemptionAsked, look: Look) -> Heard:
    for name in event.names:
        key = share_key(code, name)
        held = look(key)
        if held is not None:
            return _folded(key, held, event)
    holder = event.names[0] if event.names else order_key(event.order_id)
    key = share_key(code, holder)
    held = look(key)
    if held is not None:
        return _folded(key, held, event)
    terms = row.terms
    if terms is None or row.status is Status.REVOKED:
        return Heard(code, row, row, Verdict(Outcome.REVOKED))
    if terms.sharing is Sharing.GIVEN:
        return Heard(code, row, row, Verdict(Outcome.NOT_YOURS))
    owner = holder if event.names else ""
    own = msgspec.structs.replace(terms, owner=owner, expires_ms=row.expires_ms)
    after, verdict = fold(fold(Coupon(), Issued(row.issued_ms, own))[0], event)
    # Who only tried holds nothing: trying must not fill the table.
    is_held = verdict.outcome is Outcome.REDEEMED
    return Heard(key, Coupon(), after if is_held else Coupon(), verdict)


def counts(key: str, coupon: Coupon) -> bool:
    """Whether a row is a coupon: a shared code's own is none unless anyone may take from it."""
    terms = coupon.terms
    return terms is None or not _is_shared_row(key, terms) or terms.sharing is Sharing.ANYONE


def _unlimited(key: str, before: Coupon, after: Coupon) -> Liability:
    moved = change(before, after)
    if after.terms is None or not _is_shared_row(key, after.terms):
        return moved
    opened = standing(after).open - standing(before).open
    return moved._replace(open_cents=0, open_unlimited=opened)
