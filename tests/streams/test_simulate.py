from collections import Counter
from datetime import datetime
from typing import Any

import pytest

from models.clock import DAY_MS, HOUR_MS, MINUTE_MS
from models.segment import Door, Rejected, parse
from streams.replay.command import ReplayTrouble
from streams.replay.history import Arrival
from streams.replay.simulated_shop import SimulatedShop
from streams.settings import Settings
from streams.simulate import BODIES_AT_ONCE, batches, hurried, run

START_MS = 1_735_689_600_000


def shop(seed: int = 7, customers: int = 150, days: int = 60) -> SimulatedShop:
    return SimulatedShop(seed=seed, customers=customers, days=days, start_ms=START_MS)


def played(of: SimulatedShop) -> list[Arrival]:
    return [one for one in of.arrivals() if isinstance(one, Arrival)]


@pytest.fixture(scope="module")
def arrivals() -> list[Arrival]:
    return played(shop())


def named(arrivals: list[Arrival], event: str) -> list[dict[str, Any]]:
    return [one.body for one in arrivals if one.body.get("event") == event]


def test_the_same_seed_plays_the_same_shop(arrivals: list[Arrival]) -> None:
    assert played(shop()) == arrivals
    assert played(shop(seed=8)) != arrivals


def test_the_name_tells_seed_size_and_start() -> None:
    assert shop().name == f"simulate:7-150-60:{START_MS}"


def test_arrivals_come_in_order_and_within_the_days_asked_for(arrivals: list[Arrival]) -> None:
    times = [one.at_ms for one in arrivals]
    assert times == sorted(times)
    assert times[0] >= START_MS
    assert times[-1] < START_MS + 60 * DAY_MS


def test_everything_a_shop_has_happens(arrivals: list[Arrival]) -> None:
    kinds = Counter(one.body.get("event", one.body["type"]) for one in arrivals)
    assert kinds.keys() == {
        "page",
        "identify",
        "Products Searched",
        "Product Viewed",
        "Product Added",
        "Product Removed",
        "Product Added to Wishlist",
        "Order Completed",
        "Order Cancelled",
        "Order Refunded",
        "Coupon Applied",
        "Coupon Denied",
        "Return Requested",
        "Ticket Opened",
        "Ticket Answered",
        "Ticket Closed",
        "Ticket Rated",
        "Product Reviewed",
    }
    channels = {one.body["context"]["channel"] for one in arrivals}
    assert channels == {"web", "app", "store"}


def test_the_contract_takes_all_of_it_as_what_it_is(arrivals: list[Arrival]) -> None:
    for one in arrivals:
        drafts = parse(one.body, Door(one.at_ms, source="simulate"))
        assert not isinstance(drafts, Rejected), drafts
        assert all(draft.claimed_at_ms == 0 for draft in drafts)
        assert all(draft.type.__name__ != "Tracked" for draft in drafts)


def test_everything_is_labelled_as_simulated(arrivals: list[Arrival]) -> None:
    assert all(one.body["messageId"].startswith("simulate:") for one in arrivals)
    traits = [one.body["traits"] for one in arrivals if one.body["type"] == "identify"]
    assert traits
    assert all(one["simulated"] is True for one in traits)
    assert all(one["email"].endswith("@example.com") for one in traits)


def test_some_arrive_twice_some_late_and_some_out_of_order(arrivals: list[Arrival]) -> None:
    ids = Counter(one.body["messageId"] for one in arrivals)
    assert set(ids.values()) == {1, 2}
    assert 0.005 < sum(count == 2 for count in ids.values()) / len(ids) < 0.02
    lags = [one.at_ms - happened_ms(one) for one in arrivals]
    assert min(lags) > 0
    assert 0.001 < sum(lag > HOUR_MS for lag in lags) / len(lags) < 0.03
    happened = [happened_ms(one) for one in arrivals]
    assert happened != sorted(happened)


def happened_ms(one: Arrival) -> int:
    return int(datetime.fromisoformat(one.body["timestamp"]).timestamp() * 1000)


def test_devices_turn_out_to_be_customers(arrivals: list[Arrival]) -> None:
    first = sorted(arrivals, key=happened_ms)
    by_device = {one.body["anonymousId"] for one in first if "userId" not in one.body}
    became = {
        one.body["anonymousId"]
        for one in first
        if one.body["type"] == "identify" and one.body["anonymousId"] in by_device
    }
    assert len(became) > 10
    assert len(by_device - became) > 0
    assert all("userId" in body for body in named(arrivals, "Order Completed"))


def test_customers_come_again_at_a_pace_of_their_own(arrivals: list[Arrival]) -> None:
    orders = Counter(
        body["userId"]
        for body in {one["messageId"]: one for one in named(arrivals, "Order Completed")}.values()
    )
    assert max(orders.values()) >= 8
    assert min(orders.values()) == 1
    assert 2.0 < sum(orders.values()) / len(orders) < 8.0


def test_more_happens_in_the_evening_than_at_night(arrivals: list[Arrival]) -> None:
    hours = Counter(one.at_ms // HOUR_MS % 24 for one in arrivals)
    assert sum(hours[hour] for hour in (18, 19, 20)) > 5 * sum(hours[hour] for hour in (1, 2, 3))


def test_an_order_says_what_its_products_cost_less_the_coupon(arrivals: list[Arrival]) -> None:
    for body in named(arrivals, "Order Completed"):
        order = body["properties"]
        lines = sum(cents(line["price"]) * line["quantity"] for line in order["products"])
        assert cents(order["total"]) + cents(order["discount"]) == lines


def cents(text: str) -> int:
    return int(text.replace(".", ""))


def test_a_hurried_shop_is_the_same_shop_in_less_time() -> None:
    small = shop(customers=20, days=30)
    slow, fast = played(small), list(hurried(small, 200.0))
    assert [one.body for one in fast] == [one.body for one in slow]
    assert fast[-1].at_ms - START_MS == pytest.approx(
        (slow[-1].at_ms - START_MS) / 200.0, abs=MINUTE_MS
    )


def test_what_arrives_within_a_moment_is_sent_together_up_to_a_number() -> None:
    times = [0, 100, 250, 251, *([9_000] * (BODIES_AT_ONCE + 1))]
    found = list(batches(Arrival(at_ms, {}) for at_ms in times))
    assert [[one.at_ms for one in batch][:4] for batch in found] == [
        [0, 100, 250],
        [251],
        [9_000] * 4,
        [9_000],
    ]
    assert len(found[2]) == BODIES_AT_ONCE


def test_a_live_simulation_has_no_speed() -> None:
    with pytest.raises(ReplayTrouble, match="leave out --speed"):
        run(Settings(), speed=1.0, live=True)
