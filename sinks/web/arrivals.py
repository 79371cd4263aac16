"""How long an event takes from entering the log to standing in the answer to a page."""

from collections import deque
from typing import Any

KEPT = 1_000
_WATCHED_WITHIN_S = 3.0


class Arrivals:
    """Milliseconds from log to page of the events seen first just now.

    Only what appears between two readings in close succession counts: an event that waited because
    nobody looked says nothing.
    """

    def __init__(self) -> None:
        self._took_ms: deque[int] = deque(maxlen=KEPT)
        self._seen: set[str] = set()
        self._looked_at_s = float("-inf")

    def saw(self, rows: list[dict[str, Any]], wall_ms: int, monotonic_s: float) -> None:
        """Take in the newest events (`position`, `logged_at`) as read at `wall_ms`."""
        positions = {row["position"] for row in rows}
        if monotonic_s - self._looked_at_s <= _WATCHED_WITHIN_S:
            for row in rows:
                if row["position"] not in self._seen:
                    self._took_ms.append(max(0, wall_ms - row["logged_at"]))
        self._seen = positions
        self._looked_at_s = monotonic_s

    def summary(self) -> dict[str, int | None]:
        """Give `p50_ms`, `p99_ms` and `events`, the number they stand on."""
        took_ms = sorted(self._took_ms)
        return {
            "events": len(took_ms),
            "p50_ms": _quantile(took_ms, 0.5),
            "p99_ms": _quantile(took_ms, 0.99),
        }


def _quantile(ordered: list[int], share: float) -> int | None:
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else None
