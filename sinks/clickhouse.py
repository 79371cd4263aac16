"""One way to ClickHouse for every sink: HTTP, the same to the embedded engine and to a server."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import clickhouse_connect
from clickhouse_connect.driver.client import Client

REQUEST_LIMIT_S = 60
CONNECT_LIMIT_S = 5

INSERT_SETTINGS: dict[str, Any] = {
    # A block is one part, there whole or not at all, when this returns: no server-side buffering,
    # no splitting among threads.
    "async_insert": 0,
    "max_insert_threads": 1,
    "insert_deduplicate": 1,
    "deduplicate_blocks_in_dependent_materialized_views": 1,
}


@dataclass(frozen=True)
class ClickHouseAddress:
    """Where ClickHouse is and which database is ours."""

    url: str
    user: str = "default"
    password: str = ""
    database: str = "huitou"

    def __repr__(self) -> str:
        return f"ClickHouseAddress({self.url!r}, database={self.database!r})"


def connect(address: ClickHouseAddress, *, database: str | None = None) -> Client:
    """Open a client that threads may share; a ClickHouseError when there is no answer.

    `database` "" leaves the database open.
    """
    parts = urlsplit(address.url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"ClickHouse address {address.url!r}: expected http://HOST:PORT")
    return clickhouse_connect.get_client(
        host=parts.hostname,
        port=parts.port or (8443 if parts.scheme == "https" else 8123),
        interface=parts.scheme,
        username=address.user,
        password=address.password,
        database=address.database if database is None else database,
        # A session would let only one query run at a time.
        autogenerate_session_id=False,
        connect_timeout=CONNECT_LIMIT_S,
        send_receive_timeout=REQUEST_LIMIT_S,
        compress=False,
        tz_mode="aware",
    )


def insert_selected(client: Client, statement: str) -> int:
    """Run an INSERT SELECT; the number of rows it wrote.

    Two of them may write the same rows and yet both be meant, so no deduplication.
    """
    settings = {**INSERT_SETTINGS, "insert_deduplicate": 0}
    return int(getattr(client.command(statement, settings=settings), "written_rows", 0))
