"""The shop itself, and what holds for all its rules: channels, caps, quiet hours, holdout."""

from datetime import date
from typing import Annotated

from msgspec import field

from models.playbook.fields import MESSAGE_CHANNELS
from models.playbook.keys import Key, Part
from models.playbook.scalars import (
    CLOCK,
    COUNTRY,
    CURRENCY,
    DATE,
    DURATION,
    FLAG,
    LOCALE,
    NAME,
    SHARE,
    TEXT,
    TIME_ZONE,
    one_of,
    reference,
    whole,
)

HOLIDAYS = (
    "new_year",
    "spring_festival",
    "lantern",
    "valentines",
    "womens_day",
    "white_day",
    "qingming",
    "good_friday",
    "easter",
    "golden_week",
    "labour_day",
    "childrens_day",
    "mothers_day",
    "may_20",
    "june_18",
    "fathers_day",
    "dragon_boat",
    "qixi",
    "mid_autumn",
    "double_ninth",
    "winter_solstice",
    "national_day",
    "halloween",
    "double_11",
    "thanksgiving",
    "black_friday",
    "cyber_monday",
    "double_12",
    "christmas",
    "boxing_day",
)
"""Holidays that have a name of their own in the language; others stand in a calendar."""
CONSENTS = ("marketing", "service")
CHANNEL = one_of("channel", MESSAGE_CHANNELS)


class Calendar(Part, frozen=True):
    """Days of the shop's own that rules can speak of: its birthday, a sale."""

    dates: Annotated[tuple[date, ...], Key("The days, such as 2027-05-20.", DATE)]


class Shop(Part, frozen=True):
    """Where the shop is at home."""

    time_zone: Annotated[
        str, Key("The shop's time zone; customers without one of their own live in it.", TIME_ZONE)
    ]
    currency: Annotated[str, Key("The currency of all amounts in this file.", CURRENCY)]
    name: Annotated[str, Key("The shop's name, as customers know it.", TEXT)] = ""
    locale: Annotated[str, Key("Language of customers whose own is not known.", LOCALE)] = "en"
    locales: Annotated[
        tuple[str, ...], Key("Languages in which every message must be written.", LOCALE)
    ] = ()
    country: Annotated[
        str,
        Key("Country whose holidays are kept where the customer's is not known, as TW.", COUNTRY),
    ] = ""
    calendars: Annotated[
        dict[str, Calendar], Key("Calendars by name, for triggers on a holiday.", names=NAME)
    ] = field(default_factory=dict)


class Channel(Part, frozen=True):
    """How messages of one channel go out."""

    enabled: Annotated[bool, Key("Whether anything goes out on this channel.", FLAG)] = True
    sender: Annotated[str, Key("Who the message says it is from.", TEXT)] = ""
    rate_per_minute: Annotated[int, Key("Messages a minute at most, 0 for no limit.", whole())] = 0


class Cap(Part, frozen=True):
    """How many messages a customer gets at most."""

    at_most: Annotated[int, Key("So many messages.", whole(0, 1_000))]
    per_ms: Annotated[int, Key("Within this time.", DURATION)] = field(name="per")
    channels: Annotated[
        tuple[str, ...], Key("Counted over these channels; all when left out.", CHANNEL)
    ] = ()
    consent: Annotated[
        str, Key("Counting messages of this consent only.", one_of("consent", CONSENTS))
    ] = "marketing"


class QuietHours(Part, frozen=True):
    """When customers are left in peace; what falls into these hours is held, not dropped."""

    from_minutes: Annotated[int, Key("First minute of peace, local time.", CLOCK)] = field(
        name="from"
    )
    to_minutes: Annotated[int, Key("First minute in which messages go out again.", CLOCK)] = field(
        name="to"
    )
    channels: Annotated[tuple[str, ...], Key("On these channels; all when left out.", CHANNEL)] = ()
    clock: Annotated[
        str, Key("Whose time of day counts.", one_of("clock", ("customer", "shop")))
    ] = "customer"


class Holdout(Part, frozen=True):
    """Customers who get nothing, so that the effect of everything can be measured."""

    share: Annotated[float, Key("Share of customers who are held out.", SHARE)]
    salt: Annotated[str, Key("Change this word to draw the customers anew.", TEXT)] = "holdout"


class Alerts(Part, frozen=True):
    """Who is told when something is wrong."""

    owner: Annotated[str, Key("Who gets every alert that has no owner of its own.", TEXT)]
    owners: Annotated[
        dict[str, str], Key("Owners of single alerts, by the alert's name.", TEXT, NAME)
    ] = field(default_factory=dict)


class Perk(Part, frozen=True):
    """Something a tier gives that is no coupon."""

    description: Annotated[str, Key("What the customer gets.", TEXT)]
    valid_ms: Annotated[int | None, Key("How long it lasts; for good when left out.", DURATION)] = (
        field(name="valid_for", default=None)
    )


class TierPerks(Part, frozen=True):
    """What customers of a tier have."""

    label: Annotated[
        dict[str, str], Key("The tier's name for customers, by locale.", TEXT, LOCALE)
    ] = field(default_factory=dict)
    perks: Annotated[
        tuple[str, ...], Key("Perks granted once when a customer enters.", reference("perks"))
    ] = ()
