"""Events as a shop sends them while it lives, each meant for a moment that was fixed beforehand.

Most are the invented shop's own bodies, told anew at the moment they are sent. Among them are
probes, whose outcome can be recognised wherever it arrives:

- a first order of ten minutes ago, whose thank-you is due at the very moment it is sent;
- a look at a product, and a second later an order by the same customer: the fold decides at once
  that there is nothing to remind of.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import cycle
from typing import Any

from models.clock import DAY_MS, MINUTE_MS
from streams.replay.history import Arrival, Body
from streams.replay.simulated_shop import SimulatedShop
from tests.bench.histories import FIRST_DAY, SEED

PROBE_EVERY = 50
WAIT_MS = 10 * MINUTE_MS
"""From the first order to its thanks, by the house rules (tests/builders.py)."""


class LiveFeed:
    """Bodies by number: number n is meant for `begins_s` + n / `rate`, wall time."""

    def __init__(self, rate: int, people: int = 1_000, days: int = 30) -> None:
        self.rate = rate
        self.begins_s = 0.0
        shop = SimulatedShop(seed=SEED, customers=people, days=days, start_ms=FIRST_DAY * DAY_MS)
        bodies = [one.body for one in shop.arrivals() if isinstance(one, Arrival)]
        self._bodies: Iterator[Body] = cycle(bodies)
        # A second before its order, at the place behind the orders'.
        self._looks_before = rate - rate % PROBE_EVERY + PROBE_EVERY - 1

    def meant_for_s(self, number: int) -> float:
        """When this event is to be sent."""
        return self.begins_s + number / self.rate

    def body(self, number: int) -> Body:
        """What is sent under this number."""
        at_s = self.meant_for_s(number)
        place = number % PROBE_EVERY
        if place == 0:
            return self._order(number, f"buyer-{number}", at_s - WAIT_MS / 1000)
        if place == 1:
            return self._order(number, f"looker-{number}", at_s)
        if place == 2:
            ordered = number + self._looks_before
            product = {"product_id": product_of(ordered), "name": "Probe", "price": "1.00"}
            return self._told(number, at_s, f"looker-{ordered}", "Product Viewed", product)
        body = dict(next(self._bodies))
        # A customer that lives on in this run is another in the next turn of the same lives.
        return body | {"messageId": name_of(number), "timestamp": _spoken(at_s)}

    def is_decided_at_once(self, number: int) -> bool:
        """Whether a decision follows from this event without any wait: its look was sent."""
        return number % PROBE_EVERY == 1 and number >= self._looks_before

    def _order(self, number: int, customer: str, at_s: float) -> Body:
        properties = {"order_id": order_of(number), "total": "20.00", "currency": "USD"}
        return self._told(number, at_s, customer, "Order Completed", properties)

    def _told(
        self, number: int, at_s: float, customer: str, event: str, properties: dict[str, Any]
    ) -> Body:
        return {
            "type": "track",
            "messageId": name_of(number),
            "userId": customer,
            "event": event,
            "timestamp": _spoken(at_s),
            "properties": properties,
        }


def is_thanked(number: int) -> bool:
    """Whether a thank-you follows from this event."""
    return number % PROBE_EVERY == 0


def name_of(number: int) -> str:
    """The event's message id."""
    return f"bench-event-{number}"


def order_of(number: int) -> str:
    """Order id of a probe."""
    return f"bench-order-{number}"


def product_of(number: int) -> str:
    """The product that was looked at before the order of this number."""
    return f"bench-look-{number}"


def _spoken(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).isoformat(timespec="milliseconds")
