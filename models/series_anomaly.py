"""How strange the next value of any series of numbers is, in constant time and memory (S37).

Five views of a value are compared with what the series usually shows: its distance from the slow
mean, from the value before, of the short mean from the slow one, from the usual value at this time
of day, and how restless the series is just now. Each view's distance gets a surprise: minus the
logarithm of how rarely the series itself went so far, a little more beyond all it ever did. A sixth
view is how surprising the last few values were on the whole (Lavin and Ahmad's anomaly likelihood
is its kin). The score is the largest surprise; after one, only a larger is news, until that one is
some time ago.

The views' spreads follow slowly and clip what is far out, so that an anomaly does not teach that it
is normal. Figures and what was tried: ARCHITECTURE.md, decision 29.
"""

from math import exp, isfinite, log

import msgspec

SLOW_HALF_LIFE = 4_000
FAST_HALF_LIFE = 8
TOGETHER_HALF_LIFE = 4
LEARNED_BEFORE = 40
SETTLED_AFTER = 20
DAY_S = 86_400
BINS_OF_DAY = 48
BIN_WEIGHT = 0.1
CLIP_SPREADS = 3.0
CLIP_DISTANCES = 5.0
QUIET_SHARE = 0.16
QUIET_AT_LEAST = 100
SURPRISE_SCALE = 4.0
STRANGE = 0.75
"""A score from which a value is worth a look: it was the strangest of some hundreds."""
_SLOW = 1.0 - 0.5 ** (1.0 / SLOW_HALF_LIFE)
_FAST = 1.0 - 0.5 ** (1.0 / FAST_HALF_LIFE)
_TOGETHER_FADES = 1.0 - 0.5 ** (1.0 / TOGETHER_HALF_LIFE)
_CELLS = 64
_CELLS_PER_E = 8.0
_ONE_AT = 32.0
_SMALLEST = 1e-3
_FARTHEST = 1e15
_PEAK_FADES = 0.9995
_BEYOND_AT_MOST = 3.0
_EPSILON = 1e-9
_TINY = 1e-12
_LEVEL, _STEP, _SHORT, _DAY, _RESTLESS, _TOGETHER = range(6)
_RESTLESS_FLOOR = 0.05


class Distances(msgspec.Struct, array_like=True, gc=False):
    """How far one view usually goes: a histogram of the distances' logarithms, and the farthest."""

    cells: list[int] = []
    seen: int = 0
    farthest: float = 0.0


class SeriesAnomaly(msgspec.Struct, array_like=True):
    """All that is known of one series; spreads are mean absolute distances."""

    seen: int = 0
    last: float = 0.0
    mean: float = 0.0
    spread: float = 0.0
    short_mean: float = 0.0
    short_spread: float = 0.0
    step: float = 0.0
    short_step: float = 0.0
    restless: float = 0.0
    restless_spread: float = 0.0
    day_spread: float = 0.0
    day_means: list[float | None] = msgspec.field(default_factory=lambda: [None] * BINS_OF_DAY)
    views: list[Distances] = msgspec.field(
        default_factory=lambda: [Distances([0] * _CELLS) for _ in range(_TOGETHER + 1)]
    )
    together: float = 0.0
    highest: float = 0.0
    highest_at: int = 0


def score(series: SeriesAnomaly, at_s: int, value: float) -> float:
    """Take the next value: 0 (as usual, or no news) to 1.

    `at_s` is its time in seconds; only the time of day matters. The first values score 0, and so
    does what is no number, from which nothing is learned.
    """
    if not isfinite(value):
        return 0.0
    series.seen += 1
    if series.seen == 1:
        series.last = series.mean = series.short_mean = value
        return 0.0
    distances = _distances(series, at_s, value)
    surprises = [_surprise(series.views[view], distance) for view, distance in distances]
    mean = sum(surprises) / len(surprises)
    series.together += _TOGETHER_FADES * (mean - series.together)
    surprises.append(_surprise(series.views[_TOGETHER], series.together))
    series.last = value
    if series.seen < LEARNED_BEFORE:
        return 0.0
    return _news(series, max(surprises))


def _distances(series: SeriesAnomaly, at_s: int, value: float) -> list[tuple[int, float]]:
    """Distance of the value in every view, in usual spreads; the series then takes the value."""
    seen = series.seen
    is_settled = seen > SETTLED_AFTER
    weight = max(_SLOW, 1.0 / seen)
    least = _EPSILON * abs(series.mean) + _TINY
    off, step = value - series.mean, abs(value - series.last)
    spread = series.spread + least
    found = [(_LEVEL, abs(off) / spread), (_STEP, step / (series.step + least))]
    series.short_mean += _FAST * (value - series.short_mean)
    short_off = abs(series.short_mean - series.mean)
    found.append((_SHORT, short_off / (series.short_spread + least)))
    day_distance = _day_distance(series, at_s, value, weight, least)
    if day_distance is not None:
        found.append((_DAY, day_distance))
    found.append((_RESTLESS, _restless_distance(series, step, weight)))
    if is_settled:
        far = CLIP_SPREADS * spread
        series.mean += weight * max(-far, min(far, off))
        series.spread += weight * (min(abs(off), CLIP_DISTANCES * spread) - series.spread)
    else:
        series.mean += weight * off
        series.spread += weight * (abs(off) - series.spread)
    far_step = 2 * CLIP_DISTANCES * series.step
    usual_step = min(step, far_step) if is_settled and far_step else step
    series.step += weight * (usual_step - series.step)
    series.short_spread += weight * (short_off - series.short_spread)
    return found


def _day_distance(
    series: SeriesAnomaly, at_s: int, value: float, weight: float, least: float
) -> float | None:
    at = at_s % DAY_S * BINS_OF_DAY // DAY_S
    usual = series.day_means[at]
    if usual is None:
        series.day_means[at] = value
        return None
    off = abs(value - usual)
    distance = off / (series.day_spread + least)
    far = CLIP_DISTANCES * series.day_spread
    series.day_spread += weight * ((min(off, far) if far else off) - series.day_spread)
    series.day_means[at] = usual + BIN_WEIGHT * (value - usual)
    return distance


def _restless_distance(series: SeriesAnomaly, step: float, weight: float) -> float:
    series.short_step += _FAST * (step - series.short_step)
    restless = log(series.short_step + _SMALLEST * series.step + _TINY)
    off = abs(restless - series.restless) if series.seen > SETTLED_AFTER else 0.0
    distance = off / (series.restless_spread + _RESTLESS_FLOOR)
    far = CLIP_DISTANCES * series.restless_spread
    series.restless += weight * (restless - series.restless)
    series.restless_spread += weight * ((min(off, far) if far else off) - series.restless_spread)
    return distance


def _surprise(known: Distances, distance: float) -> float:
    """Minus the logarithm of the share of distances at least as far; then count this one."""
    cells = known.cells
    distance = min(distance, _FARTHEST)
    cell = int(_CELLS_PER_E * log(distance + _SMALLEST) + _ONE_AT)
    cell = 0 if cell < 0 else min(cell, _CELLS - 1)
    farther = sum(cells[cell + 1 :]) + 0.5 * cells[cell]
    surprise = -log((farther + 0.5) / (known.seen + 1.0))
    if distance > known.farthest > 0.0:
        surprise += min(_BEYOND_AT_MOST, log(distance / known.farthest))
    cells[cell] += 1
    known.seen += 1
    known.farthest = max(known.farthest * _PEAK_FADES, distance)
    return surprise


def _news(series: SeriesAnomaly, surprise: float) -> float:
    """Let through what is more than the last highest surprise, which fades to nothing."""
    quiet = max(QUIET_AT_LEAST, QUIET_SHARE * series.seen)
    passed = 1.0 - (series.seen - series.highest_at) / quiet
    if surprise <= series.highest * max(0.0, passed):
        return 0.0
    series.highest, series.highest_at = surprise, series.seen
    return 1.0 - exp(-surprise / SURPRISE_SCALE)
