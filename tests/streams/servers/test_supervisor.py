"""Roles live as long as their supervisor wants and never longer."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from streams.servers.child import is_alive
from streams.servers.supervisor import Report, UnitReport, keep_short

ROLE = """
import signal, sys, time
from pathlib import Path
from streams.servers.status import StatusFile
name, manner, data_dir = sys.argv[1], sys.argv[2], Path(sys.argv[3])
if manner == "broken":
    sys.exit("this role has no module")
def end(*_):
    with (data_dir / "ends").open("a") as ends:
        ends.write(name + " ")
    sys.exit(0)
signal.signal(signal.SIGTERM, signal.SIG_IGN if manner == "stubborn" else end)
if manner == "ends":
    sys.exit(0)
StatusFile(data_dir, name).write(state="ready", progress=0.5)
time.sleep(300)
"""

SUPERVISOR = """
import sys
from pathlib import Path
from streams.servers.child import Child
from streams.servers.errors import ServerError
from streams.servers.status import StatusFile
from streams.servers.supervisor import Supervisor
from streams.servers.unit import Part

data_dir, role, *stages = Path(sys.argv[1]), *sys.argv[2:]

def part(spec):
    name, manner = spec.split(":")
    def ready(child):
        status = StatusFile(data_dir, name).read()
        return status is not None and status.is_by(child.pid)
    def start():
        command = [sys.executable, "-c", role, name, manner, str(data_dir)]
        return Child.start(data_dir, name, command)
    return Part(name, name, start, ready, is_server=manner == "server", ends=manner == "ends",
                attempts_most=2, progress=lambda _: 0.5)

def say(text):
    print(text, flush=True)

supervisor = Supervisor(data_dir, [[part(spec) for spec in stage.split()] for stage in stages], say)
try:
    with supervisor.running():
        supervisor.run()
except ServerError as error:
    sys.exit(str(error))
"""


@contextmanager
def supervised(data_dir: Path, *stages: str) -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-c", SUPERVISOR, str(data_dir), ROLE, *stages]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as supervisor:
        try:
            yield supervisor
        finally:
            supervisor.kill()


def units(data_dir: Path) -> dict[str, UnitReport]:
    report = Report.read(data_dir)
    return {unit.name: unit for unit in report.units} if report else {}


def until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def await_ready(data_dir: Path, *names: str) -> list[int]:
    def ready() -> bool:
        found = units(data_dir)
        return all(name in found and found[name].state == "ready" for name in names)

    until(ready)
    return [pid for name in names if (pid := units(data_dir)[name].pid)]


def all_dead(pids: list[int]) -> Callable[[], bool]:
    return lambda: not any(is_alive(pid) for pid in pids)


def test_a_killed_role_is_started_again_and_the_others_are_let_be(tmp_path: Path) -> None:
    with supervised(tmp_path, "a:role b:role"):
        first, other = await_ready(tmp_path, "a", "b")
        os.kill(first, signal.SIGKILL)
        until(lambda: units(tmp_path)["a"].restarts == 1)
        second, same = await_ready(tmp_path, "a", "b")
        assert second != first
        assert same == other
        assert units(tmp_path)["a"].progress == 0.5


@pytest.mark.skipif(not hasattr(psutil, "RLIMIT_FSIZE"), reason="no limits on file sizes here")
def test_a_disk_that_refuses_files_ends_nothing_and_what_died_meanwhile_comes_back(
    tmp_path: Path,
) -> None:
    with supervised(tmp_path, "a:role b:role") as supervisor:
        first, other = await_ready(tmp_path, "a", "b")
        limits = psutil.Process(supervisor.pid).rlimit
        soft, hard = limits(psutil.RLIMIT_FSIZE)
        limits(psutil.RLIMIT_FSIZE, (0, hard))
        os.kill(first, signal.SIGKILL)
        assert supervisor.stdout
        said = [supervisor.stdout.readline() for _ in range(5)]
        assert any("the disk refuses files (File too large)" in line for line in said)
        assert any("a [Errno 27] File too large" in line for line in said)
        limits(psutil.RLIMIT_FSIZE, (soft, hard))
        until(lambda: units(tmp_path)["a"].pid not in (None, first))
        assert await_ready(tmp_path, "a", "b")[1] == other
    assert not list((tmp_path / "run").glob(".*"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_everything_roles_before_servers(
    tmp_path: Path, number: signal.Signals
) -> None:
    with supervised(tmp_path, "one:server", "two:server", "a:role b:role") as supervisor:
        pids = await_ready(tmp_path, "one", "two", "a", "b")
        supervisor.send_signal(number)
        assert supervisor.wait(10) == 0
        assert all_dead(pids)()
        ends = (tmp_path / "ends").read_text().split()
        assert (set(ends[:2]), ends[2:]) == ({"a", "b"}, ["two", "one"])
        assert {unit.state for unit in units(tmp_path).values()} == {"stopped"}
        assert not list((tmp_path / "run").glob("*.pid"))


def test_nothing_survives_the_sigkill_of_the_supervisor(tmp_path: Path) -> None:
    with supervised(tmp_path, "one:server", "a:stubborn b:role") as supervisor:
        pids = await_ready(tmp_path, "one", "a", "b")
        supervisor.kill()
        supervisor.wait()
        until(all_dead(pids), 5.0)
        report = Report.read(tmp_path)
        assert report is not None
        assert not report.is_current()


def test_a_second_signal_hurries_a_stubborn_role(tmp_path: Path) -> None:
    with supervised(tmp_path, "a:stubborn") as supervisor:
        pids = await_ready(tmp_path, "a")
        began = time.monotonic()
        supervisor.send_signal(signal.SIGINT)
        assert supervisor.stdout
        until(lambda: supervisor.stdout.readline() == "stopping\n")
        assert is_alive(pids[0])
        supervisor.send_signal(signal.SIGINT)
        supervisor.wait(10)
        assert all_dead(pids)()
        assert time.monotonic() - began < 5


def test_a_stage_waits_for_the_one_before(tmp_path: Path) -> None:
    with supervised(tmp_path, "first:ends", "second:role") as supervisor:
        await_ready(tmp_path, "second")
        assert units(tmp_path)["first"].state == "done"
        supervisor.send_signal(signal.SIGTERM)
        assert supervisor.stdout
        told = [line.split(" (")[0].strip() for line in supervisor.stdout]
        assert told == ["first is done", "second is ready", "stopping", "stopped"]


def test_a_part_that_never_starts_ends_everything_with_its_last_words(tmp_path: Path) -> None:
    with supervised(tmp_path, "one:server", "a:broken") as supervisor:
        pids = await_ready(tmp_path, "one")
        told, _ = supervisor.communicate(timeout=20)
        assert supervisor.returncode == 1
        assert "a does not start: ended with code 1" in told
        assert told.rstrip().endswith("this role has no module")
        assert all_dead(pids)()


def test_a_long_log_is_cut_while_its_writer_goes_on(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    with log.open("ab", buffering=0) as writer:
        writer.write(b"x" * 20_000_001)
        keep_short(log)
        assert log.stat().st_size == 0
        writer.write(b"next")
        assert log.read_bytes() == b"next"
    assert log.with_suffix(".log.1").stat().st_size == 20_000_001


@pytest.mark.parametrize("content", ["", "{", '{"pid": 1, "born_at": 1}', '{"units": [{"a": 1}]}'])
def test_a_torn_report_tells_of_nothing(tmp_path: Path, content: str) -> None:
    path = Report.path(tmp_path)
    path.parent.mkdir()
    path.write_text(content)
    assert Report.read(tmp_path) is None


def test_the_report_is_json_for_other_programs(tmp_path: Path) -> None:
    with supervised(tmp_path, "a:role"):
        (pid,) = await_ready(tmp_path, "a")
        found = json.loads(Report.path(tmp_path).read_text())
        assert found["units"][0]["pid"] == pid
