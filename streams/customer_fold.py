"""The fold of topic `events`: customers of one partition, their timers, the partition's clock.

Rows are kept packed, as the changelog has them, and decoded while they are worked on (a bounded
number stay decoded). So memory holds what is on the log, and a poison record is undone by
forgetting what was decoded. A row that only a mark has work with is packed again at once, so that
a seal has little left to do when many were due.
"""

import heapq
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator
from itertools import islice
from typing import Any, get_args

import msgspec
import structlog

from models import coupon_words, hour_counts, partition_budgets, partition_clock, segments
from models.coupon_words import CouponWord, home_of, is_purse_key, partition_of_coupon
from models.customer import (
    Customer,
    NewerState,
    Timer,
    decode_row,
    encode_row,
    first_due_ms,
)
from models.effects import (
    Action,
    DayEnded,
    DeadLetter,
    EventFolded,
    Fact,
    HourEnded,
    Taught,
    encode,
    refused_snapshot,
)
from models.events import Adopted, BudgetAnswered, ClockMark, CustomerEvent, Event, decode
from models.events import encode as encode_event
from models.hazard import NOTHING_LEARNED, HazardSnapshot, settle
from models.hour_counts import COUNTING
from models.partition_clock import PartitionClock, adopted
from models.segments import SegmentsSnapshot
from models.step import Effect, fire, step, wake
from models.tokens import PARTITION_KEY, partition_of
from models.triggers.engine import arm
from models.triggers.runs import asking
from models.view import View
from streams import topics
from streams.fold import Interval, Output, Outputs, Place, PoisonError

log = structlog.get_logger(__name__)

DECODED_AT_MOST = 5_000
"""A decoded customer takes 11 KiB. Keeping four times as many spared no time, among 96,000."""
SNAPSHOTS_AT_MOST = 8
HAZARD_UNLEARNED = ("hazard", 0)
CUSTOMERS_PER_SLICE = 20
CUSTOMERS_PER_LIVE_MARK = 200
_NOTHING_MORE: Iterator[None] = iter(())
_FACTS = frozenset(get_args(Fact))
_LESSONS = frozenset(get_args(Taught))
_OF_NOBODY = frozenset({ClockMark, Adopted, BudgetAnswered})
_ADOPTED = b'"type":"adopted"'
# msgspec lets the last two through as they are.
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

SnapshotLoader = Callable[[str, int], Awaitable[Any]]
"""Gives a model's version, None for one that must not be used."""
Sealer = Callable[[bytes], str]


class CustomerFold:
    """Implements streams.fold.Fold for one partition of `events`."""

    def __init__(
        self,
        *,
        partition: int,
        partitions: int,
        incarnation: int,
        topic_of: Callable[[str], str],
        load_snapshot: SnapshotLoader,
        seal_raw: Sealer,
        coupon_key: bytes,
        nothing_learned: HazardSnapshot = NOTHING_LEARNED,
    ) -> None:
        self.partition = partition
        self.clock = PartitionClock()
        self._partitions = partitions
        self._view = View(
            incarnation=incarnation,
            partition=partition,
            partitions=partitions,
            coupon_key=coupon_key,
        )
        self._load_snapshot = load_snapshot
        self._seal_raw = seal_raw
        self._topic_of = topic_of
        self._facts: Place = topic_of(topics.FACTS), None
        self._actions: Place = topic_of(topics.ACTIONS), None
        self._lessons: Place = topic_of(topics.LESSONS), 0
        self._metrics: Place = topic_of(topics.METRICS), 0
        self._alerts: Place = topic_of(topics.ALERTS), 0
        self._events = topic_of(topics.EVENTS)
        self._coupons = topic_of(topics.COUPONS)
        self._packed: dict[bytes, bytes] = {}
        self._decoded: dict[bytes, Customer] = {}
        self._dirty: set[bytes] = set()
        self._repacked: dict[bytes, bytes] = {}
        self._outputs: Outputs = defaultdict(list)
        self._due: list[tuple[int, bytes]] = []
        self._due_at: dict[bytes, int] = {}
        self._nothing_learned = nothing_learned
        self._snapshots: dict[tuple[str, int], Any] = {HAZARD_UNLEARNED: nothing_learned}
        self._sealed_clock = PartitionClock()
        self._to_arm: list[bytes] | None = None
        self._waiting: dict[str, list[bytes]] = {}
        self._is_asking = False

    def restore(self, key: bytes, row: bytes | None) -> None:
        """Take one row of the changelog; the newest of a key wins."""
        if key == PARTITION_KEY:
            if row is not None:
                self.clock = partition_clock.restored(row)
        elif row is None:
            self._packed.pop(key, None)
        else:
            self._packed[key] = row

    def restored(self) -> None:
        """Index the timers anew: their truth is in the rows."""
        for key, row in self._packed.items():
            customer = decode_row(row)
            timers = customer.timers
            if timers:
                self._due_at[key] = due = first_due_ms(timers)
                self._due.append((due, key))
                self._note_waiting(key, customer)
        heapq.heapify(self._due)
        self._keep_clock()

    async def prepare(self, records: list[Any]) -> None:
        """Load the snapshots that these records adopt, and the one adopted before."""
        wanted = {*adopted(self.clock).items(), *adopted(self._sealed_clock).items()}
        wanted |= {
            named
            for record in records
            if record.key is None and (named := _adopted_version(record.value))
        }
        for named in sorted(wanted - self._snapshots.keys()):
            snapshot = await self._load_snapshot(*named)
            if snapshot is not None:
                self._snapshots[named] = snapshot
        if len(self._snapshots) > SNAPSHOTS_AT_MOST:
            kept = wanted | {HAZARD_UNLEARNED}
            self._snapshots = {name: one for name, one in self._snapshots.items() if name in kept}

    def fold_many(self, records: list[Any]) -> int:
        """Fold customers' events up to the next mark or adoption, or a record without a value."""
        self._look_from(records[0])
        view, fold_event = self._view, self._fold_event
        for at, record in enumerate(records):
            raw = record.value
            if raw is None:
                return at
            try:
                event = decode(raw)
            except _UNREADABLE as error:
                raise PoisonError(b"", f"undecodable: {error}") from None
            kind = type(event)
            if kind in _OF_NOBODY:
                return at
            view.offset, view.logged_at_ms = record.offset, record.timestamp
            fold_event(event.customer.encode(), event, raw)  # type: ignore[union-attr, arg-type]
        return len(records)

    def _look_from(self, record: Any) -> None:
        """Have the step see the partition as it is at this record."""
        view = self._view
        view.offset, view.logged_at_ms = record.offset, record.timestamp
        view.now_ms = self.clock.now_ms
        self._look_at_snapshots()

    def _look_at_snapshots(self) -> None:
        view, clock = self._view, self.clock
        view.hazard, view.segments = self._hazard(), self._segments()
        view.playbook_version = clock.versions.get("playbook", 0)
        view.rulebook = self._snapshots.get(("playbook", view.playbook_version))
        view.clock = clock

    def _hazard(self) -> HazardSnapshot:
        # A version that was adopted once and is refused now: better the closed form than no worker.
        named = "hazard", self.clock.hazard_version
        snapshot: HazardSnapshot = self._snapshots.get(named, self._nothing_learned)
        return snapshot

    def _segments(self) -> SegmentsSnapshot:
        named = "segments", self.clock.versions.get("segments", 0)
        snapshot: SegmentsSnapshot = self._snapshots.get(named, segments.NOTHING_LEARNED)
        return snapshot

    def fold(self, record: Any, left_out: frozenset[bytes]) -> Iterator[None]:
        """Fold one record of the log; a mark with many due customers yields between slices."""
        self._look_from(record)
        if b"" in left_out:
            return _NOTHING_MORE
        try:
            event = decode(record.value or b"")
        except _UNREADABLE as error:
            raise PoisonError(b"", f"undecodable: {error}") from None
        kind = type(event)
        if kind is ClockMark:
            return self._mark(event, left_out)  # type: ignore[arg-type]
        if kind is Adopted:
            self._adopt(event)  # type: ignore[arg-type]
            return _NOTHING_MORE
        if kind is BudgetAnswered:
            self._say_of_budgets(partition_budgets.hear(self.clock, self.partition, event))  # type: ignore[arg-type]
            self._wake_some(CUSTOMERS_PER_LIVE_MARK, left_out)
            return _NOTHING_MORE
        key = event.customer.encode()  # type: ignore[union-attr]
        if key not in left_out:
            self._fold_event(key, event, record.value)  # type: ignore[arg-type]
        return _NOTHING_MORE

    def _adopt(self, record: Adopted) -> None:
        clock, model, version = self.clock, record.model, record.version
        if model == "playbook":
            # Counted even if it can't be used: partitions must count alike.
            clock.adoptions += 1
        if (model, version) not in self._snapshots:
            clock.refused[model] = version, clock.now_ms
            in_use = adopted(clock).get(model, 0)
            self._say_refused(model, f"{in_use} goes on to be used")
            return
        for key in self._dirty:
            settle(self._decoded[key], self._view.hazard)
        partition_clock.adopt(clock, model, version)
        if model == "playbook":
            clock.arming, self._to_arm = "", None
            offers = self._snapshots[model, version].book.offers
            self._say_of_budgets(
                partition_budgets.adopt(clock, offers, self.partition, self._partitions)
            )
        if model in clock.refused:
            self._say_refused(model, "a later one is used", ended_ms=clock.now_ms)
            del clock.refused[model]

    def _say_refused(self, model: str, reason: str, *, ended_ms: int | None = None) -> None:
        """All partitions refuse alike: the first one says so."""
        if self.partition == 0:
            alert = refused_snapshot(model, *self.clock.refused[model], reason, ended_ms=ended_ms)
            self._outputs[self._alerts].append((None, encode(alert)))

    def _fold_event(self, key: bytes, event: CustomerEvent, raw: bytes) -> None:
        view = self._view
        view.next_index = 0
        customer = self._decoded.get(key)
        if customer is None:
            customer = self._unpack(key)
        # Before anything can raise: a rollback must know which rows may be half changed.
        self._dirty.add(key)
        try:
            effects = step(customer, event, raw, view)
            timers = customer.timers
            if timers:
                self._index(key, timers)
            folded = effects[0] if effects and type(effects[0]) is EventFolded else None
            if folded is not None and len(effects) == 1 and not view.waited:
                # So it is with most events.
                self._outputs[self._facts].append((key, encode(folded)))
            else:
                self._put(key, effects)
        except NewerState:
            # A later release passed this row on in a merge: not poison, but nothing for us.
            raise
        except Exception as error:
            raise PoisonError(key, f"{type(error).__name__}: {error}") from error
        if folded is not None and (type(event) in COUNTING or not folded.tier):
            hour_counts.count(self.clock.running, event, folded)

    def _mark(self, mark: ClockMark, left_out: frozenset[bytes]) -> Iterator[None]:
        if not partition_clock.is_news(self.clock, mark):
            return
        self._view.now_ms = mark.at_ms
        if mark.wall_offset_ms is not None:
            # A live mark leaves what is too much to the next, which comes at once and behind the
            # events that came in meanwhile (streams/marks.py). It is folded whole or not at all,
            # so that no crash can change what it leaves.
            self._fire_some(mark.at_ms, CUSTOMERS_PER_LIVE_MARK, left_out)
            self._arm_some(CUSTOMERS_PER_LIVE_MARK, left_out)
            self._wake_some(CUSTOMERS_PER_LIVE_MARK, left_out)
        else:
            while self.clock.arming is not None:
                self._arm_some(CUSTOMERS_PER_SLICE, left_out)
                if self.clock.arming is not None:
                    yield
            while self._is_due(mark.at_ms):
                self._fire_some(mark.at_ms, CUSTOMERS_PER_SLICE, left_out)
                if self._is_due(mark.at_ms):
                    yield
            while self.clock.woken:
                self._wake_some(CUSTOMERS_PER_SLICE, left_out)
                if self.clock.woken:
                    yield
        for ended in partition_clock.advance(self.clock, mark, self.partition, self._partitions):
            self._say_ended(ended)

    def _arm_some(self, at_most: int, left_out: frozenset[bytes]) -> None:
        """Make some more rows ready for the playbook that was adopted, in the order of their names.

        Who came after its adoption was armed by the own first event. Rows that have nothing to
        change are passed over; which ones are changed by this mark depends on rows alone, so a
        crash can't change it.
        """
        clock, view = self.clock, self._view
        if clock.arming is None:
            return
        if self._to_arm is None:
            done = clock.arming.encode()
            self._to_arm = sorted((key for key in self.known() if key > done), reverse=True)
        while self._to_arm:
            key = self._to_arm[-1]
            known = self.customer(key)
            if known is None or known.playbook.version == view.playbook_version or key in left_out:
                self._to_arm.pop()
                continue
            if not at_most:
                break
            self._to_arm.pop()
            was_at_hand = key in self._decoded
            customer = self._row(key)
            self._dirty.add(key)
            view.next_index = 0
            try:
                self._put(key, arm(key.decode(), customer, view))
            except Exception as error:
                raise PoisonError(key, f"playbook: {type(error).__name__}: {error}") from error
            if customer.timers:
                self._index(key, customer.timers)
            if not was_at_hand:
                self._let_go(key)
            clock.arming, at_most = key.decode(), at_most - 1
        if not self._to_arm:
            clock.arming, self._to_arm = None, None

    def _wake_some(self, at_most: int, left_out: frozenset[bytes]) -> None:
        """Have some more customers decide who wait for what was answered, by the customer's name.

        As soon as one must wait on, so must the others: what it lacks is asked for.
        """
        clock = self.clock
        while clock.woken:
            name = clock.woken[0]
            while (key := self._first_waiting(name)) is not None:
                if not at_most:
                    return
                at_most -= 1
                self._wake(name, key, left_out)
                if self._first_waiting(name) == key:
                    break
            both = partition_budgets.both_of(name)
            is_idle = not any(self._first_waiting(one) for one in both)
            clock.woken.pop(0)
            self._say_of_budgets(
                partition_budgets.rest(clock, self.partition, name, is_idle=is_idle)
            )

    def _wake(self, name: str, key: bytes, left_out: frozenset[bytes]) -> None:
        customer = self._row(key)
        self._dirty.add(key)
        if key in left_out:
            for timer in asking(customer, name):
                customer.timers.remove(timer)
            return
        self._view.next_index = 0
        try:
            self._put(key, wake(key.decode(), customer, name, self._view))
        except Exception as error:
            raise PoisonError(key, f"budget: {type(error).__name__}: {error}") from error
        if customer.timers:
            self._index(key, customer.timers)

    def _first_waiting(self, name: str) -> bytes | None:
        """Whoever waits for that purse, the first by name."""
        found = self._waiting.get(name, [])
        while found:
            customer = self.customer(found[0])
            if customer is not None and asking(customer, name):
                return found[0]
            heapq.heappop(found)
        return None

    def _note_waiting(self, key: bytes, customer: Customer) -> None:
        """Have the customer found when a purse answers that it waits for."""
        for name in {run.waits_for for run in customer.playbook.runs if run.waits_for}:
            heapq.heappush(self._waiting.setdefault(name, []), key)

    def due_ms(self) -> int | None:
        """When the first timer of this partition is due, or was; now while rows are to be changed.

        That is while they are armed for an edition, or woken by a purse's answer.
        """
        if self.clock.arming is not None or self.clock.woken:
            return self.clock.now_ms
        return self._due[0][0] if self._due else None

    def is_urgent(self) -> bool:
        """Whether actions wait to be committed, or customers for a purse that is asked."""
        return self._is_asking or self._actions in self._outputs

    def _is_due(self, now_ms: int) -> bool:
        return bool(self._due) and self._due[0][0] <= now_ms

    def _fire_some(self, now_ms: int, at_most: int, left_out: frozenset[bytes]) -> None:
        """Fire what is due of the next customers whose first timer is, by (due, customer)."""
        while at_most and self._is_due(now_ms):
            due, key = heapq.heappop(self._due)
            if self._due_at.get(key) != due:
                continue
            del self._due_at[key]
            was_at_hand = key in self._decoded
            timers = self._row(key).timers
            if any(timer.due_ms == due for timer in timers):
                at_most -= 1
                # Until its row is touched, a rollback must find the key to index it again.
                self._dirty.add(key)
                self._fire_due(key, now_ms, leave_out=key in left_out)
            elif timers:
                # That timer is gone; the order must be the same as after a recovery.
                self._index(key, timers)
            if not was_at_hand:
                self._let_go(key)

    def _fire_due(self, key: bytes, now_ms: int, *, leave_out: bool) -> None:
        customer = self._row(key)
        token = key.decode()
        self._view.next_index = 0
        while due := [timer for timer in customer.timers if timer.due_ms <= now_ms]:
            if len(due) > 1:
                due.sort(key=_timer_order)
            for timer in due:
                if timer not in customer.timers:
                    continue
                if leave_out:
                    customer.timers.remove(timer)
                    continue
                try:
                    self._put(key, fire(token, customer, timer, self._view))
                except Exception as error:
                    reason = f"timer {timer.rule}: {type(error).__name__}: {error}"
                    raise PoisonError(key, reason) from error
        if customer.timers:
            self._index(key, customer.timers)

    def _row(self, key: bytes) -> Customer:
        customer = self._decoded.get(key)
        return self._unpack(key) if customer is None else customer

    def _unpack(self, key: bytes) -> Customer:
        packed = self._packed_row(key)
        customer = self._decoded[key] = Customer() if packed is None else decode_row(packed)
        return customer

    def _packed_row(self, key: bytes) -> bytes | None:
        return self._repacked.get(key) or self._packed.get(key)

    def _let_go(self, key: bytes) -> None:
        """Pack a row that was unpacked for one timer, if it is touched, and keep no more of it."""
        customer = self._decoded.pop(key)
        if key in self._dirty:
            self._dirty.discard(key)
            settle(customer, self._view.hazard)
            self._repacked[key] = encode_row(customer)

    def _index(self, key: bytes, timers: list[Timer]) -> None:
        """Have the customer found when the first of its timers, of which it has one, is due."""
        due = timers[0].due_ms if len(timers) == 1 else first_due_ms(timers)
        known = self._due_at.get(key)
        if known is None or due < known:
            self._due_at[key] = due
            heapq.heappush(self._due, (due, key))

    def _put(self, key: bytes, effects: list[Effect]) -> None:
        """Write effects of one customer's record for their topics."""
        outputs, facts = self._outputs, self._facts
        if self._view.waited:
            self._view.waited.clear()
            self._note_waiting(key, self._decoded[key])
        for effect in effects:
            kind = type(effect)
            if kind in _FACTS:
                outputs[facts].append((key, encode(effect)))
            elif kind is Action:
                outputs[self._actions].append((key, encode(effect)))
            elif kind in _LESSONS:
                outputs[self._lessons].append((None, encode(effect)))
            elif kind is CouponWord:
                self._put_to_coupons(effect)  # type: ignore[arg-type]
            else:
                self._put_into_log(effect.event)  # type: ignore[union-attr, arg-type]

    def _say_of_budgets(self, words: list[CouponWord]) -> None:
        for word in words:
            self._put_to_coupons(word)

    def _put_to_coupons(self, word: CouponWord) -> None:
        self._is_asking = self._is_asking or is_purse_key(word.key)
        place = self._coupons, partition_of_coupon(word.key, self._partitions)
        self._outputs[place].append((home_of(word.key).encode(), coupon_words.encode(word)))

    def _put_into_log(self, event: Event) -> None:
        place = self._events, partition_of(event.customer, self._partitions)
        self._outputs[place].append((event.customer.encode(), encode_event(event)))  # type: ignore[arg-type]

    def _say_ended(self, ended: HourEnded | DayEnded) -> None:
        place = self._metrics if type(ended) is HourEnded else self._lessons
        self._outputs[place].append((None, encode(ended)))

    def seal(self) -> Interval:
        """Pack what was touched; it is what the changelog will say."""
        snapshot, repacked = self._hazard(), self._repacked
        for key in self._dirty:
            customer = self._decoded[key]
            settle(customer, snapshot)
            repacked[key] = encode_row(customer)
        self._packed.update(repacked)
        rows: list[tuple[bytes, bytes | None]] = [*repacked.items()]
        rows.append((PARTITION_KEY, msgspec.msgpack.encode(self.clock)))
        outputs, self._outputs = self._outputs, defaultdict(list)
        self._dirty.clear()
        self._repacked = {}
        self._is_asking = False
        # The oldest, no more than came in: to free them all at once would be a pause.
        for key in [*islice(self._decoded, max(0, len(self._decoded) - DECODED_AT_MOST))]:
            del self._decoded[key]
        self._keep_clock()
        return Interval(rows, outputs)

    def rollback(self) -> None:
        """Forget what was decoded since the last seal, and index its timers again."""
        touched, self._repacked = self._dirty | self._repacked.keys(), {}
        for key in touched:
            self._decoded.pop(key, None)
            packed = self._packed.get(key)
            customer = decode_row(packed) if packed else Customer()
            timers: list[Timer] = customer.timers
            self._due_at.pop(key, None)
            if timers:
                self._due_at[key] = due = first_due_ms(timers)
                heapq.heappush(self._due, (due, key))
                self._note_waiting(key, customer)
        self._dirty.clear()
        self._view.waited.clear()
        self._is_asking = False
        self._outputs = defaultdict(list)
        self.clock = partition_clock.copied(self._sealed_clock)
        self._to_arm = None

    def dead_letter(self, record: Any, poison: PoisonError) -> Output:
        """Write down what was left out, with the sealed record and its place in the log."""
        letter = DeadLetter(
            source="worker",
            reason=poison.reason,
            at_ms=self.clock.now_ms,
            sealed_raw=self._seal_raw(record.value or b""),
            partition=self.partition,
            offset=record.offset,
        )
        return Output(self._topic_of(topics.DEAD_LETTERS), record.key, encode(letter))

    def customers(self) -> int:
        """How many customers this partition knows."""
        return len(self._packed) + sum(1 for key in self._decoded if key not in self._packed)

    def known(self) -> list[bytes]:
        """Name every customer of this partition."""
        return [*self._packed, *(key for key in self._decoded if key not in self._packed)]

    def customer(self, key: bytes) -> Customer | None:
        """State of a customer for whoever only looks; None: never seen."""
        customer = self._decoded.get(key)
        if customer is None and (packed := self._packed_row(key)) is not None:
            customer = decode_row(packed)
        return customer

    def view(self) -> View:
        """What the next step would look at."""
        self._view.now_ms = self.clock.now_ms
        self._look_at_snapshots()
        return self._view

    def _keep_clock(self) -> None:
        self._sealed_clock = partition_clock.copied(self.clock)


def _adopted_version(raw: bytes | None) -> tuple[str, int] | None:
    """Model and version that a record adopts; an event may hold the same bytes in its extras."""
    if raw is None or _ADOPTED not in raw:
        return None
    try:
        record = decode(raw)
    except _UNREADABLE:
        return None
    return (record.model, record.version) if type(record) is Adopted else None


def _timer_order(timer: Timer) -> tuple[int, str, str]:
    return timer.due_ms, timer.rule, timer.item
