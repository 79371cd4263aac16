"""A schedule before it runs: what is written to the log when, and what goes wrong at which step.

Plans are plain data, so a seed or Hypothesis may make them, and a failing one may be shrunk.
"""

import random
from typing import Any, NamedTuple

from models.clock import DAY_MS, HOUR_MS
from models.events import Adopted, ClockMark, encode
from models.tokens import partition_of
from tests.builders import START_MS, cancelled, identified, named, order, refunded, released, viewed
from tests.simulation.poison import BAD_TIMER, UNREADABLE

PARTITIONS = 2
NAMES = [named(str(number)) for number in range(5)]
KINDS = (
    *("order", "viewed", "identified") * 3,
    *("cancelled", "refunded", "adopted", "repeated", "bad", "unreadable", "released", "mark"),
)
GAPS_S = (0.0, 0.0, 0.001, 0.02, 0.2, 1.0, 4.0)
STEPS_MS = (1_000, HOUR_MS, 6 * HOUR_MS, DAY_MS, 20 * DAY_MS)
WORKERS = ("worker-1", "worker-2")
SINKS = ("facts-1", "facts-2", "actions-1")
FAULTS = ("kill", "freeze", "cut", "refuse", "leave", "down", "forget")
SECONDS = (0.01, 0.3, 2.0, 9.0, 25.0)


class Happening(NamedTuple):
    """Something that is written to the log; fields choose among what the kind allows."""

    kind: str
    who: int
    which: int
    gap_s: float
    step_ms: int


class Fault(NamedTuple):
    """Something that befalls a process, so many of its steps after the fault before."""

    kind: str
    target: str
    after_steps: int
    seconds: float


class Plan(NamedTuple):
    """One schedule; without a seed every answer takes the same time."""

    story: tuple[Happening, ...]
    faults: tuple[Fault, ...]
    seed: int | None


class Write(NamedTuple):
    """One record for the log."""

    gap_s: float
    partition: int
    key: bytes | None
    value: bytes


def planned(seed: int) -> Plan:
    """The plan of a seed."""
    chance = random.Random(seed)
    story = tuple(
        Happening(
            chance.choice(KINDS),
            chance.randrange(len(NAMES)),
            chance.randrange(12),
            chance.choice(GAPS_S),
            chance.choice(STEPS_MS),
        )
        for _ in range(chance.randrange(4, 30))
    )
    faults = tuple(
        Fault(
            chance.choice(FAULTS),
            chance.choice(WORKERS * 2 + SINKS),
            # Most processes live some hundred steps; any of them may be the last.
            int(2 ** chance.uniform(0, 8.5)),
            chance.choice(SECONDS),
        )
        for _ in range(chance.randrange(1, 7))
    )
    return Plan(story, faults, seed)


def written(story: tuple[Happening, ...]) -> list[Write]:
    """What a story writes, in its order."""
    writes: list[Write] = []
    now_ms = START_MS
    for number, one in enumerate(story):
        now_ms += one.step_ms
        gap_s = one.gap_s
        for partition, key, value in _records(one, number, now_ms, writes):
            writes.append(Write(gap_s, partition, key, value))
            gap_s = 0.0
    return writes


def _records(
    one: Happening, number: int, now_ms: int, before: list[Write]
) -> list[tuple[int, bytes | None, bytes]]:
    if one.kind in ("mark", "adopted"):
        record = (
            ClockMark(at_ms=now_ms)
            if one.kind == "mark"
            else Adopted("hazard", one.which % 3 + 1, "x")
        )
        return [(partition, None, encode(record)) for partition in range(PARTITIONS)]
    if one.kind == "unreadable":
        return [(one.which % PARTITIONS, None, UNREADABLE[one.which % len(UNREADABLE)])]
    if one.kind == "repeated" and before:
        again = before[one.which % len(before)]
        return [(again.partition, again.key, again.value)]
    event = _event(one, number, now_ms)
    place = partition_of(event.customer, PARTITIONS)
    return [(place, event.customer.encode(), encode(event))]


def _event(one: Happening, number: int, now_ms: int) -> Any:
    which = f"o{one.which}"
    who = {
        "customer": NAMES[one.who],
        "id": f"{'bad' if one.kind == 'bad' else 'e'}{number}",
        "at_ms": now_ms - (0, 0, HOUR_MS, 3 * DAY_MS)[one.which % 4],
    }
    match one.kind:
        case "order":
            return order(which, one.which * 500, coupon=f"C{one.which}", **who)
        case "cancelled":
            return cancelled(which, **who)
        case "refunded":
            return refunded(which, **who)
        case "released":
            return released(NAMES[one.which % len(NAMES)], **who)
        case "identified":
            return identified(traits={"t": number}, **who)
    return viewed(("p1", "p2", BAD_TIMER)[one.which % 3], **who)
