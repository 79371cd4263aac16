"""The fold of topic `metrics`: an hour closes when every partition's clock has passed it."""

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from models.clock import HOUR_MS
from models.effects import Alert, DeadLetter, HourEnded, encode
from models.orders_alarm import Judged, OrdersAlarm, Turn, judge
from streams import topics
from streams.fold import Interval, OneByOne, Output, PoisonError, placed

KEY = b"orders"


class OpenHour(msgspec.Struct, array_like=True):
    """An hour that some partitions have not ended yet."""

    partitions: list[int] = []
    orders: int = 0
    revenue_cents: int = 0


class WatchRow(msgspec.Struct, kw_only=True):
    """The watch between two transactions."""

    alarm: OrdersAlarm = msgspec.field(default_factory=OrdersAlarm)
    open_hours: dict[int, OpenHour] = {}


# Its source has no other.
ONE_PARTITION = 0


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
        if ended.hour_ms > self._row.alarm.hour_ms:
            hour = hours.setdefault(ended.hour_ms, OpenHour())
            if ended.partition not in hour.partitions:
                hour.partitions.append(ended.partition)
                hour.orders += ended.orders
                hour.revenue_cents += ended.revenue_cents
            if len(hour.partitions) >= ended.partitions:
                # An earlier hour that is still open jumped over a partition: no evidence.
                for stale in [one for one in hours if one < ended.hour_ms]:
                    del hours[stale]
                del hours[ended.hour_ms]
                self._judge(ended.hour_ms, hour.orders)
        return iter(())

    def _judge(self, hour_ms: int, orders: int) -> None:
        alarm = self._row.alarm
        began_ms, expected, actual = alarm.since_ms, alarm.expected_since, alarm.actual_since
        judged = judge(alarm, hour_ms, orders)
        if judged.turn is Turn.FIRED:
            self._say(_fired(alarm, judged))
        elif judged.turn is Turn.RESOLVED:
            self._say(_resolved(began_ms, hour_ms, expected, actual))

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


def _fired(alarm: OrdersAlarm, judged: Judged) -> Alert:
    share = alarm.actual_since / max(alarm.expected_since, 1e-9)
    hours = (alarm.hour_ms - alarm.since_ms) // HOUR_MS + 1
    return Alert(
        fingerprint=f"orders_per_hour:{alarm.since_ms}",
        status="firing",
        name="orders_per_hour",
        severity="critical" if share < 0.3 else "warning",
        starts_at_ms=alarm.since_ms,
        summary=(
            f"{alarm.actual_since} orders in {hours} h where {alarm.expected_since:.0f} "
            f"were expected ({share:.0%})"
        ),
        labels={"metric": "orders_per_hour"},
        values={
            "expected": alarm.expected_since,
            "actual": float(alarm.actual_since),
            "expected_last_hour": judged.expected,
            "actual_last_hour": float(judged.actual),
        },
    )


def _resolved(began_ms: int, hour_ms: int, expected: float, actual: int) -> Alert:
    return Alert(
        fingerprint=f"orders_per_hour:{began_ms}",
        status="resolved",
        name="orders_per_hour",
        severity="info",
        starts_at_ms=began_ms,
        ends_at_ms=hour_ms + HOUR_MS,
        summary=f"orders are back: {actual} came where {expected:.0f} were expected meanwhile",
        labels={"metric": "orders_per_hour"},
        values={"expected": expected, "actual": float(actual)},
    )
