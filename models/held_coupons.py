"""Which coupons a customer holds and may yet redeem, as the coupons' fold and the shop tell.

A row keeps those alone: what is redeemed or over is gone from it, and the recent story of the row
tells that it was, should the word that it was given come late.
"""

import msgspec

from models.coupon_codes import key_of, read_code

KEPT_COUPONS = 8
OURS = "coupons"
"""Source of what the engine's coupon fold tells a customer's row."""


class HeldCoupon(msgspec.Struct, array_like=True, gc=False):
    """A coupon of a customer; `until_ms` 0: it does not end."""

    code: str
    offer: str = ""
    given_ms: int = 0
    until_ms: int = 0


def is_told_already(source: str, typed: str) -> bool:
    """Whether the shop tells of a code of ours, of which the coupons' own fold tells.

    >>> is_told_already("shop", "87RX-FYNX-5H7C"), is_told_already(OURS, "87RXFYNX5H7C")
    (True, False)
    """
    return source != OURS and read_code(typed) is not None


def name_of(typed: str) -> str:
    """Under which name a row knows a coupon.

    >>> name_of("87rx fynx 5h7c"), name_of("Welcome-10")
    ('87RXFYNX5H7C', 'WELCOME10')
    """
    return key_of(typed) or typed


def find(held: list[HeldCoupon], code: str) -> HeldCoupon | None:
    """Find a coupon by its name."""
    return next((one for one in held if one.code == code), None)


def give(held: list[HeldCoupon], coupon: HeldCoupon) -> None:
    """Take a coupon in, or its later terms; of too many the one given first is forgotten."""
    known = find(held, coupon.code)
    if known is not None:
        if known.given_ms > coupon.given_ms:
            return
        held.remove(known)
    held.append(coupon)
    if len(held) > KEPT_COUPONS:
        held.remove(min(held, key=lambda one: (one.given_ms, one.code)))


def take(held: list[HeldCoupon], code: str, at_ms: int) -> None:
    """Let a coupon be gone, unless it was given again since."""
    known = find(held, code)
    if known is not None and at_ms >= known.given_ms:
        held.remove(known)


def is_good(coupon: HeldCoupon, now_ms: int) -> bool:
    """Whether it may yet be redeemed."""
    return not coupon.until_ms or now_ms < coupon.until_ms


def merged(mine: list[HeldCoupon], theirs: list[HeldCoupon]) -> list[HeldCoupon]:
    """Coupons of two names of one person."""
    both: list[HeldCoupon] = []
    for one in sorted([*theirs, *mine], key=lambda one: (one.given_ms, one.code)):
        give(both, one)
    return both
