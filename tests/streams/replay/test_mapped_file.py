import os
from collections import Counter
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
import pandas as pd
import pytest

from streams.replay.history import Arrival, BadHistory, BadRow
from streams.replay.mapped_file import MappedFile
from streams.replay.mapping import Mapping, mappings_shipped, read_mapping

NOW_MS = 1_800_000_000_000
ROOT = Path(__file__).parents[3]
RETAIL = (
    ROOT / os.environ.get("HUITOU_TEST_DATA", "../shared/data") / "online_retail_2009_2010.parquet"
)

MAPPING = {
    "name": "shop",
    "columns": {
        "order": "no",
        "time": "at",
        "customer": "who",
        "product": "sku",
        "quantity": "qty",
        "line_total": "paid",
        "discount": "off",
    },
    "currency": "EUR",
    "traits": {"email": "mail", "country": "land"},
    "cancellations": {"order_prefix": "C"},
    "extra": ["campaign"],
}
HEADING = "no,at,who,sku,qty,paid,off,mail,land,campaign"


def history(tmp_path: Path, *rows: str, days: int | None = None, **change: Any) -> MappedFile:
    path = tmp_path / "shop.csv"
    path.write_text("\n".join([HEADING, *rows]), encoding="utf-8")
    mapping = msgspec.convert({**MAPPING, **change}, Mapping)
    return MappedFile(path, mapping, not_after_ms=NOW_MS, days=days)


def bodies(found: MappedFile) -> list[dict[str, Any]]:
    return [one.body for one in found.arrivals() if isinstance(one, Arrival)]


def events(found: MappedFile) -> list[dict[str, Any]]:
    return [body for body in bodies(found) if body["type"] == "track"]


def test_rows_of_one_order_become_one_order_in_the_sequence_of_time(tmp_path: Path) -> None:
    found = history(
        tmp_path,
        "2,2020-01-02,anna,tie,1,5.00,,,,",
        "1,2020-01-01 10:05,anna,hat,1,10.00,0.50,,,spring",
        "1,2020-01-01 10:00,anna,cap,2,7.50,0.25,,,autumn",
    )
    assert [(one["messageId"], one["timestamp"], one["properties"]) for one in events(found)] == [
        (
            "shop:order:1",
            "2020-01-01T10:00:00+00:00",
            {
                "order_id": "1",
                "currency": "EUR",
                "total": "17.50",
                "discount": "0.75",
                "products": [
                    {"product_id": "hat", "quantity": "1", "total": "10.00"},
                    {"product_id": "cap", "quantity": "2", "total": "7.50"},
                ],
                "campaign": "spring",
            },
        ),
        (
            "shop:order:2",
            "2020-01-02T00:00:00+00:00",
            {
                "order_id": "2",
                "currency": "EUR",
                "total": "5.00",
                "discount": "0.00",
                "products": [{"product_id": "tie", "quantity": "1", "total": "5.00"}],
            },
        ),
    ]


def test_a_customer_is_identified_at_the_first_order_and_when_a_trait_changes(
    tmp_path: Path,
) -> None:
    found = history(
        tmp_path,
        "1,2020-01-01,anna,hat,1,1,,a@example.com,TW,",
        "2,2020-01-02,anna,hat,1,1,,a@example.com,TW,",
        "3,2020-01-03,anna,hat,1,1,,a@example.org,,",
    )
    assert [
        (one["messageId"], one["traits"]) for one in bodies(found) if one["type"] == "identify"
    ] == [
        ("shop:customer:anna:1", {"email": "a@example.com", "country": "TW"}),
        ("shop:customer:anna:2", {"email": "a@example.org"}),
    ]


def test_an_order_without_a_customer_is_a_device_of_its_own(tmp_path: Path) -> None:
    found = history(tmp_path, "1,2020-01-01,,hat,1,1,,a@example.com,,")
    assert [(one["type"], one.get("userId"), one["anonymousId"]) for one in bodies(found)] == [
        ("track", None, "1")
    ]


def test_goods_that_come_back_are_a_refund_of_their_order_and_all_of_them_cancel_it(
    tmp_path: Path,
) -> None:
    found = history(
        tmp_path,
        "1,2020-01-01,anna,hat,2,10.00,,,,",
        "C2,2020-01-02,anna,hat,-1,-5.00,,,,",
        "C3,2020-01-03,anna,hat,-1,-5.00,,,,",
        "C4,2020-01-04,anna,hat,-1,-5.00,,,,",
    )
    assert [(one["event"], one["properties"]["order_id"]) for one in events(found)] == [
        ("Order Completed", "1"),
        ("Order Refunded", "1"),
        ("Order Cancelled", "1"),
        ("Order Refunded", "C4"),
    ]
    refund = events(found)[1]
    assert refund["messageId"] == "shop:back:C2:1"
    assert refund["properties"] == {
        "order_id": "1",
        "invoice": "C2",
        "currency": "EUR",
        "total": "5.00",
        "products": [{"product_id": "hat", "quantity": "1", "total": "5.00"}],
    }


@pytest.mark.parametrize(
    ("currency", "paid", "total"),
    [("EUR", "1.005", "1.01"), ("JPY", "100.5", "101"), ("KWD", "1.0005", "1.001")],
)
def test_lines_are_rounded_to_the_currencys_smallest_coin_and_the_total_is_their_sum(
    tmp_path: Path, currency: str, paid: str, total: str
) -> None:
    row = f"1,2020-01-01,anna,hat,1,{paid},,,,"
    found = events(history(tmp_path, row, currency=currency))[0]["properties"]
    assert (found["products"][0]["total"], found["total"]) == (total, total)


def test_an_order_without_products_is_its_total(tmp_path: Path) -> None:
    found = events(history(tmp_path, "1,2020-01-01,anna,,1,5,,,,"))[0]["properties"]
    assert (found["products"], found["total"]) == ([], "5.00")


def test_lines_beyond_what_the_contract_takes_are_summed_up(tmp_path: Path) -> None:
    rows = [f"1,2020-01-01,anna,p{n},1,2.00,,,," for n in range(1_100)]
    found = events(history(tmp_path, *rows))[0]["properties"]
    assert len(found["products"]) == 1_000
    assert found["products"][-1] == {
        "product_id": "further-lines",
        "quantity": "101",
        "total": "202.00",
    }
    assert found["total"] == "2200.00"


def test_bad_rows_come_first_and_the_others_go_on(tmp_path: Path) -> None:
    found = history(
        tmp_path,
        "1,2020-01-01,anna,hat,1,1,,,,",
        "2,soon,anna,hat,1,1,,,,",
        "3,2020-01-03,anna,hat,1,free,,,,",
    )
    arrivals = list(found.arrivals())
    assert [type(one) for one in arrivals] == [BadRow, BadRow, Arrival]
    assert [(one.at_ms, one.path) for one in arrivals if isinstance(one, BadRow)] == [
        (found.first_ms, "shop.csv:3:at"),
        (found.first_ms, "shop.csv:4:paid"),
    ]


@pytest.mark.parametrize(
    ("row", "path", "expected"),
    [
        ("1,2020-01-01,bo,tie,1,1,,,,", "shop.csv:3:who", "one customer for the whole order"),
    ],
)
def test_an_order_belongs_to_one_customer(
    tmp_path: Path, row: str, path: str, expected: str
) -> None:
    found = history(tmp_path, "1,2020-01-01,anna,hat,1,1,,,,", row)
    bad = [one for one in found.arrivals() if isinstance(one, BadRow)]
    assert [(one.path, one.expected) for one in bad] == [(path, expected)]
    assert len(events(found)[0]["properties"]["products"]) == 1


@pytest.mark.parametrize(("repeats", "lines"), [("keep", 3), ("drop", 2)])
def test_rows_that_occur_twice_are_kept_or_dropped(
    tmp_path: Path, repeats: str, lines: int
) -> None:
    row = "1,2020-01-01,anna,hat,1,1,,,,"
    found = history(tmp_path, row, "1,2020-01-01,anna,tie,1,1,,,,", row, repeats=repeats)
    assert len(events(found)[0]["properties"]["products"]) == lines
    assert found.repeated == 3 - lines


def test_ignored_rows_are_counted_by_reason(tmp_path: Path) -> None:
    found = history(
        tmp_path,
        "1,2020-01-01,anna,hat,1,1,,,,",
        "2,2020-01-01,anna,hat,0,1,,,,",
        ignore=[{"column": "qty", "below": 1, "because": "nothing moved"}],
    )
    assert found.ignored == Counter({"nothing moved": 1})
    assert len(events(found)) == 1


def test_a_file_without_a_usable_row_says_what_the_first_trouble_is(tmp_path: Path) -> None:
    with pytest.raises(BadHistory, match=r"no usable row; the first bad one: shop\.csv:2:at"):
        history(tmp_path, "1,soon,anna,hat,1,1,,,,")
    with pytest.raises(BadHistory, match="no usable row; it has no rows"):
        history(tmp_path)


def test_the_name_changes_with_the_content_and_with_the_mapping(tmp_path: Path) -> None:
    row = "1,2020-01-01,anna,hat,1,1,,,,"
    names = {
        history(tmp_path, row).name,
        history(tmp_path, row.replace("hat", "cap")).name,
        history(tmp_path, row, channel="store").name,
        history(tmp_path, row, days=1).name,
    }
    assert len(names) == 4
    assert history(tmp_path, row).name in names


def test_fewer_days_are_the_beginning_of_more(tmp_path: Path) -> None:
    rows = [f"{day},2020-01-{day:02d} 12:00,anna,hat,1,1,,,," for day in range(1, 9)]
    assert bodies(history(tmp_path, *rows, days=3)) == bodies(history(tmp_path, *rows))[:3]


@pytest.fixture(scope="module")
def retail() -> MappedFile:
    if not RETAIL.exists():
        pytest.skip(f"{RETAIL.name} is not there; HUITOU_TEST_DATA names its directory")
    mapping = read_mapping(mappings_shipped()["online_retail"])
    return MappedFile(RETAIL, mapping, not_after_ms=NOW_MS)


@pytest.fixture(scope="module")
def sold(retail: MappedFile) -> list[dict[str, Any]]:
    return events(retail)


def test_online_retail_is_read_to_the_last_row(
    retail: MappedFile, sold: list[dict[str, Any]]
) -> None:
    rows = pd.read_parquet(RETAIL)
    back = rows.Invoice.str.startswith("C")
    written_off = ~back & ((rows.Quantity < 0) | rows.Invoice.str.startswith("A"))
    sales = rows[~back & ~written_off]
    orders = [one for one in sold if one["event"] == "Order Completed"]
    assert not any(isinstance(one, BadRow) for one in islice(retail.arrivals(), 10))
    assert sum(retail.ignored.values()) == written_off.sum() == 2124
    assert len(orders) == sales.Invoice.nunique() == 22_100
    assert sum(len(one["properties"]["products"]) for one in orders) == len(sales)


def test_online_retail_times_are_londons(sold: list[dict[str, Any]]) -> None:
    whole = {one["properties"]["order_id"]: one["timestamp"] for one in sold}
    rows = pd.read_parquet(RETAIL, columns=["Invoice", "InvoiceDate"])
    summer = rows[rows.InvoiceDate.str.startswith("2010-07") & ~rows.Invoice.str.startswith("C")]
    first = summer.iloc[0]
    there = pd.Timestamp(first.InvoiceDate, tz="Europe/London")
    assert datetime.fromisoformat(whole[first.Invoice]) == there.to_pydatetime().astimezone(UTC)


def test_online_retail_money_goes_back_to_the_cent(sold: list[dict[str, Any]]) -> None:
    rows = pd.read_parquet(RETAIL)
    back = rows[rows.Invoice.str.startswith("C")]
    refunded = sum(
        float(one["properties"]["total"]) for one in sold if one["event"] == "Order Refunded"
    )
    whole = (back.Quantity.astype(float).abs() * back.Price).sum()
    cancelled = {one["properties"]["invoice"] for one in sold if one["event"] == "Order Cancelled"}
    of_cancelled = back[back.Invoice.isin(cancelled)]
    most = (of_cancelled.Quantity.astype(float).abs() * of_cancelled.Price).sum()
    assert whole - most - 0.01 <= refunded < whole
