"""A role's loop: uvloop, with rare looks for garbage."""

import asyncio
import gc

import pytest
import uvloop

from streams.loop import COLLECT_AFTER, run_role


@pytest.fixture
def thresholds() -> object:
    before = gc.get_threshold()
    yield before
    gc.set_threshold(*before)


def test_a_role_runs_on_uvloop_and_collects_rarely(thresholds: tuple[int, int, int]) -> None:
    seen: list[object] = []

    async def role() -> None:
        seen.extend([type(asyncio.get_running_loop()), gc.get_threshold()])

    run_role(role())
    assert seen == [uvloop.Loop, COLLECT_AFTER]
    assert COLLECT_AFTER[0] > thresholds[0]
