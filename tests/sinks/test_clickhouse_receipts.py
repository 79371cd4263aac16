"""Receipts are found with their event, what was decided beside them, and their delivery."""

from typing import Any

import pytest

from models.effects import Decided, Merged, encode
from models.events import Channel, MessageChannel, MessageClicked, MessageSent
from sinks.clickhouse_receipts import decisions_of, names_of, story_of
from tests.builders import ANNA, START_MS, make, named, viewed
from tests.contract.records import Made, action, folded, place
from tests.contract.warehouse import Warehouse, fresh_warehouse, written

pytestmark = pytest.mark.real
ACTION = "a" * 32
LAPTOP = named("laptop")


def decided(offset: int, **values: Any) -> Decided:
    return Decided(
        **place(0, offset),
        **{
            "customer": ANNA,
            "at_ms": START_MS + offset,
            "rule": "browse",
            "occasion": "sku1",
            "action_id": ACTION,
            "verdict": "sent",
            "reason": "",
            "hazard": 0.25,
            "hazard_version": 3,
            "inputs": {"product": "烏龍茶", "tier": "new", "orders": 1},
            "status": "sent",
            **values,
        },
    )


def receipt(kind: Any, offset: int, **more: Any) -> Any:
    fields = {"action_id": ACTION, "message_channel": MessageChannel.EMAIL, **more}
    return folded(make(kind, at_ms=START_MS + offset, channel=Channel.SERVER, **fields), 0, offset)


@pytest.fixture
async def warehouse(clickhouse: str) -> Any:
    with fresh_warehouse(clickhouse) as made:
        await made.land(
            folded(viewed("sku1"), 0, 0),
            decided(0, status="held", verdict="withheld", held_until_ms=START_MS + 2),
            decided(2, coupon="ABC-1", passed=["in time"], rivals=["silence"]),
            decided(2, rule="silence", action_id="b" * 32, status="superseded"),
            receipt(MessageSent, 3, rule="browse"),
            receipt(MessageClicked, 4, url="/tea"),
            folded(make(MessageSent, action_id="c" * 32, message_channel=MessageChannel.SMS), 0, 5),
            decided(6, customer=LAPTOP, action_id="d" * 32, status="capped", occasion="sku2"),
            Merged(**place(0, 7), customer=ANNA, at_ms=START_MS + 7, origin=LAPTOP),
        )
        asked = action(0, 2, action_id=ACTION, customer=ANNA)
        await written(made.actions_sink(), [Made(0, 0, ANNA.encode(), encode(asked))])
        yield made


def test_a_story_goes_from_the_event_to_the_click(warehouse: Warehouse) -> None:
    story = story_of(warehouse.client, ACTION)
    assert story is not None
    assert (story["customer"], story["rule"], story["occasion"]) == (ANNA, "browse", "sku1")
    assert [one["status"] for one in story["decisions"]] == ["held", "sent"]
    assert story["decisions"][0]["held_until"] == START_MS + 2
    assert story["decisions"][1]["inputs"]["product"] == "烏龍茶"
    assert story["event"]["type"] == "product_viewed"
    assert [one["rule"] for one in story["beside"]] == ["silence"]
    assert [one["type"] for one in story["delivery"]] == ["message_sent", "message_clicked"]
    assert [one["variables"] for one in story["actions"]] == [{"product": "烏龍茶 🍵"}]


def test_what_was_never_decided_has_no_story(warehouse: Warehouse) -> None:
    assert story_of(warehouse.client, "0" * 32) is None


def test_a_merged_customers_decisions_are_found_under_each_name(warehouse: Warehouse) -> None:
    assert names_of(warehouse.client, LAPTOP) == [ANNA, LAPTOP]
    assert names_of(warehouse.client, ANNA) == [ANNA, LAPTOP]
    found = decisions_of(warehouse.client, [ANNA, LAPTOP], "browse")
    assert [one["occasion"] for one in found] == ["sku2", "sku1", "sku1"]


def test_a_rule_that_decided_nothing_has_no_decisions(warehouse: Warehouse) -> None:
    assert decisions_of(warehouse.client, [ANNA], "birthday") == []
