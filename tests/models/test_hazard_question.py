"""Questions asked on their own dates, and their known answers."""

from array import array

import pytest

from models.customer import Customer, find_timer
from models.hazard import FEATURES, features_of
from models.hazard_question import FIRST_WAIT_DAYS, HORIZON_MS, NAME
from tests.builders import (
    DAY,
    START_MS,
    cancelled,
    fire_due,
    lessons_in,
    order,
    snapshot,
    step_all,
    view_at,
    viewed,
)


def asked(day: int = 8) -> Customer:
    """A customer with one order, of whom the first question was asked `day` days later."""
    customer = Customer()
    step_all(customer, order("o1"))
    fire_due(customer, START_MS + day * DAY)
    assert customer.question is not None
    return customer


@pytest.mark.parametrize("second", range(FIRST_WAIT_DAYS))
def test_the_first_question_comes_one_to_seven_days_after_the_first_order(second: int) -> None:
    customer = Customer()
    at_ms = START_MS + second * 1_000
    step_all(customer, order("o1", at_ms=at_ms))
    timer = find_timer(customer, NAME)
    assert timer is not None
    days, rest_ms = divmod(timer.due_ms - at_ms, DAY)
    assert rest_ms == 0
    assert days == 1 + at_ms // 1_000 % FIRST_WAIT_DAYS


def test_a_look_asks_nothing() -> None:
    customer = Customer()
    step_all(customer, viewed())
    assert find_timer(customer, NAME) is None


def test_a_question_keeps_what_was_known_and_foretold() -> None:
    customer = Customer()
    view = view_at()
    view.hazard = snapshot(version=3)
    step_all(customer, order("o1"), view=view)
    fire_due(customer, START_MS + 8 * DAY, view)
    question = customer.question
    assert question is not None
    kept = array("f", question.features)
    assert len(kept) == len(FEATURES)
    assert tuple(kept) == pytest.approx(features_of(customer, question.asked_at_ms))
    assert (question.foretold, question.version) == (0.5, 3)


@pytest.mark.parametrize(
    ("after_ms", "bought"),
    [(0, False), (1, True), (5 * DAY, True), (HORIZON_MS, True), (HORIZON_MS + 1, False)],
)
def test_an_order_within_the_horizon_answers_yes(after_ms: int, bought: bool) -> None:
    customer = asked()
    question = customer.question
    assert question is not None
    step_all(customer, order("o2", at_ms=question.asked_at_ms + after_ms))
    (lesson,) = lessons_in(fire_due(customer, question.asked_at_ms + HORIZON_MS + 1))
    assert lesson.bought is bought


def test_an_order_that_is_cancelled_again_answers_no() -> None:
    customer = asked()
    step_all(customer, order("o2", at_ms=START_MS + 10 * DAY), cancelled("o2"))
    (lesson,) = lessons_in(fire_due(customer, START_MS + 40 * DAY))
    assert not lesson.bought


def test_one_of_two_orders_cancelled_leaves_the_yes() -> None:
    customer = asked()
    at_ms = START_MS + 10 * DAY
    step_all(customer, order("o2", at_ms=at_ms), order("o3", at_ms=at_ms), cancelled("o2"))
    (lesson,) = lessons_in(fire_due(customer, START_MS + 40 * DAY))
    assert lesson.bought


def test_a_lesson_is_given_after_the_horizon_and_the_next_question_asked() -> None:
    customer = asked()
    question = customer.question
    assert question is not None
    due_ms = question.asked_at_ms + HORIZON_MS
    assert lessons_in(fire_due(customer, due_ms - 1)) == []
    (lesson,) = lessons_in(fire_due(customer, due_ms))
    assert lesson.asked_at_ms == question.asked_at_ms
    assert array("f", lesson.features).tobytes() == question.features
    assert lesson.day == due_ms // DAY
    assert customer.question is not None
    assert customer.question.asked_at_ms == due_ms


def test_who_has_no_order_left_is_asked_no_more() -> None:
    customer = asked()
    step_all(customer, cancelled("o1"))
    (lesson,) = lessons_in(fire_due(customer, START_MS + 90 * DAY))
    assert not lesson.bought
    assert (customer.question, find_timer(customer, NAME)) == (None, None)
    step_all(customer, order("o2", at_ms=START_MS + 100 * DAY))
    assert find_timer(customer, NAME) is not None


def test_many_orders_meanwhile_still_answer_yes() -> None:
    customer = asked()
    step_all(customer, *(order(f"m{n}", at_ms=START_MS + (9 + n) * DAY) for n in range(20)))
    (lesson,) = lessons_in(fire_due(customer, START_MS + 40 * DAY))
    assert lesson.bought
