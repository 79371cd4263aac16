"""An hour's mean order value that moves strangely."""

import random

import msgspec
import pytest

from models.clock import DAY_MS, HOUR_MS
from models.count_alarm import Turn
from models.value_watch import ORDERS_AT_LEAST, SILENT_VALUES, Valued, ValueWatch, judge

USUAL_CENTS = 2_000


class Shop:
    def __init__(self) -> None:
        self.watch, self.hour, self.chance = ValueWatch(), 0, random.Random(4)

    def run(self, hours: int, cents: int = USUAL_CENTS, orders: int = 20) -> list[Valued]:
        turns = []
        for _ in range(hours):
            mean = cents + self.chance.gauss(0, 100)
            judged = judge(self.watch, self.hour * HOUR_MS, orders, round(mean * orders))
            self.hour += 1
            if judged.turn is not Turn.NOTHING:
                turns.append(judged)
        return turns


@pytest.mark.parametrize("cents", [200, 6_000])
def test_another_value_raises_one_alarm_and_a_calm_day_ends_it(cents: int) -> None:
    shop = Shop()
    shop.run(6 * SILENT_VALUES)
    assert shop.watch.since_ms == 0
    (fired,) = shop.run(3, cents)
    assert fired.turn is Turn.FIRED
    assert fired.usual_cents == pytest.approx(USUAL_CENTS, rel=0.1)
    assert fired.value_cents == pytest.approx(cents, rel=0.5)
    turns = shop.run(72)
    assert turns[0].turn is Turn.RESOLVED
    assert turns[0].since_ms == fired.since_ms


def test_few_orders_say_nothing_about_their_value() -> None:
    shop = Shop()
    shop.run(6 * SILENT_VALUES)
    seen = shop.watch.series.seen
    assert shop.run(48, 90_000, ORDERS_AT_LEAST - 1) == []
    assert shop.watch.series.seen == seen


def test_the_first_week_is_silent() -> None:
    shop = Shop()
    shop.run(SILENT_VALUES - 10)
    assert shop.run(5, 90_000) == []


def test_an_alarm_survives_a_restart_at_every_hour() -> None:
    straight, broken = Shop(), Shop()
    for shop in (straight, broken):
        shop.found = []  # type: ignore[attr-defined]
    for cents, hours in ((USUAL_CENTS, 400), (9_000, 4), (USUAL_CENTS, 60)):
        for _ in range(hours):
            straight.found += straight.run(1, cents)  # type: ignore[attr-defined]
            packed = msgspec.msgpack.encode(broken.watch)
            broken.watch = msgspec.msgpack.decode(packed, type=ValueWatch)
            broken.found += broken.run(1, cents)  # type: ignore[attr-defined]
    assert broken.found == straight.found  # type: ignore[attr-defined]
    assert [one.turn for one in straight.found][:1] == [Turn.FIRED]  # type: ignore[attr-defined]


def test_the_alarm_lasts_a_day_after_the_last_strange_hour() -> None:
    shop = Shop()
    shop.run(6 * SILENT_VALUES)
    shop.run(1, 8_000)
    strange_ms = shop.watch.strange_ms
    turns = shop.run(30)
    assert turns[-1].turn is Turn.RESOLVED
    assert (shop.hour - 1) * HOUR_MS >= strange_ms + DAY_MS - HOUR_MS
