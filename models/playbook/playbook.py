"""The whole file: what the shop does to bring customers back."""

from typing import Annotated

from msgspec import field

from models.playbook.copy import Message
from models.playbook.fields import TIERS
from models.playbook.keys import Key, Part
from models.playbook.offer import Offer
from models.playbook.scalars import (
    CONDITION,
    FLAG,
    NAME,
    ONCE,
    SHARE,
    TEXT,
    one_of,
    reference,
    whole,
)
from models.playbook.shop import (
    CHANNEL,
    Alerts,
    Cap,
    Channel,
    Holdout,
    Perk,
    QuietHours,
    Shop,
    TierPerks,
)
from models.playbook.then import Step
from models.playbook.when import TIER, When

ONCE_BY_DEFAULT = "occasion"


class Segment(Part, frozen=True):
    """Customers with something in common; one may be in many."""

    if_: Annotated[str, Key("Customers for whom this holds.", CONDITION)] = field(name="if")
    description: Annotated[str, Key("Who they are, in words.", TEXT)] = ""


class Guard(Part, frozen=True):
    """What must hold when the moment comes, and how often it may."""

    if_: Annotated[str, Key("Only customers for whom this holds then.", CONDITION)] = field(
        name="if", default=""
    )
    tiers: Annotated[tuple[str, ...], Key("Only customers of these tiers.", TIER)] = ()
    segments: Annotated[
        tuple[str, ...], Key("Only customers in one of these segments.", reference("segments"))
    ] = ()
    once: Annotated[
        str | int, Key("Once per customer, per item, per occasion, or within a time.", ONCE)
    ] = ONCE_BY_DEFAULT
    priority: Annotated[
        int, Key("Of two rules at the same moment the higher goes first.", whole(0, 100))
    ] = 50
    caps: Annotated[bool, Key("Whether caps hold for it.", FLAG)] = True
    quiet_hours: Annotated[
        str,
        Key("What quiet hours do to it.", one_of("quiet hours", ("hold", "drop", "ignore"))),
    ] = "hold"
    holdout: Annotated[bool, Key("Whether customers of the holdout go without it.", FLAG)] = True
    mute_after_complaint: Annotated[
        bool, Key("Whether it is silent while a complaint is open.", FLAG)
    ] = True
    no_offer_above: Annotated[
        float | None,
        Key("No offer for customers who are this likely to order anyway.", SHARE),
    ] = None


class Trigger(Part, frozen=True):
    """One rule: when, then, guard."""

    when: Annotated[When, Key("The moment.")]
    then: Annotated[tuple[Step, ...], Key("The steps, one after another.")]
    guard: Annotated[Guard, Key("What must hold, and how often it may.")] = Guard()
    enabled: Annotated[bool, Key("Whether it is on.", FLAG)] = True
    description: Annotated[str, Key("What it is for, in words.", TEXT)] = ""


class Pack(Part, frozen=True):
    """What belongs together for one purpose: what it does, and how to see whether it works."""

    description: Annotated[str, Key("What it does, in words.", TEXT)]
    measure: Annotated[str, Key("What to look at to know whether it works.", TEXT)] = ""
    needs: Annotated[str, Key("What the shop must send or fill in for it.", TEXT)] = ""


class Playbook(Part, frozen=True):
    """What a shop does to bring customers back; one file, or several by include."""

    playbook: Annotated[int, Key("Version of the language: 1.", whole(1, 1))] = 1
    include: Annotated[
        tuple[str, ...], Key("Other files of this playbook, relative to this one.", TEXT)
    ] = ()
    shop: Annotated[Shop | None, Key("Where the shop is at home.")] = None
    tiers: Annotated[
        dict[str, TierPerks], Key("What customers of a tier have.", names=one_of("tier", TIERS))
    ] = field(default_factory=dict)
    perks: Annotated[dict[str, Perk], Key("Perks by name.", names=NAME)] = field(
        default_factory=dict
    )
    segments: Annotated[dict[str, Segment], Key("Segments by name.", names=NAME)] = field(
        default_factory=dict
    )
    channels: Annotated[dict[str, Channel], Key("Channels messages go out on.", names=CHANNEL)] = (
        field(default_factory=dict)
    )
    caps: Annotated[tuple[Cap, ...], Key("How many messages a customer gets at most.")] = ()
    quiet_hours: Annotated[tuple[QuietHours, ...], Key("When customers are left in peace.")] = ()
    holdout: Annotated[Holdout | None, Key("Customers who get nothing, to measure by.")] = None
    alerts: Annotated[Alerts | None, Key("Who is told when something is wrong.")] = None
    offers: Annotated[dict[str, Offer], Key("Offers by name.", names=NAME)] = field(
        default_factory=dict
    )
    messages: Annotated[dict[str, Message], Key("Messages by name.", names=NAME)] = field(
        default_factory=dict
    )
    triggers: Annotated[dict[str, Trigger], Key("Triggers by name.", names=NAME)] = field(
        default_factory=dict
    )
    packs: Annotated[dict[str, Pack], Key("Packs this playbook is made of.", names=NAME)] = field(
        default_factory=dict
    )


SECTIONS = ("tiers", "perks", "segments", "channels", "offers", "messages", "triggers", "packs")
"""Keys of the file that hold things by name; names are unique over all included files."""
LISTS = ("caps", "quiet_hours")
SINGLE = ("shop", "holdout", "alerts")
