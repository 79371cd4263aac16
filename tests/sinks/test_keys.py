"""The key store: shared by processes, quick to forget, impossible to bring back."""

import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sinks.keys import KeyDestroyed, KeyMissing, SqliteKeyStore, WrongMasterKey

MASTER = bytes(range(32))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys" / "customers.sqlite"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteKeyStore]:
    opened = SqliteKeyStore(path, MASTER)
    yield opened
    opened.close()


def proof(store: SqliteKeyStore, customer: str) -> bytes:
    """What only this customer's key makes of fixed input; fine for a test, never elsewhere."""
    return store.get_or_create(customer).cipher.encrypt(b"0" * 12, b"text", b"")


def test_a_key_is_made_once_and_survives_a_restart(store: SqliteKeyStore, path: Path) -> None:
    first = proof(store, "anna")
    again = SqliteKeyStore(path, MASTER)
    assert proof(again, "anna") == first
    assert proof(again, "bert") != first
    again.close()


def test_many_keys_come_in_one_go_old_and_new(store: SqliteKeyStore) -> None:
    store.get_or_create("c7")
    names = [f"c{i}" for i in range(1200)]
    found = store.get_or_create_many([*names, "c3"])
    assert sorted(found) == sorted(names)
    assert all(store.holds(name) for name in names)


def test_a_key_nobody_made_is_missing(store: SqliteKeyStore) -> None:
    with pytest.raises(KeyMissing):
        store.get("anna")


def test_a_destroyed_key_never_comes_back(store: SqliteKeyStore, path: Path) -> None:
    store.get_or_create("anna")
    store.destroy("anna")
    for ask in (store.get, store.get_or_create):
        with pytest.raises(KeyDestroyed):
            ask("anna")
    assert list(store.get_or_create_many(["anna", "bert"])) == ["bert"]
    again = SqliteKeyStore(path, MASTER)
    with pytest.raises(KeyDestroyed):
        again.get_or_create("anna")
    again.close()


def test_a_customer_without_a_key_can_be_forgotten_beforehand(store: SqliteKeyStore) -> None:
    store.destroy("anna")
    store.destroy("anna")
    with pytest.raises(KeyDestroyed):
        store.get_or_create("anna")


def test_nothing_of_a_destroyed_key_stays_in_the_files(store: SqliteKeyStore, path: Path) -> None:
    store.get_or_create_many([f"c{i}" for i in range(50)])
    with sqlite3.connect(path) as plain:
        (wrapped,) = plain.execute("SELECT wrapped FROM keys WHERE customer = 'c7'").fetchone()
    plain.close()

    def files_with_it() -> list[str]:
        return [file.name for file in path.parent.iterdir() if wrapped in file.read_bytes()]

    assert files_with_it()
    store.destroy("c7")
    assert files_with_it() == []


def test_another_master_key_is_refused_by_name(store: SqliteKeyStore, path: Path) -> None:
    with pytest.raises(WrongMasterKey, match=r"customers\.sqlite"):
        SqliteKeyStore(path, bytes(32))


def test_a_short_master_key_is_refused(path: Path) -> None:
    with pytest.raises(ValueError, match="32 bytes, this one 5"):
        SqliteKeyStore(path, b"short")


def test_the_file_is_its_owners_alone(store: SqliteKeyStore, path: Path) -> None:
    assert {file.stat().st_mode & 0o077 for file in path.parent.iterdir()} == {0}


def test_memory_is_bounded_and_evicted_keys_are_read_again(path: Path) -> None:
    store = SqliteKeyStore(path, MASTER, capacity=10)
    before = [proof(store, f"c{i}") for i in range(30)]
    assert sum(store.holds(f"c{i}") for i in range(30)) == 10
    assert [proof(store, f"c{i}") for i in range(30)] == before
    store.close()


def test_threads_agree_on_every_key(store: SqliteKeyStore) -> None:
    names = [f"c{i}" for i in range(300)]
    seen: list[list[bytes]] = []

    def read() -> None:
        store.get_or_create_many(names)
        seen.append([proof(store, name) for name in names])

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 4
    assert all(one == seen[0] for one in seen)


def another_process(script: str, path: Path) -> "subprocess.Popen[str]":
    """Run a script that has the key store's file as `path` and the master key as `MASTER`."""
    head = f"""
import sys, time
from pathlib import Path
from sinks.keys import KeyDestroyed, SqliteKeyStore
from sinks.sealing import Sealer
MASTER, path = bytes(range(32)), Path({str(path)!r})
"""
    return subprocess.Popen(
        [sys.executable, "-c", head + script], stdout=subprocess.PIPE, text=True
    )


def test_processes_that_start_at_once_agree_on_every_key(path: Path) -> None:
    script = """
store = SqliteKeyStore(path, MASTER)
names = [f"c{i}" for i in range(200)]
for start in range(0, len(names), 20):
    store.get_or_create_many(names[start : start + 20])
for name in names:
    print(store.get_or_create(name).cipher.encrypt(b"0" * 12, b"text", b"").hex())
store.close()
"""
    processes = [another_process(script, path) for _ in range(3)]
    outputs = [process.communicate(timeout=60)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert outputs[0] == outputs[1] == outputs[2]
    assert len(set(outputs[0].split())) == 200


def test_a_key_destroyed_here_stops_working_in_another_process(
    store: SqliteKeyStore, path: Path
) -> None:
    script = """
store = SqliteKeyStore(path, MASTER, recheck_s=0.2)
sealer = Sealer(store)
sealer.seal("anna", "name", "Anna")
print("sealed", flush=True)
until = time.monotonic() + 20
while time.monotonic() < until:
    try:
        sealer.seal("anna", "name", "Anna")
    except KeyDestroyed:
        print("destroyed", flush=True)
        break
    time.sleep(0.005)
store.close()
"""
    with another_process(script, path) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "sealed\n"
        destroyed_at = time.monotonic()
        store.destroy("anna")
        assert process.stdout.readline() == "destroyed\n"
        assert time.monotonic() - destroyed_at < 3
    assert process.returncode == 0
