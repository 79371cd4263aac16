"""Plays a scenario, once in each of its languages, and keeps what was decided."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from models.effects import Action
from models.events import Event
from models.item_reviews import QUOTED
from models.playbook.rulebook import Rulebook
from models.segment import ANONYMOUS, Door, Rejected, finish, parse
from models.tokens import token_of
from streams.rehearse.scenario import SOURCE, Happening, Scenario
from streams.rehearse.sights import Sights
from streams.rehearse.stage import Stage
from streams.rehearse.told import MESSAGE, SHOWN, told

# Nothing that it names is kept. It puts nobody whom scenarios usually name (c1 ... c10, customer-1
# ..., anna, ben ...) into a default holdout; whoever rehearses one gives it a share of 100%.
_KEY = b"rehearsal 6".ljust(32, b"\x00")


@dataclass
class Rehearsal:
    """What followed from a scenario in one language: actions, what was rejected, tiers at the end.

    Customers go by their ids as the scenario has them; `messages` are those that would be sent.
    """

    locale: str
    actions: list[dict[str, Any]] = field(default_factory=list)
    rejected: list[dict[str, Any]] = field(default_factory=list)
    tiers: dict[str, str] = field(default_factory=dict)
    messages: list[Action] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        return {"actions": self.actions, "rejected": self.rejected, "tiers": self.tiers}


@lru_cache(maxsize=100_000)
def token(kind: str, identifier: str) -> str:
    """Name what must not stand in the log as it is."""
    return token_of(_KEY, kind, identifier)


def play(
    scenario: Scenario, rulebook: Rulebook | None, *, currency: str, locale: str = ""
) -> Rehearsal:
    """Play a scenario from its first event to its end."""
    sights, rehearsal = Sights(), Rehearsal(locale)
    stage = Stage(rulebook, learn=sights)
    names: dict[str, str] = {}
    for event in _events(scenario, currency, locale, names):
        stage.take(event)  # type: ignore[arg-type]
        _note(stage, scenario, names, rehearsal, sights)
    stage.advance(scenario.until_ms)
    _note(stage, scenario, names, rehearsal, sights)
    for customer, name in names.items():
        row = stage.customer(customer)
        if row is not None and row.tier and not row.merged_into:
            rehearsal.tiers[name] = row.tier
    return rehearsal


def _note(
    stage: Stage, scenario: Scenario, names: dict[str, str], rehearsal: Rehearsal, sights: Sights
) -> None:
    decided, stage.decided = stage.decided, []
    asked, stage.actions = stage.actions, []
    messages = [one for one in asked if one.kind == MESSAGE]
    for action in messages:
        sights.fill_in(action)
    rehearsal.messages += messages
    for one in decided:
        row = stage.customer(one.customer)
        said = told(one, names.get(one.customer, one.customer), row, scenario.time_zone)
        place = rehearsal.actions if said["status"] in SHOWN else rehearsal.rejected
        place.append(said)


def _events(
    scenario: Scenario, currency: str, locale: str, names: dict[str, str]
) -> Iterator[Event]:
    spoken: set[str] = set()
    for one in scenario.happenings:
        body = _speaking(one, locale, spoken) if locale else one.body
        yield from events_of(body, one.at_ms, currency, names)


def events_of(
    body: dict[str, Any], at_ms: int, currency: str, names: dict[str, str]
) -> list[Event]:
    """Events of the log that a body becomes; `names` learns whose they are.

    Nothing is sealed, since nothing is kept, and nothing personal stays but the words of reviews;
    what the gateway would refuse becomes nothing.
    """
    drafts = parse(body, Door(received_at_ms=at_ms, currency=currency, source=SOURCE))
    if isinstance(drafts, Rejected):
        return []
    for draft in drafts:
        names[token("customer", draft.customer_id)] = draft.customer_id.removeprefix(ANONYMOUS)
    return [finish(draft, token, _hidden) for draft in drafts]


def _speaking(one: Happening, locale: str, spoken: set[str]) -> dict[str, Any]:
    """Body whose customer speaks the language, unless a language of its own is told."""
    body = one.body
    who = str(body.get("userId") or body.get("anonymousId"))
    if body["type"] == "identify":
        return {**body, "traits": {"locale": locale, **body.get("traits", {})}}
    if who in spoken or body["type"] == "alias":
        return body
    spoken.add(who)
    context = dict(body.get("context") or {})
    context["traits"] = {"locale": locale, **(context.get("traits") or {})}
    return {**body, "context": context}


def _hidden(_customer: str, field: str, text: str) -> str:
    return text if field == QUOTED else "…"
