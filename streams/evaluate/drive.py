"""The live engine without servers: the worker's fold and the learner's, fed in time order.

Events go through their encoding into `CustomerFold`; its lessons into `LearnerFold`; what that
adopts comes back into `CustomerFold`, as it would through Kafka. Marks stand at every full hour, as
in a replay. So what an evaluation asks is answered by what would have answered it live.
"""

from collections.abc import Coroutine, Iterator
from functools import lru_cache
from itertools import count
from typing import Any, NamedTuple

from models.clock import HOUR_MS
from models.customer import Customer
from models.events import ClockMark, CustomerEvent, Line, OrderCompleted, encode
from models.hazard import HORIZONS_DAYS, HazardSnapshot
from models.snapshot import read_record
from models.tokens import token_of
from models.view import View
from sinks.model_shelf import ModelShelf
from streams import topics
from streams.customer_fold import CustomerFold
from streams.fold import Interval
from streams.hazard_pupil import HazardPupil
from streams.learner_fold import LearnerFold
from streams.ranking_pupil import RankingPupil
from streams.segments_pupil import SegmentsPupil

RECORDS_AT_ONCE = 4_096
_KEY = b"evaluate".ljust(32, b"\x00")


class Record(NamedTuple):
    """A record of the log, as much of it as the folds look at."""

    value: bytes
    offset: int
    timestamp: int
    key: bytes | None


class Said(NamedTuple):
    """A record that the learner writes, as those who follow it see it."""

    topic: str
    key: bytes | None
    value: bytes | None
    offset: int = 0


@lru_cache(maxsize=1_000_000)
def token(customer: str) -> str:
    """Name a customer as the log does."""
    return token_of(_KEY, "customer", customer)


class Drive:
    """One partition of the live product, played as fast as it goes.

    `at_ms` is its clock: the time of the last mark. What is given may not lie before it. `shelf` is
    what the web role would recommend from.
    """

    def __init__(
        self,
        *,
        adopt_every_days: int = 7,
        horizons_days: tuple[int, ...] = HORIZONS_DAYS,
        ranking: RankingPupil | None = None,
    ) -> None:
        self.at_ms = 0
        self._numbers = count()
        self._waiting: list[Record] = []
        self._unsealed = False
        self._snapshots: dict[tuple[str, int], Any] = {}
        self._fold = CustomerFold(
            partition=0,
            partitions=1,
            incarnation=1,
            topic_of=str,
            load_snapshot=self._load,
            seal_raw=bytes.hex,
            coupon_key=bytes(32),
            nothing_learned=HazardSnapshot(horizons_days=horizons_days),
        )
        self.ranking = ranking or RankingPupil()
        self.shelf = ModelShelf("", topics.LEARNER, topics.SNAPSHOTS, topics.CONTROL)
        self._learner = LearnerFold(
            adopt_every_days=adopt_every_days,
            events_partitions=1,
            topic_of=str,
            pupils=[HazardPupil(horizons_days=horizons_days), self.ranking, SegmentsPupil()],
        )

    async def _load(self, model: str, version: int) -> Any:
        return self._snapshots.get((model, version))

    def order(
        self,
        customer: str,
        at_ms: int,
        *,
        basket: str,
        lines: tuple[Line, ...] = (),
        total_cents: int = 0,
        currency: str = "USD",
    ) -> None:
        """Take an order; `basket` is its id."""
        self.event(
            OrderCompleted(
                id=basket,
                customer=token(customer),
                occurred_at_ms=at_ms,
                received_at_ms=at_ms,
                order_id=basket,
                total_cents=total_cents,
                currency=currency,
                lines=lines,
            )
        )

    def event(self, event: CustomerEvent) -> None:
        """Take any event of the log's; marks up to its time are folded before it."""
        self.advance(event.occurred_at_ms // HOUR_MS * HOUR_MS)
        self._append(encode(event), event.customer.encode())
        if len(self._waiting) >= RECORDS_AT_ONCE:
            self._fold_waiting()

    def advance(self, to_ms: int) -> None:
        """Let time pass: a mark at every full hour up to `to_ms`, and one there."""
        if not self.at_ms:
            self._mark(to_ms)
        while self.at_ms < to_ms:
            self._mark(min(to_ms, self.at_ms // HOUR_MS * HOUR_MS + HOUR_MS))

    def row(self, customer: str) -> Customer | None:
        """State of a customer, not to be changed; None: never seen."""
        self._fold_given()
        return self._fold.customer(token(customer).encode())

    def rows(self) -> Iterator[tuple[str, Customer]]:
        """State of each customer, by token; not to be changed."""
        self._fold_waiting()
        for key in self._fold.known():
            customer = self._fold.customer(key)
            if customer is not None:
                yield key.decode(), customer

    @property
    def view(self) -> View:
        """What the next step would look at: the time and the adopted models."""
        self._fold_waiting()
        return self._fold.view()

    def _append(self, value: bytes, key: bytes | None) -> None:
        self._waiting.append(Record(value, next(self._numbers), self.at_ms, key))

    def _mark(self, at_ms: int) -> None:
        self._fold_waiting()
        self.at_ms = at_ms
        self._fold_one(encode(ClockMark(at_ms=at_ms)))
        self._seal()

    def _fold_waiting(self) -> None:
        """Fold what was given, and what merges add to it, and have it learned."""
        self._fold_given()
        while self._unsealed:
            self._seal()
            self._fold_given()

    def _fold_given(self) -> None:
        """Fold what was given; what follows from it waits for the interval's end."""
        if self._waiting:
            records, self._waiting = self._waiting, []
            # All of them are customers' events, so none is left for `fold`.
            self._fold.fold_many(records)
            self._unsealed = True

    def _fold_one(self, value: bytes) -> None:
        record = Record(value, next(self._numbers), self.at_ms, None)
        if self._snapshots:
            _finished(self._fold.prepare([record]))
        for _ in self._fold.fold(record, frozenset()):
            pass

    def _seal(self) -> None:
        interval, self._unsealed = self._fold.seal(), False
        for (topic, _), pairs in interval.outputs.items():
            if topic == topics.EVENTS:
                for key, value in pairs:
                    self._append(value, key)
            elif topic == topics.LESSONS:
                self._learn([value for _, value in pairs])

    def _learn(self, lessons: list[bytes]) -> None:
        for lesson in lessons:
            record = Record(lesson, next(self._numbers), self.at_ms, None)
            for _ in self._learner.fold(record, frozenset()):
                pass
        self._take(self._learner.seal())

    def _take(self, interval: Interval) -> None:
        """Keep the learner's rows and snapshots, then fold what it adopts."""
        adoptions: list[bytes] = []
        for key, row in interval.rows:
            self.shelf.take(Said(topics.LEARNER, key, row))
        for (topic, _), pairs in interval.outputs.items():
            if topic in (topics.SNAPSHOTS, topics.CONTROL):
                for name, word in pairs:
                    self.shelf.take(Said(topic, name, word))
            if topic == topics.SNAPSHOTS:
                for _, value in pairs:
                    record = read_record(value)
                    self._snapshots[record.model, record.snapshot.version] = record.snapshot
            elif topic == topics.EVENTS:
                adoptions += [value for _, value in pairs]
        for value in adoptions:
            self._fold_one(value)


def _finished(preparing: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine that never waits: a loop for each mark would cost more than the mark."""
    try:
        preparing.send(None)
    except StopIteration:
        return
    raise RuntimeError("the snapshots at hand were waited for")
