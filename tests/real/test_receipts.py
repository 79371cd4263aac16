"""Receipts from the whole path: what was sent and why, what was not, and what never came."""

import asyncio
import json
from typing import Any

import pytest

from models.clock import DAY_MS, HOUR_MS
from models.tokens import token_of
from sinks.clickhouse import ClickHouseAddress, connect
from streams.playbook_editions import apply_files
from streams.prepare import prepare
from streams.receipts_absence import absence_of
from streams.receipts_command import ReceiptTrouble, explain, why
from streams.secrets import load_secrets
from streams.settings import Settings
from tests.builders import START_MS, identified, viewed
from tests.models.triggers.playing import HEAD
from tests.real.rig import Crew, Log, until

pytestmark = pytest.mark.real
RULES = (
    HEAD
    + """
triggers:
  browse:
    when: {event: product_viewed, wait: 24h, unless: order_completed}
    then: [{message: hello}]
  rare:
    when: {silence: 30d}
    then: [{message: hello}]
    guard: {if: customer.orders > 3}
"""
)


def decided(settings: Settings) -> int:
    address = ClickHouseAddress(settings.clickhouse_address, database=settings.clickhouse_database)
    client = connect(address)
    try:
        found = client.query("SELECT count() FROM decisions WHERE status = 'sent'").result_rows
        return int(found[0][0])
    finally:
        client.close()


async def test_what_was_sent_is_explained_and_what_never_came_says_what_is_missing(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    await asyncio.to_thread(prepare, settings)
    key = load_secrets(settings).token_key
    who: dict[str, Any] = {"customer": token_of(key, "customer", "c1")}
    with Crew(settings) as crew:
        async with Log(settings) as log:
            await log.mark(START_MS)
            await apply_files(settings, "main", {"main": RULES}, by="a test")
            await log.write(
                [
                    identified(at_ms=START_MS, sealed={"email": "x", "id": "y"}, **who),
                    viewed("sku1", at_ms=START_MS + HOUR_MS, **who),
                ]
            )
            await log.mark(START_MS + 2 * DAY_MS)
            crew.start("worker")
            crew.start("sinks")

            async def landed() -> bool:
                return decided(settings) > 0

            await until(landed, "the decision in ClickHouse")
            absence = await absence_of(settings, who["customer"], "rare")
            nobody = await absence_of(settings, token_of(key, "customer", "c2"), "rare")
    told = {one["said"]: one["holds"] for one in absence["findings"]}
    assert told["condition 'customer.orders > 3'"] is False
    assert told["below the caps"] is True
    assert nobody["known"] is False
    capsys.readouterr()
    await _tell(settings, capsys)


async def _tell(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    await asyncio.to_thread(why, settings, "c1", "browse", as_json=True)
    told = json.loads(capsys.readouterr().out)
    [decision] = told["decisions"]
    assert (decision["status"], decision["playbook_version"]) == ("sent", 1)
    assert told["absence"] is None
    await asyncio.to_thread(explain, settings, decision["action_id"], as_json=False)
    shown = capsys.readouterr().out
    assert "browse, about" in shown
    assert "message was sent by email" in shown
    assert "passed: in time, consent to marketing by email" in shown
    await asyncio.to_thread(why, settings, "c1", "rare", as_json=False)
    assert "rare has decided nothing about c1" in capsys.readouterr().out
    with pytest.raises(ReceiptTrouble, match="nothing was decided under the id"):
        await asyncio.to_thread(explain, settings, "0" * 32, as_json=False)
