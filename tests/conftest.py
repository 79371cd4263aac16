"""Real servers for the tests that ask for them: one of each a session, on free ports."""

import os
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from uuid import uuid4

import pytest

from streams import exit as exit_module
from streams.servers.clickhouse import ClickHouse
from streams.servers.kafka import Kafka
from streams.servers.ports import free_port
from streams.servers.valkey import Valkey
from streams.settings import Settings
from tests.contract.warehouse import drop_database


def pytest_configure() -> None:
    """An operator's own HUITOU_* variables must not reach the tests."""
    for name in [name for name in os.environ if name.startswith("HUITOU_")]:
        del os.environ[name]
    # A broker of a test lives for seconds: compiling it well costs more than it gives.
    os.environ["JDK_JAVA_OPTIONS"] = "-XX:TieredStopAtLevel=1"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Take files with servers first, so that what is left at the end is short."""
    slow = {item.path for item in items if item.get_closest_marker("real")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(autouse=True)
def _answers_are_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """What runs tests side by side tells each a width; commands would fold their answers by it."""
    monkeypatch.delenv("COLUMNS", raising=False)


@pytest.fixture(autouse=True)
def _the_run_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """A role within a test that would end its process fails the test, not all that follow."""

    def end(code: int) -> None:
        raise AssertionError(f"the process would have ended with {code}")

    monkeypatch.setattr(exit_module, "os", SimpleNamespace(_exit=end))


@pytest.fixture(scope="session")
def servers_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data directory of the session's servers."""
    return tmp_path_factory.mktemp("servers")


@pytest.fixture(scope="session")
def kafka(servers_dir: Path) -> Iterator[str]:
    """Bootstrap address of an Apache Kafka that lives as long as the session."""
    server = Kafka(servers_dir, free_port(), free_port())
    with server.running():
        yield server.address


@pytest.fixture(scope="session")
def valkey(servers_dir: Path) -> Iterator[str]:
    """URL of a Valkey that lives as long as the session."""
    server = Valkey(servers_dir, free_port())
    with server.running():
        yield server.address


@pytest.fixture(scope="session")
def clickhouse(servers_dir: Path) -> Iterator[str]:
    """URL of a ClickHouse engine that lives as long as the session."""
    server = ClickHouse(servers_dir, free_port())
    with server.running():
        yield server.address


@pytest.fixture
def settings(kafka: str, valkey: str, clickhouse: str, tmp_path: Path) -> Iterator[Settings]:
    """Settings of an installation of its own on the session's servers, with short intervals."""
    name = uuid4().hex[:12]
    yield Settings(
        data_dir=tmp_path,
        kafka=kafka,
        redis_url=valkey,
        clickhouse_url=clickhouse,
        clickhouse_database=f"t_{name}",
        namespace=f"t-{name}-",
        partitions=2,
        gateway_port=free_port(),
        web_port=free_port(),
        commit_interval_ms=20,
        mark_interval_ms=100,
        session_timeout_ms=6_000,
    )
    drop_database(clickhouse, f"t_{name}")
