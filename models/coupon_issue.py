"""Makes the coupon that an offer of the playbook promises: code, terms, and the opening word.

The code of a customer's own coupon comes from the partition's counter of coupons
(models/partition_clock.py), so a replay gives the same; a shared one from offer and edition, so
every partition gives the same.
"""

from typing import NamedTuple

import xxhash

from models.coupon_codes import CODES, PARTITIONS_AT_MOST, code_of, serial_of
from models.coupon_words import CouponWord
from models.coupons import Issued, Sharing, Terms
from models.discounts import Amount, FreeShipping, Gift, Kind, Percent, Steps, worst_cents
from models.playbook import offer as playbook

_WHOLE = 10_000
_OWN_CODES = serial_of(PARTITIONS_AT_MOST - 1, 0) + serial_of(1, 0)
_SHARED = "shared"
_GIVE_BACK = "give_back"


class Given(NamedTuple):
    """A coupon: what the message says (models/coupon_codes.py spells it), and the effect."""

    code: str
    until_ms: int
    word: CouponWord


class Issue(NamedTuple):
    """Of which offer of which edition for whom, when, by which action, in the shop's currency."""

    offer: str
    edition: int
    owner: str
    at_ms: int
    action_id: str = ""
    currency: str = ""


def issue(secret: bytes, partition: int, count: int, terms: playbook.Offer, wish: Issue) -> Given:
    """Give a coupon; `count` is how many this partition gave before (a shared one counts, too)."""
    until_ms = wish.at_ms + terms.valid_ms
    is_shared = terms.code == _SHARED
    serial = shared_serial(wish.offer, wish.edition) if is_shared else serial_of(partition, count)
    code = code_of(secret, serial)
    event = Issued(wish.at_ms, terms_of(wish, terms, until_ms))
    return Given(code, until_ms, CouponWord(key=code, event=event, action_id=wish.action_id))


def shared_serial(offer: str, edition: int) -> int:
    """Give the serial of an edition's shared code, beyond those of the customers' own.

    >>> shared_serial("spring", 3) == shared_serial("spring", 3) != shared_serial("spring", 4)
    True
    """
    name = f"{offer}\x00{edition}".encode()
    return _OWN_CODES + xxhash.xxh3_64_intdigest(name) % (CODES - _OWN_CODES)


def terms_of(wish: Issue, offer: playbook.Offer, until_ms: int) -> Terms:
    """Put an offer's terms as its coupon keeps them."""
    sharing = Sharing.NOT
    if offer.code == _SHARED:
        sharing = Sharing.GIVEN if offer.owner_only else Sharing.ANYONE
    # A share of a shared code is one customer's even where others may take theirs unasked.
    is_owned = offer.owner_only or sharing is not Sharing.NOT
    return Terms(
        offer=wish.offer,
        kind=kind_of(offer),
        owner=wish.owner if is_owned else "",
        expires_ms=until_ms,
        stackable=offer.stackable,
        gives_back=offer.after_refund == _GIVE_BACK,
        sharing=sharing,
        currency=wish.currency,
    )


def kind_of(offer: playbook.Offer) -> Kind:
    """What an offer takes off."""
    least_cents = offer.min_order_cents
    match offer:
        case playbook.PercentOff():
            return Percent(round(offer.percent * _WHOLE), least_spend_cents=least_cents)
        case playbook.AmountOff():
            return Amount(offer.amount_cents, least_cents)
        case playbook.SaveBySteps():
            return Steps(
                tuple(
                    (max(step.spend_cents, least_cents), step.save_cents)
                    for step in offer.spend_and_save
                )
            )
        case playbook.Gift():
            return Gift(offer.gift, least_spend_cents=least_cents)
        case playbook.FreeShipping():
            return FreeShipping(least_spend_cents=least_cents)


def cost_cents(offer: playbook.Offer) -> int | None:
    """The most that a coupon of this offer can cost; None where nothing limits it."""
    return worst_cents(kind_of(offer))
