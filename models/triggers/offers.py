"""An offer for one customer: what it may cost, whether there is money for it, how it is told."""

from collections.abc import Mapping
from functools import lru_cache

from models import partition_budgets
from models.budget import Spending
from models.coupon_codes import read_code, spelled
from models.coupon_issue import Given, Issue, issue
from models.held_coupons import HeldCoupon
from models.local_time import date_of, local_day
from models.partition_budgets import Outcome
from models.partition_clock import next_coupon
from models.playbook.offer import (
    AmountOff,
    FreeShipping,
    Gift,
    Offer,
    PercentOff,
    SaveBySteps,
)
from models.triggers.moment import Moment

_TYPICAL_ORDER_CENTS = 5_000


def cost_cents(offer: Offer, order_cents: int) -> int:
    """What an offer costs with an order of that worth."""
    match offer:
        case PercentOff():
            return round(offer.percent * max(order_cents, offer.min_order_cents))
        case AmountOff():
            return offer.amount_cents
        case SaveBySteps():
            return max((step.save_cents for step in offer.spend_and_save), default=0)
        case _:
            return 0


def usual_order_cents(moment: Moment) -> int:
    """What this customer spends on an order; of new ones nothing is known."""
    customer = moment.customer
    if customer.orders > 0 and customer.value_cents > 0:
        return customer.value_cents // customer.orders
    return _TYPICAL_ORDER_CENTS


def told(moment: Moment, offer: Offer, coupon: str) -> dict[str, str | int | float]:
    """Put an offer into words that templates can name."""
    book = moment.book
    zone = book.place.of(moment.customer).zone
    until_day = local_day(zone, moment.now_ms + offer.valid_ms)
    return {
        "coupon": coupon,
        "coupon_until": date_of(until_day).isoformat(),
        **_terms_told(offer, book.minor_units, _currency(moment)),
    }


@lru_cache(maxsize=1_024)
def _terms_told(offer: Offer, units: int, currency: str) -> Mapping[str, str | int | float]:
    """Put into words what is the same for every customer."""
    variables: dict[str, str | int | float] = {
        "offer_min_order": _amount(offer.min_order_cents, units)
    }
    match offer:
        case PercentOff():
            variables["offer_percent"] = _number(offer.percent * 100)
        case AmountOff():
            variables["offer_amount"] = _amount(offer.amount_cents, units)
        case SaveBySteps():
            best = offer.spend_and_save[-1]
            variables["offer_amount"] = _amount(best.save_cents, units)
            variables["offer_spend"] = _amount(best.spend_cents, units)
        case Gift():
            variables["offer_gift"] = offer.gift
        case FreeShipping():
            pass
    if currency:
        variables["currency"] = currency
    return variables


def told_of(moment: Moment, coupon: HeldCoupon) -> dict[str, str | int | float]:
    """Put a coupon that the customer holds into words; its terms, where the playbook has them."""
    code = spelled(coupon.code) if read_code(coupon.code) else coupon.code
    offer = moment.book.book.offers.get(coupon.offer)
    variables: dict[str, str | int | float] = {"coupon": code}
    if offer is not None:
        variables = told(moment, offer, code)
    until_day = local_day(moment.book.place.of(moment.customer).zone, coupon.until_ms)
    variables["coupon_until"] = date_of(until_day).isoformat()
    return variables


def afford(moment: Moment, name: str, cents: int) -> Outcome:
    """Take an offer from its budget, if there is enough left, or ask for it."""
    terms = moment.book.book.offers[name].budget
    if terms is None:
        return Outcome(Spending.SPENT)
    found = partition_budgets.spend(moment.view, name, terms, cents, moment.now_ms)
    moment.effects.extend(found.words)
    return found


def given(moment: Moment, name: str, action_id: str) -> Given:
    """Make the coupon of an offer, this customer's own or one for all, and ask for its opening."""
    view = moment.view
    wish = Issue(
        name,
        view.playbook_version,
        moment.token,
        moment.now_ms,
        action_id,
        _currency(moment),
    )
    number = next_coupon(view.clock)
    return issue(view.coupon_key, view.partition, number, moment.book.book.offers[name], wish)


def _currency(moment: Moment) -> str:
    shop = moment.book.book.shop
    return shop.currency if shop else ""


def _amount(cents: int, units: int) -> str:
    return _number(cents / units)


def _number(value: float) -> str:
    return f"{round(value, 2):g}" if value < 1e6 else f"{value:.0f}"
