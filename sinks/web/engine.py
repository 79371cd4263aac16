"""Questions to ClickHouse that never hold up the page: in threads, each with a budget."""

import asyncio
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal
from math import isfinite
from typing import Any, NamedTuple

from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

from sinks.clickhouse import ClickHouseAddress, connect

THREADS = 3
_WORDS_AT_MOST = 300
_GRACE_S = 0.5

Row = dict[str, Any]


class QueryFailed(RuntimeError):
    """The engine could not answer; the text says why, in one line."""


class Answer(NamedTuple):
    """Rows by column name, and the seconds the engine took."""

    rows: list[Row]
    took_s: float


class Engine:
    """A few threads that share one client."""

    def __init__(self, address: ClickHouseAddress, threads: int = THREADS) -> None:
        self._address = address
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="panels")
        self._lock = threading.Lock()
        self._client: Client | None = None

    async def rows(self, sql: str, parameters: Mapping[str, Any], budget_ms: int) -> list[Row]:
        """Answer a query with its rows; see `ask`."""
        return (await self.ask(sql, parameters, budget_ms)).rows

    async def ask(self, sql: str, parameters: Mapping[str, Any], budget_ms: int) -> Answer:
        """Answer a query; times in its rows are milliseconds since the epoch.

        Raises QueryFailed, also when the answer is not there within the budget.
        """
        loop = asyncio.get_running_loop()
        asked = loop.run_in_executor(self._threads, self._ask, sql, dict(parameters), budget_ms)
        try:
            # The engine gives up first; this guards against one that does not answer at all. Not by
            # `wait_for`: until Python 3.12 it loses a cancellation that comes with the answer.
            async with asyncio.timeout(budget_ms / 1000 + _GRACE_S):
                return await asked
        except TimeoutError:
            raise QueryFailed(f"no answer within {budget_ms} ms") from None

    def close(self) -> None:
        """Let go of the threads and the connection."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        if self._client is not None:
            self._client.close()

    def _ask(self, sql: str, parameters: dict[str, Any], budget_ms: int) -> Answer:
        started_s = time.monotonic()
        try:
            answer = self._connected().query(
                sql,
                parameters=parameters,
                settings={"max_execution_time": budget_ms / 1000, "max_threads": 1},
            )
        except (ClickHouseError, OSError) as error:
            raise QueryFailed(_one_line(error)) from error
        rows = _plain(answer.column_names, answer.result_rows)
        return Answer(rows, time.monotonic() - started_s)

    def _connected(self) -> Client:
        with self._lock:
            if self._client is None:
                self._client = connect(self._address)
            return self._client


def _plain(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[Row]:
    return [dict(zip(names, map(_plain_value, row), strict=True)) for row in rows]


def _plain_value(value: Any) -> Any:
    if isinstance(value, datetime):
        aware = value if value.tzinfo else value.replace(tzinfo=UTC)
        return round(aware.timestamp() * 1000)
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, float) and not isfinite(value):
        return None
    return value


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:_WORDS_AT_MOST]
