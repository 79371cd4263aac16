from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import msgspec
import orjson
import pytest

from streams.replay.history import BadRow
from streams.replay.lines import Ignored, Line, LineReader, time_reader
from streams.replay.mapping import Mapping, TimeRule
from streams.replay.rows import Row, Unreadable

NOW_MS = 1_800_000_000_000

MAPPING = {
    "name": "shop",
    "columns": {
        "order": "no",
        "time": "at",
        "customer": "who",
        "product": "sku",
        "category": "group",
        "quantity": "qty",
        "unit_price": "price",
        "currency": "money",
    },
    "currency": "EUR",
    "cancellations": {"order_prefix": "C"},
    "categories": {"POST": "postage", "GIFT*": "vouchers"},
    "ignore": [
        {"column": "no", "starts_with": "TEST", "because": "test orders"},
        {"column": "state", "equals": "draft", "because": "never paid"},
        {"column": "qty", "below": 0, "because": "stock"},
    ],
}
ROW = {
    "no": "7",
    "at": "2020-02-01 10:00:00",
    "who": "anna",
    "sku": "hat",
    "group": "hats",
    "qty": "2",
    "price": "1.25",
    "money": "",
    "state": "",
}


def read(row: dict[str, Any], **change: Any) -> Line | BadRow:
    mapping = msgspec.convert({**MAPPING, **change}, Mapping)
    cells = {**ROW, **row}
    reader = LineReader(mapping, "a.csv", NOW_MS)
    return reader.read(Row(9, tuple(cells[column] for column in mapping.wanted())))


def line(row: dict[str, Any], **change: Any) -> Line:
    found = read(row, **change)
    assert isinstance(found, Line)
    return found


def test_a_row_becomes_a_line_with_exact_money() -> None:
    found = line({})
    assert (found.order, found.customer, found.quantity, found.paid) == (
        "7",
        "anna",
        Decimal(2),
        Decimal("2.50"),
    )
    assert (found.currency, found.category, found.number) == ("EUR", "hats", 9)
    assert found.at_ms == 1_580_551_200_000


@pytest.mark.parametrize(
    ("row", "field", "expected"),
    [
        ({"who": 13085}, "customer", "13085"),
        ({"who": 13085.0}, "customer", "13085"),
        ({"who": None}, "customer", ""),
        ({"who": float("nan")}, "customer", ""),
        ({"who": "  anna "}, "customer", "anna"),
        ({"who": "c" * 300}, "customer", "c" * 300),
        ({"price": 0.001, "qty": 3}, "paid", Decimal("0.003")),
        ({"price": 0}, "paid", Decimal(0)),
        ({"price": "1 234.5", "qty": 1}, "paid", Decimal("1234.5")),
        ({"qty": ""}, "quantity", Decimal(1)),
        ({"qty": None}, "quantity", Decimal(1)),
        ({"money": "gbp"}, "currency", "GBP"),
        ({"sku": "POST"}, "category", "postage"),
        ({"sku": "GIFT_20"}, "category", "vouchers"),
        ({"sku": "A GIFT"}, "category", "hats"),
        ({"no": "C7", "qty": -2}, "paid", Decimal("-2.50")),
        ({"no": "C7", "qty": -2}, "takes_back", True),
    ],
)
def test_cells_are_read_by_their_meaning(row: dict[str, Any], field: str, expected: Any) -> None:
    assert getattr(line(row), field) == expected


def test_a_decimal_comma_is_read_where_the_mapping_says_so() -> None:
    assert line({"price": "1.234,56"}, csv={"decimal": ","}).paid == Decimal("2469.12")


@pytest.mark.parametrize(
    ("row", "path", "expected", "got"),
    [
        ({"no": ""}, "a.csv:9:no", "some text", "nothing"),
        ({"at": "yesterday"}, "a.csv:9:at", "a time (iso)", "yesterday"),
        ({"at": ""}, "a.csv:9:at", "a time (iso)", ""),
        ({"at": [1]}, "a.csv:9:at", "a time (iso)", "[1]"),
        ({"at": "1999-12-31"}, "a.csv:9:at", "a time between the year 2000 and now", "1999-12-31"),
        ({"at": "2099-01-01"}, "a.csv:9:at", "a time between the year 2000 and now", "2099-01-01"),
        ({"price": "cheap"}, "a.csv:9:price", "a number", "cheap"),
        ({"price": ""}, "a.csv:9:price", "a number", "nothing"),
        ({"price": "nan"}, "a.csv:9:price", "a number", "nan"),
        ({"price": "1e999999"}, "a.csv:9:price", "a number", "1e999999"),
        ({"price": True}, "a.csv:9:price", "a number", "True"),
        ({"price": {"a": 1}}, "a.csv:9:price", "a number", "{'a': 1}"),
        ({"qty": "two"}, "a.csv:9:qty", "a number", "two"),
        ({"price": "-1"}, "a.csv:9:price", "0 or more outside cancellations", "-2"),
        ({"money": "Euro"}, "a.csv:9:money", "a currency of three letters", "EURO"),
    ],
)
def test_a_wrong_cell_is_named_with_row_column_value_and_what_was_expected(
    row: dict[str, Any], path: str, expected: str, got: str
) -> None:
    bad = read(row)
    assert isinstance(bad, BadRow)
    assert (bad.path, bad.expected, bad.got) == (path, expected, got)
    assert orjson.loads(bad.raw)["sku"] == "hat"


def test_a_long_wrong_value_is_shortened() -> None:
    bad = read({"price": "x" * 1000})
    assert isinstance(bad, BadRow)
    assert bad.got == "x" * 60


def test_an_unreadable_row_keeps_its_bytes() -> None:
    reader = LineReader(msgspec.convert(MAPPING, Mapping), "a.csv", NOW_MS)
    assert reader.read(Unreadable(3, "a row of CSV", "oh", b"raw")) == BadRow(
        0, "a.csv:3", "a row of CSV", "oh", b"raw"
    )


@pytest.mark.parametrize(
    ("row", "because"),
    [
        ({"no": "TEST1"}, "test orders"),
        ({"state": "draft"}, "never paid"),
        ({"qty": "-1"}, "stock"),
    ],
)
def test_rows_that_are_no_sales_are_ignored_with_the_reason(
    row: dict[str, Any], because: str
) -> None:
    with pytest.raises(Ignored, match=because):
        read(row)


def test_a_cancellation_is_never_ignored() -> None:
    assert line({"no": "C1", "qty": -1, "state": "draft"}).takes_back


def test_a_negative_quantity_that_no_rule_explains_is_wrong() -> None:
    bad = read({"qty": -1}, ignore=[])
    assert isinstance(bad, BadRow)
    assert bad.path == "a.csv:9:qty"


@pytest.mark.parametrize(
    ("anonymous", "outcome"), [("keep", Line), ("reject", BadRow), ("ignore", Ignored)]
)
def test_rows_without_a_customer_are_kept_ignored_or_rejected(
    anonymous: str, outcome: type
) -> None:
    if outcome is Ignored:
        with pytest.raises(Ignored, match="no customer"):
            read({"who": ""}, anonymous=anonymous)
    else:
        assert isinstance(read({"who": ""}, anonymous=anonymous), outcome)


@pytest.mark.parametrize(
    ("rule", "cell", "expected"),
    [
        (TimeRule(), "2020-07-01T10:00:00Z", "2020-07-01T10:00:00+00:00"),
        (TimeRule(), "2020-07-01T10:00:00+02:00", "2020-07-01T08:00:00+00:00"),
        (TimeRule(zone="Europe/London"), "2020-07-01 10:00", "2020-07-01T09:00:00+00:00"),
        (TimeRule(zone="Europe/London"), "2020-01-01 10:00", "2020-01-01T10:00:00+00:00"),
        (TimeRule(zone="Europe/London"), "2020-10-25 01:30", "2020-10-25T00:30:00+00:00"),
        (TimeRule(zone="Asia/Taipei"), "2020-07-01T10:00:00Z", "2020-07-01T10:00:00+00:00"),
        (TimeRule("%d/%m/%Y %H:%M"), "01/07/2020 10:00", "2020-07-01T10:00:00+00:00"),
        (TimeRule("epoch_s"), "1593597600", "2020-07-01T10:00:00+00:00"),
        (TimeRule("epoch_s"), 1593597600.5, "2020-07-01T10:00:00.500000+00:00"),
        (TimeRule("epoch_ms"), 1593597600000, "2020-07-01T10:00:00+00:00"),
        (TimeRule(), date(2020, 7, 1), "2020-07-01T00:00:00+00:00"),
        (
            TimeRule(zone="Asia/Taipei"),
            datetime(2020, 7, 1, 18, 0),  # noqa: DTZ001
            "2020-07-01T10:00:00+00:00",
        ),
        (
            TimeRule(zone="Asia/Taipei"),
            datetime(2020, 7, 1, 10, 0, tzinfo=UTC),
            "2020-07-01T10:00:00+00:00",
        ),
    ],
)
def test_times_are_read_in_the_mappings_zone_unless_they_carry_their_own(
    rule: TimeRule, cell: Any, expected: str
) -> None:
    assert time_reader(rule)(cell) == datetime.fromisoformat(expected).timestamp() * 1000


@pytest.mark.parametrize(
    ("rule", "cell"),
    [(TimeRule(), 1593597600), (TimeRule("epoch_s"), True), (TimeRule("%d/%m/%Y"), "2020-07-01")],
)
def test_a_time_of_another_kind_is_refused(rule: TimeRule, cell: Any) -> None:
    with pytest.raises((ValueError, TypeError)):
        time_reader(rule)(cell)
