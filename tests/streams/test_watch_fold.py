"""The fold of hours: an hour is judged when every partition has ended it."""

import msgspec
import pytest

from models.clock import HOUR_MS
from models.count_alarm import SILENT_HOURS
from models.effects import Alert, DeadLetter, HourEnded, encode
from models.hour_rates import WEEK_HOURS
from streams import topics
from streams.fold import PoisonError
from streams.watch_fold import WatchFold
from tests.builders import START_MS, Record, listed

NOTHING: frozenset[bytes] = frozenset()
USUAL = 20
LEARNED = SILENT_HOURS + 3 * WEEK_HOURS


def watch_fold() -> WatchFold:
    return WatchFold(topic_of=lambda name: name)


def ended(
    hour: int,
    orders: int,
    partition: int = 0,
    partitions: int = 1,
    others: dict[str, int] | None = None,
    slices: dict[str, int] | None = None,
) -> Record:
    record = HourEnded(
        partition=partition,
        partitions=partitions,
        hour_ms=START_MS + hour * HOUR_MS,
        orders=orders,
        revenue_cents=orders * 100,
        others=others or {},
        slices=slices or {},
    )
    return Record(hour * partitions + partition, encode(record))


def fold_all(fold: WatchFold, records: list[Record]) -> None:
    for record in records:
        assert list(fold.fold(record, NOTHING)) == []


def alerts_of(fold: WatchFold) -> list[Alert]:
    outputs = listed(fold.seal().outputs)
    assert {(one.topic, one.partition) for one in outputs} <= {(topics.ALERTS, 0)}
    alerts = [msgspec.json.decode(one.value, type=Alert) for one in outputs]
    assert [one.key for one in outputs] == [one.fingerprint.encode() for one in alerts]
    return alerts


def shop_that_fell(hours: int = 6) -> list[Record]:
    usual = [ended(hour, USUAL) for hour in range(LEARNED)]
    fallen = [ended(LEARNED + hour, 0) for hour in range(hours)]
    back = [ended(LEARNED + hours + hour, USUAL) for hour in range(12)]
    return [*usual, *fallen, *back]


def test_a_fall_is_one_alert_from_its_firing_to_its_end() -> None:
    fold = watch_fold()
    fold_all(fold, shop_that_fell())
    fired, resolved = alerts_of(fold)
    began_ms = START_MS + LEARNED * HOUR_MS
    assert (fired.status, resolved.status) == ("firing", "resolved")
    assert fired.fingerprint == resolved.fingerprint == f"orders_per_hour:{began_ms}"
    assert (fired.name, fired.severity, resolved.severity) == (
        "orders_per_hour",
        "critical",
        "info",
    )
    assert fired.starts_at_ms == resolved.starts_at_ms == began_ms
    assert resolved.ends_at_ms > began_ms + 6 * HOUR_MS
    assert fired.summary == "0 orders in 1 h where 20 were expected (0%)"
    assert resolved.summary.startswith("orders are as usual again: ")
    assert fired.values["expected"] == pytest.approx(20.0, rel=0.01)
    assert fired.values["actual"] == 0.0


def test_a_milder_fall_is_a_warning() -> None:
    fold = watch_fold()
    usual = [ended(hour, USUAL) for hour in range(LEARNED)]
    fold_all(fold, [*usual, *(ended(LEARNED + hour, 9) for hour in range(48))])
    assert next(one.severity for one in alerts_of(fold)) == "warning"


def test_an_hour_waits_for_every_partition() -> None:
    one, two = watch_fold(), watch_fold()
    fold_all(one, [ended(hour, 10) for hour in range(50)])
    for hour in range(50):
        fold_all(two, [ended(hour, 4, 0, 2)])
        assert len(two._row.open_hours) == 1
        fold_all(two, [ended(hour, 6, 1, 2)])
    assert two._row.open_hours == {}
    assert two._row.alarms == one._row.alarms


def test_a_partition_far_ahead_changes_nothing() -> None:
    one, two = watch_fold(), watch_fold()
    fold_all(one, [ended(hour, 10) for hour in range(50)])
    fold_all(two, [ended(hour, 4, 0, 2) for hour in range(50)])
    fold_all(two, [ended(hour, 6, 1, 2) for hour in range(50)])
    assert two._row.alarms == one._row.alarms


def test_an_hour_told_twice_counts_once() -> None:
    one, two = watch_fold(), watch_fold()
    fold_all(one, [ended(0, 4, 0, 2), ended(0, 6, 1, 2)])
    fold_all(two, [ended(0, 4, 0, 2), ended(0, 4, 0, 2), ended(0, 6, 1, 2), ended(0, 6, 1, 2)])
    assert two._row == one._row


def test_an_hour_that_a_partition_jumped_over_is_no_evidence() -> None:
    fold = watch_fold()
    fold_all(fold, [ended(0, 4, 0, 2), ended(1, 4, 0, 2), ended(1, 4, 1, 2)])
    assert fold._row.open_hours == {}
    assert fold._row.alarms["orders"].hours == 1


@pytest.mark.parametrize("every", [1, 2, 50])
def test_a_crash_after_any_transaction_changes_no_alert(every: int) -> None:
    records = shop_that_fell()
    straight = watch_fold()
    fold_all(straight, records)
    fold, found = watch_fold(), []
    for at in range(0, len(records), every):
        fold_all(fold, records[at : at + every])
        found += alerts_of(fold)
        restarted = watch_fold()
        restarted.restore(b"orders", fold._sealed)
        restarted.restored()
        fold = restarted
    assert found == alerts_of(straight)


def test_a_rollback_returns_to_the_last_transaction() -> None:
    fold = watch_fold()
    fold_all(fold, [ended(0, 1)])
    fold.seal()
    before = msgspec.msgpack.encode(fold._row)
    fold_all(fold, [ended(1, 1)])
    fold.rollback()
    assert msgspec.msgpack.encode(fold._row) == before
    assert fold.seal().outputs == {}


def test_an_unreadable_hour_is_left_out_with_a_dead_letter() -> None:
    fold = watch_fold()
    record = Record(5, b'{"partition":0}', timestamp=99)
    with pytest.raises(PoisonError) as raised:
        list(fold.fold(record, NOTHING))
    output = fold.dead_letter(record, raised.value)
    letter = msgspec.json.decode(output.value, type=DeadLetter)
    assert (output.topic, letter.source, letter.offset, letter.at_ms) == (
        topics.DEAD_LETTERS,
        "watch",
        5,
        99,
    )
    assert list(fold.fold(record, frozenset([raised.value.key]))) == []


def test_an_alert_names_the_slices_that_drive_it() -> None:
    fold = watch_fold()
    both = {"category:shoes": 12, "category:hats": 8, "tier:new": 20}
    fold_all(fold, [ended(hour, USUAL, slices=both) for hour in range(LEARNED)])
    # Shoes stop selling: hats go on.
    fallen = {"category:hats": 8, "tier:new": 9}
    fold_all(fold, [ended(LEARNED + hour, 8, slices=fallen) for hour in range(8)])
    (fired,) = alerts_of(fold)
    assert (fired.labels["driver_1"], fired.labels["driver_2"]) == ("category:shoes", "tier:new")
    assert "category:hats" not in fired.labels.values()
    assert fired.values["category:shoes actual"] == 0.0
    assert fired.values["category:shoes expected"] == pytest.approx(
        12.0 * fired.values["expected"] / USUAL, rel=0.1
    )
    assert "most of it: category:shoes 0 of " in fired.summary


@pytest.mark.parametrize(
    ("metric", "usual", "then", "direction", "severity"),
    [
        ("complaints", 2, 12, "rise", "warning"),
        ("returns", 3, 15, "rise", "warning"),
        ("message_failures", 2, 20, "rise", "warning"),
        ("sign_ups", 6, 0, "fall", "critical"),
        ("sign_ups", 6, 30, "rise", "info"),
        ("repeat_orders", 15, 3, "fall", "critical"),
    ],
)
def test_every_count_has_its_own_alarm(
    metric: str, usual: int, then: int, direction: str, severity: str
) -> None:
    fold = watch_fold()
    fold_all(fold, [ended(hour, USUAL, others={metric: usual}) for hour in range(LEARNED)])
    fold_all(fold, [ended(LEARNED + at, USUAL, others={metric: then}) for at in range(24)])
    found = [one for one in alerts_of(fold) if one.status == "firing"]
    assert [(one.name, one.labels["direction"]) for one in found] == [
        (f"{metric}_per_hour", direction)
    ]
    assert found[0].severity in {severity, "warning"}


def test_the_last_releases_row_is_read_and_the_hours_are_learned_anew() -> None:
    fold = watch_fold()
    old = {"alarm": {"hour_ms": 5, "rates": [1.0]}, "open_hours": {}}
    fold.restore(b"orders", msgspec.msgpack.encode(old))
    fold.restored()
    fold_all(fold, [ended(0, 3)])
    assert fold._row.alarms["orders"].hours == 1


def test_a_strange_order_value_is_an_alert_of_its_own() -> None:
    fold = watch_fold()
    for hour in range(LEARNED + 30):
        cents = 9_000 if hour == LEARNED else 2_000 + hour % 7 * 20
        record = HourEnded(
            partition=0,
            partitions=1,
            hour_ms=START_MS + hour * HOUR_MS,
            orders=USUAL,
            revenue_cents=USUAL * cents,
        )
        fold_all(fold, [Record(hour, encode(record))])
    fired, resolved = [one for one in alerts_of(fold) if one.name == "order_value"]
    assert (fired.status, fired.severity, resolved.status) == ("firing", "info", "resolved")
    assert fired.summary.startswith("90.00 an order where 20.")
    assert resolved.ends_at_ms > fired.starts_at_ms + 23 * HOUR_MS
