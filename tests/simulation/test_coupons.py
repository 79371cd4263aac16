"""Many accidents, one life of each coupon: that of a fold straight through what was said.

What the fold says itself (of orders and their end) stands in the log wherever a transaction put it;
the log as it stood at the end is folded once more, and must come to the same.
"""

import random
from collections import Counter

import msgspec

from models import coupon_words
from models.coupon_words import CouponTold, CouponWord, LookedAt, order_key
from models.coupons import Issued, OrderVoided, RedemptionAsked, Revoked, Sharing, Terms
from models.discounts import Amount, Basket, Percent
from models.effects import DeadLetter
from models.events import ClockMark, encode
from streams import topics
from streams.coupon_fold import LATE_MS, CouponFold
from streams.fold import PoisonError
from tests.builders import Record, listed
from tests.simulation.owners import Broker, Owners, seen_in

SCHEDULES = 300
CODES = ("A", "B", "C", "D", "E")
POISON = (b"\xff", b"{", b"", coupon_words.encode(CouponWord(key=order_key("o"), event=Revoked(1))))


def coupon_fold() -> CouponFold:
    """A fold whose own words come back into the topic it reads."""
    return CouponFold(
        partition=0,
        partitions=1,
        incarnation=1,
        topic_of=lambda name: topics.EVENTS if name == topics.COUPONS else name,
        seal_raw=lambda raw: "",
    )


def history(chance: random.Random) -> list[Record]:
    values: list[bytes] = []
    for number in range(chance.randrange(20, 120)):
        at_ms = 1 + number * LATE_MS // 20
        roll = chance.random()
        if roll < 0.04:
            values.append(chance.choice(POISON))
        elif roll < 0.12:
            values.append(encode(ClockMark(at_ms=at_ms)))
        else:
            values.append(coupon_words.encode(_word(chance, at_ms)))
    return [Record(at, value) for at, value in enumerate(values)]


def _word(chance: random.Random, at_ms: int) -> CouponWord:
    code, order = chance.choice(CODES), f"o{chance.randrange(12)}"
    roll = chance.random()
    event: CouponTold
    if roll < 0.25:
        event = Issued(at_ms, _terms(chance, at_ms))
    elif roll < 0.75:
        basket = Basket(chance.choice((0, 900, 900, 900)))
        names = tuple(chance.sample(["anna", "bert"], chance.randrange(3)))
        event = RedemptionAsked(
            at_ms,
            f"r{chance.randrange(40)}",
            order,
            basket,
            names,
            currency=chance.choice(("", "EUR", "JPY", "JPY")),
        )
    elif roll < 0.9:
        return CouponWord(key=order_key(order), event=OrderVoided(at_ms, order))
    else:
        event = chance.choice((Revoked(at_ms), LookedAt(at_ms)))
    return CouponWord(key=code, event=event, request=chance.choice(("", "somebody")))


def _terms(chance: random.Random, at_ms: int) -> Terms:
    sharing = chance.choice((Sharing.NOT, Sharing.NOT, Sharing.GIVEN, Sharing.ANYONE))
    expires_ms = chance.choice((0, at_ms + LATE_MS // 4))
    owner = chance.choice(("", "anna"))
    kind, currency = chance.choice((Amount(500), Percent(1_000))), chance.choice(("", "EUR", "EUR"))
    return Terms("offer", kind, owner, expires_ms, sharing=sharing, currency=currency)


def straight(log: list[Record]) -> tuple[CouponFold, list[tuple[str, bytes]], list[int]]:
    """What a fold makes of a log when nothing ever happens to it; with what it left out."""
    fold, outputs, left_out = coupon_fold(), [], []
    for record in log:
        try:
            list(fold.fold(record, frozenset()))
        except PoisonError:
            fold.rollback()
            left_out.append(record.offset)
        outputs += [(one.topic, one.value) for one in listed(fold.seal().outputs)]
    return fold, outputs, left_out


async def test_no_accident_changes_what_becomes_of_a_coupon() -> None:
    seen = await seen_in(SCHEDULES, _check_schedule)
    assert seen["deaths"] > SCHEDULES
    assert seen["left out"] > SCHEDULES
    often = ("redeemed", "given_back", "expired", "other_currency")
    assert min(seen[name] for name in often) > SCHEDULES / 2


async def _check_schedule(seed: int, seen: Counter[str]) -> None:
    chance = random.Random(seed)
    told = history(chance)
    broker = Broker()
    broker.logs[topics.EVENTS, 0] = list(told)
    owners = Owners(broker, 1, lambda _: coupon_fold(), chance)
    while broker.lag(0):
        await owners.work(dies_with_chance=0.1)
    log = broker.logs[topics.EVENTS, 0]
    fold, outputs, left_out = straight(log)

    verdicts = [value for topic, value in outputs if topic == topics.COUPON_VERDICTS]
    assert broker.values(topics.COUPON_VERDICTS, 0) == verdicts
    said = Counter(value for topic, value in outputs if topic == topics.EVENTS)
    assert Counter(one.value for one in log[len(told) :]) == said
    heir = coupon_fold()
    for key, row in broker.rows(0).items():
        heir.restore(key, row)
    heir.restored()
    assert heir.coupons() == fold.coupons()
    assert heir.due_ms() == fold.due_ms()
    letters = [
        msgspec.json.decode(value, type=DeadLetter).offset
        for value in broker.values(topics.DEAD_LETTERS, 0)
    ]
    assert sorted(letters) == left_out
    seen["deaths"] += owners.deaths
    seen["left out"] += len(left_out)
    for value in verdicts:
        seen[coupon_words.decode_judged(value).outcome] += 1
