"""What is counted of an hour."""

from typing import Any

import pytest

from models.customer import Customer
from models.effects import EventFolded
from models.events import (
    Channel,
    CustomerEvent,
    CustomerIdentified,
    Line,
    MessageBounced,
    MessageChannel,
    ProductViewed,
    ReturnRequested,
    TicketOpened,
    encode,
)
from models.hour_counts import KEPT_CATEGORIES, OTHER, HourCounts, count
from models.step import step
from models.view import View
from tests.builders import make, order


def counted(*events: CustomerEvent) -> HourCounts:
    """Count events of one customer as the fold does."""
    counts, customer = HourCounts(), Customer()
    view = View(incarnation=1, partition=0, partitions=1)
    for event in events:
        effects = step(customer, event, encode(event), view)
        if effects and isinstance(effects[0], EventFolded):
            count(counts, event, effects[0])
    return counts


def lines(*categories: str) -> tuple[Line, ...]:
    return tuple(Line(product_id=name, category=name) for name in categories)


def test_an_order_counts_in_each_of_its_slices_once() -> None:
    one = order("o1", 1_000, channel=Channel.APP, lines=lines("shoes", "shoes", "hats", ""))
    counts = counted(one)
    assert (counts.orders, counts.revenue_cents) == (1, 1_000)
    assert counts.slices == {
        "tier:new": 1,
        "channel:app": 1,
        "category:shoes": 1,
        "category:hats": 1,
    }


def test_only_a_customers_later_orders_are_repeat_orders() -> None:
    counts = counted(order("o1"), order("o2"), order("o3"))
    assert (counts.orders, counts.others["repeat_orders"]) == (3, 2)


def test_an_order_told_twice_counts_once() -> None:
    assert counted(order("o1"), order("o1")).orders == 1


@pytest.mark.parametrize(
    ("kind", "fields", "name"),
    [
        (ReturnRequested, {"order_id": "o1"}, "returns"),
        (TicketOpened, {"ticket_id": "t1"}, "complaints"),
        (
            MessageBounced,
            {"action_id": "a", "message_channel": MessageChannel.EMAIL},
            "message_failures",
        ),
    ],
)
def test_what_goes_wrong_is_counted(kind: Any, fields: dict[str, Any], name: str) -> None:
    again = fields | ({"action_id": "b"} if "action_id" in fields else {})
    counts = counted(order("o1"), make(kind, **fields), make(kind, **again))
    assert counts.others[name] == 2


def test_a_sign_up_is_the_first_event_under_a_name() -> None:
    assert counted(make(CustomerIdentified), order("o1")).others["sign_ups"] == 1
    view = make(ProductViewed, line=Line(product_id="p"), anonymous=True)
    assert "sign_ups" not in counted(view).others


def test_categories_are_bounded() -> None:
    many = [order(f"o{at}", lines=lines(f"c{at}")) for at in range(3 * KEPT_CATEGORIES)]
    slices = counted(*many).slices
    assert len(slices) <= KEPT_CATEGORIES + 1
    assert slices[OTHER] > KEPT_CATEGORIES
