"""The demo's year: the real grocer's, and personas among its households.

The real history knows no birthday, language or address of a household, nothing that it looked at
without buying and nothing that it said of what it bought, so a playbook's rules and words about
those would never be seen. Every fifth household is therefore a persona: its orders are its own and
untouched; what the demo invents about it comes by an `identify` that says so (traits `demo_persona`
and `invented`), and by a few product views and reviews whose message ids begin with `demo:`. The
words of a review say so, too. Nothing that is invented adds an order or a customer.
"""

from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from hashlib import blake2b
from heapq import heappop, heappush
from typing import NamedTuple, Self

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
REVIEWS = "reviews"
_INVENTED = "name, address, birthday, home, language, views, reviews"
_ONE_IN = 5
_VIEW_AFTER_ONE_IN = 8
_VIEW_WITHIN_DAYS = 6
_REVIEW_AFTER_ONE_IN = 10
_REVIEW_WITHIN_DAYS = 10
_RATINGS = (5, 5, 5, 4, 4, 3, 2, 1)
# A leap year, so that somebody's birthday is the 29th of February.
_SOME_YEAR = 2016


class _Home(NamedTuple):
    """Where a persona lives, as it speaks there, what it may be called.

    `reviews` is what it may say by its rating, `invented` what says that it never did.
    """

    country: str
    time_zone: str
    locale: str
    names: tuple[str, ...]
    reviews: dict[int, tuple[str, ...]]
    invented: str


_HOMES = (
    _Home(
        "US",
        "America/New_York",
        "en",
        ("Ada", "Ben", "Chloe", "Hugo", "Iris", "Noah"),
        {
            5: ("Just what we wanted.", "We buy it again and again.", "A favourite at our table."),
            4: ("Good for the price.", "Good, and always there.", "Better than it looks."),
            3: ("It does what it should.",),
            2: ("I had hoped for more.",),
            1: ("Not for us.",),
        },
        " (Invented for the demo.)",
    ),
    _Home(
        "TW",
        "Asia/Taipei",
        "zh-TW",
        ("美玲", "志強", "雅婷", "建宏", "淑芬", "怡君"),
        {
            5: ("全家都喜歡，會再回購。", "家裡常備，少不了它。", "品質一直很穩定。"),
            4: ("以這個價錢來說很不錯。", "比想像中好。", "方便又實在。"),
            3: ("中規中矩，堪用。",),
            2: ("跟期待有點落差。",),
            1: ("不適合我們家。",),
        },
        "（示範虛構）",
    ),
    _Home(
        "CN",
        "Asia/Shanghai",
        "zh-CN",
        ("浩然", "欣怡", "子轩", "雨桐", "伟", "芳"),
        {
            5: ("全家都喜欢，会回购。", "家里常备，离不开。", "品质一直很稳。"),
            4: ("这个价位很不错。", "比想象中好。", "方便又实在。"),
            3: ("中规中矩，够用。",),
            2: ("和期待有点差距。",),
            1: ("不适合我们家。",),
        },
        "（演示虚构）",
    ),
)


class DemoYear:
    """The Complete Journey's year, or its first days, with personas; a history like others.

    Without `reviews` nobody says anything of what was bought, as it once was.
    """

    def __init__(self, days: int | None = None, *, reviews: bool = True) -> None:
        self._days, self._reviews = days, reviews
        self._real = CompleteJourney(days)
        self.name = ":".join([self._real.name, PERSONAS, *([REVIEWS] if reviews else [])])
        self.first_ms = self._real.first_ms
        self.last_ms = self._real.last_ms

    def formerly(self) -> tuple[CompleteJourney | Self, ...]:
        """Give the same year as it was played before; a log that was begun so goes on so."""
        return self._real, type(self)(self._days, reviews=False)

    def arrivals(self) -> Iterator[Arrival | BadRow]:
        """Read the year day by day."""
        return self._with_personas(self._real.arrivals())

    def named(self) -> Iterator[Named]:
        """Name everything that arrives, much faster than making it."""
        for arrival in self._with_personas(self._real.outline()):
            if isinstance(arrival, Arrival):
                yield named(arrival)

    def _with_personas(self, arrivals: Iterable[Arrival | BadRow]) -> Iterator[Arrival | BadRow]:
        return with_personas(arrivals, self.last_ms, reviews=self._reviews)


def year_of(name: str) -> DemoYear | CompleteJourney | None:
    """Open the history a log was given by its name, as it was played then; None: another one.

    >>> year_of("complete-journey:2-days:personas:reviews").name
    'complete-journey:2-days:personas:reviews'
    """
    source, *told = name.split(":")
    if source != NAME:
        return None
    numbers = [int(one.removesuffix("-days")) for one in told if one not in (PERSONAS, REVIEWS)]
    days = numbers[0] if numbers else None
    return DemoYear(days, reviews=REVIEWS in told) if PERSONAS in told else CompleteJourney(days)


def is_persona(household: str) -> bool:
    """Whether the demo invents something about a household.

    >>> [number for number in range(1, 12) if is_persona(str(number))]
    [5, 10]
    """
    return int(household) % _ONE_IN == 0


def with_personas(
    arrivals: Iterable[Arrival | BadRow], last_ms: int, *, reviews: bool = True
) -> Iterator[Arrival | BadRow]:
    """Put what is invented among what really came, in the order of time; always the same.

    A persona introduces itself right before its first order, and looks at or reviews something it
    bought on one of the days after some of its orders.
    """
    later: list[tuple[int, str, Body]] = []
    introduced: set[str] = set()
    for arrival in arrivals:
        while later and later[0][0] <= arrival.at_ms:
            at_ms, _, body = heappop(later)
            yield Arrival(at_ms, body)
        if isinstance(arrival, Arrival) and _is_order_of_persona(arrival.body):
            household = arrival.body["userId"]
            if household not in introduced:
                introduced.add(household)
                yield Arrival(arrival.at_ms, _introduction(household, arrival.at_ms))
            aftermath = [(_viewed_at_ms(arrival), _view)]
            if reviews:
                aftermath.append((_reviewed_at_ms(arrival), _review))
            for at_ms, made in aftermath:
                if arrival.at_ms < at_ms <= last_ms:
                    body = made(arrival.body, at_ms)
                    heappush(later, (at_ms, body["messageId"], body))
        yield arrival
    while later:
        at_ms, _, body = heappop(later)
        yield Arrival(at_ms, body)


def _is_order_of_persona(body: Body) -> bool:
    return body.get("event") == ORDER and is_persona(body["userId"])


def _drawn(*words: str) -> int:
    """Draw a number that is the same at every reading."""
    drawn = blake2b("\0".join(words).encode(), digest_size=8).digest()
    return int.from_bytes(drawn, "big")


def _home(household: str) -> _Home:
    return _HOMES[_drawn("home", household) % len(_HOMES)]


def _introduction(household: str, at_ms: int) -> Body:
    home = _home(household)
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
    return _after(arrival, "view", _VIEW_AFTER_ONE_IN, _VIEW_WITHIN_DAYS)


def _reviewed_at_ms(arrival: Arrival) -> int:
    return _after(arrival, "review", _REVIEW_AFTER_ONE_IN, _REVIEW_WITHIN_DAYS)


def _after(arrival: Arrival, what: str, one_in: int, within_days: int) -> int:
    """When something is done after an order, of which one in so many has it; 0: nothing is."""
    chance = _drawn(what, arrival.body["messageId"])
    if chance % one_in:
        return 0
    return arrival.at_ms + chance // one_in % (within_days * DAY_MS)


def _view(order: Body, at_ms: int) -> Body:
    """A look at what the order's first line bought; an outline's orders have no lines."""
    line: Body = next(iter(order["properties"]["products"]), {})
    product = {key: value for key, value in line.items() if key not in ("quantity", "total")}
    return _track(order, at_ms, "view", "Product Viewed", product)


def _review(order: Body, at_ms: int) -> Body:
    """A review of what the order's first line bought."""
    line: Body = next(iter(order["properties"]["products"]), {})
    order_id = order["properties"]["order_id"]
    rating = _RATINGS[_drawn("rating", order_id) % len(_RATINGS)]
    home = _home(order["userId"])
    words = home.reviews[rating]
    said = {
        "product_id": line.get("product_id", ""),
        "review_id": f"demo-{order_id}",
        "rating": str(rating),
        "review_body": words[_drawn("words", order_id) % len(words)] + home.invented,
        "published": True,
    }
    return _track(order, at_ms, "review", "Product Reviewed", said)


def _track(order: Body, at_ms: int, what: str, event: str, properties: Body) -> Body:
    return {
        "type": "track",
        "event": event,
        "messageId": f"demo:{what}:{order['properties']['order_id']}",
        "userId": order["userId"],
        "timestamp": iso(at_ms),
        "context": {"channel": "web"},
        "properties": properties,
    }
