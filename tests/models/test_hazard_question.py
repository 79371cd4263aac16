"""Questions asked on their own dates, and their known answers."""

from math import exp

import pytest

from models.clock import DAY_MS, day_of
from models.customer import Customer, find_timer
from models.hazard import FEATURES, HORIZONS_DAYS, features_of
from models.hazard_question import (
    FIRST_WAIT_DAYS,
    NAME,
    Asked,
    interval_days,
    pack,
    questions_of,
)
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


def asked_at(customer: Customer) -> int:
    return questions_of(customer)[-1].day * DAY_MS


def asked(day: int = 8) -> Customer:
    """A customer with one order, of whom the first question was asked `day` days later."""
    customer = Customer()
    step_all(customer, order("o1"))
    fire_due(customer, START_MS + day * DAY)
    assert len(questions_of(customer)) == 1
    return customer


@pytest.mark.parametrize("second", range(FIRST_WAIT_DAYS))
def test_the_first_question_comes_at_a_midnight_within_eight_days(second: int) -> None:
    customer = Customer()
    at_ms = START_MS + second * 1_000
    step_all(customer, order("o1", at_ms=at_ms))
    timer = find_timer(customer, NAME)
    assert timer is not None
    days, rest_ms = divmod(timer.due_ms - START_MS, DAY)
    assert rest_ms == 0
    assert days == 1 + at_ms // 1_000 % FIRST_WAIT_DAYS


def test_a_look_asks_nothing() -> None:
    customer = Customer()
    step_all(customer, viewed())
    assert find_timer(customer, NAME) is None


def test_a_question_keeps_what_was_known() -> None:
    customer = asked()
    (question,) = questions_of(customer)
    known = features_of(customer, START_MS + 8 * DAY)
    assert len(question.features) == len(FEATURES)
    assert question.features == pytest.approx(known, abs=0.051)
    assert question.day == day_of(START_MS) + 8


def test_a_lesson_says_what_the_model_in_use_foretold() -> None:
    customer, view = asked(), view_at(hazard=snapshot(version=3, intercept=0.25))
    told = [
        lesson
        for days in HORIZONS_DAYS
        for lesson in lessons_in(fire_due(customer, START_MS + (8 + days) * DAY, view))
    ]
    assert {(one.foretold, one.foretold_version) for one in told} == {(1 / (1 + exp(-0.25)), 3)}


@pytest.mark.parametrize(
    ("after_days", "bought_within"),
    [(0, [30, 60, 90]), (29, [30, 60, 90]), (30, [60, 90]), (59, [60, 90]), (89, [90]), (90, [])],
)
def test_an_order_answers_yes_for_the_horizons_it_falls_into(
    after_days: int, bought_within: list[int]
) -> None:
    customer = asked()
    asked_ms = asked_at(customer)
    step_all(customer, order("o2", at_ms=asked_ms + after_days * DAY + 1))
    told = [
        lesson
        for days in HORIZONS_DAYS
        for lesson in lessons_in(fire_due(customer, asked_ms + days * DAY))
        if lesson.asked_at_ms == asked_ms
    ]
    assert [lesson.horizon_days for lesson in told] == list(HORIZONS_DAYS)
    assert [lesson.horizon_days for lesson in told if lesson.bought] == bought_within
    assert [lesson.orders for lesson in told] == [lesson.bought for lesson in told]


def test_a_horizon_ends_with_its_last_day() -> None:
    customer = asked()
    due_ms = asked_at(customer) + 30 * DAY
    assert lessons_in(fire_due(customer, due_ms - 1)) == []
    (lesson,) = lessons_in(fire_due(customer, due_ms))
    assert (lesson.horizon_days, lesson.day) == (30, due_ms // DAY_MS)


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
    assert (lesson.bought, lesson.orders) == (True, 1)


def test_many_orders_are_all_counted() -> None:
    customer = asked()
    step_all(customer, *(order(f"m{n}", at_ms=START_MS + (9 + n) * DAY) for n in range(20)))
    (lesson,) = lessons_in(fire_due(customer, START_MS + 40 * DAY))
    assert lesson.orders == 20


def test_three_questions_at_most_are_open_and_each_is_answered_thrice() -> None:
    customer = asked()
    lessons = []
    for day in range(9, 400):
        lessons += lessons_in(fire_due(customer, START_MS + day * DAY))
        assert len(questions_of(customer)) <= 3
    per_question: dict[int, list[int]] = {}
    for lesson in lessons:
        per_question.setdefault(lesson.asked_at_ms, []).append(lesson.horizon_days)
    oldest = sorted(per_question)[:9]
    assert [per_question[at] for at in oldest] == [[30, 60, 90]] * 9


def test_a_question_whose_timer_came_late_is_answered_all_the_same_within_an_interval() -> None:
    customer = asked()
    asked_ms = asked_at(customer)
    (lesson,) = lessons_in(fire_due(customer, asked_ms + 43 * DAY))
    assert lesson.horizon_days == 30
    assert day_of(asked_at(customer)) == day_of(asked_ms) + 43


def test_who_has_no_order_left_is_asked_no_more() -> None:
    customer = asked()
    step_all(customer, cancelled("o1"))
    (lesson,) = lessons_in(fire_due(customer, START_MS + 50 * DAY))
    assert not lesson.bought
    assert find_timer(customer, NAME) is None
    step_all(customer, order("o2", at_ms=START_MS + 100 * DAY))
    assert find_timer(customer, NAME) is not None


@pytest.mark.parametrize(
    ("horizons", "days"), [((30, 60, 90), 30), ((60,), 30), ((90,), 30), ((7,), 7), ((1,), 1)]
)
def test_questions_come_as_often_as_the_shortest_horizon_needs(
    horizons: tuple[int, ...], days: int
) -> None:
    assert interval_days(horizons) == days


def test_packing_keeps_tenths_and_holds_what_is_out_of_reach() -> None:
    features = (*(position * 1.23 for position in range(9)), -9.21, 0.5)
    customer = Customer(questions=pack(Asked(19_000, features)) * 2)
    assert [one.day for one in questions_of(customer)] == [19_000, 19_000]
    assert questions_of(customer)[0].features == pytest.approx(features, abs=0.051)
    far = Customer(questions=pack(Asked(1, (1e9,) * 9 + (-1e9, -1.0))))
    assert questions_of(far)[0].features == (25.5,) * 9 + (-10.0, 0.0)
