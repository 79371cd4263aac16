"""Rules under way: they begin at a moment, wait, go through their steps, and are stopped.

A run that waits stands in the row's notes, its timer beside the row's other timers. What is decided
when its time comes is decided anew, as the customer is then.
"""

from typing import Any

from models import held_coupons
from models.assignment import arm_of
from models.clock import DAY_MS
from models.customer import Customer, Timer, find_timer, ref_of
from models.events import (
    TYPES,
    OrderCancelled,
    OrderCompleted,
    OrderRefunded,
    ProductAdded,
    ProductRemoved,
    ProductReviewed,
    ProductViewed,
    ProductWished,
    ReturnRequested,
    TicketAnswered,
    TicketClosed,
    TicketOpened,
    TicketRated,
    Tracked,
)
from models.playbook.program import Choose, Do, Draw, Jump, Pause
from models.playbook.rulebook import Rule
from models.playbook.when import OnCadence, OnCouponEnding, OnEvent
from models.triggers.guards import is_due_once, is_left_alone, once_name, runs_of
from models.triggers.moment import Moment, receipt
from models.triggers.notes import RUNS_AT_MOST, Run, key_of, remember_said, run_of
from models.triggers.offers import cost_cents, usual_order_cents
from models.triggers.steps import ASKS, HELD, SENT, carry_out

RUN = "run"
TEXT_AT_MOST = 200
ASKED_AT_MOST_MS = DAY_MS
"""So long without an answer of a purse a run is looked at again: its moment may have passed."""
_OF_LINES = frozenset({ProductViewed, ProductAdded, ProductRemoved, ProductWished})
_OF_ORDERS = frozenset({OrderCompleted, OrderCancelled, OrderRefunded, ReturnRequested})
_OF_TICKETS = frozenset({TicketOpened, TicketAnswered, TicketClosed, TicketRated})
_NAMED = ("order_id", "ticket_id", "product_id", "query", "coupon", "name")
_WORDS = {kind: tuple(name for name in _NAMED if name in vars(kind)) for kind in TYPES}
"""Of each type of event the words that templates may name."""


def item_of(event: Any) -> str:
    """What an event is about: an order, a complaint, a product, or nothing in particular."""
    kind = type(event)
    if kind in _OF_LINES:
        return str(event.line.product_id)
    if kind in _OF_ORDERS:
        return str(event.order_id)
    if kind in _OF_TICKETS:
        return str(event.ticket_id)
    return str(event.product_id) if kind is ProductReviewed else ""


def begin(
    moment: Moment,
    rule: Rule,
    occasion: str,
    *,
    item: str = "",
    at_ms: int,
    variables: dict[str, Any] | None = None,
) -> Run | None:
    """Begin a rule for an occasion; None when it may not, or already has."""
    own = runs_of(moment, rule.name)
    if not _may_begin(moment, rule, own, occasion, item):
        return None
    return _begun(rule, occasion, item, at_ms, variables or {})


def _may_begin(moment: Moment, rule: Rule, own: list[Run], occasion: str, item: str) -> bool:
    for run in own:
        if run.occasion == occasion:
            return False
    return is_due_once(moment, rule.trigger.guard, rule.name, item, own)


def _begun(
    rule: Rule, occasion: str, item: str, at_ms: int, variables: dict[str, Any], wait_ms: int = 0
) -> Run:
    key, due_ms = key_of(rule.name, occasion), at_ms + wait_ms
    return Run(key, rule.name, occasion, item, at_ms, due_ms, rule.rule_print, variables=variables)


def begin_at_event(moment: Moment, rule: Rule, event: Any, at_ms: int) -> Run | None:
    """Begin a rule at an event; the run if it is to act now, None when it waits or does not."""
    when = rule.trigger.when
    assert isinstance(when, OnEvent)  # noqa: S101  # found by the type of event
    item, wait_ms = item_of(event), when.wait_ms
    own = runs_of(moment, rule.name)
    waiting = [run for run in own if run.waits == "first"] if wait_ms and own else []
    if waiting and item and item in [run.item for run in waiting]:
        return None
    occasion = _occasion(event, item, at_ms)
    if not _may_begin(moment, rule, own, occasion, item):
        return None
    if wait_ms and _has_happened(moment, rule, item, at_ms):
        return None
    run = _begun(rule, occasion, item, at_ms, _said_by(event), wait_ms)
    if not wait_ms:
        return run
    if len(waiting) >= when.waiting_at_most:
        # The oldest gives way.
        drop(moment, min(waiting, key=_coming))
    wait(moment, run)
    return None


def _coming(run: Run) -> tuple[int, str]:
    return run.due_ms, run.key


def _occasion(event: Any, item: str, at_ms: int) -> str:
    if type(event) is OrderCompleted:
        return event.order_id
    return f"{item}@{at_ms}" if item else f"{event.id}@{at_ms}"


def _has_happened(moment: Moment, rule: Rule, item: str, since_ms: int) -> bool:
    """Whether what ends the wait came in before what begins it, as late events do."""
    when, customer = rule.trigger.when, moment.customer
    if not isinstance(when, OnEvent) or not when.unless:
        return False
    if not when.same_item and "order_completed" in when.unless:
        for order in customer.recent_orders:
            if order.at_ms > since_ms and not order.cancelled:
                return True
    if when.same_item and "order_cancelled" in when.unless:
        ref = ref_of(item)
        if any(one.ref == ref and one.cancelled for one in customer.recent_orders):
            return True
    ends = rule.ends
    for one in customer.recent if ends else ():
        if one.at_ms > since_ms and one.code in ends and (not when.same_item or one.what == item):
            return True
    return False


def _said_by(event: Any) -> dict[str, Any]:
    """What templates can name of an event; nothing of it is personal (that is sealed)."""
    said: dict[str, Any] = {}
    kind = type(event)
    if kind in _OF_LINES:
        line = event.line
        said = {"product_id": line.product_id, "product": line.name or line.product_id}
        if line.category:
            said["category"] = line.category
    for name in _WORDS[kind]:
        value = getattr(event, name)
        if value and isinstance(value, str):
            said["event" if name == "name" else name] = value[:TEXT_AT_MOST]
    if kind is OrderCompleted and event.lines:
        first = event.lines[0]
        said["product_id"], said["product"] = first.product_id, first.name or first.product_id
    properties = event.extra if kind is Tracked else None
    if properties:
        for name, value in sorted(properties.items())[:16]:
            if isinstance(value, str | int | float) and name.isidentifier():
                said.setdefault(name, value[:TEXT_AT_MOST] if isinstance(value, str) else value)
    return said


def wait(moment: Moment, run: Run, until_ms: int | None = None) -> None:
    """Keep a run until its time; of too many the one that would come last is dropped."""
    notes, customer = moment.notes, moment.customer
    due_ms = run.due_ms if until_ms is None else until_ms
    if run_of(notes, run.key) is not None:
        notes.runs = [one for one in notes.runs if one.key != run.key]
    notes.runs.append(run)
    timer = find_timer(customer, RUN, run.key)
    if timer is None:
        customer.timers.append(Timer(RUN, run.key, due_ms))
    else:
        timer.due_ms = due_ms
    if len(notes.runs) > RUNS_AT_MOST:
        drop(moment, max(notes.runs, key=_coming))


def drop(moment: Moment, run: Run) -> None:
    """Have a run end without a word, if it waits at all."""
    key, runs, timers = run.key, moment.notes.runs, moment.customer.timers
    for at, one in enumerate(runs):
        if one.key == key:
            del runs[at]
            break
    else:
        return
    for at, timer in enumerate(timers):
        if timer.item == key and timer.rule == RUN:
            del timers[at]
            break


def cancel(moment: Moment, run: Run, reason: str) -> None:
    """Have a run end, and say why."""
    drop(moment, run)
    moment.effects.append(receipt(moment, run, "cancelled", reason))


def stop(moment: Moment, event: Any, kind: str, at_ms: int) -> None:
    """End what waits unless such an event happens."""
    rules = moment.book.rules
    for run in list(moment.notes.runs):
        rule = rules.get(run.rule)
        if rule is None or kind not in rule.stops or at_ms < run.began_ms:
            continue
        if run.rule_print == rule.rule_print and _ends(rule, run, event, kind):
            cancel(moment, run, f"{kind} in the meantime")


def _ends(rule: Rule, run: Run, event: Any, kind: str) -> bool:
    when = rule.trigger.when
    if run.waits == "step":
        before = rule.program.ops[run.at - 1] if run.at else None
        return isinstance(before, Pause) and kind in before.unless
    if isinstance(when, OnCadence):
        return kind in when.until
    if not isinstance(when, OnEvent) or kind not in when.unless:
        return False
    return not when.same_item or run.item == item_of(event)


def proceed(moment: Moment, ready: list[Run]) -> None:
    """Let runs act whose moment it is: by priority, then what costs least, then by name."""
    runs = [(rule, run) for run in ready if (rule := _rule_of(moment, run)) is not None]
    if len(runs) > 1:
        ranks = {rule: _rank(moment, rule) for rule in {rule for rule, _ in runs}}
        runs.sort(key=lambda one: (ranks[one[0]], one[1].occasion))
    moment.wanting = [run.rule for _, run in runs]
    waits_for = ""
    for rule, run in runs:
        if waits_for:
            # Whether it may speak depends on what the one before it gets.
            _ask(moment, run, waits_for)
        else:
            waits_for = _go_on(moment, rule, run)


def _ask(moment: Moment, run: Run, name: str) -> None:
    run.waits_for = name
    moment.view.waited.append(name)
    wait(moment, run, moment.now_ms + ASKED_AT_MOST_MS)


def asking(customer: Customer, name: str) -> list[Timer]:
    """Timers of the runs that wait for an answer of that purse."""
    found = [
        find_timer(customer, RUN, run.key)
        for run in customer.playbook.runs
        if run.waits_for == name
    ]
    return [timer for timer in found if timer is not None]


def decide_soon(customer: Customer, now_ms: int) -> None:
    """Have what asked a purse asked anew at the next mark: here is another partition's side."""
    for run in customer.playbook.runs:
        timer = find_timer(customer, RUN, run.key)
        if run.waits_for and timer is not None:
            timer.due_ms = now_ms
            run.waits_for = ""


def _rank(moment: Moment, rule: Rule) -> tuple[int, int, str]:
    """Order of rules that want one moment.

    All of them hope for the same order of the same customer, so of two offers the one that costs
    less is worth more.
    """
    cost = 0
    if rule.gifts:
        offers, worth = moment.book.book.offers, usual_order_cents(moment)
        cost = sum(cost_cents(offers[name], worth) for name in rule.gifts)
    return -rule.priority, cost, rule.name


def _rule_of(moment: Moment, run: Run) -> Rule | None:
    rule = moment.book.rules.get(run.rule)
    if rule is None:
        cancel(moment, run, "the rule is no longer there")
    elif rule.rule_print != run.rule_print:
        cancel(moment, run, "the rule was changed")
        return None
    return rule


def _go_on(moment: Moment, rule: Rule, run: Run) -> str:
    """Let a run do what it can; what it has asked and must be answered first."""
    waited = run.waits != "first" or run.due_ms > run.began_ms
    drop(moment, run)
    run.waits_for = ""
    if run.waits in ("first", "held") and not _may_act(moment, rule, run, waited=waited):
        return ""
    run.waits = ""
    ops = rule.program.ops
    while run.at < len(ops):
        op = ops[run.at]
        match op:
            case Do():
                status = carry_out(moment, run, rule, op.step)
                if status == ASKS:
                    run.waits = "held"
                    _ask(moment, run, run.waits_for)
                    return run.waits_for
                if status == HELD:
                    run.waits = "held"
                    wait(moment, run)
                    return ""
                if status == SENT:
                    name = once_name(rule.trigger.guard, rule.name, run.item)
                    if rule.trigger.guard.once != "occasion":
                        remember_said(moment.notes, name, moment.now_ms)
            case Pause():
                run.at += 1
                run.due_ms += op.wait_ms
                run.waits = "step"
                wait(moment, run)
                return ""
            case Choose():
                if not moment.holds(rule, op.holds):
                    run.at = op.otherwise
                    continue
            case Jump():
                run.at = op.to
                continue
            case Draw():
                _draw(moment, rule, run, op)
                continue
        run.at += 1
    return ""


def _may_act(moment: Moment, rule: Rule, run: Run, *, waited: bool) -> bool:
    """Ask what holds for the whole rule; of what was waited for a receipt says why not."""
    others = [one for one in runs_of(moment, rule.name) if one.key != run.key]
    if not is_due_once(moment, rule.trigger.guard, rule.name, run.item, others):
        return False
    when = rule.trigger.when
    if waited and _has_happened(moment, rule, run.item, run.began_ms):
        reason = f"{' or '.join(when.unless)} in the meantime"  # type: ignore[union-attr]
        moment.effects.append(receipt(moment, run, "cancelled", reason))
        return False
    if isinstance(when, OnCouponEnding) and not _is_still_good(moment, run):
        reason = "the coupon is redeemed or over in the meantime"
        moment.effects.append(receipt(moment, run, "cancelled", reason))
        return False
    if not moment.holds(rule, rule.may_act):
        if waited:
            reason = "its condition does not hold any more"
            moment.effects.append(receipt(moment, run, "cancelled", reason))
        return False
    if run.at == 0 and is_left_alone(moment, rule):
        holdout = moment.book.book.holdout
        run.arm, run.propensity = "holdout", holdout.share if holdout else 0.0
        moment.effects.append(
            receipt(moment, run, "holdout", "left alone, to measure by", action=_first(rule))
        )
        if rule.trigger.guard.once != "occasion":
            name = once_name(rule.trigger.guard, rule.name, run.item)
            remember_said(moment.notes, name, moment.now_ms)
        return False
    holdout = moment.book.book.holdout
    if holdout is not None and rule.trigger.guard.holdout and not run.arm:
        run.propensity = 1.0 - holdout.share
    return True


def _is_still_good(moment: Moment, run: Run) -> bool:
    coupon = held_coupons.find(moment.customer.held_coupons, run.item)
    return coupon is not None and held_coupons.is_good(coupon, moment.now_ms)


def _first(rule: Rule) -> str:
    for op in rule.program.ops:
        if isinstance(op, Do):
            name = type(op.step).__name__.lower()
            return {"send": "message", "give": "offer", "grant": "perk", "call": "webhook"}.get(
                name, name
            )
    return "message"


def _draw(moment: Moment, rule: Rule, run: Run, op: Draw) -> None:
    """Send the customer down its arm."""
    holdout = moment.book.book.holdout
    subject = moment.notes.subject
    token = subject.token if subject is not None else moment.token
    arm = arm_of(holdout.salt if holdout else "arms", token, op.arms)
    run.arm = arm
    run.propensity *= op.arms.shares[op.arms.names.index(arm)]
    run.at = op.places[arm]
