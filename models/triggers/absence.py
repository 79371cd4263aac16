"""Why a rule has done nothing for a customer: its moment, conditions and guards, one by one.

Asked of a row as it stands, for whoever looks; nothing is decided here.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from models.customer import Customer
from models.playbook.cel_compiler import compile_condition
from models.playbook.cel_parser import parse
from models.playbook.cel_tree import fields_in
from models.playbook.closeness import closest
from models.playbook.conditions import customer_fields
from models.playbook.rulebook import Rule, Rulebook
from models.playbook.when import OnCadence, OnEvent, OnHoliday, OnSilence
from models.triggers.calendar import next_due
from models.triggers.guards import is_due_once, is_left_alone, obstacle, runs_of
from models.triggers.moment import Moment
from models.triggers.notes import MOMENT, Run
from models.triggers.standing import ABOUT
from models.view import View

_MOMENTS = {
    "OnSilence": "a silence",
    "OnDormancy": "falling asleep as far as that",
    "OnEnteringTier": "entering the tier",
    "OnLeavingTier": "leaving the tier",
    "OnEnteringSegment": "entering the segment",
    "OnLeavingSegment": "leaving the segment",
    "OnHazard": "the likelihood of an order falling below the line",
    "OnRisingHazard": "the likelihood of an order rising above the line",
    "OnValue": "spending reaching the sum",
    "OnCustomerDate": "the customer's day",
    "OnHoliday": "the holiday",
    "OnReplenishment": "a product being used up",
    "OnCouponEnding": "a coupon running out",
    "OnCadence": "the next beat",
}


class Finding(NamedTuple):
    """One thing that was asked: whether it holds (None: it can't be asked now), and when, if ever.

    `at_ms` is the time that the sentence is about, 0 for none.
    """

    holds: bool | None
    said: str
    at_ms: int = 0


def findings(
    token: str, customer: Customer, book: Rulebook, name: str, view: View
) -> list[Finding]:
    """Ask everything about a rule that has decided nothing, at the view's time."""
    rule = book.rules.get(name)
    if rule is None:
        return [_absent(book, name)]
    moment = Moment(token, customer, view, book, view.now_ms)
    return [
        *_coming(moment, rule),
        *_conditions(moment, rule),
        *_once(moment, rule),
        *_guards(moment, rule),
    ]


def _absent(book: Rulebook, name: str) -> Finding:
    if name in book.book.triggers:
        return Finding(False, f"the rule {name} is switched off")
    meant = closest(name, book.rules)
    hint = f"; did you mean {meant}?" if meant else ""
    return Finding(False, f"the playbook has no rule {name}{hint}")


def _coming(moment: Moment, rule: Rule) -> Iterator[Finding]:
    """When it goes on or comes next, if the row knows."""
    customer, when = moment.customer, rule.trigger.when
    waiting = [run for run in customer.playbook.runs if run.rule == rule.name]
    for run in waiting:
        why = "quiet hours hold it" if run.waits == "held" else "it waits"
        if run.waits_for:
            why = "it asks what is left of a budget"
        yield Finding(None, f"{why}, about {run.occasion}; it goes on", run.due_ms)
    coming = [
        one.due_ms
        for one in customer.timers
        if one.rule == MOMENT and one.item.split(ABOUT)[0] == rule.name
    ]
    if isinstance(when, OnSilence | OnHoliday):
        due = next_due(when, customer, moment.book.place, moment.now_ms)
        coming = [due.at_ms] if due is not None else []
    for due_ms in coming:
        yield Finding(None, "its moment comes", due_ms)
    if waiting or coming:
        return
    if isinstance(when, OnEvent):
        yield Finding(None, f"nothing waits: its moment is the event {' or '.join(when.event)}")
    else:
        yield Finding(None, f"nothing waits: its moment is {_MOMENTS[type(when).__name__]}")


def _conditions(moment: Moment, rule: Rule) -> Iterator[Finding]:
    trigger = rule.trigger
    when, guard = trigger.when, trigger.guard
    own = when.while_ if isinstance(when, OnCadence) else getattr(when, "if_", "")
    for text in (own, guard.if_):
        if text:
            yield _condition(moment, text)
    tier, segments = moment.customer.tier, moment.scope.segments
    if guard.tiers:
        wanted = " or ".join(guard.tiers)
        yield Finding(tier in guard.tiers, f"tier {wanted} is asked for, the customer is {tier}")
    if guard.segments:
        wanted = " or ".join(guard.segments)
        there = ", ".join(segments) or "none"
        is_in = not set(guard.segments).isdisjoint(segments)
        yield Finding(is_in, f"segment {wanted} is asked for, the customer is in {there}")


def _condition(moment: Moment, text: str) -> Finding:
    tree = parse(text)
    if any(name.startswith("event.") for name in fields_in(tree)):
        return Finding(None, f"condition {text!r}: the event decides it")
    fields = customer_fields(tuple(moment.book.book.segments))
    return Finding(compile_condition(tree, fields)(moment.scope), f"condition {text!r}")


def _once(moment: Moment, rule: Rule) -> Iterator[Finding]:
    said, runs = moment.notes.said, runs_of(moment, rule.name)
    names = (name for name in said if name.partition("\x00")[0] == rule.name)
    for name in names:
        about = name.partition("\x00")[2]
        what = f"it acted last about {about}" if about else "it acted last"
        yield Finding(
            is_due_once(moment, rule.trigger.guard, rule.name, about, runs), what, said[name]
        )


def _guards(moment: Moment, rule: Rule) -> Iterator[Finding]:
    if is_left_alone(moment, rule):
        yield Finding(False, "the customer belongs to the holdout, who get nothing")
    if not rule.sendings:
        return
    at, sending = next(iter(rule.sendings.items()))
    step: Any = rule.program.ops[at]
    run = Run("", rule.name, "", "", moment.now_ms, moment.now_ms, rule.rule_print)
    _, passed, stood = obstacle(moment, run, rule, step.step, sending)
    yield from (Finding(True, guard) for guard in passed)
    if stood is not None:
        yield Finding(False, f"{stood.status}: {stood.reason}", stood.until_ms)
