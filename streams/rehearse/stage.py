"""The stage: the worker's own fold of one partition under a clock that is played, without servers.

Events go through their encoding into `CustomerFold`, as they would through Kafka; what merges add
to the log and what the dispatcher would say of a message it sent follow at the same moment. Between
events the clock stops where a timer is due, and nowhere else. An event at the very moment of a
timer comes before it.
"""

from collections.abc import Callable, Coroutine
from itertools import count
from typing import Any, NamedTuple

import msgspec

from models.customer import Customer
from models.effects import Action, Decided
from models.events import Adopted, ClockMark, CustomerEvent, encode
from models.playbook.rulebook import Rulebook
from sinks.dispatch_ledger import Outcome
from sinks.dispatch_receipts import receipts_of
from streams import topics
from streams.customer_fold import CustomerFold
from streams.fold import PoisonError
from streams.rehearse.coupon_booth import CouponBooth

PLAYBOOK = ("playbook", 1)
EVENTS_AT_ONCE = 500
_DECIDED = b'{"kind":"decided"'
_decode_decided = msgspec.json.Decoder(Decided).decode
_decode_action = msgspec.json.Decoder(Action).decode
Snapshots = dict[tuple[str, int], Any]
Learn = Callable[[list[bytes], Snapshots], list[bytes]]
"""Takes lessons, adds the snapshots they led to and gives the adoptions for the log."""


class Broken(RuntimeError):
    """The fold could not take what it was given: a fault of the product, not of the scenario."""


class Record(NamedTuple):
    """A record of the log, as much of it as the fold looks at."""

    value: bytes
    offset: int
    timestamp: int
    key: bytes | None


class Stage:
    """One partition of the live product; without a rulebook nothing is decided.

    `grain_ms` is how exact timers are, which fire at the first multiple of it; `beat_ms` how often
    the clock is told where none is due. What was decided, and asked for, waits in `decided` and
    `actions` until it is taken out; a stage with a beat decides what follows from events at its
    next stop.
    """

    def __init__(
        self,
        rulebook: Rulebook | None,
        *,
        grain_ms: int = 1,
        beat_ms: int = 1,
        learn: Learn | None = None,
    ) -> None:
        self.now_ms = 0
        self.decided: list[Decided] = []
        self.actions: list[Action] = []
        self._grain_ms = grain_ms
        self._beat_ms = beat_ms
        self._unsealed = 0
        self._learn = learn
        self._numbers = count()
        self._snapshots: Snapshots = {} if rulebook is None else {PLAYBOOK: rulebook}
        self._has_playbook = rulebook is not None
        self._fold = CustomerFold(
            partition=0,
            partitions=1,
            incarnation=1,
            topic_of=str,
            load_snapshot=self._load,
            seal_raw=bytes.hex,
            coupon_key=bytes(32),
        )
        self._coupons = CouponBooth(self._record)

    async def _load(self, model: str, version: int) -> Any:
        return self._snapshots.get((model, version))

    def take(self, event: CustomerEvent) -> None:
        """Take an event when it comes in; timers that were due before have fired by then."""
        self.advance(event.received_at_ms - 1)
        self._fold_one(encode(event), event.customer.encode())
        self._unsealed += 1
        if self._beat_ms == 1 or self._unsealed >= EVENTS_AT_ONCE:
            self._seal()

    def advance(self, to_ms: int) -> None:
        """Let time pass, up to and with this moment."""
        if not self.now_ms:
            self._open(to_ms)
        while (due_ms := self._due_ms()) is not None:
            stop_ms = max(-(-due_ms // self._grain_ms) * self._grain_ms, self.now_ms + 1)
            if stop_ms > to_ms:
                break
            self._mark(stop_ms)
        beat_ms = to_ms - to_ms % self._beat_ms
        if beat_ms > self.now_ms:
            self._mark(beat_ms)

    def end(self, at_ms: int) -> None:
        """Let time pass up to and with this moment, and have everything decided by then."""
        self.advance(at_ms)
        if at_ms > self.now_ms:
            self._mark(at_ms)

    def customer(self, token: str) -> Customer | None:
        """State of a customer, not to be changed; None: never seen."""
        return self._fold.customer(token.encode())

    def _due_ms(self) -> int | None:
        dues = [one for one in (self._fold.due_ms(), self._coupons.due_ms) if one is not None]
        return min(dues, default=None)

    def _open(self, at_ms: int) -> None:
        self._mark(at_ms)
        if self._has_playbook:
            model, version = PLAYBOOK
            self._fold_one(encode(Adopted(model=model, version=version, checksum="")))  # type: ignore[arg-type]
            self._seal()

    def _mark(self, at_ms: int) -> None:
        if self._unsealed:
            self._seal()
        self.now_ms = at_ms
        self._fold_one(encode(ClockMark(at_ms=at_ms)))
        self._seal()
        self._follow(self._coupons.mark(at_ms))

    def _follow(self, records: list[tuple[bytes | None, bytes]]) -> None:
        for key, value in records:
            self._fold_one(value, key)
        if records:
            self._seal()

    def _fold_one(self, value: bytes, key: bytes | None = None) -> None:
        record = self._record(value, key)
        try:
            if key is None:
                finished(self._fold.prepare([record]))
                for _ in self._fold.fold(record, frozenset()):
                    pass
            elif not self._fold.fold_many([record]):
                raise Broken("an event was taken for a mark")
        except PoisonError as poison:
            raise Broken(poison.reason) from poison

    def _record(self, value: bytes, key: bytes | None = None) -> Record:
        return Record(value, next(self._numbers), self.now_ms, key)

    def _seal(self) -> None:
        self._unsealed = 0
        outputs = self._fold.seal().outputs
        following: list[tuple[bytes | None, bytes]] = []
        for (topic, _), pairs in outputs.items():
            if topic == topics.FACTS:
                self.decided += [
                    _decode_decided(value) for _, value in pairs if value.startswith(_DECIDED)
                ]
            elif topic == topics.EVENTS:
                following += pairs
            elif topic == topics.COUPONS:
                following += self._coupons.hear([value for _, value in pairs])
            elif topic == topics.ACTIONS:
                asked = [_decode_action(value) for _, value in pairs]
                self.actions += asked
                following += self._receipts(asked)
            elif topic == topics.LESSONS and self._learn is not None:
                adoptions = self._learn([value for _, value in pairs], self._snapshots)
                following += [(None, value) for value in adoptions]
        self._follow(following)

    def _receipts(self, actions: list[Action]) -> list[tuple[bytes | None, bytes]]:
        """Say what the dispatcher would say of the messages among these actions."""
        outcome = Outcome(at_ms=self.now_ms, delivered=True)
        return [
            (action.customer.encode(), encode(event))  # type: ignore[arg-type]
            for action in actions
            if action.kind == "message"
            for event in receipts_of(action, outcome)
        ]


def finished(preparing: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine that never waits: what the fold asks for is at hand here."""
    try:
        preparing.send(None)
    except StopIteration:
        return
    raise RuntimeError("the snapshots at hand were waited for")
