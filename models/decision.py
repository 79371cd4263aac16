"""From a rule's wish to an action with its receipt, or to a receipt that says why not (N9)."""

from typing import Any

import msgspec

from models.clock import DAY_MS
from models.customer import Customer, may_send
from models.effects import Action, Decided, action_id
from models.events import MessageChannel
from models.hazard import settle
from models.view import View

MESSAGE_LIFE_MS = 2 * DAY_MS
SEALED_FOR_MESSAGES = ("id", "email", "phone", "first_name", "name")


class Wish(msgspec.Struct, kw_only=True, frozen=True):
    """What a rule wants to say to a customer, on which occasion."""

    rule: str
    occasion: str
    template: str
    variables: dict[str, Any]


def decide(
    token: str, customer: Customer, wish: Wish, view: View, due_ms: int
) -> list[Action | Decided]:
    """Send what was due at `due_ms` unless something stands against it; a receipt either way."""
    settle(customer, view.hazard)
    name = action_id(token, wish.rule, wish.occasion)
    at_ms, hazard = view.now_ms, customer.hazard
    obstacle = _obstacle(customer, at_ms, due_ms)
    receipt = Decided(
        incarnation=view.incarnation,
        partition=view.partition,
        offset=view.offset,
        index=view.index(),
        customer=token,
        at_ms=at_ms,
        rule=wish.rule,
        occasion=wish.occasion,
        action_id=name,
        verdict="withheld" if obstacle else "sent",
        reason=obstacle,
        hazard=hazard,
        hazard_version=customer.hazard_version,
        inputs={**wish.variables, "tier": customer.tier, "orders": customer.orders},
    )
    if obstacle:
        return [receipt]
    locale = customer.traits.get("locale", "")
    action = Action(
        action_id=name,
        customer=token,
        rule=wish.rule,
        occasion=wish.occasion,
        message_channel=MessageChannel.EMAIL,
        template=wish.template,
        decided_at_ms=at_ms,
        expires_at_ms=due_ms + MESSAGE_LIFE_MS,
        sealed={k: customer.sealed[k] for k in SEALED_FOR_MESSAGES if k in customer.sealed},
        locale=str(locale) or "en",
        variables=wish.variables,
        hazard=hazard,
        hazard_version=customer.hazard_version,
    )
    return [action, receipt]


def _obstacle(customer: Customer, at_ms: int, due_ms: int) -> str:
    if not customer.known and "email" not in customer.sealed:
        return "nobody knows who it is"
    if not may_send(customer, MessageChannel.EMAIL):
        return "unsubscribed from email"
    # Events may come in long after they happened, and a partition may have been down for days.
    return "its moment has passed" if at_ms >= due_ms + MESSAGE_LIFE_MS else ""


def withheld(
    token: str, customer: Customer, wish: Wish, view: View, at_ms: int, reason: str
) -> Decided:
    """Receipt for what was planned and then rightly left unsaid."""
    settle(customer, view.hazard)
    return Decided(
        incarnation=view.incarnation,
        partition=view.partition,
        offset=view.offset,
        index=view.index(),
        customer=token,
        at_ms=at_ms,
        rule=wish.rule,
        occasion=wish.occasion,
        action_id=action_id(token, wish.rule, wish.occasion),
        verdict="withheld",
        reason=reason,
        hazard=customer.hazard,
        hazard_version=customer.hazard_version,
        inputs={"tier": customer.tier, "orders": customer.orders},
    )
