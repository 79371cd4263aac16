"""Which order do returned goods come from, when the shop's export does not say.

Goods are taken from the customer's newest order that still holds them, then from older ones. An
order of which everything has come back was cancelled, else it was refunded in part. What is found
in no order is a refund of an order nobody knows, under the returning invoice's own id: money that
went back for goods bought before the history begins, or for no goods at all. Orders further back
than a customer's row remembers count as unknown too, so that every reader says the same of them.
"""

from collections import defaultdict, deque
from collections.abc import Iterable
from decimal import Decimal
from typing import NamedTuple

from models.customer import KEPT_ORDERS
from streams.replay.lines import Line


class Returned(NamedTuple):
    """Goods that came back from one order; `is_whole` when it holds nothing any more.

    `lines` are (product, quantity, price of all of it), all above zero.
    """

    order: str
    lines: list[tuple[str, Decimal, Decimal]]
    is_whole: bool


class LookBack:
    """The newest orders of every customer and what they still hold."""

    def __init__(self) -> None:
        self._orders: dict[str, deque[tuple[str, dict[str, Decimal]]]] = defaultdict(
            lambda: deque(maxlen=KEPT_ORDERS)
        )

    def buy(self, customer: str, order: str, lines: Iterable[Line]) -> None:
        """Remember an order; orders come in the sequence of time."""
        held: dict[str, Decimal] = defaultdict(Decimal)
        for line in lines:
            held[line.product] += line.quantity
        left = {product: quantity for product, quantity in held.items() if quantity > 0}
        self._orders[customer].append((order, left))

    def take_back(self, customer: str, invoice: str, lines: Iterable[Line]) -> list[Returned]:
        """Find the orders that the lines of a returning invoice empty, newest order first."""
        found: dict[str, list[tuple[str, Decimal, Decimal]]] = defaultdict(list)
        for line in lines:
            rest = abs(line.quantity)
            price = abs(line.paid) / rest if rest else abs(line.paid)
            for order, left in reversed(self._orders.get(customer, ())):
                taken = min(rest, left.get(line.product, Decimal(0)))
                if taken > 0:
                    found[order].append((line.product, taken, taken * price))
                    rest -= taken
                    left[line.product] -= taken
            if rest or not line.quantity:
                found[invoice].append((line.product, rest, rest * price if rest else price))
        emptied = {
            order
            for order, left in self._orders.get(customer, ())
            if order in found and not any(left.values())
        }
        return [Returned(order, taken, order in emptied) for order, taken in found.items()]
