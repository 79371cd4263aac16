"""Budgets over partitions that die: never exceeded, and nothing refused that there was money for.

Two lanes, as a worker has them: customers of several partitions, and the purses they ask. What came
of it is compared with folds straight through the logs as these stood at the end.
"""

import os
import random
from collections import Counter
from typing import Any

import msgspec
import pytest

from models.coupon_words import CouponWord, is_purse_key
from models.coupon_words import decode as decode_word
from models.coupons import Issued
from models.customer import decode_row
from models.effects import Decided
from models.events import Adopted, BudgetAnswered, ClockMark, decode, encode
from models.playbook.edition import Edition, opened
from models.tokens import PARTITION_KEY, partition_of
from streams import topics
from streams.coupon_fold import CouponFold
from streams.customer_fold import CustomerFold
from tests.builders import START_MS, Record, fold_through, listed, named, order, viewed
from tests.models.triggers.playing import HEAD
from tests.simulation.owners import Broker, Owners

SEED = int(os.environ.get("SIMULATION_SEED", "20170101"))
SCHEDULES = 150
PARTITIONS = 3
ELSEWHERE = "elsewhere"
NAMES = [named(str(number)) for number in range(24)]
MINUTE_MS = 60_000


def playbook(budget: str, rules: str) -> str:
    return (
        HEAD.replace("offers:", f"offers:\n  won: {{amount: 5, valid_for: 30d, budget: {budget}}}")
        + "triggers:\n"
        + rules
    )


GIVE = "  give: {when: {event: product_viewed}, then: [{give: won}]}\n"


class Side(Broker):
    """One lane's topics; what it says to the other lane goes there at once."""

    other: "Side"

    def append(self, topic: str, partition: int, key: bytes | None, value: bytes | None) -> None:
        if topic == ELSEWHERE:
            self.other.append(topics.EVENTS, partition, key, value)
        else:
            super().append(topic, partition, key, value)


class House:
    """Both lanes of one installation, and the editions that are adopted in it."""

    def __init__(self, seed: int, editions: list[str], deaths: float) -> None:
        self.chance = random.Random(seed)
        self.books = {
            number: opened(Edition(number, "main", {"main": text}))
            for number, text in enumerate(editions, 1)
        }
        self.log, self.desk = Side(), Side()
        self.log.other, self.desk.other = self.desk, self.log
        self.now_ms = START_MS
        self._deaths = deaths
        self._lanes = (
            Owners(self.log, PARTITIONS, self.customers, self.chance),
            Owners(self.desk, PARTITIONS, self.coupons, self.chance),
        )

    def customers(self, partition: int) -> CustomerFold:
        async def load(model: str, version: int) -> Any:
            return self.books.get(version) if model == "playbook" else None

        return CustomerFold(
            partition=partition,
            partitions=PARTITIONS,
            incarnation=1,
            topic_of=lambda name: ELSEWHERE if name == topics.COUPONS else name,
            load_snapshot=load,
            seal_raw=lambda raw: "",
            coupon_key=bytes(32),
        )

    def coupons(self, partition: int) -> CouponFold:
        there = {topics.EVENTS: ELSEWHERE, topics.COUPONS: topics.EVENTS}
        return CouponFold(
            partition=partition,
            partitions=PARTITIONS,
            incarnation=1,
            topic_of=lambda name: there.get(name, name),
            seal_raw=lambda raw: "",
        )

    def happens(self, event: Any) -> None:
        place = partition_of(event.customer, PARTITIONS)
        self.log.append(topics.EVENTS, place, event.customer.encode(), encode(event))

    def says(self, record: Any) -> None:
        for partition in range(PARTITIONS):
            self.log.append(topics.EVENTS, partition, None, encode(record))

    def adopts(self, version: int) -> None:
        self.says(Adopted("playbook", version, "x"))

    def mark(self) -> None:
        self.now_ms += 1_000
        self.says(ClockMark(self.now_ms, 0))

    async def work(self, turns: int) -> None:
        for _ in range(turns):
            await self.chance.choice(self._lanes).work(dies_with_chance=self._deaths)

    async def rest(self) -> None:
        """Until nobody has anything to say; marks come as long as partitions ask for them."""
        for _ in range(200):
            for lane in self._lanes:
                await lane.drain()
            if self._lags():
                continue
            if all(fold.due_ms() != fold.clock.now_ms for fold in self.straight_customers()):
                return
            self.mark()
        raise AssertionError("they talk for ever")

    def _lags(self) -> bool:
        return any(side.lag(n) for side in (self.log, self.desk) for n in range(PARTITIONS))

    def straight_customers(self) -> list[CustomerFold]:
        folds = []
        for partition in range(PARTITIONS):
            fold = self.customers(partition)
            fold._snapshots |= {("playbook", n): book for n, book in self.books.items()}
            for record in self.log.logs[topics.EVENTS, partition]:
                fold_through(fold, record, frozenset())
            folds.append(fold)
        return folds

    @property
    def decided(self) -> list[Decided]:
        return [
            msgspec.json.decode(value, type=Decided)
            for partition in range(PARTITIONS)
            for value in self.log.values(topics.FACTS, partition)
            if b'"kind":"decided"' in value
        ]

    @property
    def statuses(self) -> Counter[str]:
        return Counter(one.status for one in self.decided)

    def check_folds(self) -> None:
        """Both lanes came to what a fold comes to that nothing ever happens to."""
        words = Counter[bytes]()
        for partition, fold in enumerate(self.straight_customers()):
            interval = fold.seal()
            assert dict(interval.rows) == self.log.rows(partition)
            outputs = listed(interval.outputs)
            words.update(one.value for one in outputs if one.topic == ELSEWHERE)
            facts = [one.value for one in outputs if one.topic == topics.FACTS]
            assert facts == self.log.values(topics.FACTS, partition)
        assert words == self._all(self.desk)
        answers = Counter[bytes]()
        for partition in range(PARTITIONS):
            desk = self.coupons(partition)
            for record in self.desk.logs[topics.EVENTS, partition]:
                list(desk.fold(record, frozenset()))
            interval = desk.seal()
            assert dict(interval.rows) == self.desk.rows(partition)
            answers.update(one.value for one in listed(interval.outputs) if one.topic == ELSEWHERE)
        there = self._all(self.log)
        assert answers == Counter(
            {one: n for one, n in there.items() if b'"budget_answered"' in one}
        )

    def _all(self, side: Side) -> Counter[bytes]:
        return Counter(v for n in range(PARTITIONS) for v in side.values(topics.EVENTS, n))

    def still_waiting(self) -> list[str]:
        return [
            run.waits_for
            for partition in range(PARTITIONS)
            for key, row in self.log.rows(partition).items()
            if key != PARTITION_KEY
            for run in decode_row(row or b"").playbook.runs
            if run.waits_for
        ]


async def test_as_many_get_one_as_there_are_whatever_dies() -> None:
    seen: Counter[str] = Counter()
    for seed in range(SEED, SEED + SCHEDULES):
        try:
            await _check_schedule(seed, seen)
        except BaseException:
            print(f"seed {seed}")
            raise
    assert min(seen["sent"], seen["out_of_budget"], seen["all"], seen["answers"]) > SCHEDULES


async def _check_schedule(seed: int, seen: Counter[str]) -> None:
    chance = random.Random(seed)
    coupons = chance.choice((0, 1, 2, 5, 20, 60, 200))
    house = House(seed, [playbook(f"{{coupons: {coupons}}}", GIVE)], chance.choice((0, 0.02, 0.1)))
    house.mark()
    house.adopts(1)
    wants = 0
    for number in range(chance.randrange(1, 120)):
        house.happens(
            viewed(f"p{number}", customer=chance.choice(NAMES), id=f"v{number}", at_ms=house.now_ms)
        )
        wants += 1
        if chance.random() < 0.1:
            house.mark()
        if chance.random() < 0.3:
            await house.work(chance.randrange(12))
    await house.rest()
    house.check_folds()
    assert house.still_waiting() == []
    said = house.statuses
    assert said["sent"] == min(wants, coupons)
    assert said["out_of_budget"] == wants - said["sent"]
    seen.update(said)
    seen["all"] += wants
    seen["answers"] += sum(b"budget_answered" in one for one in house._all(house.log))
