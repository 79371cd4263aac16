"""What every benchmark needs: options, targets, servers of its own, settings, processes.

Beside it: `broker.py` (topics, filling, counting), `rounds.py` (engines in turns, median, spread).
"""

import dataclasses
import operator
import os
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import SecretStr

from streams.servers.child import Child
from streams.servers.clickhouse import ClickHouse
from streams.servers.kafka import Kafka
from streams.servers.ports import free_port
from streams.servers.valkey import Valkey
from streams.settings import Settings

PROJECT = Path(__file__).parents[2]
COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "==": operator.eq,
}


@dataclass(frozen=True)
class Options:
    """What the command line asks for; `customers` None: the benchmark's own number.

    `small` only shows that a benchmark works: few events, no claim about speed. `packs`: a playbook
    of all ready packs is in use, where the benchmark measures the product.
    """

    customers: int | None = None
    window_s: float = 20.0
    warm_s: float = 10.0
    rounds: int = 3
    small: bool = False
    packs: bool = True
    say: Callable[[str], None] = lambda _: None

    def made_small(self) -> "Options":
        """The same in a few seconds."""
        return dataclasses.replace(self, window_s=0.5, warm_s=0.1, rounds=1, small=True)


class Target(NamedTuple):
    """A field that must reach a value; it counts where `applies` says so."""

    field: str
    comparison: str
    value: float
    applies: Callable[[Options], bool] = lambda _: True

    def reached_by(self, figures: Mapping[str, Any]) -> bool | None:
        """Whether the figure is good enough; None when it was not measured."""
        found = figures.get(self.field)
        return None if found is None else COMPARISONS[self.comparison](found, self.value)


Must = Sequence[tuple[str, str, float] | Target]
"""What a benchmark module lists as `MUST`."""


def targets_of(must: Must, options: Options) -> list[Target]:
    """The targets that count under these options."""
    targets = [Target(*one) for one in must]
    return [target for target in targets if target.applies(options)]


class CannotRun(Exception):
    """This benchmark can't run here; says why."""


@dataclass(frozen=True)
class Servers:
    """The servers of one benchmark; an address is empty where the server was not asked for."""

    directory: Path
    kafka: str
    redis_url: str = ""
    clickhouse_url: str = ""


@contextmanager
def servers(
    *, valkey: bool = False, clickhouse: bool = False, partitions: int = 4
) -> Iterator[Servers]:
    """Start Apache Kafka, and what else is asked for, in a directory that is gone afterwards."""
    with ExitStack() as stack:
        path = stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-"))
        directory = Path(path)
        broker = Kafka(directory, free_port(), free_port(), partitions)
        stack.enter_context(broker.running())
        found = Servers(directory, broker.address)
        if valkey:
            cache = Valkey(directory, free_port())
            stack.enter_context(cache.running())
            found = dataclasses.replace(found, redis_url=cache.address)
        if clickhouse:
            engine = ClickHouse(directory, free_port())
            stack.enter_context(engine.running())
            found = dataclasses.replace(found, clickhouse_url=engine.address)
        yield found


def settings(running: Servers, name: str, **others: Any) -> Settings:
    """Settings of an installation of its own: `name` is its data directory and its namespace."""
    chosen = {
        "data_dir": running.directory / name,
        "kafka": running.kafka,
        "redis_url": running.redis_url,
        "clickhouse_url": running.clickhouse_url,
        "namespace": f"{name}-",
        **others,
    }
    return Settings(**chosen)


def environment(chosen: Settings) -> dict[str, str]:
    """The settings as `HUITOU_*` variables: what differs from the defaults, and no others."""
    variables = {}
    for name in chosen.model_fields_set:
        value = getattr(chosen, name)
        text = value.get_secret_value() if isinstance(value, SecretStr) else str(value)
        variables[f"HUITOU_{name.upper()}"] = text
    return variables


def forget_own_settings() -> None:
    """An operator's own HUITOU_* variables must not reach a benchmark."""
    for name in [name for name in os.environ if name.startswith("HUITOU_")]:
        del os.environ[name]


def start_role(chosen: Settings, role: str, number: int = 1) -> Child:
    """Start one role of the product in a process of its own; the caller stops it."""
    return start_module(chosen, "streams.cli", role, name=f"{role}-{number}")


def start_module(chosen: Settings, module: str, *arguments: str, name: str) -> Child:
    """Start a module of this project in a process of its own; the caller stops it.

    Its log is `chosen.data_dir`/logs/`name`.log; it dies with this process.
    """
    command = [sys.executable, "-m", module, *arguments]
    variables = environment(chosen) | {"HUITOU_INSTANCE": name.rpartition("-")[2]}
    return Child.start(chosen.data_dir, name, command, None, variables, PROJECT)


def median(values: list[float]) -> float:
    """The value in the middle."""
    return float(statistics.median(values))


def spread(values: list[float]) -> float:
    """How far the extremes lie apart, as a share of the median."""
    return (max(values) - min(values)) / median(values)
