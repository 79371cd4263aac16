"""What a playbook would have done to a shop's customers, counted: nothing is kept one by one."""

from collections import Counter, defaultdict
from typing import Any

from models.customer import Customer
from models.effects import Decided
from models.local_time import Zone, date_of, local_day
from models.playbook.offer import Offer
from streams.rehearse.cost import worst_cents
from streams.rehearse.told import MESSAGE, status_of

SENT = "sent"
BUSIEST_SHOWN = 20


class Tally:
    """Takes decisions in the order of time."""

    def __init__(self, offers: dict[str, Offer], shop_zone: Zone) -> None:
        self._offers = offers
        self._zone = shop_zone
        self._statuses: dict[str, Counter[str]] = defaultdict(Counter)
        self._messages: Counter[str] = Counter()
        self._days: dict[str, Counter[str]] = defaultdict(Counter)
        self._reached: dict[str, set[str]] = defaultdict(set)
        self._got: Counter[str] = Counter()
        self._cost_cents: Counter[str] = Counter()
        self._unpriced: Counter[str] = Counter()
        self._collisions: Counter[tuple[str, str]] = Counter()
        self._orders = self._order_cents = 0

    def take(self, decided: Decided, customer: Customer | None) -> None:
        """Count one decision; what its customer spends is what a share of it would cost."""
        rule, status = decided.rule, status_of(decided)
        self._statuses[rule][status] += 1
        for rival in decided.rivals:
            self._collisions[(min(rule, rival), max(rule, rival))] += 1
        if status != SENT:
            return
        if decided.action == MESSAGE:
            day = date_of(local_day(self._zone, decided.at_ms)).isoformat()
            self._days[day][rule] += 1
            self._messages[rule] += 1
            self._reached[rule].add(decided.customer)
            self._got[decided.customer] += 1
        if decided.offer:
            self._cost(decided, customer)

    def _cost(self, decided: Decided, customer: Customer | None) -> None:
        if customer is not None and customer.orders > 0:
            self._orders += 1
            self._order_cents += max(customer.value_cents // customer.orders, 0)
            mean_cents = max(customer.value_cents // customer.orders, 0)
        else:
            mean_cents = self._order_cents // self._orders if self._orders else 0
        offer = self._offers.get(decided.offer)
        cents = worst_cents(offer, mean_cents) if offer is not None else None
        if cents is None:
            self._unpriced[decided.rule] += 1
        else:
            self._cost_cents[decided.rule] += cents

    def as_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        whole: Counter[str] = Counter()
        for one in self._statuses.values():
            whole += one
        return {
            "messages": sum(self._messages.values()),
            "customers_reached": len(self._got),
            "most_messages_to_one": max(self._got.values(), default=0),
            "statuses": dict(sorted(whole.items())),
            "worst_cost_cents": sum(self._cost_cents.values()),
            "unpriced_offers": sum(self._unpriced.values()),
            "rules": {rule: self._rule(rule) for rule in sorted(self._statuses)},
            "days": {day: dict(sorted(self._days[day].items())) for day in sorted(self._days)},
            "collisions": [
                {"rules": list(pair), "times": times}
                for pair, times in sorted(
                    self._collisions.items(), key=lambda one: (-one[1], one[0])
                )[:BUSIEST_SHOWN]
            ],
        }

    def _rule(self, rule: str) -> dict[str, Any]:
        return {
            "messages": self._messages[rule],
            "customers": len(self._reached[rule]),
            "statuses": dict(sorted(self._statuses[rule].items())),
            "worst_cost_cents": self._cost_cents[rule],
            "unpriced_offers": self._unpriced[rule],
        }
