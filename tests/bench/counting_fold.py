"""The fold that is compared: count, sum and last time of each customer, on the product's lane.

`python -m tests.bench.counting_fold SOURCE CHANGELOG OUTPUT DEAD_LETTERS` runs it as a role, wired
as `streams/worker.py` wires the customers' lane.
"""

import sys
from collections.abc import Iterator
from typing import Any

import msgspec

from streams import logging as logs
from streams.app import build_app, quiet_logging
from streams.fold import Interval, Output, Pair, Place, PoisonError
from streams.lanes import Lane, Lanes
from streams.loop import run_role
from streams.partition import LaneSpec
from streams.settings import Settings
from streams.worker import run_app

ROLE = "fold"

Row = tuple[int, int, int]
"""Events, total in cents, last time in milliseconds."""


class Purchase(msgspec.Struct):
    """What the fold reads of an event."""

    customer: str
    amount_cents: int
    occurred_at_ms: int


class Tally(msgspec.Struct):
    """What it says after each event."""

    customer: str
    events: int
    total_cents: int
    last_at_ms: int


NOTHING: Row = (0, 0, 0)
decode_purchase = msgspec.json.Decoder(Purchase).decode
encode_tally = msgspec.json.Encoder().encode
decode_row = msgspec.msgpack.Decoder(Row).decode
encode_row = msgspec.msgpack.Encoder().encode


class CountingFold:
    """A `streams.fold.Fold`; what rows were at the last seal is kept until the next."""

    def __init__(self, output: str, dead_letters: str) -> None:
        self._output: Place = output, None
        self._dead_letters = dead_letters
        self.rows: dict[bytes, Row] = {}
        self._before: dict[bytes, Row] = {}
        self._outputs: list[Pair] = []

    def restore(self, key: bytes, row: bytes | None) -> None:
        if row is None:
            self.rows.pop(key, None)
        else:
            self.rows[key] = decode_row(row)

    def restored(self) -> None:
        pass

    async def prepare(self, records: list[Any]) -> None:
        pass

    def due_ms(self) -> None:
        pass

    def is_urgent(self) -> bool:
        return False

    def fold_many(self, records: list[Any]) -> int:
        for record in records:
            self._count(record)
        return len(records)

    def fold(self, record: Any, left_out: frozenset[bytes]) -> Iterator[None]:
        if record.key not in left_out:
            self._count(record)
        return iter(())

    def _count(self, record: Any) -> None:
        key = record.key
        try:
            purchase = decode_purchase(record.value)
        except msgspec.DecodeError as error:
            raise PoisonError(key, str(error)) from error
        before = self.rows.get(key, NOTHING)
        self._before.setdefault(key, before)
        events = before[0] + 1
        total_cents = before[1] + purchase.amount_cents
        last_at_ms = max(before[2], purchase.occurred_at_ms)
        self.rows[key] = (events, total_cents, last_at_ms)
        tally = Tally(purchase.customer, events, total_cents, last_at_ms)
        self._outputs.append((key, encode_tally(tally)))

    def seal(self) -> Interval:
        rows = self.rows
        touched: list[tuple[bytes, bytes | None]] = [
            (key, encode_row(rows[key])) for key in self._before
        ]
        interval = Interval(touched, {self._output: self._outputs} if self._outputs else {})
        self._before, self._outputs = {}, []
        return interval

    def rollback(self) -> None:
        for key, row in self._before.items():
            if row is NOTHING:
                del self.rows[key]
            else:
                self.rows[key] = row
        self._before, self._outputs = {}, []

    def dead_letter(self, record: Any, poison: PoisonError) -> Output:
        return Output(self._dead_letters, poison.key, record.value)


async def run(settings: Settings, source: str, changelog: str, output: str, dead: str) -> None:
    """Fold until a signal comes."""
    spec = LaneSpec(
        bootstrap=settings.kafka_bootstrap,
        group=settings.named(ROLE),
        source=source,
        changelog=changelog,
        transactional_prefix=settings.named(ROLE),
        commit_interval_ms=settings.commit_interval_ms,
    )
    lanes = Lanes([Lane(spec, lambda partition: CountingFold(output, dead))])
    app = build_app(settings, ROLE, lanes)
    await run_app(settings, ROLE, app, lanes, [])


def main() -> None:
    settings = Settings()
    logs.configure(ROLE, settings.log_level)
    quiet_logging(settings.log_level)
    run_role(run(settings, *sys.argv[1:]))


if __name__ == "__main__":
    main()
