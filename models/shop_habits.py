"""What a shop's customers are like as a whole: their gaps, how many return, where sleep begins.

Learned from the matured lessons of the longest horizon; what is old fades by half in 140 days. All
starts from constants that suit most shops, worth FIRST_WEIGHT lessons.
"""

from math import expm1, isfinite

import msgspec

from models.dormancy import FALSE_ALARMS
from models.effects import HazardLesson
from models.hazard import UNKNOWN_GAP_DAYS
from models.outlook import orders_a_day

BINS = 50
KEPT_A_DAY = 0.995
FIRST_WEIGHT = 50.0
LESSONS_BELOW_AN_EDGE = 30.0
# At the edge itself no more may return than so many times the rate below it, or a shop to which
# hardly anybody returns would call everybody dormant.
AT_THE_EDGE = 1.5
# Young customers teach it first, old ones are foretold with it: so it may not lead far.
LEVELS = (0.5, 1.25)


class ShopHabits(msgspec.Struct, kw_only=True):
    """Fading sums; `asked` and `bought` count lessons by what was foretold, in BINS even bins."""

    gap_sum_days: float = 0.0
    gaps: float = 0.0
    orders: float = 0.0
    expected: float = 0.0
    asked: list[float] = msgspec.field(default_factory=lambda: [0.0] * BINS)
    bought: list[float] = msgspec.field(default_factory=lambda: [0.0] * BINS)

    def pass_day(self) -> None:
        """Let everything fade a little."""
        self.gap_sum_days *= KEPT_A_DAY
        self.gaps *= KEPT_A_DAY
        self.orders *= KEPT_A_DAY
        self.expected *= KEPT_A_DAY
        self.asked = [count * KEPT_A_DAY for count in self.asked]
        self.bought = [count * KEPT_A_DAY for count in self.bought]

    def learn(self, lesson: HazardLesson, foretold: float) -> None:
        """Count a lesson that was foretold so; one with what is no number teaches nothing."""
        features = lesson.features
        if not (isfinite(foretold) and all(map(isfinite, features))):
            return
        orders, silence, tenure = (expm1(features[at]) for at in (0, 1, 3))
        if orders > 1.5:
            self.gap_sum_days += max(tenure - silence, 0.0) / (orders - 1.0)
            self.gaps += 1.0
        self.orders += lesson.orders
        self.expected += orders_a_day(features) * lesson.horizon_days
        place = min(int(foretold * BINS), BINS - 1)
        self.asked[place] += 1.0
        self.bought[place] += lesson.bought

    def gap_days(self) -> float:
        """Gap of a customer of whom no gap is known: half way from 60 days to the shop's mean."""
        whole = self.gap_sum_days + FIRST_WEIGHT * UNKNOWN_GAP_DAYS
        mean_days = whole / (self.gaps + FIRST_WEIGHT)
        return float((max(mean_days, 1.0) * UNKNOWN_GAP_DAYS) ** 0.5)

    def level(self) -> float:
        """Orders that came over orders that the outlook's formula expected."""
        level = (self.orders + FIRST_WEIGHT) / (self.expected + FIRST_WEIGHT)
        return min(max(level, LEVELS[0]), LEVELS[1])

    def edges(self) -> tuple[float, ...]:
        """Hazards below which a customer is cooling, dormant, lost; falling (FALSE_ALARMS)."""
        return tuple(self._edge(rate) for rate in FALSE_ALARMS)

    def _edge(self, false_alarms: float) -> float:
        edge, asked, bought = 0.0, 0.0, 0.0
        for place in range(BINS):
            asked += self.asked[place]
            bought += self.bought[place]
            if asked >= LESSONS_BELOW_AN_EDGE and bought <= false_alarms * asked:
                edge = (place + 1) / BINS
        return min(edge, AT_THE_EDGE * false_alarms)
