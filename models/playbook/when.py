"""When a trigger looks at a customer: each kind of moment is told by its first key."""

from typing import Annotated

from msgspec import field

from models.clock import DAY_MS
from models.playbook.event_fields import EVENTS
from models.playbook.fields import DORMANCIES, TIERS
from models.playbook.keys import Key, Part
from models.playbook.scalars import (
    CLOCK,
    CONDITION,
    COUNTRY,
    DURATION,
    FLAG,
    MONEY,
    OFFSET,
    SHARE,
    TEXT,
    one_of,
    reference,
    whole,
)
from models.playbook.shop import HOLIDAYS

EVENT = one_of("event", EVENTS)
TIER = one_of("tier", TIERS)
MORNING_MINUTES = 10 * 60


class OnEvent(Part, frozen=True):
    """Something happened, perhaps a while ago, and nothing came between."""

    event: Annotated[tuple[str, ...], Key("The event, or several of which each will do.", EVENT)]
    if_: Annotated[str, Key("Only events and customers for which this holds.", CONDITION)] = field(
        name="if", default=""
    )
    wait_ms: Annotated[int, Key("How long after the event.", OFFSET)] = field(
        name="wait", default=0
    )
    unless: Annotated[
        tuple[str, ...], Key("Not if one of these happened in the meantime.", EVENT)
    ] = ()
    waiting_at_most: Annotated[
        int,
        Key(
            "So many items a customer at a time is waited for; the oldest gives way.", whole(1, 20)
        ),
    ] = 3
    same_item: Annotated[
        bool, Key("Whether unless counts events about the same product or order only.", FLAG)
    ] = False


class OnSilence(Part, frozen=True):
    """No order for so long."""

    silence_ms: Annotated[int, Key("How long since the last order.", DURATION)] = field(
        name="silence"
    )
    if_: Annotated[str, Key("Only customers for whom this holds then.", CONDITION)] = field(
        name="if", default=""
    )


class OnDormancy(Part, frozen=True):
    """The model says that the customer has fallen asleep so far."""

    dormancy: Annotated[
        str,
        Key("How far asleep.", one_of("dormancy", (one for one in DORMANCIES if one != "awake"))),
    ]


class OnEnteringTier(Part, frozen=True):
    """The customer came into a tier."""

    enters_tier: Annotated[tuple[str, ...], Key("The tier, or several.", TIER)]


class OnLeavingTier(Part, frozen=True):
    """The customer fell out of a tier."""

    leaves_tier: Annotated[tuple[str, ...], Key("The tier, or several.", TIER)]


class OnEnteringSegment(Part, frozen=True):
    """The customer came into a segment."""

    enters_segment: Annotated[
        tuple[str, ...], Key("The segment, or several.", reference("segments"))
    ]


class OnLeavingSegment(Part, frozen=True):
    """The customer fell out of a segment."""

    leaves_segment: Annotated[
        tuple[str, ...], Key("The segment, or several.", reference("segments"))
    ]


class OnHazard(Part, frozen=True):
    """The likelihood of an order within 30 days crossed a line downwards."""

    hazard_falls_below: Annotated[float, Key("Falls below this.", SHARE)]


class OnRisingHazard(Part, frozen=True):
    """The likelihood of an order within 30 days crossed a line upwards."""

    hazard_rises_above: Annotated[float, Key("Rises above this.", SHARE)]


class OnValue(Part, frozen=True):
    """What the customer has spent in all reached a sum."""

    value_reaches_cents: Annotated[int, Key("Reaches this sum.", MONEY)] = field(
        name="value_reaches"
    )


class OnCustomerDate(Part, frozen=True):
    """A day of the customer's own comes round; every year, in the customer's time zone."""

    date_of: Annotated[
        str, Key("Which day.", one_of("date", ("birthday", "first_order", "sign_up")))
    ]
    before_ms: Annotated[int, Key("How long before it.", OFFSET)] = field(name="before", default=0)
    at_minutes: Annotated[int, Key("At this time of day.", CLOCK)] = field(
        name="at", default=MORNING_MINUTES
    )
    leap_day: Annotated[
        str,
        Key("When 29 February is kept in other years.", one_of("leap day", ("feb_28", "mar_1"))),
    ] = "feb_28"


class OnHoliday(Part, frozen=True):
    """A holiday comes; in the customer's country, as far as it is known, and time zone."""

    holiday: Annotated[
        tuple[str, ...],
        Key("The holiday, a calendar of the shop, or several.", reference("calendars", HOLIDAYS)),
    ]
    country: Annotated[
        str,
        Key(
            "For everybody as kept there; as kept in the customer's country (trait country) when"
            " left out, or in the shop's where that is not known.",
            COUNTRY,
        ),
    ] = ""
    before_ms: Annotated[int, Key("How long before it: 1d is its eve.", OFFSET)] = field(
        name="before", default=0
    )
    at_minutes: Annotated[int, Key("At this time of day.", CLOCK)] = field(
        name="at", default=MORNING_MINUTES
    )


class OnReplenishment(Part, frozen=True):
    """A product the customer keeps buying will be used up."""

    replenishment: Annotated[tuple[str, ...], Key("Categories of the products, or all.", TEXT)]
    before_ms: Annotated[int, Key("How long before it is used up.", OFFSET)] = field(
        name="before", default=0
    )


class OnCouponEnding(Part, frozen=True):
    """A coupon the customer holds is about to end, and is not redeemed."""

    coupon_expires: Annotated[
        tuple[str, ...], Key("Offers (or the shop's campaigns) of the coupons, or all.", TEXT)
    ]
    before_ms: Annotated[int, Key("How long before it ends.", DURATION)] = field(
        name="before", default=3 * DAY_MS
    )
    good_for_ms: Annotated[int, Key("Only coupons that are good for so long at least.", OFFSET)] = (
        field(name="good_for", default=0)
    )


class OnCadence(Part, frozen=True):
    """Again and again while something holds."""

    every_ms: Annotated[int, Key("How often.", DURATION)] = field(name="every")
    while_: Annotated[str, Key("As long as this holds.", CONDITION)] = field(name="while")
    until: Annotated[tuple[str, ...], Key("Until one of these happens.", EVENT)] = ()
    at_minutes: Annotated[int, Key("At this time of day.", CLOCK)] = field(
        name="at", default=MORNING_MINUTES
    )


When = (
    OnEvent
    | OnSilence
    | OnDormancy
    | OnEnteringTier
    | OnLeavingTier
    | OnEnteringSegment
    | OnLeavingSegment
    | OnHazard
    | OnRisingHazard
    | OnValue
    | OnCustomerDate
    | OnHoliday
    | OnReplenishment
    | OnCouponEnding
    | OnCadence
)
