"""START HERE: one event or timer, one customer, one state; what follows from it.

    recognise a repeat -> follow a merge -> apply, note items -> foretell -> tier -> playbook

`step` mutates the row it is given and returns effects; the caller owns the row and throws it away
if this raises (ARCHITECTURE.md, decision 6). No clock, no I/O, no randomness.
"""

import msgspec

from models import coupon_asks, hazard_question, item_notes, merging, sleep_timer, standing_notes
from models.clock import DAY_MS
from models.clusters import NOBODY
from models.coupon_words import CouponWord
from models.customer import (
    RECEIPTS,
    Customer,
    Timer,
    apply,
    decode_row,
    is_told_receipt,
    seen_before,
)
from models.dormancy import Dormancy, dormancy_of
from models.effects import (
    Action,
    EventFolded,
    Fact,
    Forgotten,
    Taught,
    TierChanged,
)
from models.events import (
    TYPES,
    Absorbed,
    CustomerEvent,
    Erased,
    Event,
    OrderCancelled,
    OrderCompleted,
    OrderRefunded,
    Released,
    ReturnRequested,
    TicketOpened,
)
from models.hazard import is_foretold, outdate, settle
from models.held_coupons import OURS
from models.tier import PLAYBOOK_EDGES, tier_of
from models.triggers import changes, engine, notes, runs
from models.triggers.standing import OWN_TIMERS
from models.view import View


class ForLog(msgspec.Struct, frozen=True):
    """A record the fold itself adds to the log, for another customer (merges)."""

    event: Event


Effect = Fact | Action | Taught | ForLog | CouponWord
_TURNS = frozenset({Released, Absorbed, Erased})
_MOVES_ORDERS = frozenset({OrderCompleted, OrderCancelled, OrderRefunded, Absorbed})
_MOVES_TIMERS = _MOVES_ORDERS - {OrderRefunded}
_IS_TROUBLE = frozenset({OrderRefunded, TicketOpened, ReturnRequested})
_MOVES_TIER = _MOVES_ORDERS | _IS_TROUBLE
_WIDE_AWAKE = frozenset({"", Dormancy.AWAKE.value})
_MAY_BRING_SLEEP_NEARER = _IS_TROUBLE | {OrderCancelled, Absorbed}


def step(  # noqa: PLR0912  # once an event: a call costs more than a branch
    customer: Customer, event: CustomerEvent, raw: bytes, view: View
) -> list[Effect]:
    """Fold one event (`raw` is it as it stands in the log) into its customer."""
    kind = type(event)
    if seen_before(customer, _arrival_of(event) if event.via else event.id):
        return []
    if customer.merged_into or kind in _TURNS:
        if kind is Erased:
            return _erase(customer, event, view)  # type: ignore[arg-type]
        passed_on = _pass_on(customer, event, view)
        if passed_on is not None:
            return passed_on
    if kind in RECEIPTS and is_told_receipt(customer, event):
        return []
    if event.source == OURS and not customer.events:
        # A coupon is there longer than its owner: who was erased must not come back by it.
        return []
    at_ms, now_ms, book = event.occurred_at_ms, view.now_ms, view.rulebook
    now_ms = at_ms if at_ms > now_ms else now_ms
    was = changes.NOWHERE if book is None else changes.standing(customer)
    # Asked once: most events move nothing of all this.
    moves = kind in _MOVES_TIER
    before = standing_notes.stand(customer) if moves and kind in _MOVES_ORDERS else None
    folded = None
    if kind is Absorbed:
        other = decode_row(event.row)  # type: ignore[union-attr]
        if not other.events:
            return []
        effects = _absorb(customer, other, event, view)  # type: ignore[arg-type]
    else:
        folded = _apply(customer, event, raw, view)
        effects = [folded]
        if kind in item_notes.NOTED:
            effects += item_notes.note(customer, event, folded.order_state, view)
        if moves and kind in coupon_asks.ASKING:
            effects += coupon_asks.asked(customer, event, folded.order_state)
    may_move = moves or _tier_may_have_moved(customer, now_ms)
    outdate(customer, now_ms)
    if before is not None:
        effects += standing_notes.changed(event.customer, customer, before, view)
    if moves:
        _move_sleep(customer, kind, at_ms, view)
    if may_move:
        anew = before is not None
        effects += _change_tier(event.customer, customer, now_ms, view, anew=anew)
    if book is not None:
        effects += engine.on_event(event.customer, customer, event, folded, was, view, now_ms)
    return effects


def fire(token: str, customer: Customer, timer: Timer, view: View) -> list[Effect]:
    """Fold one due timer into its customer, at the partition's time."""
    was, now_ms = changes.standing(customer), view.now_ms
    may_move = _tier_may_have_moved(customer, now_ms)
    if not is_foretold(customer, now_ms, view.hazard):
        outdate(customer, now_ms)
    effects: list[Effect] = []
    is_own = timer.rule in OWN_TIMERS
    if not is_own:
        customer.timers.remove(timer)
    if timer.rule == hazard_question.NAME:
        effects.extend(hazard_question.on_timer(token, customer, view))
    elif timer.rule == sleep_timer.NAME:
        sleep_timer.on_timer(customer, view)
        may_move = True
    elif not is_own:
        raise KeyError(timer.rule)
    if may_move:
        effects.extend(_change_tier(token, customer, now_ms, view))
    effects.extend(engine.on_timers(token, customer, was, view))
    return effects


def wake(token: str, customer: Customer, name: str, view: View) -> list[Effect]:
    """Have everything decided that waits for an answer of a purse, no earlier than it was asked."""
    waiting = runs.asking(customer, name)
    if not waiting:
        return []
    now_ms = view.now_ms
    asked_ms = max(run.due_ms for run in customer.playbook.runs if run.waits_for == name)
    view.now_ms = max(now_ms, asked_ms)
    for timer in waiting:
        timer.due_ms = view.now_ms
    try:
        return fire(token, customer, waiting[0], view)
    finally:
        view.now_ms = now_ms


def _move_sleep(customer: Customer, kind: type, at_ms: int, view: View) -> None:
    if kind in _MOVES_TIMERS:
        # An order wakes; after a merge or a cancellation nothing of the former state holds.
        was_drowsy = customer.dormancy not in _WIDE_AWAKE
        customer.dormancy = ""
        hazard_question.on_order(customer, at_ms)
        sleep_timer.on_order(customer, view, was_drowsy=was_drowsy)
    if kind in _MAY_BRING_SLEEP_NEARER:
        sleep_timer.turn_back(customer, view)


def _pass_on(customer: Customer, event: CustomerEvent, view: View) -> list[Effect] | None:
    """Follow a merge; None when the event is this customer's own to fold."""
    # The row may move as it stands, so nothing in it may wait to be foretold.
    settle(customer, view.hazard)
    before = standing_notes.stand(customer)
    moved = merging.follow(customer, event, view)
    if moved is None:
        return None
    taught = standing_notes.changed(event.customer, customer, before, view)
    return [*(ForLog(one) for one in moved.for_log), *moved.facts, *taught]


def _arrival_of(event: CustomerEvent) -> str:
    """Name an arrival: an event that is passed on through merges may come to a name again."""
    return f"{event.id}\x00{len(event.via)}"


def _apply(customer: Customer, event: CustomerEvent, raw: bytes, view: View) -> EventFolded:
    tier, at_ms, index = customer.tier, event.occurred_at_ms, view.next_index
    # Not by view.index(): once an event, and it is the call that costs.
    view.next_index = index + 1
    applied = apply(customer, event, at_ms)
    return EventFolded(
        incarnation=view.incarnation,
        partition=view.partition,
        offset=view.offset,
        index=index,
        customer=event.customer,
        at_ms=at_ms,
        type=TYPES[type(event)],
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
    book = view.rulebook
    runs.decide_soon(other, view.now_ms)
    both = notes.merged(customer.playbook, other.playbook, book.caps if book else None)
    merging.absorb(customer, other)
    customer.playbook = both
    return effects


def _tier_may_have_moved(customer: Customer, now_ms: int) -> bool:
    """Whether time alone could have changed the tier since this row was last looked at.

    A tier depends on the orders, the day and dormancy (`models/tier.py`), for which days end at
    the last order's time of day; every look leaves its time in `hazard_at_ms`. Who has not
    ordered is new, whatever the time.
    """
    if not customer.tier:
        return True
    looked_ms = customer.hazard_at_ms
    if now_ms == looked_ms or customer.orders <= 0:
        return False
    last_ms = customer.last_order_ms
    return (
        now_ms // DAY_MS != looked_ms // DAY_MS
        or (now_ms - last_ms) // DAY_MS != (looked_ms - last_ms) // DAY_MS
    )


def _change_tier(
    token: str, customer: Customer, now_ms: int, view: View, *, anew: bool = False
) -> list[TierChanged]:
    asleep = None
    if customer.orders > 0:
        asleep = dormancy_of(customer, now_ms, view.hazard)
        customer.dormancy = asleep._value_
        standing_notes.look(customer, now_ms, view, anew=anew)
    else:
        customer.cluster = NOBODY
    edges = view.segments.edges or PLAYBOOK_EDGES
    tier, reason = tier_of(customer, now_ms, edges, dormancy=asleep)
    customer.tier_reason = reason
    if tier._value_ == customer.tier:
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
    before = standing_notes.stand(customer)
    forgotten = item_notes.on_erasure(customer, event, view)
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
        ),
        *standing_notes.changed(event.customer, customer, before, view),
        *forgotten,
    ]
