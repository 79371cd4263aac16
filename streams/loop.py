"""The loop on which a role runs, and how often it stops to look for garbage."""

import asyncio
import gc
from collections.abc import Coroutine
from typing import Any

import uvloop

# Rows and events are trees, freed as soon as nobody holds them; cycles are rare, and looking for
# them through all rows at hand would be a pause. Records that were fetched and wait come and go by
# the ten thousand, and are no reason to look. The defaults look after every 700 new objects.
COLLECT_AFTER = (200_000, 5, 100)


def run_role(main: Coroutine[Any, Any, None]) -> None:
    """Run a role until it ends, on uvloop."""
    gc.set_threshold(*COLLECT_AFTER)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main)
