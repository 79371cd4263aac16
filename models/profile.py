"""The profile: what a row says about its customer, in words and numbers for people and programs.

Built from the row alone, so the profile sinks read the table's changelog and the worker sends
nothing twice. What depends on the moment (`silence_days`, windows) is as of `now_ms`, what was
foretold as of `hazard_at_ms`; times are milliseconds UTC, amounts cents.
"""

from typing import Any

from models import daybook
from models.clock import DAY_MS, day_of
from models.customer import Customer, Timer, mean_gap_days
from models.dormancy import by_days, silence_days
from models.hazard import HORIZON_DAYS, HORIZONS_DAYS, expected_days
from models.outlook import unpack, window_days
from models.triggers.notes import MOMENT, run_of
from models.triggers.runs import RUN
from models.triggers.standing import ABOUT

WINDOWS_DAYS = (30, 90, 365)
EXPECTED_OVER_DAYS = (90, 365)
SPENDING_EDGES_CENTS = (1_000, 3_000, 10_000)
SPENDING_WORDS = ("low", "middle", "high", "very high")


def profile_of(customer: Customer, now_ms: int) -> dict[str, Any]:
    """Everything the row knows, JSON-ready, personal fields still sealed (S3).

    Keys: see tests/models/test_profile.py, which holds one profile whole.
    """
    silence = silence_days(customer.last_order_ms, now_ms) if customer.orders else None
    return {
        "known": customer.known,
        "merged_into": customer.merged_into or None,
        "tier": customer.tier or "new",
        "tier_since_ms": customer.tier_since_ms,
        "tier_reason": customer.tier_reason,
        "dormancy": _dormancy(customer, now_ms),
        "dormancy_reason": _dormancy_reason(customer, now_ms),
        "cluster": None if customer.cluster < 0 else customer.cluster,
        "silence_days": silence,
        "first_seen_ms": customer.first_seen_ms,
        "last_seen_ms": customer.last_seen_ms,
        "events": customer.events,
        "orders": customer.orders,
        "value_cents": customer.value_cents,
        "currency": customer.currency,
        "first_order_ms": customer.first_order_ms or None,
        "last_order_ms": customer.last_order_ms or None,
        "cancelled_orders": customer.cancelled_orders,
        "refunded_cents": customer.refunded_cents,
        "mean_order_cents": customer.value_cents // customer.orders if customer.orders else None,
        "spending_power": _spending_power(customer),
        "mean_gap_days": mean_gap_days(customer),
        "windows": _windows(customer, now_ms),
        "hazard": customer.hazard if customer.orders else None,
        "hazard_version": customer.hazard_version,
        "hazard_horizon_days": HORIZON_DAYS,
        "hazard_at_ms": customer.hazard_at_ms,
        "next_order_expected_ms": _next_order_ms(customer),
        "outlook": _outlook(customer),
        "favourite_categories": _favourites(customer),
        "channels": customer.channels,
        "views": customer.views,
        "carts": customer.carts,
        "wishes": customer.wishes,
        "searches": customer.searches,
        "coupons": {
            "issued": customer.coupons_issued,
            "applied": customer.coupons_applied,
            "denied": customer.coupons_denied,
            "discount_cents": customer.discount_cents,
        },
        "service": _service(customer),
        "messages": [
            {
                "action_id": one.action_id,
                "rule": one.rule,
                "channel": one.channel,
                "status": one.status,
                "at_ms": one.at_ms,
            }
            for one in reversed(customer.messages)
        ],
        "messages_sent": customer.messages_sent,
        "messages_opened": customer.messages_opened,
        "messages_clicked": customer.messages_clicked,
        "unsubscribed": customer.unsubscribed,
        "recent": [
            {"type": one.type, "at_ms": one.at_ms, "what": one.what, "cents": one.cents}
            for one in reversed(customer.recent)
        ],
        "timers": [_timer_told(customer, one) for one in customer.timers],
        "traits": customer.traits,
        "lookup": customer.lookup,
        "sealed": customer.sealed,
    }


def _timer_told(customer: Customer, timer: Timer) -> dict[str, Any]:
    """Tell a timer by the rule that waits; "silences" and "holidays" look at all of that sort.

    `waits` says what a rule under way waits for (models/triggers/notes.py, Run).
    """
    rule, item, waits = timer.rule, timer.item, ""
    if rule == MOMENT:
        named, _, about = item.partition(ABOUT)
        rule, item = (named, about) if named else (about, "")
    elif rule == RUN and (run := run_of(customer.playbook, item)) is not None:
        rule, item, waits = run.rule, run.item, run.waits
    return {"rule": rule, "item": item, "due_ms": timer.due_ms, "waits": waits}


def _spending_power(customer: Customer) -> str | None:
    if customer.orders <= 0:
        return None
    mean_cents = customer.value_cents // customer.orders
    return SPENDING_WORDS[sum(mean_cents >= edge for edge in SPENDING_EDGES_CENTS)]


def _windows(customer: Customer, now_ms: int) -> dict[str, dict[str, int]]:
    today = day_of(max(now_ms, customer.last_order_ms))
    windows = {}
    for length_days in WINDOWS_DAYS:
        _, orders, value_cents = daybook.window(customer.daybook, today, length_days)
        windows[str(length_days)] = {"orders": orders, "value_cents": value_cents}
    return windows


def _next_order_ms(customer: Customer) -> int | None:
    if customer.orders <= 0:
        return None
    days = expected_days(customer.hazard)
    return None if days is None else customer.hazard_at_ms + int(days * DAY_MS)


def _dormancy(customer: Customer, now_ms: int) -> str | None:
    """State when last looked at; a timer looks when silence moves it (models/sleep_timer.py)."""
    if customer.orders <= 0:
        return None
    return customer.dormancy or by_days(customer.last_order_ms, now_ms).value


def _dormancy_reason(customer: Customer, now_ms: int) -> str | None:
    if customer.orders <= 0:
        return None
    silence = silence_days(customer.last_order_ms, now_ms)
    said = f"no order for {silence} days"
    gap = mean_gap_days(customer)
    if gap is not None:
        said += f", usually {gap:.0f} from order day to order day"
    if customer.outlook:
        hazard = unpack(customer.outlook, customer.hazard).hazards[-1]
        said += f"; an order within {HORIZONS_DAYS[-1]} days is {hazard:.0%} likely"
    return said


def _outlook(customer: Customer) -> dict[str, Any] | None:
    """What is to be expected: orders and their value in cents, when the next one, still there."""
    if not customer.outlook or customer.orders <= 0:
        return None
    outlook = unpack(customer.outlook, customer.hazard)
    mean_cents = customer.value_cents / customer.orders
    window = window_days(outlook.hazards, HORIZONS_DAYS)
    return {
        "hazards": {
            str(days): hazard for days, hazard in zip(HORIZONS_DAYS, outlook.hazards, strict=True)
        },
        "alive": outlook.alive,
        "next_order_window_ms": window
        and [customer.hazard_at_ms + int(days * DAY_MS) for days in window],
        "expected": {
            str(days): {
                "orders": outlook.orders_a_day * days,
                "value_cents": round(outlook.orders_a_day * days * mean_cents),
            }
            for days in EXPECTED_OVER_DAYS
        },
    }


def _favourites(customer: Customer) -> list[dict[str, Any]]:
    whole = sum(customer.categories.values())
    ranked = sorted(customer.categories.items(), key=lambda one: (-one[1], one[0]))
    return [
        {"category": name, "share": round(weight / whole, 4)}
        for name, weight in ranked[:5]
        if whole
    ]


def _service(customer: Customer) -> dict[str, Any]:
    service = customer.service
    return {
        "tickets_opened": service.opened,
        "tickets_answered": service.answered,
        "tickets_closed": service.closed,
        "tickets_open": len(service.open_tickets),
        "returns": service.returns,
        "mean_rating": service.rating_sum / service.ratings if service.ratings else None,
        "reviews": service.reviews,
        "mean_review": service.review_sum / service.reviews if service.reviews else None,
        "last_complaint_ms": service.last_complaint_ms or None,
    }
