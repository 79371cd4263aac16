"""Reading histories as columns."""

from pathlib import Path

import pandas as pd
import pytest

from streams.evaluate.history import Column, read
from streams.evaluate.outcome import BadQuestion

COLUMNS = (
    Column("customer", "customer_id", "text"),
    Column("at", "occurred_at", "moment"),
    Column("amount", "amount", "number", required=False),
)


def table(path: Path) -> list[tuple[str, str, float]]:
    frame = read(path, COLUMNS, print)
    return list(
        zip(
            frame["customer"],
            frame["at"].dt.strftime("%Y-%m-%dT%H:%M:%SZ"),
            frame["amount"],
            strict=True,
        )
    )


EXPECTED = [("7", "2026-01-31T10:00:00Z", 1.5), ("8", "2026-02-01T00:00:00Z", 0.0)]


@pytest.mark.parametrize("ending", ["csv", "csv.gz", "jsonl", "jsonl.gz", "ndjson", "parquet"])
def test_every_format_reads_alike(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"shop.{ending}"
    frame = pd.DataFrame(
        {
            "customer_id": ["7", "8"],
            "occurred_at": ["2026-01-31 10:00:00", "2026-02-01"],
            "amount": [1.5, None],
            "more": [1, 2],
        }
    )
    if ending == "parquet":
        frame.to_parquet(path)
    elif ending.startswith("csv"):
        frame.to_csv(path, index=False)
    else:
        frame.to_json(path, orient="records", lines=True)
    assert table(path) == EXPECTED


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-01-31T10:00:00+08:00", "2026-01-31T02:00:00Z"),
        ("20260131", "2026-01-31T00:00:00Z"),
        ("1769853600", "2026-01-31T10:00:00Z"),
        ("1769853600000", "2026-01-31T10:00:00Z"),
        ("1/31/2026 10:00", "2026-01-31T10:00:00Z"),
    ],
)
def test_times_are_read_as_shops_write_them(tmp_path: Path, text: str, moment: str) -> None:
    path = tmp_path / "shop.csv"
    path.write_text(f"customer_id,occurred_at,amount\n7,{text},1\n")
    assert table(path) == [("7", moment, 1.0)]


def test_numbers_that_name_customers_lose_their_fraction(tmp_path: Path) -> None:
    path = tmp_path / "shop.parquet"
    frame = pd.DataFrame({"customer_id": [13085.0, None], "occurred_at": ["2026-01-31"] * 2})
    frame.to_parquet(path)
    found = read(path, COLUMNS, print)
    assert list(found["customer"]) == ["13085"]
    assert "amount" not in found


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("customer_id,occured_at\n7,2026-01-31\n", "no column 'occurred_at' for at; did you mean"),
        ("customer_id,occurred_at\n7,2026-01-31\n8,soon\n", "shop.csv:3: column 'occurred_at'"),
        ("customer_id,occurred_at,amount\n7,2026-01-31,much\n", "'much', expected a number"),
        ("customer_id,occurred_at\n,2026-01-31\n", "no usable row"),
        ("customer_id,occurred_at\n", "no usable row"),
        ("", "cannot be read as .csv"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "shop.csv"
    path.write_text(text)
    with pytest.raises(BadQuestion) as raised:
        read(path, COLUMNS, print)
    assert said in str(raised.value)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("shop.xlsx", b"x", "unknown kind of file"),
        ("shop.parquet", b"garbage", "cannot be read as .parquet"),
        ("shop.csv.gz", b"garbage", "cannot be read as .csv"),
        ("shop.jsonl", b"{nonsense", "cannot be read as .jsonl"),
    ],
)
def test_what_is_no_history_is_refused(
    tmp_path: Path, name: str, content: bytes, said: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(BadQuestion, match=said):
        read(path, COLUMNS, print)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadQuestion, match="there is no such file"):
        read(tmp_path / "shop.csv", COLUMNS, print)
