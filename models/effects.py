"""What the fold asks for: data on output topics, never a call.

Each topic's value is the JSON of one union below (`facts`: Fact, `actions`: Action, `lessons`:
Lesson, `metrics`: HourEnded, `alerts`: Alert, `dead-letters`: DeadLetter). Ids are deterministic,
so that a replay asks for the same things under the same names (decision 1).
"""

from collections.abc import Callable
from typing import Any

import msgspec
import xxhash

from models.events import MessageChannel
from models.item_knowledge import ItemFacts
from models.item_memory import ItemMemory
from models.item_reviews import Quote


class Position(msgspec.Struct, frozen=True):
    """Where in the log the record stands that an effect comes from."""

    incarnation: int
    partition: int
    offset: int


class FactBase(
    msgspec.Struct, kw_only=True, omit_defaults=True, tag_field="kind", tag=True, gc=False
):
    """What every fact has; (incarnation, partition, offset, customer, index) is its id."""

    incarnation: int
    partition: int
    offset: int
    index: int
    customer: str
    at_ms: int


class EventFolded(FactBase, tag="event"):
    """An event was folded; `event` is the log's record as it stands (models/events.py).

    `order_state` is "counted", "repeated" (the same order id again) or "cancelled" (its
    cancellation came first) for orders, else empty; `order_number` counts a customer's orders
    from 1; `logged_at_ms` is the wall time at which the record entered the log.
    """

    type: str
    logged_at_ms: int
    tier: str
    event: msgspec.Raw
    order_state: str = ""
    order_number: int = 0


class TierChanged(FactBase, tag="tier_changed"):
    """A customer left one tier and entered another; `from_tier` is empty for a new customer."""

    from_tier: str
    to_tier: str
    reason: str


class Decided(FactBase, tag="decided"):
    """A rule came to a decision about one occasion: `verdict` is "sent" or "withheld".

    `status` says it more closely: sent, held (until `held_until_ms`, then decided again), capped,
    muted, no_consent, holdout, cancelled, out_of_budget or superseded. `action` is what was asked
    for (an Action's kind), `playbook_version` (0: a rule of the first release's own), `passed`
    the guards in the order they were asked, `rivals` rules that wanted the same moment.
    """

    rule: str
    occasion: str
    action_id: str
    verdict: str
    reason: str
    hazard: float
    hazard_version: int
    inputs: dict[str, Any]
    status: str = ""
    action: str = "message"
    message_channel: str = ""
    offer: str = ""
    coupon: str = ""
    arm: str = ""
    propensity: float = 1.0
    held_until_ms: int = 0
    playbook_version: int = 0
    passed: list[str] = []
    rivals: list[str] = []


class Merged(FactBase, tag="merged"):
    """The history of `origin` is now this customer's."""

    origin: str


class Forgotten(FactBase, tag="forgotten"):
    """The customer was erased."""


Fact = EventFolded | TierChanged | Decided | Merged | Forgotten


class Action(msgspec.Struct, kw_only=True, omit_defaults=True, gc=False):
    """Something to do for a customer; `sealed` holds what only the dispatcher may open.

    `kind` is "message", "webhook" (a signed call of `address`), "task" (for a person, `owner`,
    until `task_due_ms`), "offer" or "perk" (given without a message). `variables` fill the
    template (never personal data); `expires_at_ms` is in the log's time. `template` is a message
    of the playbook `playbook_version`, 0 for the first release's own; `consent` is what the message
    needs, "marketing" or "service".
    """

    action_id: str
    customer: str
    rule: str
    occasion: str
    message_channel: MessageChannel
    template: str
    decided_at_ms: int
    expires_at_ms: int
    sealed: dict[str, str]
    locale: str = "en"
    variables: dict[str, Any] = {}
    hazard: float = 0.0
    hazard_version: int = 0
    kind: str = "message"
    consent: str = "marketing"
    playbook_version: int = 0
    offer: str = ""
    coupon: str = ""
    arm: str = ""
    propensity: float = 1.0
    address: str = ""
    owner: str = ""
    task: str = ""
    task_due_ms: int = 0
    recommend: int = 0
    reviews: int = 0


class HazardLesson(msgspec.Struct, kw_only=True, tag_field="kind", tag="hazard", gc=False):
    """A matured example: what was known when it was asked, and whether an order came in time.

    `day` is the log day in which the lesson was written (days since the epoch); `orders` came
    within `horizon_days`.
    """

    partition: int
    day: int
    customer: str
    asked_at_ms: int
    features: tuple[float, ...]
    bought: bool
    foretold: float
    foretold_version: int
    horizon_days: int = 30
    orders: int = 0


class DayEnded(msgspec.Struct, kw_only=True, tag_field="kind", tag="day_ended"):
    """A partition's clock passed the end of log day `day`; no lesson of it comes after this."""

    partition: int
    partitions: int
    day: int


class Pinned(msgspec.Struct, kw_only=True, tag_field="kind", tag="pinned"):
    """Someone put a model back to `version`: nothing newer is adopted; 0: no longer so."""

    model: str
    version: int


class BasketLesson(
    msgspec.Struct, kw_only=True, omit_defaults=True, tag_field="kind", tag="basket"
):
    """An order's different items, and the days since the customer bought each, -1 for never.

    `day` is as a HazardLesson's. `memory` is what the customer remembered before; it comes with one
    order in a few, to learn the ranking from (models/ranking_learner.py).
    """

    partition: int
    day: int
    customer: str
    at_ms: int
    order_id: str
    items: list[ItemFacts]
    gaps: list[int]
    memory: ItemMemory | None = None


class ItemMet(msgspec.Struct, kw_only=True, omit_defaults=True, tag_field="kind", tag="item_met"):
    """A customer looked at an item, put it into the cart or wished for it, for the first time."""

    partition: int
    day: int
    customer: str
    at_ms: int
    item: ItemFacts


class ItemReviewed(
    msgspec.Struct, kw_only=True, omit_defaults=True, tag_field="kind", tag="item_reviewed"
):
    """A customer rated an item; `quote` are words that may be shown, still sealed."""

    partition: int
    day: int
    customer: str
    at_ms: int
    product_id: str
    rating: float
    quote: Quote | None = None


class AuthorErased(
    msgspec.Struct, kw_only=True, omit_defaults=True, tag_field="kind", tag="author_erased"
):
    """A customer who may have written reviews was erased: none of the words are shown again."""

    partition: int
    day: int
    customer: str
    at_ms: int


class CustomerStood(
    msgspec.Struct, kw_only=True, omit_defaults=True, tag_field="kind", tag="stood"
):
    """Orders changed: how the customer stands now; without any, it counts no more.

    `before` and `after` are models.tier_edges.Spend, what it was counted as and what it is now.
    """

    partition: int
    day: int
    customer: str
    last_order_ms: int
    orders: int
    value_cents: int
    before: tuple[int, int, int, int] | None = None
    after: tuple[int, int, int, int] | None = None


Taught = HazardLesson | BasketLesson | ItemMet | ItemReviewed | AuthorErased | CustomerStood
"""What customers teach the shared models."""
Lesson = Taught | DayEnded | Pinned


class HourEnded(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A partition's clock passed the end of an hour: what was folded between its marks.

    `others` counts what is no order, `slices` orders by slice (models/hour_counts.py).
    """

    partition: int
    partitions: int
    hour_ms: int
    orders: int
    revenue_cents: int
    others: dict[str, int] = {}
    slices: dict[str, int] = {}


class Alert(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Something is wrong, or no longer; one `fingerprint` from its firing to its end.

    `status` is "firing" or "resolved", `severity` "critical", "warning" or "info".
    """

    fingerprint: str
    status: str
    name: str
    severity: str
    starts_at_ms: int
    summary: str
    ends_at_ms: int = 0
    labels: dict[str, str] = {}
    values: dict[str, float] = {}


def refused_snapshot(
    model: str, version: int, since_ms: int, reason: str, *, ended_ms: int | None = None
) -> Alert:
    """Alert that a snapshot is not used; with `ended_ms` that a later one is."""
    is_over = ended_ms is not None
    return Alert(
        fingerprint=f"snapshot_refused:{model}:{version}:{since_ms}",
        status="resolved" if is_over else "firing",
        name="snapshot_refused",
        severity="info" if is_over else "warning",
        starts_at_ms=since_ms,
        ends_at_ms=ended_ms or 0,
        summary=f"version {version} of model {model} is not used: {reason}",
        labels={"model": model, "version": str(version)},
    )


class DeadLetter(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What could not be taken: the reason in the clear, the body sealed.

    `source` is "gateway", "webhook:NAME", "intake", "replay", "worker", "coupons", "learner",
    "watch" or "dispatcher"; `path` and `expected`
    are as in the gateway's answer.
    """

    source: str
    reason: str
    at_ms: int
    sealed_raw: str
    path: str = ""
    expected: str = ""
    partition: int = -1
    offset: int = -1


def action_id(customer: str, rule: str, occasion: str) -> str:
    """Name an action by (customer, rule, occasion): 32 hex digits, the same in every replay.

    >>> action_id("c", "thank_you", "o1") == action_id("c", "thank_you", "o1")
    True
    """
    return xxhash.xxh3_128_hexdigest(f"{customer}\x00{rule}\x00{occasion}".encode())


encode: Callable[[msgspec.Struct], bytes] = msgspec.json.Encoder().encode
"""Write one effect for its topic."""
