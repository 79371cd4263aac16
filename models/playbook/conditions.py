"""The conditions of a playbook: read, checked against what may be asked, told with their places."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from models.playbook.cel_parser import parse
from models.playbook.cel_tree import CelMistake, Node
from models.playbook.cel_types import mistakes_in
from models.playbook.closeness import closest
from models.playbook.event_fields import EVENTS, fields_of_events
from models.playbook.fields import CUSTOMER_FIELDS, SEGMENTS, FieldKind
from models.playbook.files import Found
from models.playbook.problem import PROBLEMS_MAX, Problem, shown
from models.playbook.reader import Path
from models.playbook.source import Scalar, place_inside


@dataclass(frozen=True)
class Condition:
    """A condition that has no mistake: its tree and what it may ask."""

    tree: Node
    fields: Mapping[str, FieldKind]


def check_conditions(found: Found) -> tuple[dict[Path, Condition], list[Problem]]:
    """Every condition without a mistake by its path, and the mistakes of the others."""
    right: dict[Path, Condition] = {}
    problems: list[Problem] = []
    for path, scalar in found.conditions.items():
        if len(problems) >= PROBLEMS_MAX:
            break
        fields = fields_at(path, found)
        mistakes = list(_mistakes(scalar.value, fields))
        problems += [_told(one, scalar, found) for one in mistakes]
        if not mistakes:
            right[path] = Condition(parse(scalar.value), fields)
    return right, problems


def _mistakes(text: str, fields: Mapping[str, FieldKind]) -> Iterator[CelMistake]:
    try:
        tree = parse(text)
    except CelMistake as mistake:
        yield mistake
        return
    yield from mistakes_in(tree, fields)


def fields_at(path: Path, found: Found) -> dict[str, FieldKind]:
    """Fields that a condition at this path may ask: the event only in the moment's own `if`.

    All others are asked later, when the event is history.
    """
    fields = customer_fields(tuple(found.names["segments"]))
    if path[0] == "triggers" and path[2:] == ("when", "if"):
        events = found.written(*path[:2], "when", "event")
        # Of a name that is not quite right the mistake is told; what it asks is taken as meant.
        meant = (name if name in EVENTS else closest(name, EVENTS) for name in events)
        fields |= fields_of_events(name for name in meant if name)
    return fields


def customer_fields(segments: tuple[str, ...]) -> dict[str, FieldKind]:
    """Fields of the customer, where the segments are these."""
    kind = replace(CUSTOMER_FIELDS[SEGMENTS], values=segments)
    return {**CUSTOMER_FIELDS, SEGMENTS: kind}


def _told(mistake: CelMistake, scalar: Scalar, found: Found) -> Problem:
    place = place_inside(scalar, found.texts[scalar.place.file], mistake.at)
    return Problem(
        place=place,
        message=f"in this condition {' '.join(mistake.message.split())}",
        value=shown(mistake.value or scalar.value),
        expected=mistake.expected,
        suggestion=mistake.suggestion,
    )
