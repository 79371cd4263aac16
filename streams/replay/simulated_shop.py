"""The invented shop as a history: visits, orders and what follows from them, as a feed brings it.

Pure: the same seed, size and start give the same arrivals. A feed is not tidy: some messages arrive
twice, some late, and neighbours change places.
"""

import math
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from heapq import heappop, heappush
from itertools import count
from random import Random
from typing import Any

from models.clock import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS
from streams.replay.history import Arrival, BadRow, Body
from streams.replay.simulated_customers import Person, Product, catalogue, money, person

SOURCE = "simulate"
CURRENCY = "USD"
_HOURS = (1, 1, 1, 1, 1, 2, 4, 7, 9, 10, 11, 12, 13, 11, 10, 10, 11, 13, 16, 19, 20, 16, 9, 4)
_WEEKDAYS = (0.9, 0.85, 0.9, 0.95, 1.1, 1.3, 1.2)
_REVIEWS = {
    5: "just what I was looking for",
    4: "good, and it came in time",
    3: "it does what it should",
    2: "I had hoped for more",
    1: "not for me",
}
_COMPLAINTS = ("delivery late", "parcel damaged", "wrong article", "does not work", "invoice")
_RETURNS = ("too small", "not as shown", "broken", "changed my mind")
_SEARCHES = ("gift", "sale", "new", "refill", "birthday", "set")

Plan = Callable[[int], None]


class SimulatedShop:
    """A shop of `customers` people over `days` days from `start_ms`."""

    def __init__(self, *, seed: int, customers: int, days: int, start_ms: int) -> None:
        self.seed = seed
        self.customers = customers
        self.days = days
        self.first_ms = start_ms
        self.last_ms = start_ms + days * DAY_MS - 1
        self.name = f"{prefix(seed, customers, days)}{start_ms}"

    def arrivals(self) -> Iterator[Arrival | BadRow]:
        """Play the shop from its first minute."""
        return _Shop(self).play()


def prefix(seed: int, customers: int, days: int) -> str:
    """Begin of the name of such a shop; what follows is when it starts."""
    return f"{SOURCE}:{seed}-{customers}-{days}:"


class _Shop:
    """One run: plans wait by the time at which they happen, messages by that of their arrival."""

    def __init__(self, shop: SimulatedShop) -> None:
        self._shop = shop
        self._products = catalogue(shop.seed)
        self._by_category: dict[str, list[Product]] = {}
        for product in self._products:
            self._by_category.setdefault(product.category, []).append(product)
        self._plans: list[tuple[int, int, Plan]] = []
        self._feed: list[tuple[int, int, Body]] = []
        self._turns = count()
        self._chance = Random(f"shop {shop.seed}")

    def play(self) -> Iterator[Arrival]:
        shop = self._shop
        for number in range(shop.customers):
            one = _Life(self, person(shop.seed, number, shop.days), Random(f"{shop.seed} {number}"))
            self.plan(one.first_visit_ms(), one.visit)
        while self._plans:
            at_ms, _, plan = heappop(self._plans)
            yield from self._arrived(at_ms)
            if at_ms <= shop.last_ms:
                plan(at_ms)
        yield from self._arrived(shop.last_ms)

    def _arrived(self, until_ms: int) -> Iterator[Arrival]:
        while self._feed and self._feed[0][0] < min(until_ms, self._shop.last_ms + 1):
            at_ms, _, body = heappop(self._feed)
            yield Arrival(at_ms, body)

    def plan(self, at_ms: int, plan: Plan) -> None:
        """Let something happen then."""
        heappush(self._plans, (at_ms, next(self._turns), plan))

    def send(self, at_ms: int, body: Body) -> None:
        """Put a message on its way: most are there in seconds, some late, some twice."""
        chance = self._chance
        arrives_ms = at_ms + chance.randrange(1, 20 * SECOND_MS)
        if chance.random() < 0.02:
            arrives_ms = at_ms + int(MINUTE_MS * math.exp(chance.uniform(0.0, 7.6)))
        heappush(self._feed, (arrives_ms, next(self._turns), body))
        if chance.random() < 0.01:
            again_ms = arrives_ms + chance.randrange(SECOND_MS, 2 * HOUR_MS)
            heappush(self._feed, (again_ms, next(self._turns), body))

    def pick(self, chance: Random, likes: tuple[str, ...]) -> Product:
        """Choose a product, mostly of what somebody likes."""
        if chance.random() < 0.8:
            return chance.choice(self._by_category[chance.choice(likes)])
        return chance.choice(self._products)

    def season(self, at_ms: int) -> float:
        """How much is bought then, around 1: weekdays, summer's low, the weeks before Christmas."""
        at = datetime.fromtimestamp(at_ms / 1000, UTC)
        year = 1.0 + 0.15 * math.cos((at.timetuple().tm_yday - 15) / 365.0 * 2 * math.pi)
        festive = 1.6 if (11, 20) <= (at.month, at.day) < (12, 22) else 1.0
        return _WEEKDAYS[at.weekday()] * year * festive

    @property
    def begins_ms(self) -> int:
        return self._shop.first_ms

    @property
    def seed(self) -> int:
        return self._shop.seed


class _Life:
    """One customer's life in the shop."""

    def __init__(self, shop: _Shop, who: Person, chance: Random) -> None:
        self._shop = shop
        self._who = who
        self._chance = chance
        self._is_known = False
        self._numbers = count()
        self._channel = "web"

    def first_visit_ms(self) -> int:
        wait_days = self._chance.expovariate(1.0 / self._who.visits_gap_days)
        joins_ms = int((self._who.joins_after_days + wait_days) * DAY_MS)
        return self._at_some_hour(self._shop.begins_ms + joins_ms)

    def visit(self, at_ms: int) -> None:
        """Look around; perhaps buy; come again another day."""
        chance = self._chance
        self._channel = "app" if chance.random() < self._who.uses_app else "web"
        if self._who.is_known_at_once and not self._is_known:
            self._identify(at_ms)
        looked = self._look_around(at_ms)
        end_ms = at_ms + (len(looked) + 1) * MINUTE_MS
        if chance.random() < min(0.95, self._who.buys * self._shop.season(at_ms)):
            self._order(end_ms, looked)
            if chance.random() < self._who.leaves:
                return
        gap_ms = int(chance.expovariate(1.0 / self._who.visits_gap_days) * DAY_MS)
        self._shop.plan(self._at_some_hour(end_ms + HOUR_MS + gap_ms), self.visit)

    def _look_around(self, at_ms: int) -> list[Product]:
        chance = self._chance
        self._send(at_ms, "page", name="Home", properties={"path": "/"})
        if chance.random() < 0.3:
            query = f"{chance.choice(_SEARCHES)} {chance.choice(self._who.likes)}"
            self._track(at_ms + 20 * SECOND_MS, "Products Searched", {"query": query})
        looked = []
        for number in range(chance.randint(1, 6)):
            product = self._shop.pick(chance, self._who.likes)
            seen_ms = at_ms + (number + 1) * MINUTE_MS
            self._track(seen_ms, "Product Viewed", product.body())
            self._use(seen_ms + 20 * SECOND_MS, product)
            looked.append(product)
        return looked

    def _use(self, at_ms: int, product: Product) -> None:
        chance = self._chance.random()
        if chance < 0.08:
            self._track(at_ms, "Product Added to Wishlist", product.body())
        elif chance < 0.40:
            self._track(at_ms, "Product Added", product.body())
            if self._chance.random() < 0.15:
                self._track(at_ms + 15 * SECOND_MS, "Product Removed", product.body())

    def _order(self, at_ms: int, looked: list[Product]) -> None:
        chance = self._chance
        if not self._is_known:
            self._identify(at_ms - SECOND_MS)
        is_in_store = chance.random() < 0.1
        lines = [(product, chance.choice((1, 1, 1, 2, 3))) for product in looked[:4]]
        total = sum(product.price_cents * quantity for product, quantity in lines)
        order_id = f"{self._who.user_id}-{self._shop.begins_ms}-{next(self._numbers)}"
        discount = self._coupon(at_ms, order_id, total)
        self._channel = "store" if is_in_store else self._channel
        self._track(
            at_ms,
            "Order Completed",
            {
                "order_id": order_id,
                "total": money(total - discount),
                "discount": money(discount),
                "currency": CURRENCY,
                "products": [product.body(quantity) for product, quantity in lines],
            },
        )
        self._aftermath(at_ms, order_id, lines[0][0], total - discount)

    def _coupon(self, at_ms: int, order_id: str, total_cents: int) -> int:
        chance = self._chance.random()
        properties = {"coupon_id": "SIM10", "order_id": order_id}
        if chance < 0.02:
            self._track(at_ms, "Coupon Denied", {**properties, "reason": "expired"})
        elif chance < 0.15:
            discount = total_cents // 10
            self._track(
                at_ms,
                "Coupon Applied",
                {**properties, "discount": money(discount), "currency": CURRENCY},
            )
            return discount
        return 0

    def _aftermath(self, at_ms: int, order_id: str, product: Product, paid_cents: int) -> None:
        """Plan what becomes of an order: one thing at the most."""
        chance = self._chance.random()
        later = self._chance.uniform
        if chance < 0.03:
            cancelled_ms = at_ms + int(later(1, 120) * MINUTE_MS)
            self._shop.plan(cancelled_ms, lambda then: self._cancel(then, order_id))
        elif chance < 0.07:
            back_ms = at_ms + int(later(4, 12) * DAY_MS)
            self._shop.plan(back_ms, lambda then: self._return(then, order_id, product, paid_cents))
        elif chance < 0.07 + self._who.complains:
            wrong_ms = at_ms + int(later(1, 6) * DAY_MS)
            self._shop.plan(wrong_ms, lambda then: self._complain(then, order_id, product))
        elif chance > 0.88:
            told_ms = at_ms + int(later(3, 10) * DAY_MS)
            self._shop.plan(told_ms, lambda then: self._review(then, product))

    def _cancel(self, at_ms: int, order_id: str) -> None:
        self._track(at_ms, "Order Cancelled", {"order_id": order_id})

    def _return(self, at_ms: int, order_id: str, product: Product, paid_cents: int) -> None:
        about = {"order_id": order_id, "product_id": product.product_id}
        reason = self._chance.choice(_RETURNS)
        self._track(at_ms, "Return Requested", {**about, "quantity": 1, "reason": reason})
        back_cents = min(product.price_cents, paid_cents)
        refund = {"order_id": order_id, "total": money(back_cents), "currency": CURRENCY}
        refunded_ms = at_ms + int(self._chance.uniform(1, 4) * DAY_MS)
        self._shop.plan(refunded_ms, lambda then: self._track(then, "Order Refunded", refund))

    def _complain(self, at_ms: int, order_id: str, product: Product) -> None:
        chance = self._chance
        ticket = {"ticket_id": f"ticket-{order_id}"}
        words = chance.choice(_COMPLAINTS)
        opened = {**ticket, "topic": words, "product_id": product.product_id}
        self._track(at_ms, "Ticket Opened", {**opened, "text": f"Simulated complaint: {words}"})
        answered_ms = at_ms + int(chance.uniform(0.5, 40) * HOUR_MS)
        closed_ms = answered_ms + int(chance.uniform(1, 48) * HOUR_MS)
        rating = max(1, 5 - int((closed_ms - at_ms) / DAY_MS) - chance.randrange(2))
        self._shop.plan(answered_ms, lambda then: self._track(then, "Ticket Answered", ticket))
        self._shop.plan(closed_ms, lambda then: self._track(then, "Ticket Closed", ticket))
        self._shop.plan(
            closed_ms + HOUR_MS,
            lambda then: self._track(then, "Ticket Rated", {**ticket, "rating": rating}),
        )

    def _review(self, at_ms: int, product: Product) -> None:
        rating = self._chance.choice((5, 5, 5, 4, 4, 3, 2, 1))
        self._track(
            at_ms,
            "Product Reviewed",
            {
                "product_id": product.product_id,
                "review_id": f"review-{self._who.user_id}-{next(self._numbers)}",
                "review_body": f"Simulated review: {_REVIEWS[rating]}.",
                "published": True,
                "rating": str(rating),
            },
        )

    def _identify(self, at_ms: int) -> None:
        """Become known; what the device did before belongs to the customer from now on."""
        self._is_known = True
        self._send(at_ms, "identify", traits=self._who.traits, anonymousId=self._who.device_id)

    def _track(self, at_ms: int, event: str, properties: dict[str, Any]) -> None:
        self._send(at_ms, "track", event=event, properties=properties)

    def _send(self, at_ms: int, kind: str, **fields: Any) -> None:
        who = (
            {"userId": self._who.user_id}
            if self._is_known
            else {"anonymousId": self._who.device_id}
        )
        number = f"{self._who.user_id}:{self._shop.begins_ms}:{next(self._numbers)}"
        body = {
            "type": kind,
            "messageId": f"{SOURCE}:{number}",
            **who,
            "timestamp": datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(),
            "context": {"channel": self._channel},
            **fields,
        }
        self._shop.send(at_ms, body)

    def _at_some_hour(self, at_ms: int) -> int:
        """Move a moment to an hour at which people shop, not before it and on its day at best."""
        day_ms = at_ms - at_ms % DAY_MS
        hour = self._chance.choices(range(24), _HOURS)[0]
        moved_ms = day_ms + hour * HOUR_MS + self._chance.randrange(HOUR_MS)
        return moved_ms if moved_ms >= at_ms else moved_ms + DAY_MS
