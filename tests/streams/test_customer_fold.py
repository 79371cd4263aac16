"""The fold of one partition: rows, timers, time, adoptions, and what is left out."""

import asyncio
from typing import Any

import msgspec
import pytest

from models import coupon_words
from models.coupon_words import order_key, partition_of_coupon
from models.customer import Customer, Timer, decode_row, encode_row
from models.effects import Action, DayEnded, DeadLetter, Fact, HourEnded, Lesson
from models.events import Absorbed, Adopted, ClockMark, Tracked, decode
from models.hazard import HazardSnapshot
from models.partition_clock import PartitionClock
from models.tokens import PARTITION_KEY, partition_of
from models.triggers import engine
from streams import customer_fold as folds
from streams import topics
from streams.customer_fold import CustomerFold
from streams.fold import Interval, PoisonError
from tests.builders import (
    ANNA,
    DAY,
    HOUR,
    START_MS,
    Record,
    alerts_in,
    customer_fold,
    fold_through,
    identified,
    listed,
    make,
    named,
    order,
    records_of,
    refunded,
    released,
    rows_of,
    snapshot,
    viewed,
)

KEY = ANNA.encode()
NOBODY: frozenset[bytes] = frozenset()


def mark(at_ms: int) -> ClockMark:
    return ClockMark(at_ms=at_ms)


def folded(fold: CustomerFold, *events: Any, offset: int = 0) -> Interval:
    """Fold events one after another, as one transaction."""
    records = records_of(list(events), offset)
    asyncio.run(fold.prepare(records))
    for record in records:
        fold_through(fold, record, NOBODY)
    return fold.seal()


def values(interval: Interval, topic: str) -> list[bytes]:
    return [one.value for one in listed(interval.outputs) if one.topic == topic]


def kinds(interval: Interval) -> list[str]:
    return [msgspec.json.decode(one)["kind"] for one in values(interval, topics.FACTS)]


def again_from(*intervals: Interval, **options: Any) -> CustomerFold:
    """A new owner of the partition, with what the changelog says."""
    fold = customer_fold(**options)
    for interval in intervals:
        for key, row in interval.rows:
            fold.restore(key, row)
    fold.restored()
    return fold


def test_an_event_becomes_a_row_and_a_fact_under_the_customers_key() -> None:
    interval = folded(customer_fold(), order("o1"))
    rows = rows_of(interval)
    assert set(rows) == {KEY, PARTITION_KEY}
    assert decode_row(rows[KEY] or b"").orders == 1
    assert kinds(interval) == ["event", "tier_changed"]
    lesson, *facts = sorted(listed(interval.outputs), key=lambda one: one.key or b"")
    assert (lesson.topic, lesson.key, lesson.partition) == (topics.LESSONS, None, 0)
    assert {(one.key, one.partition) for one in facts} == {(KEY, None)}


def test_a_row_goes_to_the_changelog_once_an_interval_and_only_when_touched() -> None:
    fold = customer_fold()
    interval = folded(fold, viewed(), viewed(), viewed(customer=named("bert")))
    assert sorted(key for key, _ in interval.rows) == sorted(
        [KEY, named("bert").encode(), PARTITION_KEY]
    )
    assert set(rows_of(folded(fold, mark(START_MS)))) == {PARTITION_KEY}


def test_a_mark_fires_what_is_due_by_due_time_and_customer() -> None:
    fold = customer_fold()
    names = sorted((named("a"), named("b"), named("c")))
    looks = [viewed("p", START_MS + HOUR, customer=names[0])]
    looks += [viewed("p", START_MS, customer=name) for name in (names[2], names[1])]
    folded(fold, mark(START_MS), *looks)
    interval = folded(fold, mark(START_MS + DAY + HOUR))
    actions = [msgspec.json.decode(one, type=Action) for one in values(interval, topics.ACTIONS)]
    assert [one.customer for one in actions] == [names[1], names[2], names[0]]
    assert {one.decided_at_ms for one in actions} == {START_MS + DAY + HOUR}


def test_actions_are_urgent_until_they_are_sealed_or_undone() -> None:
    fold = customer_fold()
    events = mark(START_MS), viewed("p", START_MS), mark(START_MS + DAY + HOUR)
    seen = []
    for record in records_of(list(events), 0):
        fold_through(fold, record, NOBODY)
        seen.append(fold.is_urgent())
    assert seen == [False, False, True]
    fold.rollback()
    assert not fold.is_urgent()
    folded(fold, *events)
    assert not fold.is_urgent()


def test_a_mark_that_is_no_news_fires_nothing() -> None:
    fold = customer_fold()
    folded(fold, mark(START_MS + 2 * DAY), viewed("p", START_MS))
    interval = folded(fold, mark(START_MS + 2 * DAY), mark(START_MS))
    assert interval.outputs == {}
    assert len(values(folded(fold, mark(START_MS + 2 * DAY + 1)), topics.FACTS)) == 1


def test_a_mark_ends_hours_and_days() -> None:
    fold = customer_fold(partition=1, partitions=2)
    folded(fold, mark(START_MS), order("o1", 700), order("o1", 700), order("o2", 300))
    interval = folded(fold, mark(START_MS + DAY))
    hours = [msgspec.json.decode(v, type=HourEnded) for v in values(interval, topics.METRICS)]
    assert [(one.orders, one.revenue_cents) for one in hours] == [(2, 1_000)] + [(0, 0)] * 23
    ended = values(interval, topics.LESSONS)
    assert [msgspec.json.decode(one, type=Lesson) for one in ended] == [
        DayEnded(partition=1, partitions=2, day=START_MS // DAY)
    ]
    assert {one.partition for one in listed(interval.outputs) if one.topic == topics.METRICS} == {0}


def test_what_is_passed_on_goes_to_its_own_partition() -> None:
    fold = customer_fold(partitions=4)
    target = named("bert")
    interval = folded(fold, viewed(), released(target), viewed())
    passed = [one for one in listed(interval.outputs) if one.topic == topics.EVENTS]
    assert [type(decode(one.value)).__name__ for one in passed] == ["Absorbed", "ProductViewed"]
    assert {(one.key, one.partition) for one in passed} == {
        (target.encode(), partition_of(target, 4))
    }


def test_orders_passed_on_count_where_they_end() -> None:
    old, new = customer_fold(), customer_fold()
    interval = folded(old, released(named("bert")), order("o1", 700))
    passed = [decode(one) for one in values(interval, topics.EVENTS)]
    folded(new, *passed)
    assert (old.clock.running.orders, new.clock.running.orders) == (0, 1)


def test_a_new_owner_goes_on_where_the_old_one_stopped() -> None:
    straight = customer_fold()
    events = [mark(START_MS), viewed("p"), order("o1", at_ms=START_MS + 1), mark(START_MS + HOUR)]
    first = folded(straight, *events[:3])
    second = again_from(first)
    assert second.clock == straight.clock
    assert second.customers() == 1
    a, b = folded(straight, events[3], offset=3), folded(second, events[3], offset=3)
    assert a.outputs == b.outputs
    assert rows_of(a) == rows_of(b)
    assert len(values(b, topics.ACTIONS)) == 1


def test_the_newest_row_of_a_key_wins_and_a_tombstone_forgets() -> None:
    fold = customer_fold()
    for row in (encode_row(Customer(orders=1)), encode_row(Customer(orders=2))):
        fold.restore(KEY, row)
    fold.restored()
    folded(fold, viewed())
    assert decode_row(rows_of(folded(fold, viewed()))[KEY] or b"").orders == 2
    gone = customer_fold()
    gone.restore(KEY, encode_row(Customer(orders=2)))
    gone.restore(KEY, None)
    gone.restore(named("unknown").encode(), None)
    gone.restored()
    assert gone.customers() == 0


def test_a_row_of_a_newer_release_stops_the_start() -> None:
    fold = customer_fold()
    fold.restore(KEY, encode_row(Customer(version=999)))
    with pytest.raises(Exception, match="start the newer release"):
        fold.restored()


def test_a_live_mark_leaves_what_is_too_much_to_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folds, "CUSTOMERS_PER_LIVE_MARK", 2)
    fold = customer_fold()
    looks = [viewed("p1", customer=named(str(number))) for number in range(5)]
    folded(fold, mark(START_MS), *looks)
    later_ms = START_MS + DAY
    fired = []
    for number in range(4):
        live = ClockMark(at_ms=later_ms + number, wall_offset_ms=0)
        fired.append(len(folded(fold, live, offset=10 + number).rows) - 1)
        assert (fold.due_ms() == later_ms) is (number < 2)
    assert fired == [2, 2, 1, 0]


def test_many_due_customers_are_folded_in_slices_between_transactions() -> None:
    fold = customer_fold()
    names = [named(str(number)) for number in range(2 * folds.CUSTOMERS_PER_SLICE + 1)]
    for name in names:
        fold.restore(name.encode(), encode_row(Customer(timers=[Timer("sleep", "", START_MS)])))
    fold.restored()
    slices = []
    record = records_of([mark(START_MS)])[0]
    for _ in fold.fold(record, NOBODY):
        interval = fold.seal()
        slices.append(len(interval.rows) - 1)
        clock = msgspec.msgpack.decode(rows_of(interval)[PARTITION_KEY] or b"", type=PartitionClock)
        assert clock.now_ms == 0
    slices.append(len(fold.seal().rows) - 1)
    assert slices == [folds.CUSTOMERS_PER_SLICE, folds.CUSTOMERS_PER_SLICE, 1]
    assert fold.clock.now_ms == START_MS


def test_a_row_that_only_a_mark_touches_is_packed_before_the_seal() -> None:
    row = Customer(timers=[Timer("sleep", "", START_MS)], events=1)
    alone = customer_fold()
    alone.restore(KEY, encode_row(row))
    alone.restored()
    for _ in alone.fold(records_of([mark(START_MS)])[0], NOBODY):
        pass
    fired = alone.customer(KEY)
    assert fired is not None
    assert fired.timers == []
    assert alone.customers() == 1
    assert alone.known() == [KEY]
    alone.rollback()
    back = alone.customer(KEY)
    assert back is not None
    assert back.timers == row.timers
    assert alone.due_ms() == START_MS
    written = rows_of(folded(alone, mark(START_MS)))[KEY]
    assert decode_row(written or b"").timers == []


def test_a_row_packed_at_a_mark_is_folded_on_by_events_of_the_same_interval() -> None:
    events = [mark(START_MS), order("o1", at_ms=START_MS), viewed("p", at_ms=START_MS)]
    later = [mark(START_MS + 40 * DAY), order("o2", at_ms=START_MS + 40 * DAY)]
    one_by_one, at_once = customer_fold(), customer_fold()
    for fold in (one_by_one, at_once):
        folded(fold, *events)
    recovered = again_from(folded(at_once, *events))
    for number, event in enumerate(later):
        interval = folded(one_by_one, event, offset=10 + number)
    assert rows_of(folded(recovered, *later, offset=10))[KEY] == rows_of(interval)[KEY]


def test_a_mark_cut_short_is_folded_to_its_end_by_the_next_owner(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(folds, "CUSTOMERS_PER_SLICE", 1)
    events = [viewed("p", customer=named(str(number))) for number in range(5)]
    fold = customer_fold()
    intervals = [folded(fold, mark(START_MS), *events)]
    record = records_of([mark(START_MS + DAY)], 9)[0]
    steps_done = fold.fold(record, NOBODY)
    for _ in range(2):
        next(steps_done)
    intervals.append(fold.seal())
    second = again_from(*intervals)
    intervals.append(folded(second, mark(START_MS + DAY), offset=9))
    actions = [v for one in intervals for v in values(one, topics.ACTIONS)]
    assert len(actions) == 5
    assert len(set(actions)) == 5


def test_a_timer_moved_or_gone_does_not_fire_from_the_index() -> None:
    fold = customer_fold()
    folded(fold, mark(START_MS), viewed("p"), order("o1", at_ms=START_MS + HOUR))
    interval = folded(fold, mark(START_MS + DAY))
    decided = [one for one in kinds(interval) if one == "decided"]
    assert len(decided) == 1
    assert [msgspec.json.decode(v, type=Action).rule for v in values(interval, topics.ACTIONS)] == [
        "thank_you"
    ]


def test_rows_stay_packed_beyond_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folds, "DECODED_AT_MOST", 3)
    fold = customer_fold()
    names = [named(str(number)) for number in range(5)]
    folded(fold, *(viewed(customer=name) for name in names))
    assert fold.customers() == 5
    interval = folded(fold, *(viewed(customer=name) for name in names))
    assert {decode_row(row or b"").views for key, row in interval.rows if key != PARTITION_KEY} == {
        2
    }


def hazard_version_in(interval: Interval) -> int:
    return decode_row(rows_of(interval)[KEY] or b"").hazard_version


def test_a_snapshot_counts_from_its_adoption_on() -> None:
    fold = customer_fold(snapshots={4: snapshot(version=4)})
    assert hazard_version_in(folded(fold, order("o1"))) == 0
    interval = folded(fold, viewed(), Adopted("hazard", 4, "x"), viewed())
    assert hazard_version_in(interval) == 4
    later = again_from(interval, snapshots={4: snapshot(version=4)})
    assert hazard_version_in(folded(later, viewed())) == 4


def test_a_refused_snapshot_is_not_adopted() -> None:
    fold = customer_fold(snapshots={4: snapshot(version=4)})
    interval = folded(
        fold, Adopted("hazard", 4, "x"), Adopted("hazard", 5, "x"), order("o1"), viewed()
    )
    assert hazard_version_in(interval) == 4


def test_a_refused_snapshot_is_an_alert_until_a_later_one_is_adopted() -> None:
    fold = customer_fold(snapshots={4: snapshot(version=4), 6: snapshot(version=6)})
    interval = folded(fold, Adopted("hazard", 4, "x"), Adopted("hazard", 5, "x"))
    (firing,) = alerts_in(interval)
    assert (firing.status, firing.labels) == ("firing", {"model": "hazard", "version": "5"})
    assert "version 5 of model hazard is not used: 4 goes on to be used" in firing.summary
    later = again_from(interval, snapshots={6: snapshot(version=6)})
    (over,) = alerts_in(folded(later, Adopted("hazard", 6, "x")))
    assert (over.status, over.fingerprint) == ("resolved", firing.fingerprint)
    assert alerts_in(folded(later, Adopted("hazard", 6, "x"))) == []


def test_one_partition_speaks_of_a_refused_snapshot_for_all() -> None:
    fold = customer_fold(partition=1)
    assert alerts_in(folded(fold, Adopted("hazard", 5, "x"))) == []


def test_a_snapshot_that_is_refused_after_its_adoption_leaves_the_closed_form() -> None:
    fold = customer_fold(snapshots={4: snapshot(version=4)})
    interval = folded(fold, Adopted("hazard", 4, "x"), order("o1"))
    later = again_from(interval, snapshots={})
    assert hazard_version_in(folded(later, viewed())) == 0


def test_only_the_versions_in_use_stay_in_memory() -> None:
    asked: list[int] = []

    async def load(model: str, version: int) -> HazardSnapshot:
        asked.append(version)
        return snapshot(version=version)

    fold = customer_fold()
    fold._load_snapshot = load
    for version in range(1, 20):
        folded(fold, Adopted("hazard", version, "x"), order(f"o{version}"))
    assert asked == list(range(1, 20))
    assert len(fold._snapshots) <= 9
    assert hazard_version_in(folded(fold, viewed())) == 19


def test_a_customers_event_that_looks_like_an_adoption_is_just_an_event() -> None:
    event = make(Tracked, name="Pet", extra={"pet": {"type": "adopted", "version": 9}})
    interval = folded(customer_fold(), event)
    assert kinds(interval) == ["event", "tier_changed"]


def test_bytes_that_look_like_an_adoption_are_left_out_like_others() -> None:
    fold = customer_fold()
    record = Record(0, b'{"type":"adopted"')
    asyncio.run(fold.prepare([record, Record(1, None)]))
    with pytest.raises(PoisonError, match="undecodable"):
        fold_through(fold, record, NOBODY)


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        b"\xff\xfe",
        b'{"type":"tracked","id":"\xff"}',
        b'{"type":"no_such_type"}',
        b'{"type":"order_completed","id":"a"}',
        b'{"type":"tracked","id":"a","customer":"c","occurred_at_ms":1,"received_at_ms":1,'
        b'"name":"x","extra":{"a":' + b"[" * 5_000 + b"]" * 5_000 + b"}}",
        b'{"type":"order_completed","id":"a","customer":"c","occurred_at_ms":1,'
        b'"received_at_ms":1,"order_id":"o","currency":"EUR","total_cents":1' + b"0" * 30 + b"}",
    ],
)
def test_an_unreadable_record_is_left_out_with_a_dead_letter(value: bytes | None) -> None:
    fold = customer_fold()
    folded(fold, mark(START_MS))
    record = Record(7, value, key=b"k", partition=0)
    with pytest.raises(PoisonError) as raised:
        fold_through(fold, record, NOBODY)
    assert raised.value.key == b""
    output = fold.dead_letter(record, raised.value)
    letter = msgspec.json.decode(output.value, type=DeadLetter)
    assert (output.topic, output.key) == (topics.DEAD_LETTERS, b"k")
    assert letter.reason.startswith("undecodable: ")
    assert (letter.source, letter.partition, letter.offset) == ("worker", 0, 7)
    assert (letter.at_ms, letter.sealed_raw) == (START_MS, f"sealed:{len(value or b'')}")
    fold.rollback()
    fold_through(fold, record, frozenset([b""]))
    assert fold.seal().outputs == {}


def raise_for(monkeypatch: pytest.MonkeyPatch, *ids: str) -> None:
    """Have the rules break at certain events, after they have done half of their work."""
    on_event = engine.on_event

    def breaking(token: str, customer: Customer, event: Any, *rest: Any) -> list[Any]:
        if event.id in ids:
            customer.views += 1_000
            raise ZeroDivisionError("half way")
        return on_event(token, customer, event, *rest)

    monkeypatch.setattr(engine, "on_event", breaking)


@pytest.mark.parametrize("touched_before", [True, False])
def test_what_a_raising_rule_did_by_halves_is_undone(
    monkeypatch: pytest.MonkeyPatch, touched_before: bool
) -> None:
    raise_for(monkeypatch, "bad")
    fold = customer_fold()
    folded(fold, mark(START_MS), viewed("p1"))
    if touched_before:
        fold_through(fold, records_of([viewed("p2")], 5)[0], NOBODY)
    record = records_of([viewed("p3", id="bad")], 6)[0]
    with pytest.raises(PoisonError) as raised:
        fold_through(fold, record, NOBODY)
    assert (raised.value.key, raised.value.reason) == (KEY, "ZeroDivisionError: half way")
    fold.rollback()
    fold_through(fold, record, frozenset([KEY]))
    row = decode_row(rows_of(folded(fold, viewed("p4")))[KEY] or b"")
    assert (row.views, row.events) == (2, 2)
    assert sorted(run.item for run in row.playbook.runs) == ["p1", "p4"]


def test_a_customer_first_met_in_a_poison_record_is_not_there_after_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    raise_for(monkeypatch, "bad")
    fold = customer_fold()
    with pytest.raises(PoisonError):
        fold_through(fold, records_of([viewed(id="bad")])[0], NOBODY)
    fold.rollback()
    assert fold.customers() == 0
    assert set(rows_of(fold.seal())) == {PARTITION_KEY}


def test_a_target_that_is_no_token_is_poison_not_the_end() -> None:
    fold = customer_fold()
    folded(fold, viewed())
    record = records_of([released("not a token!")], 5)[0]
    with pytest.raises(PoisonError) as raised:
        fold_through(fold, record, NOBODY)
    fold.rollback()
    fold_through(fold, record, frozenset([raised.value.key]))
    assert decode_row(rows_of(folded(fold, viewed()))[KEY] or b"").views == 2


def test_a_broken_history_is_left_out_of_a_merge() -> None:
    fold = customer_fold()
    folded(fold, viewed())
    record = records_of([make(Absorbed, origin=named("old"), row=b"\xc1")], 5)[0]
    with pytest.raises(PoisonError) as raised:
        fold_through(fold, record, NOBODY)
    assert raised.value.key == KEY


def test_a_poison_timer_leaves_out_its_customer_only(monkeypatch: pytest.MonkeyPatch) -> None:
    bert, on_timers = named("bert"), engine.on_timers

    def breaking(token: str, customer: Customer, was: Any, view: Any) -> list[Any]:
        if token == ANNA:
            customer.views += 1_000
            raise RuntimeError("no")
        return on_timers(token, customer, was, view)

    fold = customer_fold()
    folded(fold, mark(START_MS), viewed("p"), viewed("p", customer=bert), identified())
    monkeypatch.setattr(engine, "on_timers", breaking)
    record = records_of([mark(START_MS + DAY)], 9)[0]
    with pytest.raises(PoisonError) as raised:
        fold_through(fold, record, NOBODY)
    assert (raised.value.key, raised.value.reason) == (KEY, "timer run: RuntimeError: no")
    fold.rollback()
    fold_through(fold, record, frozenset([KEY]))
    interval = fold.seal()
    actions = [msgspec.json.decode(v, type=Action) for v in values(interval, topics.ACTIONS)]
    assert [one.customer for one in actions] == [bert]
    row = decode_row(rows_of(interval)[KEY] or b"")
    assert (row.views, row.timers) == (1, [])
    assert fold.clock.now_ms == START_MS + DAY


def test_a_rollback_finds_the_timers_again() -> None:
    fold = customer_fold()
    folded(fold, mark(START_MS), viewed("p"))
    fold_through(fold, records_of([mark(START_MS + DAY)], 5)[0], NOBODY)
    fold_through(fold, records_of([viewed("q", START_MS + DAY)], 6)[0], NOBODY)
    fold.rollback()
    assert fold.clock.now_ms == START_MS
    interval = folded(fold, mark(START_MS + 2 * DAY))
    actions = [msgspec.json.decode(v, type=Action) for v in values(interval, topics.ACTIONS)]
    assert [one.occasion for one in actions] == [f"p@{START_MS}"]


def test_facts_say_where_they_come_from() -> None:
    fold = customer_fold(partition=3, partitions=4)
    record = Record(42, records_of([order("o1")])[0].value, timestamp=777, partition=3)
    fold_through(fold, record, NOBODY)
    facts = [msgspec.json.decode(v, type=Fact) for v in values(fold.seal(), topics.FACTS)]
    assert [(f.incarnation, f.partition, f.offset, f.index) for f in facts] == [
        (1, 3, 42, 0),
        (1, 3, 42, 1),
    ]
    assert facts[0].logged_at_ms == 777


def test_what_orders_say_to_coupons_goes_to_the_codes_partition() -> None:
    fold = customer_fold(partitions=4)
    interval = folded(fold, order("o1", coupon="spring"), refunded("o1"))
    told = [one for one in listed(interval.outputs) if one.topic == topics.COUPONS]
    words = {one.key: coupon_words.decode(one.value) for one in told}
    assert set(words) == {b"SPRING", order_key("o1").encode()}
    assert {one.key: one.partition for one in told} == {
        key: partition_of_coupon((key or b"").decode(), 4) for key in words
    }
