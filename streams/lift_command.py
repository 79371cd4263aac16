"""`huitou lift`: what rules brought, against customers left alone for comparison."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import typer
from clickhouse_connect.driver.exceptions import ClickHouseError
from rich.table import Table

from models.lift import OUTCOMES
from models.segment_values import exponent_of
from sinks.clickhouse import ClickHouseAddress, connect
from sinks.clickhouse_lift import LIFT, answer_of, parameters_of
from sinks.log_clock import LogClockReader
from streams.answers import answers
from streams.logging import hush_clients
from streams.servers.errors import ServerError
from streams.settings import Settings
from streams.topics import CONTROL

LOG_ANSWERS_WITHIN_S = 15.0
_NAMED = {
    "buyers": "ordered at all",
    "orders": "orders",
    "revenue_cents": "revenue",
    "discount_cents": "discounts",
    "unsubscribed": "unsubscribed",
}


class NoAnswer(ServerError):
    """ClickHouse, or the log for its time, could not be asked."""


def run(settings: Settings, rule: str, days: int, *, as_json: bool) -> None:
    """Print what `rule` brought, every rule where it is "", within `days` of its moment."""
    hush_clients()
    told = ask(settings, rule, days, asyncio.run(_log_now_ms(settings)))
    if as_json:
        typer.echo(json.dumps(told, indent=1))
        return
    console = answers()
    for part in as_text(told):
        console.print(part)


def ask(settings: Settings, rule: str, days: int, now_ms: int) -> dict[str, Any]:
    """Ask ClickHouse, at the log's time `now_ms`; raises NoAnswer."""
    address = ClickHouseAddress(
        settings.clickhouse_address,
        settings.clickhouse_user,
        settings.clickhouse_password.get_secret_value(),
        settings.clickhouse_database,
    )
    try:
        client = connect(address)
        try:
            asked = parameters_of(rule, days, now_ms, settings.currency)
            rows = list(client.query(LIFT, parameters=asked).named_results())
        finally:
            client.close()
    except ClickHouseError as error:
        said = str(error).splitlines()[0][:200]
        raise NoAnswer(f"no answer from {settings.clickhouse_address}: {said}") from None
    return {"at_ms": now_ms, **answer_of(rows, days, settings.currency)}


async def _log_now_ms(settings: Settings) -> int:
    clock = LogClockReader(settings.kafka_bootstrap, settings.named(CONTROL))
    try:
        async with asyncio.timeout(LOG_ANSWERS_WITHIN_S):
            await clock.start()
        return clock.now_ms()
    except TimeoutError:
        raise NoAnswer(f"no answer from {settings.kafka_bootstrap}") from None
    finally:
        await clock.stop()


def as_text(told: dict[str, Any]) -> Iterator[str | Table]:
    """Write an answer for people: a table for each rule."""
    if not told["lifts"]:
        yield (
            "nothing to compare yet: it takes a holdout, and customers whose "
            f"{told['days']} days are over"
        )
    unit = 10 ** exponent_of(told["currency"])
    for lift in told["lifts"]:
        parts = [lift["rule"] or "all rules together", lift["tier"], lift["arm"]]
        name = ", ".join(one for one in parts if one)
        yield f"{name}: {lift['treated']:,} acted on, {lift['control']:,} left alone"
        yield _table(lift["outcomes"], unit)
    for rule, number in told["mixed"].items():
        yield f"{rule}: {number:,} were on both sides and are in neither"


def _table(outcomes: dict[str, Any], unit: int) -> Table:
    table = Table(box=None, header_style="bold")
    for title in ("per customer", "acted on", "left alone", "brought in all", "between", ""):
        table.add_column(title)
    for name in OUTCOMES:
        one, scale = outcomes[name], unit if name.endswith("_cents") else 1
        known = one["low"] is not None
        table.add_row(
            _NAMED[name],
            f"{one['treated'] / scale:,.3f}",
            f"{one['control'] / scale:,.3f}",
            f"{one['total'] / scale:+,.1f}",
            f"{one['total_low'] / scale:+,.1f} … {one['total_high'] / scale:+,.1f}"
            if known
            else "too few customers",
            "" if not known else "clear" if one["clear"] else "not clear yet",
        )
    return table
