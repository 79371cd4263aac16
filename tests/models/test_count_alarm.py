"""Fewer or more than this hour of the week should bring."""

import math
import random

import msgspec
import pytest

from models.clock import HOUR_MS
from models.count_alarm import (
    CALIBRATED_DAYS,
    FROZEN_HOURS_AT_MOST,
    PEAKS_KEPT,
    SILENT_HOURS,
    THRESHOLD_AT_LEAST,
    CountAlarm,
    Judged,
    Turn,
    judge,
    too_much,
)
from models.hour_rates import WEEK_HOURS, expected, hour_of_week

# A Monday, 00:00 UTC.
MONDAY_MS = 4 * 24 * HOUR_MS + 2_600 * WEEK_HOURS * HOUR_MS
LEARNED = SILENT_HOURS + 4 * WEEK_HOURS


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
        self.alarm = CountAlarm()
        self.chance = random.Random(seed)
        self.hour = 0

    def run(self, hours: int, share: float = 1.0) -> list[tuple[int, str, Turn]]:
        turns = []
        for _ in range(hours):
            judged = self.next(poisson(self.chance, usual(self.hour) * share))
            for side, turn in (("fall", judged.fall), ("rise", judged.rise)):
                if turn is not Turn.NOTHING:
                    turns.append((self.hour - 1, side, turn))
        return turns

    def next(self, orders: int) -> Judged:
        self.hour += 1
        return judge(self.alarm, MONDAY_MS + (self.hour - 1) * HOUR_MS, orders)


FALL_FIRED, FALL_RESOLVED = ("fall", Turn.FIRED), ("fall", Turn.RESOLVED)
RISE_FIRED, RISE_RESOLVED = ("rise", Turn.FIRED), ("rise", Turn.RESOLVED)


def sides(turns: list[tuple[int, str, Turn]]) -> list[tuple[str, Turn]]:
    return [(side, turn) for _, side, turn in turns]


@pytest.fixture
def shop() -> Shop:
    shop = Shop()
    shop.run(LEARNED)
    assert not shop.alarm.is_firing()
    return shop


@pytest.mark.parametrize(
    ("at_ms", "hour"),
    [(MONDAY_MS, 0), (MONDAY_MS + HOUR_MS, 1), (MONDAY_MS - 1, 167), (0, 72)],
)
def test_a_week_begins_on_monday(at_ms: int, hour: int) -> None:
    assert hour_of_week(at_ms) == hour


def test_a_shop_without_orders_alarms_nobody() -> None:
    alarm = CountAlarm()
    for hour in range(1, 3 * LEARNED):
        judged = judge(alarm, MONDAY_MS + hour * HOUR_MS, 0)
        assert (judged.fall, judged.rise) == (Turn.NOTHING, Turn.NOTHING)


@pytest.mark.parametrize("seed", [1, 2, 3, 4, 5])
def test_a_year_of_chance_alone_keeps_to_the_budget(seed: int) -> None:
    fired = [turn for _, _, turn in Shop(seed).run(52 * WEEK_HOURS) if turn is Turn.FIRED]
    # Each side has a fifth of an alarm in 30 days: five a year for both; chance may double it.
    assert len(fired) <= 10


@pytest.mark.parametrize(("share", "within_hours"), [(0.0, 12), (0.2, 18), (0.5, 24), (0.7, 72)])
def test_a_fall_is_noticed_and_its_end_as_well(shop: Shop, share: float, within_hours: int) -> None:
    began_ms = MONDAY_MS + shop.hour * HOUR_MS
    turns = shop.run(within_hours, share)
    assert FALL_FIRED in sides(turns)
    firing = shop.alarm.falls.firing
    assert firing is not None
    assert began_ms - 24 * HOUR_MS <= firing.since_ms < began_ms + within_hours * HOUR_MS
    assert firing.actual / firing.expected == pytest.approx(share, abs=0.2)
    assert sides(shop.run(36))[0] == FALL_RESOLVED
    assert shop.alarm.falls.firing is None


@pytest.mark.parametrize(("share", "within_hours"), [(1.5, 24), (3.0, 12)])
def test_a_rise_is_noticed_and_its_end_as_well(shop: Shop, share: float, within_hours: int) -> None:
    assert RISE_FIRED in sides(shop.run(within_hours, share))
    assert sides(shop.run(48))[0] == RISE_RESOLVED


def test_the_level_is_not_learned_from_a_fall(shop: Shop) -> None:
    shop.run(12, 0.0)
    assert shop.alarm.falls.firing is not None
    level = msgspec.msgpack.encode(shop.alarm.rates.level)
    shop.run(60, 0.0)
    assert msgspec.msgpack.encode(shop.alarm.rates.level) == level


def test_a_new_level_that_lasts_is_taken_for_normal(shop: Shop) -> None:
    shop.run(4 * WEEK_HOURS, 0.4)
    noon = expected(shop.alarm.rates, hour_of_week(MONDAY_MS + 12 * HOUR_MS))
    assert noon == pytest.approx(0.4 * usual(12), rel=0.3)
    assert FALL_FIRED not in sides(shop.run(2 * WEEK_HOURS, 0.4))


def test_a_week_that_took_another_shape_is_learned_though_it_alarms(shop: Shop) -> None:
    """When summer time begins, the same customers come an hour earlier by the log's clock."""
    fired = []
    for week in range(6):
        for _ in range(WEEK_HOURS):
            judged = shop.next(poisson(shop.chance, usual(shop.hour + 2)))
            if Turn.FIRED in (judged.fall, judged.rise):
                fired.append(week)
    assert fired.count(5) == 0


@pytest.mark.parametrize("weeks", [1, 2, 4])
def test_after_weeks_of_silence_the_alarm_still_ends(shop: Shop, weeks: int) -> None:
    turns = shop.run(weeks * FROZEN_HOURS_AT_MOST + 24, 0.0)
    assert sides(turns) == [FALL_FIRED]
    assert FALL_RESOLVED in sides(shop.run(48))
    shop.run(4 * WEEK_HOURS)
    noon = expected(shop.alarm.rates, hour_of_week(MONDAY_MS + 12 * HOUR_MS))
    assert noon == pytest.approx(usual(12), rel=0.35)


def test_a_small_shop_that_closed_for_weeks_can_come_back() -> None:
    alarm, chance, turns = CountAlarm(), random.Random(8), []
    for hour in range(30 * WEEK_HOURS):
        is_closed = 12 <= hour // WEEK_HOURS < 16
        orders = 0 if is_closed else poisson(chance, 1.5)
        judged = judge(alarm, MONDAY_MS + hour * HOUR_MS, orders)
        if judged.fall is not Turn.NOTHING:
            turns.append((hour // WEEK_HOURS, judged.fall))
    closed = [turn for turn in turns if turn[0] >= 12]
    assert closed[0] == (12, Turn.FIRED)
    assert closed[1][1] is Turn.RESOLVED
    assert closed[1][0] <= 17


def test_hours_left_out_are_no_evidence(shop: Shop) -> None:
    evidence = [one.evidence for one in shop.alarm.falls.suspicions]
    shop.hour += 3 * WEEK_HOURS
    shop.next(round(usual(shop.hour)))
    for before, one in zip(evidence, shop.alarm.falls.suspicions, strict=True):
        assert one.evidence <= before + 3.0


def test_a_share_is_judged_against_its_own_usual_share() -> None:
    alarm, chance = CountAlarm(), random.Random(5)
    noticed = None
    for hour in range(LEARNED + 72):
        orders = poisson(chance, usual(hour))
        repeat = 0.6 if hour < LEARNED else 0.2
        again = sum(chance.random() < repeat for _ in range(orders))
        judged = judge(alarm, MONDAY_MS + hour * HOUR_MS, again, exposure=orders)
        if hour >= LEARNED and judged.fall is Turn.FIRED:
            noticed = hour
    assert noticed is not None
    assert noticed <= LEARNED + 48


def test_an_hour_that_is_not_later_is_ignored(shop: Shop) -> None:
    before = msgspec.msgpack.encode(shop.alarm)
    judged = judge(shop.alarm, shop.alarm.hour_ms, 500)
    assert (judged.fall, judged.rise, judged.actual) == (Turn.NOTHING, Turn.NOTHING, 500)
    judge(shop.alarm, shop.alarm.hour_ms - HOUR_MS, 500)
    assert msgspec.msgpack.encode(shop.alarm) == before


def test_an_alarm_survives_a_restart_at_every_hour() -> None:
    straight, broken = Shop(), Shop()
    for share, hours in ((1.0, LEARNED + WEEK_HOURS), (0.1, 30), (1.0, 60)):
        for _ in range(hours):
            orders = poisson(straight.chance, usual(straight.hour) * share)
            judged = straight.next(orders)
            packed = msgspec.msgpack.encode(broken.alarm)
            broken.alarm = msgspec.msgpack.decode(packed, type=CountAlarm)
            assert broken.next(orders) == judged
    assert broken.alarm == straight.alarm


def test_what_is_kept_is_bounded(shop: Shop) -> None:
    shop.run(80 * WEEK_HOURS)
    for side in (shop.alarm.falls, shop.alarm.rises):
        assert all(len(peaks) <= PEAKS_KEPT for peaks in side.peaks)
    assert len(msgspec.msgpack.encode(shop.alarm)) < 20_000


@pytest.mark.parametrize(
    ("peaks", "least", "most"),
    [
        ([0.0] * CALIBRATED_DAYS, THRESHOLD_AT_LEAST, THRESHOLD_AT_LEAST),
        ([1.0, 2.0, 3.0, 4.0] * 10, 4.0, 12.0),
        # One day that was real does not make the watch blind.
        ([1.0, 2.0, 3.0, 4.0] * 10 + [500.0], 4.0, 12.0),
    ],
)
def test_what_is_too_much_follows_the_quiet_days(
    peaks: list[float], least: float, most: float
) -> None:
    assert least <= too_much(peaks) <= most
