"""Waits and their quantiles."""

import math
from collections.abc import Sequence


def quantile(values: Sequence[float], share: float) -> float:
    """The value that `share` of the values do not exceed; raises ValueError without any value.

    >>> quantile([3.0, 1.0, 2.0], 0.5)
    2.0
    """
    if not values:
        raise ValueError("no quantile without values")
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


class Arrivals:
    """When something that was meant for a moment arrived; both in wall seconds.

    What never came counts as arriving when one gives up.
    """

    def __init__(self) -> None:
        self._meant_s: dict[int, float] = {}
        self._arrived_s: dict[int, float] = {}

    def expect(self, number: int, meant_s: float) -> None:
        """Note that something is to come."""
        self._meant_s[number] = meant_s

    def note(self, number: int, at_s: float) -> None:
        """Note that it came; only the first time counts."""
        self._arrived_s.setdefault(number, at_s)

    @property
    def outstanding(self) -> list[int]:
        """What is expected and has not come."""
        return [number for number in self._meant_s if number not in self._arrived_s]

    def waits_ms(self, gave_up_s: float) -> list[float]:
        """How long each of the expected took."""
        return [
            (self._arrived_s.get(number, gave_up_s) - meant_s) * 1000
            for number, meant_s in self._meant_s.items()
        ]

    def figures(self, name: str, gave_up_s: float) -> dict[str, float]:
        """Median, 99th percentile, worst, how many, and how many never came."""
        waits_ms = self.waits_ms(gave_up_s)
        return {
            f"{name}_p50_ms": round(quantile(waits_ms, 0.5), 1),
            f"{name}_p99_ms": round(quantile(waits_ms, 0.99), 1),
            f"{name}_max_ms": round(max(waits_ms), 1),
            f"{name}_samples": len(waits_ms),
            f"{name}_missing": len(self.outstanding),
        }
