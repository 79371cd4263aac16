"""The coupons beside a stage: the worker's own coupon fold of one partition, without servers."""

from collections.abc import Callable, Sequence
from typing import Any

from models.events import ClockMark, encode
from streams import topics
from streams.coupon_fold import CouponFold

NOBODY: frozenset[bytes] = frozenset()
Pair = tuple[bytes | None, bytes]


class CouponBooth:
    """Hears what the stage says of coupons and gives what follows for the stage's log.

    `record_of` makes a record of a value at the stage's time.
    """

    def __init__(self, record_of: Callable[[bytes], Any]) -> None:
        self._record_of = record_of
        self._fold = CouponFold(
            partition=0, partitions=1, incarnation=1, topic_of=str, seal_raw=bytes.hex
        )

    @property
    def due_ms(self) -> int | None:
        """When the next coupon is to be given up."""
        return self._fold.due_ms()

    def hear(self, words: Sequence[bytes]) -> list[Pair]:
        """Fold words, and what the fold itself says further."""
        for_log: list[Pair] = []
        told = list(words)
        while told:
            for word in told:
                self._take(word)
            told = []
            for (topic, _), pairs in self._fold.seal().outputs.items():
                if topic == topics.EVENTS:
                    for_log += pairs
                elif topic == topics.COUPONS:
                    told += [value for _, value in pairs]
        return for_log

    def mark(self, now_ms: int) -> list[Pair]:
        """Let coupons expire that are due."""
        due_ms = self.due_ms
        if due_ms is None or due_ms > now_ms:
            return []
        return self.hear([encode(ClockMark(at_ms=now_ms))])

    def _take(self, word: bytes) -> None:
        for _ in self._fold.fold(self._record_of(word), NOBODY):
            pass
