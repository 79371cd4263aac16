"""`huitou up --demo --once`: the same numbers whether or not worker and broker are killed."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from streams.servers.listing import Entry, entries
from streams.servers.ports import free_port
from streams.settings import Settings

pytestmark = pytest.mark.real

PROJECT = Path(__file__).parents[2]
DAYS = "9"
PATIENCE_S = 420.0
PORTS = ("kafka", "kafka-controller", "valkey", "clickhouse", "gateway", "web")
# Both are one shop: who is in the holdout, and so what is sent, goes by the customers' tokens.
TOKEN_KEY = "5a" * 32
TIMES = {"seconds", "events_per_s", "event_to_clickhouse_p99_ms"}
# When each is killed, as the share of the history that is in the log by then.
DEATHS = ((0.1, "worker"), (0.3, "worker"), (0.5, "kafka"), (0.7, "worker"))


class Run:
    """One run of `up` in a process group of its own."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        ports = [part for name in PORTS for part in (f"--{name}-port", str(free_port()))]
        self.errors = data_dir.with_suffix(".err")
        with self.errors.open("wb") as errors:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "streams.cli", "up", "--demo", "--once"),
                    *("--headless", "--json", "--days", DAYS, "--data-dir", str(data_dir)),
                    *ports,
                ],
                cwd=PROJECT,
                env=os.environ | {"HUITOU_TOKEN_KEY": TOKEN_KEY},
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )

    def listed(self) -> dict[str, Entry]:
        """What `ps` would say, by role."""
        return {entry["role"]: entry for entry in entries(Settings(data_dir=self.data_dir))}

    def kill_when(self, share: float, role: str) -> None:
        """Kill a role by SIGKILL once so much of the history is in the log."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            roles = self.listed() if self.data_dir.exists() else {}
            done = (roles["replay"]["progress"] or 0.0) if "replay" in roles else 0.0
            pid = roles[role]["pid"] if role in roles else None
            if done >= share and pid is not None and roles[role]["state"] == "ready":
                os.kill(pid, signal.SIGKILL)
                return
            assert self.process.poll() is None, f"ended before {share:.0%}: {self.words}"
            assert time.monotonic() < deadline, f"never came to {share:.0%}: {self.words}"
            time.sleep(0.1)

    def summary(self) -> dict[str, Any]:
        """Wait for the end and give what it printed."""
        printed, _ = self.process.communicate(timeout=PATIENCE_S)
        assert self.process.returncode == 0, self.words
        found: dict[str, Any] = json.loads(printed)
        return found

    @property
    def words(self) -> str:
        return self.errors.read_text()[-3_000:]


@pytest.fixture
def runs(tmp_path: Path) -> Iterator[list[Run]]:
    """Runs that are ended with the test."""
    started: list[Run] = []
    yield started
    for run in started:
        if run.process.poll() is None:
            run.process.send_signal(signal.SIGINT)
            run.process.wait(60)


def test_deaths_of_worker_and_broker_change_nothing_but_the_times(
    tmp_path: Path, runs: list[Run]
) -> None:
    runs.append(Run(tmp_path / "calm"))
    calm = runs[0].summary()
    runs.append(Run(tmp_path / "killed"))
    for share, role in DEATHS:
        runs[1].kill_when(share, role)
    killed = runs[1].summary()

    assert calm["lost"] == calm["duplicated"] == 0
    assert calm["events_in"] == calm["events_folded"] > 3_000
    assert calm["customers"] == calm["profiles_in_redis"]
    assert {k: v for k, v in killed.items() if k not in TIMES} == {
        k: v for k, v in calm.items() if k not in TIMES
    }
