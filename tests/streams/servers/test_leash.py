"""No child outlives its parent, however the parent ends."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from streams.servers import leash
from streams.servers.child import is_alive

PARENT = """
import subprocess, sys
from streams.servers.leash import leashed
command = leashed([sys.executable, "-c", "import time; time.sleep(60)"])
if sys.argv[1:]:
    command.insert(3, "--watch")
child = subprocess.Popen(command)
print(child.pid, flush=True)
child.wait()
"""


CHILD = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
print("up", flush=True)
time.sleep(60)
"""


def await_death(pid: int) -> bool:
    deadline = time.monotonic() + 10
    while is_alive(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not is_alive(pid)


@pytest.mark.parametrize("variant", [[], ["--watch"]])
def test_a_child_dies_when_its_parent_is_killed(variant: list[str]) -> None:
    command = [sys.executable, "-c", PARENT, *variant]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as parent:
        assert parent.stdout
        child = int(parent.stdout.readline())
        assert is_alive(child)
        parent.kill()
    assert await_death(child)


@pytest.mark.parametrize("variant", [[], ["--watch"]])
def test_a_signal_and_the_exit_code_pass_through(variant: list[str]) -> None:
    command = leash.leashed([sys.executable, "-c", CHILD])
    command[3:3] = variant
    with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
        assert child.stdout
        child.stdout.readline()
        child.send_signal(signal.SIGTERM)
        assert child.wait(10) == 7


def test_a_child_whose_parent_is_gone_already_does_not_start(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    command = [sys.executable, "-IS", leash.__file__, str(os.getppid()), "touch", str(mark)]
    done = subprocess.run(command, capture_output=True, check=False, text=True)
    assert "was gone before its child could start" in done.stderr
    assert not mark.exists()
