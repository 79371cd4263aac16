"""Alarm on a count per hour: fewer or more than this hour should bring (S37).

Evidence for a fall to, or a rise to, each of several shares is gathered by a Poisson CUSUM (Page,
Biometrika 1954). A shop's hours scatter more than Poisson, each shop's in its own way, so the
evidence that is too much is not computed but learned: from the highest it got on each quiet day,
with an exponential tail, to what is passed by chance as often as the budget of false alarms allows.
While an alarm lasts nothing is learned, but for a week at most: then the new level is normal.
Figures: ARCHITECTURE.md, decision 15.
"""

from enum import Enum
from math import log

import msgspec

from models import hour_rates
from models.clock import DAY_MS
from models.hour_rates import DAY_HOURS, WEEK_HOURS, HourRates, hour_of_week

FALLS = (0.7, 0.5, 0.3)
RISES = (1.3, 1.6, 2.5)
SILENT_HOURS = 2 * WEEK_HOURS
CALIBRATED_DAYS = 14
PEAKS_KEPT = 180
FALSE_ALARMS_PER_30_DAYS = 0.2
# Sizes of one side rise and fall together, so they share the budget only in part.
SIZES_APART = 2.5
TAIL_SHARE = 0.3
EXTREME_SHARE = 0.1
TAIL_AT_LEAST = 0.3
THRESHOLD_AT_LEAST = 3.0
THRESHOLD_UNCALIBRATED = 15.0
RECOVERY_THRESHOLD = 6.0
RECOVERY_FROM_FALL = 0.8
RECOVERY_FROM_RISE = 1.25
SHAPE_LEARNED_HOURS = DAY_HOURS
FROZEN_HOURS_AT_MOST = WEEK_HOURS
EXPECTED_AT_LEAST = 0.05
_LOGS = {share: log(share) for share in FALLS + RISES}


class Turn(Enum):
    """What an hour changed."""

    NOTHING = "nothing"
    FIRED = "fired"
    RESOLVED = "resolved"


class Suspicion(msgspec.Struct, array_like=True, gc=False):
    """Evidence for one size: since when, what should have come since, and what came."""

    evidence: float = 0.0
    since_ms: int = 0
    expected: float = 0.0
    actual: float = 0.0


class Firing(msgspec.Struct, array_like=True, gc=False):
    """An alarm that lasts; `share` is the size that raised it, `evidence` how far it had come."""

    share: float
    since_ms: int
    evidence: float
    threshold: float
    expected: float
    actual: float
    recovery: float = 0.0
    frozen_hours: int = 0
    frozen_expected: float = 0.0
    frozen_actual: float = 0.0


class Side(msgspec.Struct, array_like=True):
    """Falls, or rises: `shares` are the sizes that are looked for.

    `today` is each size's highest evidence of the running day, `peaks` those of quiet days before.
    """

    shares: tuple[float, ...]
    suspicions: list[Suspicion]
    today: list[float]
    peaks: list[list[float]]
    thresholds: list[float]
    firing: Firing | None = None

    def is_quiet(self) -> bool:
        """Whether nothing speaks for it."""
        return self.firing is None and all(one.evidence <= 0.0 for one in self.suspicions)


def _side(shares: tuple[float, ...]) -> Side:
    return Side(
        shares=shares,
        suspicions=[Suspicion() for _ in shares],
        today=[0.0 for _ in shares],
        peaks=[[] for _ in shares],
        thresholds=[THRESHOLD_UNCALIBRATED for _ in shares],
    )


class CountAlarm(msgspec.Struct, array_like=True):
    """All that is known of one count; `hour_ms` is the last hour that was judged."""

    hour_ms: int = 0
    hours: int = 0
    rates: HourRates = msgspec.field(default_factory=HourRates)
    falls: Side = msgspec.field(default_factory=lambda: _side(FALLS))
    rises: Side = msgspec.field(default_factory=lambda: _side(RISES))

    def is_firing(self) -> bool:
        """Whether an alarm lasts, on either side."""
        return self.falls.firing is not None or self.rises.firing is not None


class Judged(msgspec.Struct, frozen=True):
    """What one hour came to: the turn of each side, with the alarm that lasts or just ended."""

    expected: float
    actual: int
    fall: Turn = Turn.NOTHING
    falling: Firing | None = None
    rise: Turn = Turn.NOTHING
    rising: Firing | None = None


def judge(
    alarm: CountAlarm,
    hour_ms: int,
    count: int,
    *,
    exposure: int | None = None,
    local_offset_ms: int = 0,
) -> Judged:
    """Take the next hour's count; hours that are not later than the last are ignored.

    Hours left out are no evidence. With `exposure` the count is a part of it, and expected is the
    usual share of it, whatever the hour. `local_offset_ms` is the shop's zone at that hour.
    """
    if hour_ms <= alarm.hour_ms:
        return Judged(0.0, count)
    if hour_ms // DAY_MS != alarm.hour_ms // DAY_MS:
        _end_day(alarm, alarm.falls)
        _end_day(alarm, alarm.rises)
    alarm.hour_ms = hour_ms
    slot = hour_of_week(hour_ms + local_offset_ms)
    if exposure is None:
        expected = hour_rates.expected(alarm.rates, slot)
    else:
        expected = exposure * hour_rates.share(alarm.rates)
    is_evidence = alarm.hours >= SILENT_HOURS and expected >= EXPECTED_AT_LEAST
    judged = Judged(
        expected,
        count,
        *_judge(alarm.falls, hour_ms, expected, count, is_evidence),
        *_judge(alarm.rises, hour_ms, expected, count, is_evidence),
    )
    _learn(alarm, slot, expected, count, exposure)
    return judged


def _judge(
    side: Side, hour_ms: int, expected: float, count: int, is_evidence: bool
) -> tuple[Turn, Firing | None]:
    firing = side.firing
    if firing is not None:
        # An alarm must be able to end however little is expected by now.
        if not _recovers(firing, expected, count):
            return Turn.NOTHING, firing
        _begin_anew(side)
        return Turn.RESOLVED, firing
    if is_evidence:
        _gather(side, hour_ms, expected, count)
        side.firing = _fired(side)
    return Turn.NOTHING if side.firing is None else Turn.FIRED, side.firing


def _gather(side: Side, hour_ms: int, expected: float, count: int) -> None:
    """Add each size's log-likelihood ratio against "as expected"."""
    today = side.today
    for at, share in enumerate(side.shares):
        one = side.suspicions[at]
        if one.evidence <= 0.0:
            one.since_ms, one.expected, one.actual = hour_ms, 0.0, 0.0
        evidence = one.evidence + count * _LOGS[share] + expected * (1.0 - share)
        one.evidence = evidence if evidence > 0.0 else 0.0
        one.expected += expected
        one.actual += count
        today[at] = max(today[at], evidence)


def _fired(side: Side) -> Firing | None:
    """Give the suspicion that is farthest beyond what is too much, if any is."""
    farthest, at = 0.0, 0
    for place, one in enumerate(side.suspicions):
        excess = one.evidence / side.thresholds[place]
        if excess > farthest:
            farthest, at = excess, place
    if farthest < 1.0:
        return None
    one = side.suspicions[at]
    return Firing(
        side.shares[at], one.since_ms, one.evidence, side.thresholds[at], one.expected, one.actual
    )


def _recovers(firing: Firing, expected: float, count: int) -> bool:
    """Weigh "as expected again" against the share that came since the alarm began."""
    firing.expected += expected
    firing.actual += count
    share = (firing.actual + 1.0) / (firing.expected + 1.0)
    if firing.share < 1.0:
        share = min(RECOVERY_FROM_FALL, max(FALLS[-1], share))
    else:
        share = max(RECOVERY_FROM_RISE, min(RISES[-1], share))
    loss = count * log(share) + expected * (1.0 - share)
    firing.recovery = max(0.0, firing.recovery - loss)
    return firing.recovery >= RECOVERY_THRESHOLD


def _begin_anew(side: Side) -> None:
    side.firing = None
    side.suspicions = [Suspicion() for _ in side.shares]
    side.today = [0.0 for _ in side.shares]


def _learn(alarm: CountAlarm, slot: int, expected: float, count: int, exposure: int | None) -> None:
    """Learn from the hour; while an alarm lasts at most the shape of the week."""
    alarm.hours += 1
    firing = alarm.falls.firing or alarm.rises.firing
    if firing is None:
        if exposure is None:
            hour_rates.learn(alarm.rates, slot, count)
        else:
            hour_rates.learn_share(alarm.rates, count, exposure)
        return
    if exposure is None and firing.frozen_hours < SHAPE_LEARNED_HOURS:
        # A week that took another shape (summer time) would else be strange for ever.
        hour_rates.learn_shape(alarm.rates, slot, count)
    firing.frozen_hours += 1
    firing.frozen_expected += expected
    firing.frozen_actual += count
    if firing.frozen_hours >= FROZEN_HOURS_AT_MOST:
        # What has lasted a week is how it is now; the evidence must decide again from there.
        hour_rates.scale(alarm.rates, (firing.frozen_actual + 1.0) / (firing.frozen_expected + 1.0))
        firing.frozen_hours, firing.frozen_expected, firing.frozen_actual = 0, 0.0, 0.0


def _end_day(alarm: CountAlarm, side: Side) -> None:
    """Keep a quiet day's peaks, and say anew what is too much."""
    if side.firing is not None or alarm.hours < SILENT_HOURS:
        return
    for at, peaks in enumerate(side.peaks):
        peaks.append(side.today[at])
        del peaks[:-PEAKS_KEPT]
        if len(peaks) >= CALIBRATED_DAYS:
            side.thresholds[at] = too_much(peaks)
        side.today[at] = side.suspicions[at].evidence


def too_much(peaks: list[float]) -> float:
    """Evidence that a day passes by chance as rarely as the budget wants it.

    The highest days' excess over the rest is taken for exponential; the few most extreme ones
    count as the next lower, for they may have been real.

    >>> too_much([1.0] * 100)
    3.0
    """
    ranked = sorted(peaks)
    tail_from = ranked[int(len(ranked) * (1.0 - TAIL_SHARE))]
    excesses = [peak - tail_from for peak in ranked if peak > tail_from]
    if excesses:
        highest = excesses[int((len(excesses) - 1) * (1.0 - EXTREME_SHARE))]
        mean = sum(min(excess, highest) for excess in excesses) / len(excesses)
    else:
        mean = 0.0
    chance = FALSE_ALARMS_PER_30_DAYS / 30.0 / SIZES_APART
    too = tail_from + max(mean, TAIL_AT_LEAST) * log(TAIL_SHARE / chance)
    return max(THRESHOLD_AT_LEAST, too)
