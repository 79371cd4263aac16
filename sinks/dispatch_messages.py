"""What an action becomes for its sender: a message, a task for a person, a call of a program."""

from typing import Any

from models.effects import Action
from models.events import MessageChannel
from sinks.senders import TASKS, WEBHOOKS, Message
from sinks.templates import Rendered

_ADDRESS = {
    MessageChannel.EMAIL: "email",
    MessageChannel.SMS: "phone",
    MessageChannel.PUSH: "id",
    MessageChannel.CHAT: "id",
}
_CONTACT = ("first_name", "name", "phone", "email")


def outlet_of(action: Action) -> str:
    """Name of the outlet an action leaves by."""
    return action.kind if action.kind in (TASKS, WEBHOOKS) else action.message_channel.value


def message_of(
    action: Action,
    personal: dict[str, str],
    at_ms: int,
    words: Rendered,
    sender: str = "",
    unsubscribe_url: str = "",
) -> Message:
    """A message with its words and its customer's address."""
    return Message(
        message_id=action.action_id,
        action_id=action.action_id,
        customer=action.customer,
        rule=action.rule,
        channel=action.message_channel,
        at_ms=at_ms,
        address=personal.get(_ADDRESS[action.message_channel], ""),
        subject=words.subject,
        text=words.text,
        html=words.html,
        sender=sender,
        unsubscribe_url=unsubscribe_url if action.consent == "marketing" else "",
        content={"consent": action.consent},
    )


def task_of(action: Action, personal: dict[str, str], at_ms: int) -> Message:
    """A task with all that its owner needs to do it."""
    contact = {name: personal[name] for name in _CONTACT if personal.get(name)}
    content = _about(action) | {
        "task": action.task,
        "owner": action.owner,
        "due_ms": action.task_due_ms,
        "customer_id": personal.get("id", ""),
        "contact": contact,
    }
    lines = [f"{name}: {value}" for name, value in contact.items()]
    return Message(
        message_id=action.action_id,
        action_id=action.action_id,
        customer=action.customer,
        rule=action.rule,
        channel=action.message_channel,
        at_ms=at_ms,
        subject=f"{action.owner}: {action.task}" if action.owner else action.task,
        text="\n".join([action.task, *lines]),
        kind=TASKS,
        content=content,
    )


def call_of(action: Action, personal: dict[str, str], at_ms: int) -> Message:
    """A call that says what was decided about whom; of what is personal the shop's own id alone."""
    content = _about(action) | {"customer_id": personal.get("id", "")}
    return Message(
        message_id=action.action_id,
        action_id=action.action_id,
        customer=action.customer,
        rule=action.rule,
        channel=action.message_channel,
        at_ms=at_ms,
        address=action.address,
        subject=f"{action.rule}: {action.address}",
        text=f"{action.rule}: {action.address}",
        kind=WEBHOOKS,
        content=content,
    )


def _about(action: Action) -> dict[str, Any]:
    said = {
        "action_id": action.action_id,
        "rule": action.rule,
        "occasion": action.occasion,
        "customer": action.customer,
        "decided_at_ms": action.decided_at_ms,
        "playbook_version": action.playbook_version,
        "variables": action.variables,
    }
    also = {"offer": action.offer, "coupon": action.coupon, "arm": action.arm}
    return said | {name: value for name, value in also.items() if value}
