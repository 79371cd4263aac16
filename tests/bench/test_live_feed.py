"""The probes: each order has its look a second before, each first order its thank-you."""

import pytest

from models.segment import Door, parse
from tests.bench.live_feed import WAIT_MS, LiveFeed, is_thanked, name_of, order_of, product_of

BEGINS_S = 1_700_000_000.0


@pytest.fixture(scope="module", params=[200, 2_000])
def feed(request: pytest.FixtureRequest) -> LiveFeed:
    made = LiveFeed(request.param, people=20, days=5)
    made.begins_s = BEGINS_S
    return made


def test_every_body_is_a_message_the_gateway_takes(feed: LiveFeed) -> None:
    door = Door(int(BEGINS_S * 1000) + 3_600_000, "USD", "gateway")
    for number in range(500):
        body = feed.body(number)
        assert body["messageId"] == name_of(number)
        assert isinstance(parse(body, door), list)


def test_an_order_is_decided_by_the_look_a_second_before(feed: LiveFeed) -> None:
    bodies = {number: feed.body(number) for number in range(3 * feed.rate)}
    decided = [number for number in bodies if feed.is_decided_at_once(number)]
    assert len(decided) > feed.rate / 50
    for number in decided:
        order = bodies[number]
        looks = [
            one
            for one in bodies.values()
            if one.get("properties", {}).get("product_id") == product_of(number)
        ]
        assert [one["userId"] for one in looks] == [order["userId"]]
        assert order["properties"]["order_id"] == order_of(number)
        assert looks[0]["timestamp"] < order["timestamp"]


def test_a_thank_you_is_due_when_its_order_is_sent(feed: LiveFeed) -> None:
    thanked = [number for number in range(500) if is_thanked(number)]
    assert thanked
    for number in thanked:
        event = parse(feed.body(number), Door(int(BEGINS_S * 1000) + 10_000, "USD", "gateway"))
        assert isinstance(event, list)
        meant_ms = feed.meant_for_s(number) * 1000
        assert event[0].occurred_at_ms + WAIT_MS == pytest.approx(meant_ms, abs=2)
