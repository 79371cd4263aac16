"""The life of one coupon, a fold over what happens to its code, in the order of the log.

Issued once; redeemed by one order at most at a time, the first in the log, however many tills ask
and repeat; given back when that order is refunded, if the shop's policy says so; over by expiry or
revocation. A repeated request gets its first answer: an order's redemption as long as the coupon
lives, a refusal among the last ones that are remembered.

What a coupon says of money is in its own currency, and an order in another one does not redeem it.
What says nothing of money (a plain share, all of the shipping, a gift) is taken off in the order's.
"""

from enum import Enum
from typing import NamedTuple

import msgspec
import xxhash

from models.clock import DAY_MS
from models.discounts import (
    Basket,
    Discount,
    Gift,
    Kind,
    discount,
    names_amounts,
    worst_cents,
)

ANSWERS_KEPT = 16
GIVEN_BACK_AT_MOST = 4


class Status(Enum):
    """Where a coupon stands."""

    UNKNOWN = "unknown"
    ISSUED = "issued"
    REDEEMED = "redeemed"
    EXPIRED = "expired"
    REVOKED = "revoked"


class Outcome(Enum):
    """What came of an event."""

    ISSUED = "issued"
    REDEEMED = "redeemed"
    # The order has it no longer; whether it is good again is in its status.
    GIVEN_BACK = "given back"
    EXPIRED = "expired"
    REVOKED = "revoked"
    NOTHING = "nothing to do"
    TAKEN = "the code is another coupon's"
    UNKNOWN = "there is no such coupon"
    ALREADY_REDEEMED = "another order has redeemed it"
    NOT_YOURS = "it is another customer's"
    NOT_WITH_OTHERS = "it can't be combined with other coupons"
    OTHER_CURRENCY = "it is in another currency than the order"
    TOO_LITTLE_SPENT = "too little is spent"
    NOTHING_TO_TAKE_OFF = "it would take nothing off"
    ORDER_OVER = "the order that redeemed it is refunded or cancelled"
    KEPT = "it is not given back"


class Sharing(Enum):
    """Whether many customers have the same code (models/coupon_desk.py)."""

    NOT = ""
    # Each to whom it is given may redeem it once.
    GIVEN = "given"
    # Whoever has it may, once.
    ANYONE = "anyone"


class Terms(msgspec.Struct, array_like=True, frozen=True):
    """What a coupon promises; `expires_ms` 0: never, `owner` empty: good for whoever has it.

    `grace_days`: how long it is good at least after it was given back. `currency` empty: not known,
    as of coupons from before it was kept; then no order's is another one.
    """

    offer: str
    kind: Kind
    owner: str = ""
    expires_ms: int = 0
    stackable: bool = False
    gives_back: bool = True
    grace_days: int = 0
    step_cents: int = 1
    sharing: Sharing = Sharing.NOT
    currency: str = ""


class Answer(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A refusal that is remembered; `ref` names the request."""

    ref: int
    outcome: Outcome


class Coupon(msgspec.Struct, array_like=True, frozen=True):
    """One coupon; `order` is the hash of the id of the order that has it redeemed.

    `currency` is the one in which it was taken off, where that is not the coupon's own.
    """

    status: Status = Status.UNKNOWN
    terms: Terms | None = None
    issued_ms: int = 0
    expires_ms: int = 0
    order: int = 0
    redeemed_ms: int = 0
    goods_cents: int = 0
    shipping_cents: int = 0
    revoked: bool = False
    orders_over: tuple[int, ...] = ()
    answers: tuple[Answer, ...] = ()
    currency: str = ""


class Issued(msgspec.Struct, frozen=True, tag_field="kind", tag="issued"):
    """A coupon is given out, or a shop's own taken in."""

    at_ms: int
    terms: Terms


class RedemptionAsked(msgspec.Struct, frozen=True, tag_field="kind", tag="redemption_asked"):
    """A till or an order wants to redeem it; `id` is the same when the request is repeated.

    `names` are all tokens of the customer, the present one and merged ones; `with_others` says
    that the order has another coupon, too. `currency` is the order's, empty: the coupon's own.
    """

    at_ms: int
    id: str
    order_id: str
    basket: Basket
    names: tuple[str, ...] = ()
    with_others: bool = False
    currency: str = ""


class OrderVoided(msgspec.Struct, frozen=True, tag_field="kind", tag="order_voided"):
    """An order is cancelled or refunded; only one that is so as a whole gives a coupon back."""

    at_ms: int
    order_id: str
    whole: bool = True


class Revoked(msgspec.Struct, frozen=True, tag_field="kind", tag="revoked"):
    """The shop takes it back."""

    at_ms: int


class TimePassed(msgspec.Struct, frozen=True, tag_field="kind", tag="time_passed"):
    """The log's time has come to `at_ms`."""

    at_ms: int


CouponEvent = Issued | RedemptionAsked | OrderVoided | Revoked | TimePassed


class Verdict(NamedTuple):
    """What came of an event; `repeated` says that it is an answer given before."""

    outcome: Outcome
    discount: Discount = Discount()
    repeated: bool = False


def fold(coupon: Coupon, event: CouponEvent) -> tuple[Coupon, Verdict]:
    """Let something happen to a coupon.

    >>> from models.discounts import Amount
    >>> terms = Terms("welcome", Amount(500))
    >>> coupon, _ = fold(Coupon(), Issued(1, terms))
    >>> coupon, verdict = fold(coupon, RedemptionAsked(2, "r1", "o1", Basket(2_000)))
    >>> verdict.outcome, verdict.discount.goods_cents
    (<Outcome.REDEEMED: 'redeemed'>, 500)
    >>> fold(coupon, RedemptionAsked(3, "r2", "o2", Basket(2_000)))[1].outcome.name
    'ALREADY_REDEEMED'
    """
    coupon = _aged(coupon, event.at_ms)
    match event:
        case Issued():
            return _issue(coupon, event)
        case RedemptionAsked():
            return _redeem(coupon, event)
        case OrderVoided():
            return _void(coupon, event)
        case Revoked():
            return _revoke(coupon)
        case TimePassed():
            ended = coupon.status is Status.EXPIRED
            return coupon, Verdict(Outcome.EXPIRED if ended else Outcome.NOTHING)


def _aged(coupon: Coupon, at_ms: int) -> Coupon:
    if coupon.status is Status.ISSUED and 0 < coupon.expires_ms <= at_ms:
        return msgspec.structs.replace(coupon, status=Status.EXPIRED)
    return coupon


def status_at(coupon: Coupon, at_ms: int) -> Status:
    """Where it stands at a time, also where nothing has told it of that time yet."""
    return _aged(coupon, at_ms).status


def _issue(coupon: Coupon, event: Issued) -> tuple[Coupon, Verdict]:
    if coupon.terms is not None:
        is_same = _are_same(coupon.terms, event.terms)
        return coupon, Verdict(Outcome.ISSUED if is_same else Outcome.TAKEN, repeated=is_same)
    fresh = Coupon(Status.ISSUED, event.terms, event.at_ms, event.terms.expires_ms)
    return _aged(fresh, event.at_ms), Verdict(Outcome.ISSUED)


def _are_same(terms: Terms, others: Terms) -> bool:
    """Whether both promise the same; a currency that one of them does not know is no difference."""
    if not (terms.currency and others.currency):
        others = msgspec.structs.replace(others, currency=terms.currency)
    return terms == others


def _redeem(coupon: Coupon, event: RedemptionAsked) -> tuple[Coupon, Verdict]:
    order, request = _ref(event.order_id), _ref(event.id)
    if coupon.status is Status.REDEEMED and coupon.order == order:
        return coupon, Verdict(Outcome.REDEEMED, _taken_off(coupon), repeated=True)
    for answer in coupon.answers:
        if answer.ref == request:
            return coupon, Verdict(answer.outcome, repeated=True)
    terms = coupon.terms
    refusal = _refusal(coupon, event, order)
    taken = None if terms is None else _off(terms, event)
    if refusal is None and taken is None:
        refusal = Outcome.TOO_LITTLE_SPENT
    if refusal is None and taken == Discount():
        # Redeemed it would be used up, and the customer had nothing of it.
        refusal = Outcome.NOTHING_TO_TAKE_OFF
    if refusal is not None or taken is None or terms is None:
        return _refused(coupon, request, refusal or Outcome.UNKNOWN)
    redeemed = msgspec.structs.replace(
        coupon,
        status=Status.REDEEMED,
        order=order,
        redeemed_ms=event.at_ms,
        goods_cents=taken.goods_cents,
        shipping_cents=taken.shipping_cents,
        currency=_currency_off(terms, event),
    )
    return redeemed, Verdict(Outcome.REDEEMED, taken)


def _off(terms: Terms, event: RedemptionAsked) -> Discount | None:
    # Prices in another currency have other smallest coins.
    step_cents = 1 if _is_foreign(terms, event) else terms.step_cents
    return discount(terms.kind, event.basket, step_cents)


def _is_foreign(terms: Terms, event: RedemptionAsked) -> bool:
    """Whether both currencies are known, and differ."""
    return bool(terms.currency and event.currency) and terms.currency != event.currency


def _currency_off(terms: Terms, event: RedemptionAsked) -> str:
    """In which currency the order has it; empty: in the coupon's own, as a gift's worth is told."""
    kind = terms.kind
    if names_amounts(kind) or isinstance(kind, Gift) or event.currency == terms.currency:
        return ""
    return event.currency


def _refusal(coupon: Coupon, event: RedemptionAsked, order: int) -> Outcome | None:
    """Why it can't be redeemed, whatever is spent."""
    terms = coupon.terms
    if terms is None:
        return Outcome.UNKNOWN
    if order in coupon.orders_over:
        return Outcome.ORDER_OVER
    if coupon.status is not Status.ISSUED:
        return _STANDING_IN_THE_WAY[coupon.status]
    if terms.owner and terms.owner not in event.names:
        return Outcome.NOT_YOURS
    if event.with_others and not terms.stackable:
        return Outcome.NOT_WITH_OTHERS
    if names_amounts(terms.kind) and _is_foreign(terms, event):
        return Outcome.OTHER_CURRENCY
    return None


_STANDING_IN_THE_WAY = {
    Status.UNKNOWN: Outcome.UNKNOWN,
    Status.REDEEMED: Outcome.ALREADY_REDEEMED,
    Status.EXPIRED: Outcome.EXPIRED,
    Status.REVOKED: Outcome.REVOKED,
}


def _refused(coupon: Coupon, request: int, outcome: Outcome) -> tuple[Coupon, Verdict]:
    # Of a code that was never issued nothing is kept: who guesses must not fill the table.
    if coupon.terms is None:
        return coupon, Verdict(outcome)
    answers = (*coupon.answers, Answer(request, outcome))[-ANSWERS_KEPT:]
    return msgspec.structs.replace(coupon, answers=answers), Verdict(outcome)


def _void(coupon: Coupon, event: OrderVoided) -> tuple[Coupon, Verdict]:
    order, terms = _ref(event.order_id), coupon.terms
    if order in coupon.orders_over:
        return coupon, Verdict(Outcome.GIVEN_BACK, repeated=True)
    if terms is None or coupon.status is not Status.REDEEMED or coupon.order != order:
        return coupon, Verdict(Outcome.NOTHING)
    if not event.whole or not terms.gives_back or len(coupon.orders_over) >= GIVEN_BACK_AT_MOST:
        return coupon, Verdict(Outcome.KEPT)
    expires_ms = coupon.expires_ms
    if expires_ms:
        expires_ms = max(expires_ms, event.at_ms + terms.grace_days * DAY_MS)
    back = msgspec.structs.replace(
        coupon,
        status=Status.REVOKED if coupon.revoked else Status.ISSUED,
        expires_ms=expires_ms,
        order=0,
        redeemed_ms=0,
        goods_cents=0,
        shipping_cents=0,
        currency="",
        orders_over=(*coupon.orders_over, order),
    )
    return _aged(back, event.at_ms), Verdict(Outcome.GIVEN_BACK, _taken_off(coupon))


def _revoke(coupon: Coupon) -> tuple[Coupon, Verdict]:
    if coupon.status is Status.UNKNOWN:
        return coupon, Verdict(Outcome.UNKNOWN)
    if coupon.status is Status.EXPIRED:
        return coupon, Verdict(Outcome.EXPIRED)
    if coupon.status is Status.REDEEMED:
        # What an order has stays its own; but it is not given back to be used again.
        return msgspec.structs.replace(coupon, revoked=True), Verdict(Outcome.ALREADY_REDEEMED)
    repeated = coupon.status is Status.REVOKED
    revoked = msgspec.structs.replace(coupon, status=Status.REVOKED, revoked=True)
    return revoked, Verdict(Outcome.REVOKED, repeated=repeated)


def _taken_off(coupon: Coupon) -> Discount:
    kind = coupon.terms.kind if coupon.terms is not None else None
    gift = kind.product_id if isinstance(kind, Gift) else ""
    return Discount(coupon.goods_cents, coupon.shipping_cents, gift)


def _ref(name: str) -> int:
    """Name an order or a request in eight bytes, never 0."""
    return xxhash.xxh3_64_intdigest(name.encode("utf-8", "surrogatepass")) or 1


class Liability(NamedTuple):
    """Sums over coupons: what may yet be redeemed, and what became of the others.

    Cents are to be added up by currency (`currency_moved`), all else over all of them.

    `open_cents` is the most that the open ones can cost but for the `open_unlimited`, which
    nothing limits; `redeemed_cents` what redeemed ones took off, and their gifts' worth. Always
    issued = open + redeemed + expired + revoked.
    """

    issued: int = 0
    open: int = 0
    open_cents: int = 0
    open_unlimited: int = 0
    redeemed: int = 0
    redeemed_cents: int = 0
    expired: int = 0
    revoked: int = 0


def standing(coupon: Coupon) -> Liability:
    """What one coupon adds to the sums."""
    if coupon.terms is None:
        return Liability()
    kind = coupon.terms.kind
    worst = worst_cents(kind)
    is_open, is_redeemed = coupon.status is Status.ISSUED, coupon.status is Status.REDEEMED
    gift_cents = kind.worth_cents if isinstance(kind, Gift) and is_redeemed else 0
    return Liability(
        issued=1,
        open=int(is_open),
        open_cents=(worst or 0) if is_open else 0,
        open_unlimited=int(is_open and worst is None),
        redeemed=int(is_redeemed),
        redeemed_cents=coupon.goods_cents + coupon.shipping_cents + gift_cents,
        expired=int(coupon.status is Status.EXPIRED),
        revoked=int(coupon.status is Status.REVOKED),
    )


def currency_moved(before: Coupon, after: Coupon) -> str:
    """In which currency the cents of a change are, empty: not known; they are never of two.

    What is taken off in an order's currency was open without a limit, so with no cents.
    """
    own = after.terms.currency if after.terms is not None else ""
    return after.currency or before.currency or own


def change(before: Coupon, after: Coupon) -> Liability:
    """By how much the sums move when a coupon does; all changes add up to the sums."""
    pairs = zip(standing(before), standing(after), strict=True)
    return Liability(*(new - old for old, new in pairs))


def added(one: Liability, other: Liability) -> Liability:
    """Both sums together."""
    return Liability(*(a + b for a, b in zip(one, other, strict=True)))
