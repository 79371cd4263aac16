"""A process of ours is known again, and by nothing else mistaken for it."""

import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from streams.servers.child import Child, PidFile, last_lines, log_path

STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("here", flush=True)
time.sleep(60)
"""
SLEEPER = [sys.executable, "-c", "import time; print('here', flush=True); time.sleep(60)"]


def test_a_started_process_is_adopted_by_its_pid_file(tmp_path: Path) -> None:
    child = Child.start(tmp_path, "x", SLEEPER, port=1)
    try:
        adopted = Child.adopt(tmp_path, "x")
        assert adopted is not None
        assert (adopted.pid, adopted.identity.port, adopted.is_adopted) == (child.pid, 1, True)
    finally:
        child.stop()
    assert child.exit_code == -15
    assert Child.adopt(tmp_path, "x") is None


def test_an_adopted_process_whose_starter_lives_is_left_running(tmp_path: Path) -> None:
    child = Child.start(tmp_path, "x", SLEEPER)
    try:
        adopted = Child.adopt(tmp_path, "x")
        assert adopted is not None
        adopted.stop()
        assert child.is_alive()
        replace(child.identity, owner_pid=1_999_999_999).write(tmp_path, "x")
        orphan = Child.adopt(tmp_path, "x")
        assert orphan is not None
        orphan.stop()
        assert not child.is_alive()
    finally:
        child.stop()


def test_another_process_with_the_same_pid_is_not_ours(tmp_path: Path) -> None:
    PidFile(os.getpid(), 1.0, None, os.getpid()).write(tmp_path, "x")
    assert Child.adopt(tmp_path, "x") is None


@pytest.mark.parametrize("content", ["", "{}", "7", '{"pid": 1}'])
def test_a_broken_pid_file_tells_of_nothing(tmp_path: Path, content: str) -> None:
    path = PidFile.path(tmp_path, "x")
    path.parent.mkdir()
    path.write_text(content)
    assert Child.adopt(tmp_path, "x") is None


def test_a_stubborn_process_is_killed_after_its_grace(tmp_path: Path) -> None:
    child = Child.start(tmp_path, "x", [sys.executable, "-c", STUBBORN])
    while not child.log_path.read_text():
        assert child.is_alive()
    child.stop(grace_s=0.2)
    assert child.exit_code == -9


def test_the_end_of_a_log_is_quoted(tmp_path: Path) -> None:
    log = log_path(tmp_path, "x")
    assert "does not exist" in last_lines(log)
    log.parent.mkdir()
    log.write_text("".join(f"line {n}\n" for n in range(100)))
    assert last_lines(log, 2) == "    line 98\n    line 99"
