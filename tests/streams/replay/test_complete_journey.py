from collections import Counter
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pandas as pd
import pytest

from models.clock import DAY_MS
from streams.replay.complete_journey import CompleteJourney, package_directory
from streams.replay.history import Arrival

DAYS = 31


@pytest.fixture(scope="module")
def arrivals() -> list[Arrival]:
    found = list(CompleteJourney(days=DAYS).arrivals())
    assert all(isinstance(one, Arrival) for one in found)
    return [one for one in found if isinstance(one, Arrival)]


@pytest.fixture(scope="module")
def lines() -> pd.DataFrame:
    whole = pd.read_parquet(package_directory() / "transactions.parquet")
    return whole[whole.transaction_timestamp < "2017-02-01"]


def orders_of(arrivals: list[Arrival]) -> list[dict]:
    return [one.body for one in arrivals if one.body.get("event") == "Order Completed"]


def test_every_basket_is_one_order_and_every_line_is_there(
    arrivals: list[Arrival], lines: pd.DataFrame
) -> None:
    orders = orders_of(arrivals)
    assert len(orders) == lines.basket_id.nunique() > 10_000
    assert {one["properties"]["order_id"] for one in orders} == set(lines.basket_id.astype(str))
    assert sum(len(one["properties"]["products"]) for one in orders) == len(lines)


def test_cents_add_up_line_by_line_and_in_total(
    arrivals: list[Arrival], lines: pd.DataFrame
) -> None:
    paid = discount = Decimal(0)
    for order in orders_of(arrivals):
        properties = order["properties"]
        in_lines = sum(Decimal(line["total"]) for line in properties["products"])
        assert in_lines == Decimal(properties["total"])
        paid += in_lines
        discount += Decimal(properties["discount"])
    cents = (lines.sales_value * 100).round().astype(int).sum()
    given = lines.retail_disc + lines.coupon_disc + lines.coupon_match_disc
    assert paid == Decimal(int(cents)) / 100
    assert discount == Decimal(int((given * 100).round().astype(int).sum())) / 100


def test_zero_value_baskets_stay(arrivals: list[Arrival], lines: pd.DataFrame) -> None:
    free = [one for one in orders_of(arrivals) if Decimal(one["properties"]["total"]) == 0]
    assert len(free) == (lines.groupby("basket_id").sales_value.sum() == 0).sum() > 0


def test_arrivals_are_in_order_and_carry_their_own_time(arrivals: list[Arrival]) -> None:
    times = [one.at_ms for one in arrivals]
    assert times == sorted(times)
    for one in arrivals:
        at = datetime.fromisoformat(one.body["timestamp"])
        assert at.timestamp() * 1000 == one.at_ms


def test_a_household_with_demographics_is_identified_once_before_its_first_order(
    arrivals: list[Arrival], lines: pd.DataFrame
) -> None:
    demographics = pd.read_parquet(package_directory() / "demographics.parquet")
    expected = set(demographics.household_id) & set(lines.household_id)
    seen: set[str] = set()
    identified = Counter()
    for one in arrivals:
        if one.body["type"] == "identify":
            assert one.body["userId"] not in seen
            identified[one.body["userId"]] += 1
        seen.add(one.body["userId"])
    assert identified == Counter(str(household) for household in expected)


def test_traits_are_those_of_the_demographics_and_unknown_ones_are_left_out(
    arrivals: list[Arrival],
) -> None:
    traits = {
        one.body["userId"]: one.body["traits"] for one in arrivals if one.body["type"] == "identify"
    }
    assert traits["900"] == {
        "age": "35-44",
        "income": "35-49K",
        "home_ownership": "Homeowner",
        "marital_status": "Married",
        "household_size": "2",
        "household_comp": "2 Adults No Kids",
        "kids_count": "0",
    }
    assert all(None not in one.values() for one in traits.values())
    assert any("home_ownership" not in one for one in traits.values())


def test_a_coupon_follows_the_households_first_basket_of_the_day_or_comes_at_noon(
    arrivals: list[Arrival], lines: pd.DataFrame
) -> None:
    redeemed = pd.read_parquet(package_directory() / "coupon_redemptions.parquet")
    redeemed = redeemed[redeemed.redemption_date < "2017-02-01"]
    coupons = [one for one in arrivals if one.body.get("event") == "Coupon Applied"]
    assert len(coupons) == len(redeemed) > 10
    local = lines.transaction_timestamp.dt.tz_localize("UTC").dt.tz_convert("America/New_York")
    alone = 0
    for one in coupons:
        household = int(one.body["userId"])
        at = datetime.fromtimestamp(one.at_ms / 1000, ZoneInfo("America/New_York"))
        visits = lines[(lines.household_id == household) & (local.dt.date == at.date())]
        if visits.empty:
            alone += 1
            assert (at.hour, at.minute) == (12, 0)
            assert "order_id" not in one.body["properties"]
        else:
            first = visits.iloc[0]
            assert one.body["properties"]["order_id"] == str(first.basket_id)
            assert one.at_ms == int(first.transaction_timestamp.timestamp() * 1000)
    assert alone <= 3


def test_message_ids_are_unique_and_the_same_at_every_reading(arrivals: list[Arrival]) -> None:
    ids = [one.body["messageId"] for one in arrivals]
    assert len(ids) == len(set(ids))
    again = [one for one in CompleteJourney(days=DAYS).arrivals() if isinstance(one, Arrival)]
    assert again == arrivals


def test_everything_that_arrives_can_be_named_without_being_made(arrivals: list[Arrival]) -> None:
    named = list(CompleteJourney(days=DAYS).named())
    assert [one.message_id for one in named] == [one.body["messageId"] for one in arrivals]
    assert [one.customer_id for one in named] == [one.body["userId"] for one in arrivals]
    assert [one.order_id for one in named if one.order_id] == [
        one["properties"]["order_id"] for one in orders_of(arrivals)
    ]


def test_the_number_of_days_ends_the_history_early_and_is_part_of_its_name() -> None:
    history = CompleteJourney(days=1)
    assert history.name == "complete-journey:1-days"
    days = {datetime.fromtimestamp(one.at_ms / 1000, UTC).date() for one in history.arrivals()}
    assert days == {date(2017, 1, 1)}
    assert (
        history.first_ms <= history.last_ms < history.first_ms - history.first_ms % DAY_MS + DAY_MS
    )


def test_the_whole_year_is_known_before_it_is_read() -> None:
    history = CompleteJourney()
    assert history.name == "complete-journey"
    first = datetime.fromtimestamp(history.first_ms / 1000, UTC)
    last = datetime.fromtimestamp(history.last_ms / 1000, UTC)
    assert (first.isoformat(), last.isoformat()) == (
        "2017-01-01T11:53:26+00:00",
        "2018-01-01T04:01:20+00:00",
    )


def test_files_of_another_directory_may_be_read(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="transactions"):
        CompleteJourney(directory=tmp_path)


def test_fewer_days_are_the_beginning_of_more(arrivals: list[Arrival]) -> None:
    fewer = list(CompleteJourney(days=2).arrivals())
    assert 0 < len(fewer) < len(arrivals)
    assert fewer == arrivals[: len(fewer)]
