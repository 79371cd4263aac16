"""The score of the Numenta Anomaly Benchmark, from its published definition.

Lavin and Ahmad, "Evaluating Real-time Anomaly Detection Algorithms", ICMLA 2015: a detection within
a labelled window counts by how early it comes, the first one only; one outside counts against the
detector, the more the farther behind the last window; a window without a detection costs as much as
it could have given. Points are detections from a threshold on, one for all series, chosen to score
best on them; the sum is put on a scale where no detection at all is 0 and a perfect detector 100.
"""

from collections.abc import Iterable, Sequence
from math import exp
from typing import NamedTuple

PROBATION_SHARE = 0.15
PROBATION_OF_AT_MOST = 5_000
FAR_BEHIND = 3.0
STEEPNESS = 5.0


class Profile(NamedTuple):
    """What a window found, a false detection and a window missed weigh."""

    name: str
    found: float
    false: float
    missed: float


PROFILES = (
    Profile("standard", 1.0, 0.11, 1.0),
    Profile("reward_low_fp", 1.0, 0.22, 1.0),
    Profile("reward_low_fn", 1.0, 0.11, 2.0),
)


class Windows(NamedTuple):
    """One series: how many points, and the labelled windows as first and last point."""

    points: int
    windows: Sequence[tuple[int, int]]


class Weighed(NamedTuple):
    """A point that counts: its score, window (-1: outside), and worth before weights, -1 to 1."""

    score: float
    window: tuple[int, int]
    worth: float


def probation(points: int) -> int:
    """How many first points of a series do not count."""
    return int(PROBATION_SHARE * min(points, PROBATION_OF_AT_MOST))


def sigmoid(position: float) -> float:
    """Worth of a detection at `position`: -1 at a window's beginning, 0 at its end, then behind it.

    >>> round(sigmoid(-1.0), 4), sigmoid(0.0), sigmoid(3.5)
    (0.9866, 0.0, -1.0)
    """
    if position > FAR_BEHIND:
        return -1.0
    return 2.0 / (1.0 + exp(STEEPNESS * position)) - 1.0


def weigh(number: int, series: Windows, scores: Sequence[float]) -> list[Weighed]:
    """Weigh every point of series `number` behind its probation."""
    weighed = []
    windows, at_window = sorted(series.windows), 0
    behind: tuple[int, int] | None = None
    for point in range(probation(series.points), series.points):
        while at_window < len(windows) and point > windows[at_window][1]:
            behind = windows[at_window]
            at_window += 1
        inside = at_window < len(windows) and windows[at_window][0] <= point
        if inside:
            first, last = windows[at_window]
            position = -(last - point + 1) / (last - first + 1)
            worth, window = sigmoid(position) / sigmoid(-1.0), (number, at_window)
        elif behind is not None:
            width = max(behind[1] - behind[0], 1)
            worth, window = sigmoid((point - behind[1]) / width), (number, -1)
        else:
            worth, window = -1.0, (number, -1)
        weighed.append(Weighed(scores[point], window, worth))
    return weighed


def best(weighed: Iterable[Weighed], windows: int, profile: Profile) -> tuple[float, float]:
    """Give the best score on the scale to 100, and its threshold (infinite: detect nothing).

    There must be a window: the scale is made of them.
    """
    total = lowest = -profile.missed * windows
    highest = profile.found * windows
    top, threshold = total, float("inf")
    found: dict[tuple[int, int], float] = {}
    ranked = sorted(weighed, key=lambda one: -one.score)
    for at, one in enumerate(ranked):
        if one.window[1] < 0:
            total += one.worth * profile.false
        else:
            gain = one.worth * profile.found
            before = found.get(one.window, -profile.missed)
            if gain > before:
                total += gain - before
                found[one.window] = gain
        is_last = at + 1 == len(ranked) or ranked[at + 1].score < one.score
        if is_last and total > top:
            top, threshold = total, one.score
    return 100.0 * (top - lowest) / (highest - lowest), threshold
