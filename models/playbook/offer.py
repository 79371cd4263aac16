"""Offers: what a customer can be given, as a coupon, and on which terms."""

from typing import Annotated

from msgspec import field

from models.playbook.keys import Key, Part
from models.playbook.scalars import DURATION, FLAG, MONEY, SHARE, TEXT, one_of, whole

CODES = one_of("code", ("unique", "shared"))
REFUNDS = one_of("refund", ("keep", "give_back"))


class SpendAndSave(Part, frozen=True):
    """One step: spend so much, save so much."""

    spend_cents: Annotated[int, Key("Worth of the order at least.", MONEY)] = field(name="spend")
    save_cents: Annotated[int, Key("What is then taken off.", MONEY)] = field(name="save")


class Budget(Part, frozen=True):
    """What an offer may cost; beyond it is not given."""

    most_cents: Annotated[int | None, Key("Discounts given at most.", MONEY)] = field(
        name="most", default=None
    )
    coupons: Annotated[int | None, Key("Coupons given at most.", whole(0))] = None
    per_ms: Annotated[int | None, Key("Within this time; for good when left out.", DURATION)] = (
        field(name="per", default=None)
    )


class Terms(Part, frozen=True):
    """On which terms a coupon is good."""

    valid_ms: Annotated[int, Key("How long the coupon is good.", DURATION)] = field(
        name="valid_for", default=30 * 86_400_000
    )
    min_order_cents: Annotated[int, Key("Worth of the order at least.", MONEY)] = field(
        name="min_order", default=0
    )
    code: Annotated[str, Key("A code for each customer, or one for all.", CODES)] = "unique"
    owner_only: Annotated[bool, Key("Whether only who got it may redeem it.", FLAG)] = True
    stackable: Annotated[bool, Key("Whether it adds to other coupons.", FLAG)] = False
    after_refund: Annotated[
        str, Key("Whether a refund of the order gives the coupon back.", REFUNDS)
    ] = "keep"
    budget: Annotated[Budget | None, Key("What the offer may cost.")] = None
    description: Annotated[str, Key("The offer in words, for people who work here.", TEXT)] = ""


class PercentOff(Terms, frozen=True, kw_only=True):
    """A share of the price taken off."""

    percent: Annotated[float, Key("The share taken off.", SHARE)]


class AmountOff(Terms, frozen=True, kw_only=True):
    """An amount taken off."""

    amount_cents: Annotated[int, Key("The amount taken off.", MONEY)] = field(name="amount")


class SaveBySteps(Terms, frozen=True, kw_only=True):
    """The more is spent the more is saved."""

    spend_and_save: Annotated[tuple[SpendAndSave, ...], Key("Steps, the smallest first.")]


class Gift(Terms, frozen=True, kw_only=True):
    """A product for nothing."""

    gift: Annotated[str, Key("The product's number.", TEXT)]


class FreeShipping(Terms, frozen=True, kw_only=True):
    """No shipping costs."""

    free_shipping: Annotated[bool, Key("True.", FLAG)]


Offer = PercentOff | AmountOff | SaveBySteps | Gift | FreeShipping
