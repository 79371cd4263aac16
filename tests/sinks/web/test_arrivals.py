"""How long events take to the page."""

from typing import Any

from sinks.web.arrivals import Arrivals


def event(position: str, logged_at: int) -> dict[str, Any]:
    return {"position": position, "logged_at": logged_at}


def test_only_what_appears_between_two_looks_is_timed() -> None:
    arrivals = Arrivals()
    arrivals.saw([event("0:1", 0)], wall_ms=90_000, monotonic_s=10.0)
    arrivals.saw([event("0:2", 90_200), event("0:1", 0)], wall_ms=91_000, monotonic_s=11.0)
    assert arrivals.summary() == {"events": 1, "p50_ms": 800, "p99_ms": 800}


def test_what_waited_because_nobody_looked_is_not_timed() -> None:
    arrivals = Arrivals()
    arrivals.saw([], wall_ms=0, monotonic_s=0.0)
    arrivals.saw([event("0:1", 1)], wall_ms=60_000, monotonic_s=60.0)
    assert arrivals.summary() == {"events": 0, "p50_ms": None, "p99_ms": None}


def test_half_are_faster_than_p50_and_one_in_a_hundred_slower_than_p99() -> None:
    arrivals = Arrivals()
    arrivals.saw([], wall_ms=1_000, monotonic_s=0.0)
    events = [event(f"0:{number}", 1_000 - number) for number in range(1, 101)]
    arrivals.saw(events, wall_ms=1_000, monotonic_s=1.0)
    assert arrivals.summary() == {"events": 100, "p50_ms": 51, "p99_ms": 100}
