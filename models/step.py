"""START HERE: one event or timer, one customer, one state; what follows from it.

    recognise a repeat -> follow a merge -> apply -> foretell -> rules -> tier -> facts

`step` mutates the row it is given and returns effects; the caller owns the row and throws it away
if this raises (ARCHITECTURE.md, decision 6). No clock, no I/O, no randomness.
"""

from collections.abc import Callable

import msgspec

from models import browse_reminder, hazard_question, merging, sleep_timer, thank_you
from models.customer import Customer, Timer, apply, decode_row, seen_before
from models.effects import (
    Action,
    Decided,
    EventFolded,
    Fact,
    Forgotten,
    HazardLesson,
    TierChanged,
)
from models.events import (
    Absorbed,
    CustomerEvent,
    Erased,
    Event,
    OrderCancelled,
    OrderCompleted,
    Released,
    type_of,
)
from models.hazard import features_of, foretell
from models.tier import tier_of
from models.view import View


class ForLog(msgspec.Struct, frozen=True):
    """A record the fold itself adds to the log, for another customer (merges)."""

    event: Event


Effect = Fact | Action | HazardLesson | ForLog
Rule = Callable[[str, Customer, CustomerEvent, View, int], list[Action | Decided]]
RULES: tuple[Rule, ...] = (thank_you.on_event, browse_reminder.on_event)
TimerRule = Callable[[str, Customer, Timer, View], list[Action | Decided]]
TIMER_RULES: dict[str, TimerRule] = {
    thank_you.NAME: thank_you.on_timer,
    browse_reminder.NAME: browse_reminder.on_timer,
}


def step(customer: Customer, event: CustomerEvent, raw: bytes, view: View) -> list[Effect]:
    """Fold one event (`raw` is it as it stands in the log) into its customer."""
    if seen_before(customer, _arrival_of(event)):
        return []
    if type(event) is Erased:
        return _erase(customer, event, view)
    if customer.merged_into or type(event) in (Released, Absorbed):
        moved = merging.follow(customer, event, view)
        if moved is not None:
            return [*(ForLog(one) for one in moved.for_log), *moved.facts]
    at_ms = event.occurred_at_ms
    if type(event) is Absorbed:
        other = decode_row(event.row)
        if not other.events:
            return []
        effects = _absorb(customer, other, event, view)
    else:
        effects = [_apply(customer, event, raw, view)]
    _foretell(customer, max(at_ms, view.now_ms), view)
    for rule in RULES:
        effects.extend(rule(event.customer, customer, event, view, at_ms))
    if type(event) in (OrderCompleted, OrderCancelled, Absorbed):
        hazard_question.on_order(customer, at_ms)
        sleep_timer.on_order(customer)
    effects.extend(_change_tier(event.customer, customer, max(at_ms, view.now_ms), view))
    return effects


def fire(token: str, customer: Customer, timer: Timer, view: View) -> list[Effect]:
    """Fold one due timer into its customer, at the partition's time."""
    customer.timers.remove(timer)
    _foretell(customer, view.now_ms, view)
    effects: list[Effect] = []
    if timer.rule == hazard_question.NAME:
        effects.extend(hazard_question.on_timer(token, customer, view))
    elif timer.rule == sleep_timer.NAME:
        sleep_timer.on_timer(customer, view.now_ms)
    else:
        effects.extend(TIMER_RULES[timer.rule](token, customer, timer, view))
    effects.extend(_change_tier(token, customer, view.now_ms, view))
    return effects


def _arrival_of(event: CustomerEvent) -> str:
    """Name an arrival: an event that is passed on through merges may come to a name again."""
    return f"{event.id}\x00{len(event.via)}" if event.via else event.id


def _apply(customer: Customer, event: CustomerEvent, raw: bytes, view: View) -> Effect:
    tier = customer.tier
    applied = apply(customer, event, event.occurred_at_ms)
    return EventFolded(
        incarnation=view.incarnation,
        partition=view.partition,
        offset=view.offset,
        index=view.index(),
        customer=event.customer,
        at_ms=event.occurred_at_ms,
        type=type_of(event),
        logged_at_ms=view.logged_at_ms,
        tier=tier,
        event=msgspec.Raw(raw),
        order_state=applied.order_state,
        order_number=applied.order_number,
    )


def _absorb(customer: Customer, other: Customer, event: Absorbed, view: View) -> list[Effect]:
    effects: list[Effect] = []
    if event.origin != event.customer:
        effects.append(merging.merged_fact(event, view))
    at_ms = event.occurred_at_ms
    effects.extend(thank_you.on_merge(event.customer, customer, other, view, at_ms))
    merging.absorb(customer, other)
    return effects


def _foretell(customer: Customer, now_ms: int, view: View) -> None:
    if customer.orders > 0:
        foretold = foretell(features_of(customer, now_ms), view.hazard)
        customer.hazard, customer.hazard_version = foretold
    else:
        customer.hazard, customer.hazard_version = 0.0, view.hazard.version
    customer.hazard_at_ms = now_ms


def _change_tier(token: str, customer: Customer, now_ms: int, view: View) -> list[TierChanged]:
    tier, reason = tier_of(customer, now_ms)
    customer.tier_reason = reason
    if tier.value == customer.tier:
        return []
    change = TierChanged(
        incarnation=view.incarnation,
        partition=view.partition,
        offset=view.offset,
        index=view.index(),
        customer=token,
        at_ms=now_ms,
        from_tier=customer.tier,
        to_tier=tier.value,
        reason=reason,
    )
    customer.tier, customer.tier_since_ms = tier.value, now_ms
    return [change]


def _erase(customer: Customer, event: Erased, view: View) -> list[Effect]:
    """Forget everything but the ids that keep a repeat from bringing it back."""
    empty = Customer(event_ids=customer.event_ids, merged_into=customer.merged_into)
    for field in empty.__struct_fields__:
        setattr(customer, field, getattr(empty, field))
    return [
        Forgotten(
            incarnation=view.incarnation,
            partition=view.partition,
            offset=view.offset,
            index=view.index(),
            customer=event.customer,
            at_ms=event.occurred_at_ms,
        )
    ]
