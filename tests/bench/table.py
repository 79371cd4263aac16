"""`python -m tests.bench.table [NAME ...]`: run benchmarks and write their table into README.md.

Without names all of them. What a run found is kept in `.bench/results`, so that one may be run
again and the table still shows the others.
"""

import importlib
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tests.bench.__main__ import NAMES
from tests.bench.report import spoken
from tests.bench.rig import PROJECT, Options, Target, targets_of

README = PROJECT / "README.md"
RESULTS = PROJECT / ".bench" / "results"
BEGIN, END = "<!-- bench -->", "<!-- /bench -->"
SIGNS = {">=": "≥", "<=": "≤", "==": "="}
VERDICTS = {True: "reached", False: "**missed**", None: "not measured"}
NOT_FIGURES = {"name", "customers", "cores", "load_average_1m"}


class Run(NamedTuple):
    """One line of `make bench`."""

    name: str
    customers: int | None = None

    @property
    def title(self) -> str:
        return self.name if self.customers is None else f"{self.name}, {self.customers:,} customers"

    @property
    def result(self) -> Path:
        suffix = "" if self.customers is None else f"-{self.customers}"
        return RESULTS / f"{self.name}{suffix}.json"

    @property
    def arguments(self) -> list[str]:
        more = [] if self.customers is None else ["--customers", str(self.customers)]
        return [self.name, "--json", *more]


RUNS = (
    Run("fold", 5_000),
    Run("fold", 500_000),
    *(Run(name) for name in NAMES if name != "fold"),
)


def main(names: Sequence[str]) -> int:
    unknown = set(names) - set(NAMES)
    if unknown:
        print(f"no such benchmark: {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
        return 2
    for run in RUNS:
        if not names or run.name in names:
            execute(run)
    found = [(run, json.loads(run.result.read_text())) for run in RUNS if run.result.exists()]
    README.write_text(with_table(README.read_text(), table_of(found)))
    return 0


def execute(run: Run) -> None:
    """Run it in a process of its own and keep what it said, or why it could not run."""
    print(f"--- {run.title}", flush=True)
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench", *run.arguments],
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    figures = json.loads(done.stdout) if done.returncode == 0 else {"could_not_run": True}
    RESULTS.mkdir(parents=True, exist_ok=True)
    run.result.write_text(json.dumps(figures, indent=1) + "\n")


def with_table(readme: str, table: str) -> str:
    """The README with the table between its markers; ValueError without them."""
    before, begin, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{README.name} has no {BEGIN} … {END} to write the table between")
    return f"{before}{BEGIN}\n{table}{END}{after}"


def table_of(found: Sequence[tuple[Run, dict[str, Any]]]) -> str:
    """Everything measured as Markdown: figures against targets, then the engines of `fold`."""
    lines = ["| benchmark | figure | measured | must | |", "|---|---|--:|--:|---|"]
    for run, figures in found:
        lines += _figure_rows(run, figures)
    for run, figures in found:
        if run.name == "fold" and "engines" in figures:
            lines += ["", *_engine_rows(run, figures)]
    machines = {(one["cores"], one["load_average_1m"]) for _, one in found if "cores" in one}
    cores = max((cores for cores, _ in machines), default=0)
    load = max((load for _, load in machines), default=0.0)
    head = f"`make bench` on {cores} cores, load average {load} at most after a benchmark.\n\n"
    return head + "\n".join(lines) + "\n"


def _figure_rows(run: Run, figures: dict[str, Any]) -> list[str]:
    if "could_not_run" in figures:
        return [f"| {run.title} | | could not run | | |"]
    must = importlib.import_module(NAMES[run.name]).MUST
    targets = {one.field: one for one in targets_of(must, Options(customers=run.customers))}
    shown = {
        field: value
        for field, value in figures.items()
        if field not in NOT_FIGURES and isinstance(value, int | float)
    }
    rows = [
        f"| `{field}` | {spoken(value)} | {_against(targets.pop(field, None), figures)} |"
        for field, value in shown.items()
    ]
    rows += [f"| `{one.field}` | – | {_against(one, figures)} |" for one in targets.values()]
    return [f"| {run.title if at == 0 else ''} {row}" for at, row in enumerate(rows)]


def _against(target: Target | None, figures: dict[str, Any]) -> str:
    if target is None:
        return "| "
    verdict = VERDICTS[target.reached_by(figures)]
    return f"{SIGNS[target.comparison]} {spoken(target.value)} | {verdict}"


def _engine_rows(run: Run, figures: dict[str, Any]) -> list[str]:
    rows = [
        f"| engine ({run.title}) | guarantee | events/s | lowest – highest | CPU µs | setup |",
        "|---|---|--:|--:|--:|---|",
    ]
    for one in figures["engines"]:
        told = f"{one['setup']}; counted by {one['counted_by']}"
        if "skipped" in one:
            speed = f"skipped: {one['skipped']} | |"
        else:
            extremes = f"{one['lowest_events_per_s']:,} – {one['highest_events_per_s']:,}"
            speed = f"{one['events_per_s']:,} | {extremes} | {one['cpu_us_per_event']:.1f}"
        rows.append(f"| {one['engine']} | {one['guarantee']} | {speed} | {told} |")
    return rows


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
