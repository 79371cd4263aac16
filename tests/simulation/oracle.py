"""The oracle: one thread, one dict, the same step over the log as it stands.

No lane, no fold, no transaction, no timer index: customers are looked through for what is due.
"""

from collections import Counter
from typing import Any

import msgspec

from models import coupon_words, hour_counts, partition_clock
from models.coupon_words import CouponWord
from models.customer import Customer, Timer, decode_row, encode_row
from models.effects import Action, EventFolded, HourEnded, Taught, encode
from models.events import Adopted, ClockMark, decode
from models.events import encode as encode_event
from models.hazard import NOTHING_LEARNED, HazardSnapshot, settle
from models.partition_clock import PartitionClock
from models.step import ForLog, fire, step
from models.view import View
from streams import customer_fold as folds
from streams import topics
from tests.builders import house_rules


class Oracle:
    """What one partition of the log must come to."""

    def __init__(
        self, partition: int, partitions: int, snapshots: dict[int, HazardSnapshot]
    ) -> None:
        self.customers: dict[str, Customer] = {}
        self.clock = PartitionClock(versions={"playbook": 1})
        named = (topics.FACTS, topics.ACTIONS, topics.LESSONS, topics.METRICS, topics.COUPONS)
        self.outputs: dict[str, list[bytes]] = {name: [] for name in named}
        self.for_log: Counter[bytes] = Counter()
        self.dead_letters: Counter[int] = Counter()
        self._view = View(
            incarnation=1,
            partition=partition,
            partitions=partitions,
            clock=self.clock,
            rulebook=house_rules(),
            playbook_version=1,
            coupon_key=bytes(32),
        )
        self._snapshots = snapshots

    def read(self, records: list[Any]) -> "Oracle":
        """Fold a whole log."""
        for record in records:
            self._fold(record)
        return self

    def _fold(self, record: Any) -> None:
        view, clock = self._view, self.clock
        view.offset, view.logged_at_ms = record.offset, record.timestamp
        view.now_ms, view.next_index = clock.now_ms, 0
        view.hazard = self._snapshots.get(clock.hazard_version, NOTHING_LEARNED)
        try:
            event = decode(record.value or b"")
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            self.dead_letters[record.offset] += 1
            return
        if isinstance(event, ClockMark):
            self._mark(event)
        elif isinstance(event, Adopted):
            if event.version in self._snapshots:
                clock.hazard_version = event.version
                clock.refused.pop(event.model, None)
            else:
                clock.refused[event.model] = event.version, clock.now_ms
        else:
            self._step(event, record)

    def _step(self, event: Any, record: Any) -> None:
        customer = _copy(self.customers.get(event.customer, Customer()))
        try:
            effects = step(customer, event, record.value, self._view)
            settle(customer, self._view.hazard)
        except Exception:
            self.dead_letters[record.offset] += 1
            return
        self.customers[event.customer] = customer
        self._put(effects)
        first = effects[0] if effects else None
        if isinstance(first, EventFolded):
            hour_counts.count(self.clock.running, event, first)

    def _mark(self, mark: ClockMark) -> None:
        if not partition_clock.is_news(self.clock, mark):
            return
        self._view.now_ms = mark.at_ms
        is_live = mark.wall_offset_ms is not None
        left = folds.CUSTOMERS_PER_LIVE_MARK if is_live else len(self.customers) * 1_000
        while (left := left - 1) >= 0 and (
            due := [
                (min(timer.due_ms for timer in timers), token)
                for token, customer in self.customers.items()
                if (timers := _due(customer, mark.at_ms))
            ]
        ):
            self._fire(min(due)[1], mark.at_ms)
        view = self._view
        for ended in partition_clock.advance(self.clock, mark, view.partition, view.partitions):
            topic = topics.METRICS if isinstance(ended, HourEnded) else topics.LESSONS
            self.outputs[topic].append(encode(ended))

    def _fire(self, token: str, now_ms: int) -> None:
        customer, effects = _copy(self.customers[token]), []
        self._view.next_index = 0
        try:
            while due := _due(customer, now_ms):
                for timer in due:
                    if timer in customer.timers:
                        effects.extend(fire(token, customer, timer, self._view))
                        settle(customer, self._view.hazard)
        except Exception:
            # All that was due of this customer is left out, and nothing else.
            self.dead_letters[self._view.offset] += 1
            customer = self.customers[token]
            customer.timers = [one for one in customer.timers if one.due_ms > now_ms]
            return
        self.customers[token] = customer
        self._put(effects)

    def _put(self, effects: list[Any]) -> None:
        for effect in effects:
            if isinstance(effect, ForLog):
                self.for_log[encode_event(effect.event)] += 1  # type: ignore[arg-type]
            elif isinstance(effect, Taught):
                self.outputs[topics.LESSONS].append(encode(effect))
            elif isinstance(effect, CouponWord):
                self.outputs[topics.COUPONS].append(coupon_words.encode(effect))
            elif isinstance(effect, Action):
                self.outputs[topics.ACTIONS].append(encode(effect))
            else:
                self.outputs[topics.FACTS].append(encode(effect))


def _due(customer: Customer, now_ms: int) -> list[Timer]:
    due = [timer for timer in customer.timers if timer.due_ms <= now_ms]
    return sorted(due, key=lambda timer: (timer.due_ms, timer.rule, timer.item))


def _copy(customer: Customer) -> Customer:
    return decode_row(encode_row(customer))
