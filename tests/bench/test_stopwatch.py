"""The stopwatch of single functions: what it adds up, what it takes off, what it leaves."""

import time
from types import ModuleType

import pytest

from tests.bench.stopwatch import Stopwatch, replaced


def busy(milliseconds: float) -> str:
    until = time.thread_time() + milliseconds / 1000
    while time.thread_time() < until:
        pass
    return "done"


def test_time_in_a_function_is_added_to_its_stage() -> None:
    watch = Stopwatch()
    timed = watch.wrapped("work", busy)
    assert [timed(2.0), timed(3.0)] == ["done", "done"]
    assert watch.stage_us("work") >= 4_900
    assert watch.calls["work"] == 2


def test_looking_at_the_clock_costs_a_stage_almost_nothing() -> None:
    watch = Stopwatch()
    timed = watch.wrapped("nothing", lambda: None)
    for _ in range(10_000):
        timed()
    assert watch.stage_us("nothing") / 10_000 < 1.0


def test_nothing_is_added_while_it_rests() -> None:
    watch = Stopwatch()
    inner = watch.wrapped("inner", busy)
    watch.resting(inner)(1.0)
    assert watch.stage_us("inner") == 0.0
    inner(1.0)
    assert watch.calls["inner"] == 1


def test_what_raises_is_timed_and_raises() -> None:
    watch = Stopwatch()
    with pytest.raises(ZeroDivisionError):
        watch.wrapped("wrong", lambda: 1 / 0)()
    assert watch.calls["wrong"] == 1


def test_names_are_put_back_and_unknown_ones_refused() -> None:
    module = ModuleType("somewhere")
    module.name = "own"  # type: ignore[attr-defined]
    with replaced([(module, "name", "other")]):
        assert module.name == "other"  # type: ignore[attr-defined]
    assert module.name == "own"  # type: ignore[attr-defined]
    with pytest.raises(AttributeError), replaced([(module, "gone", 1)]):
        pass
