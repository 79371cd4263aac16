"""One moment of one customer: what rules look at, what they said in it, what follows."""

from dataclasses import dataclass, field
from typing import Any

from models.customer import Customer
from models.effects import Action, Decided, action_id
from models.hazard import settle
from models.playbook.fields import Scope
from models.playbook.rulebook import Rule, Rulebook
from models.triggers.notes import Notes, Run
from models.view import View

RIVALS_AT_MOST = 8


@dataclass(slots=True)
class Moment:
    """A customer at a time; `spoken` are rules that have a marketing message decided in it.

    `wanting` are all rules that want to act in it, `effects` what came of them.
    """

    token: str
    customer: Customer
    view: View
    book: Rulebook
    now_ms: int
    scope: Scope
    spoken: list[str] = field(default_factory=list)
    wanting: list[str] = field(default_factory=list)
    effects: list[Any] = field(default_factory=list)

    @property
    def notes(self) -> Notes:
        """What the row remembers of the playbook."""
        return self.customer.playbook

    def holds(self, rule: Rule, condition: Any) -> bool:
        """Ask one of a rule's conditions."""
        if rule.needs_foretelling:
            settle(self.customer, self.view.hazard)
        return bool(condition(self.scope))


def moment_of(
    token: str, customer: Customer, view: View, book: Rulebook, now_ms: int, event: Any = None
) -> Moment:
    """Look at a customer; in which segments it is is found out where anything asks for that."""
    find = None
    if book.needs_segments:

        def find(scope: Scope) -> None:
            if book.foretells_segments:
                settle(customer, view.hazard)
            book.segments_of(scope)

    scope = Scope(customer, now_ms, event, (), book.minor_units, find)
    return Moment(token, customer, view, book, now_ms, scope)


def occasion_of(run: Run) -> str:
    """Name the occasion of one step: a rule that writes twice does so on two occasions."""
    return f"{run.occasion}#{run.at}" if run.at else run.occasion


def receipt(moment: Moment, run: Run, status: str, reason: str = "", **more: Any) -> Decided:
    """Write down a decision (S43): what was known, who else wanted the moment, what came of it."""
    customer, view = moment.customer, moment.view
    settle(customer, view.hazard)
    occasion = occasion_of(run)
    rivals = [name for name in moment.wanting if name != run.rule][:RIVALS_AT_MOST]
    return Decided(
        incarnation=view.incarnation,
        partition=view.partition,
        offset=view.offset,
        index=view.index(),
        customer=moment.token,
        at_ms=moment.now_ms,
        rule=run.rule,
        occasion=occasion,
        action_id=action_id(moment.token, run.rule, occasion),
        verdict="sent" if status == "sent" else "withheld",
        reason=reason,
        hazard=customer.hazard,
        hazard_version=customer.hazard_version,
        inputs={**run.variables, "tier": customer.tier, "orders": customer.orders},
        status=status,
        arm=run.arm,
        propensity=run.propensity,
        playbook_version=view.playbook_version,
        rivals=rivals,
        **more,
    )


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
