"""What actions, alerts, dead letters and states become in ClickHouse, value by value."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from models.clock import DAY_MS
from models.customer import STATE_VERSION, NewerState
from models.tokens import PARTITION_KEY
from sinks.clickhouse_shapes import (
    ACTION_SHAPE,
    ALERT_SHAPE,
    CUSTOMER_SHAPE,
    DEAD_LETTER_SHAPE,
)
from sinks.clickhouse_sink import ClickHouseSink
from sinks.clickhouse_table import Shape
from tests.builders import ANNA, START_MS, named
from tests.contract.records import (
    Made,
    action,
    alert,
    alerts,
    customer,
    dead_letters,
    encode,
    row,
)
from tests.contract.warehouse import Warehouse, fresh_warehouse, written


@pytest.fixture(scope="module")
def warehouse(clickhouse: str) -> Iterator[Warehouse]:
    with fresh_warehouse(clickhouse) as made:
        yield made


def moment(after_ms: int) -> datetime:
    return datetime.fromtimestamp((START_MS + after_ms) / 1000, UTC)


def read(shape: Shape, record: Made) -> list[Any]:
    rows: dict[str, list[Any]] = {table.name: [] for table in shape.tables}
    shape.read(record, rows)
    [found] = rows.values()
    return found


async def land(warehouse: Warehouse, shape: Shape, *batch: Made) -> list[tuple[Any, ...]]:
    """What the only table of a shape holds of these records."""
    sink = ClickHouseSink("one", warehouse.address, "topic", 1, shape)
    await written(sink, batch)
    [table] = shape.tables
    return warehouse.ask(f"SELECT * EXCEPT (inserted_at) FROM {table.name} ORDER BY _offset")


@pytest.mark.real
async def test_an_action_comes_without_what_is_sealed(warehouse: Warehouse) -> None:
    made = action(
        0, 3, hazard=0.5, hazard_version=7, locale="zh-TW", kind="task", consent="service",
        playbook_version=4, offer="ten", coupon="ABC-1", arm="a", propensity=0.5,
        owner="service desk", task="call back", task_due_ms=START_MS + 3,
    )  # fmt: skip
    [found] = await land(warehouse, ACTION_SHAPE, Made(0, 3, made.customer.encode(), encode(made)))
    assert found[:9] == (
        moment(3), moment(4), made.action_id, made.customer, "thank_you", "o3", "email",
        "thank_you", "zh-TW",
    )  # fmt: skip
    assert json.loads(found[9]) == {"product": "烏龍茶 🍵"}
    assert found[10:] == (
        0.5, 7, "task", "service", 4, "ten", "ABC-1", "a", 0.5, "service desk", "call back",
        moment(3), 1, 0, 3,
    )  # fmt: skip
    assert "ciphertext" not in repr(found)


@pytest.mark.real
async def test_an_alert_has_an_end_once_it_is_resolved(warehouse: Warehouse) -> None:
    fired, ended = await land(warehouse, ALERT_SHAPE, *alerts(0, range(2)))
    assert fired[:7] == (
        moment(0), None, alert(0).fingerprint, "firing", "orders_per_hour", "critical",
        "訂單少了一半 📉",
    )  # fmt: skip
    assert fired[7:9] == (
        {"metric": "orders_per_hour"},
        {"expected": 40.5, "actual": 18.0, "offset": 0.0},
    )
    assert (ended[1], ended[3]) == (moment(1), "resolved")
    [now] = warehouse.ask("SELECT fingerprint, status, starts_at, ends_at FROM alerts_now")
    assert now == (alert(0).fingerprint, "resolved", moment(0), moment(1))


@pytest.mark.real
async def test_a_dead_letter_comes_without_its_body(warehouse: Warehouse) -> None:
    [found] = await land(warehouse, DEAD_LETTER_SHAPE, *dead_letters(1, range(5, 6)))
    assert found == (
        moment(5), "gateway", "expected `int`", "properties.total", "a number", -1, -1, 1, 1, 5,
    )  # fmt: skip
    reasons = warehouse.ask("SELECT source, reason, letters FROM dead_letters_by_reason")
    assert reasons == [("gateway", "expected `int`", 1)]


@pytest.mark.real
async def test_a_state_is_a_row_of_its_moment(warehouse: Warehouse) -> None:
    state = customer(6, hazard=0.5, hazard_version=2, hazard_at_ms=START_MS + 9, refunded_cents=5)
    [found] = await land(warehouse, CUSTOMER_SHAPE, row(0, 6, ANNA, state))
    columns = dict(zip([name for name, _ in COLUMNS], found, strict=False))
    assert columns["at"] == moment(9)
    assert columns["customer"] == ANNA
    assert columns["known"] is True
    assert columns["tier"] == "regular"
    assert (columns["events"], columns["orders"], columns["value_cents"]) == (7, 2, 106)
    assert (columns["first_order_at"], columns["last_order_at"]) == (moment(0), moment(6))
    assert columns["next_order_at"] == moment(9 + 30 * DAY_MS)
    assert columns["favourite_category"] == "tea 🍵"
    assert warehouse.ask("SELECT customer, value_cents FROM customers") == [(ANNA, 106)]


COLUMNS = CUSTOMER_SHAPE.tables[0].columns


def value(state: Any, column: str) -> Any:
    [found] = read(CUSTOMER_SHAPE, row(0, 0, ANNA, state))
    return dict(zip([name for name, _ in COLUMNS], found, strict=False))[column]


def test_who_never_ordered_has_no_order_times() -> None:
    state = customer(0, orders=0, first_order_ms=0, last_order_ms=0)
    for column in ("first_order_at", "last_order_at", "mean_gap_days", "next_order_at"):
        assert value(state, column) is None


@pytest.mark.parametrize(
    ("categories", "favourite"),
    [({}, ""), ({"a": 1.0}, "a"), ({"a": 1.0, "b": 2.0}, "b"), ({"b": 1.0, "a": 1.0}, "b")],
    ids=str,
)
def test_the_favourite_category_is_the_heaviest(
    categories: dict[str, float], favourite: str
) -> None:
    assert value(customer(0, categories=categories), "favourite_category") == favourite


@pytest.mark.parametrize(
    "record",
    [
        row(0, 0, PARTITION_KEY.decode(), customer(0)),
        row(0, 0, ANNA, None),
        row(0, 0, ANNA, customer(0, events=0)),
        Made(0, 0, None, b"anything"),
    ],
    ids=["a partition's own row", "a tombstone", "an erased customer", "no key"],
)
def test_what_is_no_state_of_a_customer_gives_no_row(record: Made) -> None:
    assert read(CUSTOMER_SHAPE, record) == []


def test_a_name_that_was_given_up_is_kept_with_where_it_went() -> None:
    state = customer(0, events=0, merged_into=named("bert"))
    assert value(state, "merged_into") == named("bert")


def test_a_state_of_a_newer_release_is_not_put_aside() -> None:
    with pytest.raises(NewerState):
        read(CUSTOMER_SHAPE, row(0, 0, ANNA, customer(0, version=STATE_VERSION + 1)))
