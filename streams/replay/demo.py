"""The demo's year: the real grocer's, and personas among its households.

The real history knows no birthday, language or address of a household and nothing that it looked
at without buying, so a playbook's rules about those would never be asked. Every fifth household is
therefore a persona: its orders are its own and untouched; what the demo invents about it comes by
an `identify` that says so (traits `demo_persona` and `invented`), and by a few product views whose
message ids begin with `demo:`. Nothing that is invented adds an order or a customer.
"""

from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from hashlib import blake2b
from heapq import heappop, heappush
from typing import NamedTuple

from models.clock import DAY_MS
from streams.replay.complete_journey import (
    NAME,
    ORDER,
    CompleteJourney,
    Named,
    iso,
    named,
)
from streams.replay.history import Arrival, BadRow, Body

PERSONAS = "personas"
_INVENTED = "name, address, birthday, home, language, views"
_ONE_IN = 5
_VIEW_AFTER_ONE_IN = 8
_VIEW_WITHIN_DAYS = 6
# A leap year, so that somebody's birthday is the 29th of February.
_SOME_YEAR = 2016


class _Home(NamedTuple):
    """Where a persona lives, as it speaks there, and what it may be called."""

    country: str
    time_zone: str
    locale: str
    names: tuple[str, ...]


_HOMES = (
    _Home("US", "America/New_York", "en", ("Ada", "Ben", "Chloe", "Hugo", "Iris", "Noah")),
    _Home("TW", "Asia/Taipei", "zh-TW", ("美玲", "志強", "雅婷", "建宏", "淑芬", "怡君")),
    _Home("CN", "Asia/Shanghai", "zh-CN", ("浩然", "欣怡", "子轩", "雨桐", "伟", "芳")),
)


class DemoYear:
    """The Complete Journey's year, or its first days, with personas; a history like others.

    `formerly` is the same year as releases without personas played it.
    """

    def __init__(self, days: int | None = None) -> None:
        self.formerly = CompleteJourney(days)
        self.name = f"{self.formerly.name}:{PERSONAS}"
        self.first_ms = self.formerly.first_ms
        self.last_ms = self.formerly.last_ms

    def arrivals(self) -> Iterator[Arrival | BadRow]:
        """Read the year day by day."""
        return with_personas(self.formerly.arrivals(), self.last_ms)

    def named(self) -> Iterator[Named]:
        """Name everything that arrives, much faster than making it."""
        for arrival in with_personas(self.formerly.outline(), self.last_ms):
            if isinstance(arrival, Arrival):
                yield named(arrival)


def year_of(name: str) -> DemoYear | CompleteJourney | None:
    """Open the history a log was given by its name, with or without personas; None: another one.

    >>> year_of("complete-journey:2-days:personas").name
    'complete-journey:2-days:personas'
    """
    source, *told = name.split(":")
    if source != NAME:
        return None
    days = [int(one.removesuffix("-days")) for one in told if one != PERSONAS]
    year = DemoYear if PERSONAS in told else CompleteJourney
    return year(days[0] if days else None)


def is_persona(household: str) -> bool:
    """Whether the demo invents something about a household.

    >>> [number for number in range(1, 12) if is_persona(str(number))]
    [5, 10]
    """
    return int(household) % _ONE_IN == 0


def with_personas(arrivals: Iterable[Arrival | BadRow], last_ms: int) -> Iterator[Arrival | BadRow]:
    """Put what is invented among what really came, in the order of time; always the same.

    A persona introduces itself right before its first order, and looks at something it bought on
    one of the days after some of its orders.
    """
    views: list[tuple[int, str, Body]] = []
    introduced: set[str] = set()
    for arrival in arrivals:
        while views and views[0][0] <= arrival.at_ms:
            at_ms, _, body = heappop(views)
            yield Arrival(at_ms, body)
        if isinstance(arrival, Arrival) and _is_order_of_persona(arrival.body):
            household = arrival.body["userId"]
            if household not in introduced:
                introduced.add(household)
                yield Arrival(arrival.at_ms, _introduction(household, arrival.at_ms))
            at_ms = _viewed_at_ms(arrival)
            if arrival.at_ms < at_ms <= last_ms:
                view = _view(arrival.body, at_ms)
                heappush(views, (at_ms, view["messageId"], view))
        yield arrival
    while views:
        at_ms, _, body = heappop(views)
        yield Arrival(at_ms, body)


def _is_order_of_persona(body: Body) -> bool:
    return body.get("event") == ORDER and is_persona(body["userId"])


def _drawn(*words: str) -> int:
    """Draw a number that is the same at every reading."""
    drawn = blake2b("\0".join(words).encode(), digest_size=8).digest()
    return int.from_bytes(drawn, "big")


def _introduction(household: str, at_ms: int) -> Body:
    home = _HOMES[_drawn("home", household) % len(_HOMES)]
    day = date(_SOME_YEAR, 1, 1) + timedelta(days=_drawn("birthday", household) % 366)
    return {
        "type": "identify",
        "messageId": f"demo:persona:{household}",
        "userId": household,
        "timestamp": iso(at_ms),
        "context": {"channel": "web"},
        "traits": {
            "firstName": home.names[_drawn("name", household) % len(home.names)],
            "email": f"household-{household}@example.com",
            "birthday": day.strftime("%m-%d"),
            "address": {"country": home.country},
            "timezone": home.time_zone,
            "locale": home.locale,
            "demo_persona": True,
            "invented": _INVENTED,
        },
    }


def _viewed_at_ms(arrival: Arrival) -> int:
    """When something is looked at after an order; 0: nothing is."""
    chance = _drawn("view", arrival.body["messageId"])
    if chance % _VIEW_AFTER_ONE_IN:
        return 0
    return arrival.at_ms + chance // _VIEW_AFTER_ONE_IN % (_VIEW_WITHIN_DAYS * DAY_MS)


def _view(order: Body, at_ms: int) -> Body:
    """A look at what the order's first line bought; an outline's orders have no lines."""
    line: Body = next(iter(order["properties"]["products"]), {})
    product = {key: value for key, value in line.items() if key not in ("quantity", "total")}
    return {
        "type": "track",
        "event": "Product Viewed",
        "messageId": f"demo:view:{order['properties']['order_id']}",
        "userId": order["userId"],
        "timestamp": iso(at_ms),
        "context": {"channel": "web"},
        "properties": product,
    }
