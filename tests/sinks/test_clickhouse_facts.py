"""What a fact becomes in ClickHouse, value by value."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count
from typing import Any

import msgspec
import pytest

from models.effects import Decided
from models.events import Channel, Line, TicketRated, Tracked
from sinks.clickhouse_facts import FACTS
from sinks.clickhouse_sink import ClickHouseSink
from tests.builders import ANNA, START_MS, cancelled, identified, make, refunded
from tests.contract.records import Made, alert, fact, fact_record, folded, place, placed
from tests.contract.warehouse import Warehouse, fresh_warehouse, written

OFFSETS = count(100)
START = datetime.fromtimestamp(START_MS / 1000, UTC)


@pytest.fixture(scope="module")
def warehouse(clickhouse: str) -> Iterator[Warehouse]:
    with fresh_warehouse(clickhouse) as made:
        yield made


def read(record: Made) -> dict[str, list[Any]]:
    rows: dict[str, list[Any]] = {table.name: [] for table in FACTS.tables}
    FACTS.read(record, rows)
    return {name: found for name, found in rows.items() if found}


@pytest.mark.real
async def test_an_order_is_a_row_with_its_lines_and_an_event_without_them(
    warehouse: Warehouse,
) -> None:
    order = placed(
        "o 🛍",
        cents=2_000,
        discount_cents=150,
        shipping_cents=400,
        tax_cents=320,
        coupon="NEUE-KÜCHE",
        store_id="312",
        channel=Channel.STORE,
        source="till",
        number=3,
        extra={"gift": "是"},
        sealed={"note": "ciphertext"},
    )
    await warehouse.land(order, partition=1)
    [row] = warehouse.ask(
        "SELECT * EXCEPT (inserted_at) FROM orders WHERE order_id = {id:String}", id="o 🛍"
    )
    assert row == (
        START, ANNA, "o 🛍", 2_000, "EUR", 150, 400, 320, "NEUE-KÜCHE", "312", "store", "till",
        "regular", 3, "counted", False, 2, 1, 1, 0,
    )  # fmt: skip
    lines = warehouse.ask(
        "SELECT * EXCEPT (inserted_at) FROM order_lines WHERE order_id = {id:String} ORDER BY line",
        id="o 🛍",
    )
    assert lines == [
        (START, ANNA, "o 🛍", 0, "p1", "", "烏龍茶 🍵", "tea", "", "", 2.0, 600, 1_200, "EUR",
         "store", "regular", "counted", 1, 1, 0),
        (START, ANNA, "o 🛍", 1, "p2", "s2", "", "cups", "b", "v", 1.0, 800, 800, "EUR",
         "store", "regular", "counted", 1, 1, 0),
    ]  # fmt: skip
    [(properties, kind)] = warehouse.ask("SELECT properties, type FROM events WHERE source='till'")
    assert kind == "order_completed"
    assert json.loads(properties) == {
        "order_id": "o 🛍",
        "total_cents": 2_000,
        "currency": "EUR",
        "discount_cents": 150,
        "shipping_cents": 400,
        "tax_cents": 320,
        "coupon": "NEUE-KÜCHE",
        "store_id": "312",
        "extra": {"gift": "是"},
    }


@pytest.mark.real
async def test_an_event_keeps_what_has_no_column_and_where_it_stood(warehouse: Warehouse) -> None:
    event = make(
        Tracked, name="Quiz Finished", source="quiz", anonymous=True, extra={"score": 7, "名": "🍵"}
    )
    await warehouse.land(folded(event, 0, 41, logged_at_ms=START_MS + 5), partition=0, first=40)
    [row] = warehouse.ask("SELECT * EXCEPT (inserted_at) FROM events WHERE source = 'quiz'")
    later = datetime.fromtimestamp(START_MS / 1000 + 0.005, UTC)
    assert row[:10] == (
        START, START, later, event.id, ANNA, "tracked", "web", "quiz", "regular", True,
    )  # fmt: skip
    assert json.loads(row[10]) == {"name": "Quiz Finished", "extra": {"score": 7, "名": "🍵"}}
    assert row[11:] == (0, 1_041, 1, 0, 40)


@pytest.mark.real
@pytest.mark.parametrize("empty", [(), (Line("p", quantity=1e9),)], ids=["no lines", "huge"])
@pytest.mark.parametrize("cents", [0, -5, 10**12])
async def test_odd_orders_land_as_they_are(
    warehouse: Warehouse, cents: int, empty: tuple[Line, ...]
) -> None:
    order_id = f"odd {cents} {len(empty)}"
    placed_order = placed(order_id, cents=cents, lines=empty)
    await warehouse.land(placed_order, partition=2, first=next(OFFSETS))
    asked = "SELECT total_cents, lines FROM orders WHERE order_id = {id:String}"
    assert warehouse.ask(asked, id=order_id) == [(cents, len(empty))]


@pytest.mark.parametrize(
    ("event", "kind", "amount_cents"),
    [
        (cancelled("o1"), "cancelled", None),
        (refunded("o1"), "refunded", None),
        (refunded("o1", 0), "refunded", 0),
        (refunded("o1", 750), "refunded", 750),
    ],
    ids=["cancelled", "all back", "nothing back", "a part back"],
)
def test_what_is_taken_back_is_a_void(event: Any, kind: str, amount_cents: int | None) -> None:
    rows = read(fact_record(folded(event), 3, 9))
    assert rows["order_voids"] == [(START_MS, ANNA, "o1", kind, amount_cents, "web", 3, 9)]
    assert rows.keys() == {"events", "order_voids"}


def test_what_is_sealed_or_finds_people_does_not_come_along() -> None:
    event = identified(
        sealed={"email": "ciphertext"}, lookup={"email": "token"}, traits={"city": "臺北"}
    )
    [row] = read(fact_record(folded(event)))["events"]
    assert "ciphertext" not in repr(row)
    assert "token" not in repr(row[10])
    assert json.loads(row[10]) == {"traits": {"city": "臺北"}}


@pytest.mark.parametrize("offset", range(8))
def test_a_fact_of_each_kind_gives_rows_at_its_place(offset: int) -> None:
    rows = read(fact_record(fact(2, offset), 2, offset))
    assert rows
    for table in FACTS.tables:
        for row in rows.get(table.name, []):
            assert row[-2:] == (2, offset)
            assert table.fits(row)


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"null",
        b"{",
        b'{"kind": "unheard_of"}',
        b'{"kind": "tier_changed"}',
        b"\xff\xfe",
        msgspec.json.encode(alert()),
    ],
    ids=repr,
)
def test_what_is_no_fact_gives_no_row(value: bytes) -> None:
    rows: dict[str, list[Any]] = {table.name: [] for table in FACTS.tables}
    with pytest.raises((ValueError, msgspec.MsgspecError)):
        FACTS.read(Made(0, 0, b"k", value), rows)
    assert not any(rows.values())


def decided(**values: Any) -> Decided:
    return Decided(
        **place(0, 5),
        **{
            "customer": ANNA,
            "at_ms": START_MS,
            "rule": "birthday",
            "occasion": "2022",
            "action_id": "a" * 32,
            "verdict": "withheld",
            "reason": "quiet hours",
            "hazard": 0.5,
            "hazard_version": 2,
            "inputs": {},
            **values,
        },
    )


@pytest.mark.real
async def test_a_receipt_keeps_all_that_the_playbook_decided(warehouse: Warehouse) -> None:
    held = decided(
        status="held",
        action="task",
        message_channel="sms",
        offer="ten",
        coupon="ABC-1",
        arm="a",
        propensity=0.475,
        held_until_ms=START_MS + 1,
        playbook_version=3,
        passed=["consent", "caps"],
        rivals=["silence"],
    )
    await warehouse.land(held, decided(verdict="sent", reason="", action_id="b" * 32), partition=9)
    asked = (
        "SELECT status, action, message_channel, offer, coupon, arm, propensity, held_until, "
        "playbook_version, passed, rivals FROM decisions WHERE _partition = 9 ORDER BY _offset"
    )
    later = datetime.fromtimestamp(START_MS / 1000 + 0.001, UTC)
    assert warehouse.ask(asked) == [
        ("held", "task", "sms", "ten", "ABC-1", "a", 0.475, later, 3, ["consent", "caps"],
         ["silence"]),
        ("sent", "message", "", "", "", "", 1.0, None, 0, [], []),
    ]  # fmt: skip


@pytest.mark.real
async def test_a_value_no_column_holds_is_put_aside_with_its_whole_record(
    warehouse: Warehouse,
) -> None:
    fine, unfit = placed("fits"), placed("does not fit", number=2**40)
    rated = folded(make(TicketRated, ticket_id="t1", rating=5.0))
    batch = [
        fact_record(one, 7, offset) for offset, one in enumerate([fine, unfit, rated], start=3)
    ]
    for _ in range(2):
        await written(warehouse.facts_sink(), batch)
    counted = "SELECT count() FROM {table:Identifier} WHERE _partition = 7"
    assert {
        table: warehouse.value(counted, table=table) for table in ("events", "orders", "unreadable")
    } == {"events": 2, "orders": 1, "unreadable": 1}
    [(topic, offset, reason)] = warehouse.ask(
        "SELECT topic, _offset, reason FROM unreadable WHERE _partition = 7"
    )
    assert (topic, offset) == ("facts", 4)
    assert "orders" in reason
    assert str(2**40) not in reason


async def test_a_sink_that_is_not_open_says_so() -> None:
    sink = ClickHouseSink("facts", None, "facts", 1, FACTS)  # type: ignore[arg-type]
    with pytest.raises(RuntimeError, match="facts is not open"):
        await sink.write([fact_record(placed("o1"))])
