"""A budget in slices: never exceeded, whatever messages do, and not left lying about."""

import random
from collections import deque

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.budget import (
    Answers,
    Asked,
    Granted,
    Purse,
    Slice,
    Spending,
    answer,
    ask,
    available,
    give_back,
    hear,
    left,
    opened,
    opening,
    outstanding,
    refill,
    runs_low,
    spend,
    unspend,
)


class House:
    """Partitions and the purse of one offer, with the messages that are under way."""

    def __init__(self, budget: int, partitions: int) -> None:
        self.purse = Purse(budget, partitions)
        self.parts = [Slice() for _ in range(partitions)]
        self.to_purse: deque[Asked] = deque()
        self.to_parts: list[deque[Granted | int]] = [deque() for _ in range(partitions)]
        self.most = budget

    def want(self, number: int, cents: int) -> Spending:
        found = spend(self.parts[number], cents)
        if found is Spending.WAIT:
            self.to_purse.append(ask(self.parts[number], number, cents))
        return found

    def answered(self, answers: Answers) -> None:
        for one in answers.granted:
            self.to_parts[one.partition].append(one)
        if answers.recall:
            for queue in self.to_parts:
                queue.append(answers.recall)

    def deliver(self, number: int, message: Granted | int) -> None:
        part = self.parts[number]
        if isinstance(message, Granted):
            hear(part, message)
        else:
            self.to_purse.append(give_back(part, number, message))

    @property
    def spent(self) -> int:
        return sum(part.spent for part in self.parts)

    def check(self) -> None:
        assert self.spent <= outstanding(self.purse) <= self.most
        assert all(available(part) >= 0 for part in self.parts)
        for number, account in self.purse.accounts.items():
            part = self.parts[number]
            assert part.granted <= account.granted
            assert account.returned <= part.returned


@settings(deadline=None, max_examples=150)
@given(st.integers(0, 10**9), st.integers(1, 6), st.integers(0, 3_000))
def test_no_interleaving_loss_or_repeat_spends_more_than_the_budget(
    seed: int, partitions: int, budget: int
) -> None:
    chance = random.Random(seed)
    house, sent = House(budget, partitions), []
    for _ in range(400):
        number = chance.randrange(partitions)
        match chance.randrange(8):
            case 0 | 1 | 2:
                house.want(number, chance.randrange(400))
            case 3 | 4:
                if house.to_purse:
                    at = chance.randrange(len(house.to_purse))
                    asked = house.to_purse[at]
                    if chance.random() < 0.8:
                        del house.to_purse[at]
                    sent.append(asked)
                    house.answered(answer(house.purse, asked))
            case 5 | 6:
                queue = house.to_parts[number]
                if queue:
                    at = chance.randrange(len(queue))
                    message = queue[at]
                    if chance.random() < 0.8:
                        del queue[at]
                    if chance.random() < 0.9:
                        house.deliver(number, message)
            case _:
                if chance.random() < 0.3:
                    unspend(house.parts[number], chance.randrange(200))
                elif sent:
                    house.answered(answer(house.purse, chance.choice(sent)))
        house.check()


class Asking(House):
    """Messages come once and in order; what waits is decided as soon as an answer came."""

    def __init__(self, budget: int, wishes: list[list[int]]) -> None:
        super().__init__(budget, len(wishes))
        self.wishes = [deque(one) for one in wishes]
        self.refused: list[int] = []
        self.messages = 0

    def decide(self, number: int) -> None:
        wishes = self.wishes[number]
        while wishes:
            found = self.want(number, wishes[0])
            if found is Spending.WAIT:
                return
            cents = wishes.popleft()
            if found is Spending.OUT:
                self.refused.append(cents)

    def run(self, chance: random.Random) -> None:
        for number in range(len(self.parts)):
            self.decide(number)
        while self.to_purse or any(self.to_parts):
            self.messages += 1
            assert self.messages < 2_000, "they talk for ever"
            queues = [number for number, queue in enumerate(self.to_parts) if queue]
            if self.to_purse and (not queues or chance.random() < 0.5):
                self.answered(answer(self.purse, self.to_purse.popleft()))
            else:
                number = chance.choice(queues)
                message = self.to_parts[number].popleft()
                self.deliver(number, message)
                if isinstance(message, Granted):
                    self.decide(number)
            self.check()


@settings(deadline=None, max_examples=150)
@given(
    st.integers(0, 10**9),
    st.integers(0, 5_000),
    st.lists(st.lists(st.integers(1, 400), max_size=12), min_size=1, max_size=5),
)
def test_every_wish_is_decided_and_no_money_is_left_that_would_have_done(
    seed: int, budget: int, wishes: list[list[int]]
) -> None:
    house = Asking(budget, wishes)
    house.run(random.Random(seed))
    assert not any(house.wishes)
    total = sum(sum(one) for one in wishes)
    assert house.spent + sum(house.refused) == total
    if total <= budget:
        assert house.refused == []
    if house.refused:
        assert budget - house.spent < max(house.refused)
    # A wish is asked for and answered; scarcity is one call and its answers.
    assert house.messages <= 2 * sum(map(len, wishes)) + 4 * len(wishes)


def test_most_spending_asks_nobody() -> None:
    house = Asking(1_000_000, [[100] * 2_000 for _ in range(4)])
    house.run(random.Random(1))
    assert house.spent == 800_000
    assert house.messages < 200


def test_it_is_time_to_ask_ahead_once_half_of_a_grant_is_spent() -> None:
    part = Slice()
    assert not runs_low(part)
    hear(part, Granted(0, 100, number=1))
    spend(part, 49)
    assert not runs_low(part)
    spend(part, 1)
    assert runs_low(part)
    assert not runs_low(part), "once for each grant"
    hear(part, Granted(0, 100, number=2))
    assert not runs_low(part)
    hear(part, Granted(0, 120, number=3))
    spend(part, 35)
    assert runs_low(part)


def test_what_is_asked_ahead_is_a_gift_and_makes_nobody_wait() -> None:
    purse = Purse(1_000, 2)
    assert answer(purse, Asked(0, 0, ahead=True)).granted == [Granted(0, 1_000 // 16, 1)]
    assert answer(purse, Asked(0, 62, ahead=True)).granted == [Granted(0, 62 + 938 // 16, 2)]
    # Where somebody waits the wish alone counts.
    assert answer(purse, Asked(1, 905, ahead=True)) == Answers([], recall=1)
    assert answer(purse, Asked(0, 62, ahead=True)).granted == []


def test_what_partitions_begin_with_is_set_apart_until_it_is_called_back() -> None:
    cents = opening(1_000, 2)
    purse, parts = Purse(1_000, 2, opening=cents), [opened(cents) for _ in range(2)]
    assert (cents, left(purse)) == (250, 500)
    assert [spend(part, 250) for part in parts] == [Spending.SPENT] * 2
    assert runs_low(parts[0])
    assert answer(purse, Asked(0, 501, opened=cents)) == Answers(
        [Granted(0, 501 + 249 // 16, number=1)]
    )
    # Of the other nothing was heard yet: before it is, nobody is refused.
    assert answer(purse, Asked(0, 751, opened=cents)) == Answers([], recall=1)
    assert answer(purse, Asked(0, 751, recall=1, opened=cents)).granted == []
    told = answer(purse, Asked(1, 0, recall=1, opened=cents)).granted
    assert told == [Granted(0, 516, number=2, short=235)]
    assert outstanding(purse) == 766


def test_what_is_given_back_later_is_told_to_who_was_refused() -> None:
    purse = Purse(100, 2)
    answer(purse, Asked(0, 100))
    answer(purse, Asked(1, 60))
    answer(purse, Asked(0, 100, recall=1))
    assert answer(purse, Asked(1, 60, recall=1)).granted == [Granted(1, 0, 1, short=1)]
    assert answer(purse, Asked(0, 100, returned=70, recall=1)).granted == [
        Granted(1, 0, 2, short=71)
    ]
    assert answer(purse, Asked(0, 100, returned=70, recall=1)).granted == []
    assert answer(purse, Asked(1, 60, recall=1)).granted == [Granted(1, 60, 3)]


def test_a_slice_is_spent_and_then_asked_for() -> None:
    house = House(1_000, 2)
    assert house.want(0, 300) is Spending.WAIT
    house.answered(answer(house.purse, house.to_purse.popleft()))
    assert house.want(0, 300) is Spending.WAIT
    house.deliver(0, house.to_parts[0].popleft())
    assert house.want(0, 300) is Spending.SPENT
    # The next ones of a usual size need not be asked for.
    assert available(house.parts[0]) == 700 // 16
    assert left(house.purse) == 700 - 700 // 16


def test_asking_again_before_the_answer_grants_nothing_twice() -> None:
    house = House(1_000, 2)
    for _ in range(5):
        house.want(0, 300)
    for asked in house.to_purse:
        house.answered(answer(house.purse, asked))
    assert outstanding(house.purse) == 300 + 700 // 16
    for message in house.to_parts[0]:
        house.deliver(0, message)
    assert available(house.parts[0]) == 300 + 700 // 16


def test_what_others_hold_is_called_back_before_anything_is_refused() -> None:
    house = Asking(1_000, [[10], [980]])
    house.decide(0)
    house.answered(answer(house.purse, house.to_purse.popleft()))
    assert left(house.purse) < 980
    house.run(random.Random(2))
    assert (house.spent, house.refused) == (990, [])


@pytest.mark.parametrize("seed", range(10))
def test_of_two_who_hold_half_each_one_gets_all(seed: int) -> None:
    house = Asking(600, [[500], [500]])
    for number, wanted in ((0, 300), (1, 282)):
        for one in answer(house.purse, Asked(number, wanted)).granted:
            hear(house.parts[number], one)
    assert [available(part) for part in house.parts] == [318, 282]
    house.run(random.Random(seed))
    assert (house.spent, house.refused) == (500, [500])


def test_exhausted_is_said_once_all_is_spent() -> None:
    house = Asking(1_000, [[600], [400, 1]])
    house.run(random.Random(3))
    assert (house.spent, house.refused) == (1_000, [1])
    assert house.want(1, 5) is Spending.OUT
    assert not house.to_purse
    assert house.want(1, 0) is Spending.SPENT


def test_a_raised_budget_lets_partitions_ask_again() -> None:
    house = Asking(1_000, [[600], [400, 1]])
    house.run(random.Random(3))
    house.most = 1_500
    house.answered(refill(house.purse, 1_500))
    house.run(random.Random(3))
    assert [part.short for part in house.parts] == [0, 0]
    house.wishes[1].append(300)
    house.run(random.Random(3))
    assert house.refused == [1]
    assert house.spent == 1_300


def test_an_answer_that_was_overtaken_does_not_refuse_again() -> None:
    part = Slice()
    hear(part, Granted(0, 100, number=2))
    hear(part, Granted(0, 100, number=1, short=1))
    assert part.short == 0
    assert spend(part, 200) is Spending.WAIT


def test_a_smaller_wish_may_still_be_had_when_a_larger_is_refused() -> None:
    house = Asking(1_000, [[700, 400, 300, 1]])
    house.run(random.Random(4))
    assert (house.spent, house.refused) == (1_000, [400, 1])


def test_a_budget_cut_below_what_is_out_grants_nothing_more() -> None:
    house = House(1_000, 2)
    answer(house.purse, Asked(0, 700))
    out = outstanding(house.purse)
    refill(house.purse, 500)
    assert left(house.purse) == 500 - out < 0
    assert answer(house.purse, Asked(1, 100)) == Answers([], recall=1)
    # What comes back is not granted anew before it is within the budget.
    assert answer(house.purse, Asked(0, 700, returned=out - 450, recall=1)).granted == []
    assert answer(house.purse, Asked(1, 100, recall=1)).granted == [Granted(1, 0, 1, short=51)]


@pytest.mark.parametrize(("taken_back", "spent"), [(100, 200), (300, 0), (500, 0), (-5, 300)])
def test_what_was_not_spent_after_all_may_be_spent_again(taken_back: int, spent: int) -> None:
    part = Slice(granted=300)
    assert spend(part, 300) is Spending.SPENT
    unspend(part, taken_back)
    assert (part.spent, available(part)) == (spent, 300 - spent)


def test_nothing_negative_is_spent() -> None:
    with pytest.raises(ValueError, match="can't be spent"):
        spend(Slice(granted=300), -1)


def test_both_sides_are_the_same_after_they_were_written_down() -> None:
    house = Asking(1_000, [[600, 10], [400, 1]])
    house.run(random.Random(3))
    for kind, one in ((Purse, house.purse), (Slice, house.parts[0])):
        assert msgspec.msgpack.decode(msgspec.msgpack.encode(one), type=kind) == one
