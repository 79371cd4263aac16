"""A shop's history as columns: CSV, JSON lines or Parquet, gzipped or not, any row order.

Times may be text (ISO 8601 and its relatives), dates as 20260131, or seconds or milliseconds since
the epoch; without a zone they are UTC. Rows without a customer are anonymous and left out.
"""

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from streams.evaluate.outcome import BadQuestion, Say

FORMATS = ".csv, .jsonl, .ndjson, .parquet"
_FIRST_LINE_OF_CSV = 2
# The smallest number that is read as milliseconds: as seconds it would lie in the year 5138.
_MILLISECONDS_FROM = 10**11
_DATES = (19_000_101, 21_001_231)


class Column(NamedTuple):
    """A column of the file by its `name` there, and the `field` it becomes.

    "text" is an identifier, "moment" a time in UTC, "number" a number; one that may be absent is
    not `required`, and then the field is absent too.
    """

    field: str
    name: str
    kind: Literal["text", "moment", "number"]
    required: bool = True


def read(path: Path, columns: Sequence[Column], say: Say) -> pd.DataFrame:
    """Read the columns, renamed to their fields, in the file's order.

    BadQuestion names the file, line, column, value and what was expected.
    """
    raw, first_line = _raw(path, columns)
    frame = pd.DataFrame(index=raw.index)
    for column in columns:
        if column.name in raw:
            frame[column.field] = _READERS[column.kind](raw[column.name], path, column, first_line)
    if "customer" in frame:
        anonymous = int(frame["customer"].isna().sum())
        if anonymous:
            say(f"{anonymous} of {len(frame)} rows name no customer: left out")
            frame = frame[frame["customer"].notna()]
    if frame.empty:
        raise BadQuestion(f"{path}: no usable row, expected at least one")
    return frame.reset_index(drop=True)


def _raw(path: Path, columns: Sequence[Column]) -> tuple[pd.DataFrame, int]:
    """Give the file's columns as they stand, and the number of its first row."""
    if not path.is_file():
        raise BadQuestion(f"{path}: there is no such file")
    names = [column.name for column in columns]
    suffix = Path(path.name.removesuffix(".gz")).suffix.lower()
    try:
        if suffix == ".parquet":
            there = pq.read_schema(path).names
            wanted = [name for name in names if name in there]
            frame, first_line = pd.read_parquet(path, columns=wanted), 1
        elif suffix == ".csv":
            there = list(pd.read_csv(path, nrows=0).columns)
            texts = {one.name: str for one in columns if one.kind == "text"}
            frame = pd.read_csv(path, usecols=lambda name: name in names, dtype=texts)
            first_line = _FIRST_LINE_OF_CSV
        elif suffix in (".jsonl", ".ndjson"):
            frame, first_line = pd.read_json(path, lines=True, dtype=False), 1
            there = list(frame.columns)
        else:
            raise BadQuestion(f"{path}: unknown kind of file, expected {FORMATS}, or one and .gz")
    except (ValueError, OSError, EOFError) as error:
        if isinstance(error, BadQuestion):
            raise
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise BadQuestion(f"{path}: cannot be read as {suffix} ({said})") from None
    for column in columns:
        if column.required and column.name not in there:
            raise BadQuestion(_missing(path, column, there))
    return frame, first_line


def _missing(path: Path, column: Column, there: Sequence[Any]) -> str:
    close = difflib.get_close_matches(column.name, [str(name) for name in there], 1, 0.5)
    meant = f"; did you mean {close[0]!r}?" if close else ""
    named = ", ".join(repr(str(name)) for name in there)
    return f"{path}: no column {column.name!r} for {column.field}{meant} The file has {named}"


def _texts(cells: "pd.Series[Any]", path: Path, column: Column, first_line: int) -> Any:
    """Identifiers as text: a number that a spreadsheet made of one loses its .0."""
    if pd.api.types.is_float_dtype(cells):
        whole = cells.dropna()
        if bool((whole == np.floor(whole)).all()):
            cells = cells.astype("Int64")
    empty = cells.isna()
    texts = cells.astype("string").str.strip()
    return texts.mask(empty | (texts == ""), pd.NA)


def _numbers(cells: "pd.Series[Any]", path: Path, column: Column, first_line: int) -> Any:
    numbers = pd.to_numeric(cells, errors="coerce").astype(float)
    bad = (numbers.isna() & cells.notna()) | np.isinf(numbers)
    _refuse_first(bad, cells, path, column, first_line, "a number")
    return numbers.fillna(0.0)


def _moments(cells: "pd.Series[Any]", path: Path, column: Column, first_line: int) -> Any:
    if pd.api.types.is_datetime64_any_dtype(cells):
        moments = pd.to_datetime(cells, utc=True)
    else:
        numbers = pd.to_numeric(cells, errors="coerce")
        moments = _from_numbers(numbers) if numbers.notna().all() else _from_texts(cells)
    expected = "a time such as 2026-01-31T10:00:00+08:00 or 2026-01-31"
    _refuse_first(moments.isna(), cells, path, column, first_line, expected)
    return moments


def _from_texts(cells: "pd.Series[Any]") -> Any:
    return pd.to_datetime(cells.astype("string"), utc=True, errors="coerce", format="mixed")


def _from_numbers(numbers: "pd.Series[Any]") -> Any:
    if bool(numbers.between(*_DATES).all()):
        days = numbers.astype("int64").astype("string")
        return pd.to_datetime(days, format="%Y%m%d", utc=True, errors="coerce")
    unit = "ms" if float(numbers.abs().max()) >= _MILLISECONDS_FROM else "s"
    return pd.to_datetime(numbers, unit=unit, utc=True, errors="coerce")


def _refuse_first(
    bad: Any, cells: "pd.Series[Any]", path: Path, column: Column, first_line: int, expected: str
) -> None:
    if not bad.any():
        return
    at = int(np.argmax(bad.to_numpy()))
    value, more = str(cells.iloc[at])[:60], int(bad.sum()) - 1
    others = f" (and {more} more rows)" if more else ""
    raise BadQuestion(
        f"{path}:{at + first_line}: column {column.name!r}: {value!r}, expected {expected}{others}"
    )


_READERS = {"text": _texts, "number": _numbers, "moment": _moments}
