"""One moment of one customer: what rules look at, what they said in it, what follows."""

from typing import Any

from models.customer import Customer
from models.effects import Action, Decided, action_id
from models.hazard import settle
from models.playbook.fields import Scope
from models.playbook.rulebook import Rule, Rulebook, always
from models.triggers.notes import Notes, Run
from models.view import View

RIVALS_AT_MOST = 8


class Moment:
    """A customer at a time; `spoken` are rules that have a marketing message decided in it.

    `wanting` are all rules that want to act in it, `effects` what came of them, `notes` what the
    row remembers of the playbook.
    """

    __slots__ = (
        "_scope",
        "book",
        "customer",
        "effects",
        "event",
        "notes",
        "now_ms",
        "spoken",
        "token",
        "view",
        "wanting",
    )

    def __init__(
        self,
        token: str,
        customer: Customer,
        view: View,
        book: Rulebook,
        now_ms: int,
        event: Any = None,
    ) -> None:
        self.token = token
        self.customer = customer
        self.notes: Notes = customer.playbook
        self.view = view
        self.book = book
        self.now_ms = now_ms
        self.event = event
        self.spoken: list[str] = []
        self.wanting: list[str] = []
        self.effects: list[Any] = []
        self._scope: Scope | None = None

    @property
    def scope(self) -> Scope:
        """What conditions are asked about; most moments of most customers ask none."""
        scope = self._scope
        if scope is None:
            find = self._find_segments if self.book.needs_segments else None
            minor_units = self.book.minor_units
            scope = Scope(self.customer, self.now_ms, self.event, (), minor_units, find)
            self._scope = scope
        return scope

    def _find_segments(self, scope: Scope) -> None:
        """Find out in which segments the customer is, as soon as anything asks for that."""
        if self.book.foretells_segments:
            settle(self.customer, self.view.hazard)
        self.book.segments_of(scope)

    def holds(self, rule: Rule, condition: Any) -> bool:
        """Ask one of a rule's conditions."""
        if condition is always:
            return True
        if rule.needs_foretelling:
            settle(self.customer, self.view.hazard)
        return bool(condition(self.scope))


def occasion_of(run: Run) -> str:
    """Name the occasion of one step: a rule that writes twice does so on two occasions."""
    return f"{run.occasion}#{run.at}" if run.at else run.occasion


def receipt(  # noqa: PLR0913  (one word for each thing that a receipt may say)
    moment: Moment,
    run: Run,
    status: str,
    reason: str = "",
    *,
    action: str = "message",
    message_channel: str = "",
    offer: str = "",
    coupon: str = "",
    passed: list[str] | None = None,
    held_until_ms: int = 0,
) -> Decided:
    """Write down a decision (S43): what was known, who else wanted the moment, what came of it."""
    customer, view, wanting = moment.customer, moment.view, moment.wanting
    settle(customer, view.hazard)
    occasion, name = occasion_of(run), run.rule
    return Decided(
        incarnation=view.incarnation,
        partition=view.partition,
        offset=view.offset,
        index=view.index(),
        customer=moment.token,
        at_ms=moment.now_ms,
        rule=name,
        occasion=occasion,
        action_id=action_id(moment.token, name, occasion),
        verdict="sent" if status == "sent" else "withheld",
        reason=reason,
        hazard=customer.hazard,
        hazard_version=customer.hazard_version,
        inputs={**run.variables, "tier": customer.tier, "orders": customer.orders},
        status=status,
        action=action,
        message_channel=message_channel,
        offer=offer,
        coupon=coupon,
        arm=run.arm,
        propensity=run.propensity,
        held_until_ms=held_until_ms,
        playbook_version=view.playbook_version,
        passed=passed or [],
        rivals=_rivals(wanting, name) if wanting != [name] else [],
    )


def _rivals(wanting: list[str], rule: str) -> list[str]:
    return [name for name in wanting if name != rule][:RIVALS_AT_MOST]


def asked_for(moment: Moment, said: Decided, **more: Any) -> Action:
    """Ask for what a receipt says."""
    return Action(
        action_id=said.action_id,
        customer=moment.token,
        rule=said.rule,
        occasion=said.occasion,
        decided_at_ms=moment.now_ms,
        hazard=said.hazard,
        hazard_version=said.hazard_version,
        kind=said.action,
        playbook_version=said.playbook_version,
        offer=said.offer,
        coupon=said.coupon,
        arm=said.arm,
        propensity=said.propensity,
        **more,
    )
