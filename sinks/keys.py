"""The key store: one data key per customer; destroying it forgets the person (decision 19).

Keys lie wrapped by the master key in an SQLite file that several processes share. A destroyed key
leaves a tombstone, so that no replay makes it anew. Each process keeps opened keys in memory; asked
for one, it first looks for new tombstones if `recheck_s` have passed since it last did. So a key
that one process destroys opens nothing in any other after `recheck_s`.
"""

import secrets
import sqlite3
import threading
import time
from collections import OrderedDict
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES = 32
NONCE_BYTES = 12
_CHUNK = 500
_BUSY_MS = 10_000
_CHECK = "the master key of this store"

_SCHEMA = """
CREATE TABLE IF NOT EXISTS keys (customer TEXT PRIMARY KEY, wrapped BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS destroyed (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, customer TEXT NOT NULL UNIQUE
);
"""


class KeyDestroyed(LookupError):
    """The customer was forgotten: nothing of theirs can be sealed or opened any more."""

    def __init__(self) -> None:
        super().__init__("the customer's key was destroyed")


class KeyMissing(LookupError):
    """No key was ever made for this customer in this store."""

    def __init__(self) -> None:
        super().__init__("this store has no key for the customer")


class WrongMasterKey(ValueError):
    """The store was made under another master key."""


class KeyStoreBusy(RuntimeError):
    """Another process held the store longer than the time allowed."""


class DataKey:
    """A customer's opened key; `sealed_id` keeps the id's ciphertext once it is made."""

    __slots__ = ("cipher", "sealed_id")

    def __init__(self, key: bytes) -> None:
        self.cipher = AESGCM(key)
        self.sealed_id = ""


class KeyStore(Protocol):
    """Where data keys live; another implementation may be a SQL database or a key service."""

    def holds(self, customer: str) -> bool:
        """Whether the key is at hand, so that asking for it waits for nothing."""

    def get(self, customer: str) -> DataKey:
        """Open the customer's key; raises KeyMissing or KeyDestroyed."""

    def get_or_create(self, customer: str) -> DataKey:
        """Open the customer's key, made now if there is none; raises KeyDestroyed."""

    def get_or_create_many(self, customers: Collection[str]) -> dict[str, DataKey]:
        """Open many keys in one transaction; those destroyed are left out."""

    def destroy(self, customer: str) -> None:
        """Forget the key for good; harmless if there is none."""

    def close(self) -> None:
        """Let go of files and connections."""


class SqliteKeyStore:
    """A KeyStore in one SQLite file, for all processes of one machine and all threads of each."""

    def __init__(
        self, path: Path, master_key: bytes, *, capacity: int = 50_000, recheck_s: float = 1.0
    ) -> None:
        if len(master_key) != KEY_BYTES:
            raise ValueError(f"a master key has {KEY_BYTES} bytes, this one {len(master_key)}")
        self._master = AESGCM(master_key)
        self._capacity = capacity
        self._recheck_s = recheck_s
        self._opened: OrderedDict[str, DataKey] = OrderedDict()
        self._opened_lock = threading.Lock()
        self._read_lock = threading.Lock()
        self._write_lock = threading.Lock()
        self._checked_at = 0.0
        self._seen_version = -1
        self._seen_destroyed = 0
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        self._writer = _connect(path)
        self._reader = _connect(path)
        with self._writing():
            for statement in _SCHEMA.split(";"):
                self._writer.execute(statement)
            self._check_master(path)

    def close(self) -> None:
        """Close both connections."""
        with self._write_lock, self._read_lock:
            self._writer.close()
            self._reader.close()

    def holds(self, customer: str) -> bool:
        """Whether the key is in memory."""
        return customer in self._opened

    def get(self, customer: str) -> DataKey:
        """Open the customer's key; raises KeyMissing or KeyDestroyed."""
        opened = self._at_hand(customer)
        if opened is not None:
            return opened
        seen = self._seen_destroyed
        with self._read_lock:
            row = self._reader.execute(
                "SELECT wrapped FROM keys WHERE customer = ?", (customer,)
            ).fetchone()
            if row is None:
                raise KeyDestroyed if _is_destroyed(self._reader, customer) else KeyMissing
        return self._keep(customer, self._unwrap(customer, row[0]), seen)

    def get_or_create(self, customer: str) -> DataKey:
        """Open the customer's key, made now if there is none; raises KeyDestroyed."""
        opened = self._at_hand(customer)
        if opened is None:
            opened = self.get_or_create_many((customer,)).get(customer)
        if opened is None:
            raise KeyDestroyed
        return opened

    def get_or_create_many(self, customers: Collection[str]) -> dict[str, DataKey]:
        """Open many keys in one transaction; those destroyed are left out."""
        found: dict[str, DataKey] = {}
        absent: list[str] = []
        for customer in dict.fromkeys(customers):
            opened = self._at_hand(customer)
            if opened is None:
                absent.append(customer)
            else:
                found[customer] = opened
        if absent:
            seen = self._seen_destroyed
            wrapped = self._wrapped(absent)
            unmade = [one for one in absent if one not in wrapped]
            if unmade:
                wrapped.update(self._create(unmade))
            for customer, blob in wrapped.items():
                found[customer] = self._keep(customer, self._unwrap(customer, blob), seen)
        return found

    def destroy(self, customer: str) -> None:
        """Forget the key for good, in the file and its write-ahead log too.

        Raises KeyStoreBusy when readers kept the old bytes in the write-ahead log; the key is
        destroyed even so, and destroying it again clears the rest.
        """
        with self._writing():
            self._writer.execute("DELETE FROM keys WHERE customer = ?", (customer,))
            self._writer.execute(
                "INSERT OR IGNORE INTO destroyed (customer) VALUES (?)", (customer,)
            )
        self._drop_destroyed()
        with self._write_lock:
            busy, *_ = self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy:
            raise KeyStoreBusy("the key is destroyed, but its bytes wait in the write-ahead log")

    def _at_hand(self, customer: str) -> DataKey | None:
        if time.monotonic() - self._checked_at >= self._recheck_s:
            self._drop_destroyed()
        with self._opened_lock:
            opened = self._opened.get(customer)
            if opened is not None:
                self._opened.move_to_end(customer)
        return opened

    def _drop_destroyed(self) -> None:
        with self._read_lock:
            self._checked_at = time.monotonic()
            (version,) = self._reader.execute("PRAGMA data_version").fetchone()
            if version == self._seen_version:
                return
            self._seen_version = version
            rows = self._reader.execute(
                "SELECT seq, customer FROM destroyed WHERE seq > ? ORDER BY seq",
                (self._seen_destroyed,),
            ).fetchall()
        with self._opened_lock:
            for seq, customer in rows:
                self._opened.pop(customer, None)
                self._seen_destroyed = seq

    def _keep(self, customer: str, key: DataKey, seen: int) -> DataKey:
        with self._opened_lock:
            # A tombstone that came while the key was being read may be this one's.
            if self._seen_destroyed != seen:
                return key
            kept = self._opened.setdefault(customer, key)
            if len(self._opened) > self._capacity:
                self._opened.popitem(last=False)
        return kept

    def _wrapped(self, customers: list[str]) -> dict[str, bytes]:
        with self._read_lock:
            return dict(_select_many(self._reader, "customer, wrapped FROM keys", customers))

    def _create(self, customers: list[str]) -> dict[str, bytes]:
        with self._writing():
            # Another process may have made or destroyed some since we looked.
            wrapped = dict(_select_many(self._writer, "customer, wrapped FROM keys", customers))
            gone = {
                one for (one,) in _select_many(self._writer, "customer FROM destroyed", customers)
            }
            fresh = {
                customer: self._wrap(customer, secrets.token_bytes(KEY_BYTES))
                for customer in customers
                if customer not in wrapped and customer not in gone
            }
            self._writer.executemany("INSERT INTO keys VALUES (?, ?)", fresh.items())
        return {**wrapped, **fresh}

    def _wrap(self, customer: str, key: bytes) -> bytes:
        nonce = secrets.token_bytes(NONCE_BYTES)
        return nonce + self._master.encrypt(nonce, key, customer.encode())

    def _unwrap(self, customer: str, wrapped: bytes) -> DataKey:
        nonce, rest = wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:]
        return DataKey(self._master.decrypt(nonce, rest, customer.encode()))

    def _check_master(self, path: Path) -> None:
        row = self._writer.execute(
            "SELECT wrapped FROM keys WHERE customer = ?", (_CHECK,)
        ).fetchone()
        if row is None:
            proof = self._wrap(_CHECK, secrets.token_bytes(KEY_BYTES))
            self._writer.execute("INSERT INTO keys VALUES (?, ?)", (_CHECK, proof))
            return
        try:
            self._unwrap(_CHECK, row[0])
        except InvalidTag:
            raise WrongMasterKey(
                f"{path} was made under another master key than the one given"
            ) from None

    @contextmanager
    def _writing(self) -> Iterator[None]:
        with self._write_lock:
            try:
                self._writer.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                raise KeyStoreBusy(f"the key store stayed locked for {_BUSY_MS} ms") from error
            try:
                yield
            except BaseException:
                self._writer.execute("ROLLBACK")
                raise
            self._writer.execute("COMMIT")


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.execute(f"PRAGMA busy_timeout = {_BUSY_MS}")
    _enter_wal(connection)
    # A key must outlive what is sealed under it, even through a power cut.
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA secure_delete = ON")
    return connection


def _enter_wal(connection: sqlite3.Connection) -> None:
    """Switch to write-ahead logging; the switch itself does not honour the busy time-out."""
    until = time.monotonic() + _BUSY_MS / 1000
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if time.monotonic() > until:
                raise KeyStoreBusy("the key store could not be opened for sharing") from error
            time.sleep(0.01)


def _select_many(connection: sqlite3.Connection, what: str, customers: list[str]) -> Iterator[Any]:
    for start in range(0, len(customers), _CHUNK):
        chunk = customers[start : start + _CHUNK]
        marks = ",".join("?" * len(chunk))
        yield from connection.execute(
            f"SELECT {what} WHERE customer IN ({marks})",
            chunk,
        )


def _is_destroyed(connection: sqlite3.Connection, customer: str) -> bool:
    found = connection.execute("SELECT 1 FROM destroyed WHERE customer = ?", (customer,))
    return found.fetchone() is not None
