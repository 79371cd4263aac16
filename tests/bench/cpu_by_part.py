"""Who takes the cores while everything runs: CPU seconds by role and server, and of the load."""

import re
from contextlib import suppress

import psutil

LOAD = "load"
_ROLE = re.compile(r"streams\.cli ([a-z]+)")
_SERVERS = (("java", "kafka"), ("clickhouse_front", "clickhouse"), ("valkey", "valkey"))


def part_of(command: str) -> str | None:
    """Which part a command line is; None: none that is counted.

    >>> part_of("python -m streams.cli learner"), part_of("java -Xmx1g kafka.Kafka")
    ('learner', 'kafka')
    """
    found = _ROLE.search(command)
    if found is not None:
        return found[1]
    return next((name for word, name in _SERVERS if word in command), None)


def cpu_s_by_part() -> dict[str, float]:
    """CPU seconds so far of all that this process has started, and its own as the load's."""
    own = psutil.Process()
    spent = {LOAD: _cpu_s(own)}
    for child in own.children(recursive=True):
        with suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
            part = part_of(" ".join(child.cmdline()))
            if part is not None:
                spent[part] = spent.get(part, 0.0) + _cpu_s(child)
    return spent


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def cpu_us_between(
    before: dict[str, float], after: dict[str, float], events: int
) -> dict[str, float]:
    """CPU microseconds an event of each part that is there at both moments, as `NAME_cpu_us`."""
    return {
        f"{name}_cpu_us": round((after[name] - spent_s) * 1e6 / events, 1)
        for name, spent_s in before.items()
        if name in after
    }
