"""The way to ClickHouse: addresses that are right or refused, and one client for many threads."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from sinks.clickhouse import ClickHouseAddress, connect, insert_selected


@pytest.mark.parametrize("url", ["", "localhost:8123", "tcp://127.0.0.1:9000", "http://"])
def test_an_address_that_is_none_is_refused_by_what_it_is(url: str) -> None:
    with pytest.raises(ValueError, match="expected http://HOST:PORT"):
        connect(ClickHouseAddress(url))


def test_an_address_does_not_show_its_password() -> None:
    assert "s3cret" not in repr(ClickHouseAddress("http://host", password="s3cret"))


@pytest.mark.real
def test_threads_may_share_a_client(clickhouse: str) -> None:
    client = connect(ClickHouseAddress(clickhouse), database="")
    with ThreadPoolExecutor(8) as threads:
        asked = [threads.submit(client.query, f"SELECT {number}") for number in range(40)]
        answers = [one.result().result_rows[0][0] for one in asked]
    client.close()
    assert answers == list(range(40))


@pytest.mark.real
def test_times_are_aware_and_utc(clickhouse: str) -> None:
    client = connect(ClickHouseAddress(clickhouse), database="")
    found = client.query("SELECT toDateTime64('2026-11-23 01:02:03.004', 3, 'UTC')").result_rows
    client.close()
    assert found == [(datetime(2026, 11, 23, 1, 2, 3, 4_000, UTC),)]


@pytest.mark.real
def test_an_insert_from_a_query_tells_how_much_it_wrote_and_may_be_repeated(
    clickhouse: str,
) -> None:
    client = connect(ClickHouseAddress(clickhouse), database="")
    client.command("CREATE DATABASE IF NOT EXISTS way")
    client.command(
        "CREATE TABLE way.t (x UInt8) ENGINE = MergeTree ORDER BY x "
        "SETTINGS non_replicated_deduplication_window = 100"
    )
    statement = "INSERT INTO way.t SELECT number FROM numbers(3)"
    assert [insert_selected(client, statement) for _ in range(2)] == [3, 3]
    assert insert_selected(client, statement + " WHERE number > 5") == 0
    assert client.query("SELECT count() FROM way.t").result_rows == [(6,)]
    client.command("DROP DATABASE way")
    client.close()
