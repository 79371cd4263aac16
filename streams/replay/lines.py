"""From the cells of a row to a typed order line, or to what is wrong with it."""

import math
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import orjson

from streams.replay.history import BadRow
from streams.replay.mapping import IgnoreRule, Mapping, TimeRule
from streams.replay.rows import Row, Unreadable

KEPT_OF_A_VALUE = 60
EARLIEST_MS = 946_684_800_000
_LARGEST = Decimal(10**15)
_HELD = 200_000


class Line(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One line of an order, as its row says; empty texts: not said.

    `paid` is the price of the whole line in the currency's own unit; taken back when `quantity` is
    negative, and then both are.
    """

    number: int
    at_ms: int
    order: str
    customer: str
    product: str
    name: str
    category: str
    brand: str
    variant: str
    quantity: Decimal
    paid: Decimal
    discount: Decimal
    currency: str
    coupon: str
    store: str
    traits: tuple[str, ...]
    extra: tuple[str, ...]
    takes_back: bool


class WrongCell(ValueError):
    """A cell does not hold what its column must."""

    def __init__(self, column: str, expected: str, got: Any) -> None:
        super().__init__(f"{column}: expected {expected}, got {got!r}")
        self.column = column
        self.expected = expected
        self.got = str(got)[:KEPT_OF_A_VALUE]


class Ignored(Exception):
    """Not an error: a row is no sale, by a rule of the mapping."""


class LineReader:
    """Reads lines by one mapping; `read` is called row by row.

    Times before the year 2000 or after `not_after_ms` are wrong: one of them would move the
    whole log's clock.
    """

    def __init__(self, mapping: Mapping, file_name: str, not_after_ms: int) -> None:
        self._mapping = mapping
        self._not_after_ms = not_after_ms
        self._file_name = file_name
        self._wanted = mapping.wanted()
        place = {column: at for at, column in enumerate(self._wanted)}
        self._place = {
            field: place[column]
            for field in mapping.columns.__struct_fields__
            if (column := getattr(mapping.columns, field))
        }
        self._traits = [place[column] for column in mapping.traits.values()]
        self._extra = [place[column] for column in mapping.extra]
        self._ignore = [(place[rule.column], rule) for rule in mapping.ignore]
        self._when = time_reader(mapping.time)
        self._texts: dict[str, str] = {}
        self._numbers: dict[Any, Decimal] = {}
        self._prefix = mapping.cancellations.order_prefix if mapping.cancellations else ""

    def read(self, row: Row | Unreadable) -> Line | BadRow:
        """Type one row; raises Ignored, with the mapping's reason, when it is no sale."""
        if isinstance(row, Unreadable):
            path = f"{self._file_name}:{row.number}"
            return BadRow(0, path, row.expected, row.got[:KEPT_OF_A_VALUE], row.raw)
        try:
            return self._line(row)
        except WrongCell as wrong:
            path = f"{self._file_name}:{row.number}:{wrong.column}"
            raw = orjson.dumps(
                dict(zip(self._wanted, map(_told, row.cells), strict=True)), default=str
            )
            return BadRow(0, path, wrong.expected, wrong.got, raw)

    def _line(self, row: Row) -> Line:
        cells = row.cells
        order = self._required("order", cells)
        takes_back = bool(self._prefix) and order.startswith(self._prefix)
        if not takes_back:
            self._pass_ignoring(cells)
        customer = self._text("customer", cells)
        if not customer and self._mapping.anonymous != "keep":
            if self._mapping.anonymous == "ignore":
                raise Ignored("no customer")
            raise WrongCell(self._mapping.columns.customer or "customer", "a customer", "nothing")
        quantity = self._number("quantity", cells, Decimal(1))
        return Line(
            number=row.number,
            at_ms=self._time(cells),
            order=order,
            customer=customer,
            product=self._text("product", cells),
            name=self._text("name", cells),
            category=self._category(cells),
            brand=self._text("brand", cells),
            variant=self._text("variant", cells),
            quantity=quantity,
            paid=self._paid(cells, quantity, takes_back=takes_back),
            discount=self._number("discount", cells, Decimal(0)),
            currency=self._currency(cells),
            coupon=self._text("coupon", cells),
            store=self._text("store", cells),
            traits=tuple([self._kept(cells[at]) for at in self._traits]),
            extra=tuple([self._kept(cells[at]) for at in self._extra]),
            takes_back=takes_back,
        )

    def _paid(self, cells: Sequence[Any], quantity: Decimal, *, takes_back: bool) -> Decimal:
        columns = self._mapping.columns
        if columns.line_total:
            paid = self._number("line_total", cells, None)
        else:
            paid = self._number("unit_price", cells, None) * quantity
        if not takes_back and quantity < 0:
            raise WrongCell(columns.quantity, "0 or more outside cancellations", quantity)
        if not takes_back and paid < 0:
            raise WrongCell(
                columns.line_total or columns.unit_price, "0 or more outside cancellations", paid
            )
        return paid

    def _pass_ignoring(self, cells: Sequence[Any]) -> None:
        for at, rule in self._ignore:
            if self._is_met(rule, cells[at]):
                raise Ignored(rule.because)

    def _is_met(self, rule: IgnoreRule, cell: Any) -> bool:
        if rule.below is not None:
            try:
                return self._decimal(cell) < Decimal(str(rule.below))
            except (InvalidOperation, ValueError, TypeError):
                return False
        text = _plain(cell)
        return text == rule.equals if rule.equals else text.startswith(rule.starts_with)

    def _time(self, cells: Sequence[Any]) -> int:
        cell = cells[self._place["time"]]
        column = self._mapping.columns.time
        try:
            at_ms = self._when(cell)
        except (ValueError, OverflowError, TypeError, InvalidOperation):
            expected = f"a time ({self._mapping.time.format})"
            raise WrongCell(column, expected, cell) from None
        if not EARLIEST_MS <= at_ms <= self._not_after_ms:
            raise WrongCell(column, "a time between the year 2000 and now", cell)
        return at_ms

    def _category(self, cells: Sequence[Any]) -> str:
        product = self._text("product", cells)
        named = category_of(product, self._mapping) if self._mapping.categories else ""
        return named or self._text("category", cells)

    def _currency(self, cells: Sequence[Any]) -> str:
        currency = self._text("currency", cells).upper() or self._mapping.currency or ""
        if len(currency) != 3 or not currency.isalpha() or not currency.isascii():
            raise WrongCell(self._mapping.columns.currency, "a currency of three letters", currency)
        return currency

    def _required(self, field: str, cells: Sequence[Any]) -> str:
        text = self._text(field, cells)
        if not text:
            raise WrongCell(getattr(self._mapping.columns, field), "some text", "nothing")
        return text

    def _text(self, field: str, cells: Sequence[Any]) -> str:
        at = self._place.get(field)
        return "" if at is None else self._kept(cells[at])

    def _kept(self, cell: Any) -> str:
        """Give the text of a cell; the same texts are one object in memory."""
        text = _plain(cell)
        if len(self._texts) > _HELD:
            self._texts.clear()
        return self._texts.setdefault(text, text)

    def _number(self, field: str, cells: Sequence[Any], default: Decimal | None) -> Decimal:
        at = self._place.get(field)
        if at is None and default is not None:
            return default
        column = getattr(self._mapping.columns, field)
        cell = cells[self._place[field]]
        if default is not None and not _plain(cell):
            return default
        try:
            return self._decimal(cell)
        except (InvalidOperation, ValueError, TypeError):
            raise WrongCell(column, "a number", cell if _plain(cell) else "nothing") from None

    def _decimal(self, cell: Any) -> Decimal:
        if isinstance(cell, bool):
            raise ValueError("a truth value is no number")
        number = self._numbers.get(cell)
        if number is None:
            if len(self._numbers) > _HELD:
                self._numbers.clear()
            number = self._numbers[cell] = self._parsed(cell)
        return number

    def _parsed(self, cell: Any) -> Decimal:
        if isinstance(cell, str):
            text = cell.strip()
            if self._mapping.csv.decimal == ",":
                text = text.replace(".", "").replace(",", ".")
            cell = text.replace(" ", "").replace("\u00a0", "")
        number = Decimal(str(cell))
        if not number.is_finite() or abs(number) > _LARGEST:
            raise ValueError("not finite or absurdly large")
        return number


def time_reader(rule: TimeRule) -> Callable[[Any], int]:
    """Make the function that turns a cell into milliseconds UTC, by the mapping's rule.

    It raises ValueError, TypeError or OverflowError for what is no time.
    """
    zone = ZoneInfo(rule.zone)

    @lru_cache(10_000)
    def of_text(text: str) -> int:
        if rule.format in ("epoch_s", "epoch_ms"):
            return _of_number(Decimal(text), rule.format)
        if rule.format == "iso":
            at = datetime.fromisoformat(text.strip())
        else:
            at = datetime.strptime(text.strip(), rule.format)  # noqa: DTZ007  # zoned below
        return _ms(at, zone)

    def of_cell(cell: Any) -> int:
        if isinstance(cell, str):
            return of_text(cell)
        if isinstance(cell, datetime):
            return _ms(cell, zone)
        if isinstance(cell, date):
            return _ms(datetime(cell.year, cell.month, cell.day), zone)  # noqa: DTZ001
        if isinstance(cell, bool) or not isinstance(cell, int | float | Decimal):
            raise TypeError
        return _of_number(Decimal(str(cell)), rule.format)

    return of_cell


def _of_number(number: Decimal, rule_format: str) -> int:
    if rule_format not in ("epoch_s", "epoch_ms") or abs(number) > _LARGEST:
        raise ValueError
    return int(number * 1000) if rule_format == "epoch_s" else int(number)


def _ms(at: datetime, zone: ZoneInfo) -> int:
    aware = at if at.tzinfo is not None else at.replace(tzinfo=zone)
    return round(aware.astimezone(UTC).timestamp() * 1000)


def category_of(product: str, mapping: Mapping) -> str:
    """Category that the mapping gives a product id; empty when it names none."""
    exact = mapping.categories.get(product)
    if exact is not None:
        return exact
    for pattern, category in mapping.categories.items():
        if pattern.endswith("*") and product.startswith(pattern[:-1]):
            return category
    return ""


def _plain(cell: Any) -> str:
    """Write a cell as text; whole numbers without a point, nothing and NaN as empty."""
    if cell is None:
        return ""
    if isinstance(cell, str):
        return cell.strip()
    if isinstance(cell, float):
        if math.isnan(cell):
            return ""
        if cell.is_integer():
            return str(int(cell))
    return str(cell)


def _told(cell: Any) -> Any:
    return cell if isinstance(cell, str | int | float | bool | None) else str(cell)
