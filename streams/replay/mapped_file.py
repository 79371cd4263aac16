"""A shop's own export as a history: order lines of a file, by a mapping, as Segment bodies.

The lines are read, typed and sorted in memory at once (see `mappings/example.yaml` for what that
takes), so any row order will do. An order's time is its earliest line's.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import xxhash

from models.segment_tracks import LINES_MAX
from models.segment_values import exponent_of
from streams.replay.history import Arrival, BadHistory, BadRow, Body
from streams.replay.lines import Ignored, Line, LineReader
from streams.replay.mapping import Mapping
from streams.replay.returns import LookBack, Returned
from streams.replay.rows import read_rows

FURTHER = "further-lines"
UNNAMED = "unnamed"
_CHUNK = 1_048_576


class MappedFile:
    """Orders and returns of one file; `ignored` counts its rows that are no sales, by reason.

    `bad_rows` could not be used, `repeated` counts those dropped as repeats.

    BadHistory when the file as a whole cannot be used; single bad rows come as BadRow.
    """

    def __init__(
        self, path: Path, mapping: Mapping, *, not_after_ms: int, days: int | None = None
    ) -> None:
        self.mapping = mapping
        self.ignored: Counter[str] = Counter()
        self.repeated = 0
        self._orders: dict[str, list[Line]] = {}
        self.bad_rows: list[BadRow] = []
        self._read(path, not_after_ms)
        if not self._orders:
            raise BadHistory(f"{path}: no usable row; {self._first_trouble()}")
        self._places = sorted(
            (min(line.at_ms for line in lines), lines[0].number, order)
            for order, lines in self._orders.items()
        )
        self.first_ms = self._places[0][0]
        self._keep_days(days)
        self.last_ms = self._places[-1][0]
        self.name = f"{mapping.name}:{_fingerprint(path, mapping)}" + (
            "" if days is None else f":{days}-days"
        )

    def arrivals(self) -> Iterator[Arrival | BadRow]:
        """Read the bad rows, then everything else in the sequence of time."""
        for bad in self.bad_rows:
            yield bad._replace(at_ms=self.first_ms)
        bodies = _Bodies(self.mapping)
        for at_ms, _, order in self._places:
            for body in bodies.of_order(at_ms, self._orders[order]):
                yield Arrival(at_ms, body)

    def _read(self, path: Path, not_after_ms: int) -> None:
        reader = LineReader(self.mapping, path.name, not_after_ms)
        for row in read_rows(path, self.mapping.wanted(), self.mapping.csv):
            try:
                line = reader.read(row)
            except Ignored as reason:
                self.ignored[str(reason)] += 1
                continue
            if isinstance(line, Line):
                self._file_line(line, path.name)
            else:
                self.bad_rows.append(line)
        if self.mapping.repeats == "drop":
            self._drop_repeats()

    def _file_line(self, line: Line, file_name: str) -> None:
        lines = self._orders.setdefault(line.order, [])
        if lines and lines[0].customer != line.customer:
            path = f"{file_name}:{line.number}:{self.mapping.columns.customer}"
            self.bad_rows.append(
                BadRow(0, path, "one customer for the whole order", line.customer[:60], b"")
            )
        elif lines and lines[0].currency != line.currency:
            path = f"{file_name}:{line.number}:{self.mapping.columns.currency}"
            self.bad_rows.append(
                BadRow(0, path, "one currency for the whole order", line.currency, b"")
            )
        else:
            lines.append(line)

    def _drop_repeats(self) -> None:
        for order, lines in self._orders.items():
            once = {(*_cells(line),): line for line in reversed(lines)}
            kept = [line for line in lines if once[(*_cells(line),)] is line]
            self.repeated += len(lines) - len(kept)
            self._orders[order] = kept

    def _keep_days(self, days: int | None) -> None:
        if days is not None:
            end_ms = self.first_ms - self.first_ms % 86_400_000 + days * 86_400_000
            self._places = [place for place in self._places if place[0] < end_ms]

    def _first_trouble(self) -> str:
        if self.bad_rows:
            bad = self.bad_rows[0]
            return f"the first bad one: {bad.path}: expected {bad.expected}, got {bad.got!r}"
        return f"{sum(self.ignored.values())} were ignored" if self.ignored else "it has no rows"


def _cells(line: Line) -> Iterator[object]:
    return (getattr(line, field) for field in line.__struct_fields__[1:])


def _fingerprint(path: Path, mapping: Mapping) -> str:
    digest = xxhash.xxh3_64(repr(mapping).encode())
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


class _Bodies:
    """Makes the bodies of one order after another; remembers what customers were told to be."""

    def __init__(self, mapping: Mapping) -> None:
        self._mapping = mapping
        self._look_back = LookBack()
        self._told: dict[str, tuple[int, tuple[str, ...]]] = {}

    def of_order(self, at_ms: int, lines: list[Line]) -> Iterator[Body]:
        first = lines[0]
        if first.customer:
            yield from self._identify(at_ms, first)
        if not first.takes_back:
            if first.customer:
                self._look_back.buy(first.customer, first.order, lines)
            yield self._order(at_ms, lines)
            return
        for returned in self._look_back.take_back(first.customer, first.order, lines):
            yield self._returned(at_ms, first, returned)

    def _identify(self, at_ms: int, line: Line) -> Iterator[Body]:
        times, told = self._told.get(line.customer, (0, ()))
        if told == line.traits or not (told or any(line.traits)):
            return
        self._told[line.customer] = (times + 1, line.traits)
        traits = dict(zip(self._mapping.traits, line.traits, strict=True))
        body = self._envelope(at_ms, line, f"customer:{line.customer}:{times + 1}")
        yield {**body, "type": "identify", "traits": {k: v for k, v in traits.items() if v}}

    def _order(self, at_ms: int, lines: list[Line]) -> Body:
        first = lines[0]
        unit = Decimal(1).scaleb(-exponent_of(first.currency))
        products = [_product(line, unit) for line in lines if line.product or line.name]
        properties: Body = {
            "order_id": first.order,
            "currency": first.currency,
            "total": _sum(_rounded(line.paid, unit) for line in lines),
            "discount": _sum(_rounded(line.discount, unit) for line in lines),
            "products": _at_most(products),
            **{key: value for key, value in self._kept(first) if value},
        }
        for key, value in (("coupon", first.coupon), ("store_id", first.store)):
            if value:
                properties[key] = value
        body = self._envelope(at_ms, first, f"order:{first.order}")
        return {**body, "type": "track", "event": "Order Completed", "properties": properties}

    def _kept(self, line: Line) -> Iterator[tuple[str, str]]:
        return zip(self._mapping.extra, line.extra, strict=True)

    def _returned(self, at_ms: int, line: Line, returned: Returned) -> Body:
        body = self._envelope(at_ms, line, f"back:{line.order}:{returned.order}")
        body["type"] = "track"
        if returned.is_whole:
            return {
                **body,
                "event": "Order Cancelled",
                "properties": {"order_id": returned.order, "invoice": line.order},
            }
        unit = Decimal(1).scaleb(-exponent_of(line.currency))
        products = [
            {
                **({"product_id": product} if product else {"name": UNNAMED}),
                "quantity": _text(quantity),
                "total": _text(_rounded(paid, unit)),
            }
            for product, quantity, paid in returned.lines
        ]
        properties = {
            "order_id": returned.order,
            "invoice": line.order,
            "currency": line.currency,
            "total": _sum(_rounded(paid, unit) for _, _, paid in returned.lines),
            "products": _at_most(products),
        }
        return {**body, "event": "Order Refunded", "properties": properties}

    def _envelope(self, at_ms: int, line: Line, what: str) -> Body:
        who = {"userId": line.customer} if line.customer else {"anonymousId": line.order}
        return {
            "messageId": f"{self._mapping.name}:{what}",
            **who,
            "timestamp": datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(),
            "context": {"channel": self._mapping.channel},
        }


def _product(line: Line, unit: Decimal) -> Body:
    told = {
        "product_id": line.product,
        "name": line.name,
        "category": line.category,
        "brand": line.brand,
        "variant": line.variant,
    }
    return {
        **{key: value for key, value in told.items() if value},
        "quantity": _text(line.quantity),
        "total": _text(_rounded(line.paid, unit)),
    }


def _at_most(products: list[Body]) -> list[Body]:
    """Put what the contract has no room for into one last line, so that the sum stays."""
    if len(products) <= LINES_MAX:
        return products
    kept, rest = products[: LINES_MAX - 1], products[LINES_MAX - 1 :]
    total = _sum(Decimal(product["total"]) for product in rest)
    return [*kept, {"product_id": FURTHER, "quantity": str(len(rest)), "total": total}]


def _rounded(amount: Decimal, unit: Decimal) -> Decimal:
    return amount.quantize(unit, ROUND_HALF_UP)


def _sum(amounts: Iterable[Decimal]) -> str:
    return _text(sum(amounts, Decimal(0)))


def _text(number: Decimal) -> str:
    return format(number, "f")
