"""CPU time spent in single functions, with the cost of looking at the clock taken off."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import Any

CALIBRATION_CALLS = 200_000


class Stopwatch:
    """Adds up, by stage, this thread's CPU time in the functions it wraps.

    While `rests` nothing is added: what is called then belongs to another stage.
    """

    def __init__(self) -> None:
        self.spent_ns: dict[str, int] = defaultdict(int)
        self.calls: dict[str, int] = defaultdict(int)
        self.rests = False
        self._own_ns = 0.0
        self._own_ns = self._calibrated_ns()

    def wrapped(self, stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The same function, timed under the name of a stage."""
        clock, spent_ns, calls = time.thread_time_ns, self.spent_ns, self.calls

        def timed(*arguments: Any, **options: Any) -> Any:
            if self.rests:
                return function(*arguments, **options)
            began = clock()
            try:
                return function(*arguments, **options)
            finally:
                spent_ns[stage] += clock() - began
                calls[stage] += 1

        return timed

    def resting(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The same function, during which nothing is added to any stage."""

        def rested(*arguments: Any) -> Any:
            self.rests = True
            try:
                return function(*arguments)
            finally:
                self.rests = False

        return rested

    def stage_us(self, stage: str) -> float:
        """Microseconds spent in a stage."""
        return max(0.0, self.spent_ns[stage] - self.calls[stage] * self._own_ns) / 1_000

    def _calibrated_ns(self) -> float:
        """What timing adds to each call, taken from a function that does nothing."""

        def nothing(_: object) -> None:
            return None

        timed = self.wrapped("", nothing)
        lowest = float("inf")
        for _ in range(3):
            self.spent_ns[""] = 0
            for _ in range(CALIBRATION_CALLS):
                timed(None)
            bare = time.thread_time_ns()
            for _ in range(CALIBRATION_CALLS):
                nothing(None)
            bare_ns = time.thread_time_ns() - bare
            lowest = min(lowest, (self.spent_ns[""] - bare_ns) / CALIBRATION_CALLS)
        del self.spent_ns[""], self.calls[""]
        return max(0.0, lowest)


@contextmanager
def replaced(places: Sequence[tuple[ModuleType, str, Any]]) -> Iterator[None]:
    """Put other objects under the names of modules, and the former ones back at the end.

    Raises AttributeError for a name that a module does not have (any more).
    """
    former = [(module, name, getattr(module, name)) for module, name, _ in places]
    try:
        for module, name, one in places:
            setattr(module, name, one)
        yield
    finally:
        for module, name, one in former:
            setattr(module, name, one)
