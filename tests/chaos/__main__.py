"""The chaos suite: `python -m tests.chaos --faults 200 --seed 7 --json`.

    --faults N --seed N     a storm of N faults, chosen by the seed
    --plan FILE             the storm of a plan that an earlier run has printed
    --sabotage NAME         one guard taken away, a fixed plan made for it; `all`: all of them
    --guarded               the same plan with the guard in place

Exit code 0: nothing lost, nothing twice. 1: a counter is above 0. 2: it could not run.
"""

import argparse
import asyncio
import json
import logging
import secrets
import shutil
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Any

import msgspec
import structlog

from tests.chaos import driver, guards
from tests.chaos.faults import Fault, as_json, plan_of
from tests.chaos.stage import Ground

PAUSE_S = 3.4
CLEAN, DIRTY, NOT_RUN = 0, 1, 2
STAGES_AT_ONCE = 2


def main() -> int:
    """Run what the command line asks for; the exit code."""
    options = _parser().parse_args()
    _keep_quiet()
    folder = Path(tempfile.mkdtemp(prefix="huitou-chaos-"))
    try:
        code, told = asyncio.run(_run(options, folder))
    except (Exception, KeyboardInterrupt):
        traceback.print_exc()
        print(f"could not run; logs in {folder}", file=sys.stderr)
        return NOT_RUN
    if code == CLEAN and not options.keep:
        shutil.rmtree(folder, ignore_errors=True)
    else:
        print(f"logs in {folder}", file=sys.stderr)
    _print(told, as_json=options.json)
    return code


def _keep_quiet() -> None:
    """Leave stdout to the verdict; roles and servers have logs of their own."""
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--faults", type=int, default=10)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--plan", type=Path, default=None)
    parser.add_argument("--sabotage", choices=[*guards.ACTS, "all"], default=None)
    parser.add_argument("--guarded", action="store_true")
    parser.add_argument("--pause", type=float, default=PAUSE_S, help="mean seconds between faults")
    parser.add_argument("--keep", action="store_true", help="keep the logs of a clean run too")
    parser.add_argument("--json", action="store_true")
    return parser


async def _run(options: argparse.Namespace, folder: Path) -> tuple[int, Any]:
    started = time.monotonic()
    if options.sabotage == "all":
        return await _all_acts(folder)
    seed = secrets.randbelow(1_000_000) if options.seed is None else options.seed
    plan = [] if options.sabotage else _plan(options, seed)
    async with Ground(folder) as ground:
        if options.sabotage:
            name = options.sabotage
            report = await guards.play(ground, name, guarded=options.guarded)
            faults = 1
        else:
            (folder / "plan.json").write_text(json.dumps(as_json(plan)))
            report = await driver.storm(ground, "storm", seed, plan)
            if not report.verdict.sizes["actions"]:
                raise RuntimeError("nobody was written to: a storm like that proves nothing")
            faults = len(plan)
    code, told = _told(report)
    told = {"faults": faults, **told, "seconds": round(time.monotonic() - started, 1)}
    told["seed"] = seed
    if code != CLEAN and plan:
        told["plan"] = str(folder / "plan.json")
    return code, told


def _plan(options: argparse.Namespace, seed: int) -> list[Fault]:
    if options.plan is not None:
        return msgspec.json.decode(options.plan.read_bytes(), type=list[Fault])
    return plan_of(seed, options.faults, options.pause)


async def _all_acts(folder: Path) -> tuple[int, Any]:
    """Every sabotage and its guarded twin on the same servers; 0 when each is as it must be."""
    # They wait more than they work: for sessions to end, for roles to start.
    stages = asyncio.Semaphore(STAGES_AT_ONCE)

    async def one(name: str, guarded: bool) -> dict[str, Any]:
        async with stages:
            told = await _act(ground, name, guarded=guarded)
        print(told, file=sys.stderr)
        return told

    async with Ground(folder) as ground, asyncio.TaskGroup() as group:
        playing = [
            group.create_task(one(name, guarded))
            for name in guards.ACTS
            for guarded in (False, True)
        ]
    acts = [task.result() for task in playing]
    return (CLEAN if all(act["as_due"] for act in acts) else DIRTY), acts


async def _act(ground: Ground, name: str, *, guarded: bool) -> dict[str, Any]:
    started = time.monotonic()
    counters = (await guards.play(ground, name, guarded=guarded)).verdict.counters
    numbers = counters.numbers
    seen = any(numbers[counter] for counter in guards.ACTS[name].counters)
    as_due = counters.clean if guarded else seen
    return {
        "sabotage": name,
        "guarded": guarded,
        "as_due": as_due,
        **{k: v for k, v in numbers.items() if v},
        "seconds": round(time.monotonic() - started, 1),
        "examples": counters.examples if not as_due else {},
    }


def _told(report: driver.Report) -> tuple[int, dict[str, Any]]:
    counters = report.verdict.counters
    told = {
        **counters.numbers,
        "sizes": report.verdict.sizes,
        "told": dict(sorted(report.told.items())),
        "exits": report.exits,
        "moods": report.moods,
    }
    if not counters.clean:
        told["examples"] = counters.examples
    return (CLEAN if counters.clean else DIRTY), told


def _print(told: Any, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(told))
        return
    for entry in told if isinstance(told, list) else [told]:
        for name, value in entry.items():
            print(f"{name:>22}  {value}")


if __name__ == "__main__":
    sys.exit(main())
