"""Ask of every buyer at midnights of their own: will an order come? The answer is a lesson.

Questions come every 30 days or less, not at orders, so that silence is learned too; the phase is
spread over customers by their first order's time. One question is answered once for each horizon,
as soon as that is over, so several are open at once. Days are the unit: whether and how often a
customer ordered stands in the daybook, cancelled orders taken out, late ones put in.
"""

import struct
from typing import NamedTuple

from models import daybook
from models.clock import DAY_MS, day_of
from models.customer import Customer, Timer, find_timer
from models.effects import HazardLesson
from models.hazard import FEATURES, features_of, foretell
from models.view import View

NAME = "hazard_question"
ASKED_EVERY_DAYS = 30
FIRST_WAIT_DAYS = 7
OPEN_AT_MOST = 12
_PACKED = struct.Struct(f"<H{len(FEATURES)}B")
# Features are kept as tenths: what is rounded off is a thirtieth of what sets customers apart. All
# begin at zero but the closed form.
_TENTHS = 10.0
_BEGIN = tuple(-10.0 if name == "closed_form" else 0.0 for name in FEATURES)
_NO_DAYS = 1 << 16


class Asked(NamedTuple):
    """What was known at the beginning of `day`."""

    day: int
    features: tuple[float, ...]


def interval_days(horizons_days: tuple[int, ...]) -> int:
    """Days from question to question: such that the shortest horizon ends with one.

    >>> interval_days((30, 60, 90)), interval_days((60,)), interval_days((7,)), interval_days((45,))
    (30, 30, 7, 23)
    """
    shortest = horizons_days[0]
    return -(-shortest // -(-shortest // ASKED_EVERY_DAYS))


def on_order(customer: Customer, at_ms: int) -> None:
    """Begin to ask at the first order."""
    if customer.orders > 0 and find_timer(customer, NAME) is None:
        spread_days = customer.first_order_ms // 1000 % FIRST_WAIT_DAYS
        customer.timers.append(Timer(NAME, "", (day_of(at_ms) + 1 + spread_days) * DAY_MS))


def on_timer(token: str, customer: Customer, view: View) -> list[HazardLesson]:
    """Give what is known now as lessons, ask again, and come back after the interval."""
    snapshot, today = view.hazard, day_of(view.now_ms)
    horizons_days = snapshot.horizons_days
    every_days = interval_days(horizons_days)
    open_questions = questions_of(customer)
    lessons = [
        _lesson(token, customer, asked, place, view)
        for asked in open_questions
        for place, horizon_days in enumerate(horizons_days)
        # It ended since the questions before these were asked.
        if horizon_days <= today - asked.day < horizon_days + every_days
    ]
    kept = [asked for asked in open_questions if today - asked.day < horizons_days[-1]]
    if customer.orders > 0:
        kept.append(Asked(today, features_of(customer, view.now_ms, snapshot.gap_days)))
        customer.timers.append(Timer(NAME, "", (today + every_days) * DAY_MS))
    customer.questions = b"".join(map(pack, kept[-OPEN_AT_MOST:]))
    customer.question = None
    return lessons


def pack(asked: Asked) -> bytes:
    """A byte a feature; what is out of its reach is held at the end."""
    tenths = (
        round((feature - begin) * _TENTHS)
        for feature, begin in zip(asked.features, _BEGIN, strict=True)
    )
    return _PACKED.pack(asked.day % _NO_DAYS, *(min(max(one, 0), 255) for one in tenths))


def questions_of(customer: Customer) -> list[Asked]:
    """Questions that are open, oldest first."""
    return [
        Asked(day, tuple(one / _TENTHS + begin for one, begin in zip(tenths, _BEGIN, strict=True)))
        for day, *tenths in _PACKED.iter_unpack(customer.questions)
    ]


def _lesson(token: str, customer: Customer, asked: Asked, place: int, view: View) -> HazardLesson:
    horizon_days = view.hazard.horizons_days[place]
    orders = daybook.orders_between(customer.daybook, asked.day, asked.day + horizon_days - 1)
    # The model in use has not learned this lesson, though it may be newer than the question.
    foretold = foretell(asked.features, view.hazard, place)
    return HazardLesson(
        partition=view.partition,
        day=day_of(view.now_ms),
        customer=token,
        asked_at_ms=asked.day * DAY_MS,
        features=asked.features,
        bought=orders > 0,
        foretold=foretold.hazard,
        foretold_version=foretold.version,
        horizon_days=horizon_days,
        orders=orders,
    )
