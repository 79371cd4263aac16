"""The HTTP front of the embedded engine, driven by an unchanged clickhouse-connect."""

import datetime as dt
import gzip
import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from ipaddress import IPv4Address
from pathlib import Path
from urllib.parse import urlencode, urlsplit
from uuid import uuid4

import clickhouse_connect
import pytest
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError

from streams.servers import statement
from streams.servers.clickhouse import ClickHouse
from streams.servers.ports import free_port

pytestmark = pytest.mark.real


def connect(url: str, database: str = "default", **options: object) -> Client:
    where = urlsplit(url)
    assert where.hostname
    return clickhouse_connect.get_client(
        host=where.hostname, port=where.port, database=database, **options
    )


@pytest.fixture
def database(clickhouse: str) -> Iterator[str]:
    name = f"t_{uuid4().hex[:12]}"
    with connect(clickhouse) as client:
        client.command(f"CREATE DATABASE {name}")
        yield name
        client.command(f"DROP DATABASE {name}")


@pytest.fixture
def client(clickhouse: str, database: str) -> Iterator[Client]:
    with connect(clickhouse, database) as client:
        yield client


def post(url: str, body: bytes, headers: dict[str, str] | None = None, **query: str) -> bytes:
    request = urllib.request.Request(f"{url}/?{urlencode(query)}", body, headers or {})
    with urllib.request.urlopen(request) as response:
        return response.read()


UTC = dt.UTC
VALUES = [
    ("UInt64", 2**64 - 1),
    ("Int64", -(2**63)),
    ("Float64", 1.5),
    ("Bool", True),
    ("String", "回頭 🛒 'quoted' \\ tab\t\n\x00end"),
    ("FixedString(3)", b"abc"),
    ("LowCardinality(String)", "email"),
    ("Nullable(UInt32)", None),
    ("Date", dt.date(2017, 12, 31)),
    ("DateTime64(3, 'UTC')", dt.datetime(2017, 1, 1, 0, 0, 0, 123000, tzinfo=UTC)),
    ("Decimal(18, 4)", Decimal("-1234.5678")),
    ("Array(String)", ["a", "b"]),
    ("Map(String, UInt32)", {"a": 1, "b": 2}),
    ("Tuple(String, UInt8)", ("a", 1)),
    ("Enum8('a' = 1, 'b' = 2)", "b"),
    ("UUID", uuid4()),
    ("IPv4", IPv4Address("10.0.0.1")),
]


@pytest.mark.parametrize("compress", [False, "lz4", "zstd", "gzip"])
def test_values_of_every_type_come_back_as_they_went_in(
    clickhouse: str, database: str, compress: str | bool
) -> None:
    row = [value for _, value in VALUES]
    columns = ", ".join(f"c{n} {kind}" for n, (kind, _) in enumerate(VALUES))
    with connect(clickhouse, database, compress=compress, tz_mode="aware") as client:
        client.command(f"CREATE TABLE t ({columns}) ENGINE = MergeTree ORDER BY tuple()")
        summary = client.insert("t", [row, row])
        assert summary.written_rows == 2
        assert [list(found) for found in client.query("SELECT * FROM t").result_rows] == [row, row]


def test_server_side_parameters_keep_quotes_and_backslashes(client: Client) -> None:
    text = 'it\'s \\ a "test"\t\n回頭'
    found = client.query(
        "SELECT {a:String}, {b:UInt8}, {c:Array(String)}",
        parameters={"a": text, "b": 7, "c": ["x'y", "z"]},
    )
    assert found.result_rows == [(text, 7, ["x'y", "z"])]


def test_a_setting_lasts_for_its_own_request_only(client: Client) -> None:
    ask = "SELECT getSetting('max_block_size')"
    assert client.query(ask, settings={"max_block_size": 777}).result_rows == [(777,)]
    assert {client.query(ask).result_rows[0][0] for _ in range(20)} == {65409}


def test_a_set_statement_does_not_reach_the_next_request(client: Client) -> None:
    for _ in range(10):
        client.command("SET max_block_size = 777")
    found = {
        client.query("SELECT getSetting('max_block_size')").result_rows[0][0] for _ in "1" * 20
    }
    assert found == {65409}


DEDUPLICATED = """CREATE TABLE t (a UInt32) ENGINE = MergeTree ORDER BY a
SETTINGS non_replicated_deduplication_window = 1000"""


def test_an_insert_repeated_with_its_token_lands_once(client: Client) -> None:
    client.command(DEDUPLICATED)
    for token in ("one", "one", "two", "one", "two"):
        client.insert("t", [[1], [2]], ["a"], settings={"insert_deduplication_token": token})
    assert client.query("SELECT count() FROM t").result_rows == [(4,)]


def test_a_token_deduplicates_through_a_materialized_view(client: Client) -> None:
    client.command(DEDUPLICATED)
    client.command(
        "CREATE TABLE sums (a UInt32, n AggregateFunction(count)) "
        "ENGINE = AggregatingMergeTree ORDER BY a SETTINGS non_replicated_deduplication_window = 99"
    )
    client.command(
        "CREATE MATERIALIZED VIEW v TO sums AS SELECT a, countState() AS n FROM t GROUP BY a"
    )
    settings = {
        "insert_deduplication_token": "one",
        "deduplicate_blocks_in_dependent_materialized_views": 1,
    }
    for _ in range(3):
        client.insert("t", [[1], [1]], ["a"], settings=settings)
    assert client.query("SELECT countMerge(n) FROM sums").result_rows == [(2,)]


@pytest.mark.parametrize(
    ("sql", "code", "name"),
    [
        ("SELECT * FROM nowhere", 60, "UNKNOWN_TABLE"),
        ("SELECT nothing", 47, "UNKNOWN_IDENTIFIER"),
        ("SELEC 1", 62, "SYNTAX_ERROR"),
        ("SELECT throwIf(1)", 395, "FUNCTION_THROW_IF_VALUE_IS_NON_ZERO"),
        ("SELECT 1 FORMAT Nonsense", 73, "UNKNOWN_FORMAT"),
    ],
)
def test_an_error_carries_clickhouses_code_and_name(
    client: Client, sql: str, code: int, name: str
) -> None:
    with pytest.raises(DatabaseError) as caught:
        client.command(sql)
    assert (caught.value.code, caught.value.name) == (code, name)
    assert client.query("SELECT 1").result_rows == [(1,)]


def test_an_unknown_setting_or_database_is_named(clickhouse: str) -> None:
    for query, text in (({"nope": "1"}, b"'nope'"), ({"database": "gone"}, b"gone")):
        with pytest.raises(urllib.error.HTTPError) as caught:
            post(clickhouse, b"SELECT 1", **query)
        assert text in caught.value.read()
        caught.value.close()
    assert post(clickhouse, b"SELECT currentDatabase()") == b"default\n"


def test_half_a_native_block_inserts_nothing(
    clickhouse: str, client: Client, database: str
) -> None:
    client.command(DEDUPLICATED)
    block = post(clickhouse, b"SELECT toUInt32(number) AS a FROM numbers(1000) FORMAT Native")
    with pytest.raises(urllib.error.HTTPError) as caught:
        post(clickhouse, b"INSERT INTO t FORMAT Native\n" + block[:-7], database=database)
    assert caught.value.headers["X-ClickHouse-Exception-Code"] == "33"
    caught.value.close()
    assert client.query("SELECT count() FROM t").result_rows == [(0,)]
    post(clickhouse, block, database=database, query="INSERT INTO t FORMAT Native")
    assert client.query("SELECT count(), sum(a) FROM t").result_rows == [(1000, 499500)]


def test_an_insert_that_is_refused_at_its_end_is_an_error(client: Client) -> None:
    """Chaos seed 2, disk full: chDB's streaming insert answered with success all the same."""
    client.command("CREATE TABLE t (a UInt32, CONSTRAINT low CHECK a < 9) ENGINE = Memory")
    for rows, settings, code in (
        ([[10]], {}, 469),
        ([[1]], {"min_free_disk_bytes_to_perform_insert": 2**62}, 243),
    ):
        table = "t"
        if settings:
            client.command(DEDUPLICATED.replace("TABLE t", "TABLE u"))
            table = "u"
        with pytest.raises(DatabaseError) as caught:
            client.insert(table, rows, ["a"], settings=settings)
        assert caught.value.code == code
        assert client.query(f"SELECT count() FROM {table}").result_rows == [(0,)]


def test_text_inserts_of_each_shape_arrive(client: Client, clickhouse: str, database: str) -> None:
    client.command("CREATE TABLE t (a UInt32, s String) ENGINE = MergeTree ORDER BY a")
    client.command("INSERT INTO t VALUES (1, 'FORMAT CSV'), (2, 'x')")
    client.command("INSERT INTO t SELECT 3, 'format'")
    client.raw_insert("t", ["a", "s"], '{"a": 4, "s": "y"}\n', fmt="JSONEachRow")
    client.raw_insert("t", ["a", "s"], gzip.compress(b"5,z\n"), fmt="CSV", compression="gzip")
    post(clickhouse, b"6\tw\n", database=database, query="INSERT INTO t FORMAT TSV")
    found = client.query("SELECT a, s FROM t ORDER BY a").result_rows
    assert found == [(1, "FORMAT CSV"), (2, "x"), (3, "format"), (4, "y"), (5, "z"), (6, "w")]


def test_an_empty_answer_is_empty_and_a_command_answers_with_its_summary(client: Client) -> None:
    assert client.query("SELECT 1 AS a WHERE 0").result_rows == []
    assert client.command("SELECT 'x' WHERE 0") == ""
    assert client.query("SELECT 1 AS a LIMIT 0").column_names == ("a",)
    assert client.ping()


def test_data_frames_go_in_and_come_out(client: Client) -> None:
    client.command("CREATE TABLE t (a UInt32, s String) ENGINE = MergeTree ORDER BY a")
    frame = client.query_df("SELECT toUInt32(number) AS a, toString(number) AS s FROM numbers(9)")
    client.insert_df("t", frame)
    assert client.query_arrow("SELECT * FROM t").num_rows == 9


async def test_the_asynchronous_client_works(clickhouse: str, database: str) -> None:
    where = urlsplit(clickhouse)
    client = await clickhouse_connect.get_async_client(
        host=where.hostname, port=where.port, database=database
    )
    try:
        await client.command(DEDUPLICATED)
        await client.insert("t", [[1], [2]], ["a"])
        assert (await client.query("SELECT sum(a) FROM t")).result_rows == [(3,)]
    finally:
        await client.close()


def test_clients_of_several_threads_do_not_mix(
    clickhouse: str, client: Client, database: str
) -> None:
    client.command("CREATE TABLE t (k UInt8, a UInt32) ENGINE = MergeTree ORDER BY (k, a)")

    def insert_and_read(k: int) -> list[int]:
        with connect(clickhouse, database) as mine:
            for batch in range(10):
                rows = [[k, batch * 100 + n] for n in range(100)]
                mine.insert("t", rows, ["k", "a"], settings={"max_block_size": 1000 + k})
                ask = "SELECT getSetting('max_block_size')"
                seen = mine.query(ask, settings={"max_block_size": 1000 + k}).result_rows[0][0]
                assert seen == 1000 + k
            counts = "SELECT count(), uniqExact(a) FROM t WHERE k = {k:UInt8}"
            return list(mine.query(counts, parameters={"k": k}).result_rows[0])

    with ThreadPoolExecutor(12) as pool:
        assert list(pool.map(insert_and_read, range(12))) == [[1000, 1000]] * 12


@pytest.mark.parametrize(
    "headers", [{"Origin": "https://shop.example"}, {"Host": "rebound.example:8123"}]
)
def test_a_web_page_is_turned_away(clickhouse: str, headers: dict[str, str]) -> None:
    with pytest.raises(urllib.error.HTTPError) as caught:
        post(clickhouse, b"SELECT 1", headers)
    assert caught.value.code == 403
    caught.value.close()


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"", {}, 400),
        (b"not zstd", {"Content-Encoding": "zstd"}, 400),
        (b"SELECT 1", {"Content-Encoding": "snappy"}, 400),
    ],
)
def test_an_unreadable_request_is_refused(
    clickhouse: str, body: bytes, headers: dict[str, str], status: int
) -> None:
    with pytest.raises(urllib.error.HTTPError) as caught:
        post(clickhouse, body, headers)
    assert caught.value.code == status
    assert caught.value.read().startswith(b"Code: ")
    caught.value.close()


WRITER = """
import sys, clickhouse_connect
client = clickhouse_connect.get_client(host="127.0.0.1", port=int(sys.argv[1]), database="kept")
for n in range(100000):
    client.insert("t", [[n * 100 + k] for k in range(100)], ["a"])
    print(n, flush=True)
"""


def test_rows_acknowledged_before_a_sigkill_are_there_after_it(tmp_path: Path) -> None:
    server = ClickHouse(tmp_path / "回頭 data", free_port(), database="kept")
    with server.running() as child:
        with connect(server.address, "kept") as client:
            client.command("CREATE TABLE t (a UInt32) ENGINE = MergeTree ORDER BY a")
        command = [sys.executable, "-c", WRITER, str(server.port)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as writer:
            assert writer.stdout
            acknowledged = [int(writer.stdout.readline()) for _ in range(20)]
            os.kill(child.pid, signal.SIGKILL)
            acknowledged += [int(line) for line in writer.stdout]
    with server.running(), connect(server.address, "kept") as client:
        found = {a for (a,) in client.query("SELECT a FROM t").result_rows}
    wanted = {n * 100 + k for n in acknowledged for k in range(100)}
    assert wanted <= found


@pytest.mark.parametrize(
    ("text", "blob", "blob_format"),
    [
        (b"INSERT INTO t FORMAT Native\n\x00\x01", b"\x00\x01", "Native"),
        (b"insert into `FORMAT x`.t (a, `b)`) format  CSV \r\n1\r\n", b"1\r\n", "CSV"),
        (b"/* FORMAT CSV */ INSERT INTO t -- FORMAT\n(a) FORMAT TSV\n\n1", b"\n1", "TSV"),
        (b"INSERT INTO t SETTINGS x = 'FORMAT CSV' FORMAT JSONEachRow {}", b"{}", "JSONEachRow"),
        (b"INSERT INTO t VALUES ('a FORMAT CSV')", None, ""),
        (b"INSERT INTO t FORMAT Values (1)", None, ""),
        (b"INSERT INTO t SELECT 1 FORMAT CSV", None, ""),
        (b"SELECT 1 FORMAT CSV", None, ""),
    ],
)
def test_the_data_of_an_insert_begin_after_its_format(
    text: bytes, blob: bytes | None, blob_format: str
) -> None:
    found = statement.read(text)
    assert (found.blob, found.blob_format) == (blob, blob_format)
    assert found.text == text if blob is None else text.startswith(found.text)


def test_a_json_answer_is_json(clickhouse: str) -> None:
    answer = post(clickhouse, b"SELECT 1 AS a", default_format="JSON")
    assert json.loads(answer)["data"] == [{"a": 1}]
