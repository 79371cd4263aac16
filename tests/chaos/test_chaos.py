"""A short storm ends in zeros, a guard taken away is missed, and the judge itself is sound."""

import asyncio
import json
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from models import coupon_words
from models.coupon_words import CouponWord, decode_judged
from models.coupons import Issued, RedemptionAsked, Terms
from models.customer import decode_row
from models.discounts import Amount, Basket
from models.effects import Action, EventFolded, Fact, HourEnded, Lesson
from models.partition_clock import PartitionClock
from models.snapshot import recorded
from models.tokens import is_customer_key
from streams.coupon_fold import CouponFold
from tests.builders import (
    HOUSE_EDITION,
    Record,
    customer_fold,
    fold_through,
    listed,
    order,
    records_of,
    snapshot,
    viewed,
)
from tests.chaos import guards
from tests.chaos.__main__ import _told as told_of
from tests.chaos.compare import Counters, compare_log, compare_provider
from tests.chaos.coupons import CouponTopics, compare_coupons, redeemed
from tests.chaos.faults import DECK, HAPPEN, Fault, as_json, plan_of
from tests.chaos.harvest import Topics
from tests.chaos.oracle import Oracle
from tests.golden.test_golden import log_of_everything, new_fold

PROJECT = Path(__file__).parents[2]
STORM_LIMIT_S = 400
ACTS_LIMIT_S = 900
SEED = "4"


def chaos(*options: str, limit_s: int) -> tuple[int, Any, str]:
    """Exit code, verdict and words of one run."""
    run = subprocess.run(
        [sys.executable, "-m", "tests.chaos", "--json", *options],
        cwd=PROJECT,
        capture_output=True,
        check=False,
        text=True,
        timeout=limit_s,
    )
    return run.returncode, json.loads(run.stdout or "null"), run.stderr


@pytest.mark.real
def test_ten_faults_end_in_zeros() -> None:
    code, told, words = chaos("--faults", "10", "--seed", SEED, limit_s=STORM_LIMIT_S)
    assert code == 0, f"{told}\n{words[-3_000:]}"
    assert told["faults"] == 10
    assert told["sizes"]["events"] > 50 * told["faults"], "the shop was hardly open"
    assert told["sizes"]["actions"] > 50
    assert told["sizes"]["redemptions"] > 20
    assert sum(told["told"].values()) == 10
    assert all(told[counter] == 0 for counter in Counters().numbers)


@pytest.mark.real
def test_every_guard_taken_away_is_missed_and_in_its_place_nothing_is_wrong() -> None:
    code, acts, words = chaos("--sabotage", "all", limit_s=ACTS_LIMIT_S)
    as_due = {(act["sabotage"], act["guarded"]): act["as_due"] for act in acts or []}
    wanted = {(name, guarded): True for name in guards.ACTS for guarded in (False, True)}
    assert as_due == wanted, f"{acts}\n{words[-3_000:]}"
    assert code == 0


@pytest.mark.parametrize(("found", "code"), [({}, 0), ({"duplicated": 1}, 1), ({"lost": 2}, 1)])
def test_any_counter_above_zero_ends_with_one(found: dict[str, int], code: int) -> None:
    verdict = SimpleNamespace(counters=Counters(**found), sizes={})
    report = SimpleNamespace(verdict=verdict, told={}, exits={}, moods={})
    assert told_of(report)[0] == code  # type: ignore[arg-type]


def test_what_cannot_run_ends_with_two(tmp_path: Path) -> None:
    code, told, words = chaos("--plan", str(tmp_path / "no-such-plan"), limit_s=60)
    assert (code, told) == (2, None)
    assert "no-such-plan" in words


def test_a_seed_chooses_the_same_plan_again_and_a_plan_is_read_back() -> None:
    plan = plan_of(7, 60, 3.0)
    assert plan == plan_of(7, 60, 3.0)
    assert plan != plan_of(8, 60, 3.0)
    assert msgspec.json.decode(json.dumps(as_json(plan)), type=list[Fault]) == plan
    assert {fault.kind for fault in plan} == {card[1] for card in DECK} == set(HAPPEN)


def test_the_oracle_agrees_with_the_fold_over_the_log_of_everything() -> None:
    records = log_of_everything()
    fold = new_fold()
    asyncio.run(fold.prepare(records))
    for record in records:
        fold_through(fold, record, frozenset())
    oracle = Oracle(1, [recorded("hazard", snapshot()), recorded("playbook", HOUSE_EDITION)])
    oracle.clocks[0] = PartitionClock(versions={"playbook": 1})
    oracle.fold(records)
    counters = Counters()
    compare_log(counters, harvested(fold, records), oracle, records)
    assert counters.clean, counters.examples
    assert len(oracle.facts) > len(records) // 2


def harvested(fold: Any, records: list[Any]) -> Topics:
    """What the fold gives, as if it had been read from its topics."""
    interval = fold.seal()
    topics = Topics()
    for key, row in interval.rows:
        if is_customer_key(key):
            topics.rows[key.decode()] = decode_row(row)
        else:
            topics.clocks[0] = msgspec.msgpack.decode(row, type=PartitionClock)
    decoder = msgspec.json.Decoder(Fact)
    outputs = listed(interval.outputs)
    topics.facts = [decoder.decode(o.value) for o in outputs if o.topic == "facts"]
    actions = msgspec.json.Decoder(Action)
    topics.actions = [actions.decode(o.value) for o in outputs if o.topic == "actions"]
    lessons = msgspec.json.Decoder(Lesson)
    topics.lessons = [lessons.decode(o.value) for o in outputs if o.topic == "lessons"]
    hours = msgspec.json.Decoder(HourEnded)
    topics.hours = [hours.decode(o.value) for o in outputs if o.topic == "metrics"]
    topics.events = records
    return topics


def broken(topics: Topics, how: str) -> None:
    """Do to a good result what a broken engine might."""
    if how == "a fact twice":
        topics.facts.append(topics.facts[0])
    elif how == "a fact missing":
        topics.facts.pop()
    elif how == "a row astray":
        next(iter(topics.rows.values())).events += 1
    elif how == "a row missing":
        topics.rows.popitem()
    elif how == "a clock astray":
        topics.clocks[0].now_ms += 1


@pytest.mark.parametrize(
    ("how", "counter"),
    [
        ("a fact twice", "duplicated"),
        ("a fact missing", "lost"),
        ("a row astray", "state_mismatches"),
        ("a row missing", "state_mismatches"),
        ("a clock astray", "state_mismatches"),
    ],
)
def test_the_judge_sees_what_a_broken_engine_does(how: str, counter: str) -> None:
    records = records_of([order("o1"), viewed("p1")])
    fold = customer_fold()
    for record in records:
        fold_through(fold, record, frozenset())
    oracle = Oracle(1, [])
    oracle.fold(records)
    topics = harvested(fold, records)
    assert any(isinstance(fact, EventFolded) for fact in topics.facts)
    broken(topics, how)
    counters = Counters()
    compare_log(counters, topics, oracle, records)
    assert counters.numbers[counter] > 0


def test_the_judge_counts_messages_at_the_provider() -> None:
    counters = Counters()
    compare_provider(counters, Counter({"a": 3, "stranger": 1}), [])
    assert counters.numbers["actions_twice"] == 4


def coupons_of(story: list[CouponWord]) -> CouponTopics:
    """What a fold makes of words, as if it had been read from its topics."""
    fold = CouponFold(
        partition=0, partitions=1, incarnation=1, topic_of=str, seal_raw=lambda raw: ""
    )
    words = [Record(at, coupon_words.encode(word)) for at, word in enumerate(story)]
    for record in words:
        list(fold.fold(record, frozenset()))
    interval = fold.seal()
    outputs = listed(interval.outputs)
    said = [one.value for one in outputs if one.topic == "coupons"]
    behind = [Record(len(story) + at, value) for at, value in enumerate(said)]
    verdicts = [decode_judged(one.value) for one in outputs if one.topic == "coupon-verdicts"]
    rows: dict[str, Any] = dict(fold.coupons())
    return CouponTopics([*words, *behind], words, rows, verdicts)


COUPON_STORY = [
    CouponWord(key="A", event=Issued(1, Terms("o", Amount(5))), request="import"),
    CouponWord(key="A", event=RedemptionAsked(2, "r1", "o1", Basket(9))),
    CouponWord(key="A", event=RedemptionAsked(3, "r2", "o2", Basket(9))),
]


def test_the_oracle_of_coupons_agrees_with_the_fold_and_misses_nothing() -> None:
    found = coupons_of(COUPON_STORY)
    asked = COUPON_STORY[1:]
    assert redeemed(found) == 1

    def counted(other: CouponTopics) -> dict[str, int]:
        counters = Counters()
        compare_coupons(counters, other, asked)
        return {name: number for name, number in counters.numbers.items() if number}

    assert counted(found) == {}
    _, first, *rest = found.verdicts
    twice = replace(found, verdicts=[*found.verdicts, first])
    assert counted(twice) == {"duplicated": 2}
    assert counted(replace(found, verdicts=found.verdicts[:-1])) == {"lost": 1}
    assert counted(replace(found, words=found.words[:-1])) == {"lost": 1}
    assert counted(replace(found, rows={})) == {"state_mismatches": 1}
    assert rest
