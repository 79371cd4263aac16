"""Events, customers and folds for tests, with everything that does not matter filled in."""

from dataclasses import dataclass
from datetime import date
from functools import cache
from itertools import count
from typing import Any

import msgspec

from models.clock import DAY_MS, HOUR_MS
from models.customer import Customer, decode_row, encode_row
from models.effects import Action, Alert, Decided, EventFolded, HazardLesson, Merged, TierChanged
from models.events import (
    CustomerEvent,
    CustomerIdentified,
    Event,
    Line,
    OrderCancelled,
    OrderCompleted,
    OrderRefunded,
    ProductViewed,
    Released,
    encode,
)
from models.hazard import FEATURES, HORIZONS_DAYS, HazardSnapshot, Head, settle
from models.local_time import day_on, moment_of, zone_of
from models.playbook.edition import Edition, opened
from models.playbook.rulebook import Rulebook
from models.step import Effect, ForLog, fire, step
from models.tokens import token_of
from models.view import View
from streams import topics
from streams.customer_fold import CustomerFold
from streams.fold import Interval, Output, Outputs

# A Wednesday, 00:00 UTC.
START_MS = 19_000 * DAY_MS
HOUSE_RULES = """
playbook: 1
shop: {name: Shop, time_zone: UTC, currency: EUR, locale: en}
channels: {email: {enabled: true}}
holdout: {share: 0%}
triggers:
  thank_you:
    when: {event: order_completed, if: customer.orders == 1, wait: 10m, unless: order_cancelled,
           same_item: true}
    then: [{message: hello, channels: email, expires: 2d}]
    guard: {once: customer}
  browse_reminder:
    when: {event: product_viewed, wait: 24h, unless: order_completed, waiting_at_most: 3}
    then: [{message: hello, channels: email, expires: 2d}]
    guard: {once: occasion}
messages:
  hello:
    consent: marketing
    words: {en: {subject: Hello, paragraphs: [Text], signature: Us, unsubscribe: Stop}}
"""
HOUSE_EDITION = Edition(version=1, main="main", files={"main": HOUSE_RULES})
_numbers = count()


def named(name: str) -> str:
    """Token of a customer whom the tests call by a short name."""
    return token_of(b"k" * 32, "customer", name)


ANNA = named("anna")


def on(zone: str, day: str, hour: int = 0, minute: int = 0) -> int:
    """When the wall in that zone shows that day and time."""
    return moment_of(zone_of(zone), day_on(date.fromisoformat(day)), hour * 60 + minute)


def make(kind: type[Event], /, **fields: Any) -> Any:
    """Any event of Anna's; `id` is new and both times are START_MS unless given."""
    at_ms = fields.pop("at_ms", START_MS)
    filled = {
        "id": f"event-{next(_numbers)}",
        "customer": ANNA,
        "occurred_at_ms": at_ms,
        "received_at_ms": at_ms,
    }
    return kind(**(filled | fields))


def order(order_id: str = "o1", cents: int = 2_000, at_ms: int = START_MS, **more: Any) -> Any:
    return make(
        OrderCompleted,
        **{"order_id": order_id, "total_cents": cents, "currency": "EUR", "at_ms": at_ms} | more,
    )


def cancelled(order_id: str = "o1", at_ms: int = START_MS, **more: Any) -> Any:
    return make(OrderCancelled, order_id=order_id, at_ms=at_ms, **more)


def refunded(
    order_id: str = "o1", cents: int | None = None, at_ms: int = START_MS, **more: Any
) -> Any:
    return make(OrderRefunded, order_id=order_id, amount_cents=cents, at_ms=at_ms, **more)


def viewed(product_id: str = "p1", at_ms: int = START_MS, **more: Any) -> Any:
    return make(ProductViewed, line=Line(product_id, **more.pop("line", {})), at_ms=at_ms, **more)


def identified(at_ms: int = START_MS, **more: Any) -> Any:
    return make(CustomerIdentified, at_ms=at_ms, **more)


def released(target: str, at_ms: int = START_MS, **more: Any) -> Any:
    return make(Released, target=target, at_ms=at_ms, **more)


@cache
def house_rules() -> Rulebook:
    """Thanks after the first order, a reminder of what was looked at: edition 1 of most tests."""
    return opened(HOUSE_EDITION)


def view_at(now_ms: int = START_MS, **fields: Any) -> View:
    return View(
        **(
            {
                "incarnation": 1,
                "partition": 0,
                "partitions": 1,
                "now_ms": now_ms,
                "coupon_key": bytes(32),
                "rulebook": house_rules(),
                "playbook_version": 1,
            }
            | fields
        )
    )


def step_all(customer: Customer, *events: CustomerEvent, view: View | None = None) -> list[Effect]:
    """Fold events one after another into one row."""
    view = view or view_at()
    effects: list[Effect] = []
    for event in events:
        view.next_index = 0
        view.offset += 1
        effects.extend(step(customer, event, encode(event), view))
    settle(customer, view.hazard)
    return effects


def fire_due(customer: Customer, now_ms: int, view: View | None = None) -> list[Effect]:
    """Fire what is due at `now_ms`, in its order, as a mark would."""
    view = view or view_at()
    view.now_ms = now_ms
    effects: list[Effect] = []
    while due := sorted(
        (one for one in customer.timers if one.due_ms <= now_ms),
        key=lambda one: (one.due_ms, one.rule, one.item),
    ):
        effects.extend(fire(ANNA, customer, due[0], view))
    settle(customer, view.hazard)
    return effects


def copy_of(customer: Customer) -> Customer:
    return decode_row(encode_row(customer))


def actions_in(effects: list[Effect]) -> list[Action]:
    return [one for one in effects if type(one) is Action]


def decisions_in(effects: list[Effect]) -> list[Decided]:
    return [one for one in effects if type(one) is Decided]


def lessons_in(effects: list[Effect]) -> list[HazardLesson]:
    return [one for one in effects if type(one) is HazardLesson]


def tiers_in(effects: list[Effect]) -> list[str]:
    return [one.to_tier for one in effects if type(one) is TierChanged]


def folded_in(effects: list[Effect]) -> list[EventFolded]:
    return [one for one in effects if type(one) is EventFolded]


def merges_in(effects: list[Effect]) -> list[Merged]:
    return [one for one in effects if type(one) is Merged]


def for_log_in(effects: list[Effect]) -> list[Any]:
    return [one.event for one in effects if type(one) is ForLog]


def snapshot(version: int = 1, lessons: int = 1_000, **fields: Any) -> HazardSnapshot:
    """A snapshot that may be adopted; it foretells one half unless weights are given."""
    weights = fields.pop("weights", (0.0,) * len(FEATURES))
    intercept = fields.pop("intercept", 0.0)
    heads = tuple(
        Head(horizon_days=days, lessons=lessons, weights=weights, intercept=intercept)
        for days in HORIZONS_DAYS
    )
    return HazardSnapshot(version=version, lessons=lessons, **({"heads": heads} | fields))


@dataclass(frozen=True)
class Record:
    """A record as the broker hands it over."""

    offset: int
    value: bytes | None
    key: bytes | None = None
    timestamp: int = 0
    partition: int = 0


def records_of(events: list[Any], first_offset: int = 0) -> list[Record]:
    return [Record(first_offset + at, encode(event)) for at, event in enumerate(events)]


def customer_fold(
    partition: int = 0,
    partitions: int = 1,
    snapshots: dict[int, HazardSnapshot] | None = None,
    rulebook: Rulebook | None = None,
    *,
    begins_with_rules: bool = True,
) -> CustomerFold:
    """A fold whose snapshots are at hand and whose sealing is legible; `rulebook` is edition 1.

    Without one it has adopted the house rules before the log begins, if it begins with any.
    """

    async def load(model: str, version: int) -> Any:
        if model == "playbook":
            return (rulebook or house_rules()) if version == 1 else None
        return (snapshots or {}).get(version) if model == "hazard" else None

    fold = CustomerFold(
        partition=partition,
        partitions=partitions,
        incarnation=1,
        topic_of=lambda name: name,
        load_snapshot=load,
        seal_raw=lambda raw: f"sealed:{len(raw)}",
        coupon_key=bytes(32),
    )
    if rulebook is None and begins_with_rules:
        begin_with_house_rules(fold)
    return fold


def begin_with_house_rules(fold: CustomerFold) -> None:
    """Have the partition's log begin behind the adoption of edition 1."""
    fold.clock.versions["playbook"] = 1
    fold._snapshots["playbook", 1] = house_rules()
    fold._keep_clock()


def fold_through(fold: CustomerFold, record: Record, left_out: frozenset[bytes]) -> None:
    for _ in fold.fold(record, left_out):
        pass


def rows_of(interval: Interval) -> dict[bytes, bytes | None]:
    return dict(interval.rows)


def listed(outputs: Outputs) -> list[Output]:
    """Records for other topics one by one, those of a place together."""
    return [
        Output(topic, key, value, partition)
        for (topic, partition), pairs in outputs.items()
        for key, value in pairs
    ]


def alerts_in(interval: Interval) -> list[Alert]:
    """Alerts that an interval sends."""
    return [
        msgspec.json.decode(one.value, type=Alert)
        for one in listed(interval.outputs)
        if one.topic == topics.ALERTS
    ]


DAY = DAY_MS
HOUR = HOUR_MS
