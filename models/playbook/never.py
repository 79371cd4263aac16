"""Rules that can never fire: conditions that contradict themselves, each other or the moment."""

from collections.abc import Iterator, Mapping

from models.clock import DAY_MS
from models.playbook.cel_parser import parse
from models.playbook.cel_rooms import can_hold
from models.playbook.cel_tree import Logic
from models.playbook.conditions import Condition
from models.playbook.fields import CUSTOMER_FIELDS
from models.playbook.playbook import Playbook, Trigger
from models.playbook.reader import Path
from models.playbook.when import (
    OnCadence,
    OnDormancy,
    OnEnteringTier,
    OnEvent,
    OnSilence,
    When,
)

OTHERWISE = "a condition that some customer fulfils"


def never_fires(
    book: Playbook, conditions: Mapping[Path, Condition]
) -> Iterator[tuple[Path, str, str]]:
    """Conditions that never hold, and triggers whose conditions never hold together."""
    closed = set()
    for path, condition in conditions.items():
        if not can_hold(condition.tree, condition.fields):
            closed.add(path[:2])
            yield path, "this condition can never hold", OTHERWISE
    for name, trigger in book.triggers.items():
        path = ("triggers", name)
        parts = list(_together(path, trigger, conditions))
        if path in closed or not parts:
            continue
        fields = {field: kind for part in parts for field, kind in part.fields.items()}
        if not can_hold(Logic(0, "&&", tuple(part.tree for part in parts)), fields):
            yield (
                path,
                f"trigger {name} can never fire: its conditions exclude each other",
                OTHERWISE,
            )


def _together(
    path: Path, trigger: Trigger, conditions: Mapping[Path, Condition]
) -> Iterator[Condition]:
    """What must hold at one and the same time for the trigger to fire."""
    guard = conditions.get((*path, "guard", "if"))
    for text in (_moment(trigger.when), _tiers(trigger.guard.tiers)):
        if text:
            yield Condition(parse(text), CUSTOMER_FIELDS)
    if guard:
        yield guard
    if len(trigger.guard.segments) == 1:
        segment = conditions.get(("segments", trigger.guard.segments[0], "if"))
        if segment:
            yield segment
    # What held at an event need not hold any more after a wait.
    if not (isinstance(trigger.when, OnEvent) and trigger.when.wait_ms):
        key = "while" if isinstance(trigger.when, OnCadence) else "if"
        own = conditions.get((*path, "when", key))
        if own:
            yield own


def _moment(when: When) -> str:
    """What is known to hold when such a moment comes, as a condition."""
    if isinstance(when, OnSilence):
        days = when.silence_ms // DAY_MS
        return f"customer.orders >= 1 && customer.silence_days >= {days}"
    if isinstance(when, OnDormancy):
        return f'customer.orders >= 1 && customer.dormancy == "{when.dormancy}"'
    return _tiers(when.enters_tier) if isinstance(when, OnEnteringTier) else ""


def _tiers(tiers: tuple[str, ...]) -> str:
    return f"customer.tier in [{', '.join(map(repr, tiers))}]" if tiers else ""
