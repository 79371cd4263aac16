"""Ask of every buyer, once per horizon: will an order come? The known answer is a lesson.

Questions are asked at times of their own, not at orders, so that silence is learned too; the phase
is spread over customers by their first order's time.
"""

from array import array

from models.clock import DAY_MS, day_of
from models.customer import Customer, Question, Timer, find_timer
from models.effects import HazardLesson
from models.hazard import HORIZON_DAYS, features_of, foretell
from models.view import View

NAME = "hazard_question"
HORIZON_MS = HORIZON_DAYS * DAY_MS
FIRST_WAIT_DAYS = 7


def on_order(customer: Customer, at_ms: int) -> None:
    """Answer the open question anew, an order came or went; begin to ask at the first order."""
    question = customer.question
    if question is not None:
        asked = question.asked_at_ms
        question.bought = any(
            asked < order.at_ms <= asked + HORIZON_MS and not order.cancelled
            for order in reversed(customer.recent_orders)
        )
    elif customer.orders > 0 and find_timer(customer, NAME) is None:
        spread_days = customer.first_order_ms // 1000 % FIRST_WAIT_DAYS
        customer.timers.append(Timer(NAME, "", at_ms + (1 + spread_days) * DAY_MS))


def on_timer(token: str, customer: Customer, view: View) -> list[HazardLesson]:
    """Give the matured answer as a lesson, ask again, and come back after the horizon."""
    lessons = []
    question, now_ms = customer.question, view.now_ms
    if question is not None:
        lessons.append(
            HazardLesson(
                partition=view.partition,
                day=day_of(now_ms),
                customer=token,
                asked_at_ms=question.asked_at_ms,
                features=tuple(array("f", question.features)),
                bought=question.bought,
                foretold=question.foretold,
                foretold_version=question.version,
            )
        )
        customer.question = None
    if customer.orders > 0:
        features = features_of(customer, now_ms)
        foretold = foretell(features, view.hazard)
        customer.question = Question(now_ms, array("f", features).tobytes(), *foretold)
        customer.hazard, customer.hazard_version = foretold
        customer.timers.append(Timer(NAME, "", now_ms + HORIZON_MS))
    return lessons
