"""What coupons must have come to: their words as they stand in the log, folded over one dict."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from models import coupon_desk, coupon_orders, coupon_words, purse_desk
from models.coupon_orders import OrderRow
from models.coupon_words import (
    CouponJudged,
    CouponWord,
    OrderHas,
    decode_judged,
    home_of,
    is_order_key,
    is_purse_key,
    order_key,
)
from models.coupons import Coupon, Outcome, Status, TimePassed
from models.events import BudgetAnswered, decode
from models.events import encode as encode_record
from models.purse_desk import PurseRow
from models.tokens import POSITION_KEY
from streams import topics
from streams.coupon_fold import EXPIRED_PER_MARK, LATE_MS
from tests.chaos.compare import Counters
from tests.chaos.offsets import Places
from tests.real.rig import Log

Told = tuple[int, int, str, str, int, str]
"""Partition and offset of a word; code, outcome, discount and currency of what came of it."""


@dataclass
class CouponTopics:
    """What was committed of coupons; `folded` are the words that a worker has taken.

    `answers` are those of purses, which stand in the log of events, with their partitions.
    """

    words: list[Any]
    folded: list[Any]
    rows: dict[str, Any]
    verdicts: list[CouponJudged]
    answers: list[tuple[int, bytes]] = field(default_factory=list)


async def read_coupons(log: Log, folded_to: Places, events: Iterable[Any]) -> CouponTopics:
    """Read everything that is committed; `events` is the log."""
    words = await log.records(topics.COUPONS)
    ends = {place[1]: end for place, end in folded_to.items() if place[0] == topics.COUPONS}
    rows: dict[str, Any] = {}
    for record in await log.records(topics.COUPON_TABLE):
        if record.key == POSITION_KEY:
            continue
        key = record.key.decode()
        kind = OrderRow if is_order_key(key) else PurseRow if is_purse_key(key) else Coupon
        rows[key] = msgspec.msgpack.decode(record.value, type=kind)
    return CouponTopics(
        words,
        [one for one in words if one.offset < ends.get(one.partition, 0)],
        rows,
        [decode_judged(one.value) for one in await log.records(topics.COUPON_VERDICTS)],
        [(one.partition, one.value) for one in events if _is_answer(one)],
    )


def _is_answer(record: Any) -> bool:
    if b"budget_answered" not in (record.value or b""):
        return False
    return isinstance(decode(record.value), BudgetAnswered)


class CouponOracle:
    """No lane, no fold, no transaction: the words in their order."""

    def __init__(self, partitions: int) -> None:
        self.rows: dict[str, Any] = {}
        self.answers: Counter[tuple[int, bytes]] = Counter()
        self._partitions = partitions
        self.told: Counter[Told] = Counter()
        self.said: Counter[bytes] = Counter()
        self._partition_of: dict[str, int] = {}

    def fold(self, records: Iterable[Any]) -> None:
        """Fold the words of one partition."""
        for record in records:
            word = coupon_words.decode(record.value)
            if not isinstance(word, CouponWord):
                self._give_up(word.at_ms, record)
            elif is_order_key(word.key):
                self._hear_order(word)
            elif is_purse_key(word.key):
                self._hear_purse(word)
            else:
                self._hear(word.key, word.event, record)

    def _give_up(self, now_ms: int, record: Any) -> None:
        """Let what is due by a mark expire, the first thousand of this partition."""
        due = [
            (row.expires_ms + LATE_MS, key)
            for key, row in self.rows.items()
            if self._partition_of.get(key) == record.partition
            and row.status is Status.ISSUED
            and row.expires_ms
            and coupon_desk.counts(key, row)
        ]
        for due_ms, key in sorted(due)[:EXPIRED_PER_MARK]:
            if due_ms <= now_ms:
                self._hear(key, TimePassed(now_ms), record)

    def _hear_order(self, word: CouponWord) -> None:
        row = self.rows.get(word.key, OrderRow())
        if isinstance(word.event, OrderHas):
            row, told = coupon_orders.add(row, word.event)
        else:
            row, told = coupon_orders.void(row, word.event)  # type: ignore[arg-type]
        if row != OrderRow():
            self.rows[word.key] = row
        for coupon, event in told:
            self._say(CouponWord(key=coupon, event=event))

    def _hear_purse(self, word: CouponWord) -> None:
        row = self.rows.setdefault(word.key, PurseRow())
        for said in purse_desk.hear(row, word.key, word.event, self._partitions):  # type: ignore[arg-type]
            self.answers[said.partition, encode_record(said.record)] += 1

    def _hear(self, key: str, event: Any, record: Any) -> None:
        for heard in coupon_desk.hear(key, event, self.rows.get, lambda _: ()):
            if heard.after != heard.before:
                self.rows[heard.key] = heard.after
                self._partition_of[heard.key] = record.partition
            verdict = heard.verdict
            if verdict is None or verdict.outcome is Outcome.NOTHING:
                continue
            outcome, cents = verdict.outcome.name.lower(), verdict.discount.goods_cents
            place = record.partition, record.offset
            self.told[*place, home_of(heard.key), outcome, cents, heard.currency] += 1
            if verdict.outcome is Outcome.REDEEMED and not verdict.repeated:
                has = OrderHas(event.at_ms, event.order_id, heard.key)
                self._say(CouponWord(key=order_key(event.order_id), event=has))

    def _say(self, word: CouponWord) -> None:
        self.said[coupon_words.encode(word)] += 1


def compare_coupons(
    counters: Counters, found: CouponTopics, asked: list[CouponWord], partitions: int = 1
) -> None:
    """Words, verdicts, answers, rows; and that no two orders ever had one coupon at a time.

    `asked` is what the customers' folds had to say.
    """
    oracle = CouponOracle(partitions)
    for partition in {one.partition for one in found.words}:
        oracle.fold(one for one in found.folded if one.partition == partition)
    there = Counter(one.value for one in found.words if _by_a_fold(one))
    due = oracle.said + Counter(coupon_words.encode(one) for one in asked)
    counters.differ("word on a coupon", there, due, "lost", "duplicated")
    told = Counter(
        (one.partition, one.offset, one.code, one.outcome, one.goods_cents, one.currency)
        for one in found.verdicts
    )
    counters.differ("verdict on a coupon", told, oracle.told, "lost", "duplicated")
    counters.differ("answer", Counter(found.answers), oracle.answers, "lost", "duplicated")
    for key in oracle.rows.keys() | found.rows.keys():
        due_row, row = oracle.rows.get(key), found.rows.get(key)
        if due_row != row:
            counters.add("state_mismatches", f"coupon {key}", [f"{row} is not {due_row}"])
    counters.add("duplicated", "coupon of two orders", _of_two_orders(found.verdicts))


def _by_a_fold(record: Any) -> bool:
    word = coupon_words.decode(record.value)
    return isinstance(word, CouponWord) and not word.request


def _of_two_orders(verdicts: list[CouponJudged]) -> list[str]:
    """Codes that were redeemed while an order had them."""
    held: defaultdict[str, int] = defaultdict(int)
    twice = []
    for one in sorted(verdicts, key=lambda one: (one.partition, one.offset, one.index)):
        if one.repeated:
            continue
        held[one.code] += (one.outcome == "redeemed") - (one.outcome == "given_back")
        if one.outcome == "redeemed" and held[one.code] > 1:
            twice.append(one.code)
    return twice


def redeemed(found: CouponTopics) -> int:
    """How often a coupon was redeemed, by whatever order."""
    return sum(one.outcome == "redeemed" and not one.repeated for one in found.verdicts)
