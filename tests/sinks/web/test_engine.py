"""Questions to the real engine: budgets, errors, plain values."""

import asyncio
import threading
import time

import pytest

from sinks.clickhouse import ClickHouseAddress
from sinks.web.engine import Answer, Engine, QueryFailed

pytestmark = pytest.mark.real


async def test_values_come_back_plain(clickhouse: str) -> None:
    engine = Engine(ClickHouseAddress(clickhouse, database="default"))
    [row] = await engine.rows(
        """SELECT toDateTime64('2017-08-03 14:20:00.250', 3, 'UTC') AS at,
           toDateTime('2017-08-03 22:20:00', 'Asia/Taipei') AS there,
           toDecimal64(1.5, 2) AS amount, nan AS nothing, NULL AS none, {name:String} AS name""",
        {"name": "李娜 '; DROP TABLE x"},
        10_000,
    )
    assert row == {
        "at": 1_501_770_000_250,
        "there": 1_501_770_000_000,
        "amount": 1.5,
        "nothing": None,
        "none": None,
        "name": "李娜 '; DROP TABLE x",
    }
    engine.close()


async def test_a_query_that_outlives_its_budget_is_given_up(clickhouse: str) -> None:
    engine = Engine(ClickHouseAddress(clickhouse, database="default"))
    await engine.rows("SELECT 1 AS one", {}, 10_000)
    async with asyncio.timeout(10):
        with pytest.raises(QueryFailed):
            await engine.rows("SELECT max(sipHash64(number)) FROM numbers(1e12)", {}, 300)
    engine.close()


@pytest.mark.parametrize("turns", range(5))
async def test_a_cancellation_that_comes_with_the_answer_is_not_lost(
    turns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Engine(ClickHouseAddress("http://127.0.0.1:1", database="default"))
    answered = threading.Event()

    def answer(*_: object) -> Answer:
        answered.set()
        return Answer([], 0.0)

    monkeypatch.setattr(engine, "_ask", answer)
    asking = asyncio.create_task(engine.ask("SELECT 1", {}, 10_000))
    await asyncio.sleep(0)
    answered.wait()
    time.sleep(0.02)
    for _ in range(turns):
        await asyncio.sleep(0)
    was_cancelled = asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    assert asking.cancelled() is was_cancelled
    engine.close()


async def test_an_error_is_one_line_that_says_what_is_wrong(clickhouse: str) -> None:
    engine = Engine(ClickHouseAddress(clickhouse, database="default"))
    with pytest.raises(QueryFailed, match="nowhere") as failed:
        await engine.rows("SELECT * FROM nowhere", {}, 10_000)
    assert "\n" not in str(failed.value)
    assert len(str(failed.value)) <= 300
    engine.close()


async def test_an_engine_that_comes_back_is_found(clickhouse: str) -> None:
    gone = Engine(ClickHouseAddress("http://127.0.0.1:1", database="default"))
    for _ in range(2):
        with pytest.raises(QueryFailed):
            await gone.rows("SELECT 1", {}, 5_000)
    gone.close()
