"""Budgets over partitions that die: never exceeded, and nothing refused that there was money for.

Two lanes, as a worker has them: customers of several partitions, and the purses they ask. What came
of it is compared with folds straight through the logs as these stood at the end.
"""

import random
from collections import Counter
from typing import Any

import msgspec
import pytest

from models.customer import decode_row
from models.effects import Decided
from models.events import Adopted, ClockMark, encode
from models.playbook.edition import Edition, opened
from models.tokens import PARTITION_KEY, partition_of
from streams import topics
from streams.coupon_fold import CouponFold
from streams.customer_fold import CustomerFold
from tests.builders import START_MS, fold_through, listed, named, order, released, viewed
from tests.models.triggers.playing import HEAD
from tests.simulation.owners import SEED, Broker, Owners, seen_in

SCHEDULES = 100
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


def by_the_desk(value: bytes) -> bool:
    """Whether a record of the log is an answer of a purse, or what becomes of a coupon."""
    is_news = b'"source":"coupons"' in value and b'"via"' not in value
    return is_news or b'"budget_answered"' in value


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
        assert answers == Counter(
            {one: n for one, n in self._all(self.log).items() if by_the_desk(one)}
        )

    def _all(self, side: Side) -> Counter[bytes]:
        return Counter(v for n in range(PARTITIONS) for v in side.values(topics.EVENTS, n))

    @property
    def answers(self) -> int:
        return sum(n for one, n in self._all(self.log).items() if b'"budget_answered"' in one)

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
    seen = await seen_in(SCHEDULES, _check_schedule)
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
    seen["answers"] += house.answers


class Wanting(House):
    """Customers want the offer, a number of times at once or one after another."""

    def __init__(self, seed: int, editions: list[str]) -> None:
        chance = random.Random(seed)
        super().__init__(seed, editions, chance.choice((0, 0.02, 0.1)))
        self.wanted = 0

    async def want(self, times: int, *, meanwhile: float = 0.0) -> None:
        for _ in range(times):
            who, number = self.chance.choice(NAMES), self.wanted
            self.happens(viewed(f"p{number}", customer=who, id=f"v{number}", at_ms=self.now_ms))
            self.wanted += 1
            if self.chance.random() < 0.1:
                self.mark()
            if self.chance.random() < meanwhile:
                who, number = self.chance.choice(NAMES), self.wanted
                self.happens(order(f"o{number}", customer=who, at_ms=self.now_ms))
            if self.chance.random() < 0.3:
                await self.work(self.chance.randrange(12))

    async def settle(self) -> int:
        """How many were given one in all, once nobody waits any more."""
        await self.rest()
        assert self.still_waiting() == []
        said = self.statuses
        assert said["sent"] + said["out_of_budget"] + said["cancelled"] == self.wanted
        return said["sent"]


@pytest.mark.parametrize("seed", range(40))
async def test_a_coupon_must_fit_into_both_kinds_of_a_budget(seed: int) -> None:
    chance = random.Random(seed)
    cents, coupons = chance.randrange(0, 100), chance.randrange(0, 20)
    house = Wanting(seed, [playbook(f"{{coupons: {coupons}, most: {cents}}}", GIVE)])
    house.mark()
    house.adopts(1)
    for _ in range(3):
        await house.want(chance.randrange(1, 20))
        assert await house.settle() == min(house.wanted, coupons, cents // 5)
    house.check_folds()


@pytest.mark.parametrize("seed", range(60))
async def test_what_was_spent_stays_spent_when_a_budget_is_changed(seed: int) -> None:
    chance = random.Random(seed)
    budgets = [chance.choice((0, 1, 3, 10, 40, 100)) for _ in range(5)]
    house = Wanting(seed, [playbook(f"{{coupons: {one}}}", GIVE) for one in budgets])
    house.mark()
    given = 0
    for version in [*range(1, 6), chance.randrange(1, 5)]:
        house.adopts(version)
        wants = chance.randrange(1, 30)
        await house.want(wants)
        now_given = await house.settle()
        assert now_given == max(given, min(budgets[version - 1], given + wants))
        given = now_given
    house.check_folds()


@pytest.mark.parametrize("seed", range(40))
async def test_editions_that_follow_each_other_in_a_rush_leave_nobody_waiting(seed: int) -> None:
    chance = random.Random(seed)
    budgets = [chance.choice((0, 1, 3, 10, 40)) for _ in range(5)]
    texts = [playbook(f"{{coupons: {one}}}", GIVE) for one in budgets]
    texts.append(HEAD.replace("offers:", "offers:\n  won: {amount: 5}") + "triggers:\n" + GIVE)
    house = Wanting(seed, texts)
    house.mark()
    for _ in range(8):
        house.adopts(version := chance.randrange(1, 7))
        await house.want(chance.randrange(0, 8))
    house.adopts(1)
    await house.settle()
    house.check_folds()
    assert version


@pytest.mark.parametrize("seed", range(40))
async def test_each_period_has_its_own_budget(seed: int) -> None:
    chance = random.Random(seed)
    coupons = chance.choice((1, 3, 10, 40))
    house = Wanting(seed, [playbook(f"{{coupons: {coupons}, per: 1h}}", GIVE)])
    house.mark()
    house.adopts(1)
    due = 0
    for _ in range(4):
        house.now_ms += chance.choice((60, 60, 240)) * MINUTE_MS
        house.now_ms -= house.now_ms % (60 * MINUTE_MS)
        house.mark()
        wants = chance.randrange(1, 30)
        await house.want(wants)
        due += min(wants, coupons)
        assert await house.settle() == due
    house.check_folds()
    for fold in house.straight_customers():
        assert len([key for key in fold.clock.slices if ":won:" in key]) <= 2


WAITS = """
  give:
    when: {event: product_viewed, wait: 1m, unless: order_completed, waiting_at_most: 20}
    then: [{give: won}]
"""


@pytest.mark.parametrize("seed", range(60))
async def test_what_nobody_wants_any_more_is_there_for_others(seed: int) -> None:
    chance = random.Random(seed)
    coupons = chance.choice((1, 3, 10))
    house = Wanting(seed, [playbook(f"{{coupons: {coupons}}}", WAITS)])
    house.mark()
    house.adopts(1)
    for _ in range(3):
        await house.want(chance.randrange(1, 20), meanwhile=0.3)
        house.now_ms += chance.choice((0, 1, 2)) * MINUTE_MS
        house.mark()
        await house.work(chance.randrange(40))
    house.now_ms += 2 * MINUTE_MS
    house.mark()
    given = await house.settle()
    assert given <= coupons
    await house.want(coupons)
    house.now_ms += 2 * MINUTE_MS
    house.mark()
    assert await house.settle() == coupons
    house.check_folds()


@pytest.mark.parametrize("seed", range(40))
async def test_who_waits_and_is_merged_decides_under_the_other_name(seed: int) -> None:
    chance = random.Random(seed)
    coupons = chance.choice((1, 3, 10, 30))
    house = Wanting(seed, [playbook(f"{{coupons: {coupons}}}", GIVE)])
    house.mark()
    house.adopts(1)
    for number in range(4):
        await house.want(chance.randrange(1, 12))
        one, other = chance.sample(NAMES, 2)
        house.happens(released(other, customer=one, id=f"r{number}", at_ms=house.now_ms))
    await house.want(coupons)
    assert await house.settle() == coupons
    house.check_folds()


async def test_most_that_is_given_is_not_waited_for() -> None:
    house = Wanting(SEED, [playbook("{coupons: 4000, most: 90000}", GIVE)])
    house.mark()
    house.adopts(1)
    await house.rest()
    before = house.answers
    for _ in range(10):
        await house.want(40)
        await house.work(60)
    assert await house.settle() == 400
    assert house.answers == before
