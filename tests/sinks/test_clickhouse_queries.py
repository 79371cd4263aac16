"""The numbers people read, at their boundaries, and against a recount in plain Python."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from random import Random
from typing import Any

import pytest

from models.clock import DAY_MS, HOUR_MS
from models.effects import FactBase, TierChanged
from sinks import clickhouse_queries as queries
from tests.builders import START_MS, cancelled, named, refunded
from tests.contract.records import customer, fact, folded, merged, place, placed, row
from tests.contract.warehouse import Warehouse, fresh_warehouse, written

pytestmark = pytest.mark.real

NOON_MS = START_MS + 12 * HOUR_MS
A, B, DEVICE, TABLET = (named(name) for name in ("a", "b", "a device", "a tablet"))


@pytest.fixture(scope="module")
def shared(clickhouse: str) -> Iterator[Warehouse]:
    with fresh_warehouse(clickhouse) as made:
        yield made


@pytest.fixture
def warehouse(shared: Warehouse) -> Warehouse:
    """The same database each time, emptied."""
    for (table,) in shared.ask(
        "SELECT name FROM system.tables WHERE database = currentDatabase() "
        "AND engine LIKE '%MergeTree' AND name != 'schema_migrations'"
    ):
        shared.client.command(f"TRUNCATE TABLE {table}")
    return shared


def ordered(day: float, who: str = A, order_id: str = "", **more: Any) -> FactBase:
    at_ms = NOON_MS + int(day * DAY_MS)
    return placed(order_id or f"{who} {day}", customer=who, at_ms=at_ms, **more)


def undone(order_id: str, who: str = A, day: float = 1) -> FactBase:
    return folded(cancelled(order_id, customer=who, at_ms=NOON_MS + int(day * DAY_MS)))


def by_device(day: float, who: str = DEVICE, **more: Any) -> FactBase:
    return ordered(day, who, anonymous=True, **more)


@pytest.mark.parametrize(
    ("facts", "rate"),
    [
        ([], None),
        ([ordered(0)], 0.0),
        ([ordered(11)], None),
        ([ordered(10)], 0.0),
        ([ordered(0), ordered(30)], 1.0),
        ([ordered(0), ordered(30.0001)], 0.0),
        ([ordered(0), ordered(0.4)], 0.0),
        ([ordered(0), ordered(0.5)], 1.0),
        ([ordered(0), ordered(5, B)], 0.0),
        ([ordered(0), ordered(5), ordered(1, B)], 0.5),
        ([ordered(5), ordered(0)], 1.0),
        ([ordered(0), ordered(9, order_id="o"), undone("o")], 0.0),
        ([undone("o"), ordered(0), ordered(9, order_id="o", state="cancelled")], 0.0),
        ([ordered(0, order_id="o"), undone("o"), ordered(9), ordered(12)], 1.0),
        ([ordered(0), ordered(9, order_id="o"), undone("o", B)], 1.0),
        ([ordered(0), ordered(9, order_id="o"), folded(refunded("o", customer=A))], 1.0),
        ([ordered(0), ordered(9, state="repeated")], 0.0),
        ([by_device(0), by_device(9)], None),
        ([by_device(0), ordered(9)], 0.0),
        ([by_device(0), ordered(9), merged(DEVICE, A)], 1.0),
        ([by_device(0), by_device(9), merged(DEVICE, A)], 1.0),
        ([by_device(0), ordered(9), merged(DEVICE, TABLET), merged(TABLET, A)], 1.0),
        ([ordered(0), ordered(9, B), merged(A, B), merged(B, A, START_MS + 1)], 1.0),
        ([by_device(0), by_device(9, order_id="o"), undone("o"), merged(DEVICE, A)], 0.0),
        ([ordered(0, cents=0), ordered(3, cents=-5)], 1.0),
    ],
    ids=[
        "nobody",
        "ordered once",
        "first order not old enough",
        "first order just old enough",
        "again on the last day",
        "again a moment too late",
        "again on the same day",
        "again on the next day, half a day later",
        "another customer's order",
        "one of two",
        "the later order arrived first",
        "the second was cancelled",
        "the cancellation came first",
        "the first was cancelled",
        "another customer's cancellation",
        "the second was refunded",
        "the same order sent again",
        "only a device",
        "a device that was never joined",
        "a device that was joined",
        "two orders of a device that was joined",
        "joined over a third name",
        "joined in a circle",
        "the cancellation came under the new name",
        "amounts of nothing and below",
    ],
)
async def test_the_repurchase_rate_at_its_boundaries(
    warehouse: Warehouse, facts: list[FactBase], rate: float | None
) -> None:
    if facts:
        await warehouse.land(*facts)
    now_ms = NOON_MS + 40 * DAY_MS
    assert queries.repurchase_rate(warehouse.client, 30, now_ms) == rate


@dataclass
class Story:
    """What happened, kept apart from the facts that tell of it."""

    facts: list[FactBase] = field(default_factory=list)
    orders: list[tuple[str, str, int, bool]] = field(default_factory=list)
    cancelled: set[tuple[str, str]] = field(default_factory=set)
    leads_to: dict[str, str] = field(default_factory=dict)

    def order(self, who: str, order_id: str, at_ms: int, *, device: bool) -> None:
        self.orders.append((who, order_id, at_ms, device))
        self.facts.append(placed(order_id, customer=who, at_ms=at_ms, anonymous=device))

    def cancel(self, who: str, order_id: str) -> None:
        self.cancelled.add((who, order_id))
        self.facts.append(undone(order_id, who))

    def join(self, origin: str, target: str) -> None:
        self.leads_to[origin] = target
        self.facts.append(merged(origin, target))

    def today(self, who: str) -> str:
        while who in self.leads_to:
            who = self.leads_to[who]
        return who

    def repurchase_rate(self, days: int, now_ms: int) -> float | None:
        """The definition once more, in plain words."""
        undone_today = {(self.today(who), order_id) for who, order_id in self.cancelled}
        times: dict[str, list[int]] = defaultdict(list)
        for who, order_id, at_ms, device in self.orders:
            owner = self.today(who)
            if not (device and owner == who) and (owner, order_id) not in undone_today:
                times[owner].append(at_ms)
        eligible = [sorted(one) for one in times.values() if min(one) + days * DAY_MS <= now_ms]
        returned = [one for one in eligible if came_back(one, days)]
        return len(returned) / len(eligible) if eligible else None


def came_back(times_ms: list[int], days: int) -> bool:
    first_ms = times_ms[0]
    return any(
        at_ms // DAY_MS > first_ms // DAY_MS and at_ms <= first_ms + days * DAY_MS
        for at_ms in times_ms
    )


def a_story(random: Random, size: int) -> Story:
    """Known customers and devices that order, cancel, and are joined in chains."""
    story = Story()
    numbers = count()
    names = [named(f"r {number}") for number in range(size)]
    for number, who in enumerate(names):
        device = number % 3 == 0
        for _ in range(random.choice((1, 1, 2, 3, 6))):
            order_id = f"o{next(numbers)}"
            at_ms = START_MS + random.randrange(100 * DAY_MS)
            story.order(who, order_id, at_ms, device=device)
            if random.random() < 0.15:
                story.cancel(who, order_id)
        if device and number and random.random() < 0.6:
            story.join(who, names[random.randrange(number)])
    random.shuffle(story.facts)
    return story


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_the_repurchase_rate_equals_a_recount(warehouse: Warehouse, seed: int) -> None:
    story = a_story(Random(seed), 300)
    await warehouse.land(*story.facts)
    now_ms = START_MS + 95 * DAY_MS
    for days in (30, 60, 90):
        rate = queries.repurchase_rate(warehouse.client, days, now_ms)
        assert rate == story.repurchase_rate(days, now_ms)
        assert rate is None or 0 < rate < 1


async def test_orders_are_counted_by_the_day_they_were_placed(warehouse: Warehouse) -> None:
    await warehouse.land(
        ordered(0.4999), ordered(0.5, cents=300), ordered(0.6, B), ordered(2, state="repeated"),
        ordered(3, order_id="o"), undone("o"),
    )  # fmt: skip
    days = [
        ((one.day.toordinal() * DAY_MS - START_MS) // DAY_MS, one.orders, one.revenue_cents)
        for one in queries.orders_per_day(warehouse.client)
    ]
    first = days[0][0]
    assert [(day - first, orders, cents) for day, orders, cents in days] == [
        (0, 1, 2_000),
        (1, 2, 2_300),
        (3, 1, 2_000),
    ]


async def test_each_known_customer_is_in_one_tier(warehouse: Warehouse) -> None:
    states = [
        (A, customer(0, tier="new")),
        (A, customer(1, tier="regular")),
        (B, customer(2, tier="regular")),
        (DEVICE, customer(3, tier="new", known=False)),
        (TABLET, customer(4, tier="potential")),
        (TABLET, customer(0, events=0, tier="", merged_into=B)),
    ]
    made = [row(0, offset, who, state) for offset, (who, state) in enumerate(states)]
    await written(warehouse.history_sink(), made)
    assert queries.tiers(warehouse.client) == {"regular": 2}


async def test_the_flow_between_tiers_is_counted_by_day(warehouse: Warehouse) -> None:
    moves = [(A, "", "new", 0), (B, "", "new", 0), (A, "new", "regular", 1)]
    await warehouse.land(
        *(
            TierChanged(
                **place(0, offset),
                customer=who,
                at_ms=NOON_MS + day * DAY_MS,
                from_tier=left,
                to_tier=entered,
                reason="r",
            )
            for offset, (who, left, entered, day) in enumerate(moves)
        )
    )
    flow = warehouse.ask("SELECT from_tier, to_tier, moves FROM tier_flow ORDER BY day, from_tier")
    assert flow == [("", "new", 2), ("new", "regular", 1)]


@pytest.mark.parametrize(
    ("voids", "cancelled_so", "refunded_cents"),
    [
        ([], 0, 0),
        ([500], 0, 500),
        ([500, 700], 0, 1_200),
        ([1_900, 700], 0, 2_000),
        ([500, None], 0, 2_000),
        (["cancelled"], 1, 0),
        ([500, "cancelled"], 1, 0),
    ],
    ids=str,
)
async def test_what_became_of_an_order(
    warehouse: Warehouse, voids: list[Any], cancelled_so: int, refunded_cents: int
) -> None:
    facts = [
        undone("o") if void == "cancelled" else folded(refunded("o", void, customer=A))
        for void in voids
    ]
    await warehouse.land(*facts[:1], ordered(0, order_id="o"), *facts[1:])
    [found] = warehouse.ask("SELECT order_id, cancelled, refunded_cents FROM order_outcomes")
    assert found == ("o", cancelled_so, refunded_cents)


@pytest.mark.parametrize(
    ("chain", "ends"),
    [
        ([("a", "b")], {"a": "b"}),
        ([("a", "b"), ("b", "c")], {"a": "c", "b": "c"}),
        ([(str(n), str(n + 1)) for n in range(9)], {str(n): "9" for n in range(9)}),
        ([(str(n), str(n + 1)) for n in range(10, 26)], {str(n): "26" for n in range(10, 26)}),
        ([("a", "b"), ("b", "a")], {"a": "a", "b": "a"}),
        ([("a", "b"), ("b", "c"), ("c", "b")], {"a": "b", "b": "b", "c": "b"}),
    ],
    ids=["one", "two", "nine", "sixteen", "circle", "circle at the end"],
)
async def test_merges_are_followed_to_their_end(
    warehouse: Warehouse, chain: list[tuple[str, str]], ends: dict[str, str]
) -> None:
    await warehouse.land(*(merged(origin, target) for origin, target in chain))
    assert dict(warehouse.ask("SELECT origin, customer FROM merged_customers")) == ends


async def test_rows_are_counted_with_and_without_repetition(warehouse: Warehouse) -> None:
    await warehouse.land(*(fact(0, offset) for offset in range(16)))
    counts = queries.table_counts(warehouse.client)
    assert counts["orders"] == (4, 4)
    assert counts["order_lines"] == (8, 8)
    assert queries.duplicates(warehouse.client) == 0
    warehouse.stop_merges()
    warehouse.client.command(
        "INSERT INTO orders SELECT * FROM orders SETTINGS insert_deduplicate=0"
    )
    assert queries.duplicates(warehouse.client) == 4


async def test_latency_is_from_the_log_to_the_row(warehouse: Warehouse) -> None:
    assert queries.latency_ms(warehouse.client, 0.99) is None
    await warehouse.land(ordered(0))
    latency = queries.latency_ms(warehouse.client, 0.99)
    assert latency is not None
    assert latency > DAY_MS
    [(events, p50, p99)] = warehouse.ask("SELECT events, p50_ms, p99_ms FROM pipeline_latency")
    assert events == 1
    assert p50 == pytest.approx(latency, rel=1e-3)
    assert p99 == pytest.approx(latency, rel=1e-3)
