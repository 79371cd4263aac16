"""The ClickHouse engine of chDB behind a pool of handles, each used by one thread at a time."""

import json
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import chdb

from streams.servers.statement import Statement

_CODE = re.compile(r"Code: (\d+)\.")
STD_EXCEPTION = 1001
CONFIG = Path(__file__).parent / "clickhouse-engine.xml"
KEPT_FREE_BYTES = 64 * 2**20
"""As in CONFIG: the engine looks for it before inserts and merges, not before definitions."""
CANNOT_WRITE = 75
NOT_ENOUGH_SPACE = 243
FAILED_WRITES = (
    "SELECT value FROM system.events WHERE event = 'WriteBufferFromFileDescriptorWriteFailed'"
)
SETTING_NAME = re.compile(r"[A-Za-z_]\w*")


class EngineError(Exception):
    """What the engine objects; `code` is ClickHouse's."""

    def __init__(self, text: str) -> None:
        start = text.find("Code: ")
        self.text = text[start:] if start > 0 else text
        found = _CODE.search(self.text)
        self.code = int(found.group(1)) if found else STD_EXCEPTION
        super().__init__(self.text)


@dataclass(frozen=True)
class Request:
    """One statement with everything that came along."""

    statement: Statement
    database: str = ""
    settings: dict[str, str] = field(default_factory=dict)
    parameters: dict[str, str] = field(default_factory=dict)
    answer_format: str = "TabSeparated"


@dataclass(frozen=True)
class Answer:
    """Bytes in the format asked for, and counts."""

    body: bytes = b""
    read_rows: int = 0
    read_bytes: int = 0
    written_rows: int = 0
    written_bytes: int = 0
    elapsed_ns: int = 0

    def summary(self) -> str:
        """Build the JSON of ClickHouse's summary header, where numbers are strings."""
        return json.dumps(
            {
                "read_rows": str(self.read_rows),
                "read_bytes": str(self.read_bytes),
                "written_rows": str(self.written_rows),
                "written_bytes": str(self.written_bytes),
                "elapsed_ns": str(self.elapsed_ns),
            }
        )


class WriteFailed(EngineError):
    """The disk refused a write and the engine went on: what it wrote is not to be trusted.

    chDB takes a failed write for a done one: an insert is acknowledged and a merge committed whose
    files are empty. It counts them, though, so nothing is acknowledged once there is one; the next
    start sets such parts aside, and takes those back that a broken one was merged from.
    """

    def __init__(self, times: int) -> None:
        super().__init__(
            f"Code: {CANNOT_WRITE}. DB::Exception: the disk refused {times} writes, is it full? "
            "The engine starts again. (CANNOT_WRITE_TO_FILE_DESCRIPTOR)"
        )


class Handle:
    """One connection to the engine, with a session of its own; not for two threads at once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._open()

    def _open(self) -> None:
        address = f"{self._path}?config-file={CONFIG}"
        self._connection: Any = chdb.connect(address)  # type: ignore[no-untyped-call]
        self._database = "default"
        self._settings: dict[str, str] = {}

    def execute(self, request: Request) -> Answer:
        """Run one statement; EngineError as the engine says, WriteFailed if a write was lost."""
        answer = self._execute(request)
        if not request.statement.answers:
            self.trust_disk()
        return answer

    def trust_disk(self) -> None:
        """Raise WriteFailed when any write of this process has ever failed."""
        try:
            counted = self._connection.query(FAILED_WRITES, "TabSeparated").bytes()
        except RuntimeError as error:
            raise EngineError(str(error)) from error
        if times := int(counted or 0):
            raise WriteFailed(times)

    def _require_room(self) -> None:
        free_bytes = shutil.disk_usage(self._path).free
        if free_bytes < KEPT_FREE_BYTES:
            raise EngineError(
                f"Code: {NOT_ENOUGH_SPACE}. DB::Exception: {free_bytes} bytes free on the disk, "
                f"{KEPT_FREE_BYTES} must be for this. (NOT_ENOUGH_SPACE)"
            )

    def _execute(self, request: Request) -> Answer:
        if request.statement.defines:
            self._require_room()
        try:
            self._prepare(request)
            if request.statement.blob is not None:
                return self._insert(request.statement, request.statement.blob)
            return self._query(request)
        except RuntimeError as error:
            raise EngineError(str(error)) from error
        finally:
            if request.statement.alters_session:
                self.renew()

    def renew(self) -> None:
        """Forget the session: settings, current database, temporary tables."""
        self._connection.close()
        self._open()

    def close(self) -> None:
        """Give the connection back."""
        self._connection.close()

    def _query(self, request: Request) -> Answer:
        result = self._connection.query(
            request.statement.text, request.answer_format, params=request.parameters
        )
        return Answer(
            result.bytes(),
            result.storage_rows_read(),
            result.storage_bytes_read(),
            result.rows_written(),
            result.bytes_written(),
            int(result.elapsed() * 1e9),
        )

    def _insert(self, statement: Statement, blob: bytes) -> Answer:
        # Not by the engine's own streaming insert: that answers with success even when the engine
        # refuses the block at its end, for want of space or by a constraint.
        with _as_file(blob) as path:
            source = f" FROM INFILE '{path}' FORMAT {statement.blob_format}"
            done = self._connection.query(statement.text + source.encode())
        return Answer(
            written_rows=done.rows_written(),
            written_bytes=done.bytes_written(),
            elapsed_ns=int(done.elapsed() * 1e9),
        )

    def _prepare(self, request: Request) -> None:
        try:
            self._use(request.database or "default")
            self._set(request.settings)
        except RuntimeError:
            self.renew()
            raise

    def _use(self, database: str) -> None:
        if database != self._database:
            self._connection.query(f"USE {_identifier(database)}")
            self._database = database

    def _set(self, wanted: dict[str, str]) -> None:
        changes = [
            f"{_setting(name)} = {_literal(wanted[name]) if name in wanted else 'DEFAULT'}"
            for name in sorted(wanted.keys() | self._settings.keys())
            if wanted.get(name) != self._settings.get(name)
        ]
        if changes:
            self._connection.query("SET " + ", ".join(changes))
            self._settings = dict(wanted)


@contextmanager
def _as_file(blob: bytes) -> Iterator[str]:
    """Give bytes a path, in memory where the system can."""
    if sys.platform == "linux":
        descriptor = os.memfd_create("insert")
        with os.fdopen(descriptor, "wb", buffering=0) as file:
            view = memoryview(blob)
            while view:
                view = view[file.write(view) :]
            yield f"/proc/self/fd/{descriptor}"
    else:
        with tempfile.NamedTemporaryFile() as file:
            file.write(blob)
            file.flush()
            yield file.name


def _identifier(name: str) -> str:
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"


def _literal(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _setting(name: str) -> str:
    if not SETTING_NAME.fullmatch(name):
        raise EngineError(f"Code: 115. DB::Exception: Unknown setting {name!r}. (UNKNOWN_SETTING)")
    return name
