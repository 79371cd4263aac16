"""The people of the invented shop: who they are, what they like, how often they come."""

import math
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random
from typing import Any

_FIRST = tuple(
    """
    Ada Ben Chloe David Emma Felix Grace Hugo Iris Jonas Kira Leo Mia Noah Olga Paul Rosa Sam Tessa
    Victor Wen Xia Yusuf Zoe 小明 美玲 志強 雅婷 建宏 淑芬 浩然 欣怡
    """.split()  # noqa: SIM905  (so many short words read better as text)
)
_LAST = tuple(
    """
    Archer Brook Carter Dale Ember Fisher Grove Hill Ives Jensen Keller Lane Marsh North Oakes Price
    Quill Reed Stone Thorne Underwood Vale West Young 王 李 陳 林 張 黃 吳 劉
    """.split()  # noqa: SIM905
)
_HOMES = (
    ("US", "Springfield", "en"),
    ("GB", "Bristol", "en"),
    ("DE", "Bremen", "en"),
    ("TW", "台中", "zh-TW"),
    ("HK", "沙田", "zh-HK"),
    ("CN", "成都", "zh-CN"),
)
_CATEGORIES = tuple(
    "coffee tea kitchen bath bedding lamps garden paper toys sports pets snacks".split()  # noqa: SIM905
)
_THINGS = tuple(
    "classic travel family gift small large spare organic night summer".split()  # noqa: SIM905
)
MEDIAN_CADENCE_DAYS = 18.0


@dataclass(frozen=True)
class Product:
    """Something the shop sells."""

    product_id: str
    name: str
    category: str
    brand: str
    price_cents: int

    def body(self, quantity: int = 1) -> dict[str, Any]:
        """Describe it as a line of the contract."""
        return {
            "product_id": self.product_id,
            "name": self.name,
            "category": self.category,
            "brand": self.brand,
            "price": money(self.price_cents),
            "quantity": quantity,
        }


@dataclass(frozen=True)
class Person:
    """One customer; chances are per visit or per order, 0..1."""

    user_id: str
    device_id: str
    traits: dict[str, Any]
    joins_after_days: float
    visits_gap_days: float
    buys: float
    leaves: float
    complains: float
    is_known_at_once: bool
    uses_app: float
    likes: tuple[str, ...]


def money(cents: int) -> str:
    """Write an amount as text.

    >>> money(5)
    '0.05'
    """
    return f"{cents // 100}.{cents % 100:02d}"


def catalogue(seed: int) -> list[Product]:
    """Make what the shop sells."""
    chance = Random(f"catalogue {seed}")
    products = []
    for number in range(len(_CATEGORIES) * len(_THINGS)):
        category = _CATEGORIES[number % len(_CATEGORIES)]
        thing = _THINGS[number // len(_CATEGORIES)]
        cents = int(math.exp(chance.gauss(7.4, 0.8))) // 10 * 10 + 99
        brand = f"Brand {chance.choice('ABCDEF')}"
        products.append(Product(f"S{number:03d}", f"{category} {thing}", category, brand, cents))
    return products


def person(seed: int, number: int, days: int) -> Person:
    """Make a customer; the same seed and number are the same person."""
    chance = Random(f"person {seed} {number}")
    browsing = chance.uniform(1.5, 6.0)
    cadence = MEDIAN_CADENCE_DAYS * math.exp(chance.gauss(0.0, 0.6))
    first, last = chance.choice(_FIRST), chance.choice(_LAST)
    country, city, locale = chance.choice(_HOMES)
    birthday = date(1950, 1, 1) + timedelta(days=chance.randrange(20_000))
    traits = {
        "firstName": first,
        "lastName": last,
        "email": f"sim.{seed}.{number}@example.com",
        "phone": f"+1555{chance.randrange(10**7):07d}",
        "gender": chance.choice(("female", "male", "other")),
        "birthday": birthday.isoformat(),
        "address": {"country": country, "city": city, "street": f"{number} Example Road"},
        "locale": locale,
        "simulated": True,
    }
    return Person(
        user_id=f"sim-{seed}-{number}",
        device_id=f"sim-{seed}-device-{number}",
        traits=traits,
        joins_after_days=0.0 if chance.random() < 0.4 else days * 0.7 * chance.random(),
        visits_gap_days=cadence / browsing,
        buys=1.0 / browsing,
        leaves=chance.betavariate(1.0, 20.0),
        complains=chance.betavariate(1.0, 25.0),
        is_known_at_once=chance.random() < 0.6,
        uses_app=chance.random() if chance.random() < 0.5 else 0.0,
        likes=tuple(chance.sample(_CATEGORIES, 3)),
    )
