"""Receipts: what became of an action, as events for the log, the same each time they are made."""

from typing import Any

from models.effects import Action
from models.events import Channel, Event, MessageBounced, MessageDelivered, MessageSent
from sinks.dispatch_ledger import Outcome

SOURCE = "dispatcher"


def receipts_of(action: Action, outcome: Outcome) -> list[Event]:
    """Say it was sent (and arrived, if that is known), or why it was not.

    A task that was given and a call that was taken are no messages to the customer: of them the
    log is told only when they failed.
    """
    if outcome.reason:
        return [
            MessageBounced(
                **_common(action, outcome, "bounced"),
                action_id=action.action_id,
                message_channel=action.message_channel,
                reason=outcome.reason,
            )
        ]
    if action.kind != "message":
        return []
    sent = MessageSent(
        **_common(action, outcome, "sent"),
        action_id=action.action_id,
        message_channel=action.message_channel,
        rule=action.rule,
    )
    if not outcome.delivered:
        return [sent]
    delivered = MessageDelivered(
        **_common(action, outcome, "delivered"),
        action_id=action.action_id,
        message_channel=action.message_channel,
    )
    return [sent, delivered]


def _common(action: Action, outcome: Outcome, what: str) -> dict[str, Any]:
    return {
        "id": f"{action.action_id}:{what}",
        "customer": action.customer,
        "occurred_at_ms": outcome.at_ms,
        "received_at_ms": outcome.at_ms,
        "channel": Channel.SERVER,
        "source": SOURCE,
        # A receipt knows a token only: it must not turn a visitor into a known customer.
        "anonymous": True,
    }
