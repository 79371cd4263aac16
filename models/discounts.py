"""What a coupon takes off an order, exact to the cent.

Amounts are minor units of the coupon's own currency (models/coupons.py). A percentage is rounded
half up to a multiple of `step_cents`, so a shop whose prices know no cents gets none. Nothing takes
off more than is there: not in an order, not in all coupons together, not in a line.
"""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

_WHOLE = 10_000


class Percent(msgspec.Struct, tag="percent", array_like=True, frozen=True, gc=False):
    """Hundredths of a percent of the goods, `at_most_cents` where there is a limit."""

    basis_points: int
    at_most_cents: int | None = None
    least_spend_cents: int = 0


class Amount(msgspec.Struct, tag="amount", array_like=True, frozen=True, gc=False):
    """A sum off the goods."""

    cents: int
    least_spend_cents: int = 0


class Steps(msgspec.Struct, tag="steps", array_like=True, frozen=True):
    """Spend and save: pairs of what is spent and what it takes off; the highest reached counts."""

    steps: tuple[tuple[int, int], ...]


class Gift(msgspec.Struct, tag="gift", array_like=True, frozen=True, gc=False):
    """A product on top, which is worth so much to the shop."""

    product_id: str
    worth_cents: int = 0
    least_spend_cents: int = 0


class FreeShipping(msgspec.Struct, tag="free_shipping", array_like=True, frozen=True, gc=False):
    """The shipping, or up to `at_most_cents` of it."""

    at_most_cents: int | None = None
    least_spend_cents: int = 0


Kind = Percent | Amount | Steps | Gift | FreeShipping
# In which sequence coupons of one order take off; each takes off what those before it left.
_SEQUENCE: tuple[type, ...] = (Steps, Percent, Amount, Gift, FreeShipping)


class Basket(NamedTuple):
    """What a coupon may take from: the goods it is good for, and the shipping."""

    goods_cents: int
    shipping_cents: int = 0


class Discount(NamedTuple):
    """What it takes off the goods and the shipping, and the product that it adds."""

    goods_cents: int = 0
    shipping_cents: int = 0
    gift: str = ""


def discount(kind: Kind, basket: Basket, step_cents: int = 1) -> Discount | None:
    """Work out what a coupon takes off; None where too little is spent for it.

    >>> discount(Percent(1_250), Basket(999))
    Discount(goods_cents=125, shipping_cents=0, gift='')
    >>> discount(Steps(((5_000, 500), (10_000, 1_500))), Basket(9_999)).goods_cents
    500
    >>> discount(Amount(500, least_spend_cents=1_000), Basket(999)) is None
    True
    """
    if basket.goods_cents < least_spend_cents(kind):
        return None
    return _taken(kind, basket, basket, step_cents)


def least_spend_cents(kind: Kind) -> int:
    """What must be spent on goods before it takes anything off."""
    if isinstance(kind, Steps):
        return min((spend for spend, _ in kind.steps), default=0)
    return kind.least_spend_cents


def names_amounts(kind: Kind) -> bool:
    """Whether it speaks of money, so that only an order in the coupon's own currency can have it.

    What a gift is worth is between the shop and its books; no order is held against it.

    >>> names_amounts(Percent(1_000)), names_amounts(Percent(1_000, at_most_cents=2_000))
    (False, True)
    """
    match kind:
        case Amount() | Steps():
            return True
        case Percent() | FreeShipping():
            return kind.at_most_cents is not None or kind.least_spend_cents > 0
        case Gift():
            return kind.least_spend_cents > 0


def _taken(kind: Kind, basket: Basket, left: Basket, step_cents: int) -> Discount:
    """What a coupon takes off of what others left; what is spent is the whole basket."""
    match kind:
        case Percent():
            off = rounded(left.goods_cents * kind.basis_points, _WHOLE, step_cents)
            return Discount(_within(off, kind.at_most_cents, left.goods_cents))
        case Amount():
            return Discount(_within(kind.cents, None, left.goods_cents))
        case Steps():
            reached = [step for step in kind.steps if step[0] <= basket.goods_cents]
            return Discount(_within(max(reached, default=(0, 0))[1], None, left.goods_cents))
        case Gift():
            return Discount(gift=kind.product_id)
        case FreeShipping():
            off = left.shipping_cents
            return Discount(shipping_cents=_within(off, kind.at_most_cents, off))


def _within(off_cents: int, at_most_cents: int | None, left_cents: int) -> int:
    if at_most_cents is not None:
        off_cents = min(off_cents, at_most_cents)
    return max(0, min(off_cents, left_cents))


def rounded(amount: int, divisor: int, step_cents: int = 1) -> int:
    """Divide and round half up to a multiple of `step_cents`.

    >>> rounded(25, 10), rounded(24, 10), rounded(1_490, 1, 100), rounded(1_450, 1, 100)
    (3, 2, 1500, 1500)
    """
    whole = divisor * step_cents
    return (2 * amount + whole) // (2 * whole) * step_cents


def stacked(kinds: Sequence[Kind], basket: Basket, step_cents: int = 1) -> list[Discount | None]:
    """What several coupons take off one order, in the order given.

    They take off in a fixed sequence, however they are given: spend and save, percent, amount,
    gift, shipping; of one sort the larger first. What must be spent is asked of the whole basket.

    >>> [one.goods_cents for one in stacked([Amount(500), Percent(1_000)], Basket(10_000))]
    [500, 1000]
    """
    places = sorted(range(len(kinds)), key=lambda at: _rank(kinds[at]))
    found: list[Discount | None] = [None] * len(kinds)
    left = basket
    for at in places:
        if basket.goods_cents < least_spend_cents(kinds[at]):
            continue
        taken = _taken(kinds[at], basket, left, step_cents)
        found[at] = taken
        left = Basket(
            left.goods_cents - taken.goods_cents, left.shipping_cents - taken.shipping_cents
        )
    return found


def _rank(kind: Kind) -> tuple[int, int, str]:
    size = kind.basis_points if isinstance(kind, Percent) else worst_cents(kind) or 0
    # Of two alike in size their limits decide, so that the order given never does.
    return _SEQUENCE.index(type(kind)), -size, repr(kind)


def worst_cents(kind: Kind) -> int | None:
    """The most that it can cost the shop; None where nothing limits it.

    >>> worst_cents(Percent(1_000, at_most_cents=2_000)), worst_cents(Percent(1_000))
    (2000, None)
    """
    match kind:
        case Percent() | FreeShipping():
            return kind.at_most_cents
        case Amount():
            return kind.cents
        case Steps():
            return max((off for _, off in kind.steps), default=0)
        case Gift():
            return kind.worth_cents


def spread(off_cents: int, lines_cents: Sequence[int]) -> list[int]:
    """Share what is taken off the goods among an order's lines, by their worth, to the cent.

    The shares add up to it exactly, and none is more than its line; so what is given back for
    returned lines is exact, too. What is left over goes to the largest remainders.

    >>> spread(100, [333, 333, 334])
    [33, 33, 34]
    """
    total = sum(lines_cents)
    off_cents = max(0, min(off_cents, total))
    if not off_cents:
        return [0] * len(lines_cents)
    shares = [off_cents * line // total for line in lines_cents]
    places = sorted(
        range(len(lines_cents)), key=lambda at: (-(off_cents * lines_cents[at] % total), at)
    )
    for at in places[: off_cents - sum(shares)]:
        shares[at] += 1
    return shares
