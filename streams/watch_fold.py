"""The fold of topic `metrics`: an hour closes when every partition's clock has passed it.

Each count of a closed hour goes to its alarm; what an alarm says becomes an alert with the slices
that drive it.
"""

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from models import hour_counts, slice_watch, value_watch
from models.clock import HOUR_MS
from models.count_alarm import CountAlarm, Firing, Turn, judge
from models.effects import Alert, DeadLetter, HourEnded, encode
from models.slice_watch import Driver, Slice
from models.value_watch import Valued, ValueWatch
from streams import topics
from streams.fold import Interval, OneByOne, Output, PoisonError, placed

KEY = b"orders"
WATCHED = (
    hour_counts.ORDERS,
    hour_counts.REPEAT_ORDERS,
    hour_counts.SIGN_UPS,
    hour_counts.RETURNS,
    hour_counts.COMPLAINTS,
    hour_counts.MESSAGE_FAILURES,
)
# Of these more is the trouble, of the others less.
WORSE_WHEN_MORE = {hour_counts.RETURNS, hour_counts.COMPLAINTS, hour_counts.MESSAGE_FAILURES}
CRITICAL_BELOW = 0.3
ORDER_VALUE = "order_value"
# Its source has no other.
ONE_PARTITION = 0


class OpenHour(msgspec.Struct, array_like=True):
    """An hour that some partitions have not ended yet."""

    partitions: list[int] = []
    orders: int = 0
    revenue_cents: int = 0
    others: dict[str, int] = {}
    slices: dict[str, int] = {}


class WatchRow(msgspec.Struct, kw_only=True):
    """The watch between two transactions."""

    hour_ms: int = 0
    alarms: dict[str, CountAlarm] = {}
    slices: dict[str, Slice] = {}
    order_value: ValueWatch = msgspec.field(default_factory=ValueWatch)
    open_hours: dict[int, OpenHour] = {}


class WatchFold(OneByOne):
    """Implements streams.fold.Fold for the one partition of `metrics`."""

    def __init__(self, *, topic_of: Callable[[str], str]) -> None:
        self._topic_of = topic_of
        self._decoder = msgspec.json.Decoder(HourEnded)
        self._row = WatchRow()
        self._sealed = msgspec.msgpack.encode(self._row)
        self._outputs: list[Output] = []

    def restore(self, key: bytes, row: bytes | None) -> None:
        """Take the watch's row."""
        if row is not None:
            self._sealed = row

    def restored(self) -> None:
        """Stand where the last transaction ended."""
        self.rollback()

    async def prepare(self, records: list[Any]) -> None:
        """Nothing is needed from elsewhere."""

    def fold(self, record: Any, left_out: frozenset[bytes]) -> Iterator[None]:
        """Add a partition's hour; judge the hour when it was the last one missing."""
        if left_out:
            return iter(())
        try:
            ended = self._decoder.decode(record.value)
        except msgspec.DecodeError as error:
            raise PoisonError(KEY, f"undecodable: {error}") from None
        hours = self._row.open_hours
        if ended.hour_ms > self._row.hour_ms:
            hour = hours.setdefault(ended.hour_ms, OpenHour())
            _add(hour, ended)
            if len(hour.partitions) >= ended.partitions:
                # An earlier hour that is still open jumped over a partition: no evidence.
                for stale in [one for one in hours if one < ended.hour_ms]:
                    del hours[stale]
                del hours[ended.hour_ms]
                self._judge(ended.hour_ms, hour)
        return iter(())

    def _judge(self, hour_ms: int, hour: OpenHour) -> None:
        row = self._row
        row.hour_ms = hour_ms
        orders = row.alarms.setdefault(hour_counts.ORDERS, CountAlarm())
        slice_watch.take(row.slices, hour_ms, hour.slices, orders)
        for metric in WATCHED:
            alarm = row.alarms.setdefault(metric, CountAlarm())
            count = hour.orders if metric == hour_counts.ORDERS else hour.others.get(metric, 0)
            exposure = hour.orders if metric == hour_counts.REPEAT_ORDERS else None
            judged = judge(alarm, hour_ms, count, exposure=exposure)
            self._turned(metric, judged.fall, judged.falling, hour_ms)
            self._turned(metric, judged.rise, judged.rising, hour_ms)
        valued = value_watch.judge(row.order_value, hour_ms, hour.orders, hour.revenue_cents)
        if valued.turn is not Turn.NOTHING:
            self._say(value_alert_of(valued, hour_ms))

    def _turned(self, metric: str, turn: Turn, firing: Firing | None, hour_ms: int) -> None:
        if firing is None or turn is Turn.NOTHING:
            return
        drivers: list[Driver] = []
        if metric == hour_counts.ORDERS:
            drivers = slice_watch.drivers(self._row.slices, of_a_fall=firing.share < 1.0)
        self._say(alert_of(metric, turn, firing, hour_ms, drivers))

    def _say(self, alert: Alert) -> None:
        topic = self._topic_of(topics.ALERTS)
        self._outputs.append(Output(topic, alert.fingerprint.encode(), encode(alert), 0))

    def seal(self) -> Interval:
        """Write the watch down."""
        self._sealed = msgspec.msgpack.encode(self._row)
        outputs, self._outputs = self._outputs, []
        return Interval([(KEY, self._sealed)], placed(outputs))

    def rollback(self) -> None:
        """Stand where the last transaction ended."""
        self._row = msgspec.msgpack.decode(self._sealed, type=WatchRow)
        self._outputs = []

    def dead_letter(self, record: Any, poison: PoisonError) -> Output:
        """Write down what could not be read; a metric holds nothing personal."""
        letter = DeadLetter(
            source="watch",
            reason=poison.reason,
            at_ms=record.timestamp,
            sealed_raw="",
            partition=ONE_PARTITION,
            offset=record.offset,
        )
        return Output(self._topic_of(topics.DEAD_LETTERS), None, encode(letter), 0)


def _add(hour: OpenHour, ended: HourEnded) -> None:
    if ended.partition in hour.partitions:
        return
    hour.partitions.append(ended.partition)
    hour.orders += ended.orders
    hour.revenue_cents += ended.revenue_cents
    for counts, more in ((hour.others, ended.others), (hour.slices, ended.slices)):
        for name, count in more.items():
            counts[name] = counts.get(name, 0) + count


def alert_of(metric: str, turn: Turn, firing: Firing, hour_ms: int, drivers: list[Driver]) -> Alert:
    """Say since when, how big, how sure, and which slices drive it."""
    is_fall = firing.share < 1.0
    name = f"{metric}_per_hour"
    side = "" if is_fall else "rise:"
    share = firing.actual / max(firing.expected, 1e-9)
    is_over = turn is Turn.RESOLVED
    values = {
        "expected": firing.expected,
        "actual": firing.actual,
        "evidence": firing.evidence,
        "threshold": firing.threshold,
    }
    for driver in drivers:
        values[f"{driver.name} expected"] = driver.expected
        values[f"{driver.name} actual"] = driver.actual
    return Alert(
        fingerprint=f"{name}:{side}{firing.since_ms}",
        status="resolved" if is_over else "firing",
        name=name,
        severity="info" if is_over else _severity(metric, is_fall, share),
        starts_at_ms=firing.since_ms,
        ends_at_ms=hour_ms + HOUR_MS if is_over else 0,
        summary=_summary(metric, is_over, firing, share, hour_ms, drivers),
        labels={
            "metric": name,
            "direction": "fall" if is_fall else "rise",
            **{f"driver_{at}": one.name for at, one in enumerate(drivers, 1)},
        },
        values=values,
    )


def _severity(metric: str, is_fall: bool, share: float) -> str:
    if is_fall == (metric in WORSE_WHEN_MORE):
        return "info"
    if is_fall:
        return "critical" if share < CRITICAL_BELOW else "warning"
    return "warning"


def _summary(
    metric: str, is_over: bool, firing: Firing, share: float, hour_ms: int, drivers: list[Driver]
) -> str:
    what = metric.replace("_", " ")
    if is_over:
        return (
            f"{what} are as usual again: {firing.actual:.0f} came where {firing.expected:.0f} "
            "were expected meanwhile"
        )
    hours = (hour_ms - firing.since_ms) // HOUR_MS + 1
    text = (
        f"{firing.actual:.0f} {what} in {hours} h where {firing.expected:.0f} "
        f"were expected ({share:.0%})"
    )
    if drivers:
        parts = [f"{one.name} {one.actual:.0f} of {one.expected:.0f}" for one in drivers[:3]]
        text += f"; most of it: {', '.join(parts)}"
    return text


def value_alert_of(valued: Valued, hour_ms: int) -> Alert:
    """Say what an order is worth today and what it used to be."""
    is_over = valued.turn is Turn.RESOLVED
    direction = "rise" if valued.value_cents > valued.usual_cents else "fall"
    usual, value = valued.usual_cents / 100, valued.value_cents / 100
    said = f"{value:.2f} an order where {usual:.2f} was usual"
    return Alert(
        fingerprint=f"{ORDER_VALUE}:{valued.since_ms}",
        status="resolved" if is_over else "firing",
        name=ORDER_VALUE,
        severity="info" if is_over or direction == "rise" else "warning",
        starts_at_ms=valued.since_ms,
        ends_at_ms=hour_ms + HOUR_MS if is_over else 0,
        summary=f"a day without a strange order value, after {said}" if is_over else said,
        labels={"metric": ORDER_VALUE, "direction": direction},
        values={"expected": usual, "actual": value},
    )
