"""What stands in a message's way, asked in one order everywhere; the first that does is the reason.

its time -> somebody to reach -> consent -> complaint -> quiet hours -> caps -> another message
"""

from collections.abc import Sequence
from typing import NamedTuple

from models.assignment import Subject, exposed, is_held_out
from models.clock import HOUR_MS
from models.customer import Customer
from models.playbook.playbook import Guard
from models.playbook.rulebook import Rule
from models.playbook.sending import Sending, Way
from models.playbook.then import Send
from models.triggers.moment import Moment
from models.triggers.notes import Run


class Obstacle(NamedTuple):
    """Why a message does not go now; with `until_ms` it is held and decided again then."""

    status: str
    reason: str
    until_ms: int = 0


def obstacle(
    moment: Moment, run: Run, rule: Rule, step: Send, sending: Sending
) -> tuple[Way | None, list[str], Obstacle | None]:
    """Give the channel that is left, the guards that were passed, and what stands in the way."""
    customer, guard, now_ms = moment.customer, rule.trigger.guard, moment.now_ms
    if now_ms >= run.due_ms + step.expires_ms:
        # Events may come in long after they happened; a partition may have been down for days.
        return None, [], Obstacle("cancelled", "its moment has passed")
    passed = ["in time"]
    way = _reachable(customer, sending)
    if way is None:
        return None, passed, Obstacle("no_consent", _unreachable(customer, sending))
    passed.append(way.passed)
    if sending.is_marketing and guard.mute_after_complaint:
        if customer.service.open_tickets:
            return way, passed, Obstacle("muted", "a complaint is open")
        passed.append("no complaint open")
    if guard.quiet_hours != "ignore":
        until_ms = moment.book.place.quiet_until(customer, way.name, now_ms)
        if until_ms is not None:
            if guard.quiet_hours == "drop":
                return way, passed, Obstacle("cancelled", "quiet hours")
            return way, passed, Obstacle("held", "quiet hours", until_ms)
        passed.append("not in quiet hours")
    if guard.caps:
        capped = moment.book.caps.standing(moment.notes.sent, way.counted_as, now_ms)
        if capped is not None:
            hours = capped.cap.window_ms / HOUR_MS
            reason = f"at most {capped.cap.count} in {hours:g} hours"
            return way, passed, Obstacle("capped", reason)
        passed.append("below the caps")
    if sending.is_marketing and moment.spoken:
        reason = f"rule {moment.spoken[0]} has this moment"
        return way, passed, Obstacle("superseded", reason)
    return way, passed, None


def _reachable(customer: Customer, sending: Sending) -> Way | None:
    """The first channel on which the customer may be reached, if there is one."""
    for way in sending.ways:
        if (
            way.is_on
            and _has_address(customer, way)
            and not (sending.is_marketing and way.name in customer.unsubscribed)
        ):
            return way
    return None


def _unreachable(customer: Customer, sending: Sending) -> str:
    """Why there is no such channel: what the last of them lacks that is worth a word."""
    reason = "nobody knows who it is"
    for way in sending.ways:
        if not way.is_on:
            reason = f"{way.name} is switched off"
        elif _has_address(customer, way):
            reason = f"unsubscribed from {way.name}"
        elif customer.known:
            reason = f"no address for {way.name}"
    return reason


def _has_address(customer: Customer, way: Way) -> bool:
    return way.address in customer.sealed or (customer.known and way.suffices_known)


def runs_of(moment: Moment, rule: str) -> list[Run]:
    """What is under way of a rule."""
    return [run for run in moment.notes.runs if run.rule == rule]


def is_due_once(moment: Moment, guard: Guard, rule: str, item: str, others: Sequence[Run]) -> bool:
    """Whether the rule may act again: once per customer, item or period.

    `others` is what else is under way of it.
    """
    once = guard.once
    if once == "occasion":
        return True
    said_ms = moment.notes.said.get(once_name(guard, rule, item))
    if said_ms is not None and not (isinstance(once, int) and moment.now_ms - said_ms >= once):
        return False
    if once != "item":
        return not others
    return item not in [run.item for run in others]


def once_name(guard: Guard, rule: str, item: str) -> str:
    """Under which name it is remembered that a rule acted."""
    return f"{rule}\x00{item}" if guard.once == "item" else rule


def is_left_alone(moment: Moment, rule: Rule) -> bool:
    """Whether the customer belongs to the holdout of the shop; noted as an exposure either way."""
    notes = moment.notes
    if notes.subject is None:
        notes.subject = Subject(moment.token, moment.customer.first_seen_ms)
    notes.subject = exposed(notes.subject, moment.now_ms)
    holdout = moment.book.book.holdout
    if holdout is None or not rule.trigger.guard.holdout:
        return False
    return is_held_out(holdout.salt, notes.subject.token, holdout.share)
