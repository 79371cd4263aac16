"""Rows of CSV, JSON lines and Parquet files, gzipped or not, each with its wanted cells."""

import csv
import gzip
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import IO, Any, NamedTuple

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from streams.replay.history import BadHistory
from streams.replay.mapping import CsvRule

FORMATS = (".csv", ".jsonl", ".ndjson", ".parquet")
LONGEST_CELL = 1_000_000
_ROWS_AT_ONCE = 20_000


class Row(NamedTuple):
    """The wanted cells of one row, in the order asked for; `number` counts as an editor would."""

    number: int
    cells: tuple[Any, ...]


class Unreadable(NamedTuple):
    """A row that is none: not the format's grammar, or not text in the encoding."""

    number: int
    expected: str
    got: str
    raw: bytes


def read_rows(path: Path, wanted: Sequence[str], rule: CsvRule) -> Iterator[Row | Unreadable]:
    """Read the wanted columns; the format is told by the file's name.

    BadHistory when the file cannot be read as what its name says or lacks a wanted column.
    """
    if not path.is_file():
        raise BadHistory(f"{path}: there is no such file")
    suffix = Path(path.name.removesuffix(".gz")).suffix.lower()
    if suffix == ".csv":
        return _csv_rows(path, wanted, rule)
    if suffix in (".jsonl", ".ndjson"):
        return _json_rows(path, wanted)
    if suffix == ".parquet":
        return _parquet_rows(path, wanted)
    raise BadHistory(
        f"{path}: unknown kind of file, expected a name that ends with {', '.join(FORMATS)} "
        "or one of these and .gz"
    )


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    """Open a file, unpacked when it is gzipped; a broken archive is a BadHistory."""
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
        try:
            yield file  # type: ignore[misc]
        except (EOFError, gzip.BadGzipFile) as error:
            raise BadHistory(f"{path}: broken gzip: {error}") from None


def _csv_rows(path: Path, wanted: Sequence[str], rule: CsvRule) -> Iterator[Row | Unreadable]:
    csv.field_size_limit(LONGEST_CELL)
    with _opened(path) as file:
        lines = _Lines(path, file, rule.encoding)
        reader = csv.reader(lines, delimiter=rule.delimiter, quotechar=rule.quote, strict=True)
        heading = next(reader, None)
        if heading is None:
            raise BadHistory(f"{path}: the file is empty, expected a heading")
        places = _places(path, heading, wanted)
        while True:
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                raw = _printable(lines.last).encode()
                yield Unreadable(reader.line_num, "a row of CSV", str(error), raw)
                continue
            if cells:
                yield _csv_row(reader.line_num, cells, len(heading), places)


class _Lines:
    """The lines of a text file; what is not in its encoding comes through marked.

    So such bytes spoil their own row only.
    """

    def __init__(self, path: Path, file: IO[bytes], encoding: str) -> None:
        try:
            self._text = TextIOWrapper(file, encoding, "surrogateescape", newline="")
        except LookupError:
            raise BadHistory(f"{path}: csv.encoding: {encoding!r} is not known") from None
        self._path = path
        self.last = ""

    def __iter__(self) -> Iterator[str]:
        try:
            for line in self._text:
                self.last = line
                yield line
        except UnicodeDecodeError as error:
            raise BadHistory(f"{self._path}: {error}") from None


def _csv_row(number: int, cells: list[str], columns: int, places: list[int]) -> Row | Unreadable:
    if len(cells) != columns:
        raw = orjson.dumps([_printable(cell) for cell in cells])
        return Unreadable(number, f"{columns} columns", f"{len(cells)} columns", raw)
    found = tuple([cells[place] for place in places])
    joined = "".join(found)
    if not joined.isascii() and _is_marked(joined):
        raw = orjson.dumps([_printable(cell) for cell in cells])
        return Unreadable(number, "text in the file's encoding", _printable(joined)[:60], raw)
    return Row(number, found)


def _is_marked(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def _printable(text: str) -> str:
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _places(path: Path, heading: list[str], wanted: Sequence[str]) -> list[int]:
    missing = [column for column in wanted if column not in heading]
    if missing:
        raise BadHistory(
            f"{path}: no column {', '.join(map(repr, missing))}; "
            f"the file has {', '.join(map(repr, heading))}"
        )
    return [heading.index(column) for column in wanted]


def _json_rows(path: Path, wanted: Sequence[str]) -> Iterator[Row | Unreadable]:
    seen: set[str] = set()
    with _opened(path) as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                found = orjson.loads(line)
            except orjson.JSONDecodeError as error:
                yield Unreadable(number, "a line of JSON", str(error), line)
                continue
            if not isinstance(found, dict):
                yield Unreadable(number, "a JSON object", type(found).__name__, line)
                continue
            seen.update(found)
            yield Row(number, tuple([found.get(column) for column in wanted]))
    missing = [column for column in wanted if column not in seen]
    if missing:
        raise BadHistory(f"{path}: no line has {', '.join(map(repr, missing))}")


def _parquet_rows(path: Path, wanted: Sequence[str]) -> Iterator[Row | Unreadable]:
    with _opened(path) as file:
        source = pa.BufferReader(file.read()) if path.suffix == ".gz" else path
        try:
            parquet = pq.ParquetFile(source)
        except pa.ArrowInvalid as error:
            raise BadHistory(f"{path}: not readable as Parquet: {error}") from None
        with parquet:
            _places(path, parquet.schema_arrow.names, wanted)
            number = 0
            for batch in parquet.iter_batches(_ROWS_AT_ONCE, columns=list(wanted)):
                columns = [batch.column(column).to_pylist() for column in wanted]
                for cells in zip(*columns, strict=True):
                    number += 1
                    yield Row(number, cells)
