"""What stands in a message's way, asked in one order everywhere; the first that does is the reason.

its time -> somebody to reach -> consent -> complaint -> quiet hours -> caps -> another message
"""

from typing import NamedTuple

from models.assignment import Subject, exposed, is_held_out
from models.customer import Customer, may_send
from models.events import MessageChannel
from models.playbook.playbook import Guard, Trigger
from models.playbook.rulebook import Rule, sent_on
from models.playbook.then import Send
from models.triggers.moment import Moment
from models.triggers.notes import Run

_NEEDED = {MessageChannel.EMAIL: "email", MessageChannel.SMS: "phone"}


class Obstacle(NamedTuple):
    """Why a message does not go now; with `until_ms` it is held and decided again then."""

    status: str
    reason: str
    until_ms: int = 0


def obstacle(
    moment: Moment, run: Run, rule: Rule, step: Send, consent: str
) -> tuple[str, list[str], Obstacle | None]:
    """Give the channel that is left, the guards that were passed, and what stands in the way."""
    guard, passed = rule.trigger.guard, list[str]()
    if moment.now_ms >= run.due_ms + step.expires_ms:
        # Events may come in long after they happened; a partition may have been down for days.
        return "", passed, Obstacle("cancelled", "its moment has passed")
    passed.append("in time")
    channel, reason = _reachable(moment, step, consent)
    if not channel:
        return "", passed, Obstacle("no_consent", reason)
    passed.append(f"consent to {consent} by {channel}")
    if consent == "marketing" and guard.mute_after_complaint:
        if moment.customer.service.open_tickets:
            return channel, passed, Obstacle("muted", "a complaint is open")
        passed.append("no complaint open")
    if guard.quiet_hours != "ignore":
        until_ms = moment.book.place.quiet_until(moment.customer, channel, moment.now_ms)
        if until_ms is not None:
            if guard.quiet_hours == "drop":
                return channel, passed, Obstacle("cancelled", "quiet hours")
            return channel, passed, Obstacle("held", "quiet hours", until_ms)
        passed.append("not in quiet hours")
    if guard.caps:
        name = sent_on(channel, consent)
        capped = moment.book.caps.standing(moment.notes.sent, name, moment.now_ms)
        if capped is not None:
            hours = capped.cap.window_ms / 3_600_000
            reason = f"at most {capped.cap.count} in {hours:g} hours"
            return channel, passed, Obstacle("capped", reason)
        passed.append("below the caps")
    if consent == "marketing" and moment.spoken:
        reason = f"rule {moment.spoken[0]} has this moment"
        return channel, passed, Obstacle("superseded", reason)
    return channel, passed, None


def _reachable(moment: Moment, step: Send, consent: str) -> tuple[str, str]:
    """The first channel of the step on which the customer may be reached, or why there is none."""
    customer, channels = moment.customer, moment.book.book.channels
    reason = "nobody knows who it is"
    for name in step.channels:
        channel = MessageChannel(name)
        if name in channels and not channels[name].enabled:
            reason = f"{name} is switched off"
        elif not _has_address(customer, channel):
            reason = f"no address for {name}" if customer.known else reason
        elif consent == "marketing" and not may_send(customer, channel):
            reason = f"unsubscribed from {name}"
        else:
            return name, ""
    return "", reason


def _has_address(customer: Customer, channel: MessageChannel) -> bool:
    needed = _NEEDED.get(channel)
    if needed is not None and needed in customer.sealed:
        return True
    # Mailing, push and chat may know customers by the shop's id; a telephone does not.
    return customer.known and channel is not MessageChannel.SMS


def is_due_once(moment: Moment, trigger: Trigger, rule: str, item: str, but: str = "") -> bool:
    """Whether the rule may act again: once per customer, item or period (`but`: not that run)."""
    once = trigger.guard.once
    if once == "occasion":
        return True
    notes = moment.notes
    said_ms = notes.said.get(once_name(trigger.guard, rule, item))
    if said_ms is not None and not (isinstance(once, int) and moment.now_ms - said_ms >= once):
        return False
    return not any(
        run.rule == rule and run.key != but and (once != "item" or run.item == item)
        for run in notes.runs
    )


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
