"""Which coupons a customer holds, as the coupons' own fold and the shop tell of them.

A row keeps the last few; of two words about one code the later one in time holds, in whatever
order they come in.
"""

import msgspec

from models.coupon_codes import key_of, read_code

KEPT_COUPONS = 8
OPEN, REDEEMED, ENDED = "open", "redeemed", "ended"
OURS = "coupons"
"""Source of what the engine's coupon fold tells a customer's row."""


class HeldCoupon(msgspec.Struct, array_like=True, gc=False):
    """A coupon of a customer; `until_ms` 0: it does not end. `moved_ms`: when `status` began."""

    code: str
    offer: str = ""
    given_ms: int = 0
    until_ms: int = 0
    status: str = OPEN
    moved_ms: int = 0


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


def tell(held: list[HeldCoupon], said: HeldCoupon) -> None:
    """Take in what is said of a coupon; of too many the one that is over longest is forgotten."""
    known = find(held, said.code)
    if known is None:
        held.append(said)
        if len(held) > KEPT_COUPONS:
            held.remove(min(held, key=lambda one: (one.status == OPEN, one.moved_ms, one.code)))
        return
    newer, older = (said, known) if said.moved_ms >= known.moved_ms else (known, said)
    known.offer = newer.offer or older.offer
    known.given_ms = newer.given_ms or older.given_ms
    known.until_ms = newer.until_ms or older.until_ms
    known.status, known.moved_ms = newer.status, newer.moved_ms


def is_open(coupon: HeldCoupon, now_ms: int) -> bool:
    """Whether it may yet be redeemed."""
    return coupon.status == OPEN and (not coupon.until_ms or now_ms < coupon.until_ms)


def merged(mine: list[HeldCoupon], theirs: list[HeldCoupon]) -> list[HeldCoupon]:
    """Coupons of two names of one person."""
    both: list[HeldCoupon] = []
    for one in sorted([*theirs, *mine], key=lambda one: (one.moved_ms, one.code)):
        tell(both, one)
    return both
