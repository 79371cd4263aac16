"""Plays random schedules from one seed: `python -m tests.simulation --seed N --schedules 2000`.

Exits 0 when every schedule ended as the oracle says, else 1 after naming the seeds that did not;
`--seed S --schedules 1` plays a named one again, exactly. `--without GUARD` takes a guard away.
"""

import argparse
import sys
import time
from collections import Counter

from tests.simulation.names import simulated
from tests.simulation.plan import planned
from tests.simulation.world import GUARDS, played

SHOWN_AT_MOST = 5


def main() -> int:
    options = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--schedules", type=int, default=2_000)
    options.add_argument("--without", action="append", default=[], choices=GUARDS)
    given = options.parse_args()
    struck, ends, failed, steps = Counter[str](), Counter[str](), 0, 0
    began, began_cpu = time.perf_counter(), time.process_time()
    with simulated():
        for seed in range(given.seed, given.seed + given.schedules):
            try:
                world = played(planned(seed), frozenset(given.without))
            except AssertionError as error:
                failed += 1
                if failed <= SHOWN_AT_MOST:
                    print(f"seed {seed}: {str(error)[:1_000]}", flush=True)
                continue
            struck, ends, steps = struck + world.struck, ends + world.ends, steps + world.loop.steps
    seconds, cpu_s = time.perf_counter() - began, time.process_time() - began_cpu
    print(f"faults struck: {dict(struck)}")
    print(f"processes that ended: {dict(ends)}")
    print(
        f"{given.schedules} schedules from seed {given.seed} in {seconds:.1f} s, "
        f"{given.schedules / seconds * 60:.0f} a minute ({given.schedules / cpu_s * 60:.0f} a "
        f"minute of processor time), {steps} steps; failed {failed}"
    )
    return 1 if failed else 0


sys.exit(main())
