"""Names merged at random over two partitions whose owners die: one place for each person."""

import os
import random
from collections import Counter
from typing import Any

import msgspec
import pytest

from models.customer import Customer, decode_row
from models.effects import EventFolded, Fact, Merged
from models.events import encode
from models.tokens import is_customer_key, partition_of
from streams import topics
from tests.builders import HOUR, START_MS, customer_fold, named, order, released, viewed
from tests.simulation.owners import Broker, Owners

SEED = int(os.environ.get("SIMULATION_SEED", "20170101"))
SCHEDULES = 400
PARTITIONS = 2
NAMES = [named(name) for name in "abcde"]


def history(chance: random.Random, *, each_once: bool) -> list[Any]:
    """Orders and looks of five names, and merges among them; `each_once`: a name once at most."""
    events: list[Any] = []
    for number in range(chance.randrange(4, 25)):
        who = {
            "customer": chance.choice(NAMES),
            "at_ms": START_MS + number * HOUR,
            "id": f"e{number}",
        }
        make = chance.choice((order, viewed))
        events.append(make(f"x{number}", **who))
    givers = NAMES if each_once else NAMES * 2
    for number, name in enumerate(chance.sample(givers, k=chance.randrange(1, len(givers) + 1))):
        at_ms = START_MS + number * HOUR
        release = released(chance.choice(NAMES), at_ms, customer=name, id=f"r{number}")
        for _ in range(chance.choice((1, 1, 2))):
            events.insert(chance.randrange(len(events) + 1), release)
    return events


async def played(seed: int, *, each_once: bool) -> tuple[list[Any], Broker]:
    """Feed the events in while partitions work and die, then let everything come to rest."""
    chance = random.Random(seed)
    events = history(chance, each_once=each_once)
    broker = Broker()

    def fold_of(partition: int) -> Any:
        return customer_fold(partition=partition, partitions=PARTITIONS)

    owners = Owners(broker, PARTITIONS, fold_of, chance)
    for event in events:
        key = event.customer.encode()
        place = partition_of(event.customer, PARTITIONS)
        broker.append(topics.EVENTS, place, key, encode(event))
        for _ in range(chance.choice((0, 0, 1, 3))):
            await owners.work(dies_with_chance=0.1)
    await owners.drain()
    return events, broker


def rows_of(broker: Broker) -> dict[str, Customer]:
    return {
        key.decode(): decode_row(row or b"")
        for partition in range(PARTITIONS)
        for key, row in broker.rows(partition).items()
        if is_customer_key(key)
    }


def facts_of(broker: Broker) -> list[Fact]:
    return [
        msgspec.json.decode(value, type=Fact)
        for partition in range(PARTITIONS)
        for value in broker.values(topics.FACTS, partition)
    ]


def end_of(name: str, rows: dict[str, Customer]) -> str:
    """The name at which the merges of `name` end; fails when they go in a circle."""
    seen: list[str] = []
    while name in rows and rows[name].merged_into:
        assert name not in seen, "merges go in a circle"
        seen.append(name)
        name = rows[name].merged_into
    return name


def told(events: list[Any]) -> list[Any]:
    """What is somebody's own: all but the releases."""
    return [event for event in events if not event.id.startswith("r")]


def check_nothing_lost_nothing_twice(events: list[Any], broker: Broker) -> None:
    rows = rows_of(broker)
    own = told(events)
    assert sum(row.events for row in rows.values()) == len(own)
    assert sum(row.orders + row.views for row in rows.values()) == len(own)
    folded = Counter(
        msgspec.json.decode(fact.event)["id"]
        for fact in facts_of(broker)
        if isinstance(fact, EventFolded)
    )
    assert folded == Counter(event.id for event in own)
    for name, row in rows.items():
        end_of(name, rows)
        assert not (row.merged_into and row.events), "a name given up kept a history"


def expected_ends(events: list[Any]) -> dict[str, str]:
    """Where each name ends when each was given up once at most: circles end at the least name."""
    target = {
        event.customer: event.target
        for event in events
        if event.id.startswith("r") and event.target != event.customer
    }
    ends = {}
    for name in NAMES:
        way = [name]
        while way[-1] in target and target[way[-1]] not in way:
            way.append(target[way[-1]])
        last = way[-1]
        ends[name] = min(way[way.index(target[last]) :]) if last in target else last
    return ends


@pytest.mark.parametrize("each_once", [True, False])
async def test_whatever_is_merged_when_nothing_is_lost_or_counted_twice(each_once: bool) -> None:
    for seed in range(SEED, SEED + SCHEDULES):
        try:
            events, broker = await played(seed, each_once=each_once)
            check_nothing_lost_nothing_twice(events, broker)
        except BaseException:
            print(f"seed {seed}")
            raise


async def test_all_names_of_one_person_end_in_one_place_whatever_came_when() -> None:
    circles = 0
    for seed in range(SEED, SEED + SCHEDULES):
        try:
            events, broker = await played(seed, each_once=True)
            rows, ends = rows_of(broker), expected_ends(events)
            holders = {ends[event.customer] for event in told(events)}
            assert {name for name, row in rows.items() if row.events} == holders
            for name in holders:
                assert rows[name].events == sum(
                    ends[event.customer] == name for event in told(events)
                )
            merges = [fact for fact in facts_of(broker) if isinstance(fact, Merged)]
            assert all(one.origin != one.customer for one in merges)
        except BaseException:
            print(f"seed {seed}")
            raise
        circles += any(
            ends[event.customer] == event.customer
            and event.id.startswith("r")
            and event.target != event.customer
            for event in events
        )
    assert circles > SCHEDULES / 10
