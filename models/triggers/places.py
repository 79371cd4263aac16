"""Where the shop and a customer are at home: time zone, language, and when it is quiet there."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from models.clock import DAY_MS
from models.customer import Customer
from models.local_time import QuietHours, Zone, day_on, free_until, held_until, zone_of
from models.playbook.fields import MESSAGE_CHANNELS
from models.playbook.playbook import Playbook

# Windows that leave no minute of a day free hold a message for good: until it expires.
_LOOKED_AHEAD_MS = 2 * DAY_MS


class CustomerPlace(NamedTuple):
    """A customer's time zone and language; the shop's where the customer's own is not known."""

    zone: Zone
    locale: str


class _Stretch(NamedTuple):
    """Of a zone: until when it stays as it is, quiet until `free_ms` or, with None, free."""

    from_ms: int
    until_ms: int
    free_ms: int | None


class _Window(NamedTuple):
    """Quiet hours, and the zone whose wall shows them; None: the customer's."""

    hours: QuietHours
    zone: Zone | None


@dataclass(frozen=True, slots=True, eq=False)
class ShopPlace:
    """A shop's home, made ready: `calendars` are the sorted days of each (models/local_time.py).

    `quiet` are the windows of each channel; a channel without any is never quiet. `stretches` keeps
    what was found of a channel in a zone last: most ask within the same hours.
    """

    zone: Zone
    locale: str = "en"
    country: str = ""
    calendars: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    quiet: Mapping[str, tuple[_Window, ...]] = field(default_factory=dict)
    stretches: dict[tuple[str, Zone], _Stretch] = field(default_factory=dict)

    def of(self, customer: Customer) -> CustomerPlace:
        """Give the customer's place, as its traits say now."""
        traits = customer.traits
        if not traits:
            return _place("", self.zone.name, self.locale)
        zone = traits.get("timezone") or traits.get("time_zone")
        locale = traits.get("locale") or traits.get("language")
        return _place(
            zone if isinstance(zone, str) else "",
            self.zone.name,
            locale if isinstance(locale, str) else self.locale,
        )

    def quiet_until(self, customer: Customer, channel: str, at_ms: int) -> int | None:
        """First moment after `at_ms` at which a message may go; None: it may go at once."""
        windows = self.quiet.get(channel)
        if not windows:
            return None
        home = self.of(customer).zone
        found = self.stretches.get((channel, home))
        if found is None or not found.from_ms <= at_ms < found.until_ms:
            found = self.stretches[channel, home] = _stretch(windows, home, at_ms)
        return found.free_ms


def _stretch(windows: tuple[_Window, ...], home: Zone, at_ms: int) -> _Stretch:
    """How long it stays quiet, or free, from a moment on."""
    free_ms, last_ms = at_ms, at_ms + _LOOKED_AHEAD_MS
    while free_ms < last_ms:
        asked_ms = free_ms
        for hours, zone in windows:
            free_ms = held_until(zone or home, free_ms, hours)
        if free_ms == asked_ms:
            break
    if free_ms > at_ms:
        # Where no minute is free the answer goes by when it was asked.
        return _Stretch(at_ms, free_ms if free_ms < last_ms else at_ms + 1, free_ms)
    return _Stretch(
        at_ms, min(free_until(zone or home, at_ms, hours) for hours, zone in windows), None
    )


@lru_cache(maxsize=4_096)
def _place(zone: str, shop: str, locale: str) -> CustomerPlace:
    return CustomerPlace(zone_of(zone, shop), locale)


def shop_place(book: Playbook) -> ShopPlace:
    """Make a playbook's shop ready; one that says nothing of itself lives in UTC."""
    shop = book.shop
    zone = zone_of(shop.time_zone if shop else "UTC")
    quiet: dict[str, list[_Window]] = {}
    for one in book.quiet_hours:
        hours = QuietHours(one.from_minutes, one.to_minutes)
        for channel in dict.fromkeys(one.channels or MESSAGE_CHANNELS):
            window = _Window(hours, zone if one.clock == "shop" else None)
            quiet.setdefault(channel, []).append(window)
    calendars = shop.calendars if shop else {}
    return ShopPlace(
        zone,
        shop.locale if shop else "en",
        shop.country if shop else "",
        {name: tuple(sorted({day_on(one) for one in calendars[name].dates})) for name in calendars},
        {channel: tuple(windows) for channel, windows in quiet.items()},
    )
