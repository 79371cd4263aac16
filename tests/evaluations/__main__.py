"""`python -m tests.evaluations [NAME…] [--json]`: judge every model on the histories at hand.

Each line is a command of its own, as a shop would run it; what cannot be run says why.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.evaluations import histories
from tests.evaluations.histories import Missing

FOLDER = histories.PROJECT / ".evaluate"
Arguments = Callable[[Path], list[str]]


def _nab(_: Path) -> list[str]:
    series, labels = histories.nab()
    return ["anomaly", *map(str, series), "--labels", str(labels)]


def _drops(size: str, seed: str) -> Arguments:
    return lambda folder: [
        "drops",
        str(histories.complete_journey(folder)),
        *("--size", size, "--seed", seed),
    ]


def _dormancy(history: Callable[[Path], Path], days: str, *more: str) -> Arguments:
    return lambda folder: ["dormancy", str(history(folder)), "--horizon-days", days, *more]


EVALUATIONS: dict[str, Arguments] = {
    "dormancy-online-retail": _dormancy(histories.online_retail, "60"),
    "dormancy-complete-journey": _dormancy(
        histories.complete_journey, "30", "--every-days", "14", "--burn-days", "60"
    ),
    "dormancy-cdnow": _dormancy(histories.cdnow, "90"),
    "forecast-cdnow": lambda folder: [
        "forecast",
        str(histories.cdnow_sample(folder)),
        *("--split", "1997-10-01"),
    ],
    "recommend-online-retail": lambda folder: ["recommend", str(histories.online_retail(folder))],
    "recommend-complete-journey": lambda folder: [
        "recommend",
        str(histories.complete_journey(folder)),
    ],
    "segments-online-retail": lambda folder: ["segments", str(histories.online_retail(folder))],
    "segments-complete-journey": lambda folder: [
        "segments",
        str(histories.complete_journey(folder)),
    ],
    "anomaly-nab": _nab,
    "drops-half-1": _drops("0.5", "1"),
    "drops-half-2": _drops("0.5", "2"),
    "drops-half-3": _drops("0.5", "3"),
    "drops-third-1": _drops("0.3", "1"),
}


def judged(name: str, folder: Path) -> dict[str, Any]:
    """Figures of one command, or that it failed; raises Missing where there is no history."""
    folder.mkdir(exist_ok=True)
    command = [
        sys.executable,
        "-m",
        "streams.cli",
        "evaluate",
        *EVALUATIONS[name](folder),
        "--json",
    ]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        return {"failed": f"`huitou evaluate` ended with {done.returncode}, see above"}
    figures: dict[str, Any] = json.loads(done.stdout)
    return figures


def main(arguments: list[str]) -> int:
    """Run what is named, or all; 0: all that is at hand was judged, 1: a command failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.evaluations")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(EVALUATIONS))
    parser.add_argument("--json", action="store_true", help="print JSON and nothing else")
    asked = parser.parse_args(arguments)
    unknown = sorted(set(asked.names) - EVALUATIONS.keys())
    if unknown:
        parser.error(f"unknown: {', '.join(unknown)}; there are {', '.join(EVALUATIONS)}")
    found: dict[str, dict[str, Any]] = {}
    for name in asked.names or EVALUATIONS:
        try:
            found[name] = judged(name, FOLDER)
        except Missing as missing:
            found[name] = {"skipped": str(missing)}
    if asked.json:
        print(json.dumps(found, indent=1))
    else:
        _show(found)
    return int(any("failed" in figures for figures in found.values()))


def _show(found: dict[str, dict[str, Any]]) -> None:
    table = Table(box=None, header_style="bold")
    table.add_column("evaluation")
    table.add_column("figures", overflow="fold")
    for name, figures in found.items():
        numbers = ", ".join(
            f"{key} {value:.4g}" if isinstance(value, float) else f"{key} {value}"
            for key, value in figures.items()
            if not isinstance(value, dict | list)
        )
        table.add_row(name, numbers)
    Console().print(table)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
