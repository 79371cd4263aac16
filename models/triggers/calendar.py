"""When a moment that only time brings comes next: dates, holidays, cadences, silences, refills.

Every answer is strictly later than `after_ms` and follows from the row as it is: whoever asks
again after a move or a corrected birthday gets the new moment. Days are those of the customer's
wall. `before` counts whole days on the wall, and what is left of it in hours.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import NamedTuple

from models.anniversary import LeapDay, Origin, Unread, birthday_of, next_anniversary, origin_at
from models.clock import DAY_MS, MINUTE_MS
from models.customer import Customer
from models.events import Line
from models.held_coupons import HeldCoupon
from models.holidays import Absent, market_of, next_before
from models.item_memory import SPOILT, Bought, bought, item_ref
from models.local_time import Zone, date_of, local_day, moment_of
from models.playbook.when import (
    MORNING_MINUTES,
    OnCadence,
    OnCouponEnding,
    OnCustomerDate,
    OnHoliday,
    OnReplenishment,
    OnSilence,
    When,
)
from models.triggers.places import ShopPlace

_LEAP_DAYS = {"feb_28": LeapDay.FEBRUARY_28, "mar_1": LeapDay.MARCH_1}
_ALL = "all"
_SECONDS_AT_MOST = 100_000_000_000
# 1990: what is before stands for "unknown".
_FIRST_SIGN_UP_MS = 631_152_000_000


class Due(NamedTuple):
    """When a rule looks at a customer, and about what; `occasion` is the same in every replay.

    Occasions: "birthday@2026" (once a year, however often the day is corrected), "2026-02-17" (a
    holiday's own day), "silence@" and the last order's time, "every@START#3" (the third beat),
    "refill@PRODUCT@" and the day of the last purchase.
    """

    at_ms: int
    occasion: str
    item: str = ""


def next_due(
    when: When, customer: Customer, shop: ShopPlace, after_ms: int, since_ms: int = 0
) -> Due | None:
    """Give the moment that comes next; None where none is known, or time alone brings none.

    `since_ms` is when a cadence's condition began to hold. Refills are asked for by product
    (`refill_due`), for a row knows its items by their hashes only.
    """
    if isinstance(when, OnCustomerDate):
        return _customer_date(when, customer, shop, after_ms)
    if isinstance(when, OnHoliday):
        return _holiday(when, customer, shop, after_ms)
    if isinstance(when, OnCadence):
        return _beat(when, shop.of(customer).zone, after_ms, since_ms) if since_ms else None
    if isinstance(when, OnSilence):
        return _silence(when, customer, after_ms)
    return None


def _customer_date(
    when: OnCustomerDate, customer: Customer, shop: ShopPlace, after_ms: int
) -> Due | None:
    zone = shop.of(customer).zone
    origin = _origin_of(when.date_of, customer, zone, after_ms)
    if origin is None:
        return None
    days, rest_ms = divmod(when.before_ms, DAY_MS)
    found = next_anniversary(
        origin, zone, after_ms + rest_ms, when.at_minutes, days, _LEAP_DAYS[when.leap_day]
    )
    return Due(found.at_ms - rest_ms, f"{when.date_of}@{found.year}")


def _origin_of(which: str, customer: Customer, zone: Zone, now_ms: int) -> Origin | None:
    if which == "birthday":
        found = birthday_of(customer.traits.get("birthday"), zone, now_ms)
        return None if isinstance(found, Unread) else found
    if which == "sign_up":
        return _sign_up_of(customer, zone, now_ms) if customer.known else None
    return origin_at(zone, customer.first_order_ms) if customer.orders > 0 else None


def _sign_up_of(customer: Customer, zone: Zone, now_ms: int) -> Origin | None:
    """Give the day the account was made, as the shop says; else that it was first seen."""
    said = _time_in(customer.traits.get("created_at"))
    if said is not None and said.tzinfo is None:
        # A time without a zone: the day as it is written.
        if _FIRST_SIGN_UP_MS <= said.replace(tzinfo=UTC).timestamp() * 1_000 <= now_ms:
            return Origin(said.year, said.month, said.day)
    elif said is not None:
        at_ms = int(said.timestamp() * 1_000)
        if _FIRST_SIGN_UP_MS <= at_ms <= now_ms:
            return origin_at(zone, at_ms)
    return origin_at(zone, customer.first_seen_ms) if customer.first_seen_ms else None


def _time_in(value: object) -> datetime | None:
    """Read a time as Segment's traits hold it: ISO 8601, seconds or milliseconds."""
    try:
        if type(value) is int or type(value) is float:
            seconds = value / 1_000 if abs(value) >= _SECONDS_AT_MOST else value
            return datetime.fromtimestamp(seconds, UTC)
        return datetime.fromisoformat(value.strip()) if isinstance(value, str) else None
    except (ValueError, OverflowError, OSError):
        return None


def _holiday(when: OnHoliday, customer: Customer, shop: ShopPlace, after_ms: int) -> Due | None:
    """Give the first of several; two that fall on one day are one occasion.

    A holiday is on the day on which the customer's own country keeps it, unless the rule names
    one; who lives where it is not kept has none. The shop's own calendars are everybody's.
    """
    zone = shop.of(customer).zone
    days, rest_ms = divmod(when.before_ms, DAY_MS)
    market = when.country or market_of(customer.traits.get("country"), shop.country)
    asked_ms = after_ms + rest_ms
    coming: list[tuple[int, int]] = []
    for name in when.holiday:
        own = shop.calendars.get(name)
        if own is not None:
            coming += _of_calendar(own, zone, asked_ms, when.at_minutes, days)
            continue
        found = next_before(name, market, zone, asked_ms, when.at_minutes, days)
        if not isinstance(found, Absent):
            coming.append((found.at_ms, found.day))
    if not coming:
        return None
    at_ms, day = min(coming)
    return Due(at_ms - rest_ms, date_of(day).isoformat())


def _of_calendar(
    own: tuple[int, ...], zone: Zone, after_ms: int, minute: int, days_before: int
) -> list[tuple[int, int]]:
    for day in own:
        at_ms = moment_of(zone, day - days_before, minute)
        if at_ms > after_ms:
            return [(at_ms, day)]
    return []


def _beat(when: OnCadence, zone: Zone, after_ms: int, since_ms: int) -> Due:
    """Give the next beat; the first comes one period after the start.

    Whole days are days on the wall at `at`; any other period is counted from the start.
    """
    days, rest_ms = divmod(when.every_ms, DAY_MS)
    if rest_ms or not days:
        number = max((after_ms - since_ms) // when.every_ms + 1, 1)
        return Due(since_ms + number * when.every_ms, f"every@{since_ms}#{number}")
    first_day = local_day(zone, since_ms)
    number = max((local_day(zone, after_ms) - first_day) // days, 1)
    while True:
        at_ms = moment_of(zone, first_day + number * days, when.at_minutes)
        if at_ms > after_ms:
            return Due(at_ms, f"every@{since_ms}#{number}")
        number += 1


def _silence(when: OnSilence, customer: Customer, after_ms: int) -> Due | None:
    if customer.orders <= 0:
        return None
    last_ms = customer.last_order_ms
    at_ms = last_ms + when.silence_ms
    if at_ms <= after_ms:
        return None
    orders = [one for one in customer.recent_orders if one.at_ms == last_ms and not one.cancelled]
    return Due(at_ms, f"silence@{last_ms}", f"{orders[-1].ref:016x}" if orders else "")


def refills(
    when: OnReplenishment,
    customer: Customer,
    shop: ShopPlace,
    lines: Iterable[Line],
    after_ms: int,
) -> list[Due]:
    """When the products of an order that was just folded will be used up, the soonest first."""
    asked = {one.product_id for one in lines if one.product_id and _is_asked_for(when, one)}
    found = [refill_due(when, customer, shop, product_id, after_ms) for product_id in asked]
    return sorted(one for one in found if one is not None)


def _is_asked_for(when: OnReplenishment, line: Line) -> bool:
    return _ALL in when.replenishment or line.category in when.replenishment


def refill_due(
    when: OnReplenishment, customer: Customer, shop: ShopPlace, product_id: str, after_ms: int
) -> Due | None:
    """When a product will be used up, by the customer's own mean days between purchases of it.

    None below two days of purchase, for what turned out bad, and once the moment is over.
    """
    record = bought(customer.items, item_ref(product_id))
    if record is None or record.marks & SPOILT:
        return None
    interval_days = _interval_days(record)
    if interval_days <= 0:
        return None
    zone = shop.of(customer).zone
    before_days, rest_ms = divmod(when.before_ms, DAY_MS)
    due_day = record.last_day + interval_days - before_days
    # Of one order many are due on one day: not all in one millisecond.
    at_ms = moment_of(zone, due_day, MORNING_MINUTES) - rest_ms + item_ref(product_id) % MINUTE_MS
    if at_ms <= after_ms:
        return None
    return Due(at_ms, f"refill@{product_id}@{record.last_day}", product_id)


def coupon_due(when: OnCouponEnding, coupon: HeldCoupon, after_ms: int) -> Due | None:
    """When a coupon is to be reminded of; None for others than are asked for, and once it is over.

    Its occasion is "CODE@" and its end: one that was given again is reminded of again.
    """
    at_ms = coupon.until_ms - when.before_ms
    if not coupon.until_ms or at_ms <= after_ms:
        return None
    if _ALL not in when.coupon_expires and coupon.offer not in when.coupon_expires:
        return None
    if coupon.until_ms - coupon.given_ms < when.good_for_ms:
        return None
    return Due(at_ms, f"{coupon.code}@{coupon.until_ms}", coupon.code)


def _interval_days(record: Bought) -> int:
    """Whole days, rounded; 0 where no interval is known."""
    if record.times < 2:
        return 0
    return round((record.last_day - record.first_day) / (record.times - 1))
