"""What a step of a rule does: ask for a message, an offer, a task, a call; tag the customer."""

from typing import Any

from models.budget import Spending
from models.caps import note
from models.coupon_codes import spelled
from models.customer import Customer
from models.effects import Action, action_id
from models.events import MessageChannel
from models.hazard import settle
from models.playbook.fields import CUSTOMER_FIELDS, Unanswerable
from models.playbook.rulebook import Rule
from models.playbook.then import Call, Give, Grant, Send, Tag, Task, Untag
from models.triggers import offers
from models.triggers.guards import Obstacle, obstacle
from models.triggers.moment import Moment, asked_for, occasion_of, receipt
from models.triggers.notes import TAGS_AT_MOST, Run, remember_perk

SENT, HELD, ASKS = "sent", "held", "asks"
DAY_MS = 86_400_000
CALL_LIFE_MS = 2 * DAY_MS
SEALED_FOR_MESSAGES = ("id", "email", "phone", "first_name", "name")


def carry_out(moment: Moment, run: Run, rule: Rule, step: Any) -> str:
    """Do one step; its status, which is "held" when it is to be tried again at `run.due_ms`.

    It is "asks" when nothing is decided before `run.waits_for` has answered.
    """
    match step:
        case Send():
            return _send(moment, run, rule, step)
        case Give():
            return _give(moment, run, rule, step.give)
        case Grant():
            return grant(moment, run, step.grant)
        case Tag():
            return _tag(moment, run, step.tag)
        case Untag():
            return _untag(moment, run, step.untag)
        case Task():
            return _task(moment, run, step)
        case Call():
            return _call(moment, run, step)
    raise TypeError(f"no step is a {type(step).__name__}")


def _send(moment: Moment, run: Run, rule: Rule, step: Send) -> str:
    sending = rule.sendings[run.at]
    way, passed, found = obstacle(moment, run, rule, step, sending)
    offer = step.offer
    if found is None and offer and _is_sure(moment, rule):
        offer = ""
        passed.append("no offer for a sure buyer")
    if found is None and offer:
        found = _beyond_budget(moment, run, offer, passed)
    if found is not None and found.status == ASKS:
        return ASKS
    if way is None or found is not None:
        assert found is not None  # noqa: S101  # nobody to reach is an obstacle
        run.due_ms = found.until_ms or run.due_ms
        moment.effects.append(
            receipt(
                moment,
                run,
                found.status,
                found.reason,
                message_channel=way.name if way is not None else "",
                offer=offer,
                passed=passed,
                held_until_ms=found.until_ms,
            )
        )
        return found.status
    variables, code = _variables(moment, run, step), ""
    if offer:
        code, words = _coupon(moment, run, offer)
        variables |= words
    said = receipt(
        moment, run, SENT, message_channel=way.name, offer=offer, coupon=code, passed=passed
    )
    action = asked_for(
        moment,
        said,
        message_channel=way.channel,
        template=step.message,
        expires_at_ms=run.due_ms + step.expires_ms,
        sealed=_sealed(moment.customer),
        locale=moment.book.place.of(moment.customer).locale,
        variables=variables,
        consent=sending.consent,
        recommend=step.recommend,
        reviews=step.reviews,
    )
    moment.effects += [action, said]
    note(moment.book.caps, moment.notes.sent, way.counted_as, moment.now_ms)
    if sending.is_marketing:
        moment.spoken.append(run.rule)
    return SENT


def _beyond_budget(moment: Moment, run: Run, offer: str, passed: list[str]) -> Obstacle | None:
    terms = moment.book.book.offers[offer]
    cents = offers.cost_cents(terms, offers.usual_order_cents(moment))
    found = offers.afford(moment, offer, cents)
    if found.spending is Spending.WAIT:
        run.waits_for = found.waits_for
        return Obstacle(ASKS, f"the budget of {offer} is asked")
    if found.spending is Spending.OUT:
        return Obstacle("out_of_budget", f"the budget of {offer} is used up")
    if terms.budget is not None:
        passed.append("within the budget")
    return None


def _coupon(moment: Moment, run: Run, offer: str) -> tuple[str, dict[str, Any]]:
    """Give the coupon of an offer: its code as people read it, and the words about it."""
    name = action_id(moment.token, run.rule, occasion_of(run))
    coupon = offers.given(moment, offer, name)
    moment.effects.append(coupon.word)
    code = spelled(coupon.code)
    return code, offers.told(moment, moment.book.book.offers[offer], code)


def _is_sure(moment: Moment, rule: Rule) -> bool:
    limit = rule.trigger.guard.no_offer_above
    if limit is None or moment.customer.orders <= 0:
        return False
    settle(moment.customer, moment.view.hazard)
    return moment.customer.hazard > limit


def _sealed(customer: Customer) -> dict[str, str]:
    return {k: customer.sealed[k] for k in SEALED_FOR_MESSAGES if k in customer.sealed}


def _variables(moment: Moment, run: Run, step: Send) -> dict[str, Any]:
    customer = moment.customer
    variables: dict[str, Any] = {**run.variables, "tier": customer.tier}
    if customer.orders > 0:
        variables["days_silent"] = max(0, moment.now_ms - customer.last_order_ms) // DAY_MS
    for name, text in step.variables.items():
        variables[name] = _read(moment, text)
    return variables


def _read(moment: Moment, text: str) -> Any:
    """A customer's field by its name, else the text itself."""
    kind = CUSTOMER_FIELDS.get(text)
    if kind is None:
        return text
    try:
        return kind.read(moment.scope)
    except Unanswerable:
        return ""


def _give(moment: Moment, run: Run, rule: Rule, offer: str) -> str:
    passed: list[str] = []
    if _is_sure(moment, rule):
        found: Obstacle | None = Obstacle("cancelled", "no offer for a sure buyer")
    else:
        found = _beyond_budget(moment, run, offer, passed)
    if found is not None and found.status == ASKS:
        return ASKS
    if found is not None:
        said = receipt(moment, run, found.status, found.reason, action="offer", offer=offer)
        moment.effects.append(said)
        return said.status
    code, words = _coupon(moment, run, offer)
    said = receipt(moment, run, SENT, action="offer", offer=offer, coupon=code, passed=passed)
    moment.effects += [_unsent(moment, said, words), said]
    return SENT


def grant(moment: Moment, run: Run, perk: str) -> str:
    """Give a perk, for as long as it lasts."""
    granted = moment.book.book.perks.get(perk)
    until_ms = 0
    if granted is not None and granted.valid_ms is not None:
        until_ms = moment.now_ms + granted.valid_ms
    remember_perk(moment.notes, perk, until_ms)
    said = receipt(moment, run, SENT, action="perk", offer=perk)
    moment.effects += [_unsent(moment, said, {"perk": perk, "perk_until_ms": until_ms}), said]
    return SENT


def _tag(moment: Moment, run: Run, tag: str) -> str:
    notes = moment.notes
    if tag not in notes.tags:
        notes.tags = [*notes.tags, tag][-TAGS_AT_MOST:]
    moment.effects.append(receipt(moment, run, SENT, tag, action="tag"))
    return SENT


def _untag(moment: Moment, run: Run, tag: str) -> str:
    moment.notes.tags = [one for one in moment.notes.tags if one != tag]
    moment.effects.append(receipt(moment, run, SENT, tag, action="untag"))
    return SENT


def _task(moment: Moment, run: Run, step: Task) -> str:
    said = receipt(moment, run, SENT, action="task")
    due_ms = moment.now_ms + step.due_ms
    task = _unsent(moment, said, dict(run.variables))
    task.owner, task.task, task.task_due_ms = step.owner, step.task, due_ms
    task.sealed, task.expires_at_ms = _sealed(moment.customer), due_ms
    moment.effects += [task, said]
    return SENT


def _call(moment: Moment, run: Run, step: Call) -> str:
    said = receipt(moment, run, SENT, action="webhook")
    call = _unsent(moment, said, dict(run.variables))
    call.address, call.expires_at_ms = step.webhook, moment.now_ms + CALL_LIFE_MS
    moment.effects += [call, said]
    return SENT


def _unsent(moment: Moment, said: Any, variables: dict[str, Any]) -> Action:
    """An action that is no message; its channel says nothing."""
    return asked_for(
        moment,
        said,
        message_channel=MessageChannel.EMAIL,
        template="",
        expires_at_ms=moment.now_ms + CALL_LIFE_MS,
        sealed={},
        locale=moment.book.place.of(moment.customer).locale,
        variables={"tier": moment.customer.tier, **variables},
    )
