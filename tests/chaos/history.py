"""A seeded shop's traffic: what its channels post to the gateway, good and bad."""

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

PRODUCTS = 40
WINDOW = 60
NEW_AFTER_MESSAGES = 12
MINUTE_MS = 60_000
DAY_MS = 86_400_000
GARBAGE = "garbage-"


@dataclass
class Batch:
    """One request: `ids` are the messages that must be taken, `garbage` those that must not."""

    messages: list[Any]
    ids: list[str] = field(default_factory=list)
    garbage: list[str] = field(default_factory=list)
    raw: bytes | None = None


class Channel:
    """One sender of traffic; its customers are its own, so it alone orders what they do."""

    def __init__(self, seed: str, name: str, *, plain: bool = False) -> None:
        self._chance = random.Random(f"{seed}:{name}")
        self._name = name
        self._plain = plain
        self._numbers = 0
        self._customers = 8
        self._orders: dict[str, list[str]] = {}
        self._visitors: dict[str, str] = {}
        self._earlier: list[dict[str, Any]] = []

    def batch(self, now_ms: int, size: int) -> Batch:
        """Make the next request, as if it were `now_ms` in the log's time."""
        batch = Batch([])
        for _ in range(size):
            self._one(batch, now_ms)
        if not self._plain:
            self._spoil(batch)
        return batch

    def orders(self, now_ms: int, customers: int | None) -> Batch:
        """Make a request in which the first so many customers order once; None: all of them."""
        batch = Batch([])
        for number in range(self._customers if customers is None else customers):
            self._numbers += 1
            self._put(batch, self._order(f"{self._name}-c{number}"), now_ms)
        return batch

    def _one(self, batch: Batch, now_ms: int) -> None:
        self._numbers += 1
        if self._numbers % NEW_AFTER_MESSAGES == 0:
            self._customers += 1
        number = self._chance.randrange(max(0, self._customers - WINDOW), self._customers)
        self._put(batch, self._message(f"{self._name}-c{number}"), now_ms)

    def _put(self, batch: Batch, body: dict[str, Any], now_ms: int) -> None:
        body["messageId"] = f"{self._name}-{self._numbers}"
        at_ms = now_ms - self._age_ms()
        body["timestamp"] = datetime.fromtimestamp(at_ms / 1000, UTC).isoformat()
        batch.messages.append(body)
        batch.ids.append(body["messageId"])

    def _age_ms(self) -> int:
        if self._chance.random() < 0.02 and not self._plain:
            return self._chance.randrange(30 * DAY_MS)
        return self._chance.randrange(MINUTE_MS)

    def _message(self, customer: str) -> dict[str, Any]:
        roll = self._chance.random()
        if roll < 0.45:
            return self._track(customer, "Product Viewed", self._product())
        if roll < 0.65:
            return self._order(customer)
        if roll < 0.72:
            return self._void(customer)
        if roll < 0.80:
            return self._track(customer, "Product Added", self._product())
        if roll < 0.86:
            return {
                "type": "identify",
                "userId": customer,
                "traits": {"email": f"{customer}@example.com", "firstName": "Anna"},
            }
        if roll < 0.96 or self._plain:
            return {"type": "page", "userId": customer, "name": "Home"}
        return self._merge(customer)

    def _track(self, customer: str, event: str, properties: dict[str, Any]) -> dict[str, Any]:
        visitor = self._visitors.get(customer)
        who = {"anonymousId": visitor} if visitor else {"userId": customer}
        return {"type": "track", "event": event, "properties": properties, **who}

    def _product(self) -> dict[str, Any]:
        number = self._chance.randrange(PRODUCTS)
        return {
            "product_id": f"p{number}",
            "name": f"Shoe {number}",
            "price": 10 + number,
            "category": f"k{number % 5}",
        }

    def _order(self, customer: str) -> dict[str, Any]:
        product = self._product()
        order_id = f"{customer}-o{self._numbers}"
        self._orders.setdefault(customer, []).append(order_id)
        properties = {
            "order_id": order_id,
            "total": product["price"],
            "currency": "USD",
            "products": [product],
        }
        return self._track(customer, "Order Completed", properties)

    def _void(self, customer: str) -> dict[str, Any]:
        known = self._orders.get(customer)
        if not known:
            return self._track(customer, "Product Viewed", self._product())
        order_id = self._chance.choice(known[-4:])
        if self._chance.random() < 0.5:
            return self._track(customer, "Order Cancelled", {"order_id": order_id})
        return self._track(customer, "Order Refunded", {"order_id": order_id, "total": 1})

    def _merge(self, customer: str) -> dict[str, Any]:
        """A visitor begins to shop for the customer, or turns out to be it."""
        visitor = self._visitors.pop(customer, None)
        if visitor is None:
            self._visitors[customer] = f"{customer}-v{self._numbers}"
            return {"type": "page", "anonymousId": self._visitors[customer], "name": "Home"}
        return {
            "type": "identify",
            "userId": customer,
            "anonymousId": visitor,
            "traits": {"firstName": "Anna"},
        }

    def _spoil(self, batch: Batch) -> None:
        """Repeat what was sent before, change the order, put garbage between."""
        if self._earlier and self._chance.random() < 0.2:
            batch.messages.append(self._chance.choice(self._earlier))
        self._earlier = batch.messages[:4]
        if self._chance.random() < 0.3:
            self._chance.shuffle(batch.messages)
        if self._chance.random() < 0.1:
            name = f"{GARBAGE}{self._name}-{self._numbers}"
            batch.garbage.append(name)
            if self._chance.random() < 0.3:
                batch.raw = b'{"batch": [{"messageId": "' + name.encode() + b'", '
                batch.messages, batch.ids = [], []
                return
            wrong = {"order_id": "o", "total": -1, "currency": "USD"}
            at = self._chance.randrange(len(batch.messages) + 1)
            garbage = self._track("nobody", "Order Completed", wrong) | {"messageId": name}
            batch.messages.insert(at, garbage)
