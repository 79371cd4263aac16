"""`python -m tests.bench NAME [--json]`: one benchmark, its figures, what it had to reach.

Exits with 0 when it ran, whatever it found, and with 2 when it could not run.
"""

import argparse
import dataclasses
import importlib
import json
import os
import sys
from collections.abc import Sequence
from typing import Any

from rich.console import Console

from streams.servers.errors import ServerError
from tests.bench.report import show
from tests.bench.rig import CannotRun, Options, forget_own_settings

NAMES = {
    "fold": "tests.bench.fold",
    "product": "tests.bench.product",
    "step": "tests.bench.step",
    "rules": "tests.bench.rules",
    "latency": "tests.bench.latency",
    "gateway": "tests.bench.gateway",
    "memory": "tests.bench.memory",
    "timers": "tests.bench.timers",
    "recovery": "tests.bench.recovery",
    "scale": "tests.bench.scale",
    "replay": "tests.bench.replay",
}


def main(arguments: Sequence[str] | None = None) -> int:
    asked = _parser().parse_args(arguments)
    forget_own_settings()
    errors = Console(stderr=True)
    options = _options(asked, errors)
    try:
        benchmark = importlib.import_module(NAMES[asked.name])
        figures = benchmark.run(options)
    except (CannotRun, ServerError, ModuleNotFoundError) as error:
        errors.print(f"{asked.name} could not run: {error}", markup=False)
        return 2
    except Exception:
        errors.print_exception()
        return 2
    figures = {"name": asked.name, **figures, **machine()}
    if asked.json:
        print(json.dumps(figures))
    else:
        show(figures, benchmark.MUST, options, Console())
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("name", choices=sorted(NAMES))
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    parser.add_argument("--customers", type=int, help="how many customers; its own by default")
    parser.add_argument("--window-s", type=float, help="seconds measured in each round")
    parser.add_argument("--warm-s", type=float, help="seconds of warm-up before them")
    parser.add_argument("--rounds", type=int)
    parser.add_argument(
        "--packs",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="a playbook of all ready packs is in use (product, step, memory)",
    )
    parser.add_argument("--small", action="store_true", help="only show that it works")
    return parser


def _options(asked: argparse.Namespace, errors: Console) -> Options:
    options = Options(
        packs=asked.packs, say=lambda text: errors.print(text, markup=False, highlight=False)
    )
    if asked.small:
        options = options.made_small()
    chosen = {
        name: getattr(asked, name)
        for name in ("customers", "window_s", "warm_s", "rounds")
        if getattr(asked, name) is not None
    }
    return dataclasses.replace(options, **chosen)


def machine() -> dict[str, Any]:
    """Say where it ran and what else ran there."""
    return {"cores": os.cpu_count(), "load_average_1m": round(os.getloadavg()[0], 2)}


if __name__ == "__main__":
    sys.exit(main())
