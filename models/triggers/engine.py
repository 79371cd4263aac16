"""START HERE for the playbook: what an event, a due timer or a new edition sets going.

    arm -> stop what waits -> begin what this is the moment of -> wind what stands -> act

Everything is decided by the row, the edition and the partition's time, so a replay decides the
same. What an event outdates is looked at when it is needed; an event that no rule is about costs a
few look-ups.
"""

from typing import Any

from models.customer import Customer, Timer
from models.effects import EventFolded
from models.events import (
    TYPES,
    Absorbed,
    CouponApplied,
    CouponEnded,
    CouponIssued,
    CouponReturned,
    CustomerIdentified,
    OrderCancelled,
    OrderCompleted,
    OrderRefunded,
)
from models.held_coupons import OURS
from models.playbook.rulebook import Rule, Rulebook, always
from models.playbook.when import OnCadence, OnCouponEnding
from models.triggers import changes, standing
from models.triggers.changes import Was
from models.triggers.moment import Moment
from models.triggers.notes import MOMENT, Run, run_of
from models.triggers.runs import RUN, begin_at_event, proceed, stop
from models.view import View

_MOVES_ORDERS = frozenset({OrderCompleted, OrderCancelled, OrderRefunded, Absorbed})
_TAKES_BACK = _MOVES_ORDERS - {OrderCompleted}
_MOVES_MOMENTS = _MOVES_ORDERS | {CustomerIdentified}
_MOVES_COUPONS = frozenset({CouponIssued, CouponApplied, CouponReturned, CouponEnded, Absorbed})
_UNCOUNTED = frozenset({"repeated", "cancelled"})


def on_event(
    token: str,
    customer: Customer,
    event: Any,
    folded: EventFolded | None,
    was: Was,
    view: View,
    now_ms: int,
) -> list[Any]:
    """Apply the playbook to an event that is in the row; `folded` is its fact, if it has one."""
    book = view.rulebook
    if book is None:
        return []
    kind = TYPES[type(event)]
    is_armed = customer.playbook.version == view.playbook_version
    if is_armed and not _concerns(book, event, kind, customer, was, now_ms):
        return []
    moment = Moment(token, customer, view, book, now_ms, event)
    if not is_armed:
        standing.arm(moment, is_new=customer.events == 1)
    if book.may_stop(kind):
        _stop(moment, event, kind)
    ready: list[Run] = []
    if folded is None or folded.order_state not in _UNCOUNTED:
        ready = _begun(moment, event, kind)
    ready += changes.changed(moment, was)
    _wind(moment, event, was, is_wound=not is_armed)
    if ready:
        proceed(moment, ready)
    return moment.effects


def _concerns(
    book: Rulebook, event: Any, kind: str, customer: Customer, was: Was, now_ms: int
) -> bool:
    """Whether there is anything to look at: most events of most customers are about no rule."""
    return (
        book.is_about(kind)
        or type(event) in _MOVES_MOMENTS
        or customer.tier != was.tier
        or customer.dormancy != was.dormancy
        or customer.value_cents != was.value_cents
        or (type(event) in _MOVES_COUPONS and bool(book.at(OnCouponEnding)))
        or (book.is_watched and not standing.is_in_step(book, customer, now_ms))
    )


def _stop(moment: Moment, event: Any, kind: str) -> None:
    stop(moment, event, kind, event.occurred_at_ms)
    for rule in moment.book.cadences:
        if kind in rule.trigger.when.until:  # type: ignore[union-attr]
            changes.end(moment, rule)


def _begun(moment: Moment, event: Any, kind: str) -> list[Run]:
    """Rules that the event begins and that are to act now; others wait from here on."""
    at_ms, book, ready = event.occurred_at_ms, moment.book, []
    rules = book.without_filter(kind)
    if rules is None:
        rules = book.candidates(kind, moment.scope)
    for rule in rules:
        if (rule.begins is always or moment.holds(rule, rule.begins)) and not _would_go_on(
            rule, event
        ):
            run = begin_at_event(moment, rule, event, at_ms)
            if run is not None:
                ready.append(run)
    return ready


def _would_go_on(rule: Rule, event: Any) -> bool:
    """Whether a coupon that a rule gives would have a rule give the next, and so for ever."""
    return type(event) is CouponIssued and event.source == OURS and rule.gives_coupons


def _wind(moment: Moment, event: Any, was: Was, *, is_wound: bool) -> None:
    """Wind what the event moves; of a row that was armed just now all but refills is wound."""
    kind = type(event)
    if not is_wound:
        _wind_moved(moment, kind)
    if kind is OrderCompleted:
        standing.wind_refills(moment, event.lines)
    if not standing.is_in_step(moment.book, moment.customer, moment.now_ms):
        standing.wind(moment, (OnCadence,))
    is_nearer = kind in _TAKES_BACK or moment.customer.tier != was.tier
    standing.keep_watch(moment, is_nearer=is_nearer)


def _wind_moved(moment: Moment, kind: type) -> None:
    if kind in _MOVES_ORDERS:
        standing.wind_silences(moment)
        if kind is not OrderCompleted or moment.customer.orders <= 1:
            standing.wind(moment, standing.OF_DATES)
    elif kind is CustomerIdentified:
        standing.wind(moment, standing.OF_DATES)
        standing.wind_holidays(moment)
    if kind in _MOVES_COUPONS:
        standing.wind_coupons(moment)


def on_timers(token: str, customer: Customer, was: Was, view: View) -> list[Any]:
    """Let everything of the playbook that is due act at once: one moment, one order of rules."""
    book = view.rulebook
    if book is None:
        # No edition can be used any more: what is due ends here, or it would be due for ever.
        customer.timers = [
            one
            for one in customer.timers
            if one.due_ms > view.now_ms or one.rule not in standing.OWN_TIMERS
        ]
        return []
    moment = Moment(token, customer, view, book, view.now_ms)
    if customer.playbook.version != view.playbook_version:
        standing.arm(moment, is_new=False)
    ready = [*_due(moment), *changes.changed(moment, was)]
    has_moved = customer.tier != was.tier
    if has_moved:
        standing.follow_tier(moment)
    standing.keep_watch(moment, is_nearer=has_moved)
    if ready:
        proceed(moment, ready)
    return moment.effects


def _due(moment: Moment) -> list[Run]:
    customer, now_ms = moment.customer, moment.now_ms
    ready: list[Run] = []
    due = [
        one for one in customer.timers if one.due_ms <= now_ms and one.rule in standing.OWN_TIMERS
    ]
    if len(due) > 1:
        due.sort(key=_order)
    for timer in due:
        if timer not in customer.timers:
            continue
        if timer.rule == RUN:
            customer.timers.remove(timer)
            run = run_of(moment.notes, timer.item)
            if run is not None:
                ready.append(run)
        elif timer.rule == MOMENT:
            ready += standing.come(moment, timer)
        else:
            customer.timers.remove(timer)
            standing.look(moment)
    return ready


def _order(timer: Timer) -> tuple[int, str, str]:
    return timer.due_ms, timer.rule, timer.item


def arm(token: str, customer: Customer, view: View) -> list[Any]:
    """Make a row that nothing has happened to ready for an edition."""
    book = view.rulebook
    if book is None or customer.merged_into or not customer.events:
        return []
    moment = Moment(token, customer, view, book, view.now_ms)
    standing.arm(moment, is_new=False)
    return moment.effects
