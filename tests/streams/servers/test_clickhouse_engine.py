"""What is written to a disk that refuses it is never acknowledged, and what was is there again."""

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import clickhouse_connect
import psutil
import pytest
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

from streams.exit import FAILED
from streams.servers import statement
from streams.servers.child import Child
from streams.servers.clickhouse import ClickHouse
from streams.servers.clickhouse_engine import KEPT_FREE_BYTES, EngineError, Handle, Request
from streams.servers.ports import free_port

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not hasattr(psutil, "RLIMIT_FSIZE"), reason="no limits on file sizes here"),
]

FILE_LIMIT_BYTES = 200_000
"""A write beyond it is refused by the system, as by a full disk."""
ROWS = 10_000
RANDOM_ROWS = f"INSERT INTO t SELECT number, randomString(100) FROM numbers({ROWS})"
FEW_ROWS = "INSERT INTO t SELECT number, randomString(100) FROM numbers(1000)"


@pytest.fixture
def server(tmp_path: Path) -> ClickHouse:
    return ClickHouse(tmp_path / "回頭 data", free_port(), database="kept")


@contextmanager
def client_of(server: ClickHouse) -> Iterator[Client]:
    with clickhouse_connect.get_client(dsn=server.address, database="kept") as client:
        yield client


@pytest.fixture
def child(server: ClickHouse) -> Iterator[Child]:
    with server.running() as child:
        with client_of(server) as client:
            client.command("CREATE TABLE t (a UInt64, b String) ENGINE = MergeTree ORDER BY a")
            client.command("SYSTEM STOP MERGES t")
            for _ in range(5):
                client.command(FEW_ROWS)
        yield child


def refuse_large_files(child: Child) -> None:
    psutil.Process(child.pid).rlimit(psutil.RLIMIT_FSIZE, (FILE_LIMIT_BYTES, FILE_LIMIT_BYTES))


def await_end(child: Child) -> None:
    deadline = time.monotonic() + 30
    while child.is_alive():
        assert time.monotonic() < deadline, "it goes on after a write that failed"
        time.sleep(0.05)


def insert_until_refused(client: Client) -> None:
    for _ in range(100):
        client.command("INSERT INTO t VALUES (1, 'x')")
        time.sleep(0.05)


def rows_after_a_new_start(server: ClickHouse) -> tuple[int, int]:
    with server.running(), client_of(server) as client:
        [found] = client.query("SELECT count(), sum(length(b)) FROM t").result_rows
    return found[0], found[1]


def test_an_insert_the_disk_refused_is_an_error_and_leaves_no_row(
    server: ClickHouse, child: Child
) -> None:
    refuse_large_files(child)
    with client_of(server) as client, pytest.raises(ClickHouseError, match=r"Code: 75\..*refused"):
        client.command(RANDOM_ROWS)
    await_end(child)
    assert child.exit_code == FAILED
    assert "is it full?" in child.last_words(3)
    assert rows_after_a_new_start(server) == (5_000, 500_000)


def test_a_merge_the_disk_refused_takes_no_row_with_it(server: ClickHouse, child: Child) -> None:
    refuse_large_files(child)
    with client_of(server) as client:
        client.command("SYSTEM START MERGES t")
        with pytest.raises(ClickHouseError):
            insert_until_refused(client)
    await_end(child)
    count, length = rows_after_a_new_start(server)
    assert count > 5_000
    assert length == 500_000 + count - 5_000


def test_the_engine_keeps_what_a_merge_was_made_of_and_some_room_on_the_disk(
    server: ClickHouse,
) -> None:
    with server.running(), client_of(server) as client:
        ask = "SELECT value FROM system.merge_tree_settings WHERE name = 'old_parts_lifetime'"
        assert client.query(ask).result_rows == [("60",)]
        ask = "SELECT keep_free_space FROM system.disks"
        assert client.query(ask).result_rows == [(KEPT_FREE_BYTES,)]


@pytest.mark.parametrize("text", [b"CREATE TABLE u (a UInt8)", b"ALTER TABLE t RENAME"])
def test_no_definition_is_written_to_a_disk_that_is_nearly_full(
    text: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=KEPT_FREE_BYTES - 1))
    handle = Handle(tmp_path)
    try:
        with pytest.raises(EngineError, match=r"Code: 243\..*bytes free"):
            handle.execute(Request(statement.read(text)))
        assert handle.execute(Request(statement.read(b"SELECT 1"))).body == b"1\n"
    finally:
        handle.close()
