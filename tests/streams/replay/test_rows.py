import gzip
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from streams.replay.history import BadHistory
from streams.replay.mapping import CsvRule
from streams.replay.rows import Row, Unreadable, read_rows

CSV = 'no,who,what\n1,anna,"a ""red"" hat"\n2,bo,"two\nlines"\n\n3,柯,🎁\n'
JSON = '{"no": 1, "who": "anna"}\n\n{"what": "x", "no": 2}\n'


def cells(path: Path, *wanted: str, rule: CsvRule | None = None) -> list[tuple[object, ...]]:
    return [
        (row.number, *row.cells) if isinstance(row, Row) else (row.number, row.expected)
        for row in read_rows(path, wanted, rule or CsvRule())
    ]


def test_csv_rows_are_numbered_as_an_editor_does(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(CSV, encoding="utf-8")
    assert cells(path, "what", "no") == [
        (2, 'a "red" hat', "1"),
        (4, "two\nlines", "2"),
        (6, "🎁", "3"),
    ]


@pytest.mark.parametrize("name", ["a.csv.gz", "A.CSV"])
def test_the_name_tells_the_format(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(gzip.compress(CSV.encode(), mtime=0) if name.endswith(".gz") else CSV.encode())
    assert len(cells(path, "no")) == 3


def test_a_byte_order_mark_is_no_part_of_the_heading(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"\xef\xbb\xbf" + CSV.encode())
    assert len(cells(path, "no")) == 3


def test_another_encoding_delimiter_and_quote(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes("名;价\n'帽;子';1\n".encode("gb18030"))
    rule = CsvRule(delimiter=";", quote="'", encoding="gb18030")
    assert cells(path, "名", "价", rule=rule) == [(2, "帽;子", "1")]


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (b"2,bo", "3 columns"),
        (b"2,bo,x,y", "3 columns"),
        (b"2,b\xff,x", "text in the file's encoding"),
        (b'2,"b"o,x', "a row of CSV"),
    ],
)
def test_a_broken_csv_row_spoils_itself_only(tmp_path: Path, row: bytes, expected: str) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"no,who,what\n1,a,b\n" + row + b"\n3,c,d\n")
    assert cells(path, "no", "who") == [(2, "1", "a"), (3, expected), (4, "3", "c")]
    broken = [
        one for one in read_rows(path, ["no", "who"], CsvRule()) if isinstance(one, Unreadable)
    ]
    assert b"2" in broken[0].raw


def test_json_lines_lack_what_they_do_not_say(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress(JSON.encode(), mtime=0))
    assert cells(path, "no", "what") == [(1, 1, None), (3, 2, "x")]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b'{"no": 1', "a line of JSON"),
        (b"[1]", "a JSON object"),
        (b'{"no": "\xff"}', "a line of JSON"),
    ],
)
def test_a_broken_json_line_spoils_itself_only(tmp_path: Path, line: bytes, expected: str) -> None:
    path = tmp_path / "a.ndjson"
    path.write_bytes(line + b'\n{"no": 2}\n')
    assert cells(path, "no") == [(1, expected), (2, 2)]


@pytest.mark.parametrize("name", ["a.parquet", "a.parquet.gz"])
def test_parquet_rows_keep_their_types(tmp_path: Path, name: str) -> None:
    plain = tmp_path / "plain"
    pq.write_table(pa.table({"no": [1, None], "what": ["x", "y"]}), plain)
    path = tmp_path / name
    path.write_bytes(
        gzip.compress(plain.read_bytes(), mtime=0) if ".gz" in name else plain.read_bytes()
    )
    assert cells(path, "what", "no") == [(1, "x", 1), (2, "y", None)]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.csv", CSV.encode(), "no column 'colour'; the file has 'no', 'who', 'what'"),
        ("a.jsonl", JSON.encode(), "no line has 'colour'"),
        ("a.csv", b"", "the file is empty, expected a heading"),
        ("a.csv.gz", b"no gzip", "broken gzip"),
        (
            "a.csv.gz",
            gzip.compress(CSV.replace("who", "colour").encode(), mtime=0)[:-9],
            "broken gzip",
        ),
        ("a.parquet", b"PAR1 not really", "not readable as Parquet"),
        ("a.xlsx", b"", r"unknown kind of file, expected a name that ends with \.csv"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_by_name(
    tmp_path: Path, name: str, content: bytes, said: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(BadHistory, match=said) as raised:
        cells(path, "no", "colour")
    assert str(path) in str(raised.value)


def test_an_unknown_encoding_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(CSV, encoding="utf-8")
    with pytest.raises(BadHistory, match="'klingon' is not known"):
        cells(path, "no", rule=CsvRule(encoding="klingon"))


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadHistory, match="there is no such file"):
        cells(tmp_path / "none.csv", "no")
