"""The command line: quick, clear about mistakes, and leaving nothing behind."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from typer.testing import CliRunner

from streams.cli import app
from streams.servers.child import is_alive
from streams.servers.ports import free_port

HUITOU = [sys.executable, "-m", "streams.cli"]
ROLES = ["kafka", "valkey", "clickhouse", "gateway", "worker", "learner", "sinks", "web"]
HEAVY = ["aiokafka", "faust", "chdb", "pandas", "pyarrow", "redis", "clickhouse_connect", "jgo"]


def test_the_version_loads_nothing_heavy() -> None:
    program = (
        "import sys; from streams.cli import app; app(['version'], standalone_mode=False); "
        f"print(sorted(set({HEAVY}) & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "huitou 0.1.0\n[]\n"


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        (
            {"HUITOU_PARTITIONS": "0"},
            "HUITOU_PARTITIONS=0: Input should be greater than or equal to 1",
        ),
        ({"HUITOU_WORKERS": "many"}, "HUITOU_WORKERS=many: Input should be a valid integer"),
        ({"HUITOU_CURRENCY": "euro"}, "HUITOU_CURRENCY=euro: String should match pattern"),
        (
            {"HUITOU_WEB_HOST": "0.0.0.0"},
            "HUITOU_WEB_HOST=0.0.0.0 is not loopback: set HUITOU_API_KEY",
        ),
        ({"HUITOU_WEBHOOK_SECRETS": "{oops"}, "HUITOU_WEBHOOK_SECRETS: expected JSON"),
    ],
)
def test_a_wrong_setting_is_named_in_one_line(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], told: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    result = CliRunner().invoke(app, ["ps"])
    assert result.exit_code == 2
    assert result.stderr.startswith(told)
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""


def test_several_wrong_settings_are_told_at_once_and_no_secret_is_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HUITOU_PARTITIONS", "0")
    monkeypatch.setenv("HUITOU_WEBHOOK_SECRETS", '["shop", "whsec_123"]')
    result = CliRunner().invoke(app, ["ps"])
    lines = result.stderr.splitlines()
    assert [line.split(":")[0] for line in lines] == [
        "HUITOU_PARTITIONS=0",
        "HUITOU_WEBHOOK_SECRETS",
    ]
    assert "whsec_123" not in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["up", "--once"],
        ["replay"],
        ["replay", __file__, "--demo"],
        ["up", "--web-port", "0"],
        ["deadletters", "retry"],
        ["deadletters", "retry", "0:1", "--all"],
    ],
)
def test_wishes_that_make_no_sense_are_refused(arguments: list[str]) -> None:
    assert CliRunner().invoke(app, arguments).exit_code == 2


def test_ps_of_an_empty_directory_lists_every_role_as_stopped(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["ps", "--json", "--data-dir", str(tmp_path)])
    found = json.loads(result.stdout)
    assert [entry["role"] for entry in found] == ROLES
    assert {(entry["state"], entry["pid"], entry["restarts"]) for entry in found} == {
        ("stopped", None, 0)
    }


def test_a_server_with_an_address_is_listed_as_external(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUITOU_KAFKA", "broker.example:9092,other.example:9093")
    monkeypatch.setenv("HUITOU_REDIS_URL", "redis://cache.example:6380/1")
    result = CliRunner().invoke(app, ["ps", "--json", "--data-dir", str(tmp_path)])
    found = {entry["role"]: (entry["state"], entry["port"]) for entry in json.loads(result.stdout)}
    assert found["kafka"] == ("external", 9092)
    assert found["valkey"] == ("external", 6380)
    assert found["clickhouse"] == ("stopped", 8523)


@contextmanager
def up(data_dir: Path, *arguments: str) -> Iterator["subprocess.Popen[str]"]:
    ports = {
        f"HUITOU_{name}_PORT": str(free_port())
        for name in ("KAFKA", "KAFKA_CONTROLLER", "VALKEY", "CLICKHOUSE", "GATEWAY", "WEB")
    }
    command = [*HUITOU, "up", "--headless", "--data-dir", str(data_dir), *arguments]
    with subprocess.Popen(
        command,
        env={**os.environ, **ports},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=60)


def ps(data_dir: Path) -> list[dict[str, Any]]:
    command = [*HUITOU, "ps", "--json", "--data-dir", str(data_dir)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def await_ready(process: "subprocess.Popen[str]", data_dir: Path) -> list[dict[str, Any]]:
    deadline = time.monotonic() + 300
    while True:
        assert process.poll() is None, process.communicate()
        found = ps(data_dir)
        if all(entry["state"] == "ready" for entry in found):
            return found
        assert time.monotonic() < deadline, found
        time.sleep(0.2)


def family_of(pid: int) -> set[int]:
    return {child.pid for child in psutil.Process(pid).children(recursive=True)}


@pytest.mark.real
def test_everything_comes_up_and_goes_down_without_a_trace(tmp_path: Path) -> None:
    with up(tmp_path, "--workers", "2", "--json") as process:
        found = await_ready(process, tmp_path)
        roles = [entry["role"] for entry in found]
        assert roles == [*ROLES[:4], "worker", *ROLES[4:]]
        assert all(
            set(entry) == {"role", "pid", "port", "state", "restarts", "progress"}
            for entry in found
        )
        family = family_of(process.pid)
        assert {entry["pid"] for entry in found} == family
        assert process.stdout
        addresses = json.loads(process.stdout.readline())
        with urllib.request.urlopen(addresses["page"] + "/healthz") as answer:
            assert answer.status == 200
        again = subprocess.run(
            [*HUITOU, "up", "--data-dir", str(tmp_path)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert again.returncode == 1
        assert f"in use by process {process.pid}" in again.stderr
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
        assert not any(is_alive(pid) for pid in family)
    assert {entry["state"] for entry in ps(tmp_path)} == {"stopped"}


@pytest.mark.real
def test_a_killed_broker_and_a_killed_worker_come_back_and_a_killed_supervisor_takes_all_along(
    tmp_path: Path,
) -> None:
    with up(tmp_path) as process:
        before = {entry["role"]: entry["pid"] for entry in await_ready(process, tmp_path)}
        os.kill(before["kafka"], signal.SIGKILL)
        os.kill(before["worker"], signal.SIGKILL)
        deadline = time.monotonic() + 120
        while {entry["role"]: entry["pid"] for entry in ps(tmp_path)}["kafka"] in (
            None,
            before["kafka"],
        ):
            assert time.monotonic() < deadline
        found = {entry["role"]: entry for entry in await_ready(process, tmp_path)}
        assert found["kafka"]["restarts"] == 1
        assert found["worker"]["restarts"] >= 1
        assert found["clickhouse"]["pid"] == before["clickhouse"]
        family = family_of(process.pid)
        process.kill()
        process.wait()
        deadline = time.monotonic() + 10
        while any(is_alive(pid) for pid in family):
            assert time.monotonic() < deadline
            time.sleep(0.05)
