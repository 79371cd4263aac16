"""What must come of a log: one thread, one dict, the same `step`; no Faust, no lane, no store."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from models import hour_counts, partition_budgets, partition_clock, segments
from models.coupon_words import CouponWord
from models.customer import Customer, Timer
from models.effects import (
    Action,
    DayEnded,
    EventFolded,
    Fact,
    HourEnded,
    Lesson,
    Taught,
)
from models.effects import encode as encode_effect
from models.events import Absorbed, Adopted, BudgetAnswered, ClockMark, Event, decode
from models.events import encode as encode_event
from models.hazard import NOTHING_LEARNED, settle
from models.partition_clock import PartitionClock
from models.snapshot import KINDS, SnapshotRecord
from models.step import Effect, ForLog, fire, step, wake
from models.triggers.engine import arm
from models.triggers.runs import asking
from models.view import View
from streams.customer_fold import CUSTOMERS_PER_LIVE_MARK

UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class Oracle:
    """Folds records of all partitions, one after the other, and keeps what follows."""

    def __init__(
        self, partitions: int, snapshots: list[SnapshotRecord], coupon_key: bytes = bytes(32)
    ) -> None:
        self._partitions, self._coupon_key = partitions, coupon_key
        self._snapshots: dict[tuple[str, int], Any] = {
            ("hazard", 0): NOTHING_LEARNED,
            ("segments", 0): segments.NOTHING_LEARNED,
        }
        for one in snapshots:
            opened = KINDS[one.model].opened(one.snapshot)
            self._snapshots[one.model, one.snapshot.version] = opened
        self.customers: dict[str, Customer] = {}
        self.clocks: dict[int, PartitionClock] = {}
        self.facts: list[Fact] = []
        self.actions: list[Action] = []
        self.coupon_words: list[CouponWord] = []
        self.lessons: list[Lesson] = []
        self.hours: list[HourEnded] = []
        self.for_log: list[Event] = []
        self.unreadable: list[tuple[int, int]] = []

    def fold(self, records: Iterable[Any]) -> None:
        """Fold one partition's records, in their order."""
        rows: dict[str, Customer] = {}
        for record in records:
            clock = self.clocks.setdefault(record.partition, PartitionClock())
            view = View(
                incarnation=1,
                partition=record.partition,
                partitions=self._partitions,
                offset=record.offset,
                logged_at_ms=record.timestamp,
                now_ms=clock.now_ms,
                hazard=self._snapshots["hazard", clock.hazard_version],
                segments=self._snapshots["segments", clock.versions.get("segments", 0)],
                rulebook=self._snapshots.get(("playbook", clock.versions.get("playbook", 0))),
                playbook_version=clock.versions.get("playbook", 0),
                clock=clock,
                coupon_key=self._coupon_key,
            )
            try:
                event = decode(record.value or b"")
            except UNREADABLE:
                self.unreadable.append((record.partition, record.offset))
                continue
            if isinstance(event, ClockMark):
                self._mark(event, rows, clock, view)
            elif isinstance(event, Adopted):
                self._adopt(event, clock, view)
            elif isinstance(event, BudgetAnswered):
                self._keep(partition_budgets.hear(clock, view.partition, event))
                self._wake(rows, clock, view, CUSTOMERS_PER_LIVE_MARK)
            else:
                row = rows.setdefault(event.customer, Customer())
                effects = step(row, event, record.value, view)
                settle(row, view.hazard)
                self._keep(effects)
                if effects and isinstance(effects[0], EventFolded):
                    hour_counts.count(clock.running, event, effects[0])
        self.customers |= rows

    def _adopt(self, said: Adopted, clock: PartitionClock, view: View) -> None:
        clock.adoptions += said.model == "playbook"
        found = self._snapshots.get((said.model, said.version))
        if found is None:
            return
        partition_clock.adopt(clock, said.model, said.version)
        if said.model == "playbook":
            clock.arming = ""
            offers = found.book.offers
            self._keep(partition_budgets.adopt(clock, offers, view.partition, self._partitions))

    def _mark(
        self, mark: ClockMark, rows: dict[str, Customer], clock: PartitionClock, view: View
    ) -> None:
        if mark.at_ms <= clock.now_ms:
            return
        view.now_ms = mark.at_ms
        is_live = mark.wall_offset_ms is not None
        while due := [
            (min(timer.due_ms for timer in row.timers), token)
            for token, row in rows.items()
            if any(timer.due_ms <= mark.at_ms for timer in row.timers)
        ]:
            # A live mark leaves what is too much to the next (ARCHITECTURE.md, decision 8).
            for _, token in sorted(due)[: CUSTOMERS_PER_LIVE_MARK if is_live else None]:
                self._fire(token, rows[token], mark.at_ms, view)
            if is_live:
                break
        self._arm(rows, clock, view, CUSTOMERS_PER_LIVE_MARK if is_live else None)
        self._wake(rows, clock, view, CUSTOMERS_PER_LIVE_MARK if is_live else None)
        for ended in partition_clock.advance(clock, mark, view.partition, self._partitions):
            if isinstance(ended, DayEnded):
                self.lessons.append(ended)
            else:
                self.hours.append(ended)

    def _arm(
        self, rows: dict[str, Customer], clock: PartitionClock, view: View, at_most: int | None
    ) -> None:
        """Arm rows for an edition, in the order of their names, as far as one mark goes."""
        if clock.arming is None:
            return
        done, left = (
            clock.arming,
            [
                token
                for token in sorted(rows)
                if token > clock.arming and rows[token].playbook.version != view.playbook_version
            ],
        )
        for token in left[:at_most]:
            view.next_index = 0
            self._keep(arm(token, rows[token], view))
            settle(rows[token], view.hazard)
            done = token
        # The fold finds out that none is left by looking at the rest, in the same mark.
        rest = left[at_most:] if at_most is not None else []
        clock.arming = done if rest else None

    def _wake(
        self, rows: dict[str, Customer], clock: PartitionClock, view: View, at_most: int | None
    ) -> None:
        """Have customers decide who wait for what was answered, until one of them must wait on."""
        looked = 0
        while clock.woken:
            name = clock.woken[0]
            while waiting := sorted(token for token, row in rows.items() if asking(row, name)):
                if looked == at_most:
                    return
                looked += 1
                row = rows[waiting[0]]
                view.next_index = 0
                self._keep(wake(waiting[0], row, name, view))
                settle(row, view.hazard)
                if asking(row, name):
                    break
            clock.woken.remove(name)
            both = partition_budgets.both_of(name)
            is_idle = not any(asking(row, one) for row in rows.values() for one in both)
            self._keep(partition_budgets.rest(clock, view.partition, name, is_idle=is_idle))

    def _fire(self, token: str, row: Customer, now_ms: int, view: View) -> None:
        view.next_index = 0
        while due := [timer for timer in row.timers if timer.due_ms <= now_ms]:
            for timer in sorted(due, key=_in_order):
                if timer in row.timers:
                    self._keep(fire(token, row, timer, view))
                    settle(row, view.hazard)

    def _keep(self, effects: Sequence[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, ForLog):
                self.for_log.append(effect.event)
            elif isinstance(effect, CouponWord):
                self.coupon_words.append(effect)
            elif isinstance(effect, Action):
                self.actions.append(effect)
            elif isinstance(effect, Taught):
                self.lessons.append(effect)
            else:
                self.facts.append(effect)


def _in_order(timer: Timer) -> tuple[int, str, str]:
    return timer.due_ms, timer.rule, timer.item


def facts_by_value(facts: Iterable[Fact]) -> Counter[bytes]:
    """Count facts, each in one canonical form."""
    return Counter(encode_effect(fact) for fact in facts)


def effects_by_value(effects: Iterable[msgspec.Struct]) -> Counter[bytes]:
    """Count effects of any kind by their canonical form."""
    return Counter(encode_effect(effect) for effect in effects)


def passed_on(events: Iterable[Event]) -> Counter[bytes]:
    """Count what the fold itself wrote into the log; a row's version is its writer's business."""
    counted: Counter[bytes] = Counter()
    for event in events:
        bare = msgspec.structs.replace(event, row=b"") if isinstance(event, Absorbed) else event
        counted[encode_event(bare)] += 1  # type: ignore[arg-type]
    return counted
