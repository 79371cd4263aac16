"""Fewer orders than this hour of the week should bring."""

import math
import random

import msgspec
import pytest

from models.clock import HOUR_MS
from models.orders_alarm import (
    FROZEN_HOURS_AT_MOST,
    LEVEL_AT_LEAST,
    WARM_UP_HOURS,
    WEEK_HOURS,
    Judged,
    OrdersAlarm,
    Turn,
    hour_of_week,
    judge,
)

# A Monday, 00:00 UTC.
MONDAY_MS = 4 * 24 * HOUR_MS + 2_600 * WEEK_HOURS * HOUR_MS


def poisson(chance: random.Random, mean: float) -> int:
    limit, product, count = math.exp(-mean), chance.random(), 0
    while product > limit:
        product *= chance.random()
        count += 1
    return count


def usual(hour: int) -> float:
    """Orders this shop may expect: a day with a noon and a night, a calmer weekend."""
    by_day = 12.0 * (1 + math.sin((hour % 24 - 6) / 24 * 2 * math.pi))
    return by_day * (0.6 if hour % WEEK_HOURS >= 120 else 1.0)


class Shop:
    """Hours one after another, with a seed."""

    def __init__(self, seed: int = 3) -> None:
        self.alarm = OrdersAlarm()
        self.chance = random.Random(seed)
        self.hour = 0

    def run(self, hours: int, share: float = 1.0) -> list[tuple[int, Turn]]:
        turns = []
        for _ in range(hours):
            judged = self.next(poisson(self.chance, usual(self.hour) * share))
            if judged.turn is not Turn.NOTHING:
                turns.append((self.hour - 1, judged.turn))
        return turns

    def next(self, orders: int) -> Judged:
        self.hour += 1
        return judge(self.alarm, MONDAY_MS + (self.hour - 1) * HOUR_MS, orders)


@pytest.fixture
def shop() -> Shop:
    shop = Shop()
    assert shop.run(WARM_UP_HOURS + 4 * WEEK_HOURS) == []
    return shop


@pytest.mark.parametrize(
    ("at_ms", "hour"),
    [(MONDAY_MS, 0), (MONDAY_MS + HOUR_MS, 1), (MONDAY_MS - 1, 167), (0, 72)],
)
def test_a_week_begins_on_monday(at_ms: int, hour: int) -> None:
    assert hour_of_week(at_ms) == hour


def test_a_shop_without_orders_alarms_nobody() -> None:
    alarm = OrdersAlarm()
    turns = {judge(alarm, MONDAY_MS + h * HOUR_MS, 0).turn for h in range(1, 3 * WARM_UP_HOURS)}
    assert turns == {Turn.NOTHING}


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_year_of_chance_alone_alarms_once_at_most(seed: int) -> None:
    shop = Shop(seed)
    fired = [turn for _, turn in shop.run(52 * WEEK_HOURS) if turn is Turn.FIRED]
    assert len(fired) <= 1


@pytest.mark.parametrize(("share", "within_hours"), [(0.0, 12), (0.2, 18), (0.5, 48)])
def test_a_fall_is_noticed_and_its_end_as_well(shop: Shop, share: float, within_hours: int) -> None:
    began = shop.hour
    turns = shop.run(within_hours, share)
    assert [turn for _, turn in turns] == [Turn.FIRED]
    assert began * HOUR_MS <= shop.alarm.since_ms - MONDAY_MS + 24 * HOUR_MS
    turns = shop.run(36)
    assert [turn for _, turn in turns] == [Turn.RESOLVED]
    assert shop.alarm.since_ms == 0


def test_nothing_is_learned_from_a_fall(shop: Shop) -> None:
    before = list(shop.alarm.rates), shop.alarm.level
    shop.run(12, 0.0)
    assert shop.alarm.since_ms
    frozen = list(shop.alarm.rates), shop.alarm.level
    shop.run(24, 0.0)
    assert (list(shop.alarm.rates), shop.alarm.level) == frozen
    assert frozen[1] == pytest.approx(before[1], rel=0.2)


def test_a_new_level_that_lasts_is_taken_for_normal(shop: Shop) -> None:
    turns = [turn for _, turn in shop.run(3 * WEEK_HOURS, 0.4)]
    assert turns == [Turn.FIRED, Turn.RESOLVED]
    assert shop.alarm.level == pytest.approx(0.4, rel=0.35)
    assert shop.run(2 * WEEK_HOURS, 0.4) == []


@pytest.mark.parametrize("weeks", [1, 2, 4])
def test_after_weeks_of_silence_the_alarm_still_ends(shop: Shop, weeks: int) -> None:
    turns = [turn for _, turn in shop.run(weeks * FROZEN_HOURS_AT_MOST + 24, 0.0)]
    assert turns == [Turn.FIRED]
    assert shop.alarm.level >= LEVEL_AT_LEAST
    assert [turn for _, turn in shop.run(48)] == [Turn.RESOLVED]
    shop.run(4 * WEEK_HOURS)
    assert shop.alarm.level == pytest.approx(1.0, rel=0.35)


def test_a_small_shop_that_closed_for_weeks_can_come_back() -> None:
    alarm = OrdersAlarm()
    chance = random.Random(8)
    turns = []
    for hour in range(30 * WEEK_HOURS):
        is_closed = 12 <= hour // WEEK_HOURS < 16
        orders = 0 if is_closed else poisson(chance, 1.5)
        judged = judge(alarm, MONDAY_MS + hour * HOUR_MS, orders)
        if judged.turn is not Turn.NOTHING:
            turns.append((hour // WEEK_HOURS, judged.turn))
    assert turns[0] == (12, Turn.FIRED)
    assert turns[1][1] is Turn.RESOLVED
    assert turns[1][0] <= 17


def test_an_hour_that_is_not_later_is_ignored(shop: Shop) -> None:
    before = msgspec.msgpack.encode(shop.alarm)
    judged = judge(shop.alarm, shop.alarm.hour_ms, 500)
    assert (judged.turn, judged.actual) == (Turn.NOTHING, 500)
    judge(shop.alarm, shop.alarm.hour_ms - HOUR_MS, 500)
    assert msgspec.msgpack.encode(shop.alarm) == before


def test_an_alarm_survives_a_restart_at_every_hour() -> None:
    straight, broken = Shop(), Shop()
    for share, hours in ((1.0, WARM_UP_HOURS + WEEK_HOURS), (0.1, 30), (1.0, 60)):
        for _ in range(hours):
            orders = poisson(straight.chance, usual(straight.hour) * share)
            expected = straight.next(orders)
            packed = msgspec.msgpack.encode(broken.alarm)
            broken.alarm = msgspec.msgpack.decode(packed, type=OrdersAlarm)
            assert broken.next(orders) == expected
    assert broken.alarm == straight.alarm
